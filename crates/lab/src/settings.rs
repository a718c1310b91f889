//! Settings as a map: where a value came from, whether its key exists, whether its type fits.

use crate::{
    error::{Error, Result},
    study::Settings,
};
use serde_json::Value;
use std::path::Path;

/// Settings by name, in the order of the struct.
pub type SettingsMap = serde_json::Map<String, Value>;

/// A study's settings as a map.
pub fn to_map<S: Settings>(settings: &S) -> SettingsMap {
    match serde_json::to_value(settings) {
        Ok(Value::Object(map)) => map,
        other => unreachable!("settings are a struct of plain values, not {other:?}"),
    }
}

/// A map as a study's settings, checked.
///
/// # Errors
/// A value of the wrong kind, or out of its range.
pub fn typed<S: Settings>(map: &SettingsMap) -> Result<S> {
    let settings: S =
        serde_path_to_error::deserialize(Value::Object(map.clone())).map_err(|error| {
            let key = error.path().to_string();
            let value = map.get(&key).cloned().unwrap_or_default();
            Error::input(format!("{key} = {value}, but: {}", error.inner()))
        })?;
    settings
        .validate()
        .map_err(|invalid| Error::input(invalid.message))?;
    Ok(settings)
}

/// What the user overrode, and where it was written.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    values: Vec<(String, Value, String)>,
}

impl Overrides {
    /// Adds a `key=value` of the command line.
    ///
    /// # Errors
    /// No `=` in it.
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let Some((key, value)) = assignment.split_once('=') else {
            return Err(Error::input(format!(
                "--set {assignment} has no \"=\"; write --set key=value"
            )));
        };
        let (key, value) = (key.trim(), value.trim());
        self.values.push((
            key.to_string(),
            parse_value(value),
            format!("--set {key}={value}"),
        ));
        Ok(())
    }

    /// Adds every key of a TOML text; `origin` names it in messages.
    ///
    /// # Errors
    /// Not TOML, or a table where a value is wanted.
    pub fn toml(&mut self, text: &str, origin: &str) -> Result<()> {
        let map = parse_toml(text, origin)?;
        let values = map
            .into_iter()
            .map(|(key, value)| (key, value, origin.to_string()));
        self.values.extend(values);
        Ok(())
    }

    /// Adds a TOML file.
    ///
    /// # Errors
    /// The file cannot be read, or see [`toml`](Self::toml).
    pub fn file(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::input(format!("cannot read {}: {error}", path.display())))?;
        self.toml(&text, &path.display().to_string())
    }

    /// The keys, in the order they were given.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(key, ..)| key.as_str())
    }

    /// Lays the overrides over a map of defaults; later ones win.
    ///
    /// # Errors
    /// An unknown key, with the nearest known one; a value of another kind than the default's.
    pub fn apply(&self, map: &mut SettingsMap) -> Result<()> {
        for (key, value, origin) in &self.values {
            let Some(current) = map.get(key) else {
                let known: Vec<String> = map.keys().cloned().collect();
                let names = known.iter().map(String::as_str);
                let list = format!("in {origin}   all settings: {}", known.join(", "));
                return Err(Error::unknown("setting", key, names, &list));
            };
            let fitted = fit(current, value).ok_or_else(|| {
                Error::input(format!(
                    "{key} = {value}, but it must be {}",
                    kind_of(current)
                ))
                .help(format!("from {origin}"))
            })?;
            map.insert(key.clone(), fitted);
        }
        Ok(())
    }

    /// Adds the origin of an override to an error that names its key.
    pub fn explain(&self, error: Error) -> Error {
        let message = error.to_string();
        let cause = self.values.iter().rev().find(|(key, ..)| {
            message.starts_with(&format!("{key} =")) || message.contains(&format!(" {key} "))
        });
        match cause {
            Some((.., origin)) if error.help_text().is_none() => {
                error.help(format!("from {origin}"))
            }
            _ => error,
        }
    }
}

