//! Pooling of pictures.

use burn::tensor::{
    Tensor, module,
    ops::{AvgPoolOptions, MaxPoolOptions},
};

/// Largest value of each window; padding never wins.
pub fn max_pool2d(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let options = MaxPoolOptions {
        kernel_size: kernel,
        stride,
        padding: padding.map(|side| (side, side)),
        dilation: [1, 1],
        ceil_mode: false,
    };
    module::max_pool2d(x, options)
}

/// Mean of each window, padding counting as zeros.
pub fn avg_pool2d(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let options = AvgPoolOptions {
        kernel_size: kernel,
        stride,
        padding: padding.map(|side| (side, side)),
        count_include_pad: true,
        ceil_mode: false,
    };
    module::avg_pool2d(x, options)
}

/// Mean over all positions of each channel.
pub fn global_avg_pool2d(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height * width])
        .mean_dim(2)
        .reshape([batch, channels])
}
