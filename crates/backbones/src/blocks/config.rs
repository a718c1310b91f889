//! Sizes and slots of a stack of blocks.

use super::{Blocks, Cross, TransformerBlock};
use crate::channel_mixer::ChannelMixer;
use crate::error::{Result, check, check_sizes};
use burn::tensor::Device;
use offprint_layers::{
    Activation, AttentionConfig, DropoutConfig, FeedForwardConfig, Init, NormConfig, NormKind,
    Quantizer, Rotary, TokenMixer,
};
use serde::{Deserialize, Serialize};

/// Configuration of a stack of blocks: its sizes and its slots.
///
/// ```
/// use offprint_backbones::{BlocksConfig, ChannelMixer};
/// let text = r#"layers = 2
/// width = 16
/// heads = 4
/// channel_mixer = "gated"
/// norm = "rms"
/// activation = "silu"
/// quantizer = { uniform = { bits = 4 } }"#;
/// let config: BlocksConfig = toml::from_str(text)?;
/// assert_eq!(config.channel_mixer, ChannelMixer::Gated);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlocksConfig {
    /// Number of blocks.
    pub layers: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values; all of them where absent.
    #[serde(default)]
    pub kv_heads: Option<usize>,
    /// Width of a head, of its queries and keys in a linear attention; `width / heads` where absent, or what the mixer's
    /// paper says.
    #[serde(default)]
    pub head_width: Option<usize>,
    /// Width inside the channel mixer; `4 width` where absent.
    #[serde(default)]
    pub hidden: Option<usize>,
    /// Slot: how positions mix.
    #[serde(default)]
    pub token_mixer: TokenMixer,
    /// Slot: how features mix.
    #[serde(default)]
    pub channel_mixer: ChannelMixer,
    /// Slot: the function inside the channel mixer.
    #[serde(default = "gelu")]
    pub activation: Activation,
    /// Slot: the norm.
    #[serde(default)]
    pub norm: NormKind,
    /// Where the norms stand.
    #[serde(default)]
    pub norm_place: NormPlace,
    /// Added to the variance in norms.
    #[serde(default = "epsilon")]
    pub norm_epsilon: f32,
    /// Slot: what weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
    /// Which linear layers have biases.
    #[serde(default)]
    pub bias: Biases,
    /// Dropout of embeddings and of what each mixer adds.
    #[serde(default)]
    pub dropout: f32,
    /// Dropout of attention's probabilities.
    #[serde(default)]
    pub attention_dropout: f32,
    /// Standard deviation of initial weights; what writes to the residual stream is divided by `√(2 layers)`.
    #[serde(default = "deviation")]
    pub deviation: f32,
}

fn gelu() -> Activation {
    Activation::GeluTanh
}

fn epsilon() -> f32 {
    1e-5
}

fn deviation() -> f32 {
    0.02
}

/// Where a block's norms stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormPlace {
    /// `x + mix(norm(x))`, and one norm after the last block, as in GPT-2.
    #[default]
    Before,
    /// `norm(x + mix(x))`, as in the first Transformer and BERT.
    After,
}

/// Which linear layers have biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Biases {
    /// Queries, keys and values.
    pub qkv: bool,
    /// The output of attention.
    pub output: bool,
    /// The channel mixer.
    pub channels: bool,
}

impl Default for Biases {
    fn default() -> Self {
        Self::all(true)
    }
}

impl Biases {
    /// All linear layers alike.
    pub const fn all(bias: bool) -> Self {
        Self {
            qkv: bias,
            output: bias,
            channels: bias,
        }
    }
}

/// What the backbone around the blocks decides.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Surroundings {
    /// Whether a position sees only those before it.
    pub causal: bool,
    /// Whether a block also attends to a memory.
    pub memory: bool,
    /// Rotary positions.
    pub rotary: Option<Rotary>,
}

impl BlocksConfig {
    /// GPT-2's choices for the slots.
    pub fn new(layers: usize, width: usize, heads: usize) -> Self {
        Self {
            layers,
            width,
            heads,
            kv_heads: None,
            head_width: None,
            hidden: None,
            token_mixer: TokenMixer::default(),
            channel_mixer: ChannelMixer::default(),
            activation: gelu(),
            norm: NormKind::default(),
            norm_place: NormPlace::default(),
            norm_epsilon: epsilon(),
            quantizer: Quantizer::default(),
            bias: Biases::default(),
            dropout: 0.0,
            attention_dropout: 0.0,
            deviation: deviation(),
        }
    }

