//! `offprint use <slug> …`: a method on the user's own files.

use crate::error::Result;
use clap::{ArgMatches, Command};

/// The sub-commands of one paper.
pub trait UserCommand: Sync {
    /// The command-line grammar; its name is the paper's slug, every sub-command has an example in its help.
    fn grammar(&self) -> Command;

    /// Runs it.
    ///
    /// # Errors
    /// Bad input: the message names the value and what is allowed, and nothing was written.
    fn run(&self, matches: &ArgMatches) -> Result<()>;
}
