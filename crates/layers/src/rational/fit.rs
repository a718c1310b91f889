//! Rational functions that are fitted to a given one.

use crate::error::{Result, check};
use serde::{Deserialize, Serialize};

/// Coefficients of a safe Padé rational function, see [`group_rational`](offprint_kernels::group_rational).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficients {
    /// `aᵢ` of `P = Σᵢ aᵢ xⁱ`.
    pub numerator: Vec<f64>,
    /// `bⱼ` of `Q = 1 + Σⱼ |bⱼ| |x|ʲ`, `j` from 1 on.
    pub denominator: Vec<f64>,
}

/// A fit and how far it is off.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The fitted function.
    pub coefficients: Coefficients,
    /// Largest distance from the given function on the range.
    pub max_error: f64,
}

/// The highest degree of a numerator or a denominator.
pub const MOST_DEGREE: usize = 12;

/// Places at which functions are compared.
const PLACES: usize = 401;

/// Where searches begin: odd and even coefficients of the denominator, for `x` itself and its square.
const STARTS: [[f64; 2]; 4] = [[1e-3, 0.25], [0.05, 0.25], [0.3, 0.25], [0.3, 1.0]];

/// Steps of a search at most; twenty are usual.
const STEPS: usize = 100;

impl Coefficients {
    /// `P(x) / Q(x)`.
    pub fn value(&self, x: f64) -> f64 {
        let numerator = self.numerator.iter().rev().fold(0.0, |p, a| p * x + a);
        let rest = self.denominator.iter().rev();
        numerator / (1.0 + rest.fold(0.0, |q, b| (q + b.abs()) * x.abs()))
    }

    /// `x` itself.
    pub fn identity([numerator, denominator]: [usize; 2]) -> Self {
        let mut a = vec![0.0; numerator + 1];
        if let Some(slope) = a.get_mut(1) {
            *slope = 1.0;
        }
        Self {
            numerator: a,
            denominator: vec![0.0; denominator],
        }
    }

    /// Checks every coefficient.
    ///
    /// # Errors
    /// If there are too few or too many, or one is not finite.
    pub fn validate(&self) -> Result<()> {
        let degrees = [
            self.numerator.len().saturating_sub(1),
            self.denominator.len(),
        ];
        check_degrees(degrees)?;
        for (name, values) in [
            ("numerator", &self.numerator),
            ("denominator", &self.denominator),
        ] {
            let finite = values.iter().all(|value| value.is_finite());
            check(finite, name, format!("{values:?}"), "finite numbers")?;
        }
        Ok(())
    }
}

/// Checks the degrees of numerator and denominator.
pub(super) fn check_degrees([numerator, denominator]: [usize; 2]) -> Result<()> {
    for (name, degree) in [
        ("numerator_degree", numerator),
        ("denominator_degree", denominator),
    ] {
        let allowed = "1 to 12";
        check((1..=MOST_DEGREE).contains(&degree), name, degree, allowed)?;
    }
    Ok(())
}

/// Checks the ends of a range.
pub(super) fn check_range([low, high]: [f64; 2]) -> Result<()> {
    check(
        low < high && low.is_finite() && high.is_finite(),
        "range",
        format!("[{low}, {high}]"),
        "two finite numbers, the first below the second",
    )
}

/// The rational function of these degrees, numerator before denominator, that is nearest to `f` on a range by least squares.
///
/// The fit is in the form that is used, `1 + Σ |bⱼ| |x|ʲ`: given the denominator, the numerator is a linear least-squares
/// problem, so the search is for the denominator alone (variable projection, with Kaufman's Jacobian and Levenberg's and
/// Marquardt's steps, no coefficient below zero). It begins in four places and keeps the best end.
///
/// # Errors
/// If a degree is not 1 to 12, the range is empty or not finite, or `f` is not finite on it.
///
/// Source: Golub and Pereyra, "The Differentiation of Pseudo-Inverses and Nonlinear Least Squares Problems Whose Variables
/// Separate", 1973; Kaufman 1975.
///
/// ```
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let silu = |x: f64| x / (1.0 + (-x).exp());
/// let fit = offprint_layers::rational::fit_rational(silu, [-3.0, 3.0], [5, 4])?;
/// assert!(fit.max_error < 2e-6);
/// # Ok(())
/// # }
/// ```
pub fn fit_rational(f: impl Fn(f64) -> f64, range: [f64; 2], degrees: [usize; 2]) -> Result<Fit> {
    check_degrees(degrees)?;
    check_range(range)?;
    let [low, high] = range;
    let step = (high - low) / (PLACES - 1) as f64;
    let places: Vec<f64> = (0..PLACES).map(|i| low + step * i as f64).collect();
    let y: Vec<f64> = places.iter().map(|x| f(*x)).collect();
    if let Some(at) = y.iter().position(|y| !y.is_finite()) {
        let value = format!("{} at {}", y[at], places[at]);
        check(false, "the function", value, "finite on the range")?;
    }
    let problem = Problem::new(&places, y, degrees);
    let ends = STARTS.iter().map(|start| problem.search(*start));
    let best = ends.min_by(|a, b| a.cost.total_cmp(&b.cost));
    let coefficients = problem.coefficients(best.expect("there are starts").b);
    let off = |x: &f64| (coefficients.value(*x) - f(*x)).abs();
    Ok(Fit {
        max_error: places.iter().map(off).fold(0.0, f64::max),
        coefficients,
    })
}

