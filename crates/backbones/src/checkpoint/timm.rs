//! ViT as timm has it, and KAT as its authors have it: one file, the same names.
//!
//! The tensors say every size but the number of heads. A file that was written here also has the whole configuration in
//! its metadata.

use super::error::{CheckpointError, Result};
use super::exchange::{Exchange, Weights::OutIn};
use super::{load_vit, tensors};
use crate::blocks::{Biases, BlocksConfig};
use crate::channel_mixer::{AnyChannelMixer, ChannelMixer};
use crate::vit::{Vit, VitConfig};
use burn::tensor::Device;
use offprint_layers::kan::GroupRationalOptions;
use offprint_layers::rational::Rational;
use offprint_layers::{Activation, AnyTokenMixer};
use safetensors::SafeTensors;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tensors::Tensors;

/// The entry of the metadata that holds the configuration.
const CONFIG: &str = "config";

/// Width of a head in all of timm's ViTs.
const HEAD: usize = 64;

/// Tensors of a file that an error lists.
const LISTED: usize = 8;

/// What the tensors of a file from elsewhere do not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unsaid {
    /// Number of heads; a width of 64 each where absent.
    pub heads: Option<usize>,
    /// Height and width of a picture; a square where absent.
    pub size: Option<[usize; 2]>,
    /// What is between the two layers of an MLP.
    pub activation: Activation,
}

impl Default for Unsaid {
    fn default() -> Self {
        Self {
            heads: None,
            size: None,
            activation: Activation::Gelu,
        }
    }
}

/// Loads the ViT or KAT of a safetensors file with timm's names; `unsaid` is not asked where the file says it.
///
/// # Errors
/// The file cannot be read, holds a number that is not finite, has no blocks with MLPs or KANs, or its tensors do not fit
/// together.
pub fn load_timm(path: &Path, unsaid: &Unsaid, device: &Device) -> Result<(VitConfig, Vit)> {
    let bytes = fs::read(path).map_err(|e| CheckpointError::io("read", path, e))?;
    let refused = |message: String| CheckpointError::format(path, message);
    let tensors = tensors::read(&bytes).map_err(refused)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| refused(e.to_string()))?;
    let config = match header.metadata().as_ref().and_then(|all| all.get(CONFIG)) {
        Some(json) => {
            let config = serde_json::from_str(json).map_err(|e| refused(format!("config: {e}")))?;
            suits(&config)?;
            config
        }
        None => infer(&tensors, unsaid, path)?,
    };
    let vit = load_vit(&config, tensors, device, exchange)?;
    Ok((config, vit))
}

/// The ViT or KAT of tensors with timm's names.
///
/// # Errors
/// There are no blocks with MLPs or KANs, or the tensors do not fit together.
pub fn from_timm(tensors: Tensors, unsaid: &Unsaid, device: &Device) -> Result<(VitConfig, Vit)> {
    let config = infer(&tensors, unsaid, Path::new("the model"))?;
    let vit = load_vit(&config, tensors, device, exchange)?;
    Ok((config, vit))
}

/// A safetensors file of a ViT or KAT.
///
/// # Errors
/// A slot of the model has no place there.
pub fn timm_bytes(config: &VitConfig, vit: &Vit) -> Result<Vec<u8>> {
    suits(config)?;
    let mut x = Exchange::save();
    exchange(&mut x, &mut vit.clone());
    let json = serde_json::to_string(config);
    let json = json.map_err(|e| CheckpointError::setting("the model", e, "written as JSON"))?;
    tensors::to_bytes(&x.saved(), [(CONFIG.to_string(), json)])
        .map_err(|e| CheckpointError::setting("the model", e, "written as safetensors"))
}

/// Refuses what has no name there.
fn suits(config: &VitConfig) -> Result<()> {
    let blocks = &config.blocks;
    let plain = BlocksConfig {
        hidden: blocks.hidden,
        activation: blocks.activation,
        channel_mixer: blocks.channel_mixer,
        norm_epsilon: blocks.norm_epsilon,
        bias: blocks.bias,
        dropout: blocks.dropout,
        attention_dropout: blocks.attention_dropout,
        deviation: blocks.deviation,
        ..BlocksConfig::new(blocks.layers, blocks.width, blocks.heads)
    };
    let mixer = matches!(
        blocks.channel_mixer,
        ChannelMixer::Mlp | ChannelMixer::GrKan(_)
    );
    match mixer && *blocks == plain {
        true => Ok(()),
        false => Err(CheckpointError::setting(
            "the model",
            format!("{config:?}"),
            "a ViT with attention, layer norms before, and mlp or gr-kan to have timm's names",
        )),
    }
}

