//! Convolution of pictures.
//!
//! Without copies of patches: each channel is copied once into a frame of zeros ([`frame`]), in which a tap of the kernel
//! is a shift, and the sums of a few filters at a few vectors of adjacent outputs stay in registers over all channels and
//! taps ([`correlate`]). The gradient of the input is such a sum as well, one for each remainder modulo the stride; that
//! of the kernels runs over the outputs instead ([`weight`]).

mod correlate;
mod frame;
mod transposed;
mod weight;
mod winograd;

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, binary, runs_on, ternary};
use burn::tensor::{DType, Tensor, activation, module, ops::ConvOptions};
pub(crate) use correlate::{forward, input_slopes};
pub(crate) use frame::Sizes;
pub use transposed::conv_transpose2d;
use weight::weight_slopes;

/// How a kernel slides over a picture; lines first, then columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Distance of the places where the kernel is applied, at least 1.
    pub stride: [usize; 2],
    /// Lines above and below, and columns left and right, of zeros around the picture.
    pub padding: [usize; 2],
    /// Distance of the kernel's taps, at least 1.
    pub dilation: [usize; 2],
    /// Groups into which the channels are divided; a filter sees the channels of its group.
    pub groups: usize,
}

impl Default for Conv2d {
    /// Stride 1, no padding, dilation 1, one group.
    fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        }
    }
}

/// Correlation of each picture with each filter, then `max(0, y)` if `relu`:
///
/// `y[n, o, i, j] = bias[o] + Σ weight[o, c, k, l] · x[n, c, stride·i + dilation·k − padding, …]`
///
/// over the channels `c` of the filter's group and all taps `k, l`; `x` is zero outside of the picture.
///
/// # Shapes
/// * `x`: `[batch, channels, height, width]`
/// * `weight`: `[filters, channels / groups, kernel height, kernel width]`
/// * `bias`: `[filters]`
/// * result: `[batch, filters, h, w]`, `h = (height + 2·padding − dilation·(kernel height − 1) − 1) / stride + 1` rounded
///   down, and `w` likewise
///
/// # Panics
/// If the shapes do not fit together or the kernel is larger than the padded picture.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::{Conv2d, conv2d};
/// let device = Device::flex();
/// let x = Tensor::<4>::from_data([[[[1.0, 2.0, 4.0]]]], &device);
/// let weight = Tensor::<4>::from_data([[[[-1.0, 1.0]]]], &device);
/// let y = conv2d(x, weight, None, Conv2d::default(), false);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0]);
/// ```
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: Conv2d,
    relu: bool,
) -> Tensor<4> {
    let sizes = sizes(x.dims(), weight.dims(), &options);
    if let Some(bias) = &bias {
        let filters = sizes.filters;
        assert_eq!(bias.dims(), [filters], "conv2d: bias of {filters} filters");
    }
    if !runs_on(&x, &[DType::F32]) {
        return composed(x, weight, bias, options, relu);
    }
    let kernel = Convolution { sizes, relu };
    match bias {
        Some(bias) => ternary(kernel, x, weight, bias),
        None => binary(kernel, x, weight),
    }
}

