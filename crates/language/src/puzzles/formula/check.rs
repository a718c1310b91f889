//! Names and types of a formula, before anything is drawn.

use super::{Binary, Expression, Kind, Template, Value, Wrong, functions, template::Piece};
use crate::puzzles::term::Op;
use offprint_lab::nearest::nearest_name;
use std::{collections::HashMap, fmt, sync::Arc};

/// The type of a value, solved or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Int,
    Bool,
    Text,
    List(Box<Type>),
    /// Number of keys, and what there is of each.
    Table(usize, Box<Type>),
    /// Nothing is known: an item of an empty or mixed list.
    Any,
}

impl Type {
    pub(crate) fn list(item: Type) -> Self {
        Type::List(Box::new(item))
    }

    /// Whether a value of this type may be one of that type.
    pub(crate) fn fits(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::List(a), Type::List(b)) => a.fits(b),
            (Type::Table(m, a), Type::Table(n, b)) => m == n && a.fits(b),
            (a, b) => a == b,
        }
    }

    /// What two items of one list have in common.
    fn join(self, other: Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a,
            (Type::List(a), Type::List(b)) => Type::List(Box::new(a.join(*b))),
            _ => Type::Any,
        }
    }

    /// The type of a known value.
    pub(crate) fn of(value: &Value) -> Type {
        match value {
            Value::Int(_) => Type::Int,
            Value::Bool(_) => Type::Bool,
            Value::Text(_) => Type::Text,
            Value::List(items) => {
                let joined = items.iter().map(Type::of).reduce(Type::join);
                Type::list(joined.unwrap_or(Type::Any))
            }
            Value::Table(_) | Value::Unsolved(_) => Type::Any,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Int => f.write_str("a number"),
            Type::Bool => f.write_str("a truth value"),
            Type::Text => f.write_str("a text"),
            Type::List(_) => f.write_str("a list"),
            Type::Table(..) => f.write_str("a table"),
            Type::Any => f.write_str("any value"),
        }
    }
}

/// An operator that the specification defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub parameters: Vec<String>,
    pub body: Expression,
}

/// What names stand for while formulas are checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    types: Vec<(String, Type)>,
    /// Variables that stand further down.
    pub later: Vec<String>,
    pub definitions: Arc<HashMap<String, Definition>>,
}

impl Names {
    /// Adds a name; a later one hides an earlier one.
    pub fn add(&mut self, name: impl Into<String>, kind: Type) {
        self.types.push((name.into(), kind));
    }

    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Forgets the names added after there were so many.
    pub fn truncate(&mut self, len: usize) {
        self.types.truncate(len);
    }

    /// The type of a name that is there.
    pub fn get(&self, name: &str) -> Type {
        let known = self.types.iter().rev().find(|(known, _)| known == name);
        known.map_or(Type::Any, |(_, kind)| kind.clone())
    }

    pub fn has(&self, name: &str) -> bool {
        self.types.iter().any(|(known, _)| known == name)
    }

    /// Checks that a formula has a type.
    pub fn expect(&mut self, expression: &Expression, expected: &Type) -> Result<Type, Wrong> {
        let kind = self.check(expression)?;
        if kind.fits(expected) {
            Ok(kind)
        } else {
            Err(Wrong::new(
                expression.at,
                format!("{kind}, but {expected} is expected"),
            ))
        }
    }

    /// Checks every formula of a template.
    pub fn template(&mut self, template: &Template) -> Result<(), Wrong> {
        for piece in &template.pieces {
            if let Piece::Formula(formula) = piece
                && let kind @ Type::Table(..) = self.check(&formula.expression)?
            {
                return Err(Wrong::new(
                    formula.expression.at,
                    format!("{kind} cannot stand in a text"),
                ));
            }
        }
        Ok(())
    }

    /// The type of an expression.
    pub fn check(&mut self, expression: &Expression) -> Result<Type, Wrong> {
        let at = expression.at;
        match &expression.kind {
            Kind::Value(value) => Ok(Type::of(value)),
            Kind::Name(name) => self.name(at, name),
            Kind::List(items) => {
                let mut joined: Option<Type> = None;
                for item in items {
                    let kind = self.check(item)?;
                    joined = Some(joined.map_or(kind.clone(), |before| before.join(kind)));
                }
                Ok(Type::list(joined.unwrap_or(Type::Any)))
            }
            Kind::Comprehension(parts) => {
                let before = self.len();
                for (name, list) in &parts.loops {
                    let item = self.item_of(list)?;
                    self.add(name.clone(), item);
                }
                if let Some(filter) = &parts.filter {
                    self.expect(filter, &Type::Bool)?;
                }
                let item = self.check(&parts.item)?;
                self.truncate(before);
                Ok(Type::list(item))
            }
            Kind::Index(table, keys) => self.index(at, table, keys),
            Kind::Call(name, arguments) => self.call(at, name, arguments),
            Kind::Not(inner) => self.expect(inner, &Type::Bool),
            Kind::Negative(inner) => self.expect(inner, &Type::Int),
            Kind::If(parts) => {
                let (condition, yes, no) = &**parts;
                self.expect(condition, &Type::Bool)?;
                let kind = self.check(yes)?;
                self.expect(no, &kind)?;
                Ok(kind)
            }
            Kind::Binary(op, pair) => self.binary(*op, &pair.0, &pair.1),
        }
    }

