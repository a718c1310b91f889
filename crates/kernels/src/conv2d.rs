//! Convolution of pictures.

use burn::tensor::{Tensor, activation, module, ops::ConvOptions};

/// How a kernel slides over a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        }
    }
}

/// Correlation of each picture with each filter, then `max(0, y)` if `relu`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: Conv2d,
    relu: bool,
) -> Tensor<4> {
    composed(x, weight, bias, options, relu)
}

/// The same from Burn's primitives.
fn composed(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: Conv2d,
    relu: bool,
) -> Tensor<4> {
    let Conv2d {
        stride,
        padding,
        dilation,
        groups,
    } = options;
    let y = module::conv2d(
        x,
        weight,
        bias,
        ConvOptions::new(stride, padding, dilation, groups),
    );
    if relu { activation::relu(y) } else { y }
}
