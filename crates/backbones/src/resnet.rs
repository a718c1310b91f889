//! Residual networks.

use crate::error::{Result, check, check_sizes};
use crate::mlp::relu;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_kernels::{Activation, global_avg_pool2d, max_pool2d};
use offprint_layers::{
    Context, Conv2d, Conv2dConfig, Init, Linear, LinearConfig, Norm, NormConfig, NormKind,
    Quantizer,
};
use serde::{Deserialize, Serialize};

/// What a residual network begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stem {
    /// A convolution of 3×3: for pictures of 32×32 (section 4.2).
    Small,
    /// A convolution of 7×7 with stride 2 and the largest of 3×3 with stride 2: for pictures of 224×224 (table 1).
    Large,
}

/// What passes a block by where its output has another shape (section 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortcut {
    /// Option A: every second pixel, the new channels zeros. No parameters.
    Padding,
    /// Option B: a convolution of 1×1 with a norm.
    #[default]
    Projection,
}

/// Configuration of a [`Resnet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResnetConfig {
    /// Channels of a picture.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
    /// Layers with weights: 18 or 34, or 6n + 2 for three stages of n blocks (20, 32, 44, 56, 110).
    #[serde(default = "depth")]
    pub depth: usize,
    /// Channels of the first stage, doubled in each further one; 64 of depth 18 and 34, 16 of the others where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Large of depth 18 and 34, small of the others where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stem: Option<Stem>,
    /// What passes a block by where its output has another shape.
    #[serde(default)]
    pub shortcut: Shortcut,
    /// `f`.
    #[serde(default = "relu")]
    pub activation: Activation,
    /// The norm behind each convolution.
    #[serde(default = "batch")]
    pub norm: NormKind,
    /// What the weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

fn depth() -> usize {
    20
}

fn batch() -> NormKind {
    NormKind::Batch
}

/// Stem, stages of [`Block`]s, the mean over all places, one dense layer. The first block of each stage but the first
/// halves the picture and doubles the channels.
///
/// Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016: depth 18 and 34 of table 1,
/// and the family of section 4.2 for CIFAR.
#[derive(Module, Debug)]
pub struct Resnet {
    /// The first convolution.
    pub stem: Conv2d,
    /// Behind it.
    pub norm: Norm,
    /// All stages' blocks in order.
    pub blocks: Vec<Block>,
    /// The layer of the answer.
    pub head: Linear,
    /// Which stem.
    #[module(skip)]
    pub kind: Stem,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

/// `y = f(norm(conv₂(f(norm(conv₁(x))))) + shortcut(x))`, both convolutions of 3×3.
#[derive(Module, Debug)]
pub struct Block {
    /// With the block's stride.
    pub first: Conv2d,
    /// Behind it.
    pub first_norm: Norm,
    /// With stride 1.
    pub second: Conv2d,
    /// Behind it.
    pub second_norm: Norm,
    /// Option B's convolution and norm, where the shape changes.
    pub projection: Option<Conv2d>,
    /// Behind the projection.
    pub projection_norm: Option<Norm>,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

impl ResnetConfig {
    /// Batch norm, ReLU and projections, as published for this depth.
    pub fn new(depth: usize, channels: usize, classes: usize) -> Self {
        Self {
            channels,
            classes,
            depth,
            width: None,
            stem: None,
            shortcut: Shortcut::default(),
            activation: relu(),
            norm: batch(),
            quantizer: Quantizer::default(),
        }
    }

    /// Blocks of each stage; `None` for a depth that no network of the family has.
    fn stages(&self) -> Option<Vec<usize>> {
        match self.depth {
            18 => Some(vec![2, 2, 2, 2]),
            34 => Some(vec![3, 4, 6, 3]),
            depth if depth >= 8 && (depth - 2).is_multiple_of(6) => Some(vec![(depth - 2) / 6; 3]),
            _ => None,
        }
    }

    fn for_large_pictures(&self) -> bool {
        matches!(self.depth, 18 | 34)
    }

    fn width(&self) -> usize {
        self.width
            .unwrap_or(if self.for_large_pictures() { 64 } else { 16 })
    }

