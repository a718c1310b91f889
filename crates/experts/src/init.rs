//! Initial values. Drawn at once, not at first use, so that `device.seed(..)` before `init` decides them all.

use burn::module::Param;
use burn::tensor::{Device, Distribution, Tensor};

/// `U(-limit, limit)`.
pub(crate) fn uniform<const D: usize>(
    shape: [usize; D],
    limit: f64,
    device: &Device,
) -> Param<Tensor<D>> {
    Param::from_tensor(draw(shape, limit, device))
}

/// Glorot and Bengio's uniform distribution for a layer of `inputs` and `outputs`: `limit² = 6 / (inputs + outputs)`.
pub(crate) fn glorot<const D: usize>(
    shape: [usize; D],
    inputs: usize,
    outputs: usize,
    device: &Device,
) -> Param<Tensor<D>> {
    let fan = (inputs + outputs).max(1);
    uniform(shape, (6.0 / fan as f64).sqrt(), device)
}

/// All zero.
pub(crate) fn zeros<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::zeros(shape, device))
}

/// A draw from `U(-limit, limit)`.
pub(crate) fn draw<const D: usize>(shape: [usize; D], limit: f64, device: &Device) -> Tensor<D> {
    // Scaled from (-1, 1), since a width that underflows would be an empty range.
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device) * limit
}
