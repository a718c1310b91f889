//! Encoder-decoder: a transformer that reads one sequence and writes another.

use crate::blocks::{Blocks, BlocksConfig, Given, Surroundings};
use crate::encoder::mask;
use crate::error::{Result, check_sizes};
use crate::output::Output;
use crate::positions::{Positions, TokenEmbedding, TokenEmbeddingConfig};
use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use offprint_layers::{Context, Linear, LinearConfig, Memory, MixerState};
use serde::{Deserialize, Serialize};

/// Configuration of an [`EncoderDecoder`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderDecoderConfig {
    /// Number of tokens, the same for both sequences.
    pub vocabulary: usize,
    /// Most tokens of a sequence.
    pub context: usize,
    /// How a sequence knows its order.
    #[serde(default)]
    pub positions: Positions,
    /// Whether the head shares the table of tokens.
    #[serde(default = "tied")]
    pub tied: bool,
    /// Number of blocks of the decoder; as many as the encoder has where absent.
    #[serde(default)]
    pub decoder_layers: Option<usize>,
    /// Sizes and slots of the blocks of both.
    pub blocks: BlocksConfig,
}

fn tied() -> bool {
    true
}

/// An encoder, and a causal decoder whose blocks also attend to the encoder's output; one table of tokens for both.
///
/// Source: Vaswani et al., "Attention Is All You Need", 2017; with norms before the mixers and a head as in Raffel et al.,
/// "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", 2020.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_backbones::{BlocksConfig, EncoderDecoderConfig};
/// use offprint_layers::Context;
/// # fn main() -> Result<(), offprint_backbones::BackbonesError> {
/// let device = Device::flex();
/// let model = EncoderDecoderConfig::new(100, 16, BlocksConfig::new(2, 24, 3)).init(&device)?;
/// let source = Tensor::from_data([[5, 6, 7, 8]], &device);
/// let target = Tensor::from_data([[1, 9, 4]], &device);
/// let logits = model.forward(source, None, target, Context::EVALUATION)?;
/// assert_eq!(logits.output.dims(), [1, 3, 100]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct EncoderDecoder {
    /// Tokens and positions of both sequences.
    pub embedding: TokenEmbedding,
    /// Blocks of the encoder.
    pub encoder: Blocks,
    /// Blocks of the decoder.
    pub decoder: Blocks,
    /// The head, if it does not share the table of tokens.
    pub head: Option<Linear>,
}

/// A source sequence as the decoder's blocks attend to it, and what was written so far.
#[derive(Clone, Debug)]
pub struct Encoded {
    memories: Vec<Memory>,
    bias: Option<Tensor<4>>,
    states: Vec<MixerState>,
    position: usize,
}