/// A fit in `t = x / reach`, so that all powers are at most 1.
struct Problem {
    reach: f64,
    y: Vec<f64>,
    /// `tⁱ`, a column each.
    powers: Vec<Vec<f64>>,
    /// `|t|ʲ`, a column each.
    sizes: Vec<Vec<f64>>,
}

/// A denominator and the best numerator for it.
struct Point {
    b: Vec<f64>,
    /// `f − P/Q` at each place.
    residual: Vec<f64>,
    /// `P/Q` over `Q`.
    falls: Vec<f64>,
    /// An orthonormal basis of `tⁱ / Q`.
    basis: Vec<Vec<f64>>,
    cost: f64,
}

impl Problem {
    fn new(places: &[f64], y: Vec<f64>, [numerator, denominator]: [usize; 2]) -> Self {
        let reach = places.iter().fold(0.0, |reach: f64, x| reach.max(x.abs()));
        let column = |i: usize, f: fn(f64) -> f64| -> Vec<f64> {
            places.iter().map(|x| f(x / reach).powi(i as i32)).collect()
        };
        Self {
            reach,
            y,
            powers: (0..=numerator).map(|i| column(i, |t| t)).collect(),
            sizes: (1..=denominator).map(|j| column(j, f64::abs)).collect(),
        }
    }

    /// `Q` at each place.
    fn denominator(&self, b: &[f64]) -> Vec<f64> {
        let mut q = vec![1.0; self.y.len()];
        for (b, sizes) in b.iter().zip(&self.sizes) {
            for (q, size) in q.iter_mut().zip(sizes) {
                *q += b * size;
            }
        }
        q
    }

    /// `tⁱ / Q`, a column each.
    fn columns(&self, q: &[f64]) -> Vec<Vec<f64>> {
        let over = |powers: &Vec<f64>| powers.iter().zip(q).map(|(p, q)| p / q).collect();
        self.powers.iter().map(over).collect()
    }

    fn point(&self, b: Vec<f64>) -> Point {
        let q = self.denominator(&b);
        let mut basis: Vec<Vec<f64>> = Vec::new();
        for mut column in self.columns(&q) {
            // Twice is enough.
            remove(&basis, &mut column);
            remove(&basis, &mut column);
            let norm = dot(&column, &column).sqrt();
            if norm > 1e-13 {
                column.iter_mut().for_each(|c| *c /= norm);
                basis.push(column);
            }
        }
        let mut residual = self.y.clone();
        remove(&basis, &mut residual);
        let values = self.y.iter().zip(&residual).map(|(y, r)| y - r);
        Point {
            falls: values.zip(&q).map(|(value, q)| value / q).collect(),
            cost: dot(&residual, &residual),
            b,
            residual,
            basis,
        }
    }

    fn search(&self, [odd, even]: [f64; 2]) -> Point {
        let start = (1..=self.sizes.len()).map(|j| {
            let first = if j % 2 == 1 { odd } else { even };
            first * 0.25_f64.powi((j as i32 - 1) / 2) * self.reach.powi(j as i32)
        });
        let mut point = self.point(start.collect());
        let mut damping = 1e-3;
        for _ in 0..STEPS {
            let Some(next) = self.step(&point, &mut damping) else {
                break;
            };
            let gain = (point.cost - next.cost) / point.cost;
            point = next;
            if gain < 1e-7 || point.cost < 1e-22 {
                break;
            }
        }
        point
    }

    /// The next point, if there is a better one.
    fn step(&self, point: &Point, damping: &mut f64) -> Option<Point> {
        let slopes: Vec<Vec<f64>> = self
            .sizes
            .iter()
            .map(|sizes| {
                let mut slope: Vec<f64> =
                    sizes.iter().zip(&point.falls).map(|(s, f)| s * f).collect();
                remove(&point.basis, &mut slope);
                slope
            })
            .collect();
        let gradient: Vec<f64> = slopes.iter().map(|s| dot(s, &point.residual)).collect();
        // A coefficient that is zero and would become negative stays.
        let free: Vec<usize> = (0..slopes.len())
            .filter(|&j| point.b[j] > 0.0 || gradient[j] < 0.0)
            .collect();
        let normal: Vec<Vec<f64>> = free
            .iter()
            .map(|&i| free.iter().map(|&j| dot(&slopes[i], &slopes[j])).collect())
            .collect();
        let trace: f64 = (0..free.len()).map(|i| normal[i][i]).sum();
        for _ in 0..20 {
            let mut damped = normal.clone();
            for (i, row) in damped.iter_mut().enumerate() {
                row[i] += *damping * (normal[i][i] + 1e-14 * trace);
            }
            let right = free.iter().map(|&j| -gradient[j]).collect();
            if let Some(moves) = solve(damped, right) {
                let mut b = point.b.clone();
                for (j, by) in free.iter().zip(moves) {
                    b[*j] = (b[*j] + by).max(0.0);
                }
                let next = self.point(b);
                if next.cost < point.cost {
                    *damping = (*damping / 8.0).max(1e-15);
                    return Some(next);
                }
            }
            *damping *= 4.0;
        }
        None
    }

