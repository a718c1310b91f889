//! Values of expressions.

use super::{
    Binary, Comprehension, Expression, Kind, Value, Wrong,
    check::Definition,
    functions::{self, as_term, operate},
    value::{Unsolved, UnsolvedKind},
};
use crate::puzzles::term::{Op, Term};
use std::{collections::HashMap, sync::Arc};

/// Most steps of one formula: a specification cannot keep the program busy.
const STEPS: u64 = 2_000_000;
/// Most items of a list.
const ITEMS: i64 = 100_000;

/// What names stand for while formulas are evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    values: Vec<(Arc<str>, Value)>,
    pub definitions: Arc<HashMap<String, Definition>>,
    left: u64,
}

impl Scope {
    pub fn new(definitions: Arc<HashMap<String, Definition>>) -> Self {
        Self {
            values: Vec::new(),
            definitions,
            left: STEPS,
        }
    }

    /// Adds a name; a later one hides an earlier one.
    pub fn add(&mut self, name: impl Into<Arc<str>>, value: Value) {
        self.values.push((name.into(), value));
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Forgets the names added after there were so many.
    pub fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let known = self.values.iter().rev().find(|(known, _)| **known == *name);
        known.map(|(_, value)| value)
    }

    /// The value of a formula's expression.
    pub fn evaluate(&mut self, expression: &Expression) -> Result<Value, Wrong> {
        self.left = STEPS;
        self.value(expression)
    }

    fn value(&mut self, expression: &Expression) -> Result<Value, Wrong> {
        let at = expression.at;
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            Wrong::new(
                at,
                format!("more than {STEPS} steps; a smaller list, perhaps"),
            )
        })?;
        let wrong = |message: String| Wrong::new(at, message);
        match &expression.kind {
            Kind::Value(value) => Ok(value.clone()),
            Kind::Name(name) => {
                let value = self.get(name).cloned();
                value.ok_or_else(|| wrong(format!("unknown name \"{name}\"")))
            }
            Kind::List(items) => {
                let items: Result<Vec<Value>, Wrong> =
                    items.iter().map(|item| self.value(item)).collect();
                Ok(Value::list(items?))
            }
            Kind::Comprehension(parts) => {
                let mut items = Vec::new();
                self.each(parts, 0, &mut items)?;
                Ok(Value::list(items))
            }
            Kind::Index(table, keys) => {
                let table = self.value(table)?;
                let keys: Result<Vec<Value>, Wrong> =
                    keys.iter().map(|key| self.value(key)).collect();
                index(&table, &keys?).map_err(wrong)
            }
            Kind::Call(name, arguments) => self.call(at, name, arguments),
            Kind::Not(inner) => {
                let inner = self.value(inner)?;
                operate(Op::Not, &[inner], true).map_err(wrong)
            }
            Kind::Negative(inner) => {
                let inner = self.value(inner)?;
                operate(Op::Subtract, &[Value::Int(0), inner], false).map_err(wrong)
            }
            Kind::If(parts) => {
                let (condition, yes, no) = &**parts;
                match self.value(condition)? {
                    Value::Bool(true) => self.value(yes),
                    Value::Bool(false) => self.value(no),
                    condition => {
                        let (yes, no) = (self.value(yes)?, self.value(no)?);
                        let boolean = is_boolean(&yes);
                        operate(Op::If, &[condition, yes, no], boolean).map_err(wrong)
                    }
                }
            }
            Kind::Binary(op, pair) => {
                let left = self.value(&pair.0)?;
                // What is known already decides: the other side may be meaningless then.
                match (op, &left) {
                    (Binary::Term(Op::And), Value::Bool(false)) => return Ok(left),
                    (Binary::Term(Op::Or), Value::Bool(true)) => return Ok(left),
                    (Binary::Term(Op::Implies), Value::Bool(false)) => {
                        return Ok(Value::Bool(true));
                    }
                    _ => {}
                }
                let right = self.value(&pair.1)?;
                binary(*op, left, right).map_err(wrong)
            }
        }
    }

    /// The items of a comprehension from a loop on.
    fn each(
        &mut self,
        parts: &Comprehension,
        depth: usize,
        items: &mut Vec<Value>,
    ) -> Result<(), Wrong> {
        let Some((name, list)) = parts.loops.get(depth) else {
            if let Some(filter) = &parts.filter {
                match self.value(filter)? {
                    Value::Bool(true) => {}
                    Value::Bool(false) => return Ok(()),
                    _ => return Err(Wrong::new(filter.at, "what chooses items must be known")),
                }
            }
            items.push(self.value(&parts.item)?);
            return Ok(());
        };
        let Value::List(values) = self.value(list)? else {
            return Err(Wrong::new(list.at, "a list is expected"));
        };
        let before = self.len();
        let name: Arc<str> = name.as_str().into();
        for value in values.iter() {
            self.add(name.clone(), value.clone());
            self.each(parts, depth + 1, items)?;
            self.truncate(before);
        }
        Ok(())
    }

    fn call(&mut self, at: usize, name: &str, arguments: &[Expression]) -> Result<Value, Wrong> {
        let arguments: Result<Vec<Value>, Wrong> = arguments
            .iter()
            .map(|argument| self.value(argument))
            .collect();
        let arguments = arguments?;
        let definitions = self.definitions.clone();
        if let Some(definition) = definitions.get(name) {
            let before = self.len();
            for (parameter, value) in definition.parameters.iter().zip(arguments) {
                self.add(parameter.as_str(), value);
            }
            let value = self.value(&definition.body);
            self.truncate(before);
            return value.map_err(|wrong| Wrong::new(at, format!("in {name}: {}", wrong.message)));
        }
        let function = functions::find(name);
        let function = function.ok_or_else(|| functions::wrong(at, name, "no such function"))?;
        if arguments.is_empty() {
            return Err(functions::wrong(at, name, function.usage));
        }
        (function.value)(&arguments).map_err(|message| functions::wrong(at, name, &message))
    }
}

