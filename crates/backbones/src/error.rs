//! What can be wrong with a backbone's configuration or its inputs.

use offprint_experts::ExpertsError;
use offprint_layers::LayersError;

/// A setting out of its range, or inputs that do not fit the backbone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BackbonesError {
    /// A setting of a layer.
    #[error(transparent)]
    Layer(#[from] LayersError),
    /// A setting of a mixture of experts, or an input that its gate refuses.
    #[error(transparent)]
    Experts(#[from] ExpertsError),
    /// A size that must be at least one.
    #[error("{0} = 0, but it must be at least 1")]
    Zero(&'static str),
    /// A setting outside its range.
    #[error("{name} = {value}, but it must be {allowed}")]
    Range {
        name: &'static str,
        value: String,
        allowed: String,
    },
    /// A tensor whose lengths are not those expected.
    #[error("{name} has shape {actual:?}, but {expected} is expected")]
    Shape {
        name: &'static str,
        actual: Vec<usize>,
        expected: String,
    },
    /// A sequence that goes beyond the positions that the network knows.
    #[error("position {position} is beyond the context of {context} positions")]
    Position { position: usize, context: usize },
    /// A token that is not in the vocabulary.
    #[error("token {token} is outside the vocabulary of {vocabulary} tokens")]
    Token { token: i64, vocabulary: usize },
}

/// Shorthand for results of this crate.
pub type Result<T, E = BackbonesError> = std::result::Result<T, E>;

/// Checks that sizes are at least one.
pub(crate) fn check_sizes<const N: usize>(sizes: [(&'static str, usize); N]) -> Result<()> {
    match sizes.into_iter().find(|(_, size)| *size == 0) {
        Some((name, _)) => Err(BackbonesError::Zero(name)),
        None => Ok(()),
    }
}

/// Checks a condition on a setting.
pub(crate) fn check(
    holds: bool,
    name: &'static str,
    value: impl ToString,
    allowed: impl Into<String>,
) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(BackbonesError::Range {
        name,
        value: value.to_string(),
        allowed: allowed.into(),
    })
}
