//! Everything that can be set.

use offprint_lab::study::{Invalid, Settings};
use serde::{Deserialize, Serialize};

/// What the texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataSet {
    /// Verses of the King James Bible inside the library, by part of the Bible.
    Bible,
    /// Sentences of film reviews, by polarity, from `--data-dir`.
    RtPolarity,
    /// News, by topic, from `--data-dir`.
    AgNews,
}

/// The settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageSettings {
    /// Which texts.
    pub data: DataSet,
    /// Most texts for training.
    pub texts: usize,
    /// Most texts for validation; twice as many for test.
    pub held_out: usize,
    /// Tokens of the vocabulary.
    pub words: usize,
    /// Words of a text that are read.
    pub length: usize,
    /// Blocks of the encoder.
    pub layers: usize,
    /// Width of the encoder.
    pub width: usize,
    /// Heads of its attention.
    pub heads: usize,
    /// Neurons of each feed-forward network of the teacher.
    pub hidden: usize,
    /// Texts of a step.
    pub batch: usize,
    /// Steps that train the teacher.
    pub teacher_steps: u64,
    /// Largest step size of the teacher.
    pub teacher_rate: f64,
    /// Training texts that the importance of neurons is summed over.
    pub samples: usize,
    /// Experts of each feed-forward network.
    pub experts: usize,
    /// Most important neurons, which every expert gets.
    pub share: usize,
    /// Neurons of an expert, and of the dense student.
    pub expert_width: usize,
    /// Steps that distil the student.
    pub steps: u64,
    /// Largest step size of the student.
    pub learning_rate: f64,
    /// Weight of the distillation loss beside that of the task.
    pub distill: f64,
    /// Trees of a COMET gate.
    pub k: usize,
    /// Width of COMET's smooth-step.
    pub gamma: f64,
    /// Coefficient of COMET's entropy penalty.
    pub entropy_reg: f64,
    /// Share of the student's steps in which local search learns its permutation.
    pub search_share: f64,
}

impl Settings for LanguageSettings {
    fn validate(&self) -> Result<(), Invalid> {
        for (key, value, least, most) in [
            ("texts", self.texts, 1, 1_000_000),
            ("held_out", self.held_out, 1, 100_000),
            ("words", self.words, 3, 100_000),
            ("length", self.length, 1, 512),
            ("layers", self.layers, 1, 24),
            ("width", self.width, 1, 1024),
            ("heads", self.heads, 1, self.width),
            ("hidden", self.hidden, 2, 8192),
            ("batch", self.batch, 1, 4096),
            ("teacher_steps", self.teacher_steps as usize, 1, 1_000_000),
            ("samples", self.samples, 1, 100_000),
            ("experts", self.experts, 2, self.hidden.min(256)),
            ("expert_width", self.expert_width, 1, self.hidden),
            ("share", self.share, 0, self.expert_width),
            ("steps", self.steps as usize, 1, 1_000_000),
            ("k", self.k, 1, self.experts),
        ] {
            if !(least..=most).contains(&value) {
                return invalid(key, value, &format!("{least} to {most}"));
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            let allowed = format!("a divisor of width = {}", self.width);
            return invalid("heads", self.heads, &allowed);
        }
        for (key, value) in [
            ("teacher_rate", self.teacher_rate),
            ("learning_rate", self.learning_rate),
            ("gamma", self.gamma),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return invalid(key, value, "above 0");
            }
        }
        for (key, value) in [("distill", self.distill), ("entropy_reg", self.entropy_reg)] {
            if !(value >= 0.0 && value.is_finite()) {
                return invalid(key, value, "0 or more");
            }
        }
        if !(0.0..=1.0).contains(&self.search_share) {
            return invalid("search_share", self.search_share, "0 to 1");
        }
        Ok(())
    }
}

fn invalid(key: &'static str, value: impl ToString, allowed: &str) -> Result<(), Invalid> {
    Err(Invalid {
        key,
        message: format!("{key} = {}, but it must be {allowed}", value.to_string()),
    })
}
