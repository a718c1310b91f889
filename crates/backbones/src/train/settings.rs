//! Settings of a trial: typed, and as the flat map that it is stored with.

use super::source::DataConfig;
use super::training::TrainingConfig;
use super::typed::{backbone, typed};
use crate::config::BackboneConfig;
use offprint_lab::{
    Result,
    settings::SettingsMap,
    study::{Invalid, Settings},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Everything that the numbers of a trial depend on, besides its seed.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialConfig {
    /// Section `[backbone]` with the sizes that the data decides.
    pub backbone: BackboneConfig,
    /// Section `[data]`.
    pub data: DataConfig,
    /// Section `[training]` without the number of seeds.
    pub training: TrainingConfig,
}

impl TrialConfig {
    /// From the map that a trial is stored with.
    ///
    /// # Errors
    /// Names the key, its value and what is allowed.
    pub fn from_flat(map: &SettingsMap) -> Result<Self> {
        let mut sections = nested(map);
        let mut section = |name: &str| sections.remove(name).unwrap_or_default();
        let config = Self {
            backbone: backbone(section("backbone"))?,
            data: typed("data", section("data"))?,
            training: typed("training", section("training"))?,
        };
        config.data.validate()?;
        config.training.validate()?;
        Ok(config)
    }

    /// The map that a trial is stored with: every setting by its path, `training.batch`.
    pub fn to_flat(&self) -> SettingsMap {
        let mut flat = SettingsMap::new();
        for (name, value) in [
            ("backbone", serde_json::to_string(&self.backbone)),
            ("data", serde_json::to_string(&self.data)),
            ("training", serde_json::to_string(&self.training)),
        ] {
            // By way of text, which writes a short float as short as it is.
            let value = value.and_then(|text| serde_json::from_str(&text));
            flatten(name, value.expect("settings are plain values"), &mut flat);
        }
        flat
    }
}

/// Settings of a trial as they are stored; typed by [`TrialConfig::from_flat`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlatSettings(pub SettingsMap);

impl Settings for FlatSettings {
    fn validate(&self) -> std::result::Result<(), Invalid> {
        TrialConfig::from_flat(&self.0)
            .map(drop)
            .map_err(|error| Invalid {
                key: "settings",
                message: error.to_string(),
            })
    }
}

/// Every value by its path.
pub fn flatten(path: &str, value: Value, flat: &mut SettingsMap) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                flatten(&format!("{path}.{key}"), value, flat);
            }
        }
        Value::Null => {}
        value => {
            flat.insert(path.to_string(), value);
        }
    }
}

/// The sections of a flat map.
fn nested(flat: &SettingsMap) -> Map<String, Value> {
    let mut sections = Map::new();
    for (path, value) in flat {
        put(&mut sections, path, value.clone());
    }
    sections
}

/// Puts a value at a dotted path, making the maps on the way.
pub fn put(map: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            map.insert(path.to_string(), value);
        }
        Some((first, rest)) => {
            let inner = map
                .entry(first)
                .or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
