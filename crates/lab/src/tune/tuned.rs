//! The file of chosen settings.

use super::{known_name, plain};
use crate::{
    error::{Error, Result},
    settings::SettingsMap,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Settings that a tuning chose, as committed beside its report.
///
/// As TOML: `revision` and `trials`, then a table an arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// Git revision of the program that tuned.
    pub revision: String,
    /// Tuning trials an arm had.
    pub trials: u64,
    /// The chosen values of each arm.
    pub arms: BTreeMap<String, SettingsMap>,
}

impl Tuned {
    /// Reads what [`to_toml`](Self::to_toml) wrote.
    ///
    /// # Errors
    /// Not TOML; `revision` or `trials` missing or of the wrong kind; an arm or a setting that the study does not have,
    /// with the nearest known name; a value that is not a finite number, a word, true or false.
    pub fn parse(text: &str, arms: &[&str], settings: &SettingsMap) -> Result<Self> {
        let wrong = |message: String| Error::input(format!("tuned settings: {message}"));
        let mut table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| wrong(error.to_string().trim_end().to_string()))?;
        let revision = match table.remove("revision") {
            Some(toml::Value::String(revision)) => revision,
            Some(other) => return Err(wrong(format!("revision = {other}, but it must be a word"))),
            None => return Err(wrong("revision is missing".into())),
        };
        let trials = match table.remove("trials") {
            Some(toml::Value::Integer(trials @ 1..)) => trials as u64,
            Some(other) => {
                return Err(wrong(format!(
                    "trials = {other}, but it must be a whole number, at least 1"
                )));
            }
            None => return Err(wrong("trials is missing".into())),
        };
        let known: Vec<&str> = settings.keys().map(String::as_str).collect();
        let mut chosen = BTreeMap::new();
        for (arm, values) in table {
            known_name("arm", &arm, arms)?;
            let toml::Value::Table(values) = values else {
                return Err(wrong(format!("{arm} = {values}, but an arm is a table")));
            };
            let mut map = SettingsMap::new();
            for (key, value) in values {
                known_name("setting", &key, &known)?;
                let read = match &value {
                    toml::Value::Datetime(_) => Value::Null,
                    other => serde_json::to_value(other).unwrap_or_default(),
                };
                if !plain(&read) {
                    let allowed = "a finite number, a word, true or false";
                    return Err(wrong(format!(
                        "{arm}: {key} = {value}, but it must be {allowed}"
                    )));
                }
                map.insert(key, read);
            }
            chosen.insert(arm, map);
        }
        Ok(Self {
            revision,
            trials,
            arms: chosen,
        })
    }

    /// Writes it as TOML.
    ///
    /// # Errors
    /// A value that TOML does not have.
    pub fn to_toml(&self) -> Result<String> {
        let wrong = |error| Error::run(format!("tuned settings: {error}"));
        let mut table = toml::Table::new();
        table.insert("revision".into(), self.revision.clone().into());
        table.insert(
            "trials".into(),
            toml::Value::try_from(self.trials).map_err(wrong)?,
        );
        for (arm, values) in &self.arms {
            let values = toml::Value::try_from(values)
                .map_err(|error| Error::run(format!("tuned settings: {arm}: {error}")))?;
            table.insert(arm.clone(), values);
        }
        toml::to_string(&table).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings() -> SettingsMap {
        let defaults =
            json!({ "learning_rate": 1e-3, "gamma": 1.0, "experts": 8, "schedule": "cosine" });
        defaults.as_object().unwrap().clone()
    }

    const ARMS: [&str; 3] = ["comet", "comet+", "topk"];

    #[test]
    fn tuned_settings_survive_the_file() {
        let values = |gamma: f64| {
            let map = json!({ "learning_rate": 3.25e-4, "gamma": gamma, "experts": 8, "schedule": "constant" });
            map.as_object().unwrap().clone()
        };
        // A whole number stays a decimal one, and every digit survives.
        let arms = ARMS.map(|arm| {
            (
                arm.to_string(),
                values(if arm == "topk" { 2.0 } else { 1.0 / 3.0 }),
            )
        });
        let tuned = Tuned {
            revision: "cf27276".into(),
            trials: 8,
            arms: arms.into_iter().collect(),
        };
        let text = tuned.to_toml().unwrap();
        assert!(
            text.contains("revision = \"cf27276\"\ntrials = 8\n"),
            "{text}"
        );
        assert!(text.contains("\n[\"comet+\"]\nlearning_rate = "), "{text}");
        assert_eq!(Tuned::parse(&text, &ARMS, &settings()).unwrap(), tuned);
    }

    #[test]
    fn tuned_settings_that_do_not_fit() {
        let error = |text: &str| Tuned::parse(text, &ARMS, &settings()).unwrap_err();
        let with = |rest: &str| error(&format!("revision = \"a\"\ntrials = 8\n{rest}")).to_string();
        assert!(error("revision = ").to_string().contains("line 1, column"));
        assert_eq!(
            error("trials = 8").to_string(),
            "tuned settings: revision is missing"
        );
        assert_eq!(
            error("revision = \"a\"").to_string(),
            "tuned settings: trials is missing"
        );
        assert_eq!(
            error("revision = 1").to_string(),
            "tuned settings: revision = 1, but it must be a word"
        );
        let zero = error("revision = \"a\"\ntrials = 0").to_string();
        assert_eq!(
            zero,
            "tuned settings: trials = 0, but it must be a whole number, at least 1"
        );
        assert_eq!(with("[tpok]"), "unknown arm \"tpok\"");
        assert_eq!(
            with("topk = 1"),
            "tuned settings: topk = 1, but an arm is a table"
        );
        assert_eq!(with("[topk]\ngama = 1.0"), "unknown setting \"gama\"");
        let allowed = "but it must be a finite number, a word, true or false";
        for value in ["nan", "[1.0]", "2026-01-01"] {
            let message = with(&format!("[topk]\ngamma = {value}"));
            assert_eq!(
                message,
                format!("tuned settings: topk: gamma = {value}, {allowed}")
            );
        }
    }
}
