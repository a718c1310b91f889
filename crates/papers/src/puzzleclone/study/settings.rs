//! What can be set in PuzzleClone's study.

use offprint_lab::study::{Invalid, Settings};
use serde::{Deserialize, Serialize};

/// Settings of PuzzleClone's study.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PuzzleSettings {
    /// Draws of each seed puzzle, before duplicates are taken away.
    pub puzzles: u64,
    /// Puzzles of each seed puzzle that the generator is measured on.
    pub measured: u64,
    /// Blocks of the language model.
    pub layers: usize,
    /// Width of the language model.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Steps of supervised fine-tuning before the steps of reinforcement learning.
    pub sft_steps: u64,
    /// Pairs of a supervised step.
    pub batch: usize,
    /// Step size of supervised fine-tuning.
    pub learning_rate: f64,
    /// Steps of reinforcement learning; supervised fine-tuning alone goes on as long.
    pub rl_steps: u64,
    /// Prompts of a step of reinforcement learning.
    pub prompts: usize,
    /// Answers sampled for a prompt.
    pub group: usize,
    /// Updates on one sample of answers.
    pub updates: usize,
    /// Step size of reinforcement learning.
    pub rl_rate: f64,
    /// Farthest that a ratio of probabilities counts from 1.
    pub clip: f64,
    /// Weight of the divergence from the model before reinforcement learning.
    pub kl: f64,
}

impl Settings for PuzzleSettings {
    fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key: &'static str, value: String, allowed: String| {
            let message = format!("{key} = {value}, but it must be {allowed}");
            Err(Invalid { key, message })
        };
        for (key, value, least, most) in [
            ("puzzles", self.puzzles, 50, 100_000),
            ("measured", self.measured, 1, 100_000),
            ("layers", self.layers as u64, 1, 64),
            ("width", self.width as u64, 2, 4096),
            ("heads", self.heads as u64, 1, 64),
            ("sft_steps", self.sft_steps, 1, 1_000_000),
            ("batch", self.batch as u64, 1, 100_000),
            ("rl_steps", self.rl_steps, 1, 1_000_000),
            ("prompts", self.prompts as u64, 1, 10_000),
            ("group", self.group as u64, 2, 1000),
            ("updates", self.updates as u64, 1, 100),
        ] {
            if value < least || value > most {
                return invalid(key, value.to_string(), format!("{least} to {most}"));
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            let allowed = format!("a multiple of heads, {}", self.heads);
            return invalid("width", self.width.to_string(), allowed);
        }
        for (key, value) in [
            ("learning_rate", self.learning_rate),
            ("rl_rate", self.rl_rate),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return invalid(key, value.to_string(), "above 0".into());
            }
        }
        if !(self.clip > 0.0 && self.clip < 1.0) {
            return invalid("clip", self.clip.to_string(), "above 0 and below 1".into());
        }
        if !(self.kl >= 0.0 && self.kl.is_finite()) {
            return invalid("kl", self.kl.to_string(), "0 or more".into());
        }
        Ok(())
    }
}