/// The configuration of a file from elsewhere.
fn infer(tensors: &Tensors, unsaid: &Unsaid, path: &Path) -> Result<VitConfig> {
    let shape = |name: &str, axes: usize| -> Result<&[usize]> {
        let stored = tensors.get(name).ok_or_else(|| none(name, tensors, path))?;
        match stored.shape.len() == axes {
            true => Ok(&stored.shape),
            false => Err(CheckpointError::format(
                path,
                format!(
                    "{name} has shape {:?}, but {axes} axes are expected",
                    stored.shape
                ),
            )),
        }
    };
    let hidden = shape("blocks.0.mlp.fc1.weight", 2)?[0];
    let patches = shape("patch_embed.proj.weight", 4)?;
    let [width, channels, patch] = [patches[0], patches[1], patches[2]];
    let positions = shape("pos_embed", 3)?[1];
    let classes = shape("head.weight", 2)?[0];
    let layers: BTreeSet<&str> = tensors
        .keys()
        .filter_map(|name| name.strip_prefix("blocks.")?.split('.').next())
        .collect();
    let size = match unsaid.size {
        Some(size) => size,
        None => square(positions.saturating_sub(1), patch)?,
    };
    let heads = match unsaid.heads {
        Some(heads) => heads,
        None if width > 0 && width.is_multiple_of(HEAD) => width / HEAD,
        None => {
            let allowed = format!("given: {width} channels are no heads of {HEAD}");
            return Err(CheckpointError::setting("heads", "not said", allowed));
        }
    };
    let channel_mixer = match tensors.contains_key("blocks.0.mlp.act1.weight_denominator") {
        false => ChannelMixer::Mlp,
        true => {
            let numerator = shape("blocks.0.mlp.act1.weight_numerator", 2)?;
            let denominator = shape("blocks.0.mlp.act1.weight_denominator", 2)?;
            ChannelMixer::GrKan(GroupRationalOptions {
                groups: denominator[0],
                numerator_degree: numerator[1].saturating_sub(1),
                denominator_degree: denominator[1],
                shared_numerator: numerator[0] == 1,
                ..GroupRationalOptions::default()
            })
        }
    };
    let blocks = BlocksConfig {
        hidden: Some(hidden),
        activation: unsaid.activation,
        channel_mixer,
        norm_epsilon: 1e-6,
        bias: Biases {
            qkv: tensors.contains_key("blocks.0.attn.qkv.bias"),
            output: tensors.contains_key("blocks.0.attn.proj.bias"),
            channels: tensors.contains_key("blocks.0.mlp.fc1.bias"),
        },
        ..BlocksConfig::new(layers.len(), width, heads)
    };
    Ok(VitConfig {
        channels,
        size,
        patch,
        classes,
        blocks,
    })
}

/// Height and width of a square picture of so many patches.
fn square(patches: usize, patch: usize) -> Result<[usize; 2]> {
    let side = patches.isqrt();
    match side * side == patches {
        true => Ok([side * patch; 2]),
        false => Err(CheckpointError::setting(
            "size",
            "not said",
            format!("given: {patches} patches are no square"),
        )),
    }
}

/// The error of a file that is no ViT: what it has instead.
fn none(name: &str, tensors: &Tensors, path: &Path) -> CheckpointError {
    let mut found: Vec<String> = tensors.keys().take(LISTED).cloned().collect();
    if tensors.len() > LISTED {
        found.push(format!("{} more", tensors.len() - LISTED));
    }
    let what = match name.contains(".mlp.") {
        true => format!("no block with an MLP, {name}"),
        false => format!("no {name}"),
    };
    let found = found.join(", ");
    CheckpointError::format(path, format!("it has {what}, but holds {found}"))
}

/// Exchanges the parameters.
fn exchange(x: &mut Exchange<'_>, vit: &mut Vit) {
    x.param("cls_token", &mut vit.class_token);
    x.param("pos_embed", &mut vit.positions);
    x.param("patch_embed.proj.weight", &mut vit.patches.weight);
    if let Some(bias) = &mut vit.patches.bias {
        x.param("patch_embed.proj.bias", bias);
    }
    for (index, block) in vit.blocks.blocks.iter_mut().enumerate() {
        let at = |name: &str| format!("blocks.{index}.{name}");
        x.norm(&at("norm1"), &mut block.norm1);
        let AnyTokenMixer::Attention(attention) = &mut block.token_mixer else {
            unreachable!("refused before")
        };
        x.whole(&at("attn.qkv"), OutIn, &mut attention.qkv);
        x.whole(&at("attn.proj"), OutIn, &mut attention.output);
        x.norm(&at("norm2"), &mut block.norm2);
        let [up, down] = match &mut block.channel_mixer {
            AnyChannelMixer::Mlp(mlp) => [&mut mlp.up, &mut mlp.down],
            AnyChannelMixer::GrKan(kan) => {
                functions(x, &at("mlp.act1"), &mut kan.first);
                functions(x, &at("mlp.act2"), &mut kan.second);
                [&mut kan.up, &mut kan.down]
            }
            _ => unreachable!("refused before"),
        };
        x.whole(&at("mlp.fc1"), OutIn, up);
        x.whole(&at("mlp.fc2"), OutIn, down);
    }
    if let Some(norm) = &mut vit.blocks.norm {
        x.norm("norm", norm);
    }
    x.whole("head", OutIn, &mut vit.head);
}

