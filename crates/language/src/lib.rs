//! Language: puzzles with proved answers, fine-tuning and policy gradients of language models, distillation of encoders into
//! experts.

pub mod distillation;
mod error;
pub mod expert_encoder;
pub mod policy;
pub mod puzzles;
pub mod tuning;
pub mod words;

pub use error::{LanguageError, Result};
