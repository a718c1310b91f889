//! Encoder: a transformer that reads a sequence in both directions.

use crate::blocks::{Blocks, BlocksConfig, Given, NormPlace, Seen, Surroundings};
use crate::error::{BackbonesError, Result, check_sizes};
use crate::output::Output;
use crate::positions::{Positions, TokenEmbedding, TokenEmbeddingConfig};
use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use offprint_experts::Permutation;
use offprint_layers::{Activation, Context, Linear, LinearConfig, Norm, padding_bias};
use serde::{Deserialize, Serialize};

/// Configuration of an [`Encoder`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Number of tokens.
    pub vocabulary: usize,
    /// Most tokens of a sequence.
    pub context: usize,
    /// How a sequence knows its order.
    #[serde(default)]
    pub positions: Positions,
    /// Number of classes of a sequence; where absent, the head guesses the token at each position.
    #[serde(default)]
    pub classes: Option<usize>,
    /// How a sequence becomes one vector for the classes.
    #[serde(default)]
    pub pooling: Pooling,
    /// Sizes and slots of the blocks.
    pub blocks: BlocksConfig,
}

/// How a sequence becomes one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// `tanh(x₀ W + b)` of the first token, as in BERT.
    #[default]
    First,
    /// The mean of the tokens that are present.
    Mean,
}

/// Bidirectional encoder with a head for classes or for masked tokens.
///
/// Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019;
/// with norms after the sums (`norm_place = "after"`) the embeddings are normalized as there.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_backbones::{BlocksConfig, EncoderConfig};
/// use offprint_layers::Context;
/// # fn main() -> Result<(), offprint_backbones::BackbonesError> {
/// let device = Device::flex();
/// let config = EncoderConfig { classes: Some(3), ..EncoderConfig::new(100, 16, BlocksConfig::new(2, 24, 3)) };
/// let encoder = config.init(&device)?;
/// let tokens = Tensor::from_data([[5, 6, 7], [8, 9, 0]], &device);
/// let present = tokens.clone().not_equal_elem(0);
/// let logits = encoder.forward(tokens, Some(present), Context::EVALUATION)?;
/// assert_eq!(logits.output.dims(), [2, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Encoder {
    /// Tokens and positions.
    pub embedding: TokenEmbedding,
    /// Of the embeddings, where norms stand after the sums.
    pub norm: Option<Norm>,
    /// The blocks.
    pub blocks: Blocks,
    /// The pooler of the first token.
    pub pooler: Option<Linear>,
    /// Vector to classes; without, tokens are guessed by the table of tokens.
    pub head: Option<Linear>,
}

/// What an encoder makes of a batch on the way to its logits.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Logits, as of [`Encoder::forward`].
    pub output: Tensor<2>,
    /// Penalty of the gates of mixtures of experts, `[1]`, to add to the loss in training.
    pub penalty: Option<Tensor<1>>,
    /// `[batch, length, width]`: what goes into the first block, then what comes out of each.
    pub hidden: Vec<Tensor<3>>,
    /// Pairs of a position and an expert that were computed, of all blocks together.
    pub evaluated: usize,
}

impl EncoderConfig {
    /// Learned positions and a head for masked tokens.
    pub fn new(vocabulary: usize, context: usize, blocks: BlocksConfig) -> Self {
        Self {
            vocabulary,
            context,
            positions: Positions::default(),
            classes: None,
            pooling: Pooling::default(),
            blocks,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// Which one is out of range, or does not fit the others.
    pub fn validate(&self) -> Result<()> {
        self.embedding().validate()?;
        check_sizes([("classes", self.classes.unwrap_or(1))])?;
        self.blocks.validate(&self.surroundings())
    }

    /// A model with initial parameters.
    ///
    /// # Errors
    /// As [`EncoderConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Encoder> {
        self.validate()?;
        let width = self.blocks.width;
        let linear = |output| {
            LinearConfig {
                init: self.blocks.weight_init(),
                ..LinearConfig::new(width, output)
            }
            .init(device)
        };
        let pools = self.classes.is_some() && self.pooling == Pooling::First;
        Ok(Encoder {
            embedding: self.embedding().init(&self.blocks, device)?,
            norm: match self.blocks.norm_place {
                NormPlace::Before => None,
                NormPlace::After => Some(self.blocks.norm().init(device)?),
            },
            blocks: self.blocks.init(&self.surroundings(), device)?,
            pooler: pools.then(|| linear(width)).transpose()?,
            head: self.classes.map(linear).transpose()?,
        })
    }

    fn embedding(&self) -> TokenEmbeddingConfig {
        TokenEmbeddingConfig {
            vocabulary: self.vocabulary,
            context: self.context,
            positions: self.positions,
        }
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            rotary: self.positions.rotary(),
            ..Surroundings::default()
        }
    }
}