    /// In terms of `x`.
    fn coefficients(&self, b: Vec<f64>) -> Coefficients {
        let columns = self.columns(&self.denominator(&b));
        let normal = columns
            .iter()
            .map(|a| columns.iter().map(|b| dot(a, b)).collect())
            .collect::<Vec<Vec<f64>>>();
        let right = |rest: &[f64]| columns.iter().map(|c| dot(c, rest)).collect::<Vec<_>>();
        let mut a = vec![0.0; columns.len()];
        let mut rest = self.y.clone();
        // Refined, since the normal equations alone lose half of the digits.
        for _ in 0..4 {
            let Some(more) = solve(normal.clone(), right(&rest)) else {
                break;
            };
            for ((a, more), column) in a.iter_mut().zip(more).zip(&columns) {
                *a += more;
                for (rest, c) in rest.iter_mut().zip(column) {
                    *rest -= more * c;
                }
            }
        }
        let unit = |i: usize| self.reach.powi(-(i as i32));
        Coefficients {
            numerator: a.iter().enumerate().map(|(i, a)| a * unit(i)).collect(),
            denominator: b.iter().enumerate().map(|(j, b)| b * unit(j + 1)).collect(),
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Takes from a vector what lies in the span of orthonormal ones.
fn remove(basis: &[Vec<f64>], vector: &mut [f64]) {
    for direction in basis {
        let share = dot(direction, vector);
        for (v, d) in vector.iter_mut().zip(direction) {
            *v -= share * d;
        }
    }
}

/// Solves `m x = y` for a positive definite `m`, if it is one.
fn solve(mut m: Vec<Vec<f64>>, mut y: Vec<f64>) -> Option<Vec<f64>> {
    let size = y.len();
    for i in 0..size {
        let pivot = m[i][i];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        let (upper, lower) = m.split_at_mut(i + 1);
        let (line, y_line) = (&upper[i], y[i]);
        for (row, y) in lower.iter_mut().zip(&mut y[i + 1..]) {
            let factor = row[i] / pivot;
            for (r, l) in row[i..].iter_mut().zip(&line[i..]) {
                *r -= factor * l;
            }
            *y -= factor * y_line;
        }
    }
    for i in (0..size).rev() {
        let known: f64 = (i + 1..size).map(|j| m[i][j] * y[j]).sum();
        y[i] = (y[i] - known) / m[i][i];
    }
    y.iter().all(|x| x.is_finite()).then_some(y)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silu(x: f64) -> f64 {
        x / (1.0 + (-x).exp())
    }

    /// Largest errors within a fifth of those that a search by SciPy found.
    #[test]
    fn fits_are_as_good_as_scipy_found() {
        let relu = |x: f64| x.max(0.0);
        for (f, reach, degrees, error) in [
            (silu as fn(f64) -> f64, 3.0, [5, 4], 1.1e-6),
            (silu, 8.0, [5, 4], 1.2e-3),
            (silu, 5.0, [7, 6], 1.2e-8),
            (f64::tanh, 3.0, [5, 4], 2.3e-6),
            (relu, 5.0, [5, 4], 0.0499),
            (relu, 3.0, [7, 6], 0.0099),
        ] {
            let fit = fit_rational(f, [-reach, reach], degrees).unwrap();
            assert!(fit.max_error < 1.2 * error, "{degrees:?} {fit:?}");
            assert!(fit.coefficients.denominator.iter().all(|b| *b >= 0.0));
        }
    }

    #[test]
    fn a_rational_function_is_found_again() {
        let given = Coefficients {
            numerator: vec![0.3, -1.0, 0.5],
            denominator: vec![0.0, 0.7],
        };
        let fit = fit_rational(|x| given.value(x), [-2.0, 4.0], [2, 2]).unwrap();
        assert!(fit.max_error < 1e-9, "{fit:?}");
    }

    #[test]
    fn what_cannot_be_fitted() {
        let error = |range, degrees| fit_rational(silu, range, degrees).unwrap_err().to_string();
        assert_eq!(
            error([3.0, 3.0], [5, 4]),
            "range = [3, 3], but it must be two finite numbers, the first below the second"
        );
        assert!(error([-1.0, f64::INFINITY], [5, 4]).starts_with("range = [-1, inf], "));
        assert_eq!(
            error([-3.0, 3.0], [5, 0]),
            "denominator_degree = 0, but it must be 1 to 12"
        );
        let pole = fit_rational(|x| 1.0 / x, [-1.0, 1.0], [5, 4]).unwrap_err();
        assert!(pole.to_string().contains("must be finite on the range"));
    }
}
