//! What is searched: named settings, what each is drawn from, and which arms use it.

use super::{known_name, plain};
use crate::{
    error::{Error, Result},
    settings::SettingsMap,
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde_json::Value;

/// What a setting is drawn from.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// A number, uniform in `[low, high)`.
    Uniform { low: f64, high: f64 },
    /// A positive number whose logarithm is uniform in `[ln low, ln high)`.
    LogUniform { low: f64, high: f64 },
    /// A whole number, uniform in `low..=high`.
    IntUniform { low: i64, high: i64 },
    /// One of these, all equally likely.
    Choice(Vec<Value>),
}

/// One setting of a search space.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    key: &'static str,
    range: Range,
    arms: &'static [&'static str],
}

impl Dimension {
    /// A setting that every arm uses.
    pub fn new(key: &'static str, range: Range) -> Self {
        Self {
            key,
            range,
            arms: &[],
        }
    }

    /// Restricts it to the arms that use it.
    pub fn only(self, arms: &'static [&'static str]) -> Self {
        Self { arms, ..self }
    }

    fn applies(&self, arm: &str) -> bool {
        self.arms.is_empty() || self.arms.contains(&arm)
    }
}

/// A search space, declared by the study before the runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    dimensions: Vec<Dimension>,
}

impl Space {
    /// The space over these settings.
    pub fn new(dimensions: Vec<Dimension>) -> Self {
        Self { dimensions }
    }

    /// Settings of an arm's tuning trial.
    ///
    /// Each value depends on the study's slug, the trial's index and the setting's name alone: arms share the draws of
    /// the settings they share, and a new dimension leaves the others' draws as they are.
    ///
    /// An empty [`Choice`](Range::Choice), which [`check`](Self::check) refuses, draws nothing.
    pub fn draw(&self, slug: &str, arm: &str, index: u64) -> SettingsMap {
        let used = self
            .dimensions
            .iter()
            .filter(|dimension| dimension.applies(arm));
        used.filter_map(|Dimension { key, range, .. }| {
            Some((key.to_string(), range.draw(bits(slug, index, key))?))
        })
        .collect()
    }

    /// Checks the space against the arms and the default settings of its study.
    ///
    /// # Errors
    /// An unknown setting or arm, with the nearest known name; a setting that is there twice; an empty range, a
    /// logarithm of numbers that are not positive; values of another kind than the setting's.
    pub fn check(&self, arms: &[&str], settings: &SettingsMap) -> Result<()> {
        let known: Vec<&str> = settings.keys().map(String::as_str).collect();
        for (
            place,
            Dimension {
                key,
                range,
                arms: only,
            },
        ) in self.dimensions.iter().enumerate()
        {
            known_name("setting", key, &known)?;
            if self.dimensions[..place]
                .iter()
                .any(|earlier| earlier.key == *key)
            {
                return Err(Error::input(format!("search space: {key} is there twice")));
            }
            for arm in *only {
                known_name("arm", arm, arms)?;
            }
            range.check(key, &settings[*key])?;
        }
        Ok(())
    }
}

impl Range {
    /// The value at 64 random bits; `None` for an empty choice.
    fn draw(&self, bits: u64) -> Option<Value> {
        // 53 bits: all that a double in [0, 1) holds.
        let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        let below = |count: u128| (u128::from(bits) * count) >> 64;
        Some(match self {
            Range::Uniform { low, high } => Value::from(low + unit * (high - low)),
            Range::LogUniform { low, high } => {
                let drawn = (low.ln() + unit * (high.ln() - low.ln())).exp();
                Value::from(drawn.clamp(*low, *high))
            }
            Range::IntUniform { low, high } => {
                let count = (i128::from(*high) - i128::from(*low) + 1) as u128;
                Value::from((i128::from(*low) + below(count) as i128) as i64)
            }
            Range::Choice(values) => values.get(below(values.len() as u128) as usize)?.clone(),
        })
    }

