//! Every random choice of a puzzle, by which it can be made again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// The record of a puzzle's choices: with its specification it gives the puzzle again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Value of each variable.
    pub variables: Map<String, Json>,
    /// What was drawn for each statement, in the order of its keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statements: BTreeMap<String, Vec<Drawn>>,
    /// What was drawn for each condition, in the order of the specification.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Vec<Drawn>>,
    /// The secret solution: the number of each unknown's value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret: Vec<i64>,
    /// What was drawn for each question's options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Vec<Drawn>>,
}

/// A drawn clue, statement or option: which template, and places in the lists of its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub template: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Vec<usize>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(value: &usize) -> bool {
    *value == 0
}

impl Configuration {
    /// What two puzzles of one seed puzzle share if one is the other with other names: numbers of the variables, and what
    /// was drawn, the order of the clues aside. Questions do not count.
    pub fn signature(&self) -> String {
        let numeric = |value: &Json| match value {
            Json::Number(_) | Json::Bool(_) => true,
            Json::Array(items) => items
                .iter()
                .all(|item| item.is_number() || item.is_boolean()),
            _ => false,
        };
        let variables: Map<String, Json> = self
            .variables
            .iter()
            .map(|(name, value)| match value {
                // How many names there are is a number; which ones is not.
                Json::Array(items) if !numeric(value) => (name.clone(), items.len().into()),
                value if numeric(value) => (name.clone(), value.clone()),
                _ => (name.clone(), Json::Null),
            })
            .collect();
        let conditions: Vec<Vec<Drawn>> = self
            .conditions
            .iter()
            .map(|drawn| {
                let mut drawn = drawn.clone();
                drawn.sort();
                drawn
            })
            .collect();
        serde_json::json!([variables, self.statements, conditions, self.secret]).to_string()
    }
}
