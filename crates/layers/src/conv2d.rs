//! Convolution of pictures.

use crate::error::{Result, check_multiple, check_sizes};
use crate::init::Init;
use crate::linear::yes;
use crate::quantizer::Quantizer;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_kernels::{Activation, activate, conv2d};
use serde::{Deserialize, Serialize};

/// Configuration of a [`Conv2d`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2dConfig {
    /// Channels of the input and the output.
    pub channels: [usize; 2],
    /// Height and width of a filter.
    pub kernel: [usize; 2],
    /// Step down and to the right.
    #[serde(default = "one")]
    pub stride: [usize; 2],
    /// Rows and columns of zeros on each side.
    #[serde(default)]
    pub padding: [usize; 2],
    /// Distance of neighboring taps of a filter.
    #[serde(default = "one")]
    pub dilation: [usize; 2],
    /// Groups of channels that do not mix.
    #[serde(default = "ungrouped")]
    pub groups: usize,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Initial values.
    #[serde(default)]
    pub init: Init,
    /// What the weight goes through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

fn one() -> [usize; 2] {
    [1, 1]
}

fn ungrouped() -> usize {
    1
}

/// Correlation of each picture with each filter, plus a bias.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::Conv2dConfig;
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let layer = Conv2dConfig::same([3, 8], 5).init(&device)?;
/// assert_eq!(layer.forward(Tensor::ones([2, 3, 9, 7], &device)).dims(), [2, 8, 9, 7]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[outputs, inputs / groups, height, width]`.
    pub weight: Param<Tensor<4>>,
    /// `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// Stride, padding, dilation and groups.
    #[module(skip)]
    pub options: offprint_kernels::Conv2d,
    /// What the weight goes through.
    #[module(skip)]
    pub quantizer: Quantizer,
}

impl Conv2dConfig {
    /// A square filter, stride 1, no padding, with a bias and PyTorch's initial values.
    pub fn new(channels: [usize; 2], kernel: usize) -> Self {
        Self {
            channels,
            kernel: [kernel; 2],
            stride: one(),
            padding: [0, 0],
            dilation: one(),
            groups: ungrouped(),
            bias: true,
            init: Init::default(),
            quantizer: Quantizer::default(),
        }
    }

    /// Like [`Conv2dConfig::new`], padded so that an odd kernel keeps the size of the picture.
    pub fn same(channels: [usize; 2], kernel: usize) -> Self {
        Self {
            padding: [kernel / 2; 2],
            ..Self::new(channels, kernel)
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a size is 0, the groups do not divide both numbers of channels, or initial values or quantizer are out of
    /// range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([
            ("kernel", self.kernel[0].min(self.kernel[1])),
            ("stride", self.stride[0].min(self.stride[1])),
            ("dilation", self.dilation[0].min(self.dilation[1])),
        ])?;
        check_multiple("input channels", self.channels[0], "groups", self.groups)?;
        check_multiple("output channels", self.channels[1], "groups", self.groups)?;
        self.init.validate()?;
        self.quantizer.validate()
    }

    /// A layer with initial parameters.
    ///
    /// # Errors
    /// As [`Conv2dConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Conv2d> {
        self.validate()?;
        let ([input, output], [height, width]) = (self.channels, self.kernel);
        let inputs = input / self.groups * height * width;
        let shape = [output, input / self.groups, height, width];
        Ok(Conv2d {
            weight: self.init.weight(shape, inputs, device),
            bias: self.bias.then(|| self.init.bias(output, inputs, device)),
            options: offprint_kernels::Conv2d {
                stride: self.stride,
                padding: self.padding,
                dilation: self.dilation,
                groups: self.groups,
            },
            quantizer: self.quantizer,
        })
    }
}

impl Conv2d {
    /// The convolution.
    ///
    /// # Shapes
    /// * `x`: `[batch, inputs, height, width]`
    /// * result: `[batch, outputs, …]`, each length `⌊(n + 2 padding − dilation (kernel − 1) − 1) / stride⌋ + 1`
    ///
    /// # Panics
    /// If `x` has another number of channels or is smaller than a filter.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.activated(x, Activation::Identity)
    }

    /// `f` of the convolution, shapes as in [`Conv2d::forward`].
    ///
    /// # Panics
    /// As [`Conv2d::forward`].
    pub fn activated(&self, x: Tensor<4>, f: Activation) -> Tensor<4> {
        let mut weight = self.weight.val();
        if self.quantizer != Quantizer::None {
            let shape = weight.dims();
            let filters = weight.reshape([shape[0], shape[1..].iter().product()]);
            weight = self.quantizer.quantize(filters, 0).reshape(shape);
        }
        let relu = f == Activation::Relu;
        let bias = self.bias.as_ref().map(Param::val);
        let y = conv2d(x, weight, bias, self.options, relu);
        if relu { y } else { activate(y, f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, device, tensor, values};

    #[test]
    fn shapes_start_and_gradients() {
        let config = Conv2dConfig {
            stride: [2, 1],
            groups: 2,
            quantizer: Quantizer::Uniform { bits: 4 },
            ..Conv2dConfig::same([4, 6], 3)
        };
        let layer = config.init(&device()).unwrap();
        let limit = (1.0_f64 / 18.0).sqrt();
        assert!(values(layer.weight.val()).iter().all(|w| w.abs() <= limit));
        let y = layer.activated(tensor([2, 4, 7, 5], 1), Activation::Tanh);
        assert_eq!(y.dims(), [2, 6, 4, 5]);
        assert_all_learn(&layer, &y.sum().backward());
    }

    #[test]
    fn settings_out_of_range() {
        let config = Conv2dConfig::new([4, 6], 3);
        for (config, expected) in [
            (
                Conv2dConfig {
                    groups: 4,
                    ..config
                },
                "output channels = 6, but it must be a multiple of groups = 4",
            ),
            (
                Conv2dConfig {
                    stride: [1, 0],
                    ..config
                },
                "stride = 0, but it must be at least 1",
            ),
            (
                Conv2dConfig {
                    channels: [0, 6],
                    ..config
                },
                "input channels = 0, but it must be at least 1",
            ),
        ] {
            assert_eq!(config.validate().unwrap_err().to_string(), expected);
        }
    }
}