    fn check(&self, key: &str, default: &Value) -> Result<()> {
        let refuse = |message: String| Err(Error::input(format!("search space: {key} {message}")));
        let ends = |low: f64, high: f64| format!("from {low} to {high}");
        match self {
            Range::Uniform { low, high } | Range::LogUniform { low, high }
                if !(low < high && (high - low).is_finite()) =>
            {
                refuse(format!(
                    "{}, but the first must be the smaller, both finite",
                    ends(*low, *high)
                ))
            }
            Range::LogUniform { low, high } if *low <= 0.0 => refuse(format!(
                "{}, but a logarithmic range needs numbers above 0",
                ends(*low, *high)
            )),
            Range::IntUniform { low, high } if low >= high => refuse(format!(
                "from {low} to {high}, but the first must be the smaller"
            )),
            Range::Choice(values) if values.is_empty() => {
                refuse("has no values to choose from".into())
            }
            Range::Choice(values) => match values.iter().find(|value| !fits(value, default)) {
                Some(value) => refuse(format!("= {value}, but the setting is {}", kind(default))),
                None => Ok(()),
            },
            Range::Uniform { .. } | Range::LogUniform { .. }
                if !fits(&Value::from(0.5), default) =>
            {
                refuse(format!("= a number, but the setting is {}", kind(default)))
            }
            Range::IntUniform { .. } if !fits(&Value::from(1), default) => refuse(format!(
                "= a whole number, but the setting is {}",
                kind(default)
            )),
            _ => Ok(()),
        }
    }
}

/// Kind of a plain value, as a person says it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a word",
        Value::Null => "not set",
        Value::Array(_) | Value::Object(_) => "not a plain value",
    }
}

/// Whether a drawn value may replace the default. A default that is not set takes any plain value.
fn fits(value: &Value, default: &Value) -> bool {
    plain(value) && (default.is_null() || kind(value) == kind(default))
}

