//! How a backbone is trained.

use super::typed::invalid;
use offprint_lab::{Error, Result};
use serde::{Deserialize, Serialize};

/// Section `[training]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Steps; `epochs` is the other way to say how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Passes over the training rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Rows of a step.
    pub batch: usize,
    /// Rule that turns gradients into steps.
    pub optimizer: OptimizerKind,
    /// Largest step size.
    pub learning_rate: f64,
    /// How the step size goes down.
    pub schedule: Schedule,
    /// Steps in which the step size rises from 0 in a line.
    pub warmup: u64,
    /// Decoupled with AdamW, part of the gradient with SGD.
    pub weight_decay: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Largest Euclidean norm of all gradients together; 0 for no clipping.
    pub clip_norm: f64,
    /// Share of a class's target that is spread over all classes.
    pub label_smoothing: f64,
    /// Times that the validation rows are scored, evenly over the training.
    pub evaluations: u64,
    /// Number of seeds; no setting of a trial.
    #[serde(skip_serializing)]
    pub seeds: u64,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            steps: None,
            epochs: None,
            batch: 64,
            optimizer: OptimizerKind::Adamw,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            warmup: 0,
            weight_decay: 0.01,
            momentum: 0.9,
            clip_norm: 0.0,
            label_smoothing: 0.0,
            evaluations: 10,
            seeds: 1,
        }
    }
}

/// Rule that turns gradients into steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// See [`AdamW`](offprint_kernels::AdamW).
    Adamw,
    /// See [`Sgd`](offprint_kernels::Sgd).
    Sgd,
}

/// How the step size goes down after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It does not.
    Constant,
    /// `½ (1 + cos π s)` of the largest, `s` being the share done of the steps after the warm-up.
    Cosine,
}

impl TrainingConfig {
    /// Checks ranges.
    ///
    /// # Errors
    /// Names the value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        match (self.steps, self.epochs) {
            (None, None) => {
                return Err(Error::input(
                    "[training] names neither steps nor epochs, but it needs one of them",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(Error::input(
                    "[training] names steps and epochs, but one of them is allowed",
                ));
            }
            _ => {}
        }
        for (key, value, least, most) in [
            ("steps", self.steps.unwrap_or(1), 1, 1_000_000_000),
            ("epochs", self.epochs.unwrap_or(1), 1, 1_000_000),
            ("batch", self.batch as u64, 1, 1_000_000),
            ("evaluations", self.evaluations, 1, 1_000_000),
            ("seeds", self.seeds, 1, 1000),
            ("warmup", self.warmup, 0, 1_000_000_000),
        ] {
            if value < least || value > most {
                let allowed = format!("it must be {least} to {most}");
                return Err(invalid(&format!("training.{key}"), value, &allowed));
            }
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            let allowed = "it must be above 0";
            return Err(invalid(
                "training.learning_rate",
                self.learning_rate,
                allowed,
            ));
        }
        for (key, value) in [
            ("weight_decay", self.weight_decay),
            ("clip_norm", self.clip_norm),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(invalid(
                    &format!("training.{key}"),
                    value,
                    "it must be 0 or more",
                ));
            }
        }
        for (key, value) in [
            ("momentum", self.momentum),
            ("label_smoothing", self.label_smoothing),
        ] {
            if !(0.0..1.0).contains(&value) {
                let allowed = "it must be 0 or more and below 1";
                return Err(invalid(&format!("training.{key}"), value, allowed));
            }
        }
        Ok(())
    }

    /// The step size of a step, the first being 1, of `total`.
    pub fn rate(&self, step: u64, total: u64) -> f64 {
        if step <= self.warmup {
            return self.learning_rate * step as f64 / (self.warmup + 1) as f64;
        }
        match self.schedule {
            Schedule::Constant => self.learning_rate,
            Schedule::Cosine => {
                let after = total.saturating_sub(self.warmup).max(1) as f64;
                let done = (step - self.warmup - 1) as f64 / after;
                self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        }
    }
}