impl EncoderDecoderConfig {
    /// Learned positions and a tied head.
    pub fn new(vocabulary: usize, context: usize, blocks: BlocksConfig) -> Self {
        Self {
            vocabulary,
            context,
            positions: Positions::default(),
            tied: true,
            decoder_layers: None,
            blocks,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// Which one is out of range, or does not fit the others.
    pub fn validate(&self) -> Result<()> {
        self.embedding().validate()?;
        check_sizes([("decoder_layers", self.decoder_layers.unwrap_or(1))])?;
        self.blocks.validate(&self.surroundings(false))?;
        self.decoder_blocks().validate(&self.surroundings(true))
    }

    /// A model with initial parameters.
    ///
    /// # Errors
    /// As [`EncoderDecoderConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<EncoderDecoder> {
        self.validate()?;
        let head = LinearConfig {
            bias: false,
            init: self.blocks.weight_init(),
            ..LinearConfig::new(self.blocks.width, self.vocabulary)
        };
        Ok(EncoderDecoder {
            embedding: self.embedding().init(&self.blocks, device)?,
            encoder: self.blocks.init(&self.surroundings(false), device)?,
            decoder: self
                .decoder_blocks()
                .init(&self.surroundings(true), device)?,
            head: match self.tied {
                true => None,
                false => Some(head.init(device)?),
            },
        })
    }

    fn decoder_blocks(&self) -> BlocksConfig {
        BlocksConfig {
            layers: self.decoder_layers.unwrap_or(self.blocks.layers),
            ..self.blocks
        }
    }

    fn embedding(&self) -> TokenEmbeddingConfig {
        TokenEmbeddingConfig {
            vocabulary: self.vocabulary,
            context: self.context,
            positions: self.positions,
        }
    }

    fn surroundings(&self, decoder: bool) -> Surroundings {
        Surroundings {
            causal: decoder,
            memory: decoder,
            rotary: self.positions.rotary(),
        }
    }
}

impl EncoderDecoder {
    /// Logits of the token after each position of the target.
    ///
    /// # Shapes
    /// * `source`: `[batch, source length]`
    /// * `present`: `[batch, source length]`, false for padding, which no position sees
    /// * `target`: `[batch, length]`, beginning with whatever stands before the first token
    /// * output: `[batch, length, vocabulary]`
    ///
    /// # Errors
    /// If a sequence is longer than the context, a token is outside the vocabulary, `present` has another shape, or a gate
    /// is given a number that is not finite.
    pub fn forward(
        &self,
        source: Tensor<2, Int>,
        present: Option<Tensor<2, Bool>>,
        target: Tensor<2, Int>,
        context: Context,
    ) -> Result<Output<3>> {
        let bias = mask(&source, present)?;
        let (memories, of_encoder) = self.memories(source, bias.as_ref(), context.branch(0))?;
        let x = self.embedding.forward(target, 0, context.branch(1))?;
        let given = Given {
            memory: Some((&memories, bias.as_ref())),
            ..Given::default()
        };
        let (x, of_decoder) = self.decoder.forward(x, given, context.branch(2))?;
        Ok(Output {
            output: self.logits(x),
            penalty: match (of_encoder, of_decoder) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            },
        })
    }

    /// Reads a source sequence, to write by [`EncoderDecoder::next`].
    ///
    /// # Shapes
    /// * `source`, `present`: `[batch, source length]`
    ///
    /// # Errors
    /// As [`EncoderDecoder::forward`].
    pub fn encode(
        &self,
        source: Tensor<2, Int>,
        present: Option<Tensor<2, Bool>>,
    ) -> Result<Encoded> {
        let bias = mask(&source, present)?;
        let (memories, _) = self.memories(source, bias.as_ref(), Context::EVALUATION)?;
        Ok(Encoded {
            memories,
            bias,
            states: self.decoder.states(),
            position: 0,
        })
    }

    /// Logits of the token after the last of these, which follow those written before.
    ///
    /// # Shapes
    /// * `tokens`: `[batch, length]`, at least one
    /// * result: `[batch, vocabulary]`
    ///
    /// # Errors
    /// As [`EncoderDecoder::forward`]; what was written is then as before.
    pub fn next(&self, tokens: Tensor<2, Int>, encoded: &mut Encoded) -> Result<Tensor<2>> {
        let [batch, length] = tokens.dims();
        check_sizes([("number of tokens", length)])?;
        let context = Context::EVALUATION;
        let x = self.embedding.forward(tokens, encoded.position, context)?;
        let given = Given {
            states: Some(&mut encoded.states),
            memory: Some((&encoded.memories, encoded.bias.as_ref())),
            ..Given::default()
        };
        let (x, _) = self.decoder.forward(x, given, context)?;
        encoded.position += length;
        let logits = self.logits(x.narrow(1, length - 1, 1));
        let [_, _, vocabulary] = logits.dims();
        Ok(logits.reshape([batch, vocabulary]))
    }

    /// What each block of the decoder attends to.
    fn memories(
        &self,
        source: Tensor<2, Int>,
        bias: Option<&Tensor<4>>,
        context: Context,
    ) -> Result<(Vec<Memory>, Option<Tensor<1>>)> {
        let x = self.embedding.forward(source, 0, context.branch(0))?;
        let given = Given {
            bias,
            ..Given::default()
        };
        let (x, penalty) = self.encoder.forward(x, given, context.branch(1))?;
        let crosses = self
            .decoder
            .blocks
            .iter()
            .filter_map(|block| block.cross.as_ref());
        let memories = crosses.map(|cross| cross.attention.memory(x.clone()));
        Ok((memories.collect(), penalty))
    }

