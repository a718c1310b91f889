//! Two arms seed by seed.

use super::StatsError;
use std::collections::BTreeMap;

/// Final values of one arm, by seed.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Name of the arm, for messages.
    pub arm: &'a str,
    /// Seed and value of each finished trial, in any order.
    pub values: &'a [(u64, f64)],
}

impl Sample<'_> {
    /// The values in the order of their seeds.
    ///
    /// # Errors
    /// A value that is not finite; a seed that is there twice.
    pub(crate) fn by_seed(&self) -> Result<BTreeMap<u64, f64>, StatsError> {
        let mut map = BTreeMap::new();
        for &(seed, value) in self.values {
            let arm = || self.arm.to_string();
            if !value.is_finite() {
                return Err(StatsError::NotFinite {
                    arm: arm(),
                    seed,
                    value,
                });
            }
            if map.insert(seed, value).is_some() {
                return Err(StatsError::DuplicateSeed { arm: arm(), seed });
            }
        }
        Ok(map)
    }
}

/// Differences of two arms on the seeds they share: all finite, in the order of the seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Differences {
    values: Vec<f64>,
    left_out: usize,
}

impl Differences {
    /// `left − right`, seed by seed.
    ///
    /// # Errors
    /// A value that is not finite in either arm, on a common seed or not; a seed that is there twice.
    pub fn between(left: Sample, right: Sample) -> Result<Self, StatsError> {
        let (a, b) = (left.by_seed()?, right.by_seed()?);
        let common = a
            .iter()
            .filter_map(|(seed, a)| Some((seed, a - b.get(seed)?)));
        let values = common
            .map(|(&seed, difference)| {
                let arm = || format!("{} − {}", left.arm, right.arm);
                finite(arm, seed, difference)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            left_out: a.len() + b.len() - 2 * values.len(),
            values,
        })
    }

    /// `sample − number`, seed by seed.
    ///
    /// # Errors
    /// A value that is not finite; a seed that is there twice.
    pub fn from_number(sample: Sample, number: f64) -> Result<Self, StatsError> {
        let values = sample
            .by_seed()?
            .into_iter()
            .map(|(seed, value)| {
                finite(
                    || format!("{} − {number}", sample.arm),
                    seed,
                    value - number,
                )
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            values,
            left_out: 0,
        })
    }

    /// The differences the other way round.
    pub fn negated(mut self) -> Self {
        self.values.iter_mut().for_each(|value| *value = -*value);
        self
    }

    /// The differences, in the order of their seeds.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Number of trials whose seed the other arm lacks.
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

fn finite(arm: impl Fn() -> String, seed: u64, value: f64) -> Result<f64, StatsError> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(StatsError::NotFinite {
            arm: arm(),
            seed,
            value,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(a: &[(u64, f64)], b: &[(u64, f64)]) -> Result<Differences, StatsError> {
        Differences::between(
            Sample {
                arm: "a",
                values: a,
            },
            Sample {
                arm: "b",
                values: b,
            },
        )
    }

    #[test]
    fn what_cannot_be_compared() {
        let fine = [(0, 0.4), (1, 0.5), (2, 0.3), (3, 0.4), (4, 0.2)];
        let error = between(&fine, &[(0, 0.4), (7, f64::NAN)]).unwrap_err();
        assert_eq!(error.to_string(), "b at seed 7 is NaN, not a finite number");
        let error = between(&[(1, f64::INFINITY)], &fine).unwrap_err();
        assert_eq!(error.to_string(), "a at seed 1 is inf, not a finite number");
        let error = between(&[(3, f64::MAX)], &[(3, -f64::MAX)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a − b at seed 3 is inf, not a finite number"
        );
        let error = between(&[(3, 0.1), (3, 0.1)], &fine).unwrap_err();
        assert_eq!(error.to_string(), "a has seed 3 more than once");
        let one = between(&fine, &[(2, 0.1), (9, 0.1)]).unwrap();
        assert_eq!((one.values().len(), one.left_out()), (1, 5));
    }

    #[test]
    fn pairs_by_seed_not_by_place() {
        let differences = between(
            &[(2, 5.0), (1, 3.0), (4, 1.0)],
            &[(1, 1.0), (2, 2.0), (5, 0.0)],
        )
        .unwrap();
        assert_eq!(differences.values(), [2.0, 3.0]);
        assert_eq!(differences.left_out(), 2);
        assert_eq!(differences.negated().values(), [-2.0, -3.0]);
    }
}
