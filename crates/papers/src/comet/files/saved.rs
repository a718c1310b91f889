//! A trained model as a folder: `model.safetensors` and `config.json`.

use crate::comet::study::model::{Model, ModelConfig};
use burn::{
    store::{ModuleSnapshot as _, SafetensorsStore},
    tensor::{Device, Tensor, TensorData},
};
use offprint_data::table::{Features, Standardizer, Table, TableOptions, TargetCoder};
use offprint_lab::{Error, Result, store::write_atomic};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// Everything beside the parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub model: ModelConfig,
    pub features: Standardizer,
    pub targets: Vec<TargetCoder>,
}

impl Config {
    /// Options to read a table for this model: the kinds of its columns, whatever the new rows look like.
    pub fn table_options(&self, missing: Vec<String>) -> TableOptions {
        TableOptions {
            missing,
            kinds: self.features.kinds(),
            ..TableOptions::default()
        }
    }

    /// The features of a table's rows.
    ///
    /// # Errors
    /// A column is missing, or holds a category that training had not.
    pub fn features(&self, table: &Table, device: &Device) -> Result<Tensor<2>> {
        let features = self
            .features
            .transform(table)
            .map_err(super::super::study::explain_data)?;
        Ok(matrix(&features, device))
    }
}

/// Features on a device.
pub fn matrix(features: &Features, device: &Device) -> Tensor<2> {
    let data = TensorData::new(features.values.clone(), [features.rows, features.width]);
    Tensor::from_data(data, device)
}

/// Writes a folder, complete or not at all.
///
/// # Errors
/// It is there already and not to be replaced, or cannot be written.
pub fn save(folder: &Path, model: &Model, config: &Config, overwrite: bool) -> Result<()> {
    if folder.exists() && !overwrite {
        return Err(taken(folder));
    }
    let mut store = SafetensorsStore::from_bytes(None);
    let weights = model
        .save_into(&mut store)
        .and_then(|()| store.get_bytes())
        .map_err(|error| Error::run(format!("model.safetensors: {error}")))?;
    let json = serde_json::to_vec_pretty(config)
        .map_err(|error| Error::run(format!("config.json: {error}")))?;
    let new = folder.with_added_extension("tmp");
    fs::create_dir_all(&new).map_err(|e| Error::io("make the folder", &new, e))?;
    write_atomic(&new.join("model.safetensors"), &weights)?;
    write_atomic(&new.join("config.json"), &json)?;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|e| Error::io("replace", folder, e))?;
    }
    fs::rename(&new, folder).map_err(|e| Error::io("write", folder, e))
}

/// The error of a folder that is there already.
pub fn taken(folder: &Path) -> Error {
    Error::input(format!("{} is there already", folder.display()))
        .help("choose another --out, or replace it with --overwrite")
}

/// Reads a folder.
///
/// # Errors
/// A file is missing or damaged, or the two do not fit together.
pub fn load(folder: &Path) -> Result<(Model, Config)> {
    let read = |name: &str| {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|error| {
            Error::input(format!("cannot read {}: {error}", path.display()))
                .help("a model is a folder that offprint use comet train wrote")
        });
        Ok::<_, Error>((path, bytes?))
    };
    let (path, bytes) = read("config.json")?;
    let bad = |path: &Path, error: &dyn std::fmt::Display| {
        Error::input(format!("{} is damaged: {error}", path.display()))
    };
    let config: Config = serde_json::from_slice(&bytes).map_err(|e| bad(&path, &e))?;
    config.features.validate().map_err(|e| bad(&path, &e))?;
    for target in &config.targets {
        target.validate().map_err(|e| bad(&path, &e))?;
    }
    config.model.check().map_err(|e| bad(&path, &e))?;
    if config.model.heads.len() != config.targets.len() {
        return Err(bad(&path, &"it has not a head a target"));
    }
    let mut model = config
        .model
        .init(&Device::default())
        .map_err(|e| bad(&path, &e))?;
    let (path, bytes) = read("model.safetensors")?;
    let mut store = SafetensorsStore::from_bytes(Some(bytes));
    let applied = model.load_from(&mut store).map_err(|e| bad(&path, &e))?;
    if !applied.unused.is_empty() {
        return Err(bad(
            &path,
            &format!("unknown tensors {}", applied.unused.join(", ")),
        ));
    }
    Ok((model, config))
}
