//! ViT: a transformer on patches of a picture.

use crate::blocks::{Blocks, BlocksConfig, Given, Surroundings};
use crate::channel_mixer::AnyChannelMixer;
use crate::error::{BackbonesError, Result, check, check_sizes};
use crate::output::Output;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_kernels::add;
use offprint_layers::kan::{GroupRationalKanConfig, GroupRationalOptions};
use offprint_layers::{Activation, Context, Conv2d, Conv2dConfig, Dropout, Linear, LinearConfig};
use serde::{Deserialize, Serialize};

/// Configuration of a [`Vit`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VitConfig {
    /// Channels of a picture.
    pub channels: usize,
    /// Height and width of a picture, multiples of the patch.
    pub size: [usize; 2],
    /// Height and width of a patch.
    pub patch: usize,
    /// Number of classes.
    pub classes: usize,
    /// Sizes and slots of the blocks.
    pub blocks: BlocksConfig,
}

/// Patches of a picture as tokens behind a class token, learned positions, blocks, and a linear head on the class token.
///
/// Source: Dosovitskiy et al., "An Image Is Worth 16x16 Words: Transformers for Image Recognition at Scale", ICLR 2021.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_backbones::{BlocksConfig, VitConfig};
/// use offprint_layers::Context;
/// # fn main() -> Result<(), offprint_backbones::BackbonesError> {
/// let device = Device::flex();
/// let vit = VitConfig::new(3, [32, 32], 8, 10, BlocksConfig::new(2, 24, 3)).init(&device)?;
/// let logits = vit.forward(Tensor::ones([5, 3, 32, 32], &device), Context::EVALUATION)?;
/// assert_eq!(logits.output.dims(), [5, 10]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Vit {
    /// A patch to a token.
    pub patches: Conv2d,
    /// `[1, 1, width]`.
    pub class_token: Param<Tensor<3>>,
    /// `[1, 1 + patches, width]`.
    pub positions: Param<Tensor<3>>,
    /// Of the embedded tokens.
    pub dropout: Dropout,
    /// The blocks.
    pub blocks: Blocks,
    /// Class token to classes.
    pub head: Linear,
    /// Height and width of a picture.
    pub size: [usize; 2],
}

impl VitConfig {
    /// The paper's GELU; everything else as in `blocks`.
    pub fn new(
        channels: usize,
        size: [usize; 2],
        patch: usize,
        classes: usize,
        blocks: BlocksConfig,
    ) -> Self {
        Self {
            channels,
            size,
            patch,
            classes,
            blocks: BlocksConfig {
                activation: Activation::Gelu,
                ..blocks
            },
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// Which one is out of range, or does not fit the others.
    pub fn validate(&self) -> Result<()> {
        check_sizes([
            ("channels", self.channels),
            ("patch", self.patch),
            ("classes", self.classes),
        ])?;
        check(
            self.size
                .iter()
                .all(|side| *side > 0 && side.is_multiple_of(self.patch)),
            "size",
            format!("{:?}", self.size),
            format!("positive multiples of patch = {}", self.patch),
        )?;
        self.blocks.validate(&Surroundings::default())
    }

    /// A model with initial parameters.
    ///
    /// # Errors
    /// As [`VitConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Vit> {
        self.validate()?;
        let (width, init) = (self.blocks.width, self.blocks.weight_init());
        let patches = Conv2dConfig {
            stride: [self.patch; 2],
            init,
            ..Conv2dConfig::new([self.channels, width], self.patch)
        };
        let head = LinearConfig {
            init,
            ..LinearConfig::new(width, self.classes)
        };
        Ok(Vit {
            patches: patches.init(device)?,
            class_token: init.weight([1, 1, width], width, device),
            positions: init.weight([1, 1 + self.patches(), width], width, device),
            dropout: self.blocks.dropout().init()?,
            blocks: self.blocks.init(&Surroundings::default(), device)?,
            head: head.init(device)?,
            size: self.size,
        })
    }

    /// Number of patches of a picture.
    pub fn patches(&self) -> usize {
        let sides = self.size.map(|side| side / self.patch);
        sides[0].saturating_mul(sides[1])
    }
}

impl Vit {
    /// Logits of the classes.
    ///
    /// # Shapes
    /// * `x`: `[batch, channels, height, width]`
    /// * output: `[batch, classes]`
    ///
    /// # Errors
    /// If the pictures have another size, or a gate is given a number that is not finite.
    pub fn forward(&self, x: Tensor<4>, context: Context) -> Result<Output<2>> {
        let (x, penalty) = self.features(x, context)?;
        let [batch, _, width] = x.dims();
        let class = x.narrow(1, 0, 1).reshape([batch, width]);
        Ok(Output {
            output: self.head.forward(class),
            penalty,
        })
    }