impl Encoder {
    /// Logits of the classes of each sequence, or of the token at each position.
    ///
    /// # Shapes
    /// * `tokens`: `[batch, length]`
    /// * `present`: `[batch, length]`, false for padding, which no position sees
    /// * output: `[batch, classes]`, or `[batch · length, vocabulary]` without classes
    ///
    /// # Errors
    /// If a sequence is longer than the context, a token is outside the vocabulary, `present` has another shape, or a gate
    /// is given a number that is not finite.
    pub fn forward(
        &self,
        tokens: Tensor<2, Int>,
        present: Option<Tensor<2, Bool>>,
        context: Context,
    ) -> Result<Output<2>> {
        let (x, penalty) = self.features(tokens, present.clone(), context)?;
        let output = self.read_out(x, present);
        Ok(Output { output, penalty })
    }

    /// The same logits with what each block made of the sequences, for distillation, and with permutations of the experts
    /// of each block. Gates that route by a table route by the token.
    ///
    /// # Shapes
    /// * `tokens`, `present`: as in [`Encoder::forward`]
    /// * `permutations`: one a block, or none
    ///
    /// # Errors
    /// As [`Encoder::forward`], and if there is another number of permutations or one does not fit its gate.
    pub fn trace(
        &self,
        tokens: Tensor<2, Int>,
        present: Option<Tensor<2, Bool>>,
        permutations: &[Permutation],
        context: Context,
    ) -> Result<Trace> {
        let mut seen = Seen::default();
        let given = Given {
            permutations,
            seen: Some(&mut seen),
            ..Given::default()
        };
        let (x, penalty) = self.pass(tokens, present.clone(), given, context)?;
        Ok(Trace {
            output: self.read_out(x, present),
            penalty,
            hidden: seen.hidden,
            evaluated: seen.evaluated,
        })
    }

    /// Logits from the vectors after the last block.
    fn read_out(&self, x: Tensor<3>, present: Option<Tensor<2, Bool>>) -> Tensor<2> {
        let [batch, length, _] = x.dims();
        match &self.head {
            Some(head) => head.forward(self.pooled(x, present)),
            None => {
                let logits = self.embedding.tokens.logits(x);
                logits.reshape([(batch * length) as i32, -1])
            }
        }
    }

    /// The vectors after the last block, `[batch, length, width]`, and the penalty of gates.
    ///
    /// # Errors
    /// As [`Encoder::forward`].
    pub fn features(
        &self,
        tokens: Tensor<2, Int>,
        present: Option<Tensor<2, Bool>>,
        context: Context,
    ) -> Result<(Tensor<3>, Option<Tensor<1>>)> {
        self.pass(tokens, present, Given::default(), context)
    }

    fn pass(
        &self,
        tokens: Tensor<2, Int>,
        present: Option<Tensor<2, Bool>>,
        given: Given<'_>,
        context: Context,
    ) -> Result<(Tensor<3>, Option<Tensor<1>>)> {
        let bias = mask(&tokens, present)?;
        let mut blocks = self.blocks.blocks.iter();
        let by_id = blocks.any(|block| block.channel_mixer.routes_by_id());
        let ids = by_id.then(|| ids(&tokens));
        let mut x = self.embedding.forward(tokens, 0, context.branch(0))?;
        if let Some(norm) = &self.norm {
            x = norm.forward(x, context);
        }
        let given = Given {
            bias: bias.as_ref(),
            ids: ids.as_deref(),
            ..given
        };
        self.blocks.forward(x, given, context.branch(1))
    }

    /// One vector for each sequence.
    fn pooled(&self, x: Tensor<3>, present: Option<Tensor<2, Bool>>) -> Tensor<2> {
        let [batch, length, width] = x.dims();
        if let Some(pooler) = &self.pooler {
            let first = x.narrow(1, 0, 1).reshape([batch, width]);
            return pooler.activated(first, Activation::Tanh);
        }
        let weights = match present {
            Some(present) => present.float(),
            None => Tensor::ones([batch, length], &x.device()),
        };
        let count = weights.clone().sum_dim(1).clamp_min(1.0);
        let sum = (x * weights.unsqueeze_dim(2)).sum_dim(1);
        sum.reshape([batch, width]) / count
    }
}

/// Tokens as ids of a table; those that are no token are refused by the embedding.
fn ids(tokens: &Tensor<2, Int>) -> Vec<usize> {
    let tokens = tokens.to_data();
    tokens.iter::<i64>().map(|token| token as usize).collect()
}

