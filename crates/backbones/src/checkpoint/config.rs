//! Hugging Face's `config.json`.

use super::error::{CheckpointError, Result};
use offprint_layers::Activation;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The settings of a `config.json`.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings(pub Map<String, Value>);

impl Settings {
    /// A setting; `None` if it is absent or `null`.
    pub fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.0.get(name).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let read = serde_json::from_value(value.clone());
        read.map(Some).map_err(|_| {
            let allowed = match std::any::type_name::<T>() {
                "usize" => "a whole number of at least 0",
                "f32" | "f64" => "a number",
                "bool" => "true or false",
                _ => "of another kind",
            };
            CheckpointError::setting(name, value, allowed)
        })
    }

    pub fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let missing = || CheckpointError::NoSetting(name.to_string());
        self.optional(name)?.ok_or_else(missing)
    }

    pub fn or<T: DeserializeOwned>(&self, name: &str, default: T) -> Result<T> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// An activation by Hugging Face's name.
    pub fn activation(&self, name: &str, default: &str) -> Result<Activation> {
        let text: String = self.or(name, default.to_string())?;
        let known = ACTIVATIONS.iter().find(|(known, _)| *known == text);
        known.map(|(_, activation)| *activation).ok_or_else(|| {
            let names: Vec<&str> = ACTIVATIONS.iter().map(|(name, _)| *name).collect();
            CheckpointError::setting(name, text, format!("one of {}", names.join(", ")))
        })
    }

    /// Refuses a setting that changes what the model computes in a way that is not known here.
    pub fn refuse_other(&self, name: &str, usual: Value) -> Result<()> {
        match self.0.get(name) {
            Some(value) if *value != usual && !value.is_null() => {
                Err(CheckpointError::setting(name, value, usual.to_string()))
            }
            _ => Ok(()),
        }
    }
}

/// Hugging Face's names of activations; of several for one function the first is written.
const ACTIVATIONS: &[(&str, Activation)] = &[
    ("gelu_new", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("gelu", Activation::Gelu),
    ("relu", Activation::Relu),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("sigmoid", Activation::Sigmoid),
    ("tanh", Activation::Tanh),
    ("linear", Activation::Identity),
];

/// Hugging Face's name of an activation.
pub(super) fn activation_name(activation: Activation) -> Result<&'static str> {
    let known = ACTIVATIONS.iter().find(|(_, known)| *known == activation);
    known.map(|(name, _)| *name).ok_or_else(|| {
        let allowed = "one that Hugging Face's models have";
        CheckpointError::setting("activation", format!("{activation:?}"), allowed)
    })
}