    fn stem(&self) -> Stem {
        self.stem.unwrap_or(match self.for_large_pictures() {
            true => Stem::Large,
            false => Stem::Small,
        })
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a size is 0, or depth or quantizer are out of range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([
            ("channels", self.channels),
            ("classes", self.classes),
            ("width", self.width()),
        ])?;
        check(
            self.stages().is_some() && self.depth <= 2000,
            "depth",
            self.depth,
            "18, 34 or 6n + 2 (20, 32, 44, 56, 110 …, up to 2000)",
        )?;
        Ok(self.quantizer.validate()?)
    }

    /// A network with He et al.'s initial parameters for ReLU.
    ///
    /// # Errors
    /// As [`ResnetConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Resnet> {
        self.validate()?;
        let width = self.width();
        let kernel = match self.stem() {
            Stem::Small => 3,
            Stem::Large => 7,
        };
        let stride = match self.stem() {
            Stem::Small => 1,
            Stem::Large => 2,
        };
        let mut blocks = Vec::new();
        let mut inputs = width;
        for (stage, count) in self.stages().into_iter().flatten().enumerate() {
            let outputs = width << stage;
            for block in 0..count {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                blocks.push(self.block([inputs, outputs], stride, device)?);
                inputs = outputs;
            }
        }
        let head = LinearConfig {
            quantizer: self.quantizer,
            ..LinearConfig::new(inputs, self.classes)
        };
        Ok(Resnet {
            stem: self.convolution([self.channels, width], kernel, stride, device)?,
            norm: NormConfig::new(self.norm, width).init(device)?,
            blocks,
            head: head.init(device)?,
            kind: self.stem(),
            activation: self.activation,
        })
    }

    fn convolution(
        &self,
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        device: &Device,
    ) -> Result<Conv2d> {
        let config = Conv2dConfig {
            stride: [stride; 2],
            // A norm subtracts any bias again.
            bias: self.norm == NormKind::None,
            init: Init::He,
            quantizer: self.quantizer,
            ..Conv2dConfig::same(channels, kernel)
        };
        Ok(config.init(device)?)
    }

