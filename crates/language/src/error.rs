//! What can be wrong with a setting, a batch or a text.

use offprint_backbones::BackbonesError;
use offprint_experts::ExpertsError;
use offprint_layers::LayersError;

/// A setting out of its range, or inputs that do not fit together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LanguageError {
    /// What the language model refuses.
    #[error(transparent)]
    Backbone(#[from] BackbonesError),
    /// What the experts refuse.
    #[error(transparent)]
    Experts(#[from] ExpertsError),
    /// What a layer refuses.
    #[error(transparent)]
    Layer(#[from] LayersError),
    /// A block that cannot be split into experts.
    #[error("block {block} has another channel mixer than a plain feed-forward network")]
    Mixer { block: usize },
    /// A setting outside its range.
    #[error("{name} = {value}, but it must be {allowed}")]
    Range {
        name: &'static str,
        value: String,
        allowed: &'static str,
    },
    /// Tensors whose lengths do not fit together.
    #[error("{name} has shape {actual:?}, but {expected:?} is expected")]
    Shape {
        name: &'static str,
        actual: Vec<usize>,
        expected: Vec<usize>,
    },
    /// A character that no text had which the vocabulary was made of.
    #[error("the character {0:?} is not in the vocabulary")]
    Character(char),
    /// A text that is too long.
    #[error("{what} of {length} characters, but there is room for {room}")]
    Long {
        what: &'static str,
        length: usize,
        room: usize,
    },
    /// Nothing to learn from.
    #[error("no {0}")]
    Empty(&'static str),
}

/// Shorthand for results of this crate.
pub type Result<T, E = LanguageError> = std::result::Result<T, E>;
