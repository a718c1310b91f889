//! Spaces of input functions, and what is between the points where a function is known.
//!
//! A [`FunctionSpace`] draws functions as rows of numbers (coefficients, or values on a grid) and evaluates them anywhere
//! in its domain. [`Interpolation`] makes a function of values at any ascending points.
//!
//! Source: Lu et al., arXiv:1910.03193, section 3 ("function spaces"), and `src/spaces.py` of the authors' code for the
//! constants.

mod gaussian_random_field;
mod interpolation;
mod series;

pub use gaussian_random_field::{Covariance, GaussianRandomField, GaussianRandomFieldConfig};
pub use interpolation::{Integrals, Interpolation, Method};
pub use series::{Chebyshev, PowerSeries};

use crate::error::{OperatorsError, Result, check_inside, check_length, check_positive};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

/// An interval `[0, end]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Domain {
    end: f64,
}

impl Domain {
    /// `[0, 1]`.
    pub fn unit() -> Self {
        Self { end: 1.0 }
    }

    /// `[0, end]`.
    ///
    /// # Errors
    /// If `end` is not a positive finite number.
    pub fn new(end: f64) -> Result<Self> {
        check_positive("end of the domain", end)?;
        Ok(Self { end })
    }

    /// Its right end.
    pub fn end(self) -> f64 {
        self.end
    }

    /// `count` equidistant points from 0 to the end: the sensors of the paper. A single one stands at 0.
    pub fn grid(self, count: usize) -> Vec<f64> {
        let last = count.saturating_sub(1).max(1) as f64;
        // The last point is the end itself, not what rounding makes of it.
        let point = |i: usize| {
            if i > 0 && i + 1 == count {
                self.end
            } else {
                self.end * (i as f64 / last)
            }
        };
        (0..count).map(point).collect()
    }

    fn check(self, points: &[f64]) -> Result<()> {
        check_inside("point", points, 0.0, self.end)
    }
}

/// Functions as rows of numbers whose meaning is their space's.
#[derive(Clone, Debug, PartialEq)]
pub struct Functions {
    features: usize,
    values: Vec<f64>,
}

impl Functions {
    /// Rows of `features` numbers.
    ///
    /// # Errors
    /// If `values` are not whole rows, or not finite.
    pub fn new(features: usize, values: Vec<f64>) -> Result<Self> {
        crate::error::check_sizes([("features", features)])?;
        let whole = values.len().next_multiple_of(features);
        check_length("functions", values.len(), whole)?;
        crate::error::check_finite("functions", &values)?;
        Ok(Self { features, values })
    }

    /// Number of functions.
    pub fn len(&self) -> usize {
        self.values.len() / self.features
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The numbers of one function.
    ///
    /// # Panics
    /// If there is no such function.
    pub fn get(&self, index: usize) -> &[f64] {
        &self.values[index * self.features..][..self.features]
    }

    /// The numbers of every function.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.features)
    }

    /// All numbers, function by function.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

/// A space that functions are drawn from.
pub trait FunctionSpace: Sync {
    /// Numbers of a function.
    fn features(&self) -> usize;

    /// Where its functions live.
    fn domain(&self) -> Domain;

    /// Functions drawn by a seed; function `i` of a seed is the same however many are drawn.
    fn draw(&self, count: usize, seed: u64) -> Functions;

    /// The function with these features, ready to be evaluated often.
    ///
    /// # Panics
    /// If there are not as many features as [`FunctionSpace::features`] says.
    fn function<'a>(&'a self, features: &'a [f64]) -> Box<dyn Fn(f64) -> f64 + Sync + 'a>;

    /// The function's first and second integral from 0, where the space knows them exactly. They are smoother than the
    /// function, so that a solver may take longer steps.
    ///
    /// # Panics
    /// As [`FunctionSpace::function`].
    fn integrals<'a>(
        &'a self,
        _features: &'a [f64],
    ) -> Option<Box<dyn Fn(f64) -> [f64; 2] + Sync + 'a>> {
        None
    }

    /// One value of a function; [`FunctionSpace::function`] is faster for many.
    ///
    /// # Panics
    /// As [`FunctionSpace::function`].
    fn value(&self, features: &[f64], x: f64) -> f64 {
        self.function(features)(x)
    }

    /// The values of functions at points, function by function.
    ///
    /// # Errors
    /// If a point is outside the domain, or the functions are of another space.
    fn evaluate(&self, functions: &Functions, points: &[f64]) -> Result<Vec<f64>> {
        self.domain().check(points)?;
        check_length(
            "features of a function",
            functions.features,
            self.features(),
        )?;
        let rows = functions.values.par_chunks_exact(functions.features);
        let values = rows.flat_map_iter(|features| {
            let u = self.function(features);
            points.iter().map(|&x| u(x)).collect::<Vec<_>>()
        });
        Ok(values.collect())
    }
}