/// A TOML text as a map; `origin` names it in messages.
///
/// # Errors
/// Not TOML; the help names the line.
pub fn parse_toml(text: &str, origin: &str) -> Result<SettingsMap> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = |span: std::ops::Range<usize>| {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("see line {line}")
        };
        let help = error.span().map_or(String::new(), line);
        Error::input(format!("{origin}: {}", error.message())).help(help)
    })?;
    let value = |(key, value)| {
        let value = serde_json::to_value(&value)
            .map_err(|error| Error::input(format!("{origin}: {key}: {error}")))?;
        Ok((key, value))
    };
    table.into_iter().map(value).collect()
}

/// A value as TOML writes it, else a bare word as a string.
pub fn parse_value(text: &str) -> Value {
    format!("value = {text}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .and_then(|value| serde_json::to_value(&value).ok())
        .unwrap_or_else(|| Value::String(text.to_string()))
}

/// The value in the kind of `current`, if it can be read so: whole numbers serve as decimal ones.
fn fit(current: &Value, value: &Value) -> Option<Value> {
    match (current, value) {
        (Value::Number(a), Value::Number(b)) => {
            if a.is_f64() {
                b.as_f64().map(Value::from)
            } else if b.is_i64() || b.is_u64() {
                Some(value.clone())
            } else {
                // 1e3 is a float in TOML and a count to a person.
                b.as_f64()
                    .filter(|b| b.fract() == 0.0 && b.abs() < 1e15)
                    .map(|b| Value::from(b as i64))
            }
        }
        (Value::Null, _) => Some(value.clone()),
        (Value::String(_), Value::Number(number)) => Some(Value::String(number.to_string())),
        _ if std::mem::discriminant(current) == std::mem::discriminant(value) => {
            Some(value.clone())
        }
        _ => None,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "a whole number",
        Value::Bool(_) => "true or false",
        Value::String(_) => "a word",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
        Value::Null => "a value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn defaults() -> SettingsMap {
        let value = json!({ "experts": 8, "learning_rate": 1e-3, "gate": "comet", "search": true });
        value.as_object().unwrap().clone()
    }

    fn with(assignments: &[&str]) -> Result<SettingsMap> {
        let mut overrides = Overrides::default();
        for assignment in assignments {
            overrides.set(assignment)?;
        }
        let mut map = defaults();
        overrides.apply(&mut map)?;
        Ok(map)
    }

    #[test]
    fn values_take_the_kind_of_the_default() {
        let map = with(&[
            "experts=1e2",
            "learning_rate=1",
            "gate=topk",
            "search=false",
        ])
        .unwrap();
        assert_eq!(
            Value::Object(map),
            json!({ "experts": 100, "learning_rate": 1.0, "gate": "topk", "search": false })
        );
        assert_eq!(with(&["experts=4", "experts=5"]).unwrap()["experts"], 5);
    }

    #[test]
    fn wrong_values_name_the_setting_and_the_place() {
        for (assignment, message, help) in [
            (
                "experts=1.5",
                "experts = 1.5, but it must be a whole number",
                "from --set experts=1.5",
            ),
            (
                "search=1",
                "search = 1, but it must be true or false",
                "from --set search=1",
            ),
            (
                "expert=4",
                "unknown setting \"expert\"",
                "did you mean experts?",
            ),
            ("experts", "--set experts has no \"=\"", ""),
        ] {
            let error = with(&[assignment]).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert!(
                error.help_text().unwrap_or_default().contains(help),
                "{error:?}"
            );
        }
    }

    #[test]
    fn toml_names_the_line() {
        let mut overrides = Overrides::default();
        overrides
            .toml("experts = 4\n\nlearning_rate = 0.1\n", "a.toml")
            .unwrap();
        let mut map = defaults();
        overrides.apply(&mut map).unwrap();
        assert_eq!(
            (&map["experts"], &map["learning_rate"]),
            (&json!(4), &json!(0.1))
        );
        let error = overrides
            .toml("experts = 4\nlearning_rate =\n", "b.toml")
            .unwrap_err();
        assert!(error.to_string().starts_with("b.toml: "));
        assert_eq!(error.help_text(), Some("see line 2"));
        let mut unknown = Overrides::default();
        unknown.toml("batchsize = 3", "c.toml").unwrap();
        let error = unknown.apply(&mut map).unwrap_err();
        assert!(error.help_text().unwrap().contains("in c.toml"));
    }
}