    /// Width inside the channel mixer.
    pub fn hidden(&self) -> usize {
        self.hidden.unwrap_or(self.width.saturating_mul(4))
    }

    pub(crate) fn validate(&self, surroundings: &Surroundings) -> Result<()> {
        check_sizes([("layers", self.layers)])?;
        // Under the names of this configuration; the layers below have their own.
        for (name, value) in [
            ("dropout", self.dropout),
            ("attention_dropout", self.attention_dropout),
        ] {
            let allowed = "at least 0 and below 1";
            check((0.0..1.0).contains(&value), name, value, allowed)?;
        }
        let (epsilon, deviation) = (self.norm_epsilon, self.deviation);
        let is_positive = epsilon > 0.0 && epsilon.is_finite();
        check(
            is_positive,
            "norm_epsilon",
            epsilon,
            "a positive finite number",
        )?;
        let is_finite = deviation >= 0.0 && deviation.is_finite();
        check(
            is_finite,
            "deviation",
            deviation,
            "a finite number of at least 0",
        )?;
        self.norm().validate()?;
        self.token_mixer.validate(&self.attention(surroundings))?;
        self.channel_mixer.validate(&self.feed_forward())
    }

    pub(crate) fn init(&self, surroundings: &Surroundings, device: &Device) -> Result<Blocks> {
        self.validate(surroundings)?;
        let blocks = (0..self.layers).map(|_| self.block(surroundings, device));
        let norm = match self.norm_place {
            NormPlace::Before => Some(self.norm().init(device)?),
            NormPlace::After => None,
        };
        Ok(Blocks {
            blocks: blocks.collect::<Result<_>>()?,
            norm,
        })
    }

    fn block(&self, surroundings: &Surroundings, device: &Device) -> Result<TransformerBlock> {
        let attention = self.attention(surroundings);
        let cross = match surroundings.memory {
            true => Some(Cross {
                norm: self.norm().init(device)?,
                attention: attention.init_cross(device)?,
            }),
            false => None,
        };
        Ok(TransformerBlock {
            norm1: self.norm().init(device)?,
            token_mixer: self.token_mixer.init(&attention, device)?,
            cross,
            norm2: self.norm().init(device)?,
            channel_mixer: self.channel_mixer.init(&self.feed_forward(), device)?,
            dropout: self.dropout().init()?,
            norm_before: self.norm_place == NormPlace::Before,
        })
    }

    pub(crate) fn norm(&self) -> NormConfig {
        NormConfig {
            epsilon: self.norm_epsilon,
            ..NormConfig::new(self.norm, self.width)
        }
    }

    pub(crate) fn weight_init(&self) -> Init {
        Init::Normal {
            deviation: self.deviation,
        }
    }

    pub(crate) fn dropout(&self) -> DropoutConfig {
        DropoutConfig {
            probability: self.dropout,
        }
    }

    /// Initial values of the layers that write to the residual stream, whose variance would grow with the depth (Radford
    /// et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.3).
    fn output_init(&self) -> Init {
        Init::Normal {
            deviation: self.deviation / (2.0 * self.layers as f32).sqrt(),
        }
    }

    fn attention(&self, surroundings: &Surroundings) -> AttentionConfig {
        AttentionConfig {
            kv_heads: self.kv_heads,
            head_width: self.head_width,
            causal: surroundings.causal,
            bias: self.bias.qkv,
            output_bias: self.bias.output,
            rotary: surroundings.rotary,
            dropout: self.attention_dropout,
            init: self.weight_init(),
            output_init: self.output_init(),
            quantizer: self.quantizer,
            ..AttentionConfig::new(self.width, self.heads)
        }
    }

    fn feed_forward(&self) -> FeedForwardConfig {
        FeedForwardConfig {
            bias: self.bias.channels,
            init: self.weight_init(),
            output_init: self.output_init(),
            quantizer: self.quantizer,
            ..FeedForwardConfig::new(self.width, self.hidden(), self.activation)
        }
    }
}