fn is_boolean(value: &Value) -> bool {
    match value {
        Value::Bool(_) => true,
        Value::Unsolved(unsolved) => unsolved.kind == UnsolvedKind::Bool,
        _ => false,
    }
}

fn index(table: &Value, keys: &[Value]) -> Result<Value, String> {
    if keys.iter().any(|key| !key.is_known()) {
        return Err("a key must be known; compare with `if … then … else` instead".into());
    }
    let shown = || {
        keys.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (table, keys) {
        (Value::Table(table), keys) => {
            let value = table.get(keys).cloned();
            value.ok_or_else(|| format!("the table has no [{}]", shown()))
        }
        (Value::List(items), [Value::Int(place)]) => {
            let item = usize::try_from(*place)
                .ok()
                .and_then(|place| items.get(place));
            item.cloned().ok_or_else(|| {
                format!(
                    "place {place} of a list of {} items, counted from 0",
                    items.len()
                )
            })
        }
        (other, _) => Err(format!(
            "{} cannot be indexed by [{}]",
            other.kind(),
            shown()
        )),
    }
}

fn binary(op: Binary, left: Value, right: Value) -> Result<Value, String> {
    match op {
        Binary::Range => match (&left, &right) {
            (Value::Int(first), Value::Int(last)) => {
                if last - first >= ITEMS {
                    return Err(format!("{first}..{last} has more than {ITEMS} numbers"));
                }
                Ok(Value::list((*first..=*last).map(Value::Int)))
            }
            _ => Err("both ends of a range must be known numbers".into()),
        },
        Binary::Equivalent => equal(&left, &right, true),
        Binary::In => {
            let Value::List(items) = &right else {
                return Err(format!("{} is not a list", right.kind()));
            };
            let equals: Result<Vec<Value>, String> =
                items.iter().map(|item| equal(&left, item, true)).collect();
            operate(Op::Or, &equals?, true)
        }
        Binary::Term(Op::Equal) => equal(&left, &right, true),
        Binary::Term(Op::NotEqual) => equal(&left, &right, false),
        Binary::Term(Op::Add) => match (&left, &right) {
            (Value::Text(a), Value::Text(b)) => Ok(Value::text(format!("{a}{b}"))),
            (Value::List(a), Value::List(b)) => Ok(Value::list(a.iter().chain(b.iter()).cloned())),
            _ => operate(Op::Add, &[left, right], false),
        },
        Binary::Term(op) => operate(op, &[left, right], op.is_boolean()),
    }
}

/// Whether two values are equal, or differ where `same` is false.
fn equal(left: &Value, right: &Value, same: bool) -> Result<Value, String> {
    if left.is_known() && right.is_known() {
        return Ok(Value::Bool((left == right) == same));
    }
    if let (Value::List(a), Value::List(b)) = (left, right) {
        if a.len() != b.len() {
            return Ok(Value::Bool(!same));
        }
        let pairs: Result<Vec<Value>, String> = a
            .iter()
            .zip(b.iter())
            .map(|(a, b)| equal(a, b, true))
            .collect();
        let all = operate(Op::And, &pairs?, true)?;
        return if same {
            Ok(all)
        } else {
            operate(Op::Not, &[all], true)
        };
    }
    let (a, b) = match (choices(left), choices(right)) {
        (None, None) => (as_term(left), as_term(right)),
        (Some(x), Some(y)) if x == y => (as_term(left), as_term(right)),
        // Choices of different lists are equal where both are the same value.
        (Some(x), Some(y)) => {
            let (Some(a), Some(b)) = (as_term(left), as_term(right)) else {
                return Err("these cannot be compared".into());
            };
            let is = |term: &Term, place: usize| {
                Term::binary(Op::Equal, term.clone(), Term::Int(place as i64))
            };
            let shared = x.iter().enumerate().filter_map(|(i, value)| {
                let j = y.iter().position(|other| other == value)?;
                Some(Term::Apply(Op::And, vec![is(&a, i), is(&b, j)]))
            });
            let any = Term::Apply(Op::Or, shared.collect());
            let term = if same { any } else { any.negated() };
            return Ok(Value::Unsolved(Unsolved::new(term, UnsolvedKind::Bool)));
        }
        (Some(labels), None) => (as_term(left), place(&labels, right)),
        (None, Some(labels)) => (place(&labels, left), as_term(right)),
    };
    let (Some(a), Some(b)) = (a, b) else {
        // A value that is not among the choices.
        return Ok(Value::Bool(!same));
    };
    let op = if same { Op::Equal } else { Op::NotEqual };
    Ok(Value::Unsolved(Unsolved::new(
        Term::binary(op, a, b),
        UnsolvedKind::Bool,
    )))
}

fn choices(value: &Value) -> Option<Arc<[Value]>> {
    match value {
        Value::Unsolved(Unsolved {
            kind: UnsolvedKind::Choice(labels),
            ..
        }) => Some(labels.clone()),
        _ => None,
    }
}

fn place(labels: &[Value], value: &Value) -> Option<Term> {
    let place = labels.iter().position(|label| label == value)?;
    Some(Term::Int(place as i64))
}
