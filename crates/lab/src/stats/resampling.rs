//! Reference distributions made from the data: what the effect might as well have been.

use super::interval::ROUNDING;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

/// Number of bootstrap draws behind a [`best_of`](super::best_of()) interval or claim.
pub const RESAMPLES: usize = 3999;

/// Up to this many differences all subsets are enumerated; above, as many are drawn.
pub(super) const ENUMERATED_UP_TO: usize = 14;

/// Everything random starts here, so that the same record gives the same report.
const SEED: u64 = 0x0FF9_1217;

/// Values that cut the line of possible effects into equally likely pieces.
///
/// With N values, the true effect lies below the K-th smallest with probability K/(N+1): exactly for the subset means
/// of differences symmetric about it, approximately for bootstrap values.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// Ascending.
    values: Vec<f64>,
    /// Draws without a value; they count against every conclusion.
    undefined: usize,
}

impl Reference {
    pub(super) fn new(mut values: Vec<f64>, undefined: usize) -> Self {
        values.sort_by(f64::total_cmp);
        Self { values, undefined }
    }

    fn pieces(&self) -> f64 {
        (self.values.len() + self.undefined + 1) as f64
    }

    fn share(&self, against: usize) -> f64 {
        (against + self.undefined + 1) as f64 / self.pieces()
    }

    /// Differences below which a value and a threshold are the same number, computed in another order.
    fn rounding(&self, threshold: f64) -> f64 {
        let ends = [self.values.first(), self.values.last()];
        let largest = ends
            .into_iter()
            .flatten()
            .fold(threshold.abs(), |a, b| a.max(b.abs()));
        ROUNDING * largest
    }

    /// p-value of "effect > threshold": share of values at or below it.
    pub(super) fn p_above(&self, threshold: f64) -> f64 {
        let limit = threshold + self.rounding(threshold);
        self.share(self.values.partition_point(|&value| value <= limit))
    }

    /// p-value of "effect ≥ threshold": share of values below it.
    pub(super) fn p_at_least(&self, threshold: f64) -> f64 {
        let limit = threshold - self.rounding(threshold);
        self.share(self.values.partition_point(|&value| value < limit))
    }

    /// p-value of "effect < threshold": share of values at or above it.
    pub(super) fn p_below(&self, threshold: f64) -> f64 {
        let limit = threshold - self.rounding(threshold);
        let less = self.values.partition_point(|&value| value < limit);
        self.share(self.values.len() - less)
    }

    /// p-value of "effect ≤ threshold": share of values above it.
    pub(super) fn p_at_most(&self, threshold: f64) -> f64 {
        let limit = threshold + self.rounding(threshold);
        let less = self.values.partition_point(|&value| value <= limit);
        self.share(self.values.len() - less)
    }

    /// The thresholds that are rejected at `alpha` on neither side; infinite where no piece is as small as `alpha`.
    pub(super) fn ends(&self, alpha: f64) -> (f64, f64) {
        let pieces = self.pieces();
        let mut cut = (alpha * pieces).floor();
        // The product may round down what the quotient of a p-value does not.
        if (cut + 1.0) / pieces <= alpha {
            cut += 1.0;
        }
        let cut = (cut as usize)
            .saturating_sub(self.undefined)
            .min(self.values.len());
        match cut {
            0 => (f64::NEG_INFINITY, f64::INFINITY),
            _ => (self.values[cut - 1], self.values[self.values.len() - cut]),
        }
    }
}

/// Hartigan's typical values: means of the non-empty subsets.
///
/// All 2ⁿ − 1 of them, or, above [`ENUMERATED_UP_TO`] values, 2¹⁴ − 1 drawn at random.
///
/// J. A. Hartigan, "Using subsample values as typical values", J. Am. Stat. Assoc. 64 (1969).
pub(super) fn subset_means(values: &[f64]) -> Reference {
    let n = values.len();
    if n > ENUMERATED_UP_TO {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let draws = (1_usize << ENUMERATED_UP_TO) - 1;
        let means = (0..draws).map(|_| random_subset_mean(values, &mut rng));
        return Reference::new(means.collect(), 0);
    }
    // A subset is a bit mask; without its lowest bit it is a subset already summed.
    let mut sums = vec![0.0; 1 << n];
    for mask in 1..sums.len() {
        sums[mask] = sums[mask & (mask - 1)] + values[mask.trailing_zeros() as usize];
    }
    let means = (1..sums.len()).map(|mask| sums[mask] / f64::from(mask.count_ones()));
    Reference::new(means.collect(), 0)
}

fn random_subset_mean(values: &[f64], rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let (mut sum, mut count) = (0.0, 0_u32);
        for block in values.chunks(64) {
            let coins = rng.next_u64();
            for (bit, value) in block.iter().enumerate() {
                if coins >> bit & 1 == 1 {
                    sum += value;
                    count += 1;
                }
            }
        }
        if count > 0 {
            return sum / f64::from(count);
        }
    }
}

/// Which items a statistic is computed on: all of them once, or as many drawn with replacement.
pub(crate) struct Resample(Option<ChaCha8Rng>);

impl Resample {
    /// The data as it is.
    pub(super) fn identity() -> Self {
        Self(None)
    }

    /// Positions of `count` items.
    pub(crate) fn positions(&mut self, count: usize) -> Vec<usize> {
        match &mut self.0 {
            None => (0..count).collect(),
            Some(rng) => (0..count).map(|_| below(count, rng)).collect(),
        }
    }

    /// The [`RESAMPLES`] draws of a bootstrap, each with a stream of its own.
    pub(super) fn draws() -> impl Iterator<Item = Self> {
        (0..RESAMPLES as u64).map(|draw| {
            let mut rng = ChaCha8Rng::seed_from_u64(SEED);
            rng.set_stream(draw);
            Self(Some(rng))
        })
    }
}

/// Uniform in `0..count`; the bias of the product is below count/2⁶⁴.
fn below(count: usize, rng: &mut ChaCha8Rng) -> usize {
    ((u128::from(rng.next_u64()) * count as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_of_three() {
        let Reference { values, .. } = subset_means(&[1.0, 2.0, 6.0]);
        assert_eq!(values, [1.0, 1.5, 2.0, 3.0, 3.5, 4.0, 6.0]);
    }

    #[test]
    fn undefined_draws_count_against_every_conclusion() {
        let reference = Reference::new((1..=17).map(f64::from).collect(), 2);
        assert_eq!(reference.p_above(0.0), 3.0 / 20.0);
        assert_eq!(reference.p_below(18.0), 3.0 / 20.0);
        assert_eq!(reference.ends(0.15), (1.0, 17.0));
        assert_eq!(reference.ends(0.14), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn draws_are_repeatable_and_differ() {
        let draw = || Resample::draws().take(3).map(|mut draw| draw.positions(40));
        let first: Vec<_> = draw().collect();
        assert_eq!(first, draw().collect::<Vec<_>>());
        assert!(first[0] != first[1] && first[1] != first[2]);
        assert!(first.iter().flatten().all(|&position| position < 40));
    }
}
