//! GPT: a causal language model.

mod generate;
mod sampling;
#[cfg(test)]
mod tests;

pub use generate::{GenerateConfig, Generation};
pub use sampling::Sampling;

use crate::blocks::{Biases, Blocks, BlocksConfig, Given, Surroundings};
use crate::channel_mixer::ChannelMixer;
use crate::error::Result;
use crate::output::Output;
use crate::positions::{Positions, TokenEmbedding, TokenEmbeddingConfig};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use offprint_layers::{Activation, Context, Linear, LinearConfig, MixerState, NormKind, Rotary};
use serde::{Deserialize, Serialize};

/// Configuration of a [`Gpt`]. [`GptConfig::gpt2`] and [`GptConfig::llama`] are two of its points; every slot of
/// [`BlocksConfig`] is free.
///
/// ```
/// use offprint_backbones::{GptConfig, Positions};
/// let text = r#"
/// vocabulary = 256
/// context = 64
/// positions = { rotary = { base = 10000.0 } }
/// [blocks]
/// layers = 2
/// width = 32
/// heads = 4
/// kv_heads = 2
/// token_mixer = "attention"
/// channel_mixer = "gated"
/// activation = "silu"
/// norm = "rms""#;
/// let config: GptConfig = toml::from_str(text)?;
/// config.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GptConfig {
    /// Number of tokens.
    pub vocabulary: usize,
    /// Most tokens of a sequence.
    pub context: usize,
    /// How a sequence knows its order.
    #[serde(default)]
    pub positions: Positions,
    /// Whether the head shares the table of tokens.
    #[serde(default = "tied")]
    pub tied: bool,
    /// Sizes and slots of the blocks.
    pub blocks: BlocksConfig,
}

fn tied() -> bool {
    true
}

/// Causal language model: embedding, blocks, head.
///
/// Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019 (GPT-2); Touvron et al., "LLaMA: Open
/// and Efficient Foundation Language Models", 2023.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_backbones::GptConfig;
/// use offprint_layers::Context;
/// # fn main() -> Result<(), offprint_backbones::BackbonesError> {
/// let device = Device::flex();
/// let gpt = GptConfig::llama(256, 64, 2, 32, 4, 2).init(&device)?;
/// let tokens = Tensor::from_data([[72, 101, 108], [108, 111, 33]], &device);
/// assert_eq!(gpt.forward(tokens, Context::EVALUATION)?.output.dims(), [2, 3, 256]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Gpt {
    /// Tokens and positions.
    pub embedding: TokenEmbedding,
    /// The blocks.
    pub blocks: Blocks,
    /// The head, if it does not share the table of tokens.
    pub head: Option<Linear>,
}

/// What a [`Gpt`] remembers of a sequence, so that each position is computed once.
#[derive(Clone, Debug)]
pub struct GptState {
    blocks: Vec<MixerState>,
    position: usize,
}

impl GptState {
    /// What each block remembers after `position` positions, to go on where a sequence was left.
    pub fn new(blocks: Vec<MixerState>, position: usize) -> Self {
        Self { blocks, position }
    }

    /// What each block remembers, from the first on.
    pub fn blocks(&self) -> &[MixerState] {
        &self.blocks
    }

    /// Number of positions seen.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl GptConfig {
    /// GPT-2: learned positions, layer norm, GELU by tanh, biases, a tied head.
    pub fn gpt2(
        vocabulary: usize,
        context: usize,
        layers: usize,
        width: usize,
        heads: usize,
    ) -> Self {
        Self {
            vocabulary,
            context,
            positions: Positions::Learned,
            tied: true,
            blocks: BlocksConfig::new(layers, width, heads),
        }
    }

    /// Llama: rotary positions, RMS norm, SwiGLU of width `⌈8/3 width⌉` rounded up to a multiple of 8, grouped queries, no
    /// biases, a head of its own.
    pub fn llama(
        vocabulary: usize,
        context: usize,
        layers: usize,
        width: usize,
        heads: usize,
        kv_heads: usize,
    ) -> Self {
        Self {
            vocabulary,
            context,
            positions: Positions::Rotary(Rotary { base: 10_000.0 }),
            tied: false,
            blocks: BlocksConfig {
                kv_heads: Some(kv_heads),
                hidden: Some(width.saturating_mul(8).div_ceil(3).next_multiple_of(8)),
                channel_mixer: ChannelMixer::Gated,
                activation: Activation::Silu,
                norm: NormKind::Rms,
                bias: Biases::all(false),
                ..BlocksConfig::new(layers, width, heads)
            },
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// Which one is out of range, or does not fit the others.
    pub fn validate(&self) -> Result<()> {
        self.embedding().validate()?;
        self.blocks.validate(&self.surroundings())
    }

    /// A model with initial parameters.
    ///
    /// # Errors
    /// As [`GptConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Gpt> {
        self.validate()?;
        let head = LinearConfig {
            bias: false,
            init: self.blocks.weight_init(),
            ..LinearConfig::new(self.blocks.width, self.vocabulary)
        };
        Ok(Gpt {
            embedding: self.embedding().init(&self.blocks, device)?,
            blocks: self.blocks.init(&self.surroundings(), device)?,
            head: match self.tied {
                true => None,
                false => Some(head.init(device)?),
            },
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
            causal: true,
            memory: false,
            rotary: self.positions.rotary(),
        }
    }
}

impl Gpt {
    /// Logits of the token after each position.
    ///
    /// # Shapes
    /// * `tokens`: `[batch, length]`
    /// * output: `[batch, length, vocabulary]`
    ///
    /// # Errors
    /// If the sequence is longer than the context, a token is outside the vocabulary, or a gate is given a number that is
    /// not finite.
    pub fn forward(&self, tokens: Tensor<2, Int>, context: Context) -> Result<Output<3>> {
        let (x, penalty) = self.features(tokens, None, context)?;
        Ok(Output {
            output: self.logits(x),
            penalty,
        })
    }

    /// What the model remembers before the first token.
    pub fn state(&self) -> GptState {
        GptState {
            blocks: self.blocks.states(),
            position: 0,
        }
    }

    /// Logits of the token after the last of these, which follow those in the state.
    ///
    /// # Shapes
    /// * `tokens`: `[batch, length]`, at least one
    /// * result: `[batch, vocabulary]`
    ///
    /// # Errors
    /// As [`Gpt::forward`]; the state is then as before.
    pub fn next(&self, tokens: Tensor<2, Int>, state: &mut GptState) -> Result<Tensor<2>> {
        let [batch, length] = tokens.dims();
        crate::error::check_sizes([("number of tokens", length)])?;
        let (x, _) = self.features(tokens, Some(state), Context::EVALUATION)?;
        let logits = self.logits(x.narrow(1, length - 1, 1));
        let [_, _, vocabulary] = logits.dims();
        Ok(logits.reshape([batch, vocabulary]))
    }

    fn features(
        &self,
        tokens: Tensor<2, Int>,
        mut state: Option<&mut GptState>,
        context: Context,
    ) -> Result<(Tensor<3>, Option<Tensor<1>>)> {
        let [_, length] = tokens.dims();
        let first = state.as_ref().map_or(0, |state| state.position);
        let x = self.embedding.forward(tokens, first, context.branch(0))?;
        let given = Given {
            states: state.as_mut().map(|state| &mut state.blocks[..]),
            ..Given::default()
        };
        let features = self.blocks.forward(x, given, context.branch(1))?;
        if let Some(state) = state {
            state.position += length;
        }
        Ok(features)
    }

    fn logits(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.head {
            Some(head) => head.forward(x),
            None => self.embedding.tokens.logits(x),
        }
    }
}
