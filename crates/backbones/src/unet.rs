//! U-Net.

use crate::error::{Result, check, check_sizes};
use crate::lenet::{Pool, normed};
use crate::mlp::relu;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_kernels::Activation;
use offprint_layers::{Context, Conv2d, Conv2dConfig, Init, Norm, NormConfig, NormKind, Quantizer};
use serde::{Deserialize, Serialize};

/// Configuration of a [`Unet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnetConfig {
    /// Channels of a picture.
    pub channels: usize,
    /// Height and width of a picture, multiples of 2 to the number of levels.
    pub size: [usize; 2],
    /// Classes of a pixel.
    pub classes: usize,
    /// Times that the picture is halved; the paper's network has 4.
    #[serde(default = "levels")]
    pub levels: usize,
    /// Channels at full size, doubled at each level; the paper's network has 64.
    #[serde(default = "width")]
    pub width: usize,
    /// `f`.
    #[serde(default = "relu")]
    pub activation: Activation,
    /// How pictures are made smaller.
    #[serde(default)]
    pub pool: Pool,
    /// The norm behind each convolution; the paper has none.
    #[serde(default = "batch")]
    pub norm: NormKind,
    /// What the weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

fn levels() -> usize {
    2
}

fn width() -> usize {
    16
}

fn batch() -> NormKind {
    NormKind::Batch
}

/// A path down, `d_0 = double(x)`, `d_i = double(pool(d_{i−1}))`, and one up,
/// `u_n = d_n`, `u_{i−1} = double([d_{i−1}, up(u_i)])`; the answer is a convolution of 1×1 of `u_0`. `double` is two
/// convolutions of 3×3, `up` a transposed one of 2×2 with stride 2 that halves the channels.
///
/// Source: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015,
/// figure 1; with padded convolutions, so that the answer is as large as the picture and nothing is cropped.
#[derive(Module, Debug)]
pub struct Unet {
    /// `double` at each level on the way down.
    pub down: Vec<Double>,
    /// `up` of each level, the lowest last.
    pub rise: Vec<Rise>,
    /// `double` at each level on the way up, the lowest last.
    pub up: Vec<Double>,
    /// The convolution of the answer.
    pub head: Conv2d,
    /// How pictures are made smaller.
    #[module(skip)]
    pub pool: Pool,
}

/// A transposed convolution of 2×2 with stride 2. Its windows do not overlap, so that it is one of 1×1 whose outputs, four
/// a channel, are laid out as 2×2.
#[derive(Module, Debug)]
pub struct Rise {
    /// To four outputs a channel, those of one channel together, row by row; without a bias.
    pub convolution: Conv2d,
    /// `[outputs]`, zeros at first.
    pub bias: Param<Tensor<1>>,
}

/// `f(norm(conv₂(f(norm(conv₁(x))))))`, both of 3×3.
#[derive(Module, Debug)]
pub struct Double {
    /// Both convolutions.
    pub convolutions: Vec<Conv2d>,
    /// Behind each.
    pub norms: Vec<Norm>,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

impl UnetConfig {
    /// Two levels of 16 channels and more, with batch norm, ReLU and largest values.
    pub fn new(channels: usize, size: [usize; 2], classes: usize) -> Self {
        Self {
            channels,
            size,
            classes,
            levels: levels(),
            width: width(),
            activation: relu(),
            pool: Pool::default(),
            norm: batch(),
            quantizer: Quantizer::default(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a size is 0, there are more than 10 levels, a picture cannot be halved that often or the quantizer is out of
    /// range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([
            ("channels", self.channels),
            ("classes", self.classes),
            ("width", self.width),
            ("size", self.size[0].min(self.size[1])),
        ])?;
        check(self.levels <= 10, "levels", self.levels, "0 to 10")?;
        check(
            self.size
                .iter()
                .all(|side| side.is_multiple_of(1 << self.levels)),
            "size",
            format!("{:?}", self.size),
            format!("multiples of 2^levels = {}", 1 << self.levels),
        )?;
        Ok(self.quantizer.validate()?)
    }

    /// A network with initial parameters.
    ///
    /// # Errors
    /// As [`UnetConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Unet> {
        self.validate()?;
        let width = |level: usize| self.width << level;
        let pointwise = |channels| Conv2dConfig {
            quantizer: self.quantizer,
            ..Conv2dConfig::new(channels, 1)
        };
        let mut unet = Unet {
            down: vec![self.double([self.channels, width(0)], device)?],
            rise: Vec::new(),
            up: Vec::new(),
            head: pointwise([width(0), self.classes]).init(device)?,
            pool: self.pool,
        };
        for level in 0..self.levels {
            let (above, below) = (width(level), width(level + 1));
            unet.down.push(self.double([above, below], device)?);
            let convolution = Conv2dConfig {
                bias: false,
                ..pointwise([below, 4 * above])
            };
            unet.rise.push(Rise {
                convolution: convolution.init(device)?,
                bias: Param::from_tensor(Tensor::zeros([above], device)),
            });
            unet.up.push(self.double([2 * above, above], device)?);
        }
        Ok(unet)
    }

