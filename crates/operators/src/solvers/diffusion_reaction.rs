//! Diffusion and reaction under a source, on a line.

use crate::error::{OperatorsError, Result, check, check_finite, check_inside, check_positive};

/// Configuration of a [`DiffusionReaction`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiffusionReactionConfig {
    /// `D`.
    pub diffusion: f64,
    /// `k`.
    pub reaction: f64,
    /// `T`.
    pub end: f64,
    /// Cells of the grid in space that the answer lies on.
    pub cells: usize,
    /// Steps of the grid in time that the answer lies on.
    pub steps: usize,
}

impl Default for DiffusionReactionConfig {
    /// The paper's `D = k = 0.01` up to `T = 1`, on 100 × 100 cells.
    fn default() -> Self {
        Self {
            diffusion: 0.01,
            reaction: 0.01,
            end: 1.0,
            cells: 100,
            steps: 100,
        }
    }
}

/// `s_t = D s_xx + k s² + u(x)` on `[0, 1] × [0, T]`, `s = 0` at first and at both ends.
///
/// Central differences in space, Crank–Nicolson in time with the reaction linearized about the step before: order 2 in
/// both. The solutions on the grid and on one twice as fine are extrapolated (Richardson) to order 4. Where `u` does not
/// vanish at an end the solution is not smooth in that corner, and the order there is lower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiffusionReaction {
    config: DiffusionReactionConfig,
}

/// A solution on its grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    config: DiffusionReactionConfig,
    /// `s` at `t_j`, `x_i`: `[steps + 1, cells + 1]`.
    values: Vec<f64>,
}

impl DiffusionReactionConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// If `D` or `T` is not positive, `k` not finite, or the grid has fewer than 4 or more than 10,000 cells or steps.
    pub fn init(self) -> Result<DiffusionReaction> {
        check_positive("D", self.diffusion)?;
        check_positive("T", self.end)?;
        check_finite("k", &[self.reaction])?;
        for (name, size) in [("cells", self.cells), ("steps", self.steps)] {
            check((4..=10_000).contains(&size), name, size, "4 to 10000")?;
        }
        Ok(DiffusionReaction { config: self })
    }
}

impl DiffusionReaction {
    /// The solution under a source.
    ///
    /// # Errors
    /// If the source is not finite, or the solution grows without bound before `T`.
    pub fn solve(&self, u: impl Fn(f64) -> f64) -> Result<Field> {
        let DiffusionReactionConfig { cells, steps, .. } = self.config;
        let fine: Vec<f64> = (0..=2 * cells)
            .map(|i| u(i as f64 / (2 * cells) as f64))
            .collect();
        check_finite("u", &fine)?;
        let coarse: Vec<f64> = fine.iter().copied().step_by(2).collect();
        let mut values = self.march(&coarse, steps)?;
        let fine = self.march(&fine, 2 * steps)?;
        let width = cells + 1;
        for (j, row) in values.chunks_exact_mut(width).enumerate() {
            let fine = &fine[2 * j * (2 * cells + 1)..];
            for (i, value) in row.iter_mut().enumerate() {
                *value = (4.0 * fine[2 * i] - *value) / 3.0;
            }
        }
        Ok(Field {
            config: self.config,
            values,
        })
    }

    /// The scheme of order 2 on a grid of as many points as `u`.
    fn march(&self, u: &[f64], steps: usize) -> Result<Vec<f64>> {
        let DiffusionReactionConfig {
            diffusion,
            reaction: k,
            end,
            ..
        } = self.config;
        let (points, dt) = (u.len(), end / steps as f64);
        let h = 1.0 / (points - 1) as f64;
        let half = 0.5 * diffusion * dt / (h * h);
        let mut all = vec![0.0; (steps + 1) * points];
        let mut upper = vec![0.0; points];
        for j in 0..steps {
            let (before, after) = all[j * points..].split_at_mut(points);
            let next = &mut after[..points];
            // (1 + 2 half − dt k s_i) s'_i − half (s'_{i−1} + s'_{i+1}) = s_i + half (s_{i−1} − 2 s_i + s_{i+1}) + dt u_i,
            // since ½ k (s² + s'²) = k s s' up to the order of the scheme. Thomas' elimination, ends at zero.
            for (i, u) in u.iter().enumerate().take(points - 1).skip(1) {
                let s = before[i];
                let on = 1.0 + 2.0 * half - dt * k * s;
                let right = s + half * (before[i - 1] - 2.0 * s + before[i + 1]) + dt * u;
                let pivot = on - half * upper[i - 1];
                // A step in which the reaction outgrows the scheme, or the solution every number.
                if !(pivot > 0.0 && right.is_finite()) {
                    return Err(OperatorsError::BlowUp {
                        system: "diffusion and reaction",
                        time: j as f64 * dt,
                    });
                }
                upper[i] = half / pivot;
                next[i] = (right + half * next[i - 1]) / pivot;
            }
            for i in (1..points - 1).rev() {
                next[i] += upper[i] * next[i + 1];
            }
        }
        match all.iter().all(|s| s.is_finite()) {
            true => Ok(all),
            false => Err(OperatorsError::BlowUp {
                system: "diffusion and reaction",
                time: end,
            }),
        }
    }
}