    fn name(&self, at: usize, name: &str) -> Result<Type, Wrong> {
        let known = self.types.iter().rev().find(|(known, _)| known == name);
        if let Some((_, kind)) = known {
            return Ok(kind.clone());
        }
        if self.later.iter().any(|later| later == name) {
            let message = format!("{name} stands further down; a variable may use those above it");
            return Err(Wrong::new(at, message));
        }
        let names = self.types.iter().map(|(known, _)| known.as_str());
        Err(unknown(at, "name", name, names))
    }

    fn item_of(&mut self, list: &Expression) -> Result<Type, Wrong> {
        match self.check(list)? {
            Type::List(item) => Ok(*item),
            Type::Any => Ok(Type::Any),
            other => Err(Wrong::new(
                list.at,
                format!("{other}, but a list is expected"),
            )),
        }
    }

    fn index(&mut self, at: usize, table: &Expression, keys: &[Expression]) -> Result<Type, Wrong> {
        let kind = self.check(table)?;
        let given: Vec<Type> = keys
            .iter()
            .map(|key| self.check(key))
            .collect::<Result<_, _>>()?;
        match kind {
            Type::Table(count, inner) if count == given.len() => Ok(*inner),
            Type::Table(count, _) => Err(Wrong::new(
                at,
                format!("{} keys, but this table has {count}", given.len()),
            )),
            Type::List(inner) if given.len() == 1 => {
                self.expect(&keys[0], &Type::Int)?;
                Ok(*inner)
            }
            Type::Any => Ok(Type::Any),
            other => Err(Wrong::new(at, format!("{other} cannot be indexed so"))),
        }
    }

    fn call(&mut self, at: usize, name: &str, arguments: &[Expression]) -> Result<Type, Wrong> {
        let given: Vec<Type> = arguments
            .iter()
            .map(|argument| self.check(argument))
            .collect::<Result<_, _>>()?;
        let definitions = self.definitions.clone();
        if let Some(definition) = definitions.get(name) {
            if definition.parameters.len() != given.len() {
                let expected = definition.parameters.len();
                return Err(Wrong::new(
                    at,
                    format!(
                        "{name} takes {expected} arguments, but was given {}",
                        given.len()
                    ),
                ));
            }
            let before = self.len();
            for (parameter, kind) in definition.parameters.iter().zip(given) {
                self.add(parameter.clone(), kind);
            }
            let kind = self.check(&definition.body);
            self.truncate(before);
            // The place in the definition's own text would be shown in this one.
            return kind.map_err(|wrong| Wrong::new(at, format!("in {name}: {}", wrong.message)));
        }
        let function = functions::find(name).ok_or_else(|| {
            let mut known: Vec<&str> = functions::names().collect();
            known.extend(definitions.keys().map(String::as_str));
            unknown(at, "function", name, known.into_iter())
        })?;
        (function.typed)(&given).ok_or_else(|| {
            let given: Vec<String> = given.iter().map(ToString::to_string).collect();
            let given = if given.is_empty() {
                "nothing".into()
            } else {
                given.join(", ")
            };
            Wrong::new(at, format!("{}, but was given {given}", function.usage))
        })
    }

    fn binary(&mut self, op: Binary, left: &Expression, right: &Expression) -> Result<Type, Wrong> {
        let (boolean, number) = (Type::Bool, Type::Int);
        let mut both = |kind: &Type, gives: Type| {
            self.expect(left, kind)?;
            self.expect(right, kind)?;
            Ok(gives)
        };
        match op {
            Binary::Range => both(&number, Type::list(Type::Int)),
            Binary::Equivalent => both(&boolean, Type::Bool),
            Binary::In => {
                let item = self.item_of(right)?;
                self.expect(left, &item)?;
                Ok(Type::Bool)
            }
            Binary::Term(Op::And | Op::Or | Op::Xor | Op::Implies) => both(&boolean, Type::Bool),
            Binary::Term(Op::Equal | Op::NotEqual) => {
                let kind = self.check(left)?;
                self.expect(right, &kind)?;
                Ok(Type::Bool)
            }
            Binary::Term(Op::Less | Op::AtMost | Op::Greater | Op::AtLeast) => {
                both(&number, Type::Bool)
            }
            // Texts and lists are put one after the other.
            Binary::Term(Op::Add) => match self.check(left)? {
                kind @ (Type::Text | Type::List(_)) => self.expect(right, &kind),
                _ => {
                    self.expect(left, &number)?;
                    self.expect(right, &number)
                }
            },
            Binary::Term(_) => both(&number, Type::Int),
        }
    }
}

fn unknown<'a>(at: usize, what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Wrong {
    let hint = nearest_name(name, known).map(|nearest| format!("; did you mean {nearest}?"));
    Wrong::new(
        at,
        format!("unknown {what} \"{name}\"{}", hint.unwrap_or_default()),
    )
}
