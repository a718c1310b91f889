//! A trained model as a folder: `model.safetensors` and `config.json`.

use crate::explain::explain;
use crate::gla::study::deviation;
use crate::model_folder::{self, damaged, fill};
use burn::{module::Module, store::SafetensorsStore, tensor::Device};
use offprint_backbones::{Biases, BlocksConfig, ChannelMixer, Gpt, GptConfig, Positions};
use offprint_lab::{Error, Result};
use offprint_layers::{Activation, AnyTokenMixer, NormKind, TokenMixer};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Bytes are the tokens.
pub const BYTES: usize = 256;

/// Positions that a model may see: its state does not grow, so more than any text has.
const ENDLESS: usize = 1 << 40;

/// Most blocks, and the greatest width, of a model.
pub const MOST: [(&str, u64); 2] = [("layers", 64), ("width", 2048)];

/// What a model is built from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    /// `τ`.
    pub normalizer: f32,
}

/// A model, and a number that tells it from others.
pub struct Saved {
    pub gpt: Gpt,
    pub fingerprint: String,
}

impl Config {
    /// The model's configuration.
    pub fn gpt(&self) -> GptConfig {
        GptConfig {
            vocabulary: BYTES,
            context: ENDLESS,
            positions: Positions::None,
            tied: true,
            blocks: BlocksConfig {
                hidden: Some((self.width * 8).div_ceil(3).next_multiple_of(8)),
                token_mixer: TokenMixer::Gla,
                channel_mixer: ChannelMixer::Gated,
                activation: Activation::Silu,
                norm: NormKind::Rms,
                bias: Biases::all(false),
                deviation: deviation(self.width),
                ..BlocksConfig::new(self.layers, self.width, self.heads)
            },
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// Names the value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        for ((name, most), value) in MOST.into_iter().zip([self.layers, self.width]) {
            if value == 0 || value as u64 > most {
                let message = format!("{name} = {value}, but it must be 1 to {most}");
                return Err(Error::input(message));
            }
        }
        if !(self.normalizer > 0.0 && self.normalizer.is_finite()) {
            let message = format!("normalizer = {}, but it must be above 0", self.normalizer);
            return Err(Error::input(message));
        }
        self.gpt().validate().map_err(explain)
    }

    /// A model with initial parameters.
    ///
    /// # Errors
    /// As [`Config::validate`].
    pub fn init(&self, device: &Device) -> Result<Gpt> {
        self.validate()?;
        let gpt = self.gpt().init(device);
        let mut gpt = gpt.map_err(explain)?;
        for block in &mut gpt.blocks.blocks {
            if let AnyTokenMixer::Gla(mixer) = &mut block.token_mixer {
                mixer.gate_logit_normalizer = self.normalizer;
            }
        }
        Ok(gpt)
    }
}

/// Writes a folder, complete or not at all.
///
/// # Errors
/// It is there already and not to be replaced, or cannot be written.
pub fn save(folder: &Path, gpt: &Gpt, config: &Config, overwrite: bool) -> Result<()> {
    // No metadata: its order would differ from one writing to the next, and so would the fingerprint.
    let store = SafetensorsStore::from_bytes(None).clear_metadata();
    model_folder::save(folder, gpt, store, config, overwrite)
}

/// Reads a folder.
///
/// # Errors
/// A file is missing or damaged, or the two do not fit together.
pub fn load(folder: &Path) -> Result<Saved> {
    let read = |name| model_folder::read(folder, name, "gla");
    let (path, bytes) = read("config.json")?;
    let config: Config = serde_json::from_slice(&bytes).map_err(|e| damaged(&path, e))?;
    config.validate().map_err(|e| damaged(&path, e))?;
    let (weights, bytes) = read("model.safetensors")?;
    // Before memory is asked for: a file may name any size.
    if config.layers * config.width * config.width > bytes.len() {
        let message = format!(
            "a model of {} layers and width {} does not fit into {} bytes",
            config.layers,
            config.width,
            bytes.len()
        );
        return Err(damaged(&path, message));
    }
    let mut gpt = config
        .init(&Device::default())
        .map_err(|e| damaged(&path, e))?;
    let fingerprint = fingerprint(&bytes);
    fill(&mut gpt, &weights, bytes)?;
    if !finite(&gpt) {
        return Err(damaged(&weights, "it holds a number that is not finite"));
    }
    Ok(Saved { gpt, fingerprint })
}

/// Whether every parameter is finite.
fn finite(gpt: &Gpt) -> bool {
    struct Finite(bool);
    impl burn::module::ModuleVisitor for Finite {
        fn visit_float<const D: usize>(
            &mut self,
            parameter: &burn::module::Param<burn::tensor::Tensor<D>>,
        ) {
            let values = parameter.val().into_data();
            self.0 &= values.iter::<f32>().all(f32::is_finite);
        }
    }
    let mut visitor = Finite(true);
    gpt.visit(&mut visitor);
    visitor.0
}

/// FNV-1a of 64 bits: enough to tell the weights of two models apart.
fn fingerprint(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
