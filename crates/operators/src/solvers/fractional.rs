//! The fractional derivative of Caputo.

use super::Quadrature;
use crate::error::{Result, check, check_inside};
use statrs::function::gamma::gamma;

/// `D^α u(y) = 1/Γ(1 − α) ∫_{low}^{y} u'(s) (y − s)^−α ds`, of order `0 < α < 1`, on `[low, ∞)`.
///
/// The kernel is singular at `y`; it is the weight of a Gauss–Jacobi rule, which leaves a smooth integrand. With `n` nodes
/// it is exact for polynomials `u` of degree up to `2 n`.
#[derive(Clone, Debug, PartialEq)]
pub struct Caputo {
    alpha: f64,
    low: f64,
    rule: Quadrature,
}

impl Caputo {
    /// The derivative of order `alpha` from `low` on, by `nodes` nodes.
    ///
    /// # Errors
    /// If the order is not between 0 and 1, `low` not finite, or there is no node or more than 2,000.
    pub fn new(alpha: f64, low: f64, nodes: usize) -> Result<Self> {
        let between = alpha > 0.0 && alpha < 1.0;
        check(between, "alpha", alpha, "above 0 and below 1")?;
        check(low.is_finite(), "low", low, "a finite number")?;
        let rule = Quadrature::jacobi(nodes, -alpha, 0.0)?;
        Ok(Self { alpha, low, rule })
    }

    /// `D^α u(y)`, given `u'`; zero at the base point.
    ///
    /// # Errors
    /// If `y` lies before the base point, or is not finite.
    pub fn at(&self, slope: impl Fn(f64) -> f64, y: f64) -> Result<f64> {
        check_inside("point", &[y], self.low, f64::MAX)?;
        let half = (y - self.low) / 2.0;
        if half == 0.0 {
            return Ok(0.0);
        }
        // s = low + half (1 + z), y − s = half (1 − z)
        let integral = self.rule.integrate(|z| slope(self.low + half * (1.0 + z)));
        Ok(integral * half.powf(1.0 - self.alpha) / gamma(1.0 - self.alpha))
    }
}

/// [`Caputo`] with 64 nodes at several points.
///
/// # Errors
/// As [`Caputo::new`] and [`Caputo::at`].
pub fn caputo(
    slope: impl Fn(f64) -> f64,
    alpha: f64,
    low: f64,
    points: &[f64],
) -> Result<Vec<f64>> {
    let derivative = Caputo::new(alpha, low, 64)?;
    points.iter().map(|&y| derivative.at(&slope, y)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D^α t^k = Γ(k + 1)/Γ(k + 1 − α) t^(k − α).
    #[test]
    fn powers_have_closed_forms() {
        for alpha in [0.01, 0.5, 0.99] {
            for k in 1..8 {
                let n = f64::from(k);
                let points = [0.1, 1.0, 3.0];
                let found = caputo(|t| n * t.powi(k - 1), alpha, 0.0, &points).unwrap();
                for (y, found) in points.iter().zip(found) {
                    let wanted = gamma(n + 1.0) / gamma(n + 1.0 - alpha) * y.powf(n - alpha);
                    assert!((found - wanted).abs() < 1e-11 * wanted, "{alpha} {k} {y}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_computed() {
        let say = |alpha, y| caputo(|_| 1.0, alpha, -1.0, &[y]).unwrap_err().to_string();
        assert_eq!(
            say(1.0, 0.0),
            "alpha = 1, but it must be above 0 and below 1"
        );
        assert!(say(0.5, -1.5).starts_with("point[0] = -1.5, but the domain is -1 to"));
        assert_eq!(caputo(|_| 1.0, 0.5, -1.0, &[-1.0]).unwrap(), [0.0]);
    }
}
