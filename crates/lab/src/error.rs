//! The lab's error: a message that names the value, what to do next, and whose fault it is.

use std::{fmt, io, path::Path};

/// Result of the lab's fallible calls.
pub type Result<T> = std::result::Result<T, Error>;

/// An error with an optional hint, as a person reads it.
///
/// One type for the whole lab: its callers need three things of an error (the sentence, what to do next, the exit
/// code) and never its variant.
#[derive(Debug)]
pub struct Error {
    message: String,
    help: Option<String>,
    fault: Fault,
}

/// Whose fault an error is; decides the exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The input was wrong: a flag, a name, a file. Exit code 2.
    Input,
    /// The input was fine and something failed: a trial, a check, the disk. Exit code 1.
    Run,
    /// The user stopped the program. Exit code 130, as a shell expects of an interrupt.
    Stopped,
}

impl Fault {
    /// Exit code of the program.
    pub fn exit_code(self) -> u8 {
        match self {
            Fault::Input => 2,
            Fault::Run => 1,
            Fault::Stopped => 130,
        }
    }
}

impl Error {
    /// Wrong input: the message names the value and what is allowed.
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            fault: Fault::Input,
        }
    }

    /// Something failed although the input was fine.
    pub fn run(message: impl Into<String>) -> Self {
        Self {
            fault: Fault::Run,
            ..Self::input(message)
        }
    }

    /// The user stopped the program.
    pub fn stopped(message: impl Into<String>) -> Self {
        Self {
            fault: Fault::Stopped,
            ..Self::input(message)
        }
    }

    /// A failed file operation, with what to do about the common causes.
    pub fn io(action: &str, path: &Path, error: io::Error) -> Self {
        let help = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
                "free some space, or choose another folder with --runs DIR; what was finished is kept",
            ),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Some("choose a folder you may write to with --runs DIR")
            }
            _ => None,
        };
        Self {
            message: format!("cannot {action} {}: {error}", path.display()),
            help: help.map(Into::into),
            fault: Fault::Run,
        }
    }

    /// Adds what to do next.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An unknown name, with the nearest known one.
    pub fn unknown<'a>(
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
        list: &str,
    ) -> Self {
        let error = Self::input(format!("unknown {what} \"{name}\""));
        match crate::nearest::nearest_name(name, known) {
            Some(nearest) => error.help(format!("did you mean {nearest}?   {list}")),
            None => error.help(list.to_string()),
        }
    }

    /// What to do next, if anything is known.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.fault
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