/// The sizes, if they fit together.
fn sizes(x: [usize; 4], weight: [usize; 4], options: &Conv2d) -> Sizes {
    let [batch, channels, height, width] = x;
    let [filters, inner, kernel_height, kernel_width] = weight;
    let Conv2d {
        stride,
        padding,
        dilation,
        groups,
    } = *options;
    assert!(
        groups > 0 && stride.iter().chain(&dilation).all(|step| *step > 0),
        "conv2d: stride, dilation and groups must be at least 1, not {options:?}"
    );
    assert!(
        weight.iter().all(|size| *size > 0),
        "conv2d: weight {weight:?} is empty"
    );
    assert!(
        channels == inner * groups,
        "conv2d: input {x:?} has {channels} channels in {groups} groups, weight {weight:?} wants {inner} in each"
    );
    assert!(
        filters.is_multiple_of(groups),
        "conv2d: weight {weight:?} has {filters} filters, not a multiple of {groups} groups"
    );
    let (input, kernel) = ([height, width], [kernel_height, kernel_width]);
    let output = [0, 1].map(|axis| {
        let reach = dilation[axis] * (kernel[axis] - 1) + 1;
        let Some(free) = (input[axis] + 2 * padding[axis]).checked_sub(reach) else {
            panic!("conv2d: weight {weight:?} with {options:?} reaches beyond input {x:?}");
        };
        free / stride[axis] + 1
    });
    Sizes {
        batch,
        channels,
        input,
        filters,
        kernel,
        output,
        stride,
        padding,
        dilation,
        groups,
    }
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

#[derive(Debug)]
struct Convolution {
    sizes: Sizes,
    relu: bool,
}

impl Kernel for Convolution {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let sizes = &self.sizes;
        let mut y = Buffer::new(sizes.batch * sizes.filters * sizes.output_plane());
        let (x, weight) = (inputs[0].f32(), inputs[1].f32());
        let bias = inputs.get(2).map(Array::f32);
        forward(sizes, x, weight, bias, self.relu, &mut y);
        let [height, width] = sizes.output;
        let shape = [sizes.batch, sizes.filters, height, width];
        (Array::from_buffer(y, shape), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let sizes = &self.sizes;
        let dy = pass.dy.f32();
        let mask = self.relu.then(|| pass.saved[0].f32());
        let (x, weight) = (pass.inputs[0].f32(), pass.inputs[1].f32());
        let dx = pass.wanted[0].then(|| {
            let mut dx = Buffer::new(x.len());
            input_slopes(sizes, dy, mask, weight, &mut dx);
            Array::from_buffer(dx, pass.inputs[0].shape())
        });
        let bias = pass.wanted.get(2) == Some(&true);
        let mut gradients = vec![dx, None];
        if pass.wanted[1] || bias {
            let (mut dw, mut db) = (Buffer::new(weight.len()), Buffer::new(sizes.filters));
            weight_slopes(sizes, x, (dy, mask), &mut dw, &mut db);
            if pass.wanted[1] {
                gradients[1] = Some(Array::from_buffer(dw, pass.inputs[1].shape()));
            }
            gradients.push(bias.then(|| Array::from_buffer(db, [sizes.filters])));
        }
        gradients
    }

    fn reads(&self) -> Reads {
        Reads {
            output: self.relu,
            ..Reads::first(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, random, tensor};

    /// Input, weight, and how it slides.
    const CASES: [([usize; 4], [usize; 4], Conv2d); 14] = [
        case([1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 1, 1]),
        case([2, 3, 5, 7], [4, 3, 3, 3], [1, 1, 1, 1]),
        case([3, 4, 9, 8], [6, 4, 3, 3], [1, 1, 1, 1]),
        case([2, 6, 14, 14], [16, 6, 5, 5], [1, 0, 1, 1]),
        case([2, 8, 17, 33], [12, 8, 3, 3], [2, 1, 1, 1]),
        case([2, 8, 16, 16], [12, 8, 1, 1], [2, 0, 1, 1]),
        case([2, 3, 32, 32], [20, 3, 4, 4], [4, 0, 1, 1]),
        case([2, 8, 9, 24], [8, 1, 3, 3], [1, 1, 1, 8]),
        case([2, 8, 9, 8], [12, 2, 3, 3], [1, 1, 1, 4]),
        case([2, 5, 9, 13], [5, 5, 3, 5], [3, 4, 2, 1]),
        case([40, 17, 8, 8], [35, 17, 3, 3], [1, 1, 1, 1]),
        case([2, 5, 9, 13], [7, 5, 1, 1], [1, 2, 1, 1]),
        case([9, 2, 11, 11], [2, 1, 3, 3], [1, 3, 1, 2]),
        case([1, 3, 6, 6], [64, 3, 3, 3], [1, 1, 1, 1]),
    ];

    const fn case(
        x: [usize; 4],
        weight: [usize; 4],
        [stride, padding, dilation, groups]: [usize; 4],
    ) -> ([usize; 4], [usize; 4], Conv2d) {
        let options = Conv2d {
            stride: [stride, stride],
            padding: [padding, padding],
            dilation: [dilation, dilation],
            groups,
        };
        (x, weight, options)
    }

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (x, weight, options) in CASES {
            let (x, bias) = (tensor(x, 1), tensor([weight[0]], 3));
            let weight = tensor(weight, 2);
            for relu in [false, true] {
                assert_same!(
                    conv2d(x.clone(), weight.clone(), Some(bias.clone()), options, relu),
                    composed(x.clone(), weight.clone(), Some(bias.clone()), options, relu),
                    [x, weight, bias],
                    1e-4
                );
            }
            assert_same!(
                conv2d(x.clone(), weight.clone(), None, options, false),
                composed(x.clone(), weight.clone(), None, options, false),
                [x, weight],
                1e-4
            );
        }
    }

    #[test]
    fn axes_differ() {
        let options = Conv2d {
            stride: [1, 3],
            padding: [2, 1],
            dilation: [3, 1],
            groups: 1,
        };
        let (x, weight) = (tensor([2, 3, 8, 19], 1), tensor([5, 3, 3, 2], 2));
        assert_same!(
            conv2d(x.clone(), weight.clone(), None, options, true),
            composed(x.clone(), weight.clone(), None, options, true),
            [x, weight],
            1e-4
        );
    }

    #[test]
    fn transposed_and_sliced_input() {
        let (x, weight) = (tensor([4, 10, 9, 3], 1), tensor([3, 4, 3, 3], 2));
        let view = || {
            x.clone()
                .slice([0..4, 1..9, 0..9, 0..2])
                .permute([3, 0, 1, 2])
        };
        let options = Conv2d {
            padding: [1, 1],
            ..Conv2d::default()
        };
        let turned = || weight.clone().swap_dims(2, 3);
        assert_same!(
            conv2d(view(), turned(), None, options, true),
            composed(view(), turned(), None, options, true),
            [x, weight],
            1e-4
        );
    }

    #[test]
    fn no_pictures() {
        let (x, weight, bias) = (
            tensor([0, 3, 8, 8], 1),
            tensor([4, 3, 3, 3], 2),
            tensor([4], 3),
        );
        let y = conv2d(
            x.clone(),
            weight.clone(),
            Some(bias),
            Conv2d::default(),
            true,
        );
        assert_eq!(y.dims(), [0, 4, 6, 6]);
        let grads = y.sum().backward();
        assert_eq!(x.grad(&grads).unwrap().dims(), [0, 3, 8, 8]);
        let dw: Vec<f32> = weight
            .grad(&grads)
            .unwrap()
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(dw, [0.0; 108]);
    }

    #[test]
    fn constant_inputs_get_no_gradient() {
        let (x, weight, bias) = (
            tensor([2, 3, 8, 8], 1),
            tensor([4, 3, 3, 3], 2),
            tensor([4], 3),
        );
        let run = |x: Tensor<4>, weight: Tensor<4>| {
            let y = conv2d(x, weight, Some(bias.clone()), Conv2d::default(), false);
            y.sum().backward()
        };
        let grads = run(x.clone().detach(), weight.clone());
        assert!(x.grad(&grads).is_none() && weight.grad(&grads).is_some());
        let grads = run(x.clone(), weight.clone().detach());
        assert!(weight.grad(&grads).is_none() && x.grad(&grads).is_some());
        assert!(bias.grad(&grads).is_some());
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        for (x, weight, options) in CASES {
            let sizes = sizes(x, weight, &options);
            let x = random(x.iter().product(), 1);
            let weight = random(weight.iter().product(), 2);
            let dy = random(sizes.batch * sizes.filters * sizes.output_plane(), 3);
            assert_same_for_any_threads(|| {
                let mut results =
                    [dy.len(), x.len(), weight.len(), sizes.filters].map(|len| vec![0.0; len]);
                let [y, dx, dw, db] = &mut results;
                forward(&sizes, &x, &weight, None, true, y);
                input_slopes(&sizes, &dy, Some(y), &weight, dx);
                weight_slopes(&sizes, &x, (&dy, Some(y)), dw, db);
                results.concat()
            });
        }
    }

    fn message(x: [usize; 4], weight: [usize; 4], options: Conv2d) -> String {
        let run = || sizes(x, weight, &options);
        let panic = std::panic::catch_unwind(run).unwrap_err();
        *panic.downcast().unwrap()
    }

    #[test]
    fn sizes_that_do_not_fit() {
        let options = Conv2d::default();
        assert_eq!(
            message([2, 3, 8, 8], [8, 4, 3, 3], options),
            "conv2d: input [2, 3, 8, 8] has 3 channels in 1 groups, weight [8, 4, 3, 3] wants 4 in each"
        );
        assert!(
            message([2, 3, 2, 8], [8, 3, 3, 3], options)
                .contains("reaches beyond input [2, 3, 2, 8]")
        );
        let groups = Conv2d {
            groups: 2,
            ..options
        };
        assert!(message([2, 4, 8, 8], [3, 2, 3, 3], groups).contains("not a multiple of 2 groups"));
        let still = Conv2d {
            stride: [0, 1],
            ..options
        };
        assert!(message([2, 4, 8, 8], [3, 4, 3, 3], still).contains("stride: [0, 1]"));
    }
}
