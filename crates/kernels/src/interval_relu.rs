//! ReLU of a box of numbers, given by center and radius.

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, binary, runs_on};
use crate::parallel::{PIECE, pieces};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor};

/// Center and radius of the box that ReLU makes of the box `center ± radius`: with `l = max(0, c − r)` and
/// `u = max(0, c + r)`, `(l + u) / 2` and `(u − l) / 2`.
///
/// Each is one pass over the inputs, and so is each of its gradients; from primitives it is four.
///
/// # Panics
/// If the shapes differ.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::interval_relu;
/// let device = Device::flex();
/// let center = Tensor::<1>::from_data([-3.0, 0.0, 3.0], &device);
/// let (center, radius) = interval_relu(center, Tensor::ones([3], &device));
/// assert_eq!(center.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.5, 3.0]);
/// assert_eq!(radius.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.5, 1.0]);
/// ```
pub fn interval_relu<const D: usize>(
    center: Tensor<D>,
    radius: Tensor<D>,
) -> (Tensor<D>, Tensor<D>) {
    let (dims, other) = (center.dims(), radius.dims());
    assert_eq!(dims, other, "center and radius of a box");
    if !runs_on(&center, &[DType::F32]) {
        return composed(center, radius);
    }
    let half = |sign| binary(Half { sign }, center.clone(), radius.clone());
    (half(1.0), half(-1.0))
}

/// The same from Burn's primitives.
fn composed<const D: usize>(center: Tensor<D>, radius: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    let lower = burn::tensor::activation::relu(center.clone() - radius.clone());
    let upper = burn::tensor::activation::relu(center + radius);
    ((upper.clone() + lower.clone()) * 0.5, (upper - lower) * 0.5)
}

/// `(u + s l) / 2` with the sign `s`.
#[derive(Debug)]
struct Half {
    sign: f32,
}

impl Kernel for Half {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (center, radius) = (inputs[0].f32(), inputs[1].f32());
        let mut y = Buffer::new(center.len());
        pieces(&mut y, PIECE, |start, y| {
            let (center, radius) = (&center[start..][..y.len()], &radius[start..][..y.len()]);
            vectorized(
                #[inline(always)]
                || {
                    for ((y, c), r) in y.iter_mut().zip(center).zip(radius) {
                        *y = 0.5 * (positive(c + r) + self.sign * positive(c - r));
                    }
                },
            );
        });
        (Array::from_buffer(y, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (center, radius) = (pass.inputs[0].f32(), pass.inputs[1].f32());
        let dy = pass.dy.f32();
        // The center moves both bounds alike, the radius moves them apart.
        let gradient = |sign: f32| {
            let mut out = Buffer::new(dy.len());
            pieces(&mut out, PIECE, |start, out| {
                let (center, radius) =
                    (&center[start..][..out.len()], &radius[start..][..out.len()]);
                let dy = &dy[start..][..out.len()];
                vectorized(
                    #[inline(always)]
                    || {
                        for (((out, c), r), dy) in out.iter_mut().zip(center).zip(radius).zip(dy) {
                            *out = 0.5 * dy * (step(c + r) + sign * step(c - r));
                        }
                    },
                );
            });
            Array::from_buffer(out, pass.inputs[0].shape())
        };
        vec![
            pass.wanted[0].then(|| gradient(self.sign)),
            pass.wanted[1].then(|| gradient(-self.sign)),
        ]
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}

/// `max(0, x)`, and what is not a number stays so.
#[inline(always)]
fn positive(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// The slope of [`positive`].
#[inline(always)]
fn step(x: f32) -> f32 {
    if x > 0.0 { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for shape in [[0, 3], [1, 1], [7, 5], [300, 129]] {
            let (center, radius) = (tensor(shape, 1), tensor(shape, 2).abs());
            // Different weights, so that no gradient cancels.
            let both = |(c, r): (Tensor<2>, Tensor<2>)| c * 3.0 + r;
            let radius = radius.detach().require_grad();
            assert_same!(
                both(interval_relu(center.clone(), radius.clone())),
                both(composed(center.clone(), radius.clone())),
                [center, radius],
                1e-6
            );
        }
    }

    #[test]
    #[should_panic(expected = "center and radius of a box")]
    fn unequal_shapes() {
        interval_relu(tensor([1, 2], 1), tensor([2, 1], 2));
    }
}
