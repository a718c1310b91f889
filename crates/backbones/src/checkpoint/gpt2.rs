//! GPT-2 as Hugging Face has it.

use super::config::{Settings, activation_name};
use super::error::{CheckpointError, Result};
use super::exchange::{Exchange, Weights::InOut};
use crate::blocks::BlocksConfig;
use crate::channel_mixer::AnyChannelMixer;
use crate::gpt::{Gpt, GptConfig};
use crate::positions::Positions;
use offprint_layers::AnyTokenMixer;
use serde_json::{Value, json};

pub(super) const TYPE: &str = "gpt2";

pub(super) fn config(settings: &Settings) -> Result<GptConfig> {
    settings.refuse_other("scale_attn_weights", json!(true))?;
    settings.refuse_other("scale_attn_by_inverse_layer_idx", json!(false))?;
    settings.refuse_other("add_cross_attention", json!(false))?;
    let gpt = GptConfig::gpt2(
        settings.required("vocab_size")?,
        settings.required("n_positions")?,
        settings.required("n_layer")?,
        settings.required("n_embd")?,
        settings.required("n_head")?,
    );
    Ok(GptConfig {
        tied: settings.or("tie_word_embeddings", true)?,
        blocks: BlocksConfig {
            hidden: settings.optional("n_inner")?,
            activation: settings.activation("activation_function", "gelu_new")?,
            norm_epsilon: settings.or("layer_norm_epsilon", 1e-5)?,
            dropout: settings.or("resid_pdrop", 0.1)?,
            attention_dropout: settings.or("attn_pdrop", 0.1)?,
            ..gpt.blocks
        },
        ..gpt
    })
}

/// The settings of a model, if it is a GPT-2.
pub(super) fn settings(gpt: &GptConfig) -> Result<Value> {
    let blocks = &gpt.blocks;
    let plain = BlocksConfig {
        hidden: blocks.hidden,
        activation: blocks.activation,
        norm_epsilon: blocks.norm_epsilon,
        dropout: blocks.dropout,
        attention_dropout: blocks.attention_dropout,
        deviation: blocks.deviation,
        ..BlocksConfig::new(blocks.layers, blocks.width, blocks.heads)
    };
    let same = BlocksConfig {
        // What these name is what would be without them.
        kv_heads: blocks.kv_heads.filter(|kv_heads| *kv_heads != blocks.heads),
        head_width: blocks
            .head_width
            .filter(|width| width * blocks.heads != blocks.width),
        ..*blocks
    };
    if gpt.positions != Positions::Learned || same != plain {
        return Err(CheckpointError::setting(
            "the model",
            format!("{gpt:?}"),
            "a GPT-2 (learned positions, layer norms before, mlp, biases) to be saved as one",
        ));
    }
    Ok(json!({
        "architectures": ["GPT2LMHeadModel"],
        "model_type": TYPE,
        "vocab_size": gpt.vocabulary,
        "n_positions": gpt.context,
        "n_embd": blocks.width,
        "n_layer": blocks.layers,
        "n_head": blocks.heads,
        "n_inner": blocks.hidden,
        "activation_function": activation_name(blocks.activation)?,
        "layer_norm_epsilon": blocks.norm_epsilon,
        "resid_pdrop": blocks.dropout,
        "embd_pdrop": blocks.dropout,
        "attn_pdrop": blocks.attention_dropout,
        "initializer_range": blocks.deviation,
        "tie_word_embeddings": gpt.tied,
    }))
}

/// Exchanges the parameters; `prefix` is `transformer.` but in a checkpoint without a head.
pub(super) fn exchange(x: &mut Exchange<'_>, gpt: &mut Gpt, prefix: &str) {
    x.param(
        &format!("{prefix}wte.weight"),
        &mut gpt.embedding.tokens.weight,
    );
    if let Some(positions) = &mut gpt.embedding.positions {
        x.param(&format!("{prefix}wpe.weight"), &mut positions.weight);
    }
    for (index, block) in gpt.blocks.blocks.iter_mut().enumerate() {
        let at = |name: &str| format!("{prefix}h.{index}.{name}");
        x.norm(&at("ln_1"), &mut block.norm1);
        let AnyTokenMixer::Attention(attention) = &mut block.token_mixer else {
            unreachable!("the settings of a checkpoint name no other mixer")
        };
        x.whole(&at("attn.c_attn"), InOut, &mut attention.qkv);
        x.whole(&at("attn.c_proj"), InOut, &mut attention.output);
        x.norm(&at("ln_2"), &mut block.norm2);
        if let AnyChannelMixer::Mlp(mlp) = &mut block.channel_mixer {
            x.whole(&at("mlp.c_fc"), InOut, &mut mlp.up);
            x.whole(&at("mlp.c_proj"), InOut, &mut mlp.down);
        }
    }
    if let Some(norm) = &mut gpt.blocks.norm {
        x.norm(&format!("{prefix}ln_f"), norm);
    }
    if let Some(head) = &mut gpt.head {
        x.whole("lm_head", super::exchange::Weights::OutIn, head);
    }
}

/// Whether a tensor is none of the parameters: buffers of the causal mask, and the tied head once more.
pub(super) fn known(tied: bool, name: &str) -> bool {
    name.ends_with(".attn.bias")
        || name.ends_with(".attn.masked_bias")
        || (tied && name == "lm_head.weight")
}
