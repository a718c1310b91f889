//! LeNet-5.

use crate::error::{Result, check, check_sizes};
use crate::mlp::relu;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_kernels::{Activation, avg_pool2d, max_pool2d};
use offprint_layers::{
    Context, Conv2d, Conv2dConfig, Linear, LinearConfig, Norm, NormConfig, NormKind, Quantizer,
};
use serde::{Deserialize, Serialize};

/// How a picture is made smaller by two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// Largest of four.
    #[default]
    Max,
    /// Mean of four.
    Average,
}

impl Pool {
    /// Windows of 2×2 with stride 2; an odd row or column at the end is left out.
    ///
    /// # Shapes
    /// * `x`: `[batch, channels, height, width]`
    /// * result: `[batch, channels, ⌊height / 2⌋, ⌊width / 2⌋]`
    pub fn halve(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Max => max_pool2d(x, [2, 2], [2, 2], [0, 0]),
            Self::Average => avg_pool2d(x, [2, 2], [2, 2], [0, 0]),
        }
    }
}

/// Configuration of a [`Lenet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LenetConfig {
    /// Channels of a picture.
    pub channels: usize,
    /// Height and width of a picture, at least 12 each.
    pub size: [usize; 2],
    /// Number of classes.
    pub classes: usize,
    /// `f`; the original's is tanh.
    #[serde(default = "relu")]
    pub activation: Activation,
    /// The original's is the average.
    #[serde(default)]
    pub pool: Pool,
    /// The norm behind each convolution.
    #[serde(default = "crate::mlp::no_norm")]
    pub norm: NormKind,
    /// What the weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

/// Two convolutions of 5×5, each with a pooling, and three dense layers:
/// `pool(f(conv₆(x)))`, `pool(f(conv₁₆))`, `f(dense₁₂₀)`, `f(dense₈₄)`, `dense`.
///
/// The first convolution pads by 2, so that pictures of 28×28 are what the paper's padded 32×32 are.
///
/// Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998, figure 2;
/// without its partial connections between feature maps and its radial basis outputs.
#[derive(Module, Debug)]
pub struct Lenet {
    /// To 6 and to 16 channels.
    pub convolutions: Vec<Conv2d>,
    /// Behind each convolution.
    pub norms: Vec<Norm>,
    /// To 120, to 84 and to the classes.
    pub dense: Vec<Linear>,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
    /// How pictures are made smaller.
    #[module(skip)]
    pub pool: Pool,
}

impl LenetConfig {
    /// With ReLU, largest values and no norm.
    pub fn new(channels: usize, size: [usize; 2], classes: usize) -> Self {
        Self {
            channels,
            size,
            classes,
            activation: relu(),
            pool: Pool::default(),
            norm: NormKind::None,
            quantizer: Quantizer::default(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a size is 0, a picture is smaller than 12×12 or the quantizer is out of range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("channels", self.channels), ("classes", self.classes)])?;
        check(
            self.flat() > 0,
            "size",
            format!("{:?}", self.size),
            "at least [12, 12]",
        )?;
        Ok(self.quantizer.validate()?)
    }

    /// Values that the convolutions leave of a picture.
    fn flat(&self) -> usize {
        let [height, width] = self.size.map(|side| (side / 2).saturating_sub(4) / 2);
        16 * height * width
    }

    /// A network with initial parameters.
    ///
    /// # Errors
    /// As [`LenetConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Lenet> {
        self.validate()?;
        let convolution = |config: Conv2dConfig| {
            let config = Conv2dConfig {
                quantizer: self.quantizer,
                ..config
            };
            config.init(device)
        };
        let linear = |input, output| {
            let config = LinearConfig {
                quantizer: self.quantizer,
                ..LinearConfig::new(input, output)
            };
            config.init(device)
        };
        Ok(Lenet {
            convolutions: vec![
                convolution(Conv2dConfig::same([self.channels, 6], 5))?,
                convolution(Conv2dConfig::new([6, 16], 5))?,
            ],
            norms: vec![
                NormConfig::new(self.norm, 6).init(device)?,
                NormConfig::new(self.norm, 16).init(device)?,
            ],
            dense: vec![
                linear(self.flat(), 120)?,
                linear(120, 84)?,
                linear(84, self.classes)?,
            ],
            activation: self.activation,
            pool: self.pool,
        })
    }
}

impl Lenet {
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
        let mut h: Tensor<2> = h.flatten(1, 3);
        let last = self.dense.len() - 1;
        for (index, layer) in self.dense.iter().enumerate() {
            h = match index == last {
                false => layer.activated(h, self.activation),
                true => layer.forward(h),
            };
        }
        h
    }
}

/// `f(norm(conv(x)))`.
pub(crate) fn normed(
    convolution: &Conv2d,
    norm: &Norm,
    x: Tensor<4>,
    f: Activation,
    context: Context,
) -> Tensor<4> {
    match norm {
        // One pass less where nothing stands between.
        Norm::None(_) => convolution.activated(x, f),
        norm => norm.pictures(convolution.forward(x), None, f, context),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, count, device, tensor};

    /// The well-known count of LeNet-5 on one channel and ten classes, as PyTorch counts it.
    #[test]
    fn parameters_on_mnist() {
        let lenet = LenetConfig::new(1, [28, 28], 10).init(&device()).unwrap();
        assert_eq!(count(&lenet), 61_706);
    }

    #[test]
    fn every_parameter_learns_with_every_slot() {
        for (activation, pool, norm) in [
            (Activation::Tanh, Pool::Average, NormKind::None),
            (Activation::Relu, Pool::Max, NormKind::Batch),
            (Activation::Gelu, Pool::Max, NormKind::Layer),
        ] {
            let config = LenetConfig {
                activation,
                pool,
                norm,
                ..LenetConfig::new(3, [15, 12], 4)
            };
            let lenet = config.init(&device()).unwrap();
            let y = lenet.forward(tensor([5, 3, 15, 12], 1), Context::training(0));
            assert_eq!(y.dims(), [5, 4]);
            assert_all_learn(&lenet, &(y * tensor([5, 4], 2)).sum().backward());
        }
    }

    #[test]
    fn small_pictures_are_refused() {
        let error = LenetConfig::new(1, [8, 28], 10).validate().unwrap_err();
        assert_eq!(
            error.to_string(),
            "size = [8, 28], but it must be at least [12, 12]"
        );
    }
}
