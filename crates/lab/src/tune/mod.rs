//! Tuning: random search over a declared space, the same number of trials for every arm, chosen on validation data.

mod space;
mod tuned;

pub use space::{Dimension, Range, Space};
pub use tuned::Tuned;

use crate::{
    error::{Error, Result},
    settings::SettingsMap,
    study::Better,
};
use serde::Serialize;
use serde_json::Value;
use std::cmp::Ordering;

/// A finished tuning trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TuningTrial {
    /// Number of the draw; trials of one index share their draws over the arms.
    pub index: u64,
    /// Seed it ran with.
    pub seed: u64,
    /// What was drawn.
    pub settings: SettingsMap,
    /// Score on validation data, by which it is chosen.
    pub validation: f64,
    /// Score on test data, which no choice looks at.
    pub test: f64,
}

/// Position of the trial with the best validation score; of equal ones that of the lowest index. `None` if no score is
/// finite.
pub fn choose(trials: &[TuningTrial], better: Better) -> Option<usize> {
    let finite = (0..trials.len()).filter(|&place| trials[place].validation.is_finite());
    finite.min_by(|&a, &b| {
        let (a, b) = (&trials[a], &trials[b]);
        by_score(better, a.validation, b.validation).then(a.index.cmp(&b.index))
    })
}

/// Order of two validation scores, the better first: scores that are not finite last, and all equal if neither way is
/// better.
pub(crate) fn by_score(better: Better, a: f64, b: f64) -> Ordering {
    match (a.is_finite(), b.is_finite()) {
        (true, true) => match better {
            Better::Lower => a.total_cmp(&b),
            Better::Higher => b.total_cmp(&a),
            Better::Neither => Ordering::Equal,
        },
        (a, b) => b.cmp(&a),
    }
}

fn plain(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Array(_) | Value::Object(_))
}

fn known_name(what: &str, name: &str, known: &[&str]) -> Result<()> {
    if known.contains(&name) {
        return Ok(());
    }
    let list = format!("all {what}s: {}", known.join(", "));
    Err(Error::unknown(what, name, known.iter().copied(), &list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_on_validation_data_alone() {
        let chosen = |scores: &[f64], better| {
            let mut trials: Vec<_> = (0..)
                .zip(scores)
                .map(|(index, &validation)| TuningTrial {
                    index,
                    seed: 0,
                    settings: SettingsMap::new(),
                    validation,
                    test: -(index as f64),
                })
                .collect();
            trials.reverse();
            choose(&trials, better).map(|place| trials[place].index)
        };
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        let scores = [0.5, nan, 0.3, -inf, 0.3, 0.9, inf, 0.9];
        assert_eq!(chosen(&scores, Better::Lower), Some(2));
        assert_eq!(chosen(&scores, Better::Higher), Some(5));
        assert_eq!(chosen(&scores[1..], Better::Neither), Some(1));
        assert_eq!(chosen(&[nan, inf], Better::Lower), None);
        assert_eq!(chosen(&[], Better::Lower), None);
    }
}
