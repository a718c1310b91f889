//! Absolute values.

use crate::in_place::rewritten;
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, unary};
use crate::parallel::{PIECE, pieces};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor};

/// `|x|`, element by element; the gradient at 0 is 0.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<1>::from_data([-1.5, 0.0, 2.0], &Device::flex());
/// let y = offprint_kernels::abs(x);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [1.5, 0.0, 2.0]);
/// ```
pub fn abs<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match runs_on(&x, &[DType::F32]) {
        true => unary(Abs, x),
        false => x.abs(),
    }
}

#[derive(Debug)]
struct Abs;

impl Kernel for Abs {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let x = inputs[0].f32();
        let mut y = Buffer::new(x.len());
        pieces(&mut y, PIECE, |start, y| {
            let x = &x[start..][..y.len()];
            vectorized(
                #[inline(always)]
                || {
                    for (y, x) in y.iter_mut().zip(x) {
                        *y = x.abs();
                    }
                },
            );
        });
        (Array::from_buffer(y, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let x = pass.inputs[0].f32();
        let dx = rewritten(pass.dy, PIECE, |start, dy| {
            let x = &x[start..][..dy.len()];
            vectorized(
                #[inline(always)]
                || {
                    for (dy, x) in dy.iter_mut().zip(x) {
                        let positive = if *x > 0.0 { *dy } else { 0.0 };
                        *dy = if *x < 0.0 { -*dy } else { positive };
                    }
                },
            );
        });
        vec![Some(dx)]
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for shape in [[0, 3], [1, 1], [7, 5], [300, 129]] {
            let x = tensor(shape, 1);
            assert_same!(abs(x.clone()), x.clone().abs(), [x], 0.0);
            // At 0, and of a view.
            let x = Tensor::from_inner(x.inner().clamp_min(0.0)).require_grad();
            let view = || x.clone().transpose();
            assert_same!(abs(view()), view().abs(), [x], 0.0);
        }
    }
}
