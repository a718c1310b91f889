//! What can be set in DeepONet's study.

use super::task::System;
use offprint_lab::study::{Invalid, Settings};
use serde::{Deserialize, Serialize};

/// Settings of DeepONet's study.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepONetSettings {
    /// Systems to learn, with commas: `antiderivative`, `nonlinear`, `pendulum`, `diffusion-reaction`.
    pub systems: String,
    /// Training functions.
    pub functions: usize,
    /// Validation functions; test functions are five times as many.
    pub held_out: usize,
    /// Points at which each function's answer is known (10 times as many for diffusion–reaction).
    pub points: usize,
    /// Sensors, equidistant.
    pub sensors: usize,
    /// Length scale of the random field that functions are drawn from.
    pub length_scale: f64,
    /// End of time of the dynamic systems.
    pub horizon: f64,
    /// Width of DeepONet: products, and units of each hidden layer.
    pub width: usize,
    /// Units of a hidden layer of the baselines; of the hidden state of seq2seq.
    pub hidden: usize,
    /// Hidden layers of fnn, blocks of resnet.
    pub depth: usize,
    /// Steps of Adam a system.
    pub steps: usize,
    /// Steps of Adam a network of the arms sensors and samples.
    pub sweep_steps: usize,
    /// Functions of a step.
    pub batch: usize,
    /// Step size of Adam.
    pub learning_rate: f64,
}

impl DeepONetSettings {
    /// The systems to learn.
    ///
    /// # Errors
    /// Names the word that is none.
    pub fn systems(&self) -> Result<Vec<System>, String> {
        let mut systems = Vec::new();
        for word in self.systems.split(',').map(str::trim) {
            let system = System::ALL.into_iter().find(|system| system.name() == word);
            let known = System::ALL.map(System::name);
            let near = offprint_lab::nearest::nearest_name(word, known);
            let hint = near.map_or(String::new(), |near| format!(" (did you mean {near}?)"));
            let system = system.ok_or_else(|| {
                format!(
                    "systems = \"{word}\"{hint}, but it must be of {}",
                    known.join(", ")
                )
            })?;
            if systems.contains(&system) {
                return Err(format!("systems = \"{word}\" twice, but once is allowed"));
            }
            systems.push(system);
        }
        Ok(systems)
    }
}

impl Settings for DeepONetSettings {
    fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key: &'static str, value: String, allowed: String| {
            Err(Invalid {
                key,
                message: format!("{key} = {value}, but it must be {allowed}"),
            })
        };
        self.systems().map_err(|message| Invalid {
            key: "systems",
            message,
        })?;
        for (key, value, least, most) in [
            ("functions", self.functions, 1, 100_000),
            ("held_out", self.held_out, 1, 10_000),
            ("points", self.points, 1, 1000),
            ("sensors", self.sensors, 2, 1000),
            ("width", self.width, 1, 1000),
            ("hidden", self.hidden, 1, 1000),
            ("depth", self.depth, 1, 100),
            ("steps", self.steps, 1, 1_000_000),
            ("sweep_steps", self.sweep_steps, 1, 1_000_000),
            ("batch", self.batch, 1, 100_000),
        ] {
            if !(least..=most).contains(&value) {
                return invalid(key, value.to_string(), format!("{least} to {most}"));
            }
        }
        for (key, value) in [
            ("length_scale", self.length_scale),
            ("horizon", self.horizon),
            ("learning_rate", self.learning_rate),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return invalid(key, value.to_string(), "above 0".into());
            }
        }
        if self.horizon > 100.0 {
            return invalid("horizon", self.horizon.to_string(), "at most 100".into());
        }
        Ok(())
    }
}
