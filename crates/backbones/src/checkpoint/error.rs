//! What can be wrong with a checkpoint.

use crate::error::BackbonesError;
use std::fmt;
use std::path::{Path, PathBuf};

/// A checkpoint that cannot be read, or does not fit the model that it says it is.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file that cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// Bytes that are not what the format asks for.
    #[error("{}: {message}", path.display())]
    Format { path: PathBuf, message: String },
    /// A setting of a model that this library does not compute.
    #[error("{name} = {value}, but it must be {allowed}")]
    Setting {
        name: String,
        value: String,
        allowed: String,
    },
    /// A setting that is not there.
    #[error("there is no {0}")]
    NoSetting(String),
    /// Sizes that a file of that length cannot have.
    #[error(
        "the model has {parameters} parameters in {layers} layers, but the file holds {numbers} numbers in {tensors} tensors"
    )]
    Sizes {
        parameters: u128,
        layers: usize,
        numbers: usize,
        tensors: usize,
    },
    /// Tensors that do not fit the model.
    #[error("{0}")]
    Tensors(Differences),
    /// A setting out of its range.
    #[error(transparent)]
    Backbone(#[from] BackbonesError),
}

/// Shorthand for results of checkpoints.
pub(crate) type Result<T, E = CheckpointError> = std::result::Result<T, E>;

/// All tensors in which a checkpoint and a model differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// What the model needs and the checkpoint does not have.
    pub missing: Vec<String>,
    /// What the checkpoint has and the model does not know.
    pub extra: Vec<String>,
    /// What has another shape: its name, its shape and the one expected.
    pub misshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// What holds a number that is infinite or none: its name and the first such number.
    pub not_finite: Vec<(String, String)>,
}

impl Differences {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
            && self.extra.is_empty()
            && self.misshaped.is_empty()
            && self.not_finite.is_empty()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.missing.len(), "missing"),
            (self.extra.len(), "not part of the model"),
            (self.misshaped.len(), "of another shape"),
            (self.not_finite.len(), "not finite"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(n, what)| format!("{n} {what}")).collect();
        write!(f, "the tensors do not fit the model: {}", counts.join(", "))?;
        for name in &self.missing {
            write!(f, "\n  missing: {name}")?;
        }
        for name in &self.extra {
            write!(f, "\n  not part of the model: {name}")?;
        }
        for (name, actual, expected) in &self.misshaped {
            write!(
                f,
                "\n  {name} has shape {actual:?}, but {expected:?} is expected"
            )?;
        }
        for (name, value) in &self.not_finite {
            write!(f, "\n  {name} holds {value}, but it must be finite")?;
        }
        Ok(())
    }
}

impl CheckpointError {
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }

    pub(crate) fn format(path: &Path, message: impl fmt::Display) -> Self {
        Self::Format {
            path: path.to_path_buf(),
            message: message.to_string(),
        }
    }

    pub(crate) fn setting(
        name: impl Into<String>,
        value: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Setting {
            name: name.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }
}
