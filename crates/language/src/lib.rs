//! Language: puzzles with proved answers, fine-tuning and policy gradients of language models.

mod error;
pub mod policy;
pub mod puzzles;
pub mod tuning;

pub use error::{LanguageError, Result};
