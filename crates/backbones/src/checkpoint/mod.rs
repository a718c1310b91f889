//! Checkpoints: safetensors with Hugging Face's names for GPT-2, Llama and ViT, and GGUF files of Llama.
//!
//! | `model_type` | model | names |
//! | --- | --- | --- |
//! | `gpt2` | [`GptConfig::gpt2`] | `transformer.wte.weight`, `transformer.h.0.attn.c_attn.weight` … |
//! | `llama` | [`GptConfig::llama`] | `model.embed_tokens.weight`, `model.layers.0.self_attn.q_proj.weight` … |
//! | `vit` | [`VitConfig`] | `vit.embeddings.cls_token`, `vit.encoder.layer.0.attention.attention.query.weight` … |
//!
//! A single file with timm's names, `blocks.0.attn.qkv.weight` …, is a ViT too: [`load_timm`].
//!
//! Whatever differs between the tensors of a checkpoint and those of its model is one error that lists all of it.

mod config;
mod error;
mod exchange;
mod gguf;
mod gpt2;
mod llama;
mod tensors;
#[cfg(test)]
mod tests;
mod timm;
mod vit;

pub use error::{CheckpointError, Differences};
pub use gguf::{Encoding, Gguf, GgufError, GgufTensor, GgufValue, load_gguf};
pub use tensors::{Stored, Tensors};
pub use timm::{Unsaid, from_timm, load_timm, timm_bytes};

use crate::blocks::BlocksConfig;
use crate::channel_mixer::ChannelMixer;
use crate::gpt::{Gpt, GptConfig};
use crate::vit::{Vit, VitConfig};
use burn::tensor::Device;
use config::Settings;
use error::Result;
use exchange::Exchange;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A model with its configuration, as a checkpoint says.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one a checkpoint, taken apart at once"
)]
pub enum Pretrained {
    /// `gpt2` or `llama`.
    Gpt(GptConfig, Gpt),
    /// `vit`.
    Vit(VitConfig, Vit),
}

/// The file of a folder that holds the settings.
const CONFIG: &str = "config.json";

/// Loads the model of a folder with `config.json` and `model.safetensors`, or several files with an index.
///
/// # Errors
/// A file cannot be read, a setting is not known or out of range, or tensors are missing, extra, of another shape or not
/// finite, all of them listed.
pub fn load(folder: &Path, device: &Device) -> Result<Pretrained> {
    let path = folder.join(CONFIG);
    let text = fs::read(&path).map_err(|e| CheckpointError::io("read", &path, e))?;
    let settings = serde_json::from_slice(&text).map_err(|e| CheckpointError::format(&path, e))?;
    from_tensors(&settings, tensors::read_folder(folder)?, device)
}

/// The model of settings in the form of `config.json` and tensors by their names in Hugging Face's form.
///
/// # Errors
/// As [`load`].
pub fn from_tensors(settings: &Value, tensors: Tensors, device: &Device) -> Result<Pretrained> {
    let settings = Settings(settings.as_object().cloned().unwrap_or_default());
    let kind: String = settings.required("model_type")?;
    match &*kind {
        gpt2::TYPE => {
            let config = gpt2::config(&settings)?;
            let gpt = load_gpt(
                &config,
                tensors,
                device,
                gpt2::exchange,
                "transformer.",
                |n| gpt2::known(config.tied, n),
            )?;
            Ok(Pretrained::Gpt(config, gpt))
        }
        llama::TYPE => {
            let config = llama::config(&settings)?;
            let gpt = load_gpt(&config, tensors, device, llama::exchange, "model.", |n| {
                llama::known(config.tied, n)
            })?;
            Ok(Pretrained::Gpt(config, gpt))
        }
        vit::TYPE => {
            let config = vit::config(&settings)?;
            let vit = load_vit(&config, tensors, device, vit::exchange)?;
            Ok(Pretrained::Vit(config, vit))
        }
        _ => {
            let allowed = format!("{}, {} or {}", gpt2::TYPE, llama::TYPE, vit::TYPE);
            Err(CheckpointError::setting("model_type", kind, allowed))
        }
    }
}