fn functions(x: &mut Exchange<'_>, prefix: &str, functions: &mut Rational) {
    x.param(
        &format!("{prefix}.weight_numerator"),
        &mut functions.numerator,
    );
    x.param(
        &format!("{prefix}.weight_denominator"),
        &mut functions.denominator,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device, tensor};
    use offprint_layers::Context;

    fn config() -> VitConfig {
        VitConfig::new(2, [6, 9], 3, 4, BlocksConfig::new(2, 16, 4))
    }

    fn logits(vit: &Vit) -> Vec<f32> {
        let output = vit.forward(tensor([3, 2, 6, 9], 1), Context::EVALUATION);
        output.unwrap().output.into_data().iter::<f32>().collect()
    }

    #[test]
    fn what_was_saved_is_loaded_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vit.safetensors");
        let mixer = ChannelMixer::GrKan(GroupRationalOptions::default());
        for channel_mixer in [ChannelMixer::Mlp, mixer] {
            let mut config = config();
            config.blocks.channel_mixer = channel_mixer;
            let vit = config.init(&device()).unwrap();
            fs::write(&path, timm_bytes(&config, &vit).unwrap()).unwrap();
            let (again, loaded) = load_timm(&path, &Unsaid::default(), &device()).unwrap();
            assert_eq!(again, config);
            assert!(logits(&loaded) == logits(&vit));
        }
    }

    /// As a file from elsewhere: without the configuration.
    fn bare(vit: &Vit, path: &Path, change: impl FnOnce(&mut Tensors)) {
        let mut x = Exchange::save();
        exchange(&mut x, &mut vit.clone());
        let mut tensors = x.saved();
        change(&mut tensors);
        fs::write(path, tensors::to_bytes(&tensors, []).unwrap()).unwrap();
    }

    #[test]
    fn sizes_are_read_off_the_tensors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vit.safetensors");
        let mut config = config();
        config.blocks.norm_epsilon = 1e-6;
        config.blocks.channel_mixer = ChannelMixer::GrKan(GroupRationalOptions {
            groups: 4,
            denominator_degree: 2,
            shared_numerator: false,
            ..GroupRationalOptions::default()
        });
        let vit = config.init(&device()).unwrap();
        bare(&vit, &path, |_| {});
        let unsaid = Unsaid {
            heads: Some(4),
            size: Some([6, 9]),
            ..Unsaid::default()
        };
        let (again, loaded) = load_timm(&path, &unsaid, &device()).unwrap();
        assert_eq!(
            again.blocks.channel_mixer, config.blocks.channel_mixer,
            "{again:?}"
        );
        assert!(logits(&loaded) == logits(&vit));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vit.safetensors");
        let vit = config().init(&device()).unwrap();
        let error = |unsaid: Unsaid, change: &dyn Fn(&mut Tensors)| {
            bare(&vit, &path, change);
            let error = load_timm(&path, &unsaid, &device()).unwrap_err();
            error
                .to_string()
                .replace(&folder.path().display().to_string(), "")
        };
        let whole = Unsaid {
            heads: Some(4),
            size: Some([6, 9]),
            ..Unsaid::default()
        };
        let plain = |unsaid| error(unsaid, &|_| {});
        let heads = None;
        assert_eq!(
            plain(Unsaid { heads, ..whole }),
            "heads = not said, but it must be given: 16 channels are no heads of 64"
        );
        let size = None;
        assert_eq!(
            plain(Unsaid { size, ..whole }),
            "size = not said, but it must be given: 6 patches are no square"
        );
        assert_eq!(
            error(whole, &|all| all.retain(
                |name, _| name.ends_with("_embed") || name.starts_with("blocks.1.n")
            )),
            "/vit.safetensors: it has no block with an MLP, blocks.0.mlp.fc1.weight, but holds \
            blocks.1.norm1.bias, blocks.1.norm1.weight, blocks.1.norm2.bias, blocks.1.norm2.weight, pos_embed"
        );
        assert_eq!(
            error(whole, &|all| {
                all.get_mut("norm.bias").unwrap().values[1] = f32::NAN;
            }),
            "the tensors do not fit the model: 1 not finite\n  norm.bias holds NaN, but it must be finite"
        );
        let missing = error(whole, &|all| {
            all.remove("blocks.1.mlp.fc2.bias");
        });
        assert!(
            missing.ends_with("missing: blocks.1.mlp.fc2.bias"),
            "{missing}"
        );
        let gated = VitConfig {
            blocks: BlocksConfig {
                channel_mixer: ChannelMixer::Gated,
                ..config().blocks
            },
            ..config()
        };
        let error = timm_bytes(&gated, &vit).unwrap_err().to_string();
        assert!(error.contains("Gated"), "{error}");
    }
}
