//! A trained model as a folder: `model.safetensors` and `config.json`.

use crate::comet::study::model::{Model, ModelConfig};
use crate::model_folder::{self, damaged, fill};
use burn::{
    store::SafetensorsStore,
    tensor::{Device, Tensor, TensorData},
};
use offprint_data::table::{Features, Standardizer, Table, TableOptions, TargetCoder};
use offprint_lab::Result;
use serde::{Deserialize, Serialize};
use std::path::Path;

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
            .map_err(crate::explain::explain_data)?;
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
    let store = SafetensorsStore::from_bytes(None);
    model_folder::save(folder, model, store, config, overwrite)
}

/// Reads a folder.
///
/// # Errors
/// A file is missing or damaged, or the two do not fit together.
pub fn load(folder: &Path) -> Result<(Model, Config)> {
    let read = |name| model_folder::read(folder, name, "comet");
    let (path, bytes) = read("config.json")?;
    let config: Config = serde_json::from_slice(&bytes).map_err(|e| damaged(&path, e))?;
    config.features.validate().map_err(|e| damaged(&path, e))?;
    for target in &config.targets {
        target.validate().map_err(|e| damaged(&path, e))?;
    }
    config.model.check().map_err(|e| damaged(&path, e))?;
    if config.model.heads.len() != config.targets.len() {
        return Err(damaged(&path, "it has not a head a target"));
    }
    let mut model = config
        .model
        .init(&Device::default())
        .map_err(|e| damaged(&path, e))?;
    let (path, bytes) = read("model.safetensors")?;
    fill(&mut model, &path, bytes)?;
    Ok((model, config))
}