    /// The class token and the patches after the last block, `[batch, 1 + patches, width]`, and the penalty of gates.
    ///
    /// # Errors
    /// As [`Vit::forward`].
    pub fn features(
        &self,
        x: Tensor<4>,
        context: Context,
    ) -> Result<(Tensor<3>, Option<Tensor<1>>)> {
        let x = self.tokens(x, context)?;
        self.blocks.forward(x, Given::default(), context.branch(1))
    }

    /// The model with group-rational KANs in place of its MLPs: the same function, but for the error of the fit to their
    /// activation, which is the second result. Other channel mixers stay.
    ///
    /// # Errors
    /// If a width is no multiple of the groups, or another option is out of range.
    pub fn with_kans(
        mut self,
        options: GroupRationalOptions,
        device: &Device,
    ) -> Result<(Self, f64)> {
        let mut most: f64 = 0.0;
        for block in &mut self.blocks.blocks {
            if let AnyChannelMixer::Mlp(network) = &block.channel_mixer {
                let (kan, error) =
                    GroupRationalKanConfig::of_feed_forward(network, options, device)?;
                block.channel_mixer = AnyChannelMixer::GrKan(kan);
                most = most.max(error);
            }
        }
        Ok((self, most))
    }

    /// The class token and the patches before the first block, `[batch, 1 + patches, width]`.
    ///
    /// # Errors
    /// If the pictures have another size.
    pub fn tokens(&self, x: Tensor<4>, context: Context) -> Result<Tensor<3>> {
        let shape = x.dims();
        let [_, channels, _, _] = self.patches.weight.dims();
        let [height, width] = self.size;
        if shape[1..] != [channels, height, width] {
            return Err(BackbonesError::Shape {
                name: "x",
                actual: shape.to_vec(),
                expected: format!("[batch, {channels}, {height}, {width}]"),
            });
        }
        let patches = self.patches.forward(x).flatten::<3>(2, 3).swap_dims(1, 2);
        let [batch, count, width] = patches.dims();
        let class = self.class_token.val().expand([batch, 1, width]);
        let x = Tensor::cat(vec![class, patches], 1);
        let x = add(x, self.positions.val().expand([batch, count + 1, width]));
        Ok(self.dropout.forward(x, context.branch(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, device, tensor};
    use burn::tensor::Int;
    use offprint_kernels::CrossEntropy;

    fn config() -> VitConfig {
        VitConfig::new(2, [6, 9], 3, 4, BlocksConfig::new(2, 12, 3))
    }

    #[test]
    fn every_parameter_learns() {
        let vit = config().init(&device()).unwrap();
        let output = vit
            .forward(tensor([3, 2, 6, 9], 1), Context::training(0))
            .unwrap();
        assert_eq!(output.output.dims(), [3, 4]);
        let targets = Tensor::<1, Int>::from_data([0, 3, 1], &device());
        let loss = output.loss(targets, CrossEntropy::default());
        assert_all_learn(&vit, &loss.backward());
    }

    #[test]
    fn pictures_of_a_batch_do_not_mix() {
        let vit = config().init(&device()).unwrap();
        let x = tensor([3, 2, 6, 9], 1);
        let logits = |x| vit.forward(x, Context::EVALUATION).unwrap().output;
        let alone = logits(x.clone().narrow(0, 1, 1));
        let error = (logits(x).narrow(0, 1, 1) - alone).abs().max();
        assert!(error.into_scalar::<f32>() < 1e-6);
    }

    #[test]
    fn kans_compute_what_the_mlps_did() {
        let vit = config().init(&device()).unwrap();
        let x = tensor([3, 2, 6, 9], 1);
        let logits = |vit: &Vit| vit.forward(x.clone(), Context::EVALUATION).unwrap().output;
        let options = GroupRationalOptions {
            groups: 4,
            ..GroupRationalOptions::default()
        };
        let before = logits(&vit);
        let (kat, error) = vit.clone().with_kans(options, &device()).unwrap();
        let off = (logits(&kat) - before).abs().max().into_scalar::<f32>();
        assert!(error < 1e-2 && f64::from(off) < 1e-2, "{error} {off}");
        let error = vit.with_kans(GroupRationalOptions::default(), &device());
        assert_eq!(
            error.unwrap_err().to_string(),
            "width = 12, but it must be a multiple of groups = 8"
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = VitConfig {
            size: [6, 10],
            ..config()
        }
        .validate()
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "size = [6, 10], but it must be positive multiples of patch = 3"
        );
        let vit = config().init(&device()).unwrap();
        let error = vit.forward(tensor([1, 2, 9, 6], 1), Context::EVALUATION);
        assert_eq!(
            error.unwrap_err().to_string(),
            "x has shape [1, 2, 9, 6], but [batch, 2, 6, 9] is expected"
        );
    }
}
