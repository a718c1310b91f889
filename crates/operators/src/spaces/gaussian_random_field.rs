//! Stationary Gaussian random fields on an interval.

use super::{Domain, FunctionSpace, Functions, Interpolation, Method, normal_pair, rows};
use crate::error::{
    OperatorsError, Result, check, check_length, check_not_negative, check_positive,
};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltError, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The covariance of two values at a distance `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covariance {
    /// `exp(−d²/(2 l²))`: functions with all derivatives.
    Rbf,
    /// `exp(−d/l)`, Matérn's of smoothness ½ (an Ornstein–Uhlenbeck process): continuous, nowhere differentiable.
    Matern12,
}

impl Covariance {
    /// Its value at a distance.
    pub fn at(self, distance: f64, length_scale: f64) -> f64 {
        let ratio = distance / length_scale;
        match self {
            Covariance::Rbf => (-0.5 * ratio * ratio).exp(),
            Covariance::Matern12 => (-ratio.abs()).exp(),
        }
    }
}

/// Configuration of a [`GaussianRandomField`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianRandomFieldConfig {
    /// Which covariance.
    pub covariance: Covariance,
    /// `l`, in units of the domain.
    pub length_scale: f64,
    /// Where the functions live.
    pub domain: Domain,
    /// Number of equidistant points at which a function is drawn.
    pub points: usize,
    /// What is added to the diagonal of the covariance before it is factored.
    pub jitter: f64,
    /// What is between the points.
    pub interpolation: Method,
}

impl GaussianRandomFieldConfig {
    /// The paper's: RBF on `[0, 1]`, 1000 points, cubic interpolation; with a jitter of 1e-10 (theirs: 1e-13), which
    /// leaves room for rounding at any length scale.
    pub fn new(length_scale: f64) -> Self {
        Self {
            covariance: Covariance::Rbf,
            length_scale,
            domain: Domain::unit(),
            points: 1000,
            jitter: 1e-10,
            interpolation: Method::Cubic,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If the length scale is not positive, the jitter negative, or the points too few or more than 20,000.
    pub fn validate(&self) -> Result<()> {
        check_positive("length_scale", self.length_scale)?;
        check_not_negative("jitter", self.jitter)?;
        let least = self.interpolation.least();
        check(
            (least..=20_000).contains(&self.points),
            "points",
            self.points,
            format!("{least} to 20000"),
        )
    }

    /// The field, its covariance factored.
    ///
    /// # Errors
    /// As [`GaussianRandomFieldConfig::validate`], or if the covariance with jitter is not positive definite.
    pub fn init(self) -> Result<GaussianRandomField> {
        self.validate()?;
        let grid = self.domain.grid(self.points);
        let entry = |i: usize, j: usize| {
            let apart = self.covariance.at(grid[i] - grid[j], self.length_scale);
            if i == j { apart + self.jitter } else { apart }
        };
        let factor = cholesky(Mat::from_fn(self.points, self.points, entry)).map_err(|row| {
            OperatorsError::NotPositiveDefinite {
                points: self.points,
                length_scale: self.length_scale,
                jitter: self.jitter,
                row,
            }
        })?;
        Ok(GaussianRandomField {
            config: self,
            grid,
            factor,
        })
    }
}

/// The lower factor of a positive definite matrix, by one thread so that its rounding is always the same; or the first
/// row that shows that the matrix is none.
fn cholesky(mut matrix: Mat<f64>) -> std::result::Result<Mat<f64>, usize> {
    let (n, params) = (matrix.nrows(), Default::default());
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, params));
    let stack = MemStack::new(&mut memory);
    cholesky_in_place(
        matrix.as_mut(),
        Default::default(),
        Par::Seq,
        stack,
        Default::default(),
    )
    .map_err(|LltError::NonPositivePivot { index }| index)?;
    // What lies above the diagonal is not written.
    Ok(Mat::from_fn(n, n, |i, j| {
        if i >= j { matrix[(i, j)] } else { 0.0 }
    }))
}

/// Functions that one task draws: a fixed number, so that sums do not depend on the number of threads.
const RUN: usize = 32;

/// Functions `u ~ N(0, k)`: drawn at the points of a grid by the Cholesky factor of the covariance, interpolated between
/// them. The features of a function are its values on the grid.
///
/// ```
/// use offprint_operators::spaces::{FunctionSpace, GaussianRandomFieldConfig};
/// # fn main() -> Result<(), offprint_operators::OperatorsError> {
/// let field = GaussianRandomFieldConfig::new(0.2).init()?;
/// let functions = field.draw(4, 0); // by seed 0
/// let at_sensors = field.evaluate(&functions, &field.domain().grid(100))?;
/// assert_eq!(at_sensors.len(), 4 * 100);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GaussianRandomField {
    config: GaussianRandomFieldConfig,
    grid: Vec<f64>,
    /// `L` of `K + jitter I = L Lᵀ`.
    factor: Mat<f64>,
}

impl GaussianRandomField {
    /// Its configuration.
    pub fn config(&self) -> &GaussianRandomFieldConfig {
        &self.config
    }

    /// The points at which functions are drawn.
    pub fn grid(&self) -> &[f64] {
        &self.grid
    }

    /// The covariance of the values on the grid, without jitter, row by row.
    pub fn covariance(&self) -> Vec<f64> {
        let GaussianRandomFieldConfig {
            covariance,
            length_scale,
            ..
        } = self.config;
        let row = |x: &f64| {
            let entries = self.grid.iter();
            entries
                .map(move |y| covariance.at(x - y, length_scale))
                .collect::<Vec<_>>()
        };
        self.grid.iter().flat_map(row).collect()
    }

