//! Gauss quadrature on `[−1, 1]` for the weight `(1 − x)^a (1 + x)^b`.
//!
//! Source: Golub and Welsch, "Calculation of Gauss quadrature rules", 1969.

use crate::error::{OperatorsError, Result, check};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use statrs::function::gamma::gamma;

/// `∫ f(x) (1 − x)^a (1 + x)^b dx ≈ Σ_i w_i f(x_i)`, exact for polynomials of degree up to `2 n − 1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quadrature {
    /// `x_i`, ascending.
    pub nodes: Vec<f64>,
    /// `w_i`, positive.
    pub weights: Vec<f64>,
}

/// Most nodes.
const MOST: usize = 2000;

impl Quadrature {
    /// Gauss–Legendre: the weight 1.
    ///
    /// # Errors
    /// If there is no node or more than 2,000.
    pub fn legendre(nodes: usize) -> Result<Self> {
        Self::jacobi(nodes, 0.0, 0.0)
    }

    /// Gauss–Jacobi.
    ///
    /// # Errors
    /// If there is no node or more than 2,000, or an exponent is not above −1.
    pub fn jacobi(nodes: usize, a: f64, b: f64) -> Result<Self> {
        let count = format!("1 to {MOST}");
        check((1..=MOST).contains(&nodes), "nodes", nodes, count)?;
        for (name, exponent) in [("a", a), ("b", b)] {
            let holds = exponent > -1.0 && exponent <= 100.0;
            check(holds, name, exponent, "above -1 and at most 100")?;
        }
        // The recurrence of the Jacobi polynomials as a symmetric tridiagonal matrix.
        let ab = a + b;
        let on = |k: usize| {
            let k = k as f64;
            match k {
                0.0 => (b - a) / (ab + 2.0),
                _ if b * b == a * a => 0.0,
                _ => (b * b - a * a) / ((2.0 * k + ab) * (2.0 * k + ab + 2.0)),
            }
        };
        let beside = |k: usize| {
            let (k, s) = (k as f64, 2.0 * k as f64 + ab);
            let square = match k {
                // The general form is 0/0 for a + b = −1.
                1.0 => 4.0 * (1.0 + a) * (1.0 + b) / ((2.0 + ab) * (2.0 + ab) * (3.0 + ab)),
                _ => 4.0 * k * (k + a) * (k + b) * (k + ab) / (s * s * (s + 1.0) * (s - 1.0)),
            };
            square.sqrt()
        };
        let matrix = Mat::from_fn(nodes, nodes, |i, j| match i.abs_diff(j) {
            0 => on(i),
            1 => beside(i.max(j)),
            _ => 0.0,
        });
        let (mut values, mut vectors) = (Diag::zeros(nodes), Mat::zeros(nodes, nodes));
        let (all, params) = (ComputeEigenvectors::Yes, Default::default());
        let mut memory = MemBuffer::new(self_adjoint_evd_scratch::<f64>(
            nodes,
            all,
            Par::Seq,
            params,
        ));
        self_adjoint_evd(
            matrix.as_ref(),
            values.as_mut(),
            Some(vectors.as_mut()),
            // One thread, so that rounding is always the same.
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        )
        .map_err(|_| OperatorsError::Range {
            name: "nodes",
            value: nodes.to_string(),
            allowed: "fewer: the nodes did not converge".into(),
        })?;
        let total = 2_f64.powf(ab + 1.0) * gamma(a + 1.0) * gamma(b + 1.0) / gamma(ab + 2.0);
        Ok(Self {
            nodes: values.column_vector().iter().copied().collect(),
            weights: vectors.row(0).iter().map(|v| total * v * v).collect(),
        })
    }

    /// `Σ_i w_i f(x_i)`.
    pub fn integrate(&self, f: impl Fn(f64) -> f64) -> f64 {
        let terms = self.nodes.iter().zip(&self.weights);
        terms.map(|(&x, w)| w * f(x)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_exact() {
        for nodes in [1, 2, 5, 20, 64] {
            let rule = Quadrature::legendre(nodes).unwrap();
            for degree in 0..(2 * nodes as i32).min(40) {
                let wanted = if degree % 2 == 0 {
                    2.0 / f64::from(degree + 1)
                } else {
                    0.0
                };
                let found = rule.integrate(|x| x.powi(degree));
                assert!((found - wanted).abs() < 1e-13, "{nodes} {degree}: {found}");
            }
        }
        // ∫ (1 − x)^−½ (1 + x)^k dx = 2^(k + ½) B(½, k + 1)
        let rule = Quadrature::jacobi(6, -0.5, 0.0).unwrap();
        for k in 0..12 {
            let n = f64::from(k);
            let beta = gamma(0.5) * gamma(n + 1.0) / gamma(n + 1.5);
            let wanted = 2_f64.powf(n + 0.5) * beta;
            let found = rule.integrate(|x| (1.0 + x).powi(k));
            assert!(
                (found - wanted).abs() < 1e-11 * wanted,
                "{k}: {found} {wanted}"
            );
        }
    }

    /// Chebyshev's weight, where a + b = −1: all weights are π/n.
    #[test]
    fn chebyshev_nodes() {
        let n = 7;
        let rule = Quadrature::jacobi(n, -0.5, -0.5).unwrap();
        for (i, (x, w)) in rule.nodes.iter().zip(&rule.weights).enumerate() {
            let angle = std::f64::consts::PI * (n - 1 - i) as f64 + std::f64::consts::FRAC_PI_2;
            assert!((x - (angle / n as f64).cos()).abs() < 1e-14);
            assert!((w - std::f64::consts::PI / n as f64).abs() < 1e-13);
        }
    }

    #[test]
    fn settings_out_of_range() {
        let say = |n, a| Quadrature::jacobi(n, a, 0.0).unwrap_err().to_string();
        assert_eq!(say(0, 0.0), "nodes = 0, but it must be 1 to 2000");
        assert_eq!(
            say(3, -1.0),
            "a = -1, but it must be above -1 and at most 100"
        );
    }
}