/// The generator of function `index` of a seed.
fn generator(seed: u64, index: usize) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(index as u64);
    generator
}

/// A number in `[0, 1)`.
fn unit(generator: &mut ChaCha8Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Two standard normal numbers (Box and Muller 1958).
fn normal_pair(generator: &mut ChaCha8Rng) -> [f64; 2] {
    let (u, v) = (1.0 - unit(generator), unit(generator));
    let radius = (-2.0 * u.ln()).sqrt();
    let (sine, cosine) = (std::f64::consts::TAU * v).sin_cos();
    [radius * cosine, radius * sine]
}

/// Rows of numbers, one generator a row.
fn rows(
    count: usize,
    features: usize,
    seed: u64,
    fill: impl Fn(&mut ChaCha8Rng, &mut [f64]) + Sync,
) -> Functions {
    let mut values = vec![0.0; count * features];
    let rows = values.par_chunks_exact_mut(features).enumerate();
    rows.for_each(|(index, row)| fill(&mut generator(seed, index), row));
    Functions { features, values }
}

/// A range of `1..=most` that sizes of spaces must lie in.
fn check_terms(name: &'static str, value: usize, most: usize) -> Result<()> {
    match (1..=most).contains(&value) {
        true => Ok(()),
        false => Err(OperatorsError::Range {
            name,
            value: value.to_string(),
            allowed: format!("1 to {most}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_end_where_the_domain_ends() {
        let domain = Domain::new(3.0).unwrap();
        assert_eq!(domain.grid(4), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(domain.grid(1), [0.0]);
        assert!(domain.grid(0).is_empty());
        assert_eq!(Domain::new(0.7).unwrap().grid(50)[49], 0.7);
        for end in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = Domain::new(end).unwrap_err().to_string();
            assert!(error.ends_with("but it must be a positive finite number"));
        }
    }

    #[test]
    fn a_function_does_not_depend_on_how_many_are_drawn() {
        let field = GaussianRandomFieldConfig::new(0.2).init().unwrap();
        let spaces: [&dyn FunctionSpace; 3] = [
            &field,
            &Chebyshev::new(7, 2.0, Domain::unit()).unwrap(),
            &PowerSeries::new(3, 1.0, Domain::unit()).unwrap(),
        ];
        for space in spaces {
            let (few, many) = (space.draw(3, 5), space.draw(40, 5));
            for index in 0..3 {
                assert_eq!(few.get(index), many.get(index));
            }
            assert_ne!(space.draw(3, 6), few);
        }
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut generator = generator(1, 0);
        let numbers: Vec<f64> = (0..50_000)
            .flat_map(|_| normal_pair(&mut generator))
            .collect();
        let count = numbers.len() as f64;
        let moment = |power| numbers.iter().map(|x: &f64| x.powi(power)).sum::<f64>() / count;
        // Four standard errors.
        assert!(moment(1).abs() < 4.0 / count.sqrt());
        assert!((moment(2) - 1.0).abs() < 4.0 * (2.0 / count).sqrt());
        assert!((moment(4) - 3.0).abs() < 4.0 * (96.0 / count).sqrt());
    }

    #[test]
    fn points_outside_are_named() {
        let space = Chebyshev::new(3, 1.0, Domain::unit()).unwrap();
        let functions = space.draw(2, 0);
        let error = space.evaluate(&functions, &[0.5, 1.5]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "point[1] = 1.5, but the domain is 0 to 1"
        );
        let error = space.evaluate(&functions, &[f64::NAN]).unwrap_err();
        assert_eq!(error.to_string(), "point[0] = NaN, but it must be finite");
        let other = PowerSeries::new(4, 1.0, Domain::unit()).unwrap();
        assert!(other.evaluate(&functions, &[0.5]).is_err());
    }
}