/// What hides padding from attention.
pub(crate) fn mask(
    tokens: &Tensor<2, Int>,
    present: Option<Tensor<2, Bool>>,
) -> Result<Option<Tensor<4>>> {
    let Some(present) = present else {
        return Ok(None);
    };
    if present.dims() != tokens.dims() {
        return Err(BackbonesError::Shape {
            name: "present",
            actual: present.dims().to_vec(),
            expected: format!("{:?}", tokens.dims()),
        });
    }
    Ok(Some(padding_bias(present)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel_mixer::{ChannelMixer, ExpertsConfig, GateKind};
    use crate::testing::{assert_all_learn, device};
    use offprint_kernels::CrossEntropy;

    fn configs() -> Vec<EncoderConfig> {
        let blocks = BlocksConfig::new(2, 12, 3);
        let after = BlocksConfig {
            norm_place: NormPlace::After,
            activation: Activation::Gelu,
            ..blocks
        };
        let config = EncoderConfig::new(11, 8, blocks);
        vec![
            config,
            EncoderConfig {
                classes: Some(4),
                blocks: after,
                ..config
            },
            EncoderConfig {
                classes: Some(4),
                pooling: Pooling::Mean,
                ..config
            },
        ]
    }

    fn tokens() -> Tensor<2, Int> {
        Tensor::from_data([[3, 4, 5, 1, 9], [7, 7, 2, 0, 0]], &device())
    }

    #[test]
    fn every_parameter_learns() {
        for config in configs() {
            let encoder = config.init(&device()).unwrap();
            let output = encoder
                .forward(tokens(), None, Context::training(0))
                .unwrap();
            let [rows, classes] = output.output.dims();
            assert_eq!(
                [rows, classes],
                if config.classes.is_some() {
                    [2, 4]
                } else {
                    [10, 11]
                }
            );
            let targets = Tensor::arange(0..rows as i64, &device()).remainder_scalar(3);
            let loss = output.loss(targets, CrossEntropy::default());
            assert_all_learn(&encoder, &loss.backward());
        }
    }

    #[test]
    fn padding_is_not_seen() {
        for config in configs() {
            let encoder = config.init(&device()).unwrap();
            let present = tokens().not_equal_elem(0);
            let (features, _) = encoder
                .features(tokens(), Some(present.clone()), Context::EVALUATION)
                .unwrap();
            let short = tokens().narrow(0, 1, 1).narrow(1, 0, 3);
            let (alone, _) = encoder
                .features(short.clone(), None, Context::EVALUATION)
                .unwrap();
            let padded = features.narrow(0, 1, 1).narrow(1, 0, 3);
            let error = (padded - alone).abs().max().into_scalar::<f32>();
            assert!(error < 1e-5, "{error}");
            if config.classes.is_some() {
                let logits = |tokens, present| {
                    let output = encoder.forward(tokens, present, Context::EVALUATION);
                    output.unwrap().output
                };
                let padded = logits(tokens(), Some(present)).narrow(0, 1, 1);
                let error = (padded - logits(short, None)).abs().max();
                assert!(error.into_scalar::<f32>() < 1e-5);
            }
        }
    }

    #[test]
    fn a_trace_holds_every_layer() {
        let experts = ChannelMixer::Experts(ExpertsConfig {
            experts: 3,
            gate: GateKind::Comet,
            k: 1,
        });
        let blocks = BlocksConfig {
            channel_mixer: experts,
            norm_place: NormPlace::After,
            ..BlocksConfig::new(2, 12, 3)
        };
        let config = EncoderConfig {
            classes: Some(4),
            ..EncoderConfig::new(11, 8, blocks)
        };
        let encoder = config.init(&device()).unwrap();
        let trace = |permutations: &[Permutation]| {
            encoder.trace(tokens(), None, permutations, Context::EVALUATION)
        };
        let plain = trace(&[]).unwrap();
        assert_eq!(plain.hidden.len(), 3);
        assert!((20..=60).contains(&plain.evaluated), "{}", plain.evaluated);
        let distance = |a: Tensor<2>, b: Tensor<2>| (a - b).abs().max().into_scalar::<f32>();
        let logits = encoder
            .forward(tokens(), None, Context::EVALUATION)
            .unwrap()
            .output;
        assert_eq!(distance(plain.output.clone(), logits), 0.0);
        let swapped = Permutation::hard(&[vec![1, 2, 0]], &device()).unwrap();
        let permuted = trace(&[swapped.clone(), swapped.clone()]).unwrap();
        assert!(distance(permuted.output, plain.output) > 0.0);
        assert_eq!(
            trace(&[swapped]).unwrap_err().to_string(),
            "permutations has shape [1], but one for each of 2 blocks is expected"
        );
    }

    #[test]
    fn reads_in_both_directions() {
        let encoder = configs()[0].init(&device()).unwrap();
        let first = |last: i64| {
            let tokens = Tensor::from_data([[3, 4, last]], &device());
            let (x, _) = encoder.features(tokens, None, Context::EVALUATION).unwrap();
            x.narrow(1, 0, 1)
        };
        let change = (first(5) - first(6)).abs().max().into_scalar::<f32>();
        assert!(change > 1e-5, "{change}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let config = EncoderConfig {
            classes: Some(0),
            ..configs()[0]
        };
        assert_eq!(
            config.validate().unwrap_err().to_string(),
            "classes = 0, but it must be at least 1"
        );
        let encoder = configs()[0].init(&device()).unwrap();
        let present = tokens().narrow(1, 0, 2).not_equal_elem(0);
        let error = encoder.forward(tokens(), Some(present), Context::EVALUATION);
        assert_eq!(
            error.unwrap_err().to_string(),
            "present has shape [2, 2], but [2, 5] is expected"
        );
    }
}
