//! ReLU of a box of numbers, given by center and radius.

use crate::memory::Buffer;
use crate::op::{Array, Pass, binary, runs_on};
use crate::pair::{Pair, PairKernel};
use crate::parallel::{PIECE, cuts};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor};

/// Center and radius of the box that ReLU makes of the box `center ± radius`: with `l = max(0, c − r)` and
/// `u = max(0, c + r)`, `(l + u) / 2` and `(u − l) / 2`.
///
/// One pass over the inputs, and one for both gradients; from primitives it is seven, and more back.
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
    Pair::run(IntervalRelu, |pair| binary(pair, center, radius))
}

/// The same from Burn's primitives.
fn composed<const D: usize>(center: Tensor<D>, radius: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    let lower = burn::tensor::activation::relu(center.clone() - radius.clone());
    let upper = burn::tensor::activation::relu(center + radius);
    ((upper.clone() + lower.clone()) * 0.5, (upper - lower) * 0.5)
}

#[derive(Debug)]
struct IntervalRelu;

impl PairKernel for IntervalRelu {
    fn forward(&self, inputs: &[Array], _: bool) -> ([Array; 2], Vec<Array>) {
        let (center, radius) = (inputs[0].f32(), inputs[1].f32());
        let size = center.len();
        let [mut centers, mut radii] = [(); 2].map(|()| Buffer::new(size));
        let outs = [(&mut centers[..], PIECE), (&mut radii[..], PIECE)];
        cuts(
            outs,
            size.div_ceil(PIECE),
            size,
            |index, [centers, radii]| {
                let piece = index * PIECE..index * PIECE + centers.len();
                let inputs = center[piece.clone()].iter().zip(&radius[piece]);
                vectorized(
                    #[inline(always)]
                    || {
                        for ((center, radius), (c, r)) in centers.iter_mut().zip(radii).zip(inputs)
                        {
                            let (lower, upper) = (positive(c - r), positive(c + r));
                            *center = 0.5 * (upper + lower);
                            *radius = 0.5 * (upper - lower);
                        }
                    },
                );
            },
        );
        let output = |buffer| Array::from_buffer(buffer, inputs[0].shape());
        ([output(centers), output(radii)], vec![])
    }

    fn backward(&self, pass: Pass<'_>, dy: [Option<Array>; 2]) -> Vec<Option<Array>> {
        let (center, radius) = (pass.inputs[0].f32(), pass.inputs[1].f32());
        let size = center.len();
        let dy = dy.map(|dy| dy.unwrap_or_else(|| Array::new(vec![0.0_f32; size], [size])));
        let (by_center, by_radius) = (dy[0].f32(), dy[1].f32());
        let [mut centers, mut radii] = [(); 2].map(|()| Buffer::new(size));
        let outs = [(&mut centers[..], PIECE), (&mut radii[..], PIECE)];
        cuts(
            outs,
            size.div_ceil(PIECE),
            size,
            |index, [centers, radii]| {
                let piece = index * PIECE..index * PIECE + centers.len();
                let inputs = center[piece.clone()].iter().zip(&radius[piece.clone()]);
                let dy = by_center[piece.clone()].iter().zip(&by_radius[piece]);
                vectorized(
                    #[inline(always)]
                    || {
                        let outs = centers.iter_mut().zip(radii);
                        for (((center, radius), (c, r)), (dc, dr)) in outs.zip(inputs).zip(dy) {
                            // The center moves both bounds alike, the radius moves them apart.
                            let (lower, upper) = (step(c - r) * (dc - dr), step(c + r) * (dc + dr));
                            *center = 0.5 * (upper + lower);
                            *radius = 0.5 * (upper - lower);
                        }
                    },
                );
            },
        );
        let gradients = [centers, radii].into_iter().enumerate();
        let gradients = gradients.map(|(input, gradient)| {
            pass.wanted[input].then(|| Array::from_buffer(gradient, pass.inputs[input].shape()))
        });
        gradients.collect()
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
            for side in 0..2 {
                let side = |(c, r): (Tensor<2>, Tensor<2>)| [c, r][side].clone();
                assert_same!(
                    side(interval_relu(center.clone(), radius.clone())),
                    side(composed(center.clone(), radius.clone())),
                    [center, radius],
                    1e-6
                );
            }
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
