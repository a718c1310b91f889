//! What a formula evaluates to.

use crate::puzzles::term::Term;
use std::{collections::HashMap, fmt, hash, sync::Arc};

/// A value: known, or a term over unknowns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    Int(i64),
    Bool(bool),
    Text(Arc<str>),
    List(Arc<[Value]>),
    /// Values by their keys.
    Table(Arc<Table>),
    /// What only a solution tells.
    Unsolved(Unsolved),
}

/// A term over unknowns, as a formula sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unsolved {
    pub(crate) term: Term,
    pub(crate) kind: UnsolvedKind,
}

/// How the number of a term is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum UnsolvedKind {
    Int,
    Bool,
    /// The place of one of these values.
    Choice(Arc<[Value]>),
}

impl Unsolved {
    pub(crate) fn new(term: Term, kind: UnsolvedKind) -> Self {
        Self { term, kind }
    }

    /// The number that stands for a value.
    pub(crate) fn number(&self, value: &Value) -> Option<Term> {
        match (&self.kind, value) {
            (UnsolvedKind::Int, Value::Int(number)) => Some(Term::Int(*number)),
            (UnsolvedKind::Bool, Value::Bool(truth)) => Some(Term::Bool(*truth)),
            (UnsolvedKind::Choice(values), value) => {
                let place = values.iter().position(|known| known == value)?;
                Some(Term::Int(place as i64))
            }
            _ => None,
        }
    }

    /// The value that a number stands for.
    pub(crate) fn known(&self, number: i64) -> Value {
        match &self.kind {
            UnsolvedKind::Int => Value::Int(number),
            UnsolvedKind::Bool => Value::Bool(number != 0),
            UnsolvedKind::Choice(values) => values[number as usize].clone(),
        }
    }
}

/// Values by their keys.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) keys: Vec<Vec<Value>>,
    pub(crate) values: Vec<Value>,
    places: HashMap<Vec<Value>, usize>,
}

impl Table {
    /// A table; of equal keys the first counts.
    pub(crate) fn new(keys: Vec<Vec<Value>>, values: Vec<Value>) -> Self {
        let mut places = HashMap::new();
        for (place, key) in keys.iter().enumerate() {
            places.entry(key.clone()).or_insert(place);
        }
        Self {
            keys,
            values,
            places,
        }
    }

    pub(crate) fn get(&self, key: &[Value]) -> Option<&Value> {
        self.places.get(key).map(|&place| &self.values[place])
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && self.values == other.values
    }
}

impl Eq for Table {}

impl hash::Hash for Table {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.values.hash(state);
    }
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Value::Text(text.into())
    }

    /// A list.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Value::List(items.into_iter().collect())
    }

    /// Whether nothing in it is unsolved.
    pub(crate) fn is_known(&self) -> bool {
        match self {
            Value::Unsolved(_) => false,
            Value::List(items) => items.iter().all(Value::is_known),
            Value::Table(table) => table.values.iter().all(Value::is_known),
            _ => true,
        }
    }

    /// What it is called in a message.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Int(_) => "a number",
            Value::Bool(_) => "a truth value",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Unsolved(unsolved) => match unsolved.kind {
                UnsolvedKind::Int => "an unknown number",
                UnsolvedKind::Bool => "an unknown truth value",
                UnsolvedKind::Choice(_) => "an unknown choice",
            },
        }
    }

    /// As it stands in a text: `yes` and `no` for truth values, lists with commas; `None` if it is not known.
    pub(crate) fn show(&self) -> Option<String> {
        Some(match self {
            Value::Int(value) => value.to_string(),
            Value::Bool(value) => if *value { "yes" } else { "no" }.into(),
            Value::Text(text) => text.to_string(),
            Value::List(items) => {
                let shown: Option<Vec<String>> = items.iter().map(Value::show).collect();
                shown?.join(", ")
            }
            Value::Table(_) | Value::Unsolved(_) => return None,
        })
    }

    /// As JSON: numbers, truth values, texts and lists of them; null for what is not known.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Int(value) => (*value).into(),
            Value::Bool(value) => (*value).into(),
            Value::Text(text) => text.as_ref().into(),
            Value::List(items) => items.iter().map(Value::to_json).collect(),
            Value::Table(table) => table.values.iter().map(Value::to_json).collect(),
            Value::Unsolved(_) => serde_json::Value::Null,
        }
    }

    /// From JSON; `None` for fractions, null and objects.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        Some(match value {
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => Value::Int(number.as_i64()?),
            serde_json::Value::String(text) => Value::text(text.as_str()),
            serde_json::Value::Array(items) => {
                let items: Option<Vec<Value>> = items.iter().map(Value::from_json).collect();
                Value::list(items?)
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => write!(f, "{text:?}"),
            other => f.write_str(&other.show().unwrap_or_else(|| other.kind().into())),
        }
    }
}
