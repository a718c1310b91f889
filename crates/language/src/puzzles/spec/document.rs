//! A specification as it stands in its YAML file.

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_saphyr::Spanned;
use std::{fmt, marker::PhantomData};

/// A scalar with its place.
pub(super) type Text = Spanned<String>;

/// Entries in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Ordered<T>(pub Vec<(Text, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with what they stand for")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<Text>()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// One text, or one for each wording.
#[derive(Clone, Debug)]
pub(super) enum Wording {
    One(String),
    Many(Vec<(Text, Text)>),
}

impl<'de> Deserialize<'de> for Wording {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Wording;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or texts by the names of wordings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Wording, E> {
                Ok(Wording::One(text.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Wording, A::Error> {
                let map = de::value::MapAccessDeserializer::new(map);
                Ordered::deserialize(map).map(|entries| Wording::Many(entries.0))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What is drawn for a part: a list, or a list and how to draw from it.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Item(String),
    Items(PartItems),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartItems {
    pub from: Text,
    pub amount: Option<Text>,
    #[serde(default)]
    pub ordered: bool,
    #[serde(default)]
    pub repeat: bool,
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Part;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list, or from, amount, ordered, repeat")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Part, E> {
                Ok(Part::Item(text.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Part, A::Error> {
                let map = de::value::MapAccessDeserializer::new(map);
                PartItems::deserialize(map).map(Part::Items)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub name: Text,
    pub kind: Text,
    pub about: Option<String>,
    #[serde(default)]
    pub define: Ordered<Text>,
    #[serde(default)]
    pub variables: Ordered<Variable>,
    pub symbols: Ordered<Symbol>,
    #[serde(default)]
    pub statements: Ordered<Statement>,
    #[serde(default)]
    pub conditions: Vec<Condition>,
    #[serde(default)]
    pub secret: bool,
    #[serde(default)]
    pub clues: Vec<Condition>,
    pub optimize: Option<Optimize>,
    pub max_solutions: Option<usize>,
    pub text: Spanned<Wording>,
    pub questions: Vec<Question>,
    pub original: Option<Original>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variable {
    pub from: Option<Text>,
    pub amount: Option<Text>,
    #[serde(default)]
    pub ordered: bool,
    #[serde(default)]
    pub repeat: bool,
    #[serde(rename = "where")]
    pub filter: Option<Text>,
    pub formula: Option<Text>,
    #[serde(default)]
    pub difficulty: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Symbol {
    #[serde(default, rename = "for")]
    pub keys: Vec<Text>,
    pub from: Option<Text>,
    #[serde(default)]
    pub bool: bool,
}

/// What is drawn, what then holds, and how it is said.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Template {
    #[serde(default)]
    pub draw: Ordered<Spanned<Part>>,
    #[serde(rename = "where")]
    pub filter: Option<Text>,
    pub holds: Text,
    pub text: Option<Spanned<Wording>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    #[serde(rename = "for")]
    pub keys: Ordered<Text>,
    pub either: Vec<Template>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    pub name: Option<Text>,
    #[serde(default)]
    pub each: Ordered<Text>,
    pub repeat: Option<Text>,
    #[serde(default)]
    pub until_unique: bool,
    #[serde(default)]
    pub alike: bool,
    pub together: Option<Text>,
    pub either: Option<Vec<Template>>,
    #[serde(default)]
    pub draw: Ordered<Spanned<Part>>,
    #[serde(rename = "where")]
    pub filter: Option<Text>,
    pub holds: Option<Text>,
    pub text: Option<Spanned<Wording>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Optimize {
    pub minimize: Option<Text>,
    pub maximize: Option<Text>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    pub ask: Spanned<Wording>,
    pub answer: Option<Text>,
    #[serde(default)]
    pub unordered: bool,
    pub options: Option<Text>,
    pub when: Option<Text>,
    #[serde(default)]
    pub wrong: bool,
    pub either: Option<Vec<Template>>,
    #[serde(default)]
    pub draw: Ordered<Spanned<Part>>,
    #[serde(rename = "where")]
    pub filter: Option<Text>,
    pub holds: Option<Text>,
    pub text: Option<Spanned<Wording>>,
}

/// A configuration solved by hand; values where the generator records places.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Original {
    #[serde(default)]
    pub variables: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub statements: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub conditions: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub secret: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub options: Vec<serde_json::Value>,
    pub answers: Vec<String>,
}
