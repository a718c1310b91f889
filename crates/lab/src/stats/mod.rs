//! Statistics of a study: the seed is the unit.
//!
//! Two arms are compared by their differences on common seeds ([`Differences`], [`Comparison`]), the claims of
//! a study are corrected together ([`holm()`]), and tuning is judged by what the best of m random trials is worth
//! ([`best_of()`]). Everything is deterministic: what is drawn at random is drawn from a fixed seed.
//!
//! Two words recur. `level` is the confidence of a two-sided interval, 0.9 say. `alpha` is the error allowed on one
//! side; an interval with `alpha` on each side has level 1 − 2·alpha.

mod best_of;
mod comparison;
mod differences;
mod holm;
mod interval;
mod resampling;
mod student;

pub use best_of::{best_of, best_of_curve, best_share};
pub use comparison::{Comparison, EXACT_FROM, Method};
pub use differences::{Differences, Sample};
pub use holm::{Step, holm};
pub use interval::Interval;
pub use resampling::RESAMPLES;
pub use student::{MOST_SEEDS, seeds_to_decide, student_quantile, student_tail};

pub(crate) use best_of::{Ranking, expected};
pub(crate) use resampling::Resample;

/// Why there is no number.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// A trial diverged. Its value is not dropped: without it the mean would be of the trials that went well.
    #[error("{arm} at seed {seed} is {value}, not a finite number")]
    NotFinite {
        /// Name of the arm.
        arm: String,
        /// Seed of the trial.
        seed: u64,
        /// What it reported.
        value: f64,
    },
    /// A seed is there twice, so that it is not clear what to pair.
    #[error("{arm} has seed {seed} more than once")]
    DuplicateSeed {
        /// Name of the arm.
        arm: String,
        /// The repeated seed.
        seed: u64,
    },
    /// Without two seeds nothing is known of the spread.
    #[error("common seeds: {found}, but a test needs at least 2")]
    TooFewSeeds {
        /// Number of seeds that both arms have.
        found: usize,
    },
    /// The best of m cannot be estimated from fewer than m trials, nor its spread from fewer than 2m.
    #[error("tuning trials: {found}, but the best of {of} needs at least {needed}")]
    TooFewTrials {
        /// Number of trials drawn.
        of: usize,
        /// Number of trials there are.
        found: usize,
        /// Number of trials that would do.
        needed: usize,
    },
    /// The best of none.
    #[error("best of 0 trials: at least 1 is needed")]
    NoTrials,
    /// The expected value counts on a trial without a finite test score.
    #[error("the best of {of} may be a tuning trial that diverged")]
    Diverged {
        /// Number of trials drawn.
        of: usize,
    },
}
