//! Sections of a configuration as typed values, and what is said of one that does not fit.

use crate::config::{BackboneConfig, Kind};
use offprint_lab::{Error, Result, nearest::nearest_name};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fmt::Display;

/// A backbone's section as its typed configuration.
///
/// # Errors
/// Names the key, its value and what is allowed.
pub fn backbone(section: Value) -> Result<BackboneConfig> {
    let Value::Object(mut map) = section else {
        return Err(invalid(
            "backbone",
            section,
            "it must be a table: [backbone]",
        ));
    };
    let kind = kind(&map)?;
    map.remove("kind");
    let value = Value::Object(map);
    let config = BackboneConfig::from_value(kind, value.clone())
        .map_err(|error| refused("backbone", &value, &error))?;
    config
        .validate()
        .map_err(|error| Error::input(format!("backbone: {error}")))?;
    Ok(config)
}

/// The kind that a backbone's section names.
///
/// # Errors
/// None, or an unknown one.
pub fn kind(map: &Map<String, Value>) -> Result<Kind> {
    let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let list = format!("kinds: {}", names.join(", "));
    match map.get("kind") {
        None => Err(Error::input("[backbone] has no kind").help(list)),
        Some(Value::String(name)) => match Kind::ALL.iter().find(|kind| kind.name() == name) {
            Some(kind) => Ok(*kind),
            None => Err(Error::unknown(
                "backbone",
                name,
                names.iter().copied(),
                &list,
            )),
        },
        Some(other) => Err(invalid("backbone.kind", other, "it must be a word").help(list)),
    }
}

/// A section as a typed value.
///
/// # Errors
/// An unknown key, with the nearest known one; a value of another kind than the key's.
pub fn typed<T: DeserializeOwned>(section: &str, value: Value) -> Result<T> {
    let value = match value {
        Value::Null => Value::Object(Map::new()),
        value => value,
    };
    serde_path_to_error::deserialize(value.clone())
        .map_err(|error| refused(section, &value, &error))
}

/// What serde says, in the words of a configuration. Serde writes names between backquotes, the one at fault first.
fn refused(
    section: &str,
    value: &Value,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> Error {
    let (path, words) = (error.path().to_string(), error.inner().to_string());
    let key = match path.as_str() {
        "." => section.to_string(),
        path => format!("{section}.{path}"),
    };
    let mut names = words.split('`').skip(1).step_by(2);
    let first = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    if words.starts_with("unknown field") {
        let place = key.strip_suffix(&format!(".{first}")).unwrap_or(&key);
        let list = format!("{place} has {}", known.join(", "));
        return Error::unknown("setting", first, known, &list);
    }
    if words.starts_with("unknown variant") {
        let message = format!(
            "{key} = \"{first}\", but it must be one of {}",
            known.join(", ")
        );
        let error = Error::input(message);
        return match nearest_name(first, known) {
            Some(nearest) => error.help(format!("did you mean {nearest}?")),
            None => error,
        };
    }
    if words.starts_with("missing field") {
        return Error::input(format!("{key} has no {first}"));
    }
    let found = path.split('.').try_fold(value, |value, key| value.get(key));
    let found = found.map_or("what it is".to_string(), Value::to_string);
    let wanted = words
        .rsplit_once("expected ")
        .map_or(words.as_str(), |(_, wanted)| wanted);
    let wanted = match wanted {
        "usize" | "u64" | "u32" => "a whole number, 0 or more",
        "f64" | "f32" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a string" | "path string" => "a text",
        other => other,
    };
    Error::input(format!("{key} = {found}, but it must be {wanted}"))
}

/// `key = value, but …`.
pub fn invalid(key: &str, value: impl Display, allowed: &str) -> Error {
    Error::input(format!("{key} = {value}, but {allowed}"))
}
