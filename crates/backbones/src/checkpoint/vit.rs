//! ViT as Hugging Face has it.

use super::config::{Settings, activation_name};
use super::error::{CheckpointError, Result};
use super::exchange::{Exchange, Weights::OutIn};
use crate::blocks::{Biases, BlocksConfig};
use crate::channel_mixer::AnyChannelMixer;
use crate::vit::{Vit, VitConfig};
use offprint_layers::AnyTokenMixer;
use serde_json::{Map, Value, json};

pub(super) const TYPE: &str = "vit";

pub(super) fn config(settings: &Settings) -> Result<VitConfig> {
    let blocks = BlocksConfig::new(
        settings.required("num_hidden_layers")?,
        settings.required("hidden_size")?,
        settings.required("num_attention_heads")?,
    );
    let labels: Option<Map<String, Value>> = settings.optional("id2label")?;
    let classes = match labels {
        Some(labels) => labels.len(),
        None => settings.or("num_labels", 2)?,
    };
    Ok(VitConfig {
        channels: settings.or("num_channels", 3)?,
        size: size(settings)?,
        patch: settings.required("patch_size")?,
        classes,
        blocks: BlocksConfig {
            hidden: Some(settings.required("intermediate_size")?),
            activation: settings.activation("hidden_act", "gelu")?,
            norm_epsilon: settings.or("layer_norm_eps", 1e-12)?,
            bias: Biases {
                qkv: settings.or("qkv_bias", true)?,
                ..Biases::default()
            },
            dropout: settings.or("hidden_dropout_prob", 0.0)?,
            attention_dropout: settings.or("attention_probs_dropout_prob", 0.0)?,
            ..blocks
        },
    })
}

/// `image_size` is a side, or height and width.
fn size(settings: &Settings) -> Result<[usize; 2]> {
    match settings.0.get("image_size") {
        Some(Value::Array(_)) => settings.required("image_size"),
        _ => Ok([settings.required("image_size")?; 2]),
    }
}

/// The settings of a model, if it is a ViT as Hugging Face has it.
pub(super) fn settings(vit: &VitConfig) -> Result<Value> {
    let blocks = &vit.blocks;
    let plain = BlocksConfig {
        hidden: blocks.hidden,
        activation: blocks.activation,
        norm_epsilon: blocks.norm_epsilon,
        bias: Biases {
            qkv: blocks.bias.qkv,
            ..Biases::default()
        },
        dropout: blocks.dropout,
        attention_dropout: blocks.attention_dropout,
        deviation: blocks.deviation,
        ..BlocksConfig::new(blocks.layers, blocks.width, blocks.heads)
    };
    if *blocks != plain {
        return Err(CheckpointError::setting(
            "the model",
            format!("{vit:?}"),
            "a ViT (layer norms before, mlp, biases) to be saved as one",
        ));
    }
    let labels = |class: usize| format!("LABEL_{class}");
    let [height, width] = vit.size;
    Ok(json!({
        "architectures": ["ViTForImageClassification"],
        "model_type": TYPE,
        "num_channels": vit.channels,
        "image_size": if height == width { json!(height) } else { json!(vit.size) },
        "patch_size": vit.patch,
        "id2label": (0..vit.classes).map(|i| (i.to_string(), json!(labels(i)))).collect::<Map<_, _>>(),
        "label2id": (0..vit.classes).map(|i| (labels(i), json!(i))).collect::<Map<_, _>>(),
        "hidden_size": blocks.width,
        "num_hidden_layers": blocks.layers,
        "num_attention_heads": blocks.heads,
        "intermediate_size": blocks.hidden(),
        "hidden_act": activation_name(blocks.activation)?,
        "layer_norm_eps": blocks.norm_epsilon,
        "qkv_bias": blocks.bias.qkv,
        "hidden_dropout_prob": blocks.dropout,
        "attention_probs_dropout_prob": blocks.attention_dropout,
        "initializer_range": blocks.deviation,
    }))
}

/// Exchanges the parameters.
pub(super) fn exchange(x: &mut Exchange<'_>, vit: &mut Vit) {
    let patches = "vit.embeddings.patch_embeddings.projection";
    x.param("vit.embeddings.cls_token", &mut vit.class_token);
    x.param("vit.embeddings.position_embeddings", &mut vit.positions);
    x.param(&format!("{patches}.weight"), &mut vit.patches.weight);
    if let Some(bias) = &mut vit.patches.bias {
        x.param(&format!("{patches}.bias"), bias);
    }
    for (index, block) in vit.blocks.blocks.iter_mut().enumerate() {
        let at = |name: &str| format!("vit.encoder.layer.{index}.{name}");
        x.norm(&at("layernorm_before"), &mut block.norm1);
        let AnyTokenMixer::Attention(attention) = &mut block.token_mixer else {
            unreachable!("the settings of a checkpoint name no other mixer")
        };
        let [_, all] = attention.qkv.weight.dims();
        let names =
            ["query", "key", "value"].map(|name| at(&format!("attention.attention.{name}")));
        let parts = names.each_ref().map(|name| (&**name, all / 3));
        x.linear(&parts, OutIn, &mut attention.qkv);
        x.whole(&at("attention.output.dense"), OutIn, &mut attention.output);
        x.norm(&at("layernorm_after"), &mut block.norm2);
        if let AnyChannelMixer::Mlp(mlp) = &mut block.channel_mixer {
            x.whole(&at("intermediate.dense"), OutIn, &mut mlp.up);
            x.whole(&at("output.dense"), OutIn, &mut mlp.down);
        }
    }
    if let Some(norm) = &mut vit.blocks.norm {
        x.norm("vit.layernorm", norm);
    }
    x.whole("classifier", OutIn, &mut vit.head);
}
