//! What can be set in the study of fast certified training.

use offprint_certify::graph::NetworkConfig;
use offprint_lab::study::{Invalid, Settings};
use serde::{Deserialize, Serialize};

/// Pictures that are classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataSet {
    /// Digits: the sample inside, or the MNIST (or a relative of it) in the folder of `--data-dir`.
    Mnist,
    /// CIFAR-10 in the folder of `--data-dir`.
    Cifar10,
}

/// The network of every arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// Two convolutions and two linear layers.
    Cnn,
    /// The paper's five convolutions and two linear layers.
    Cnn7,
    /// Two residual blocks.
    Residual,
}

/// Settings of the study.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FastIbpSettings {
    /// `mnist` or `cifar10`.
    pub data: DataSet,
    /// `cnn`, `cnn7` or `residual`.
    pub network: NetworkKind,
    /// Filters of the first convolution.
    pub width: usize,
    /// Units of the hidden linear layer; a residual network has none.
    pub hidden: usize,
    /// Training pictures.
    pub samples: usize,
    /// Validation pictures, and as many test pictures.
    pub held_out: usize,
    /// Radius that is trained and tested at, in units of a pixel's range.
    pub eps: f64,
    /// Steps of a short schedule.
    pub steps: u64,
    /// How many times longer a long schedule is.
    pub longer: u64,
    /// Pictures of a step.
    pub batch: usize,
    /// Share of the steps with radius 0.
    pub clean: f64,
    /// Share of the steps in which the radius grows, after those.
    pub warmup: f64,
    /// Shares of the steps after which the learning rate is a fifth of what it was.
    pub decay: [f64; 2],
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Weight of the regularizers.
    pub lambda: f64,
    /// Tolerance of the regularizers.
    pub tolerance: f64,
    /// Steps of the attack in adversarial training.
    pub attack_steps: usize,
    /// Steps of the attack that tests.
    pub test_steps: usize,
}

impl FastIbpSettings {
    /// The network for pictures of this shape.
    pub fn config(&self, input: [usize; 3], classes: usize, norm: bool) -> NetworkConfig {
        let (width, hidden) = (self.width, self.hidden);
        match self.network {
            NetworkKind::Cnn => NetworkConfig::cnn(input, width, hidden, classes, norm),
            NetworkKind::Cnn7 => NetworkConfig::cnn7(input, width, hidden, classes, norm),
            NetworkKind::Residual => NetworkConfig::residual(input, width, classes, norm),
        }
    }
}

impl Settings for FastIbpSettings {
    fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key: &'static str, value: String, allowed: String| {
            Err(Invalid {
                key,
                message: format!("{key} = {value}, but it must be {allowed}"),
            })
        };
        for (key, value, least, most) in [
            ("width", self.width as u64, 1, 512),
            ("hidden", self.hidden as u64, 1, 8192),
            ("samples", self.samples as u64, 10, 60_000),
            ("held_out", self.held_out as u64, 10, 10_000),
            ("steps", self.steps, 2, 10_000_000),
            ("longer", self.longer, 1, 100),
            ("batch", self.batch as u64, 2, 10_000),
            ("attack_steps", self.attack_steps as u64, 1, 1000),
            ("test_steps", self.test_steps as u64, 1, 1000),
        ] {
            if !(least..=most).contains(&value) {
                return invalid(key, value.to_string(), format!("{least} to {most}"));
            }
        }
        for (key, value) in [("eps", self.eps), ("tolerance", self.tolerance)] {
            if !(value > 0.0 && value <= 1.0) {
                return invalid(key, value.to_string(), "above 0, and at most 1".into());
            }
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            let value = self.learning_rate.to_string();
            return invalid("learning_rate", value, "a finite number above 0".into());
        }
        if !(self.lambda >= 0.0 && self.lambda.is_finite()) {
            let value = self.lambda.to_string();
            return invalid("lambda", value, "a finite number of at least 0".into());
        }
        for (key, value) in [("clean", self.clean), ("warmup", self.warmup)] {
            if !(0.0..=1.0).contains(&value) {
                return invalid(key, value.to_string(), "0 to 1".into());
            }
        }
        if self.clean + self.warmup > 1.0 {
            let most = format!("at most 1 − clean = {}", 1.0 - self.clean);
            return invalid("warmup", self.warmup.to_string(), most);
        }
        match self.decay {
            [first, second] if 0.0 <= first && first <= second && second <= 1.0 => Ok(()),
            decay => {
                let allowed = "two shares, 0 to 1, the smaller first";
                invalid("decay", format!("{decay:?}"), allowed.into())
            }
        }
    }
}