fn load_gpt(
    config: &GptConfig,
    mut tensors: Tensors,
    device: &Device,
    exchange: fn(&mut Exchange<'_>, &mut Gpt, &str),
    prefix: &str,
    known: impl Fn(&str) -> bool,
) -> Result<Gpt> {
    config.validate()?;
    let embeddings = product([config.vocabulary, config.blocks.width]);
    let head = if config.tied { 0 } else { embeddings };
    let positions = match config.positions {
        crate::Positions::Learned => product([config.context, config.blocks.width]),
        _ => 0,
    };
    let outside = [embeddings, head, positions];
    plausible(&config.blocks, outside.iter().sum(), &tensors)?;
    let mut gpt = GptConfig {
        blocks: unfilled(&config.blocks),
        ..*config
    }
    .init(device)?;
    // A checkpoint of the body alone has no prefix.
    let body = !tensors.keys().any(|name| name.starts_with(prefix));
    let mut x = Exchange::load(&mut tensors);
    exchange(&mut x, &mut gpt, if body { "" } else { prefix });
    x.finish(known)?;
    Ok(gpt)
}

fn load_vit(
    config: &VitConfig,
    mut tensors: Tensors,
    device: &Device,
    exchange: fn(&mut Exchange<'_>, &mut Vit),
) -> Result<Vit> {
    config.validate()?;
    let width = config.blocks.width;
    let patch = product([config.channels, config.patch, config.patch, width]);
    let outside = [
        patch,
        product([config.patches(), width]),
        product([config.classes, width]),
    ];
    plausible(&config.blocks, outside.iter().sum(), &tensors)?;
    let mut vit = VitConfig {
        blocks: unfilled(&config.blocks),
        ..*config
    }
    .init(device)?;
    let mut x = Exchange::load(&mut tensors);
    exchange(&mut x, &mut vit);
    x.finish(|_| false)?;
    Ok(vit)
}

/// Writes `config.json` and `model.safetensors` of a model that is a GPT-2 or a Llama.
///
/// # Errors
/// The model is neither, or a file cannot be written.
pub fn save_gpt(folder: &Path, config: &GptConfig, gpt: &Gpt) -> Result<()> {
    let (settings, tensors) = gpt_tensors(config, gpt)?;
    save(folder, &settings, &tensors)
}

/// Writes `config.json` and `model.safetensors` of a ViT.
///
/// # Errors
/// A slot of the model has no place in Hugging Face's ViT, or a file cannot be written.
pub fn save_vit(folder: &Path, config: &VitConfig, vit: &Vit) -> Result<()> {
    let (settings, tensors) = vit_tensors(config, vit)?;
    save(folder, &settings, &tensors)
}

/// Settings and tensors of a GPT-2 or a Llama in Hugging Face's form.
///
/// # Errors
/// The model is neither.
pub fn gpt_tensors(config: &GptConfig, gpt: &Gpt) -> Result<(Value, Tensors)> {
    let mut x = Exchange::save();
    // What is saved is only read, from tensors that the copy shares.
    let mut gpt = gpt.clone();
    let settings = match config.blocks.channel_mixer {
        ChannelMixer::Gated => {
            let settings = llama::settings(config)?;
            llama::exchange(&mut x, &mut gpt, "model.");
            settings
        }
        _ => {
            let settings = gpt2::settings(config)?;
            gpt2::exchange(&mut x, &mut gpt, "transformer.");
            settings
        }
    };
    Ok((settings, x.saved()))
}

/// Settings and tensors of a ViT in Hugging Face's form.
///
/// # Errors
/// A slot of the model has no place there.
pub fn vit_tensors(config: &VitConfig, vit: &Vit) -> Result<(Value, Tensors)> {
    let settings = vit::settings(config)?;
    let mut x = Exchange::save();
    vit::exchange(&mut x, &mut vit.clone());
    Ok((settings, x.saved()))
}

fn save(folder: &Path, settings: &Value, tensors: &Tensors) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| CheckpointError::io("make the folder", folder, e))?;
    tensors::write(tensors, &folder.join(tensors::WHOLE))?;
    let path = folder.join(CONFIG);
    let text =
        serde_json::to_vec_pretty(settings).map_err(|e| CheckpointError::format(&path, e))?;
    tensors::write_bytes(&path, &text)
}

/// The blocks with weights of zero, whose memory is not touched before a tensor takes its place.
fn unfilled(blocks: &BlocksConfig) -> BlocksConfig {
    BlocksConfig {
        deviation: 0.0,
        ..*blocks
    }
}

/// Checks that a file can hold a model, before memory is asked for: sizes come from a file that may say anything.
fn plausible(blocks: &BlocksConfig, outside: u128, tensors: &Tensors) -> Result<()> {
    let numbers = tensors.values().map(|stored| stored.values.len()).sum();
    let kv_heads = blocks.kv_heads.unwrap_or(blocks.heads);
    let head_width = blocks
        .head_width
        .unwrap_or(blocks.width / blocks.heads.max(1));
    let heads = 2 * (blocks.heads as u128 + kv_heads as u128);
    let attention = heads.saturating_mul(product([head_width, blocks.width]));
    let matrices = match blocks.channel_mixer {
        ChannelMixer::Gated => 3,
        _ => 2,
    };
    let channels = product([matrices, blocks.hidden(), blocks.width]);
    let of_block = attention.saturating_add(channels);
    let parameters = of_block
        .saturating_mul(blocks.layers as u128)
        .saturating_add(outside);
    // Some tensors may be missing, which is told name by name.
    let most = 4 * numbers as u128 + (1 << 20);
    if parameters > most || blocks.layers > tensors.len().max(1) {
        return Err(CheckpointError::Sizes {
            parameters,
            layers: blocks.layers,
            numbers,
            tensors: tensors.len(),
        });
    }
    Ok(())
}

fn product<const N: usize>(sizes: [usize; N]) -> u128 {
    let sizes = sizes.into_iter().map(|size| size as u128);
    sizes.fold(1, u128::saturating_mul)
}
