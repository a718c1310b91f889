//! Batch norm of channels.

use burn::tensor::{Tensor, activation};

/// `y = (x − mean) / √(variance + ε) · weight + bias`, mean and biased variance of each channel over all other axes; then
/// plus `residual`, then `max(0, y)` if `relu`. Also returns mean and variance, for the running statistics.
///
/// # Shapes
/// * `x`, `residual`: `[batch, channels, …]`
/// * `weight`, `bias`, mean, variance: `[channels]`
pub fn batch_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    residual: Option<Tensor<D>>,
    relu: bool,
    epsilon: f32,
) -> (Tensor<D>, Tensor<1>, Tensor<1>) {
    let channels = x.dims()[1];
    let flat = x.clone().swap_dims(0, 1).reshape([channels as i32, -1]);
    let mean = flat.clone().mean_dim(1);
    let variance = (flat - mean.clone()).powi_scalar(2).mean_dim(1);
    let (mean, variance) = (mean.reshape([channels]), variance.reshape([channels]));
    let y = batch_norm_inference(
        x,
        weight,
        bias,
        mean.clone(),
        variance.clone(),
        residual,
        relu,
        epsilon,
    );
    (y, mean.detach(), variance.detach())
}

/// The same with given statistics.
pub fn batch_norm_inference<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    residual: Option<Tensor<D>>,
    relu: bool,
    epsilon: f32,
) -> Tensor<D> {
    let mut shape = [1; D];
    shape[1] = x.dims()[1];
    let scale = weight / (variance + epsilon).sqrt();
    let y = (x - mean.reshape(shape)) * scale.reshape(shape) + bias.reshape(shape);
    let y = match residual {
        Some(residual) => y + residual,
        None => y,
    };
    if relu { activation::relu(y) } else { y }
}
