//! Rounding outward: what floating point can lose is added to the radius.
//!
//! A sum of `n` products differs from the exact one by at most `γ_n Σ |x_i w_i|` with `γ_n = n u / (1 − n u)` and the unit
//! roundoff `u` (Higham, *Accuracy and Stability of Numerical Algorithms*, 3.1), whatever the order of the summands. The
//! allowance of a linear layer is `4 γ_{n+4} ((|m| + r) |W| + |b|)`: once for the center, once for the radius, once for the
//! network's own evaluation at a point of the box, once for this sum. Convolutions are given eight times that, because
//! Winograd's algorithm mixes neighboring places and has a larger constant. Every value is then widened by a few units in
//! the last place of its bounds, for the changes between bounds and centers.

use super::Interval;
use crate::graph::{Layer, affine, pictures, rows, scaled};
use burn::tensor::{DType, Tensor};
use offprint_kernels::{Activation, conv2d, linear};

/// Whether bounds hold for real numbers or also for the floating-point numbers that are computed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// Each bound is the nearest number: what training uses.
    #[default]
    Nearest,
    /// Bounds are moved apart by all that rounding can lose, in the bounds and in the network: what a certificate uses.
    Outward,
}

/// Half the distance of 1 and the next number.
pub(crate) fn roundoff(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::EPSILON / 2.0,
        _ => f64::from(f32::EPSILON) / 2.0,
    }
}

/// `γ_n`.
pub(crate) fn gamma(n: usize, dtype: DType) -> f64 {
    let lost = n as f64 * roundoff(dtype);
    // Sums of so many numbers that nothing is left of them do not fit in memory.
    lost / (1.0 - lost).max(0.5)
}

/// Widens a box by eight units of roundoff of its larger bound, and by the smallest normal number.
pub(crate) fn settle(x: Interval) -> Interval {
    let unit = 8.0 * roundoff(x.center.dtype());
    let largest = x.center().abs() + x.radius();
    let radius = x.radius() + largest * unit + f64::from(f32::MIN_POSITIVE);
    Interval::from_center(x.center, radius)
}

/// What a layer's sums can lose; `None` for layers that only choose or add two numbers.
pub(crate) fn allowance(layer: &Layer, x: &Interval, shape: &[usize]) -> Option<Tensor<2>> {
    let dtype = x.center.dtype();
    let largest = x.center().abs() + x.radius();
    match layer {
        Layer::Linear(layer) => {
            let weight = layer.weight.val().abs();
            let [inputs, _] = weight.dims();
            let bias = layer.bias.as_ref().map(|bias| bias.val().abs());
            let sum = linear(largest, weight, bias, Activation::Identity);
            Some(sum * (4.0 * gamma(inputs + 4, dtype)))
        }
        Layer::Conv2d(layer) => {
            let weight = layer.weight.val().abs();
            let [_, channels, height, width] = weight.dims();
            let bias = layer.bias.as_ref().map(|bias| bias.val().abs());
            let sum = conv2d(pictures(largest, shape), weight, bias, layer.options, false);
            Some(rows(sum) * (32.0 * gamma(channels * height * width + 4, dtype)))
        }
        Layer::BatchNorm(norm) => {
            let (scale, _) = affine(norm, None);
            let scale = scale.abs();
            let mean = norm.running_mean.value().abs();
            let shift = norm.bias.val().abs() + mean * scale.clone() * 2.0;
            let sum = scaled(largest, shape, (scale, shift));
            Some(sum * (4.0 * gamma(12, dtype)))
        }
        Layer::AvgPool(pool) => {
            let window = pool.window;
            let count = window.kernel[0] * window.kernel[1];
            let mean = offprint_kernels::avg_pool2d(
                pictures(largest, shape),
                window.kernel,
                window.stride,
                window.padding,
            );
            Some(rows(mean) * (4.0 * gamma(count + 4, dtype)))
        }
        Layer::Relu(_) | Layer::MaxPool(_) | Layer::Flatten(_) | Layer::Add(_) => None,
    }
}
