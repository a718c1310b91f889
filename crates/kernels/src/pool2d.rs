//! Pooling of pictures.

mod average;
mod max;
#[cfg(test)]
mod tests;

use crate::op::{runs_on, unary};
use crate::parallel::SHARED;
use average::{AvgPool, GlobalAvgPool};
use burn::tensor::{
    DType, Tensor, module,
    ops::{AvgPoolOptions, MaxPoolOptions},
};
use max::MaxPool;

/// Largest value of each window; padding never wins, of equal values the first does, and what is not a number always.
///
/// # Shapes
/// * `x`: `[batch, channels, height, width]`
/// * `kernel`, `stride`, `padding`: lines, then columns
/// * result: `[batch, channels, h, w]`, `h = (height + 2·padding − kernel) / stride + 1` rounded down, and `w` likewise
///
/// # Panics
/// If kernel or stride is 0, the kernel is larger than the padded picture, or the padding more than half of the kernel.
pub fn max_pool2d(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let windows = Windows::new("max_pool2d", x.dims(), kernel, stride, padding);
    // A window's places are counted in a byte.
    if !runs_on(&x, &[DType::F32]) || kernel[0] * kernel[1] > 256 {
        return composed_max(x, kernel, stride, padding);
    }
    unary(MaxPool(windows), x)
}

/// The same from Burn's primitives.
fn composed_max(
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
///
/// Shapes and panics as of [`max_pool2d`].
pub fn avg_pool2d(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let windows = Windows::new("avg_pool2d", x.dims(), kernel, stride, padding);
    if !runs_on(&x, &[DType::F32]) {
        return composed_avg(x, kernel, stride, padding);
    }
    unary(AvgPool(windows), x)
}

/// The same from Burn's primitives.
fn composed_avg(
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
///
/// # Shapes
/// * `x`: `[batch, channels, height, width]`
/// * result: `[batch, channels]`
///
/// # Panics
/// If the picture has no positions.
pub fn global_avg_pool2d(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    assert!(
        height * width > 0,
        "global_avg_pool2d: input {:?} has no positions",
        x.dims()
    );
    if !runs_on(&x, &[DType::F32]) {
        return composed_global(x);
    }
    unary(
        GlobalAvgPool {
            batch,
            channels,
            height,
            width,
        },
        x,
    )
}

/// The same from Burn's primitives.
fn composed_global(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height * width])
        .mean_dim(2)
        .reshape([batch, channels])
}

/// Windows on the channels of pictures.
#[derive(Clone, Copy, Debug)]
struct Windows {
    batch: usize,
    channels: usize,
    input: [usize; 2],
    output: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Windows {
    fn new(
        name: &str,
        x: [usize; 4],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Self {
        let [batch, channels, height, width] = x;
        let input = [height, width];
        let output = [0, 1].map(|axis| {
            assert!(
                kernel[axis] > 0 && stride[axis] > 0 && 2 * padding[axis] <= kernel[axis],
                "{name}: kernel {kernel:?} and stride {stride:?} must be at least 1, padding {padding:?} at most half of \
                 the kernel"
            );
            let free = (input[axis] + 2 * padding[axis]).checked_sub(kernel[axis]);
            let Some(free) = free else {
                panic!("{name}: kernel {kernel:?} is larger than input {x:?} with padding {padding:?}");
            };
            free / stride[axis] + 1
        });
        Self {
            batch,
            channels,
            input,
            output,
            kernel,
            stride,
            padding,
        }
    }

    fn planes(&self) -> usize {
        self.batch * self.channels
    }

    fn input_plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn output_plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    fn input_shape(&self) -> [usize; 4] {
        [self.batch, self.channels, self.input[0], self.input[1]]
    }

    fn output_shape(&self) -> [usize; 4] {
        [self.batch, self.channels, self.output[0], self.output[1]]
    }

    /// Columns of a line with its padding that have the same remainder modulo the stride.
    fn part(&self) -> usize {
        (self.input[1] + 2 * self.padding[1]).div_ceil(self.stride[1])
    }

    /// Whether the windows are adjacent squares of two by two.
    fn halves(&self) -> bool {
        (self.kernel, self.stride, self.padding) == ([2, 2], [2, 2], [0, 0])
    }

    /// Planes that one task handles at least.
    fn least(&self) -> usize {
        if self.planes() * self.input_plane() < SHARED {
            usize::MAX
        } else {
            (SHARED / 2 / self.input_plane().max(1)).max(1)
        }
    }
}
