//! Logarithm of a sigmoid.

use crate::math::{sigmoid, softplus};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, unary};
use crate::parallel::{PIECE, pieces};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor, activation};

/// `factor · ln σ(x)`, element by element: the log decay of a gated linear attention, with `factor = 1/τ`.
///
/// # Shapes
/// * `x`, result: any
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<1>::from_data([0.0], &Device::flex());
/// let y = offprint_kernels::log_sigmoid(x, 0.5).into_scalar::<f32>();
/// assert!((y + 0.5 * 2.0_f32.ln()).abs() < 1e-6);
/// ```
pub fn log_sigmoid<const D: usize>(x: Tensor<D>, factor: f32) -> Tensor<D> {
    if runs_on(&x, &[DType::F32]) {
        unary(LogSigmoid { factor }, x)
    } else {
        activation::log_sigmoid(x) * factor
    }
}

#[derive(Debug)]
struct LogSigmoid {
    factor: f32,
}

impl Kernel for LogSigmoid {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let x = inputs[0].f32();
        let mut y = Buffer::new(x.len());
        pieces(&mut y, PIECE, |start, y| {
            vectorized(
                #[inline(always)]
                || {
                    for (y, x) in y.iter_mut().zip(&x[start..]) {
                        *y = -self.factor * softplus(-*x);
                    }
                },
            );
        });
        (Array::from_buffer(y, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (x, dy) = (pass.inputs[0].f32(), pass.dy.f32());
        let mut dx = Buffer::new(x.len());
        pieces(&mut dx, PIECE, |start, dx| {
            vectorized(
                #[inline(always)]
                || {
                    for ((dx, dy), x) in dx.iter_mut().zip(&dy[start..]).zip(&x[start..]) {
                        *dx = dy * self.factor * sigmoid(-*x);
                    }
                },
            );
        });
        vec![Some(Array::from_buffer(dx, pass.inputs[0].shape()))]
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
        for (shape, spread) in [
            ([3, 5], 1.0),
            ([1, 1], 30.0),
            ([300, 130], 8.0),
            ([0, 4], 1.0),
        ] {
            let x = tensor(shape, 1);
            let wide = || x.clone() * spread;
            assert_same!(
                log_sigmoid(wide(), 0.0625),
                activation::log_sigmoid(wide()) * 0.0625,
                [x],
                1e-5
            );
        }
    }

    #[test]
    fn far_from_zero() {
        let x = Tensor::<1>::from_data([-1e30, -100.0, 100.0, 1e30], &Default::default());
        let y: Vec<f32> = log_sigmoid(x, 1.0).into_data().try_to_vec().unwrap();
        assert_eq!((y[0], y[1], y[3]), (-1e30, -100.0, 0.0));
        assert!(y[2] < 0.0 && y[2] > -1e-43);
    }
}
