//! What tuning is worth: the test score of the best of m random trials, chosen on validation data.

use super::{
    Interval, StatsError,
    resampling::{Reference, Resample},
};
use crate::{study::Better, tune::by_score};

/// Expected test score of the trial that is best on validation data among `of` trials drawn from these.
///
/// `trials` holds `(validation, test)` of each random trial. The mean over all subsets of size m, in closed form: with
/// the n trials ranked by validation, `Σ_r C(n−r, m−1)/C(n, m) · test_r`, the unbiased estimate of what m fresh trials
/// would give. The interval holds the middle `level` of its values over [`RESAMPLES`](super::RESAMPLES) bootstrap draws
/// of n trials. It describes these trials, as the paper's curves do; of fresh ones it promises too little spread unless
/// m is far below n, since no draw holds a trial better than the best seen. Claims are therefore tested otherwise, see
/// [`judge`](crate::claim::judge()).
///
/// A validation score that is not finite ranks last; trials of equal score rank in the order given.
///
/// # Errors
/// `of` is 0 or more than the number of trials, or there is only one; a trial that diverged may be the one chosen.
pub fn best_of(
    trials: &[(f64, f64)],
    of: usize,
    better: Better,
    level: f64,
) -> Result<Interval, StatsError> {
    let mut intervals = best_of_each(trials, of..=of, better, level)?;
    intervals.pop().flatten().ok_or(StatsError::Diverged { of })
}

/// [`best_of`] 1, 2, … n trials; an entry is `None` where a trial that diverged may be the one chosen.
///
/// # Errors
/// Fewer than two trials.
pub fn best_of_curve(
    trials: &[(f64, f64)],
    better: Better,
    level: f64,
) -> Result<Vec<Option<Interval>>, StatsError> {
    best_of_each(trials, 1..=trials.len().max(1), better, level)
}

fn best_of_each(
    trials: &[(f64, f64)],
    sizes: std::ops::RangeInclusive<usize>,
    better: Better,
    level: f64,
) -> Result<Vec<Option<Interval>>, StatsError> {
    let ranking = Ranking::of(trials, better);
    let weights = sizes
        .map(|of| ranking.weights(of))
        .collect::<Result<Vec<_>, _>>()?;
    let ranked = |draw: &mut Resample| ranking.ranked(&draw.positions(trials.len()));
    let estimate = ranked(&mut Resample::identity());
    let draws: Vec<Vec<f64>> = Resample::draws()
        .map(|mut draw| ranked(&mut draw))
        .collect();
    let interval = |weights: &Vec<f64>| {
        let mean = expected(weights, &estimate)?;
        let values: Vec<f64> = draws
            .iter()
            .filter_map(|draw| expected(weights, draw))
            .collect();
        let undefined = draws.len() - values.len();
        let (low, high) = Reference::new(values, undefined).ends((1.0 - level) / 2.0);
        Some(Interval {
            mean,
            low,
            high,
            level,
            count: trials.len(),
        })
    };
    Ok(weights.iter().map(interval).collect())
}

/// Mean test score of the best `share` of the trials on validation data (at least one), with Student's interval: the
/// paper protocol "mean of the best 5 %".
///
/// `None` without trials, or if `share` is not in (0, 1].
pub fn best_share(
    trials: &[(f64, f64)],
    share: f64,
    better: Better,
    level: f64,
) -> Option<Interval> {
    if !(share > 0.0 && share <= 1.0) {
        return None;
    }
    // A product such as 0.05 · 20 may round up past the whole number it stands for.
    let count = (share * trials.len() as f64 - 1e-9).ceil().max(1.0) as usize;
    let best = Ranking::of(trials, better).tests;
    Interval::of_mean(best.get(..count)?, level)
}

/// Trials in the order of their validation scores.
pub(crate) struct Ranking {
    /// Test scores, best validation first.
    tests: Vec<f64>,
    /// Rank of each trial.
    ranks: Vec<usize>,
}

impl Ranking {
    pub(crate) fn of(trials: &[(f64, f64)], better: Better) -> Self {
        let mut order: Vec<usize> = (0..trials.len()).collect();
        order.sort_by(|&a, &b| by_score(better, trials[a].0, trials[b].0));
        let mut ranks = vec![0; trials.len()];
        for (rank, &trial) in order.iter().enumerate() {
            ranks[trial] = rank;
        }
        Self {
            tests: order.iter().map(|&trial| trials[trial].1).collect(),
            ranks,
        }
    }

    /// Probability that each rank is the best one in a random subset of size `of`.
    pub(crate) fn weights(&self, of: usize) -> Result<Vec<f64>, StatsError> {
        let found = self.tests.len();
        let needed = of.max(2);
        match of {
            0 => return Err(StatsError::NoTrials),
            _ if found < needed => return Err(StatsError::TooFewTrials { of, found, needed }),
            _ => {}
        }
        let mut weights = vec![of as f64 / found as f64];
        for rank in 1..found {
            let worse = (found - rank) as f64;
            let share = (worse - (of - 1) as f64).max(0.0) / worse;
            weights.push(weights[rank - 1] * share);
        }
        Ok(weights)
    }

    /// Test scores of the trials at these positions, best validation first.
    pub(crate) fn ranked(&self, positions: &[usize]) -> Vec<f64> {
        let mut ranks: Vec<usize> = positions
            .iter()
            .map(|&position| self.ranks[position])
            .collect();
        ranks.sort_unstable();
        ranks.into_iter().map(|rank| self.tests[rank]).collect()
    }
}

