//! The radius by the step of training.

use crate::error::{Result, check, check_not_negative};
use serde::{Deserialize, Serialize};

/// A radius that grows smoothly, then in a line.
///
/// With `s_0 = start_step`, `s_1 = end_step`, `s_m = s_0 + ⌊mid (s_1 − s_0)⌋`, `t = (s_m − s_0)^(β−1)` and
/// `α = ε_max / ((s_1 − s_m) β t + (s_m − s_0) t)`: 0 up to `s_0`, `α (s − s_0)^β` up to `s_m`, then a line with that slope
/// up to `ε_max` at `s_1`, where it stays.
///
/// Source: auto_LiRPA's `SmoothedScheduler`, which the authors' code uses.
///
/// ```
/// use offprint_certify::training::EpsilonSchedule;
/// let schedule = EpsilonSchedule::new(10, 110, 0.3);
/// assert_eq!(schedule.at(10), 0.0);
/// assert!(schedule.at(35) < schedule.at(36));
/// assert_eq!(schedule.at(110), 0.3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpsilonSchedule {
    /// Last step with radius 0.
    pub start_step: u64,
    /// First step with the whole radius.
    pub end_step: u64,
    /// The whole radius.
    pub max_eps: f64,
    /// Power of the smooth part, at least 1.
    pub beta: f64,
    /// Share of the smooth part, 0 to 1.
    pub mid: f64,
}

impl EpsilonSchedule {
    /// With `β = 4` and a smooth first quarter.
    pub fn new(start_step: u64, end_step: u64, max_eps: f64) -> Self {
        Self {
            start_step,
            end_step,
            max_eps,
            beta: 4.0,
            mid: 0.25,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// An end before the start, a radius below 0, a power below 1, a share outside 0 to 1.
    pub fn validate(&self) -> Result<()> {
        check(
            self.end_step >= self.start_step,
            "end_step",
            self.end_step,
            format!("at least start_step = {}", self.start_step),
        )?;
        check_not_negative("max_eps", self.max_eps)?;
        let power = self.beta >= 1.0 && self.beta.is_finite();
        check(power, "beta", self.beta, "a finite number of at least 1")?;
        let share = (0.0..=1.0).contains(&self.mid);
        check(share, "mid", self.mid, "0 to 1")
    }

    /// The radius at a step.
    pub fn at(&self, step: u64) -> f64 {
        if step <= self.start_step {
            return 0.0;
        }
        if step >= self.end_step {
            return self.max_eps;
        }
        let whole = (self.end_step - self.start_step) as f64;
        let smooth = (self.mid * whole).floor();
        let line = whole - smooth;
        let done = (step - self.start_step) as f64;
        if smooth == 0.0 {
            return self.max_eps * done / whole;
        }
        let t = smooth.powf(self.beta - 1.0);
        let alpha = self.max_eps / (line * self.beta * t + smooth * t);
        if done < smooth {
            return alpha * done.powf(self.beta);
        }
        let middle = alpha * smooth.powf(self.beta);
        middle + (done - smooth) / line * (self.max_eps - middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_without_a_jump() {
        for (beta, mid) in [(4.0, 0.25), (1.0, 0.5), (2.0, 0.0), (3.0, 1.0)] {
            let schedule = EpsilonSchedule {
                beta,
                mid,
                ..EpsilonSchedule::new(7, 107, 0.4)
            };
            schedule.validate().unwrap();
            assert_eq!(schedule.at(7), 0.0);
            assert_eq!(schedule.at(107), 0.4);
            assert_eq!(schedule.at(1000), 0.4);
            for step in 7..107 {
                let grown = schedule.at(step + 1) - schedule.at(step);
                assert!(
                    (0.0..0.4 * 0.05).contains(&grown),
                    "{beta} {mid} {step}: {grown}"
                );
            }
        }
        let at_once = EpsilonSchedule::new(0, 0, 0.1);
        assert_eq!((at_once.at(0), at_once.at(1)), (0.0, 0.1));
    }

    #[test]
    fn settings_out_of_range() {
        let schedule = EpsilonSchedule::new(5, 10, 0.1);
        for (schedule, message) in [
            (
                EpsilonSchedule {
                    end_step: 4,
                    ..schedule
                },
                "end_step = 4, but it must be at least start_step = 5",
            ),
            (
                EpsilonSchedule {
                    max_eps: f64::NAN,
                    ..schedule
                },
                "max_eps = NaN, but it must be a finite number of at least 0",
            ),
            (
                EpsilonSchedule {
                    beta: 0.5,
                    ..schedule
                },
                "beta = 0.5, but it must be a finite number of at least 1",
            ),
            (
                EpsilonSchedule {
                    mid: 1.5,
                    ..schedule
                },
                "mid = 1.5, but it must be 0 to 1",
            ),
        ] {
            assert_eq!(schedule.validate().unwrap_err().to_string(), message);
        }
    }
}
