//! What can be set in GLA's study.

use offprint_lab::study::{Invalid, Settings};
use serde::{Deserialize, Serialize};

/// Text that is modeled, byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextKind {
    /// Both, half of the windows each.
    Both,
    /// Shakespeare's works.
    Shakespeare,
    /// The King James Bible.
    KingJames,
}

/// Settings of GLA's study.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlaSettings {
    /// `both`, `shakespeare` or `king-james`.
    pub text: TextKind,
    /// Blocks of a model.
    pub layers: usize,
    /// Width of a model.
    pub width: usize,
    /// Heads of a model.
    pub heads: usize,
    /// Bytes of a training window.
    pub context: usize,
    /// Windows of a step.
    pub batch: usize,
    /// Steps on text.
    pub steps: u64,
    /// Largest step size, on text.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Test windows, each 8 times as long as a training window.
    pub windows: usize,
    /// Pairs of a recall sequence.
    pub pairs: usize,
    /// Keys, and values, that there are.
    pub symbols: usize,
    /// Tokens of a recall sequence.
    pub recall_length: usize,
    /// Sequences of a step of recall.
    pub recall_batch: usize,
    /// Steps of recall.
    pub recall_steps: u64,
    /// Largest step size of recall.
    pub recall_rate: f64,
    /// Times the key width that the arm `gla-wide` has.
    pub widening: usize,
    /// Width of the token mixers that are timed; they have 4 heads.
    pub timed_width: usize,
    /// Longest sequence that is timed for every seed, a power of two of at least 4096.
    pub timed_length: usize,
    /// Longest sequence that is timed for the first seed.
    pub longest: usize,
}

impl Settings for GlaSettings {
    fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key: &'static str, value: String, allowed: String| {
            Err(Invalid {
                key,
                message: format!("{key} = {value}, but {allowed}"),
            })
        };
        for (key, value, most) in [
            ("layers", self.layers, 100),
            ("width", self.width, 4096),
            ("heads", self.heads, 256),
            ("context", self.context, 4096),
            ("batch", self.batch, 10_000),
            ("steps", self.steps as usize, 10_000_000),
            ("windows", self.windows, 10_000),
            ("pairs", self.pairs, 4096),
            ("symbols", self.symbols, 100_000),
            ("recall_length", self.recall_length, 65_536),
            ("recall_batch", self.recall_batch, 10_000),
            ("recall_steps", self.recall_steps as usize, 10_000_000),
            ("widening", self.widening, 64),
            ("timed_width", self.timed_width, 4096),
        ] {
            if value == 0 || value > most {
                return invalid(key, value.to_string(), format!("it must be 1 to {most}"));
            }
        }
        // Retention turns pairs of a head's keys, and keys of GLA have half the width.
        if !self.width.is_multiple_of(2 * self.heads) {
            let allowed = format!("it must be a multiple of 2 · heads = {}", 2 * self.heads);
            return invalid("width", self.width.to_string(), allowed);
        }
        if !self.timed_width.is_multiple_of(8) {
            let allowed = "it must be a multiple of 8".into();
            return invalid("timed_width", self.timed_width.to_string(), allowed);
        }
        let task = super::recall::task(self);
        if let Err(error) = task.validate() {
            let key = match task.pairs > task.symbols {
                true => "pairs",
                false => "recall_length",
            };
            return Err(Invalid {
                key,
                message: error.to_string(),
            });
        }
        for (key, value) in [
            ("learning_rate", self.learning_rate),
            ("recall_rate", self.recall_rate),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return invalid(key, value.to_string(), "it must be above 0".into());
            }
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            let allowed = "it must be 0 or more".into();
            return invalid("weight_decay", self.weight_decay.to_string(), allowed);
        }
        for (key, value, least) in [
            ("timed_length", self.timed_length, super::lengths::CLAIMED),
            ("longest", self.longest, self.timed_length),
        ] {
            if !value.is_power_of_two() || value < least || value > 1 << 17 {
                let allowed = format!("it must be a power of two, {least} to 131072");
                return invalid(key, value.to_string(), allowed);
            }
        }
        Ok(())
    }
}
