//! The Legendre transform.

use super::Quadrature;
use crate::error::{Result, check};

/// Most terms.
const MOST: usize = 1000;

/// `J_n = ∫_{−1}^{1} u(x) P_n(x) dx` for `n = 0 … terms − 1`, by Gauss–Legendre with 64 nodes more than there are terms.
///
/// # Errors
/// If there is no term, or more than 1,000.
pub fn legendre_transform(u: impl Fn(f64) -> f64, terms: usize) -> Result<Vec<f64>> {
    let allowed = format!("1 to {MOST}");
    check((1..=MOST).contains(&terms), "terms", terms, allowed)?;
    let rule = Quadrature::legendre(terms + 64)?;
    let mut found = vec![0.0; terms];
    for (&x, weight) in rule.nodes.iter().zip(&rule.weights) {
        let value = weight * u(x);
        // (n + 1) P_{n+1} = (2 n + 1) x P_n − n P_{n−1}
        let (mut before, mut now) = (0.0, 1.0);
        for (n, sum) in found.iter_mut().enumerate() {
            *sum += value * now;
            let n = n as f64;
            (before, now) = (now, ((2.0 * n + 1.0) * x * now - n * before) / (n + 1.0));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_orthogonal() {
        // P_3 and P_0: ∫ P_n² = 2/(2 n + 1).
        let cubic = legendre_transform(|x| 0.5 * (5.0 * x.powi(3) - 3.0 * x), 8).unwrap();
        for (n, value) in cubic.iter().enumerate() {
            let wanted = if n == 3 { 2.0 / 7.0 } else { 0.0 };
            assert!((value - wanted).abs() < 1e-14);
        }
        assert!(legendre_transform(|_| 1.0, 0).is_err());
    }

    /// Parseval: ∫ u² = Σ (2 n + 1)/2 J_n².
    #[test]
    fn energy_is_kept() {
        let transform = legendre_transform(f64::exp, 30).unwrap();
        let energy = transform.iter().enumerate();
        let energy: f64 = energy.map(|(n, j)| (n as f64 + 0.5) * j * j).sum();
        assert!((energy - 2_f64.sinh()).abs() < 1e-13);
    }
}