    fn logits(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.head {
            Some(head) => head.forward(x),
            None => self.embedding.tokens.logits(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::NormPlace;
    use crate::testing::{assert_all_learn, device};
    use offprint_kernels::CrossEntropy;
    use offprint_layers::Rotary;

    fn configs() -> [EncoderDecoderConfig; 2] {
        let config = EncoderDecoderConfig::new(11, 8, BlocksConfig::new(2, 12, 3));
        [
            config,
            EncoderDecoderConfig {
                positions: Positions::Rotary(Rotary { base: 100.0 }),
                tied: false,
                decoder_layers: Some(1),
                blocks: BlocksConfig {
                    kv_heads: Some(1),
                    norm_place: NormPlace::After,
                    ..config.blocks
                },
                ..config
            },
        ]
    }

    fn source() -> Tensor<2, Int> {
        Tensor::from_data([[3, 4, 5, 1, 9], [7, 7, 2, 0, 0]], &device())
    }

    fn target() -> Tensor<2, Int> {
        Tensor::from_data([[1, 4, 5, 2], [1, 6, 8, 10]], &device())
    }

    fn difference(a: Tensor<3>, b: Tensor<3>) -> f32 {
        (a - b).abs().max().into_scalar::<f32>()
    }

    #[test]
    fn every_parameter_learns() {
        for config in configs() {
            let model = config.init(&device()).unwrap();
            let output = model
                .forward(source(), None, target(), Context::training(0))
                .unwrap();
            assert_eq!(output.output.dims(), [2, 4, 11]);
            let targets = Tensor::arange(0..8, &device());
            let loss = output.loss(targets, CrossEntropy::default());
            assert_all_learn(&model, &loss.backward());
        }
    }

    #[test]
    fn causal_and_blind_for_padding() {
        for config in configs() {
            let model = config.init(&device()).unwrap();
            let present = source().not_equal_elem(0);
            let logits = |source, present, target| {
                let output = model.forward(source, present, target, Context::EVALUATION);
                output.unwrap().output
            };
            let whole = logits(source(), Some(present.clone()), target());
            let begun = target().narrow(1, 0, 2);
            let before = logits(source(), Some(present), begun);
            assert!(difference(whole.clone().narrow(1, 0, 2), before) < 1e-6);
            let row = |x: Tensor<2, Int>| x.narrow(0, 1, 1);
            let alone = logits(row(source()).narrow(1, 0, 3), None, row(target()));
            assert!(difference(whole.narrow(0, 1, 1), alone) < 1e-5);
        }
    }

    #[test]
    fn cached_and_uncached_logits_agree() {
        for config in configs() {
            let model = config.init(&device()).unwrap();
            let present = source().not_equal_elem(0);
            let output = model.forward(
                source(),
                Some(present.clone()),
                target(),
                Context::EVALUATION,
            );
            let whole = output.unwrap().output;
            let mut encoded = model.encode(source(), Some(present)).unwrap();
            for (first, length) in [(0, 2), (2, 1), (3, 1)] {
                let next = model
                    .next(target().narrow(1, first, length), &mut encoded)
                    .unwrap();
                let expected = whole.clone().narrow(1, first + length - 1, 1);
                assert!(difference(next.reshape([2, 1, 11]), expected) < 1e-6);
            }
            let error = model.next(source(), &mut encoded).unwrap_err();
            assert_eq!(
                error.to_string(),
                "position 8 is beyond the context of 8 positions"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let config = EncoderDecoderConfig {
            decoder_layers: Some(0),
            ..configs()[0]
        };
        assert_eq!(
            config.validate().unwrap_err().to_string(),
            "decoder_layers = 0, but it must be at least 1"
        );
    }
}
