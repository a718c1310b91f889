//! Ordinary differential equations by the explicit pair of Dormand and Prince.
//!
//! Source: Dormand and Prince, "A family of embedded Runge-Kutta formulae", 1980; step control by Hairer, Nørsett and
//! Wanner, Solving Ordinary Differential Equations I, section II.4.

use crate::error::{Result, check_positive};

/// Relative and absolute error that a step may make.
pub const TOLERANCE: f64 = 1e-10;

/// `s' = f(t, s)`, `s(0)` given, by steps of order 5 whose size follows their error estimate of order 4.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Integrator {
    tolerance: f64,
}

/// Why an integration ended before its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lost {
    pub time: f64,
}

impl Default for Integrator {
    fn default() -> Self {
        Self {
            tolerance: TOLERANCE,
        }
    }
}

/// Nodes, coefficients and the difference of both weights; the last row of coefficients is the weights of order 5.
const C: [f64; 7] = [0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0];
const A: [&[f64]; 7] = [
    &[],
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[
        19372.0 / 6561.0,
        -25360.0 / 2187.0,
        64448.0 / 6561.0,
        -212.0 / 729.0,
    ],
    &[
        9017.0 / 3168.0,
        -355.0 / 33.0,
        46732.0 / 5247.0,
        49.0 / 176.0,
        -5103.0 / 18656.0,
    ],
    &[
        35.0 / 384.0,
        0.0,
        500.0 / 1113.0,
        125.0 / 192.0,
        -2187.0 / 6784.0,
        11.0 / 84.0,
    ],
];
const E: [f64; 7] = [
    71.0 / 57600.0,
    0.0,
    -71.0 / 16695.0,
    71.0 / 1920.0,
    -17253.0 / 339_200.0,
    22.0 / 525.0,
    -1.0 / 40.0,
];

/// Steps after which a solution counts as lost.
const MOST_STEPS: usize = 1_000_000;

impl Integrator {
    /// With a tolerance of the error of a step: relative to the state, and absolute.
    ///
    /// # Errors
    /// If it is not a positive finite number.
    pub fn new(tolerance: f64) -> Result<Self> {
        check_positive("tolerance", tolerance)?;
        // Below it, rounding is larger than the error.
        let tolerance = tolerance.max(1e-13);
        Ok(Self { tolerance })
    }

    /// The states at ascending times from `start` on.
    pub(super) fn follow<const S: usize>(
        &self,
        f: impl Fn(f64, [f64; S]) -> [f64; S],
        mut state: [f64; S],
        times: &[f64],
    ) -> std::result::Result<Vec<[f64; S]>, Lost> {
        let (mut t, mut step) = (0.0, 0.01_f64);
        let mut first = f(t, state);
        let mut found = Vec::with_capacity(times.len());
        let mut steps = 0;
        for &end in times {
            while t < end {
                steps += 1;
                let lost = Lost { time: t };
                if steps > MOST_STEPS || !state.iter().all(|s| s.abs() < 1e100) {
                    return Err(lost);
                }
                let whole = end - t;
                // A rest that is a rounding error long is no step of its own.
                let last = step >= whole * (1.0 - 1e-12);
                let h = if last { whole } else { step };
                let mut k = [[0.0; S]; 7];
                k[0] = first;
                let mut next = state;
                for (stage, (row, node)) in A.iter().zip(C).enumerate().skip(1) {
                    next = state;
                    for (a, k) in row.iter().zip(&k) {
                        for (next, k) in next.iter_mut().zip(k) {
                            *next += h * a * k;
                        }
                    }
                    k[stage] = f(t + node * h, next);
                }
                let off: [f64; S] = std::array::from_fn(|i| {
                    let terms = E.iter().zip(&k).map(|(e, k)| e * k[i]);
                    h * terms.sum::<f64>()
                });
                let mut error = 0.0_f64;
                for ((off, now), next) in off.iter().zip(&state).zip(&next) {
                    let scale = self.tolerance * (1.0 + now.abs().max(next.abs()));
                    // An error that is not a number is one.
                    let share = (off / scale).abs();
                    error = if share <= error { error } else { share };
                }
                // The error of a step is of order 5.
                let factor = 0.9 * error.powf(-0.2);
                if error <= 1.0 {
                    t = if last { end } else { t + h };
                    (state, first) = (next, k[6]);
                    // The step before this time was cut short may have been the better one.
                    step = step.max(h * factor.min(5.0)).min(h * factor);
                } else {
                    step = h * if error.is_finite() {
                        factor.max(0.2)
                    } else {
                        0.2
                    };
                    if t + step <= t {
                        return Err(lost);
                    }
                }
            }
            found.push(state);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Coefficients of a consistent pair: rows sum to the nodes, errors to zero.
    #[test]
    fn the_tableau_is_consistent() {
        for (row, node) in A.iter().zip(C) {
            assert!((row.iter().sum::<f64>() - node).abs() < 1e-14);
        }
        assert!(E.iter().sum::<f64>().abs() < 1e-15);
    }

    /// Over ten units of time the error stays near the tolerance, and falls with it.
    #[test]
    fn the_error_follows_the_tolerance() {
        let f = |t: f64, [x, v]: [f64; 2]| [v, -x + 0.1 * t];
        // x = cos t + 0.1 (t − sin t)
        let exact = |t: f64| t.cos() + 0.1 * (t - t.sin());
        let mut errors = Vec::new();
        for tolerance in [1e-4, 1e-6, 1e-8, 1e-10] {
            let integrator = Integrator::new(tolerance).unwrap();
            let times: Vec<f64> = (1..=40).map(|i| f64::from(i) / 4.0).collect();
            let states = integrator.follow(f, [1.0, 0.0], &times).unwrap();
            let error = times
                .iter()
                .zip(states)
                .map(|(&t, [x, _])| (x - exact(t)).abs());
            let worst = error.fold(0.0, f64::max);
            assert!(worst < 20.0 * tolerance, "{worst} at {tolerance}");
            errors.push(worst);
        }
        assert!(errors.windows(2).all(|pair| pair[1] < pair[0]));
    }

    #[test]
    fn a_solution_that_blows_up_is_lost_where_it_does() {
        // s = 1/(1 − t)
        let lost = Integrator::default().follow(|_, [s]| [s * s], [1.0], &[0.5, 2.0]);
        let time = lost.unwrap_err().time;
        assert!((time - 1.0).abs() < 1e-3, "{time}");
        let lost = Integrator::default().follow(|_, [_]| [f64::NAN], [1.0], &[1.0]);
        assert_eq!(lost.unwrap_err().time, 0.0);
    }

    #[test]
    fn times_may_repeat_and_start_at_once() {
        let states = Integrator::default().follow(|_, [_]| [1.0], [0.0], &[0.0, 0.0, 0.5, 0.5]);
        let states: Vec<f64> = states.unwrap().iter().map(|s| s[0]).collect();
        assert_eq!(states[..2], [0.0, 0.0]);
        assert!((states[2] - 0.5).abs() < 1e-12 && states[2] == states[3]);
    }
}
