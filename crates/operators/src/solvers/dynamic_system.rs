//! The paper's dynamic systems.

use super::ode::{Integrator, Lost};
use crate::error::{OperatorsError, Result, check_finite, check_inside};
use crate::spaces::{FunctionSpace, Functions};
use rayon::prelude::*;

/// A system driven by an input function `u`, at rest at `t = 0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DynamicSystem {
    /// `s' = u`.
    Antiderivative,
    /// `s' = −s² + u`. It grows without bound in finite time where `u` stays below zero long enough.
    Nonlinear,
    /// A gravity pendulum under an external torque: `s₁' = s₂`, `s₂' = −k sin s₁ + u`.
    Pendulum {
        /// Gravity over length, in 1/time².
        k: f64,
    },
}

impl DynamicSystem {
    /// Numbers of a state.
    pub fn states(self) -> usize {
        match self {
            DynamicSystem::Pendulum { .. } => 2,
            _ => 1,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            DynamicSystem::Antiderivative => "the antiderivative",
            DynamicSystem::Nonlinear => "the nonlinear system",
            DynamicSystem::Pendulum { .. } => "the pendulum",
        }
    }

    /// The states at times of at least 0, in any order, `[times, states]` row by row, with the default tolerance of
    /// [`Integrator`].
    ///
    /// # Errors
    /// If a time is negative or not finite, `k` is not finite, or the solution grows without bound before the last time.
    pub fn solve(self, u: impl Fn(f64) -> f64, times: &[f64]) -> Result<Vec<f64>> {
        self.solve_with(Integrator::default(), u, times)
    }

    /// [`solve`](Self::solve) for each of many functions, side by side: the states, `[times, states]`, or why there are
    /// none.
    ///
    /// Where the space knows the integrals of its functions, what is left of the state without them is integrated: its
    /// derivative is smooth even where `u` is rough (a random field's jitter makes it so), and needs few steps.
    pub fn solve_each(
        self,
        space: &dyn FunctionSpace,
        functions: &Functions,
        times: &[f64],
    ) -> Vec<Result<Vec<f64>>> {
        let indices = (0..functions.len()).into_par_iter();
        let solve = |index| {
            let features = functions.get(index);
            match space.integrals(features) {
                Some(integrals) => self.solve_rest(integrals, times),
                None => self.solve(space.function(features), times),
            }
        };
        indices.map(solve).collect()
    }

    /// [`solve`](Self::solve) by the first and the second integral of `u`.
    fn solve_rest(self, integrals: impl Fn(f64) -> [f64; 2], times: &[f64]) -> Result<Vec<f64>> {
        let integrator = Integrator::default();
        self.in_order(times, |ascending| match self {
            DynamicSystem::Antiderivative => {
                Ok(ascending.iter().map(|&t| vec![integrals(t)[0]]).collect())
            }
            DynamicSystem::Nonlinear => {
                let f = |t, [rest]: [f64; 1]| [-(rest + integrals(t)[0]).powi(2)];
                let rests = ascending
                    .iter()
                    .zip(integrator.follow(f, [0.0], ascending)?);
                let state = |(&t, [rest]): (&f64, [f64; 1])| vec![rest + integrals(t)[0]];
                Ok(rests.map(state).collect())
            }
            DynamicSystem::Pendulum { k } => {
                let f = |t, [angle, speed]: [f64; 2]| [speed, -k * (angle + integrals(t)[1]).sin()];
                let rests = ascending
                    .iter()
                    .zip(integrator.follow(f, [0.0; 2], ascending)?);
                let state = |(&t, [angle, speed]): (&f64, [f64; 2])| {
                    let [first, second] = integrals(t);
                    vec![angle + second, speed + first]
                };
                Ok(rests.map(state).collect())
            }
        })
    }

    /// [`solve`](Self::solve) with a tolerance of one's own.
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    pub fn solve_with(
        self,
        integrator: Integrator,
        u: impl Fn(f64) -> f64,
        times: &[f64],
    ) -> Result<Vec<f64>> {
        self.in_order(times, |ascending| match self {
            DynamicSystem::Antiderivative => {
                let states = integrator.follow(|t, _: [f64; 1]| [u(t)], [0.0], ascending)?;
                Ok(states.into_iter().map(Vec::from).collect())
            }
            DynamicSystem::Nonlinear => {
                let states = integrator.follow(|t, [s]| [u(t) - s * s], [0.0], ascending)?;
                Ok(states.into_iter().map(Vec::from).collect())
            }
            DynamicSystem::Pendulum { k } => {
                let torque = |t, [angle, speed]: [f64; 2]| [speed, u(t) - k * angle.sin()];
                let states = integrator.follow(torque, [0.0; 2], ascending)?;
                Ok(states.into_iter().map(Vec::from).collect())
            }
        })
    }

