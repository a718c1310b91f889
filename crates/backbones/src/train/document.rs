//! A configuration as it was written: TOML, the arms over the file, the command line over both.

use super::settings::{flatten, put};
use super::typed::invalid;
use offprint_lab::{
    Error, Result,
    settings::{SettingsMap, parse_toml, parse_value},
};
use serde_json::{Map, Value};

/// A configuration as it was written: one map an arm, before it is typed.
pub struct Document {
    pub name: String,
    pub arms: Vec<WrittenArm>,
}

/// An arm as it was written: its name and its sections, the file's with the arm's own over them.
pub struct WrittenArm {
    pub name: String,
    pub sections: Map<String, Value>,
    /// Keys that the arm sets itself, as written.
    pub own: SettingsMap,
}

const SECTIONS: [&str; 3] = ["backbone", "data", "training"];

impl Document {
    /// Reads a TOML text and lays `--set key=value` over every arm.
    ///
    /// # Errors
    /// Not TOML; an unknown section; arms without a name, or two of one name.
    pub fn parse(text: &str, origin: &str, sets: &[String]) -> Result<Self> {
        let mut written = parse_toml(text, origin)?;
        let arms = written.remove("arm");
        let sets: Vec<(&str, Value)> = sets
            .iter()
            .map(|set| assignment(set))
            .collect::<Result<_>>()?;
        for (path, value) in &sets {
            put(&mut written, path, value.clone());
        }
        let known = ["name", "backbone", "data", "training"];
        if let Some(key) = written.keys().find(|key| !known.contains(&key.as_str())) {
            let list = "a configuration has name, backbone, data, training and [[arm]]";
            return Err(Error::unknown("section", key, known, list));
        }
        let name = match written.remove("name") {
            Some(Value::String(name)) => name,
            Some(other) => return Err(invalid("name", other, "it must be a word")),
            None => {
                let help = "a name for the run: name = \"digits\"";
                return Err(Error::input(format!("{origin} has no name")).help(help));
            }
        };
        plain_name("name", &name)?;
        let arms = match arms {
            None => vec![Map::new()],
            Some(Value::Array(arms)) if !arms.is_empty() => arms
                .into_iter()
                .map(|arm| match arm {
                    Value::Object(arm) => Ok(arm),
                    other => Err(invalid("arm", other, "it must be a table: [[arm]]")),
                })
                .collect::<Result<_>>()?,
            Some(other) => return Err(invalid("arm", other, "arms are tables: [[arm]]")),
        };
        let single = arms.len() == 1;
        let mut document = Self {
            name,
            arms: Vec::new(),
        };
        for mut own in arms {
            let name = match own.remove("name") {
                Some(Value::String(name)) => name,
                Some(other) => return Err(invalid("arm.name", other, "it must be a word")),
                None if single => kind_of(&written),
                None => return Err(Error::input("an [[arm]] has no name")),
            };
            plain_name("arm.name", &name)?;
            if document.arms.iter().any(|arm| arm.name == name) {
                return Err(Error::input(format!("two arms have the name \"{name}\"")));
            }
            if let Some(key) = own.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
                let list = format!("an arm has name, {}", SECTIONS.join(", "));
                return Err(Error::unknown("section", key, SECTIONS, &list));
            }
            let mut sections = written.clone();
            lay_over(&mut sections, own.clone());
            for (path, value) in &sets {
                put(&mut sections, path, value.clone());
            }
            sections.remove("name");
            let mut flat = SettingsMap::new();
            for (section, value) in own {
                flatten(&section, value, &mut flat);
            }
            document.arms.push(WrittenArm {
                name,
                sections,
                own: flat,
            });
        }
        Ok(document)
    }
}

/// Path and value of a `--set`.
fn assignment(text: &str) -> Result<(&str, Value)> {
    match text.split_once('=') {
        Some((path, value)) => Ok((path.trim(), parse_value(value.trim()))),
        None => Err(Error::input(format!(
            "--set {text} has no \"=\"; write --set section.key=value"
        ))),
    }
}

/// The kind of the backbone, as the name of an only arm.
fn kind_of(written: &Map<String, Value>) -> String {
    let kind = written
        .get("backbone")
        .and_then(|section| section.get("kind"));
    kind.and_then(Value::as_str).unwrap_or("model").to_string()
}

/// Tables of a section that hold settings one by one; any other table is one value, of a slot.
const TABLES: [&str; 1] = ["blocks"];

/// Lays an arm's sections over the file's, setting by setting. A backbone of another kind takes the place of the file's as
/// a whole.
fn lay_over(below: &mut Map<String, Value>, above: Map<String, Value>) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above))
                if (SECTIONS.contains(&key.as_str()) || TABLES.contains(&key.as_str()))
                    && above
                        .get("kind")
                        .is_none_or(|kind| below.get("kind") == Some(kind)) =>
            {
                lay_over(below, above);
            }
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// Refuses what is no name of a folder: names stand in paths and on command lines.
fn plain_name(key: &str, name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-+_".contains(c);
    let first = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    match first && name.len() <= 60 && name.chars().all(fits) {
        true => Ok(()),
        false => Err(Error::input(format!(
            "{key} = \"{name}\", but it must be lower-case letters, digits, -, + and _, at most 60, the first a letter or digit"
        ))),
    }
}
