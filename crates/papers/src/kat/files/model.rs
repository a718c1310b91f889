//! Vision transformers from where users have them.

use super::{pair, refuse, required};
use crate::explain::explain;
use crate::model_folder::fill;
use burn::tensor::Device;
use clap::ArgMatches;
use offprint_backbones::{
    Backbone, BackboneConfig, ChannelMixer, Vit, VitConfig,
    checkpoint::{self, CheckpointError, Pretrained, Unsaid, load_timm},
    train::{DataConfig, TrialConfig},
};
use offprint_lab::{Error, Result, store::TrialFolder};
use offprint_layers::Activation;
use std::{fs, path::Path};

/// A model, and the data that it was trained on where that is known.
pub struct Model {
    pub config: VitConfig,
    pub vit: Vit,
    pub data: Option<DataConfig>,
}

/// Reads the model of an argument: a file with timm's names, a trial of `offprint train`, or a folder of Hugging Face's.
///
/// # Errors
/// It is none of these, cannot be read, is no ViT, or is damaged.
pub fn load(matches: &ArgMatches, name: &str, device: &Device) -> Result<Model> {
    let path = required(matches, name);
    let unsaid = unsaid(matches)?;
    if !path.exists() {
        return Err(Error::input(format!(
            "cannot read {}: it is not there",
            path.display()
        )));
    }
    if path.is_file() {
        let (config, vit) = load_timm(path, &unsaid, device).map_err(of_checkpoint)?;
        return Ok(Model {
            config,
            vit,
            data: None,
        });
    }
    if let Some(spec) = TrialFolder::new(path).spec().map_err(as_input)? {
        let trial = TrialConfig::from_flat(&spec.settings).map_err(|error| {
            Error::input(format!(
                "{} is no trial of offprint train: {error}",
                path.display()
            ))
        })?;
        return of_trial(path, trial, device);
    }
    if path.join("config.json").is_file() {
        return match checkpoint::load(path, device).map_err(of_checkpoint)? {
            Pretrained::Vit(config, vit) => Ok(Model {
                config,
                vit,
                data: None,
            }),
            Pretrained::Gpt(..) => Err(Error::input(format!(
                "{} holds a language model, but a vision transformer is needed",
                path.display()
            ))),
        };
    }
    let message = format!("{} has neither trial.json nor config.json", path.display());
    Err(Error::input(message).help("a model is a file with timm's names, a trial of offprint train, or a folder of Hugging Face's"))
}

/// What `offprint train` left.
fn of_trial(folder: &Path, trial: TrialConfig, device: &Device) -> Result<Model> {
    let BackboneConfig::Vit(config) = trial.backbone else {
        return Err(Error::input(format!(
            "{} holds backbone.kind = {}, but it must be vit",
            folder.display(),
            trial.backbone.kind().name()
        )));
    };
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).map_err(|error| {
        Error::input(format!("cannot read {}: {error}", path.display()))
            .help("a trial has it when it has finished")
    })?;
    let mut backbone = trial.backbone.init(device).map_err(explain)?;
    fill(&mut backbone, &path, bytes)?;
    let Backbone::Vit(vit) = backbone else {
        unreachable!("its configuration is a vit's")
    };
    Ok(Model {
        config,
        vit,
        data: Some(trial.data),
    })
}

/// Refuses a model whose channel mixers are not those that are needed.
///
/// # Errors
/// They are others; the message names them.
pub fn with_mixer(model: &Model, path: &Path, needed: &'static str) -> Result<()> {
    let name = match model.config.blocks.channel_mixer {
        ChannelMixer::Mlp => "mlp",
        ChannelMixer::Gated => "gated",
        ChannelMixer::Experts(_) => "experts",
        ChannelMixer::GrKan(_) => "gr-kan",
        ChannelMixer::BSplineKan(_) => "b-spline-kan",
    };
    match name == needed {
        true => Ok(()),
        false => Err(Error::input(format!(
            "{} has channel_mixer = {name}, but it must be {needed}",
            path.display()
        ))),
    }
}

fn unsaid(matches: &ArgMatches) -> Result<Unsaid> {
    let heads = matches.get_one::<u64>("heads").map(|heads| *heads as usize);
    if heads == Some(0) {
        return Err(refuse("heads", 0, "at least 1"));
    }
    let size = match matches.get_one::<String>("size") {
        None => None,
        Some(text) => match pair::<usize>(text) {
            Some(size) if size.iter().all(|side| (1..=65_536).contains(side)) => Some(size),
            _ => {
                return Err(refuse(
                    "size",
                    text,
                    "two whole numbers HEIGHT,WIDTH of 1 to 65536",
                ));
            }
        },
    };
    let name: &String = matches.get_one("activation").expect("it has a default");
    let known = [
        "gelu",
        "gelu_tanh",
        "relu",
        "silu",
        "tanh",
        "sigmoid",
        "identity",
    ];
    let list = format!("activations: {}", known.join(", "));
    let unknown = || Error::unknown("activation", name, known, &list);
    let value = serde_json::Value::String(name.clone());
    let activation: Activation = serde_json::from_value(value).map_err(|_| unknown())?;
    Ok(Unsaid {
        heads,
        size,
        activation,
    })
}

/// A checkpoint's error as the lab's, with the option that helps.
pub fn of_checkpoint(error: CheckpointError) -> Error {
    let help = match &error {
        CheckpointError::Setting { name, .. } if name == "heads" => Some("--heads N"),
        CheckpointError::Setting { name, .. } if name == "size" => Some("--size HEIGHT,WIDTH"),
        _ => None,
    };
    let cause = match &error {
        CheckpointError::Io { source, .. } => format!(": {source}"),
        _ => String::new(),
    };
    let error = Error::input(format!("{error}{cause}"));
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// An error about what the user named is the user's.
fn as_input(error: Error) -> Error {
    Error::input(error.to_string())
}
