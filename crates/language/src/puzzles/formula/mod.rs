//! The language of formulas: data that is parsed, checked and evaluated, never code that is run.
//!
//! ```text
//! 3, true, "text", name, secret.name      values and names
//! [1, 2, 3]  1..n                         lists; `1..n` holds both ends
//! [x * x for x in 1..n if x != 3]         a list of what an expression gives
//! speed[p]  at[row, column]  list[0]      a table by its keys, a list by its place from 0
//! -x  x + y  x - y  x * y  x div y  x mod y
//! x = y  !=  <  <=  >  >=  x in list      comparisons; `a < b < c` is both
//! not p   p and q   p xor q   p or q   p => q   p <=> q
//! if p then x else y
//! sum(price[i] for i in items)            functions; a comprehension needs no brackets there
//! ```
//!
//! Bound from tightest to loosest in that order; `=>` groups to the right. Integers only; `div` rounds down. Inside a
//! template a formula stands in braces, `{{` and `}}` are braces.

mod check;
mod evaluate;
mod functions;
mod parse;
mod template;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use check::{Definition, Names, Type};
pub(crate) use evaluate::Scope;
pub use template::Template;
pub use value::Value;
pub(crate) use value::{Table, Unsolved, UnsolvedKind};

use std::fmt;

/// Most characters of a formula or template.
pub const LONGEST: usize = 20_000;
/// Most formulas in one another.
pub const DEEPEST: usize = 100;

/// What is wrong at a place of a formula.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Byte in the formula's text.
    pub at: usize,
    /// What, and what is allowed.
    pub message: String,
}

impl Wrong {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { at, message }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A parsed formula.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formula {
    pub(crate) expression: Expression,
}

impl Formula {
    /// Parses a formula.
    ///
    /// # Errors
    /// Where it stops making sense, and what is expected there.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        parse::formula(text)
    }
}

/// An expression and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expression {
    pub at: usize,
    pub kind: Kind,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Value(Value),
    Name(String),
    List(Vec<Expression>),
    Comprehension(Box<Comprehension>),
    Index(Box<Expression>, Vec<Expression>),
    Call(String, Vec<Expression>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Binary(Binary, Box<(Expression, Expression)>),
    If(Box<(Expression, Expression, Expression)>),
}

/// `item for name in list … if filter`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comprehension {
    pub item: Expression,
    pub loops: Vec<(String, Expression)>,
    pub filter: Option<Expression>,
}

/// An operator between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Range,
    Term(super::term::Op),
    Equivalent,
    In,
}

/// Whether the language has a function of a name.
pub(crate) fn is_function(name: &str) -> bool {
    functions::find(name).is_some()
}

impl Expression {
    /// The expressions that it is made of.
    fn parts(&self) -> Vec<&Expression> {
        match &self.kind {
            Kind::Value(_) | Kind::Name(_) => Vec::new(),
            Kind::List(items) | Kind::Call(_, items) => items.iter().collect(),
            Kind::Comprehension(parts) => {
                let lists = parts.loops.iter().map(|(_, list)| list);
                lists.chain([&parts.item]).chain(&parts.filter).collect()
            }
            Kind::Index(table, keys) => keys.iter().chain([&**table]).collect(),
            Kind::Not(inner) | Kind::Negative(inner) => vec![inner],
            Kind::Binary(_, pair) => vec![&pair.0, &pair.1],
            Kind::If(parts) => vec![&parts.0, &parts.1, &parts.2],
        }
    }

    /// Names of the functions and operators that it calls.
    pub fn calls(&self) -> Vec<&str> {
        let own = match &self.kind {
            Kind::Call(name, _) => Some(name.as_str()),
            _ => None,
        };
        let inner = self.parts().into_iter().flat_map(Expression::calls);
        own.into_iter().chain(inner).collect()
    }

    /// Whether a name stands in it.
    pub fn mentions(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Name(own) if own == name)
            || self.parts().into_iter().any(|part| part.mentions(name))
    }
}