/// `Σ weight · test`; `None` if a test score that counts is not finite.
pub(crate) fn expected(weights: &[f64], ranked: &[f64]) -> Option<f64> {
    let counted = weights
        .iter()
        .zip(ranked)
        .filter(|(weight, _)| **weight > 0.0);
    Some(counted.map(|(weight, test)| weight * test).sum::<f64>()).filter(|sum| sum.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIALS: [(f64, f64); 6] = [
        (0.5, 0.52),
        (0.42, 0.45),
        (0.47, 0.46),
        (0.61, 0.66),
        (0.44, 0.43),
        (0.42, 0.5),
    ];

    /// Python: the mean over `itertools.combinations(range(6), m)` of the test score at
    /// `min(subset, key=lambda i: (validation[i], i))`, and at `(-validation[i], i)`.
    #[test]
    fn mean_over_all_subsets() {
        let lower = [
            0.5033333333333333,
            0.4653333333333333,
            0.4625,
            0.462,
            0.4583333333333333,
            0.45,
        ];
        let higher = [
            0.5033333333333333,
            0.538,
            0.5765,
            0.6093333333333334,
            0.6366666666666667,
            0.66,
        ];
        for (better, reference) in [(Better::Lower, lower), (Better::Higher, higher)] {
            let curve = best_of_curve(&TRIALS, better, 0.9).unwrap();
            assert_eq!(curve.len(), 6);
            for (index, (interval, reference)) in curve.into_iter().zip(reference).enumerate() {
                let interval = interval.unwrap();
                assert!(
                    (interval.mean - reference).abs() < 1e-15,
                    "best of {}",
                    index + 1
                );
                assert!(interval.low <= interval.mean && interval.mean <= interval.high);
                assert_eq!(best_of(&TRIALS, index + 1, better, 0.9), Ok(interval));
            }
        }
    }

    /// numpy 2.4: `np.quantile(t[np.random.default_rng(0).integers(0, 40, (200_000, 40))].mean(1), [0.05, 0.95])` with
    /// `t = 0.3 + 0.2 * np.sin(np.arange(40.0))`
    #[test]
    fn best_of_one_is_the_bootstrap_of_the_mean() {
        let trials: Vec<(f64, f64)> = (0..40)
            .map(|i| (i as f64, 0.3 + 0.2 * (i as f64).sin()))
            .collect();
        let one = best_of(&trials, 1, Better::Lower, 0.9).unwrap();
        assert!(
            (one.low - 0.26911424).abs() < 3e-3 && (one.high - 0.34234855).abs() < 3e-3,
            "{one:?}"
        );
    }

    #[test]
    fn trials_that_diverged() {
        let mut trials = TRIALS;
        trials[3] = (f64::NAN, f64::NAN);
        // Alone it is chosen one time in six; of two it always loses.
        assert_eq!(
            best_of(&trials, 1, Better::Lower, 0.9),
            Err(StatsError::Diverged { of: 1 })
        );
        for better in [Better::Lower, Better::Higher] {
            assert!(best_of(&trials, 2, better, 0.9).unwrap().mean.is_finite());
        }
        let curve = best_of_curve(&trials, Better::Lower, 0.9).unwrap();
        assert!(curve[0].is_none() && curve[1..].iter().all(Option::is_some));
        // All but one diverged: a third of the draws have no value, and nothing is bounded.
        let lonely = [(0.1, 0.1), (f64::INFINITY, f64::NAN)];
        assert!(
            !best_of(&lonely, 2, Better::Lower, 0.9)
                .unwrap()
                .is_bounded()
        );
    }

    #[test]
    fn impossible_sizes() {
        assert_eq!(
            best_of(&TRIALS, 0, Better::Lower, 0.9),
            Err(StatsError::NoTrials)
        );
        let error = best_of(&TRIALS, 7, Better::Lower, 0.9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "tuning trials: 6, but the best of 7 needs at least 7"
        );
        let error = best_of(&TRIALS[..1], 1, Better::Lower, 0.9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "tuning trials: 1, but the best of 1 needs at least 2"
        );
        assert!(best_of_curve(&[], Better::Lower, 0.9).is_err());
    }

    #[test]
    fn best_twentieth() {
        let trials: Vec<(f64, f64)> = (0..40).map(|i| (f64::from(40 - i), f64::from(i))).collect();
        let best = best_share(&trials, 0.05, Better::Lower, 0.95).unwrap();
        assert_eq!((best.mean, best.count), (38.5, 2));
        let best = best_share(&trials[..8], 0.05, Better::Higher, 0.95).unwrap();
        assert_eq!((best.mean, best.count), (0.0, 1));
        assert_eq!(best_share(&trials, 0.0, Better::Lower, 0.95), None);
        assert_eq!(best_share(&[], 0.05, Better::Lower, 0.95), None);
    }

    proptest::proptest! {
        /// With test scores equal to validation scores, more trials never hurt, and the weights are a distribution.
        #[test]
        fn more_trials_never_hurt(scores in proptest::collection::vec(0.0..1.0_f64, 2..30)) {
            let trials: Vec<(f64, f64)> = scores.iter().map(|&score| (score, score)).collect();
            let ranking = Ranking::of(&trials, Better::Lower);
            let ranked = ranking.ranked(&(0..trials.len()).collect::<Vec<_>>());
            let mut last = f64::INFINITY;
            for of in 1..=trials.len() {
                let weights = ranking.weights(of).unwrap();
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                let mean = expected(&weights, &ranked).unwrap();
                assert!(mean <= last + 1e-12);
                last = mean;
            }
            assert!((last - ranked[0]).abs() < 1e-12);
        }
    }
}
