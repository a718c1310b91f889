//! Specifications: a seed puzzle as variables, unknowns, constraints, texts and questions.

mod clauses;
mod compile;
mod document;
mod error;
#[cfg(test)]
mod tests;

pub use error::SpecError;

use super::{
    formula::{Formula, Template, Wrong},
    solver::Direction,
};
use crate::puzzles::formula::Scope;
use error::Place;
use serde_json::{Map, Value as Json};
use std::{collections::HashMap, sync::Arc};

/// Most bytes of a specification.
pub const LARGEST: usize = 1_000_000;

/// A checked specification.
///
/// ```
/// use offprint_language::puzzles::{Embedded, Generator, Spec};
///
/// let spec = Spec::from_yaml(r#"
/// name: two-numbers
/// kind: arithmetic
/// variables:
///   low: { from: 2..20 }
///   gap: { from: 1..9, difficulty: 1 }
/// symbols:
///   a: { from: 1..40 }
///   b: { from: 1..40 }
/// conditions:
///   - holds: a + b = 2 * low + gap
///     text: The numbers add up to {2 * low + gap}.
///   - holds: b - a = gap
///     text: One is {gap} more than the other.
/// text: "I think of two numbers. {join(texts, ' ')}"
/// questions:
///   - ask: What is the smaller one?
///     answer: a
/// "#)?;
/// let puzzle = Generator::new(spec, 7).puzzle(0, &Embedded::default())?;
/// assert_eq!(puzzle.questions[0].answer, puzzle.configuration.variables["low"].to_string());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Spec {
    /// Name of the seed puzzle.
    pub name: String,
    /// Kind of puzzle; puzzles are split and counted by it.
    pub kind: String,
    /// What it is, in a line.
    pub about: String,
    /// Names of the wordings (languages, themes, short forms); the first is the usual one.
    pub wordings: Vec<String>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) statements: Vec<Statement>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) secret: bool,
    pub(crate) clues: Vec<Condition>,
    pub(crate) optimize: Option<(Direction, Sourced<Formula>)>,
    pub(crate) max_solutions: usize,
    pub(crate) text: Worded,
    pub(crate) questions: Vec<Question>,
    pub(crate) original: Option<Original>,
    pub(crate) definitions: Arc<HashMap<String, super::formula::Definition>>,
    pub(crate) source: Arc<str>,
}

/// A formula or template with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Sourced<T> {
    pub parsed: T,
    pub text: String,
    pub place: Place,
}

/// A text in each wording; one that names no wording serves all.
#[derive(Clone, Debug)]
pub(crate) struct Worded(pub Vec<(Option<String>, Sourced<Template>)>);

impl Worded {
    pub fn of(&self, wording: &str) -> &Sourced<Template> {
        let named = |name: &Option<String>| name.as_deref().is_none_or(|name| name == wording);
        let found = self.0.iter().find(|(name, _)| named(name));
        &found.unwrap_or(&self.0[0]).1
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub name: String,
    pub rule: Rule,
    pub filter: Option<Sourced<Formula>>,
    /// Weight in the difficulty: its sign says whether larger values are harder.
    pub difficulty: f64,
}

#[derive(Clone, Debug)]
pub(crate) enum Rule {
    Formula(Sourced<Formula>),
    Draw(Part),
}

/// Items drawn from a list.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub name: String,
    pub from: Sourced<Formula>,
    /// So many, as a list; one item without.
    pub amount: Option<Sourced<Formula>>,
    /// Whether their order counts; otherwise they stand as in the list.
    pub ordered: bool,
    pub repeat: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Symbol {
    pub name: String,
    pub keys: Vec<Sourced<Formula>>,
    /// The values; true and false without.
    pub from: Option<Sourced<Formula>>,
}

/// A clue, statement or option to be drawn.
#[derive(Clone, Debug)]
pub(crate) struct Clue {
    pub parts: Vec<Part>,
    pub filter: Option<Sourced<Formula>>,
    pub holds: Sourced<Formula>,
    pub text: Option<Worded>,
}

#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub name: String,
    pub keys: Vec<(String, Sourced<Formula>)>,
    pub either: Vec<Clue>,
}

#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// Texts of its clues under this name.
    pub name: Option<String>,
    /// It holds for each combination of these; nothing is drawn then.
    pub each: Vec<(String, Sourced<Formula>)>,
    /// How many, or a list of how many; one without.
    pub repeat: Option<Sourced<Formula>>,
    pub until_unique: bool,
    /// Whether two clues may be the same.
    pub alike: bool,
    /// What all drawn clues fulfil together.
    pub together: Option<Sourced<Formula>>,
    pub either: Vec<Clue>,
}

#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub ask: Worded,
    pub kind: QuestionKind,
}

#[derive(Clone, Debug)]
pub(crate) enum QuestionKind {
    Free {
        answer: Sourced<Formula>,
        unordered: bool,
    },
    Options {
        amount: Sourced<Formula>,
        /// Whether an option must hold in all solutions; otherwise one is enough.
        all: bool,
        /// Whether the options that do not hold are asked for.
        wrong: bool,
        either: Vec<Clue>,
    },
}

/// A configuration solved by hand: values where the generator records places.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    pub variables: Map<String, Json>,
    pub statements: Map<String, Json>,
    pub conditions: Map<String, Json>,
    pub secret: Map<String, Json>,
    pub options: Vec<Json>,
    pub answers: Vec<String>,
}

impl Spec {
    /// Reads and checks a specification: fields, names, types, what may be drawn from what.
    ///
    /// # Errors
    /// The line and column, what is wrong there and what is allowed.
    pub fn from_yaml(text: &str) -> Result<Self, SpecError> {
        compile::compile(text)
    }

    /// A number of the specification's text: a puzzle is reproduced with the specification it was made by.
    pub fn fingerprint(&self) -> String {
        // FNV-1a with 64 bits.
        let hash = self
            .source
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        format!("{hash:016x}")
    }

    /// Whether it brings a configuration that was solved by hand.
    pub fn has_original(&self) -> bool {
        self.original.is_some()
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::new(self.definitions.clone())
    }

    /// What went wrong in a formula, at its place in the file.
    pub(crate) fn explain<T>(&self, formula: &Sourced<T>, wrong: &Wrong) -> SpecError {
        let (line, column) = formula.place.of(&self.source, &formula.text, wrong.at);
        SpecError::at(&self.source, line, column, wrong.message.clone())
    }
}
