//! Finite series with bounded coefficients.

use super::{Domain, FunctionSpace, Functions, check_terms, rows, unit};
use crate::error::{Result, check_positive};

/// Largest number of terms.
const MOST: usize = 1 << 16;

/// `u(x) = Σ_k c_k T_k(2 x/end − 1)` with `n` Chebyshev polynomials of the first kind and coefficients uniform in
/// `[−M, M)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chebyshev {
    terms: usize,
    bound: f64,
    domain: Domain,
}

/// `u(x) = Σ_k c_k x^k` with `n` powers and coefficients uniform in `[−M, M)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerSeries {
    terms: usize,
    bound: f64,
    domain: Domain,
}

impl Chebyshev {
    /// A space of `terms` polynomials whose coefficients are at most `bound`.
    ///
    /// # Errors
    /// If there is no term or more than 65,536, or the bound is not positive.
    pub fn new(terms: usize, bound: f64, domain: Domain) -> Result<Self> {
        check_terms("terms", terms, MOST)?;
        check_positive("bound", bound)?;
        Ok(Self {
            terms,
            bound,
            domain,
        })
    }

    /// `Σ_k c_k T_k(z)` by Clenshaw's recurrence, stable for `|z| ≤ 1`.
    pub fn sum(coefficients: &[f64], z: f64) -> f64 {
        let (mut one, mut two) = (0.0, 0.0);
        for &c in coefficients.iter().skip(1).rev() {
            (one, two) = (c + 2.0 * z * one - two, one);
        }
        coefficients.first().copied().unwrap_or(0.0) + z * one - two
    }
}

impl PowerSeries {
    /// A space of `terms` powers whose coefficients are at most `bound`.
    ///
    /// # Errors
    /// As [`Chebyshev::new`].
    pub fn new(terms: usize, bound: f64, domain: Domain) -> Result<Self> {
        check_terms("terms", terms, MOST)?;
        check_positive("bound", bound)?;
        Ok(Self {
            terms,
            bound,
            domain,
        })
    }

    /// `Σ_k c_k x^k` by Horner's rule.
    pub fn sum(coefficients: &[f64], x: f64) -> f64 {
        coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
    }
}

/// Coefficients uniform in `[−bound, bound)`.
fn coefficients(count: usize, terms: usize, bound: f64, seed: u64) -> Functions {
    rows(count, terms, seed, |generator, row| {
        for c in row {
            *c = bound * (2.0 * unit(generator) - 1.0);
        }
    })
}

impl FunctionSpace for Chebyshev {
    fn features(&self) -> usize {
        self.terms
    }

    fn domain(&self) -> Domain {
        self.domain
    }

    fn draw(&self, count: usize, seed: u64) -> Functions {
        coefficients(count, self.terms, self.bound, seed)
    }

    fn function<'a>(&'a self, features: &'a [f64]) -> Box<dyn Fn(f64) -> f64 + Sync + 'a> {
        assert_eq!(features.len(), self.terms, "coefficients");
        let end = self.domain.end();
        Box::new(move |x| Self::sum(features, 2.0 * x / end - 1.0))
    }
}

impl FunctionSpace for PowerSeries {
    fn features(&self) -> usize {
        self.terms
    }

    fn domain(&self) -> Domain {
        self.domain
    }

    fn draw(&self, count: usize, seed: u64) -> Functions {
        coefficients(count, self.terms, self.bound, seed)
    }

    fn function<'a>(&'a self, features: &'a [f64]) -> Box<dyn Fn(f64) -> f64 + Sync + 'a> {
        assert_eq!(features.len(), self.terms, "coefficients");
        Box::new(move |x| Self::sum(features, x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn settings_out_of_range() {
        let say = |terms, bound| {
            let error = Chebyshev::new(terms, bound, Domain::unit()).unwrap_err();
            error.to_string()
        };
        assert_eq!(say(0, 1.0), "terms = 0, but it must be 1 to 65536");
        assert_eq!(
            say(1, 0.0),
            "bound = 0, but it must be a positive finite number"
        );
        assert!(PowerSeries::new(1, f64::NAN, Domain::unit()).is_err());
    }

    #[test]
    fn coefficients_fill_their_range() {
        let drawn = coefficients(1000, 10, 2.0, 3);
        let values = drawn.values();
        assert!(values.iter().all(|c| (-2.0..2.0).contains(c)));
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let square = values.iter().map(|c| c * c).sum::<f64>() / count;
        assert!(mean.abs() < 4.0 * (4.0 / 3.0 / count).sqrt());
        assert!((square - 4.0 / 3.0).abs() < 0.06);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

        /// T_k(cos θ) = cos k θ, and Chebyshev sums are bounded by the sum of their coefficients.
        #[test]
        fn chebyshev_sums_are_cosine_sums(
            coefficients in prop::collection::vec(-1.0..1.0f64, 1..30),
            angle in 0.0..std::f64::consts::PI,
        ) {
            let found = Chebyshev::sum(&coefficients, angle.cos());
            let wanted: f64 = coefficients.iter().enumerate().map(|(k, c)| c * (k as f64 * angle).cos()).sum();
            prop_assert!((found - wanted).abs() < 1e-11);
        }

        #[test]
        fn power_sums_are_power_sums(
            coefficients in prop::collection::vec(-1.0..1.0f64, 1..30),
            x in 0.0..1.0f64,
        ) {
            let wanted: f64 = coefficients.iter().enumerate().map(|(k, c)| c * x.powi(k as i32)).sum();
            prop_assert!((PowerSeries::sum(&coefficients, x) - wanted).abs() < 1e-12);
        }
    }
}