    /// The states at times in any order from those at ascending times.
    fn in_order(
        self,
        times: &[f64],
        states: impl FnOnce(&[f64]) -> std::result::Result<Vec<Vec<f64>>, Lost>,
    ) -> Result<Vec<f64>> {
        check_inside("time", times, 0.0, f64::MAX)?;
        if let DynamicSystem::Pendulum { k } = self {
            check_finite("k", &[k])?;
        }
        let mut order: Vec<usize> = (0..times.len()).collect();
        order.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
        let ascending: Vec<f64> = order.iter().map(|&i| times[i]).collect();
        let states = states(&ascending).map_err(|Lost { time }| OperatorsError::BlowUp {
            system: self.name(),
            time,
        })?;
        let width = self.states();
        let mut found = vec![0.0; times.len() * width];
        for (place, state) in order.into_iter().zip(states) {
            found[place * width..][..width].copy_from_slice(&state);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spaces::{Chebyshev, Domain, FunctionSpace, GaussianRandomFieldConfig};

    #[test]
    fn known_solutions_within_the_stated_accuracy() {
        let times = [0.9, 0.0, 0.3];
        let solve = |system: DynamicSystem, u: fn(f64) -> f64| system.solve(u, &times).unwrap();
        let sine = solve(DynamicSystem::Antiderivative, f64::cos);
        // s = tanh t solves s' = 1 − s².
        let tanh = solve(DynamicSystem::Nonlinear, |_| 1.0);
        // Without gravity: s = t²/2.
        let fall = solve(DynamicSystem::Pendulum { k: 0.0 }, |_| 1.0);
        for (i, t) in times.into_iter().enumerate() {
            assert!((sine[i] - t.sin()).abs() < 1e-8);
            assert!((tanh[i] - t.tanh()).abs() < 1e-8);
            assert!((fall[2 * i] - t * t / 2.0).abs() < 1e-8);
            assert!((fall[2 * i + 1] - t).abs() < 1e-8);
        }
    }

    /// The antiderivative is linear, and no system looks ahead: a later input changes nothing before.
    #[test]
    fn linear_and_causal() {
        let space = Chebyshev::new(6, 1.0, Domain::unit()).unwrap();
        let functions = space.draw(2, 1);
        let (u, v) = (
            space.function(functions.get(0)),
            space.function(functions.get(1)),
        );
        let times = [0.25, 0.5, 1.0];
        let of = |w: &dyn Fn(f64) -> f64| DynamicSystem::Antiderivative.solve(w, &times).unwrap();
        let (a, b, sum) = (of(&u), of(&v), of(&|t| 2.0 * u(t) - v(t)));
        for i in 0..3 {
            assert!((2.0 * a[i] - b[i] - sum[i]).abs() < 1e-8);
        }
        for system in [DynamicSystem::Nonlinear, DynamicSystem::Pendulum { k: 1.0 }] {
            let whole = system.solve(&u, &times[..2]).unwrap();
            let other = system
                .solve(|t| if t <= 0.5 { u(t) } else { 7.0 }, &times)
                .unwrap();
            for (a, b) in whole.iter().zip(&other) {
                assert!((a - b).abs() < 1e-7);
            }
        }
    }

    /// With the integrals of a rough function as with the function itself, whichever way times are ordered; that follows the
    /// roughness only at a tolerance far below it.
    #[test]
    fn each_of_a_field_as_one_by_one() {
        let field = GaussianRandomFieldConfig::new(0.2).init().unwrap();
        let functions = field.draw(3, 5);
        let times = [1.0, 0.0, 0.3, 0.77];
        let careful = Integrator::new(1e-13).unwrap();
        for system in [
            DynamicSystem::Antiderivative,
            DynamicSystem::Nonlinear,
            DynamicSystem::Pendulum { k: 1.5 },
        ] {
            let found = system.solve_each(&field, &functions, &times);
            for (index, found) in found.into_iter().enumerate() {
                let u = field.function(functions.get(index));
                let one = system.solve_with(careful, u, &times);
                for (a, b) in found.unwrap().iter().zip(one.unwrap()) {
                    assert!((a - b).abs() < 1e-8, "{system:?}: {a} {b}");
                }
            }
        }
        // A field of −5 everywhere.
        let constant = Functions::new(1000, vec![-5.0; 1000]).unwrap();
        let lost = &DynamicSystem::Nonlinear.solve_each(&field, &constant, &times)[0];
        let said = lost.as_ref().unwrap_err().to_string();
        assert!(said.contains("grows without bound near t = 0.70"), "{said}");
    }

    #[test]
    fn what_cannot_be_solved() {
        let say = |system: DynamicSystem, u: f64, times: &[f64]| {
            system.solve(|_| u, times).unwrap_err().to_string()
        };
        // s = −√5 tan(√5 t): gone at t = π/(2√5) = 0.702.
        let error = say(DynamicSystem::Nonlinear, -5.0, &[1.0]);
        assert!(
            error.starts_with(
                "the solution of the nonlinear system grows without bound near t = 0.70"
            ),
            "{error}"
        );
        let system = DynamicSystem::Antiderivative;
        assert!(say(system, 0.0, &[0.5, -1.0]).starts_with("time[1] = -1, but the domain is 0 to"));
        assert!(say(system, 0.0, &[f64::NAN]).starts_with("time[0] = NaN"));
        assert!(
            say(DynamicSystem::Pendulum { k: f64::NAN }, 0.0, &[1.0]).starts_with("k[0] = NaN")
        );
    }
}
