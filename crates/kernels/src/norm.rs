//! Layer norm and RMS norm along the last axis.

use burn::tensor::Tensor;

/// `y = (x − mean) / √(variance + ε) · weight + bias`, mean and biased variance along the last axis.
///
/// # Shapes
/// * `x`: `[…, width]`
/// * `weight`, `bias`: `[width]`
///
/// # Panics
/// If the shapes do not fit together.
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    epsilon: f32,
) -> Tensor<D> {
    let width = x.dims()[D - 1];
    assert_eq!(
        weight.dims(),
        [width],
        "weight of layer norm for {:?}",
        x.dims()
    );
    if let Some(bias) = &bias {
        assert_eq!(
            bias.dims(),
            [width],
            "bias of layer norm for {:?}",
            x.dims()
        );
    }
    composed_layer_norm(x, weight, bias, epsilon)
}

/// `y = x / √(mean(x²) + ε) · weight`, the mean along the last axis.
///
/// # Shapes
/// * `x`: `[…, width]`
/// * `weight`: `[width]`
///
/// # Panics
/// If the shapes do not fit together.
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, epsilon: f32) -> Tensor<D> {
    let width = x.dims()[D - 1];
    assert_eq!(
        weight.dims(),
        [width],
        "weight of RMS norm for {:?}",
        x.dims()
    );
    composed_rms_norm(x, weight, epsilon)
}

/// [`layer_norm`] from Burn's primitives.
fn composed_layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    epsilon: f32,
) -> Tensor<D> {
    let centered = x.clone() - x.mean_dim(D - 1);
    let variance = centered.clone().powi_scalar(2).mean_dim(D - 1);
    let y = centered / (variance + epsilon).sqrt() * weight.unsqueeze();
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}

/// [`rms_norm`] from Burn's primitives.
fn composed_rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, epsilon: f32) -> Tensor<D> {
    let square = x.clone().powi_scalar(2).mean_dim(D - 1);
    x / (square + epsilon).sqrt() * weight.unsqueeze()
}
