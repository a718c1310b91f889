//! The gain that keeps the variance of what a linear layer puts out.

use crate::error::{Result, check};

/// Where the normal density is zero for all purposes.
const FAR: f64 = 12.0;

/// Intervals on either side of zero, an even number.
const INTERVALS: usize = 4096;

/// `E[f(z)²]` for a standard normal `z`, by Simpson's rule on either side of zero.
pub fn second_moment(f: impl Fn(f64) -> f64) -> f64 {
    let step = FAR / INTERVALS as f64;
    let term = |z: f64| {
        let value = f(z);
        value * value * (-0.5 * z * z).exp()
    };
    let half = |sign: f64| -> f64 {
        let weighted = (0..=INTERVALS).map(|i| {
            let weight = match i {
                0 | INTERVALS => 1.0,
                _ if i % 2 == 1 => 4.0,
                _ => 2.0,
            };
            weight * term(sign * step * i as f64)
        });
        weighted.sum()
    };
    (half(1.0) + half(-1.0)) * step / 3.0 / std::f64::consts::TAU.sqrt()
}

/// `1 / √E[f(z)²]`, `z` standard normal: weights of deviation `gain / √inputs` behind `f` give outputs of variance 1.
///
/// # Errors
/// If the expectation is zero or not finite.
///
/// Source: He et al., "Delving Deep into Rectifiers", 2015; for learnable functions, "Kolmogorov-Arnold Transformer",
/// section 4.4.
///
/// ```
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let gain = offprint_layers::rational::activation_gain(|x| x.max(0.0))?;
/// assert!((gain - 2f64.sqrt()).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
pub fn activation_gain(f: impl Fn(f64) -> f64) -> Result<f64> {
    let moment = second_moment(f);
    check(
        moment > 0.0 && moment.is_finite(),
        "the second moment of the function",
        moment,
        "a positive finite number",
    )?;
    Ok(moment.sqrt().recip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rational::value_of;
    use offprint_kernels::Activation;

    /// By SciPy's adaptive quadrature. The authors' code has 2.3568 and 2.8178, from random draws.
    #[test]
    fn squared_gains_of_activations() {
        for (f, squared) in [
            (Activation::Gelu, 2.351_715_614_073_373),
            (Activation::Silu, 2.810_761_124_074_470_5),
            (Activation::Relu, 2.0),
        ] {
            let gain = activation_gain(|x| value_of(f, x)).unwrap();
            assert!((gain * gain / squared - 1.0).abs() < 1e-6, "{f:?} {gain}");
        }
    }

    #[test]
    fn powers_have_known_moments() {
        for (power, moment) in [(0, 1.0), (1, 1.0), (2, 3.0), (3, 15.0)] {
            assert!((second_moment(|x| x.powi(power)) / moment - 1.0).abs() < 1e-10);
        }
        let error = activation_gain(|_| 0.0).unwrap_err().to_string();
        assert_eq!(
            error,
            "the second moment of the function = 0, but it must be a positive finite number"
        );
    }
}
