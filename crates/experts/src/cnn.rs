//! Small convolutional networks side by side, for images.

use crate::error::{ExpertsError, Result, check_experts, check_sizes};
use crate::init::{glorot, zeros};
use crate::layer::ExpertLayer;
use crate::mlp::{MlpExperts, MlpExpertsConfig, check_widths};
use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_kernels::{ConvShape, Pairs, grouped_conv};
use std::sync::Arc;

/// Configuration of [`CnnExperts`].
#[derive(Config, Debug)]
pub struct CnnExpertsConfig {
    /// Number of experts `n`.
    pub experts: usize,
    /// Lines of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Channels of an image.
    #[config(default = 1)]
    pub channels: usize,
    /// Channels that each convolution puts out.
    #[config(default = "vec![10, 20]")]
    pub filters: Vec<usize>,
    /// Side of the square kernels.
    #[config(default = 5)]
    pub kernel: usize,
    /// Widths of the linear layers after the convolutions, the output's last.
    #[config(default = "vec![50, 50]")]
    pub dense: Vec<usize>,
}

/// Convolutional experts of equal sizes: convolutions without padding, each with 2×2 max-pool and ReLU, then linear layers
/// with ReLU. The defaults are the experts of COMET's Multi-MNIST model.
///
/// Images come as rows `[channels · height · width]`, so that gates and experts read the same input. Started like
/// [`MlpExperts`], by Glorot's uniform distribution with zero biases.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::{CnnExpertsConfig, GateInput, MixtureOfExperts, TopKConfig};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let experts = CnnExpertsConfig::new(4, 36, 36).init(&device)?;
/// let mixture = MixtureOfExperts::new(TopKConfig::new(36 * 36, 4, 1).init(&device)?, experts)?;
/// let output = mixture.forward(Tensor::ones([2, 36 * 36], &device), GateInput::default())?;
/// assert_eq!(output.output.dims(), [2, 50]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct CnnExperts {
    /// `[n, filters, channels, kernel, kernel]` of each convolution.
    pub kernels: Vec<Param<Tensor<5>>>,
    /// `[n, filters]` of each convolution.
    pub biases: Vec<Param<Tensor<2>>>,
    /// What follows the convolutions.
    pub dense: MlpExperts,
    height: usize,
    width: usize,
}

impl CnnExpertsConfig {
    /// Checks every size.
    ///
    /// # Errors
    /// If `experts < 2`, a size is 0, there is no linear layer, or the images are too small for the convolutions.
    pub fn validate(&self) -> Result<()> {
        self.shapes().map(drop)
    }

    /// The shape of each convolution.
    fn shapes(&self) -> Result<Vec<ConvShape>> {
        check_experts(self.experts)?;
        check_sizes([
            ("channels", self.channels),
            ("kernel", self.kernel),
            ("dense", self.dense.len()),
        ])?;
        check_widths(&self.filters)?;
        check_widths(&self.dense)?;
        let (mut channels, mut height, mut width) = (self.channels, self.height, self.width);
        let mut shapes = vec![];
        for (layer, filters) in self.filters.iter().copied().enumerate() {
            let kernel = self.kernel;
            let shape = ConvShape {
                channels,
                height,
                width,
                filters,
                kernel,
            };
            let pooled = shape.pooled().ok_or(ExpertsError::ImageTooSmall {
                layer,
                height,
                width,
                kernel,
            })?;
            (channels, height, width) = (filters, pooled.0, pooled.1);
            shapes.push(shape);
        }
        check_sizes([("height", height), ("width", width)])?;
        Ok(shapes)
    }

    /// Experts with initial parameters.
    ///
    /// # Errors
    /// As [`CnnExpertsConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<CnnExperts> {
        let (shapes, n, k) = (self.shapes()?, self.experts, self.kernel);
        let flat = shapes
            .last()
            .map_or(self.channels * self.height * self.width, ConvShape::output);
        let kernels = shapes.iter().map(|shape| {
            let (channels, filters) = (shape.channels, shape.filters);
            glorot(
                [n, filters, channels, k, k],
                channels * k * k,
                filters * k * k,
                device,
            )
        });
        Ok(CnnExperts {
            kernels: kernels.collect(),
            biases: shapes
                .iter()
                .map(|shape| zeros([n, shape.filters], device))
                .collect(),
            dense: MlpExpertsConfig::new(n, flat, self.dense.clone()).init(device)?,
            height: self.height,
            width: self.width,
        })
    }
}

impl ExpertLayer for CnnExperts {
    fn experts(&self) -> usize {
        self.dense.experts()
    }

    fn input(&self) -> Option<usize> {
        match self.kernels.first() {
            Some(kernel) => Some(kernel.dims()[2] * self.height * self.width),
            None => self.dense.input(),
        }
    }

    fn evaluate(&self, x: Tensor<2>, pairs: &Arc<Pairs>) -> Result<Tensor<2>> {
        let (mut x, mut height, mut width) = (x, self.height, self.width);
        for (weight, bias) in self.kernels.iter().zip(&self.biases) {
            let [_, filters, channels, kernel, _] = weight.dims();
            let shape = ConvShape {
                channels,
                height,
                width,
                filters,
                kernel,
            };
            let too_small = ExpertsError::ImageTooSmall {
                layer: 0,
                height,
                width,
                kernel,
            };
            (height, width) = shape.pooled().ok_or(too_small)?;
            x = grouped_conv(x, weight.val(), bias.val(), pairs, shape);
        }
        self.dense.evaluate(x, pairs)
    }
}
