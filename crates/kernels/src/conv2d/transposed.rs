//! The transpose of a convolution: what carries slopes of its output to slopes of its input.

use super::{Conv2d, Sizes, forward, input_slopes, sizes, weight_slopes};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, binary, runs_on};
use burn::tensor::{DType, Tensor, module, ops::ConvTransposeOptions};

/// The transpose of [`conv2d`](super::conv2d) over pictures of `size` lines and columns, as a linear map of `y`:
///
/// `x[n, c, …] = Σ weight[o, c, k, l] · y[n, o, i, j]` over all `o, i, j, k, l` that `conv2d` would read that place for.
///
/// # Shapes
/// * `y`: `[batch, filters, h, w]`, as `conv2d` gives it for pictures of `size`
/// * `weight`: `[filters, channels / groups, kernel height, kernel width]`
/// * result: `[batch, channels, size[0], size[1]]`
///
/// # Panics
/// If the shapes do not fit together.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::{Conv2d, conv_transpose2d};
/// let device = Device::flex();
/// let y = Tensor::<4>::from_data([[[[1.0, 2.0]]]], &device);
/// let weight = Tensor::<4>::from_data([[[[-1.0, 1.0]]]], &device);
/// let x = conv_transpose2d(y, weight, [1, 3], Conv2d::default());
/// assert_eq!(x.into_data().try_to_vec::<f32>().unwrap(), [-1.0, -1.0, 2.0]);
/// ```
pub fn conv_transpose2d(
    y: Tensor<4>,
    weight: Tensor<4>,
    size: [usize; 2],
    options: Conv2d,
) -> Tensor<4> {
    let [batch, ..] = y.dims();
    let channels = weight.dims()[1] * options.groups;
    let sizes = sizes([batch, channels, size[0], size[1]], weight.dims(), &options);
    let [height, width] = sizes.output;
    assert_eq!(
        y.dims(),
        [batch, sizes.filters, height, width],
        "conv_transpose2d: what a convolution of pictures of {size:?} gives"
    );
    if !runs_on(&y, &[DType::F32]) {
        return composed(y, weight, &sizes);
    }
    binary(Transposed { sizes }, y, weight)
}

/// The same from Burn's primitives.
fn composed(y: Tensor<4>, weight: Tensor<4>, sizes: &Sizes) -> Tensor<4> {
    let left = [0, 1].map(|axis| {
        let reach = sizes.dilation[axis] * (sizes.kernel[axis] - 1) + 1;
        let covered = (sizes.output[axis] - 1) * sizes.stride[axis] + reach;
        sizes.input[axis] + 2 * sizes.padding[axis] - covered
    });
    let options = ConvTransposeOptions::new(
        sizes.stride,
        sizes.padding,
        left,
        sizes.dilation,
        sizes.groups,
    );
    module::conv_transpose2d(y, weight, None, options)
}

#[derive(Debug)]
struct Transposed {
    sizes: Sizes,
}

impl Kernel for Transposed {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let sizes = &self.sizes;
        let mut x = Buffer::new(sizes.batch * sizes.channels * sizes.input_plane());
        input_slopes(sizes, inputs[0].f32(), None, inputs[1].f32(), &mut x);
        let [height, width] = sizes.input;
        let shape = [sizes.batch, sizes.channels, height, width];
        (Array::from_buffer(x, shape), vec![])
    }

    /// The map is linear in `y` and in the weight, so its slopes are the convolution's own passes.
    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let sizes = &self.sizes;
        let (y, weight, dx) = (pass.inputs[0].f32(), pass.inputs[1].f32(), pass.dy.f32());
        let dy = pass.wanted[0].then(|| {
            let mut dy = Buffer::new(y.len());
            forward(sizes, dx, weight, None, false, &mut dy);
            Array::from_buffer(dy, pass.inputs[0].shape())
        });
        let dw = pass.wanted[1].then(|| {
            let (mut dw, mut unused) = (Buffer::new(weight.len()), Buffer::new(sizes.filters));
            weight_slopes(sizes, dx, (y, None), &mut dw, &mut unused);
            Array::from_buffer(dw, pass.inputs[1].shape())
        });
        vec![dy, dw]
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
        // Batch, size, weight, and stride, padding, dilation, groups.
        for (batch, size, weight, [stride, padding, dilation, groups]) in [
            (1, [1, 1], [1, 1, 1, 1], [1, 0, 1, 1]),
            (3, [5, 7], [4, 3, 3, 3], [1, 1, 1, 1]),
            (2, [7, 6], [5, 3, 3, 3], [2, 1, 1, 1]),
            (2, [28, 28], [8, 1, 3, 3], [2, 1, 1, 1]),
            (2, [9, 8], [6, 2, 3, 3], [1, 0, 2, 2]),
            (2, [9, 10], [1, 1, 2, 2], [3, 0, 1, 1]),
            (40, [14, 14], [16, 8, 3, 3], [2, 1, 1, 1]),
        ] {
            let options = Conv2d {
                stride: [stride; 2],
                padding: [padding; 2],
                dilation: [dilation; 2],
                groups,
            };
            let channels = weight[1] * groups;
            let fits = sizes([batch, channels, size[0], size[1]], weight, &options);
            let [height, width] = fits.output;
            let (y, weight) = (
                tensor([batch, weight[0], height, width], 1),
                tensor(weight, 2),
            );
            assert_same!(
                conv_transpose2d(y.clone(), weight.clone(), size, options),
                composed(y.clone(), weight.clone(), &fits),
                [y, weight],
                1e-4
            );
        }
    }

    #[test]
    #[should_panic(expected = "what a convolution of pictures of [4, 4] gives")]
    fn shapes_that_do_not_fit() {
        let (y, weight) = (tensor([1, 2, 4, 4], 1), tensor([2, 1, 3, 3], 2));
        conv_transpose2d(y, weight, [4, 4], Conv2d::default());
    }
}