    /// Functions from standard normal numbers, one a point and function: `L z`.
    ///
    /// # Errors
    /// If the numbers are not whole functions, or not finite.
    pub fn from_normal(&self, normal: &[f64]) -> Result<Functions> {
        let points = self.grid.len();
        let count = normal.len() / points;
        check_length("normal", normal.len(), count.max(1) * points)?;
        crate::error::check_finite("normal", normal)?;
        let mut values = vec![0.0; normal.len()];
        let size = RUN * points;
        let runs = values.par_chunks_mut(size).zip(normal.par_chunks(size));
        runs.for_each(|(values, normal)| {
            if normal.len() == size {
                return self.multiply(normal, values);
            }
            // A last run of fewer functions is filled up with zeros, so that no function's rounding depends on how many
            // are drawn with it.
            let (mut whole, mut found) = (normal.to_vec(), vec![0.0; size]);
            whole.resize(size, 0.0);
            self.multiply(&whole, &mut found);
            values.copy_from_slice(&found[..values.len()]);
        });
        Functions::new(points, values)
    }
}

impl GaussianRandomField {
    fn interpolate(&self, features: &[f64]) -> Interpolation {
        assert_eq!(features.len(), self.grid.len(), "values on the grid");
        let method = self.config.interpolation;
        Interpolation::of_checked(self.grid.clone(), features.to_vec(), method)
    }

    /// `L z` for [`RUN`] functions.
    fn multiply(&self, normal: &[f64], values: &mut [f64]) {
        let points = self.grid.len();
        // Rows of numbers are the columns of a matrix in faer's order.
        matmul(
            MatMut::from_column_major_slice_mut(values, points, RUN),
            Accum::Replace,
            self.factor.as_ref(),
            MatRef::from_column_major_slice(normal, points, RUN),
            1.0,
            Par::Seq,
        );
    }
}

impl FunctionSpace for GaussianRandomField {
    fn features(&self) -> usize {
        self.grid.len()
    }

    fn domain(&self) -> Domain {
        self.config.domain
    }

    fn draw(&self, count: usize, seed: u64) -> Functions {
        let normal = rows(count, self.grid.len(), seed, |generator, row| {
            for pair in row.chunks_mut(2) {
                for (slot, number) in pair.iter_mut().zip(normal_pair(generator)) {
                    *slot = number;
                }
            }
        });
        match count {
            0 => normal,
            _ => self
                .from_normal(normal.values())
                .expect("rows of finite numbers"),
        }
    }

    fn function<'a>(&'a self, features: &'a [f64]) -> Box<dyn Fn(f64) -> f64 + Sync + 'a> {
        let u = self.interpolate(features);
        Box::new(move |x| u.value(x))
    }

    fn integrals<'a>(
        &'a self,
        features: &'a [f64],
    ) -> Option<Box<dyn Fn(f64) -> [f64; 2] + Sync + 'a>> {
        let integrals = self.interpolate(features).integrals();
        Some(Box::new(move |x| integrals.at(x)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range() {
        let say = |config: GaussianRandomFieldConfig| config.init().unwrap_err().to_string();
        let base = GaussianRandomFieldConfig::new(0.2);
        assert_eq!(
            say(GaussianRandomFieldConfig::new(0.0)),
            "length_scale = 0, but it must be a positive finite number"
        );
        assert_eq!(
            say(GaussianRandomFieldConfig { points: 3, ..base }),
            "points = 3, but it must be 4 to 20000"
        );
        assert_eq!(
            say(GaussianRandomFieldConfig {
                jitter: -1.0,
                ..base
            }),
            "jitter = -1, but it must be a finite number of at least 0"
        );
        let error = say(GaussianRandomFieldConfig {
            jitter: 0.0,
            points: 200,
            ..base
        });
        assert!(
            error.contains("jitter 0 is not positive definite") && error.contains("larger jitter"),
            "{error}"
        );
    }

    /// Sample covariances over many functions, within five standard errors.
    #[test]
    fn draws_have_the_covariance() {
        for covariance in [Covariance::Rbf, Covariance::Matern12] {
            let field = GaussianRandomFieldConfig {
                covariance,
                points: 50,
                ..GaussianRandomFieldConfig::new(0.3)
            }
            .init()
            .unwrap();
            let count = 4000;
            let functions = field.draw(count, 1);
            let wanted = field.covariance();
            for (i, j) in [(0, 0), (0, 10), (25, 40), (49, 0)] {
                let products = functions.iter().map(|u| u[i] * u[j]);
                let seen = products.sum::<f64>() / count as f64;
                let wanted = wanted[i * 50 + j];
                let error = ((1.0 + wanted * wanted) / count as f64).sqrt();
                assert!((seen - wanted).abs() < 5.0 * error, "{seen} {wanted}");
            }
        }
    }

    /// Interpolated values on the grid are the drawn ones.
    #[test]
    fn interpolation_meets_the_grid() {
        let field = GaussianRandomFieldConfig {
            points: 30,
            ..GaussianRandomFieldConfig::new(0.2)
        }
        .init()
        .unwrap();
        let functions = field.draw(2, 4);
        let values = field.evaluate(&functions, field.grid()).unwrap();
        for (a, b) in values.iter().zip(functions.values()) {
            assert!((a - b).abs() < 1e-12);
        }
    }
}