impl Field {
    /// Its value at grid point `i` in space and `j` in time.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn node(&self, i: usize, j: usize) -> f64 {
        assert!(i <= self.config.cells, "point {i} in space");
        self.values[j * (self.config.cells + 1) + i]
    }

    /// `s(x, t)` by the cubic through the nearest four grid points in each direction.
    ///
    /// # Errors
    /// If the point is outside `[0, 1] × [0, T]`.
    pub fn at(&self, x: f64, t: f64) -> Result<f64> {
        let DiffusionReactionConfig {
            end, cells, steps, ..
        } = self.config;
        check_inside("x", &[x], 0.0, 1.0)?;
        check_inside("t", &[t], 0.0, end)?;
        let (i, across) = lagrange(x * cells as f64, cells);
        let (j, along) = lagrange(t / end * steps as f64, steps);
        let row = |j: usize| -> f64 {
            let terms = across.iter().enumerate();
            terms.map(|(a, weight)| weight * self.node(i + a, j)).sum()
        };
        let rows = along.iter().enumerate();
        Ok(rows.map(|(b, weight)| weight * row(j + b)).sum())
    }
}

/// The first of four adjacent points of `0 … last` around a place, and the weights of their cubic there.
fn lagrange(place: f64, last: usize) -> (usize, [f64; 4]) {
    let first = (place as usize).saturating_sub(1).min(last - 3);
    let z = place - first as f64;
    let weight = |own: usize| {
        let others = (0..4).filter(|&other| other != own);
        let factors = others.map(|other| (z - other as f64) / (own as f64 - other as f64));
        factors.product()
    };
    (first, std::array::from_fn(weight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    fn solver(cells: usize, reaction: f64) -> DiffusionReaction {
        let config = DiffusionReactionConfig {
            reaction,
            cells,
            steps: cells,
            ..DiffusionReactionConfig::default()
        };
        config.init().unwrap()
    }

    /// Without reaction a sine stays a sine: s = sin(πx) (1 − e^(−D π² t))/(D π²). The error falls with the fourth power
    /// of the grid.
    #[test]
    fn order_four() {
        let errors: Vec<f64> = [8, 16, 32]
            .map(|cells| {
                let field = solver(cells, 0.0).solve(|x| (PI * x).sin()).unwrap();
                let rate = 0.01 * PI * PI;
                let nodes = (0..=cells).flat_map(|i| (0..=cells).map(move |j| (i, j)));
                let worst = nodes.map(|(i, j)| {
                    let (x, t) = (i as f64 / cells as f64, j as f64 / cells as f64);
                    let exact = (PI * x).sin() * (1.0 - (-rate * t).exp()) / rate;
                    (field.node(i, j) - exact).abs()
                });
                worst.fold(0.0, f64::max)
            })
            .to_vec();
        for pair in errors.windows(2) {
            let order = (pair[0] / pair[1]).log2();
            assert!((3.7..4.3).contains(&order), "{order}");
        }
    }

    #[test]
    fn linear_without_reaction_and_not_with_it() {
        let (u, v) = (|x: f64| x * (1.0 - x), |x: f64| (3.0 * x).cos());
        let of = |k: f64, w: &dyn Fn(f64) -> f64| solver(20, k).solve(w).unwrap();
        let sum = |x: f64| u(x) + v(x);
        let (a, b, c) = (of(0.0, &u), of(0.0, &v), of(0.0, &sum));
        assert!((a.node(7, 20) + b.node(7, 20) - c.node(7, 20)).abs() < 1e-13);
        let (a, b, c) = (of(1.0, &u), of(1.0, &v), of(1.0, &sum));
        assert!((a.node(7, 20) + b.node(7, 20) - c.node(7, 20)).abs() > 1e-3);
    }

    /// A positive source gives a positive solution, larger where the source is, symmetric where it is.
    #[test]
    fn comparison_and_symmetry() {
        let solver = solver(24, 0.5);
        let (small, large) = (
            solver.solve(|_| 0.5).unwrap(),
            solver.solve(|_| 1.0).unwrap(),
        );
        for j in 1..=24 {
            for i in 1..24 {
                assert!(0.0 < small.node(i, j) && small.node(i, j) < large.node(i, j));
                assert!((small.node(i, j) - small.node(24 - i, j)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn between_the_nodes() {
        let field = solver(40, 0.1).solve(|x| x.sin()).unwrap();
        assert!((field.at(0.25, 0.5).unwrap() - field.node(10, 20)).abs() < 1e-14);
        assert_eq!(field.at(0.0, 1.0).unwrap(), 0.0);
        assert_eq!(
            field.at(1.5, 0.0).unwrap_err().to_string(),
            "x[0] = 1.5, but the domain is 0 to 1"
        );
    }

    #[test]
    fn what_cannot_be_solved() {
        let say = |config: DiffusionReactionConfig| config.init().unwrap_err().to_string();
        let base = DiffusionReactionConfig::default();
        assert_eq!(
            say(DiffusionReactionConfig {
                diffusion: 0.0,
                ..base
            }),
            "D = 0, but it must be a positive finite number"
        );
        assert_eq!(
            say(DiffusionReactionConfig { cells: 3, ..base }),
            "cells = 3, but it must be 4 to 10000"
        );
        let error = solver(20, 50.0).solve(|_| 10.0).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("grows without bound near t = 0."),
            "{error}"
        );
        assert!(solver(20, 1.0).solve(|_| f64::NAN).is_err());
    }
}
