//! Entropy of probabilities that may be zero: `-Σ p ln(p + ε)`.

use crate::math::ln;
use crate::op::{Array, Kernel, Pass, runs_on, unary};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor};

/// Partial sums side by side, and elements of a piece that is summed in 32 bits.
const LANES: usize = 8;
const PIECE: usize = 64;

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
        let sum = vectorized(
            #[inline(always)]
            || {
                // Sums of short pieces are kept in 64 bits, since there may be a million small terms.
                let piece = |p: &[f32]| -> f64 {
                    let mut sums = [0.0; LANES];
                    for p in p.chunks(LANES) {
                        for (sum, p) in sums.iter_mut().zip(p) {
                            *sum += if *p == 0.0 {
                                0.0
                            } else {
                                p * ln(p + self.epsilon)
                            };
                        }
                    }
                    sums.iter().copied().map(f64::from).sum()
                };
                inputs[0].f32().chunks(PIECE).map(piece).sum::<f64>()
            },
        );
        (Array::new(vec![-sum as f32], [1]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (dy, p) = (pass.dy.f32()[0], &pass.inputs[0]);
        let slopes = vectorized(
            #[inline(always)]
            || {
                let slope = |p: &f32| -dy * (ln(p + self.epsilon) + p / (p + self.epsilon));
                p.f32().iter().map(slope).collect()
            },
        );
        vec![Some(Array::new(slopes, p.shape()))]
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
