//! `offprint use`.

use super::running;
use clap::ArgMatches;
use offprint_lab::error::{Error, Result};

/// Hands the arguments to the paper's own command.
pub fn run(matches: &ArgMatches) -> Result<()> {
    // A name that is no paper's comes through the grammar, too, to be told the nearest one.
    let (slug, matches) = matches.subcommand().expect("the grammar requires one");
    let command = running(slug)?.1.command;
    let command =
        command.ok_or_else(|| Error::input(format!("{slug} has no command for files")))?;
    command.run(matches)
}