    fn block(&self, channels: [usize; 2], stride: usize, device: &Device) -> Result<Block> {
        let [inputs, outputs] = channels;
        let norm = || NormConfig::new(self.norm, outputs).init(device);
        let changes = stride != 1 || inputs != outputs;
        let projects = changes && self.shortcut == Shortcut::Projection;
        Ok(Block {
            first: self.convolution(channels, 3, stride, device)?,
            first_norm: norm()?,
            second: self.convolution([outputs, outputs], 3, 1, device)?,
            second_norm: norm()?,
            projection: match projects {
                true => Some(self.convolution(channels, 1, stride, device)?),
                false => None,
            },
            projection_norm: match projects {
                true => Some(norm()?),
                false => None,
            },
            activation: self.activation,
        })
    }
}

impl Resnet {
    /// Logits of the classes.
    ///
    /// # Shapes
    /// * `x`: `[batch, channels, height, width]`
    /// * result: `[batch, classes]`
    ///
    /// # Panics
    /// If the pictures have another number of channels.
    pub fn forward(&self, x: Tensor<4>, context: Context) -> Tensor<2> {
        let h = self.stem.forward(x);
        let mut h = self.norm.pictures(h, None, self.activation, context);
        if self.kind == Stem::Large {
            h = max_pool2d(h, [3, 3], [2, 2], [1, 1]);
        }
        for block in &self.blocks {
            h = block.forward(h, context);
        }
        self.head.forward(global_avg_pool2d(h))
    }
}

impl Block {
    /// The block's output.
    ///
    /// # Shapes
    /// * `x`: `[batch, inputs, height, width]`
    /// * result: `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`
    ///
    /// # Panics
    /// If the pictures have another number of channels.
    pub fn forward(&self, x: Tensor<4>, context: Context) -> Tensor<4> {
        let h = self.first.forward(x.clone());
        let h = self.first_norm.pictures(h, None, self.activation, context);
        let h = self.second.forward(h);
        let [_, channels, height, width] = h.dims();
        let shortcut = match (&self.projection, &self.projection_norm) {
            (Some(projection), Some(norm)) => {
                norm.pictures(projection.forward(x), None, Activation::Identity, context)
            }
            _ => padded(x, channels, [height, width]),
        };
        self.second_norm
            .pictures(h, Some(shortcut), self.activation, context)
    }
}

/// Option A: every second pixel where the picture got smaller, the new channels zeros.
fn padded(x: Tensor<4>, channels: usize, size: [usize; 2]) -> Tensor<4> {
    let [batch, inputs, height, width] = x.dims();
    let x = match [height, width] == size {
        true => x,
        false => {
            let every_second = |length: usize| burn::tensor::s![0..length;2];
            x.slice([
                burn::tensor::s![0..batch],
                burn::tensor::s![0..inputs],
                every_second(height),
                every_second(width),
            ])
        }
    };
    if inputs == channels {
        return x;
    }
    // Half of the zeros before and half behind, as in the authors' experiments on CIFAR.
    let before = (channels - inputs) / 2;
    let zeros = |count: usize| Tensor::zeros([batch, count, size[0], size[1]], &x.device());
    Tensor::cat(
        vec![zeros(before), x.clone(), zeros(channels - inputs - before)],
        1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, count, device, tensor};

    fn counted(config: ResnetConfig) -> usize {
        count(&config.init(&device()).unwrap())
    }

    /// Counts of PyTorch's definitions: `torchvision.models.resnet18` and `resnet34`, and the CIFAR family with either
    /// option. He et al. round them to 0.27M, 0.46M and 0.85M (table 6).
    #[test]
    fn parameters_are_those_of_the_paper() {
        assert_eq!(counted(ResnetConfig::new(18, 3, 1000)), 11_689_512);
        assert_eq!(counted(ResnetConfig::new(34, 3, 1000)), 21_797_672);
        for (depth, padding, projection) in [
            (20, 269_722, 272_474),
            (32, 464_154, 466_906),
            (56, 853_018, 855_770),
        ] {
            let config = ResnetConfig::new(depth, 3, 10);
            assert_eq!(counted(config.clone()), projection);
            let shortcut = Shortcut::Padding;
            assert_eq!(counted(ResnetConfig { shortcut, ..config }), padding);
        }
    }

    #[test]
    fn every_parameter_learns_with_every_slot() {
        for (depth, shortcut, norm, activation) in [
            (8, Shortcut::Projection, NormKind::Batch, Activation::Relu),
            (8, Shortcut::Padding, NormKind::Layer, Activation::Silu),
            (18, Shortcut::Projection, NormKind::None, Activation::Relu),
        ] {
            let config = ResnetConfig {
                shortcut,
                norm,
                activation,
                width: Some(4),
                ..ResnetConfig::new(depth, 2, 3)
            };
            let resnet = config.init(&device()).unwrap();
            let y = resnet.forward(tensor([3, 2, 17, 13], 1), Context::training(0));
            assert_eq!(y.dims(), [3, 3]);
            assert_all_learn(&resnet, &(y * tensor([3, 3], 2)).sum().backward());
        }
    }

    /// Expected by hand: places 0 and 2 of three, one channel of zeros before and two behind.
    #[test]
    fn option_a_keeps_every_second_pixel_between_zeros() {
        let x = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0]]]], &device());
        let y: Vec<f32> = padded(x, 4, [1, 2]).into_data().try_to_vec().unwrap();
        assert_eq!(y, [0.0, 0.0, 1.0, 3.0, 0.0, 0.0, 0.0, 0.0]);
    }

    /// The running statistics of batch norm are used at evaluation, and learned in training.
    #[test]
    fn evaluation_uses_running_statistics() {
        let resnet = ResnetConfig::new(8, 1, 2).init(&device()).unwrap();
        let x = tensor([4, 1, 8, 8], 1);
        let before = resnet
            .valid()
            .forward(x.clone().inner(), Context::EVALUATION);
        for step in 0..3 {
            resnet.forward(x.clone(), Context::training(step));
        }
        let after = resnet
            .valid()
            .forward(x.clone().inner(), Context::EVALUATION);
        let moved = (before - after.clone()).abs().max().into_scalar::<f32>();
        assert!(moved > 1e-3, "{moved}");
        // A row's answer at evaluation does not depend on the other rows.
        let alone = resnet
            .valid()
            .forward(x.inner().narrow(0, 1, 1), Context::EVALUATION);
        let error = (alone - after.narrow(0, 1, 1))
            .abs()
            .max()
            .into_scalar::<f32>();
        assert!(error < 1e-5, "{error}");
    }

    #[test]
    fn settings_out_of_range() {
        for depth in [0, 2, 19, 51] {
            let error = ResnetConfig::new(depth, 3, 10)
                .validate()
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with(&format!("depth = {depth}, but it must be 18, 34 or 6n + 2")),
                "{error}"
            );
        }
    }
}