/// 64 random bits that belong to one setting of one tuning trial.
fn bits(slug: &str, index: u64, key: &str) -> u64 {
    // FNV-1a, because it must stay the same over releases of Rust, which the standard hasher need not.
    let text = format!("{slug}\0{index}\0{key}");
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    ChaCha8Rng::seed_from_u64(hash).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings() -> SettingsMap {
        let defaults = json!({
            "learning_rate": 1e-3, "gamma": 1.0, "experts": 8, "schedule": "cosine", "noise": true, "limit": null,
        });
        defaults.as_object().unwrap().clone()
    }

    fn space() -> Space {
        let schedules = vec![json!("cosine"), json!("constant")];
        Space::new(vec![
            Dimension::new(
                "learning_rate",
                Range::LogUniform {
                    low: 1e-4,
                    high: 1e-2,
                },
            ),
            Dimension::new(
                "gamma",
                Range::Uniform {
                    low: 0.5,
                    high: 2.0,
                },
            )
            .only(&["comet", "comet+"]),
            Dimension::new("experts", Range::IntUniform { low: -1, high: 2 }),
            Dimension::new("schedule", Range::Choice(schedules)),
        ])
    }

    fn draws(key: &str) -> Vec<Value> {
        (0..4000)
            .map(|index| space().draw("comet", "comet", index)[key].clone())
            .collect()
    }

    #[test]
    fn arms_share_what_they_share() {
        let (comet, topk) = (
            space().draw("comet", "comet", 3),
            space().draw("comet", "topk", 3),
        );
        assert_eq!(
            comet.keys().collect::<Vec<_>>(),
            ["learning_rate", "gamma", "experts", "schedule"]
        );
        assert_eq!(
            topk.keys().collect::<Vec<_>>(),
            ["learning_rate", "experts", "schedule"]
        );
        assert!(topk.iter().all(|(key, value)| comet[key] == *value));
        assert_eq!(comet, space().draw("comet", "comet+", 3));
        assert_ne!(comet, space().draw("comet", "comet", 4));
        assert_ne!(comet["gamma"], space().draw("other", "comet", 3)["gamma"]);
    }

    /// Computed by FNV-1a, `seed_from_u64` of rand_core 0.9 and ChaCha8 written in Python. Another stream would change
    /// the settings of every tuned study without a word.
    #[test]
    fn the_stream_stays() {
        assert_eq!(
            bits("comet", 0, "learning_rate"),
            13_625_637_931_620_661_233
        );
        assert_eq!(bits("comet", 1, "gamma"), 14_376_243_284_621_822_575);
    }

    #[test]
    fn draws_fill_their_ranges() {
        let numbers = |key| {
            draws(key)
                .iter()
                .map(|value| value.as_f64().unwrap())
                .collect::<Vec<_>>()
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let gamma = numbers("gamma");
        assert!(gamma.iter().all(|gamma| (0.5..2.0).contains(gamma)));
        // Four standard errors of a uniform mean.
        assert!((mean(&gamma) - 1.25).abs() < 4.0 * 1.5 / (12.0 * 4000.0_f64).sqrt());
        let rates = numbers("learning_rate");
        assert!(rates.iter().all(|rate| (1e-4..=1e-2).contains(rate)));
        let logs: Vec<f64> = rates.iter().map(|rate| rate.log10()).collect();
        assert!((mean(&logs) + 3.0).abs() < 4.0 * 2.0 / (12.0 * 4000.0_f64).sqrt());
        for (key, count) in [("experts", 4), ("schedule", 2)] {
            let drawn = draws(key);
            let values = match key {
                "experts" => (-1..=2).map(Value::from).collect(),
                _ => vec![json!("cosine"), json!("constant")],
            };
            assert_eq!(values.len(), count);
            for value in values {
                let share = drawn.iter().filter(|drawn| **drawn == value).count() as f64 / 4000.0;
                assert!(
                    (share - 1.0 / count as f64).abs() < 0.035,
                    "{value}: {share}"
                );
            }
        }
        let widest = Range::IntUniform {
            low: i64::MIN,
            high: i64::MAX,
        };
        assert_eq!(widest.draw(u64::MAX), Some(Value::from(i64::MAX)));
        assert_eq!(Range::Choice(Vec::new()).draw(0), None);
    }

    fn refusal(key: &'static str, range: Range) -> String {
        let space = Space::new(vec![Dimension::new(key, range)]);
        space
            .check(&["comet", "topk"], &settings())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_space_that_cannot_be_searched() {
        let arms = ["comet", "comet+", "topk"];
        space().check(&arms, &settings()).unwrap();
        let number = |low, high| Range::Uniform { low, high };
        let error = Space::new(vec![Dimension::new("learning_rat", number(0.0, 1.0))])
            .check(&arms, &settings());
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "unknown setting \"learning_rat\"");
        assert!(
            error
                .help_text()
                .unwrap()
                .starts_with("did you mean learning_rate?")
        );
        let error = space().check(&["comet", "topk"], &settings()).unwrap_err();
        assert_eq!(error.to_string(), "unknown arm \"comet+\"");
        let twice = Dimension::new("gamma", number(0.0, 1.0));
        let error = Space::new(vec![twice.clone(), twice])
            .check(&arms, &settings())
            .unwrap_err();
        assert_eq!(error.to_string(), "search space: gamma is there twice");
        let order = "but the first must be the smaller";
        for (range, message) in [
            (
                number(1.0, 1.0),
                format!("from 1 to 1, {order}, both finite"),
            ),
            (
                number(0.0, f64::NAN),
                format!("from 0 to NaN, {order}, both finite"),
            ),
            (number(-f64::MAX, f64::MAX), format!("{order}, both finite")),
            (
                Range::LogUniform {
                    low: 0.0,
                    high: 1.0,
                },
                "from 0 to 1, but a logarithmic range needs numbers above 0".into(),
            ),
            (Range::Choice(vec![]), "has no values to choose from".into()),
            (
                Range::Choice(vec![json!("a")]),
                "= \"a\", but the setting is a number".into(),
            ),
            (
                Range::IntUniform { low: 1, high: 2 },
                "= a whole number, but the setting is a number".into(),
            ),
        ] {
            let refusal = refusal("gamma", range);
            assert!(
                refusal.starts_with("search space: gamma ") && refusal.ends_with(&message),
                "{refusal}"
            );
        }
        assert!(refusal("experts", Range::IntUniform { low: 4, high: 4 }).ends_with(order));
        assert!(
            refusal("experts", number(0.0, 1.0))
                .ends_with("= a number, but the setting is a whole number")
        );
        assert!(
            refusal("limit", Range::Choice(vec![json!([1])]))
                .ends_with("= [1], but the setting is not set")
        );
    }
}
