//! A Llama in a GGUF file.

use super::super::error::{CheckpointError, Result};
use super::super::tensors::{Stored, Tensors};
use super::super::{Pretrained, from_tensors};
use super::{Gguf, GgufValue};
use crate::gpt::{Gpt, GptConfig};
use burn::tensor::Device;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// Loads a GGUF file of the architecture `llama`.
///
/// # Errors
/// The file cannot be read, has another architecture, a setting that changes what is computed in a way that is not known
/// here, or tensors that are missing, extra or of another shape, all of them listed by Hugging Face's names.
pub fn load_gguf(path: &Path, device: &Device) -> Result<(GptConfig, Gpt)> {
    let bytes = fs::read(path).map_err(|e| CheckpointError::io("read", path, e))?;
    let file = Gguf::parse(&bytes).map_err(|e| CheckpointError::format(path, e))?;
    let settings = settings(&file)?;
    match from_tensors(&Value::Object(settings), tensors(&file), device)? {
        Pretrained::Gpt(config, gpt) => Ok((config, gpt)),
        Pretrained::Vit(..) => Err(CheckpointError::setting("model_type", "vit", "llama")),
    }
}

/// The settings in the form of Hugging Face's `config.json`.
pub(super) fn settings(file: &Gguf<'_>) -> Result<Map<String, Value>> {
    let text = |key: &str| match file.metadata.get(key) {
        Some(GgufValue::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let architecture = text("general.architecture").unwrap_or_default();
    if architecture != "llama" {
        let name = "general.architecture";
        return Err(CheckpointError::setting(name, architecture, "llama"));
    }
    if let Some(scaling) = text("llama.rope.scaling.type").filter(|scaling| *scaling != "none") {
        let name = "llama.rope.scaling.type";
        return Err(CheckpointError::setting(name, scaling, "none"));
    }
    let mut settings = Map::new();
    for (name, key) in [
        ("num_hidden_layers", "block_count"),
        ("max_position_embeddings", "context_length"),
        ("hidden_size", "embedding_length"),
        ("intermediate_size", "feed_forward_length"),
        ("num_attention_heads", "attention.head_count"),
        ("num_key_value_heads", "attention.head_count_kv"),
        ("head_dim", "attention.key_length"),
        ("rope_theta", "rope.freq_base"),
        ("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
        ("rotary_dim", "rope.dimension_count"),
    ] {
        let key = format!("llama.{key}");
        let value = match file.metadata.get(&key) {
            None => continue,
            Some(GgufValue::Unsigned(n)) => json!(n),
            Some(GgufValue::Signed(n)) => json!(n),
            Some(GgufValue::Float(x)) => json!(x),
            Some(other) => {
                let value = format!("{other:?}");
                return Err(CheckpointError::setting(key, value, "a number"));
            }
        };
        settings.insert(name.to_string(), value);
    }
    let table = file.tensors.get("token_embd.weight");
    let vocabulary = table.and_then(|table| table.shape.first());
    let missing = || CheckpointError::NoSetting("token_embd.weight".into());
    settings.insert("vocab_size".into(), json!(vocabulary.ok_or_else(missing)?));
    let has = |name: &str| file.tensors.contains_key(name);
    settings.insert("model_type".into(), json!("llama"));
    settings.insert("tie_word_embeddings".into(), json!(!has("output.weight")));
    settings.insert("attention_bias".into(), json!(has("blk.0.attn_q.bias")));
    settings.insert("mlp_bias".into(), json!(has("blk.0.ffn_up.bias")));
    check_rotary(&settings)?;
    Ok(settings)
}

/// Rotary positions must turn whole heads.
fn check_rotary(settings: &Map<String, Value>) -> Result<()> {
    let number = |name: &str| settings.get(name).and_then(Value::as_u64);
    let whole = number("head_dim").or_else(|| {
        let heads = number("num_attention_heads").filter(|heads| *heads > 0)?;
        Some(number("hidden_size")? / heads)
    });
    match (number("rotary_dim"), whole) {
        (Some(turned), Some(whole)) if turned != whole => Err(CheckpointError::setting(
            "llama.rope.dimension_count",
            turned,
            format!("the width of a head, {whole}"),
        )),
        _ => Ok(()),
    }
}

/// The tensors under Hugging Face's names, queries and keys in Hugging Face's order.
pub(super) fn tensors(file: &Gguf<'_>) -> Tensors {
    let count = |key: &str| match file.metadata.get(key) {
        Some(GgufValue::Unsigned(n)) => usize::try_from(*n).unwrap_or(usize::MAX),
        _ => 0,
    };
    let heads = count("llama.attention.head_count");
    let kv_heads = match count("llama.attention.head_count_kv") {
        0 => heads,
        kv_heads => kv_heads,
    };
    let mut tensors = Tensors::new();
    for (name, tensor) in &file.tensors {
        let (name, turned) = rename(name);
        let mut stored = Stored {
            shape: tensor.shape.clone(),
            values: tensor.values(),
        };
        match turned {
            Turned::Queries => unpermute(&mut stored, heads),
            Turned::Keys => unpermute(&mut stored, kv_heads),
            Turned::Neither => {}
        }
        tensors.insert(name, stored);
    }
    tensors
}

/// Whether a tensor's rows are in the order of llama.cpp's rotary positions.
pub(super) enum Turned {
    Queries,
    Keys,
    Neither,
}

/// Hugging Face's name; a tensor that has none keeps its own.
pub(super) fn rename(name: &str) -> (String, Turned) {
    let whole = match name {
        "token_embd.weight" => Some("model.embed_tokens.weight"),
        "output_norm.weight" => Some("model.norm.weight"),
        "output.weight" => Some("lm_head.weight"),
        _ => None,
    };
    if let Some(whole) = whole {
        return (whole.to_string(), Turned::Neither);
    }
    let mut parts = name.splitn(4, '.');
    let (Some("blk"), Some(layer), Some(part), Some(suffix)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return (name.to_string(), Turned::Neither);
    };
    let (part, turned) = match part {
        "attn_norm" => ("input_layernorm", Turned::Neither),
        "ffn_norm" => ("post_attention_layernorm", Turned::Neither),
        "attn_q" => ("self_attn.q_proj", Turned::Queries),
        "attn_k" => ("self_attn.k_proj", Turned::Keys),
        "attn_v" => ("self_attn.v_proj", Turned::Neither),
        "attn_output" => ("self_attn.o_proj", Turned::Neither),
        "ffn_gate" => ("mlp.gate_proj", Turned::Neither),
        "ffn_up" => ("mlp.up_proj", Turned::Neither),
        "ffn_down" => ("mlp.down_proj", Turned::Neither),
        _ => return (name.to_string(), Turned::Neither),
    };
    (format!("model.layers.{layer}.{part}.{suffix}"), turned)
}

/// llama.cpp turns the pairs `(2i, 2i + 1)` of a head, Hugging Face `(i, i + half)`: its files have the rows of queries and
/// keys in that order, row `2i + p` of each head being Hugging Face's `p · half + i`. A tensor whose rows do not divide so
/// stays; its shape is found wrong later.
fn unpermute(stored: &mut Stored, heads: usize) {
    let Some((&rows, rest)) = stored.shape.split_first() else {
        return;
    };
    if heads == 0 || rows == 0 || !rows.is_multiple_of(2 * heads) {
        return;
    }
    let row: usize = rest.iter().product();
    let half = rows / heads / 2;
    let mut values = Vec::with_capacity(stored.values.len());
    for head in 0..heads {
        for part in 0..2 {
            for i in 0..half {
                let from = (head * half + i) * 2 + part;
                values.extend_from_slice(&stored.values[from * row..][..row]);
            }
        }
    }
    stored.values = values;
}
