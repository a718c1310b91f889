//! What can be set in KAT's study.

use offprint_lab::study::{Invalid, Settings};
use serde::{Deserialize, Serialize};

/// Pictures that are classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataSet {
    /// 10,000 of MNIST's digits, 28 x 28.
    Mnist,
    /// UCI's letters: 16 measures as a picture of 4 x 4.
    Letters,
    /// CIFAR-10 from a folder, 3 x 32 x 32.
    Cifar10,
}

/// Settings of KAT's study.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KatSettings {
    /// `mnist`, `letters`, or `cifar10` with `--data-dir`.
    pub data: DataSet,
    /// Pictures used, training, validation and test together; the first ones, 0 for all.
    pub pictures: usize,
    /// Height and width of a patch.
    pub patch: usize,
    /// Blocks of a model.
    pub layers: usize,
    /// Width of a model, a multiple of 8 times the heads.
    pub width: usize,
    /// Heads of a model.
    pub heads: usize,
    /// Groups of the arms that have several.
    pub groups: usize,
    /// Pictures of a step.
    pub batch: usize,
    /// Steps of training, or of training before fine-tuning.
    pub steps: u64,
    /// Steps of fine-tuning.
    pub finetune_steps: u64,
    /// Largest step size.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Seconds of training after which losses are compared.
    pub seconds: f64,
}

impl Settings for KatSettings {
    fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key: &'static str, value: String, allowed: String| {
            Err(Invalid {
                key,
                message: format!("{key} = {value}, but it must be {allowed}"),
            })
        };
        for (key, value, most) in [
            ("patch", self.patch, 32),
            ("layers", self.layers, 100),
            ("width", self.width, 4096),
            ("heads", self.heads, 256),
            ("groups", self.groups, 4096),
            ("batch", self.batch, 10_000),
            ("steps", self.steps as usize, 10_000_000),
            ("finetune_steps", self.finetune_steps as usize, 10_000_000),
        ] {
            if value == 0 || value > most {
                return invalid(key, value.to_string(), format!("1 to {most}"));
            }
        }
        for (of, divisor) in [("heads", self.heads), ("groups", self.groups)] {
            if !self.width.is_multiple_of(divisor) {
                let allowed = format!("a multiple of {of} = {divisor}");
                return invalid("width", self.width.to_string(), allowed);
            }
        }
        let side = match self.data {
            DataSet::Mnist => 28,
            DataSet::Letters => 4,
            DataSet::Cifar10 => 32_usize,
        };
        if !side.is_multiple_of(self.patch) {
            let allowed = format!("a divisor of {side}, the side of a picture");
            return invalid("patch", self.patch.to_string(), allowed);
        }
        // Enough of each class for all three parts.
        if self.pictures != 0 && self.pictures < 500 {
            let allowed = "0 for all, or at least 500".into();
            return invalid("pictures", self.pictures.to_string(), allowed);
        }
        for (key, value, least) in [
            ("learning_rate", self.learning_rate, "above 0"),
            ("seconds", self.seconds, "above 0"),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return invalid(key, value.to_string(), least.into());
            }
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            let value = self.weight_decay.to_string();
            return invalid("weight_decay", value, "0 or more".into());
        }
        Ok(())
    }
}
