//! A plain convolutional network.

use crate::error::{Result, check, check_sizes};
use crate::lenet::{Pool, normed};
use crate::mlp::relu;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_kernels::Activation;
use offprint_layers::{
    Context, Conv2d, Conv2dConfig, Linear, LinearConfig, Norm, NormConfig, NormKind, Quantizer,
};
use serde::{Deserialize, Serialize};

/// Configuration of a [`Convnet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvnetConfig {
    /// Channels of a picture.
    pub channels: usize,
    /// Height and width of a picture.
    pub size: [usize; 2],
    /// Number of classes.
    pub classes: usize,
    /// Channels of the convolutions.
    #[serde(default = "widths")]
    pub widths: Vec<usize>,
    /// Side of the filters, odd.
    #[serde(default = "kernel")]
    pub kernel: usize,
    /// `f`.
    #[serde(default = "relu")]
    pub activation: Activation,
    /// Behind each convolution.
    #[serde(default)]
    pub pool: Pool,
    /// The norm behind each convolution.
    #[serde(default = "crate::mlp::no_norm")]
    pub norm: NormKind,
    /// What the weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

fn widths() -> Vec<usize> {
    vec![32, 64]
}

fn kernel() -> usize {
    3
}

/// `h_0 = x`, `h_i = pool(f(norm(conv_i(h_{i−1}))))`, then one dense layer over all that is left.
#[derive(Module, Debug)]
pub struct Convnet {
    /// Each keeps the size of the picture.
    pub convolutions: Vec<Conv2d>,
    /// Behind each convolution.
    pub norms: Vec<Norm>,
    /// The layer of the answer.
    pub head: Linear,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
    /// How pictures are made smaller.
    #[module(skip)]
    pub pool: Pool,
}

impl ConvnetConfig {
    /// Filters of 3×3 to 32 and 64 channels, ReLU, largest values and no norm.
    pub fn new(channels: usize, size: [usize; 2], classes: usize) -> Self {
        Self {
            channels,
            size,
            classes,
            widths: widths(),
            kernel: kernel(),
            activation: relu(),
            pool: Pool::default(),
            norm: NormKind::None,
            quantizer: Quantizer::default(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a size is 0, the kernel is even, nothing is left of a picture or the quantizer is out of range.
    pub fn validate(&self) -> Result<()> {
        let widths = self.widths.iter().copied().min().unwrap_or(1);
        check_sizes([
            ("channels", self.channels),
            ("classes", self.classes),
            ("widths", widths),
        ])?;
        check(!self.kernel.is_multiple_of(2), "kernel", self.kernel, "odd")?;
        check(
            self.flat() > 0,
            "size",
            format!("{:?}", self.size),
            format!(
                "at least 2^{} on each side, for {} convolutions that halve it",
                self.widths.len(),
                self.widths.len()
            ),
        )?;
        Ok(self.quantizer.validate()?)
    }

    /// Values that the convolutions leave of a picture.
    fn flat(&self) -> usize {
        let halvings = self.widths.len().min(31) as u32;
        let [height, width] = self.size.map(|side| side >> halvings);
        self.widths.last().unwrap_or(&self.channels) * height * width
    }

    /// A network with initial parameters.
    ///
    /// # Errors
    /// As [`ConvnetConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Convnet> {
        self.validate()?;
        let inputs = std::iter::once(&self.channels).chain(&self.widths);
        let convolutions = inputs.zip(&self.widths).map(|(&input, &output)| {
            let config = Conv2dConfig {
                quantizer: self.quantizer,
                ..Conv2dConfig::same([input, output], self.kernel)
            };
            config.init(device)
        });
        let norms = self.widths.iter();
        let head = LinearConfig {
            quantizer: self.quantizer,
            ..LinearConfig::new(self.flat(), self.classes)
        };
        Ok(Convnet {
            convolutions: convolutions.collect::<Result<_, _>>()?,
            norms: norms
                .map(|&width| NormConfig::new(self.norm, width).init(device))
                .collect::<Result<_, _>>()?,
            head: head.init(device)?,
            activation: self.activation,
            pool: self.pool,
        })
    }
}

impl Convnet {
    /// Logits of the classes.
    ///
    /// # Shapes
    /// * `x`: `[batch, channels, height, width]`
    /// * result: `[batch, classes]`
    ///
    /// # Panics
    /// If the pictures have another size.
    pub fn forward(&self, x: Tensor<4>, context: Context) -> Tensor<2> {
        let mut h = x;
        for (convolution, norm) in self.convolutions.iter().zip(&self.norms) {
            h = self
                .pool
                .halve(normed(convolution, norm, h, self.activation, context));
        }
        self.head.forward(h.flatten(1, 3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, count, device, tensor};

    /// 896 + 18,496 + 40,970, as PyTorch counts.
    #[test]
    fn parameters_of_3_32_64() {
        let convnet = ConvnetConfig::new(3, [32, 32], 10).init(&device()).unwrap();
        assert_eq!(count(&convnet), 60_362);
    }

    #[test]
    fn every_parameter_learns_on_odd_sizes() {
        for norm in [NormKind::None, NormKind::Batch, NormKind::Rms] {
            let config = ConvnetConfig {
                widths: vec![4, 6, 5],
                norm,
                quantizer: Quantizer::Uniform { bits: 8 },
                ..ConvnetConfig::new(2, [11, 9], 3)
            };
            let convnet = config.init(&device()).unwrap();
            let y = convnet.forward(tensor([3, 2, 11, 9], 1), Context::training(0));
            assert_eq!(y.dims(), [3, 3]);
            assert_all_learn(&convnet, &(y * tensor([3, 3], 2)).sum().backward());
        }
    }

    #[test]
    fn settings_out_of_range() {
        let config = ConvnetConfig::new(1, [8, 8], 2);
        let even = ConvnetConfig {
            kernel: 4,
            ..config.clone()
        };
        assert_eq!(
            even.validate().unwrap_err().to_string(),
            "kernel = 4, but it must be odd"
        );
        let deep = ConvnetConfig {
            widths: vec![4; 4],
            ..config
        };
        assert!(
            deep.validate()
                .unwrap_err()
                .to_string()
                .starts_with("size = [8, 8], but")
        );
    }
}
