//! Layers of neural networks over the kernels, and the slots of the backbones.
//!
//! A layer is a Burn module with a configuration: `XConfig` says what is wrong with it in `validate()` before anything is
//! allocated, and makes an `X` by `init(&device)`. Initial values follow `device.seed(..)`, draws of a forward pass the
//! seed of its [`Context`], so that a resumed run goes on with the same numbers.
//!
//! A slot is a serde enum chosen in TOML: [`TokenMixer`], [`Activation`], [`NormKind`], [`Quantizer`]; the channel mixer's
//! slot is in `offprint-backbones`, since one of its variants is a mixture of experts.

mod attention;
mod context;
mod conv2d;
mod dropout;
mod embedding;
mod error;
mod feed_forward;
mod gru;
mod init;
pub mod kan;
mod linear;
mod linear_attention;
mod mamba;
mod norm;
mod quantizer;
pub mod rational;
#[cfg(test)]
mod testing;
mod token_mixer;

pub use attention::{
    Attend, AttentionConfig, CrossAttention, KeyValueCache, Memory, Rotary, SelfAttention,
    padding_bias,
};
pub use context::Context;
pub use conv2d::{Conv2d, Conv2dConfig};
pub use dropout::{Dropout, DropoutConfig};
pub use embedding::{Embedding, EmbeddingConfig};
pub use error::{LayersError, Result};
pub use feed_forward::{FeedForward, FeedForwardConfig, GatedFeedForward};
pub use gru::{Gru, GruConfig};
pub use init::Init;
pub use linear::{Linear, LinearConfig};
pub use linear_attention::{
    FeatureMap, GatedLinearAttention, GatedLinearAttentionConfig, Heads, HeadsConfig,
    LinearAttention, LinearAttentionConfig, LinearAttentionState, Retention, RetentionConfig,
};
pub use mamba::{Mamba, MambaConfig, MambaState};
pub use norm::{BatchNorm, LayerNorm, NoNorm, Norm, NormConfig, NormKind, RmsNorm};
pub use offprint_kernels::{Activation, activate};
pub use quantizer::Quantizer;
pub use token_mixer::{AnyTokenMixer, MixerState, TokenMixer};
