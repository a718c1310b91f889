//! Llama and its like (SmolLM2, TinyLlama) as Hugging Face has them.

use super::config::{Settings, activation_name};
use super::error::{CheckpointError, Result};
use super::exchange::{Exchange, Weights::OutIn};
use crate::blocks::{Biases, BlocksConfig};
use crate::channel_mixer::{AnyChannelMixer, ChannelMixer};
use crate::gpt::{Gpt, GptConfig};
use crate::positions::Positions;
use offprint_layers::{AnyTokenMixer, NormKind, Rotary};
use serde_json::{Value, json};

pub(super) const TYPE: &str = "llama";

pub(super) fn config(settings: &Settings) -> Result<GptConfig> {
    let heads: usize = settings.required("num_attention_heads")?;
    let attention_bias: bool = settings.or("attention_bias", false)?;
    let gpt = GptConfig::llama(
        settings.required("vocab_size")?,
        settings.required("max_position_embeddings")?,
        settings.required("num_hidden_layers")?,
        settings.required("hidden_size")?,
        heads,
        settings.or("num_key_value_heads", heads)?,
    );
    Ok(GptConfig {
        positions: Positions::Rotary(Rotary {
            base: rotary_base(settings)?,
        }),
        tied: settings.or("tie_word_embeddings", false)?,
        blocks: BlocksConfig {
            head_width: settings.optional("head_dim")?,
            hidden: Some(settings.required("intermediate_size")?),
            activation: settings.activation("hidden_act", "silu")?,
            norm_epsilon: settings.or("rms_norm_eps", 1e-6)?,
            bias: Biases {
                qkv: attention_bias,
                output: attention_bias,
                channels: settings.or("mlp_bias", false)?,
            },
            attention_dropout: settings.or("attention_dropout", 0.0)?,
            ..gpt.blocks
        },
        ..gpt
    })
}

/// The base of the rotary positions: `rope_parameters.rope_theta` since Transformers 5, `rope_theta` before.
fn rotary_base(settings: &Settings) -> Result<f32> {
    settings.refuse_other("rope_scaling", Value::Null)?;
    let Some(parameters) = settings.optional("rope_parameters")? else {
        return settings.or("rope_theta", 10_000.0);
    };
    let parameters = Settings(parameters);
    parameters.refuse_other("rope_type", json!("default"))?;
    parameters.or("rope_theta", 10_000.0)
}

/// The settings of a model, if it is a Llama.
pub(super) fn settings(gpt: &GptConfig) -> Result<Value> {
    let blocks = &gpt.blocks;
    let plain = BlocksConfig {
        kv_heads: blocks.kv_heads,
        head_width: blocks.head_width,
        hidden: blocks.hidden,
        activation: blocks.activation,
        channel_mixer: ChannelMixer::Gated,
        norm: NormKind::Rms,
        norm_epsilon: blocks.norm_epsilon,
        bias: blocks.bias,
        attention_dropout: blocks.attention_dropout,
        deviation: blocks.deviation,
        ..BlocksConfig::new(blocks.layers, blocks.width, blocks.heads)
    };
    let (Positions::Rotary(rotary), true, true) = (
        gpt.positions,
        *blocks == plain,
        blocks.bias.qkv == blocks.bias.output,
    ) else {
        return Err(CheckpointError::setting(
            "the model",
            format!("{gpt:?}"),
            "a Llama (rotary positions, RMS norms before, gated, no dropout) to be saved as one",
        ));
    };
    Ok(json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": TYPE,
        "vocab_size": gpt.vocabulary,
        "max_position_embeddings": gpt.context,
        "hidden_size": blocks.width,
        "num_hidden_layers": blocks.layers,
        "num_attention_heads": blocks.heads,
        "num_key_value_heads": blocks.kv_heads.unwrap_or(blocks.heads),
        "head_dim": blocks.head_width.unwrap_or(blocks.width / blocks.heads),
        "intermediate_size": blocks.hidden(),
        "hidden_act": activation_name(blocks.activation)?,
        "rms_norm_eps": blocks.norm_epsilon,
        // Both, for readers before and since Transformers 5.
        "rope_theta": rotary.base,
        "rope_parameters": { "rope_type": "default", "rope_theta": rotary.base },
        "attention_bias": blocks.bias.qkv,
        "mlp_bias": blocks.bias.channels,
        "attention_dropout": blocks.attention_dropout,
        "initializer_range": blocks.deviation,
        "tie_word_embeddings": gpt.tied,
    }))
}

/// Exchanges the parameters; `prefix` is `model.` but in a checkpoint without a head.
pub(super) fn exchange(x: &mut Exchange<'_>, gpt: &mut Gpt, prefix: &str) {
    x.param(
        &format!("{prefix}embed_tokens.weight"),
        &mut gpt.embedding.tokens.weight,
    );
    for (index, block) in gpt.blocks.blocks.iter_mut().enumerate() {
        let at = |name: &str| format!("{prefix}layers.{index}.{name}");
        x.norm(&at("input_layernorm"), &mut block.norm1);
        let AnyTokenMixer::Attention(attention) = &mut block.token_mixer else {
            unreachable!("the settings of a checkpoint name no other mixer")
        };
        let [_, all] = attention.qkv.weight.dims();
        let dim = all / (attention.heads + 2 * attention.kv_heads);
        let (queries, keys) = (attention.heads * dim, attention.kv_heads * dim);
        let [q, k, v] = ["q", "k", "v"].map(|name| at(&format!("self_attn.{name}_proj")));
        let parts = [(&*q, queries), (&*k, keys), (&*v, keys)];
        x.linear(&parts, OutIn, &mut attention.qkv);
        x.whole(&at("self_attn.o_proj"), OutIn, &mut attention.output);
        x.norm(&at("post_attention_layernorm"), &mut block.norm2);
        if let AnyChannelMixer::Gated(mlp) = &mut block.channel_mixer {
            x.whole(&at("mlp.gate_proj"), OutIn, &mut mlp.gate);
            x.whole(&at("mlp.up_proj"), OutIn, &mut mlp.up);
            x.whole(&at("mlp.down_proj"), OutIn, &mut mlp.down);
        }
    }
    if let Some(norm) = &mut gpt.blocks.norm {
        x.norm(&format!("{prefix}norm"), norm);
    }
    if let Some(head) = &mut gpt.head {
        x.whole("lm_head", OutIn, head);
    }
}

/// Whether a tensor is none of the parameters: frequencies of the positions, and the tied head once more.
pub(super) fn known(tied: bool, name: &str) -> bool {
    name.ends_with("rotary_emb.inv_freq") || (tied && name == "lm_head.weight")
}
