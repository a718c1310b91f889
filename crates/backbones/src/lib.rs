//! Backbones: networks built from slots (token mixer, channel mixer, activation, norm, quantizer), so that any method can
//! be tried in any of them from a configuration file.

mod backbone;
mod blocks;
mod channel_mixer;
pub mod checkpoint;
mod config;
mod convnet;
mod encoder;
mod encoder_decoder;
mod error;
mod feed_forward_experts;
mod gnn;
pub mod golden;
mod gpt;
mod graph;
mod lenet;
mod mlp;
mod output;
mod positions;
mod residual_mlp;
mod resnet;
mod seq2seq;
#[cfg(test)]
mod testing;
pub mod train;
mod unet;
mod vit;

pub use backbone::{Backbone, Input, parameters};
pub use blocks::{Biases, Blocks, BlocksConfig, Cross, NormPlace, TransformerBlock};
pub use channel_mixer::{
    AnyChannelMixer, ChannelMixer, ExpertsConfig, GateKind, Mixed, Routing, SplineConfig,
};
pub use config::{BackboneConfig, Kind, Problem, Rows};
pub use convnet::{Convnet, ConvnetConfig};
pub use encoder::{Encoder, EncoderConfig, Pooling, Trace};
pub use encoder_decoder::{Encoded, EncoderDecoder, EncoderDecoderConfig};
pub use error::{BackbonesError, Result};
pub use feed_forward_experts::FeedForwardExperts;
pub use gnn::{Aggregation, Gnn, GnnConfig, MessageLayer, Readout};
pub use gpt::{GenerateConfig, Generation, Gpt, GptConfig, GptState, Sampling};
pub use graph::{Adjacency, Graph};
pub use lenet::{Lenet, LenetConfig, Pool};
pub use mlp::{Mlp, MlpConfig};
pub use output::Output;
pub use positions::{Positions, TokenEmbedding};
pub use residual_mlp::{ResidualMlp, ResidualMlpConfig};
pub use resnet::{Block, Resnet, ResnetConfig, Shortcut, Stem};
pub use seq2seq::{Seq2Seq, Seq2SeqConfig};
pub use unet::{Double, Rise, Unet, UnetConfig};
pub use vit::{Vit, VitConfig};
