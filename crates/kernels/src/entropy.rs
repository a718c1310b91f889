//! Entropy of probabilities that may be zero: `-Σ p ln(p + ε)`.

use crate::op::{Array, Kernel, Pass, runs_on, unary};
use burn::tensor::{DType, Tensor};

/// `-Σ p ln(p + ε)` over all elements, in nats.
///
/// # Shapes
/// * `p`: any
/// * result: `[1]`
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let p = Tensor::<1>::from_data([0.5, 0.5, 0.0], &Device::flex());
/// let entropy = offprint_kernels::entropy(p, 1e-6).into_scalar::<f32>();
/// assert!((entropy - std::f32::consts::LN_2).abs() < 1e-5);
/// ```
pub fn entropy<const D: usize>(p: Tensor<D>, epsilon: f32) -> Tensor<1> {
    if !runs_on(&p, &[DType::F32]) {
        return composed(p, epsilon);
    }
    unary(Entropy { epsilon }, p)
}

/// The same from Burn's primitives.
fn composed<const D: usize>(p: Tensor<D>, epsilon: f32) -> Tensor<1> {
    (p.clone() * (p + epsilon).log()).sum().neg()
}

#[derive(Debug)]
struct Entropy {
    epsilon: f32,
}

impl Kernel for Entropy {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        // Most reach probabilities of a trained tree are exactly zero: no logarithm for them. The sum is kept in 64 bits
        // because it may run over a million of small terms.
        let terms = inputs[0].f32().iter().filter(|p| **p != 0.0);
        let sum: f64 = terms.map(|p| f64::from(p * (p + self.epsilon).ln())).sum();
        (Array::new(vec![-sum as f32], [1]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (dy, at_zero) = (pass.dy.f32()[0], self.epsilon.ln());
        let slope = |p: &f32| match *p {
            0.0 => -dy * at_zero,
            p => -dy * ((p + self.epsilon).ln() + p / (p + self.epsilon)),
        };
        let p = &pass.inputs[0];
        vec![Some(Array::new(
            p.f32().iter().map(slope).collect(),
            p.shape(),
        ))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for shape in [[1, 1], [3, 5], [64, 33]] {
            let x = tensor(shape, 1);
            // Half of the probabilities are exactly zero.
            let p = || burn::tensor::activation::relu(x.clone().transpose());
            assert_same!(entropy(p(), 1e-6), composed(p(), 1e-6), [x], 1e-4);
        }
    }

    #[test]
    fn nothing_has_no_entropy() {
        assert_eq!(entropy(tensor([0, 4], 1), 1e-6).into_scalar::<f32>(), 0.0);
    }
}