    fn double(&self, channels: [usize; 2], device: &Device) -> Result<Double> {
        let [input, output] = channels;
        let convolution = |input| {
            let config = Conv2dConfig {
                bias: self.norm == NormKind::None,
                init: Init::He,
                quantizer: self.quantizer,
                ..Conv2dConfig::same([input, output], 3)
            };
            config.init(device)
        };
        let norm = || NormConfig::new(self.norm, output).init(device);
        Ok(Double {
            convolutions: vec![convolution(input)?, convolution(output)?],
            norms: vec![norm()?, norm()?],
            activation: self.activation,
        })
    }
}

impl Unet {
    /// Logits of each pixel's classes.
    ///
    /// # Shapes
    /// * `x`: `[batch, channels, height, width]`
    /// * result: `[batch, classes, height, width]`
    ///
    /// # Panics
    /// If the pictures have another size.
    pub fn forward(&self, x: Tensor<4>, context: Context) -> Tensor<4> {
        let mut passed = Vec::new();
        let mut h = x;
        for (level, double) in self.down.iter().enumerate() {
            if level > 0 {
                passed.push(h.clone());
                h = self.pool.halve(h);
            }
            h = double.forward(h, context);
        }
        let upwards = self.rise.iter().zip(&self.up).rev();
        for ((rise, double), beside) in upwards.zip(passed.into_iter().rev()) {
            h = double.forward(Tensor::cat(vec![beside, rise.forward(h)], 1), context);
        }
        self.head.forward(h)
    }
}

impl Double {
    /// Both convolutions.
    ///
    /// # Shapes
    /// * `x`: `[batch, inputs, height, width]`
    /// * result: `[batch, outputs, height, width]`
    ///
    /// # Panics
    /// If the pictures have another number of channels.
    pub fn forward(&self, x: Tensor<4>, context: Context) -> Tensor<4> {
        let layers = self.convolutions.iter().zip(&self.norms);
        layers.fold(x, |h, (convolution, norm)| {
            normed(convolution, norm, h, self.activation, context)
        })
    }
}

impl Rise {
    /// The transposed convolution.
    ///
    /// # Shapes
    /// * `x`: `[batch, inputs, height, width]`
    /// * result: `[batch, outputs, 2 height, 2 width]`
    ///
    /// # Panics
    /// If the pictures have another number of channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let channels = self.bias.dims()[0];
        spread(self.convolution.forward(x)) + self.bias.val().reshape([1, channels, 1, 1])
    }
}

/// `[batch, 4 c, h, w]` to `[batch, c, 2 h, 2 w]`.
fn spread(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels / 4, 2, 2, height, width])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([batch, channels / 4, 2 * height, 2 * width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, count, device, tensor};

    /// PyTorch's count of the paper's network (1 channel, 2 classes, 4 levels of 64 channels and more, no norm, a bias in
    /// every convolution): 31 million.
    #[test]
    fn parameters_of_the_paper() {
        let config = UnetConfig {
            levels: 4,
            width: 64,
            norm: NormKind::None,
            ..UnetConfig::new(1, [32, 32], 2)
        };
        assert_eq!(count(&config.init(&device()).unwrap()), 31_030_658);
    }

    #[test]
    fn every_parameter_learns_at_every_depth() {
        for (levels, norm, pool) in [
            (0, NormKind::None, Pool::Max),
            (1, NormKind::Batch, Pool::Average),
            (3, NormKind::Layer, Pool::Max),
        ] {
            let config = UnetConfig {
                levels,
                width: 3,
                norm,
                pool,
                ..UnetConfig::new(2, [16, 8], 3)
            };
            let unet = config.init(&device()).unwrap();
            let y = unet.forward(tensor([2, 2, 16, 8], 1), Context::training(0));
            assert_eq!(y.dims(), [2, 3, 16, 8]);
            assert_all_learn(&unet, &(y * tensor([2, 3, 16, 8], 2)).sum().backward());
        }
    }

    /// Expected by hand: channels 0 to 3 are the places of the first channel, 4 to 7 those of the second.
    #[test]
    fn four_channels_become_two_by_two() {
        let x = Tensor::<1>::from_data([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &device());
        let y: Vec<f32> = spread(x.reshape([1, 8, 1, 1]))
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(y, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    }

    #[test]
    fn pictures_that_cannot_be_halved_are_refused() {
        let error = UnetConfig::new(1, [28, 30], 2).validate().unwrap_err();
        assert_eq!(
            error.to_string(),
            "size = [28, 30], but it must be multiples of 2^levels = 4"
        );
    }
}
