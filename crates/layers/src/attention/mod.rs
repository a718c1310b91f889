//! Multi-head attention layers.

mod cache;
mod cross;
mod self_attention;

pub use cache::KeyValueCache;
pub use cross::{CrossAttention, Memory};
pub use self_attention::{Attend, SelfAttention};

use crate::dropout::{Dropout, DropoutConfig};
use crate::error::{Result, check, check_multiple, check_positive, check_sizes};
use crate::init::Init;
use crate::linear::{LinearConfig, yes};
use crate::quantizer::Quantizer;
use burn::tensor::{Bool, Device, Tensor};
use serde::{Deserialize, Serialize};

/// Rotary positions: pair `i` of a head's dimensions turns by `position · base^(−2i/dim)`.
///
/// Source: Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021. Pairs are `(i, i + dim/2)`, as
/// in GPT-NeoX and Llama's Hugging Face weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotary {
    /// 10000 in the paper.
    pub base: f32,
}

/// Configuration of a [`SelfAttention`] or a [`CrossAttention`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionConfig {
    /// Width of input and output.
    pub width: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values, each read by `heads / kv_heads` heads of queries; all of them where absent.
    #[serde(default)]
    pub kv_heads: Option<usize>,
    /// Width of a head; `width / heads` where absent.
    #[serde(default)]
    pub head_width: Option<usize>,
    /// Whether a position sees only itself and those before it.
    #[serde(default)]
    pub causal: bool,
    /// Whether queries, keys and values have biases.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Whether the output has a bias.
    #[serde(default = "yes")]
    pub output_bias: bool,
    /// Rotary positions of queries and keys.
    #[serde(default)]
    pub rotary: Option<Rotary>,
    /// Dropout of the probabilities in training.
    #[serde(default)]
    pub dropout: f32,
    /// Initial values.
    #[serde(default)]
    pub init: Init,
    /// Initial values of the layer that writes to the output.
    #[serde(default)]
    pub output_init: Init,
    /// What the weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

impl AttentionConfig {
    /// Full attention with biases, without positions and dropout.
    pub fn new(width: usize, heads: usize) -> Self {
        Self {
            width,
            heads,
            kv_heads: None,
            head_width: None,
            causal: false,
            bias: true,
            output_bias: true,
            rotary: None,
            dropout: 0.0,
            init: Init::default(),
            output_init: Init::default(),
            quantizer: Quantizer::default(),
        }
    }

    /// Heads of keys and values.
    pub fn kv_heads(&self) -> usize {
        self.kv_heads.unwrap_or(self.heads)
    }

    /// Width of a head.
    pub fn head_width(&self) -> usize {
        self.head_width.unwrap_or(self.width / self.heads.max(1))
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a size is 0, the heads do not divide the width, the heads of keys do not divide those of queries, rotary
    /// positions have an odd width of heads, or a number is out of its range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("width", self.width), ("heads", self.heads)])?;
        match self.head_width {
            Some(head_width) => check_sizes([("head_width", head_width)])?,
            None => check_multiple("width", self.width, "heads", self.heads)?,
        }
        check_multiple("heads", self.heads, "kv_heads", self.kv_heads())?;
        if let Some(rotary) = self.rotary {
            check_positive("base of rotary positions", rotary.base)?;
            check(
                self.head_width().is_multiple_of(2),
                "width of a head",
                self.head_width(),
                "even, since rotary positions turn pairs",
            )?;
        }
        crate::error::check_dropout("dropout", self.dropout)?;
        self.init.validate()?;
        self.output_init.validate()?;
        self.quantizer.validate()
    }

    /// Self-attention with initial parameters.
    ///
    /// # Errors
    /// As [`AttentionConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<SelfAttention> {
        self.validate()?;
        let all = self.heads + 2 * self.kv_heads();
        Ok(SelfAttention {
            qkv: self.projection(all).init(device)?,
            output: self.output().init(device)?,
            heads: self.heads,
            kv_heads: self.kv_heads(),
            causal: self.causal,
            rotary: self.rotary,
            dropout: self.dropout()?,
        })
    }

    /// Cross-attention with initial parameters; `causal` and `rotary` have no meaning there and are not used.
    ///
    /// # Errors
    /// As [`AttentionConfig::validate`].
    pub fn init_cross(&self, device: &Device) -> Result<CrossAttention> {
        self.validate()?;
        Ok(CrossAttention {
            q: self.projection(self.heads).init(device)?,
            kv: self.projection(2 * self.kv_heads()).init(device)?,
            output: self.output().init(device)?,
            heads: self.heads,
            kv_heads: self.kv_heads(),
            dropout: self.dropout()?,
        })
    }

    fn projection(&self, heads: usize) -> LinearConfig {
        LinearConfig {
            bias: self.bias,
            init: self.init,
            quantizer: self.quantizer,
            ..LinearConfig::new(self.width, heads * self.head_width())
        }
    }

    fn output(&self) -> LinearConfig {
        LinearConfig {
            bias: self.output_bias,
            init: self.output_init,
            quantizer: self.quantizer,
            ..LinearConfig::new(self.heads * self.head_width(), self.width)
        }
    }

    fn dropout(&self) -> Result<Dropout> {
        DropoutConfig {
            probability: self.dropout,
        }
        .init()
    }
}

/// What to add to the scores so that no query sees padding: 0 where a key is present, −10³⁰ elsewhere.
///
/// A finite number, so that a sequence of padding alone gives finite outputs, if meaningless ones.
///
/// # Shapes
/// * `present`: `[batch, length]`
/// * result: `[batch, 1, 1, length]`
pub fn padding_bias(present: Tensor<2, Bool>) -> Tensor<4> {
    let [batch, length] = present.dims();
    (present.bool_not().float() * -1e30).reshape([batch, 1, 1, length])
}
