//! The functions of the language.

use super::{
    Value, Wrong,
    check::Type,
    value::{Unsolved, UnsolvedKind},
};
use crate::puzzles::term::{self, Op, Term};

/// What a function takes and gives.
pub(super) struct Function {
    pub name: &'static str,
    /// Its arguments, for a message.
    pub usage: &'static str,
    /// The type of its value for arguments of these types, `None` if it does not take them.
    pub typed: fn(&[Type]) -> Option<Type>,
    pub value: fn(&[Value]) -> Result<Value, String>,
}

/// The function of a name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Every name, for the nearest one.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    FUNCTIONS.iter().map(|function| function.name)
}

const fn function(
    name: &'static str,
    usage: &'static str,
    typed: fn(&[Type]) -> Option<Type>,
    value: fn(&[Value]) -> Result<Value, String>,
) -> Function {
    Function {
        name,
        usage,
        typed,
        value,
    }
}

static FUNCTIONS: &[Function] = &[
    function(
        "abs",
        "abs(number)",
        |t| one(t, &Type::Int, Type::Int),
        |v| number_term(Op::Absolute, v),
    ),
    function(
        "sum",
        "sum(list of numbers)",
        |t| list_of(t, &Type::Int, Type::Int),
        |v| number_term(Op::Add, items(v)?),
    ),
    function(
        "product",
        "product(list of numbers)",
        |t| list_of(t, &Type::Int, Type::Int),
        |v| number_term(Op::Multiply, items(v)?),
    ),
    function(
        "min",
        "min(list of numbers) or min(a, b, …)",
        |t| many(t, &Type::Int, Type::Int),
        |v| extreme(Op::Minimum, v),
    ),
    function(
        "max",
        "max(list of numbers) or max(a, b, …)",
        |t| many(t, &Type::Int, Type::Int),
        |v| extreme(Op::Maximum, v),
    ),
    function(
        "count",
        "count(list of truth values)",
        |t| list_of(t, &Type::Bool, Type::Int),
        |v| number_term(Op::Count, items(v)?),
    ),
    function(
        "all",
        "all(list of truth values)",
        |t| list_of(t, &Type::Bool, Type::Bool),
        |v| truth_term(Op::And, items(v)?),
    ),
    function(
        "any",
        "any(list of truth values)",
        |t| list_of(t, &Type::Bool, Type::Bool),
        |v| truth_term(Op::Or, items(v)?),
    ),
    function(
        "distinct",
        "distinct(list) or distinct(a, b, …)",
        |t| many(t, &Type::Any, Type::Bool),
        |v| distinct(spread(v)),
    ),
    function(
        "len",
        "len(list)",
        |t| list_of(t, &Type::Any, Type::Int),
        |v| Ok(Value::Int(items(v)?.len() as i64)),
    ),
    function(
        "index",
        "index(list, item)",
        |t| pair(t, Type::Int),
        |v| {
            let place = list(&v[0])?.iter().position(|item| *item == v[1]);
            let place = place.ok_or_else(|| format!("{} is not in the list", v[1]))?;
            Ok(Value::Int(place as i64))
        },
    ),
    function("sorted", "sorted(list)", same_list, |v| {
        let mut sorted = known(&v[0])?.to_vec();
        sorted.sort_by(|a, b| match (a, b) {
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            _ => a.to_string().cmp(&b.to_string()),
        });
        Ok(Value::list(sorted))
    }),
    function("reversed", "reversed(list)", same_list, |v| {
        Ok(Value::list(list(&v[0])?.iter().rev().cloned()))
    }),
    function("unique", "unique(list)", same_list, |v| {
        let mut unique: Vec<Value> = Vec::new();
        for item in known(&v[0])? {
            if !unique.contains(item) {
                unique.push(item.clone());
            }
        }
        Ok(Value::list(unique))
    }),
    function(
        "take",
        "take(list, number)",
        |t| match t {
            [list @ Type::List(_), number] if number.fits(&Type::Int) => Some(list.clone()),
            _ => None,
        },
        |v| {
            let Value::Int(count) = v[1] else {
                return Err("the number must be known".into());
            };
            let list = list(&v[0])?;
            match usize::try_from(count) {
                Ok(count) if count <= list.len() => Ok(Value::list(list[..count].iter().cloned())),
                _ => Err(format!("{count} items of a list of {}", list.len())),
            }
        },
    ),
    function(
        "pairs",
        "pairs(list)",
        |t| match t {
            [list @ Type::List(_)] => Some(Type::List(Box::new(list.clone()))),
            _ => None,
        },
        |v| {
            let list = list(&v[0])?;
            let rest = |i: usize| {
                list[i + 1..]
                    .iter()
                    .map(move |b| Value::list([list[i].clone(), b.clone()]))
            };
            Ok(Value::list((0..list.len()).flat_map(rest)))
        },
    ),
    function(
        "flat",
        "flat(list of lists)",
        |t| match t {
            [Type::List(inner)] if matches!(**inner, Type::List(_) | Type::Any) => {
                Some((**inner).clone())
            }
            _ => None,
        },
        |v| {
            let lists: Result<Vec<_>, _> = list(&v[0])?.iter().map(list).collect();
            Ok(Value::list(lists?.into_iter().flatten().cloned()))
        },
    ),
    function(
        "values",
        "values(table)",
        |t| match t {
            [Type::Table(_, inner)] => Some(Type::List(inner.clone())),
            _ => None,
        },
        |v| match &v[0] {
            Value::Table(table) => Ok(Value::list(table.values.iter().cloned())),
            other => Err(format!("{} is not a table", other.kind())),
        },
    ),
    function(
        "text",
        "text(value)",
        |t| one(t, &Type::Any, Type::Text),
        |v| Ok(Value::text(shown(&v[0])?)),
    ),
    function(
        "join",
        "join(list, text)",
        |t| match t {
            [Type::List(_), text] if text.fits(&Type::Text) => Some(Type::Text),
            _ => None,
        },
        |v| Ok(Value::text(texts(&v[0])?.join(&shown(&v[1])?))),
    ),
    function(
        "and_list",
        "and_list(list)",
        |t| list_of(t, &Type::Any, Type::Text),
        |v| {
            let texts = texts(&v[0])?;
            Ok(Value::text(match &texts[..] {
                [] => String::new(),
                [only] => only.clone(),
                [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
            }))
        },
    ),
    function(
        "lines",
        "lines(list)",
        |t| list_of(t, &Type::Any, Type::Text),
        |v| {
            let lines: Vec<String> = texts(&v[0])?
                .iter()
                .map(|text| format!("- {text}"))
                .collect();
            Ok(Value::text(lines.join("\n")))
        },
    ),
    function(
        "numbered",
        "numbered(list)",
        |t| list_of(t, &Type::Any, Type::Text),
        |v| {
            let texts = texts(&v[0])?;
            let lines: Vec<String> = texts
                .iter()
                .enumerate()
                .map(|(i, text)| format!("{}. {text}", i + 1))
                .collect();
            Ok(Value::text(lines.join("\n")))
        },
    ),
    function(
        "letter",
        "letter(number from 0)",
        |t| one(t, &Type::Int, Type::Text),
        |v| match v[0] {
            Value::Int(place @ 0..=25) => {
                Ok(Value::text(char::from(b'A' + place as u8).to_string()))
            }
            ref other => Err(format!("{other}, but letters are numbered 0 to 25")),
        },
    ),
    function(
        "ordinal",
        "ordinal(number)",
        |t| one(t, &Type::Int, Type::Text),
        |v| {
            let Value::Int(n) = v[0] else {
                return Err("the number must be known".into());
            };
            let ending = match (n % 100, n % 10) {
                (11..=13, _) => "th",
                (_, 1) => "st",
                (_, 2) => "nd",
                (_, 3) => "rd",
                _ => "th",
            };
            Ok(Value::text(format!("{n}{ending}")))
        },
    ),
    function(
        "plural",
        "plural(number, text)",
        |t| match t {
            [number, text] if number.fits(&Type::Int) && text.fits(&Type::Text) => Some(Type::Text),
            _ => None,
        },
        |v| {
            let ending = if v[0] == Value::Int(1) { "" } else { "s" };
            Ok(Value::text(format!(
                "{} {}{ending}",
                shown(&v[0])?,
                shown(&v[1])?
            )))
        },
    ),
    function(
        "capital",
        "capital(text)",
        |t| one(t, &Type::Text, Type::Text),
        |v| {
            let text = shown(&v[0])?;
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_uppercase().collect::<String>());
            Ok(Value::text(first.unwrap_or_default() + letters.as_str()))
        },
    ),
];

fn one(types: &[Type], expected: &Type, gives: Type) -> Option<Type> {
    matches!(types, [given] if given.fits(expected)).then_some(gives)
}

fn list_of(types: &[Type], item: &Type, gives: Type) -> Option<Type> {
    match types {
        [Type::List(inner)] if inner.fits(item) => Some(gives),
        [Type::Any] => Some(gives),
        _ => None,
    }
}

fn many(types: &[Type], item: &Type, gives: Type) -> Option<Type> {
    if types.len() > 1 && types.iter().all(|given| given.fits(item)) {
        return Some(gives);
    }
    list_of(types, item, gives)
}

fn pair(types: &[Type], gives: Type) -> Option<Type> {
    match types {
        [Type::List(inner), item] if item.fits(inner) => Some(gives),
        _ => None,
    }
}

fn same_list(types: &[Type]) -> Option<Type> {
    match types {
        [list @ Type::List(_)] => Some(list.clone()),
        _ => None,
    }
}

fn list(value: &Value) -> Result<&[Value], String> {
    match value {
        Value::List(items) => Ok(items),
        other => Err(format!("{} is not a list", other.kind())),
    }
}

fn known(value: &Value) -> Result<&[Value], String> {
    if value.is_known() {
        list(value)
    } else {
        Err("every item must be known".into())
    }
}

/// The items of the only argument.
fn items(values: &[Value]) -> Result<&[Value], String> {
    list(&values[0])
}

/// Several arguments, or the items of the only one.
fn spread(values: &[Value]) -> &[Value] {
    match values {
        [Value::List(items)] => items,
        _ => values,
    }
}

fn shown(value: &Value) -> Result<String, String> {
    value
        .show()
        .ok_or_else(|| "what stands in a text must be known".into())
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    list(value)?.iter().map(shown).collect()
}

fn extreme(op: Op, values: &[Value]) -> Result<Value, String> {
    match spread(values) {
        [] => Err("an empty list has no smallest or largest item".into()),
        items => number_term(op, items),
    }
}

/// A number or truth value as a term; a choice among numbers as the number chosen.
fn as_number(value: &Value) -> Option<Term> {
    let Value::Unsolved(Unsolved {
        term,
        kind: UnsolvedKind::Choice(labels),
    }) = value
    else {
        return as_term(value);
    };
    let mut chosen = None;
    for (place, label) in labels.iter().enumerate().rev() {
        let Value::Int(number) = label else {
            return None;
        };
        let number = Term::Int(*number);
        chosen = Some(match chosen {
            None => number,
            Some(rest) => {
                let here = Term::binary(Op::Equal, term.clone(), Term::Int(place as i64));
                Term::Apply(Op::If, vec![here, number, rest])
            }
        });
    }
    chosen
}

/// A number or truth value as a term; a choice as its place.
pub(super) fn as_term(value: &Value) -> Option<Term> {
    match value {
        Value::Int(value) => Some(Term::Int(*value)),
        Value::Bool(value) => Some(Term::Bool(*value)),
        Value::Unsolved(unsolved) => Some(unsolved.term.clone()),
        _ => None,
    }
}

fn number_term(op: Op, values: &[Value]) -> Result<Value, String> {
    operate(op, values, false)
}

fn truth_term(op: Op, values: &[Value]) -> Result<Value, String> {
    operate(op, values, true)
}

/// An operator on values: its value where all are known, a term otherwise.
pub(super) fn operate(op: Op, values: &[Value], boolean: bool) -> Result<Value, String> {
    let numbers: Option<Vec<i64>> = values
        .iter()
        .map(|value| match value {
            Value::Int(value) => Some(*value),
            Value::Bool(value) => Some(i64::from(*value)),
            _ => None,
        })
        .collect();
    if let Some(numbers) = numbers {
        let divides = matches!(op, Op::Divide | Op::Modulo);
        if divides && numbers[1] <= 0 {
            return Err(format!(
                "division by {}, but a divisor must be at least 1",
                numbers[1]
            ));
        }
        let number =
            term::apply(op, &numbers).filter(|n| n.abs() <= crate::puzzles::problem::LARGEST);
        let number = number.ok_or_else(|| "the result is too large".to_string())?;
        return Ok(if boolean {
            Value::Bool(number != 0)
        } else {
            Value::Int(number)
        });
    }
    // What is known of a conjunction or disjunction decides it or says nothing.
    if matches!(op, Op::And | Op::Or) {
        let decisive = Value::Bool(op == Op::Or);
        if values.contains(&decisive) {
            return Ok(decisive);
        }
        let open: Vec<Term> = values
            .iter()
            .filter(|value| matches!(value, Value::Unsolved(_)))
            .filter_map(as_term)
            .collect();
        let term = match <[Term; 1]>::try_from(open) {
            Ok([term]) => term,
            Err(open) => Term::Apply(op, open),
        };
        return Ok(Value::Unsolved(Unsolved::new(term, UnsolvedKind::Bool)));
    }
    let terms: Option<Vec<Term>> = values.iter().map(as_number).collect();
    let terms = terms.ok_or_else(|| format!("{} takes numbers and truth values", op.name()))?;
    let kind = if boolean {
        UnsolvedKind::Bool
    } else {
        UnsolvedKind::Int
    };
    Ok(Value::Unsolved(Unsolved::new(Term::Apply(op, terms), kind)))
}

fn distinct(values: &[Value]) -> Result<Value, String> {
    if values.iter().all(Value::is_known) {
        let differ = |i: usize| !values[..i].contains(&values[i]);
        return Ok(Value::Bool((0..values.len()).all(differ)));
    }
    let labels = values.iter().find_map(|value| match value {
        Value::Unsolved(Unsolved {
            kind: UnsolvedKind::Choice(labels),
            ..
        }) => Some(labels.clone()),
        _ => None,
    });
    let mut terms = Vec::new();
    for value in values {
        let term = match (value, &labels) {
            (
                Value::Unsolved(Unsolved {
                    term,
                    kind: UnsolvedKind::Choice(own),
                }),
                Some(labels),
            ) if own == labels => term.clone(),
            (value, Some(labels)) => {
                let place = labels.iter().position(|label| label == value);
                Term::Int(
                    place.ok_or("choices of different lists cannot be compared at once")? as i64,
                )
            }
            (value, None) => as_term(value).ok_or("distinct takes numbers or choices")?,
        };
        terms.push(term);
    }
    let kind = UnsolvedKind::Bool;
    Ok(Value::Unsolved(Unsolved::new(
        Term::Apply(Op::Distinct, terms),
        kind,
    )))
}

/// A wrong call, at the place of the call.
pub(super) fn wrong(at: usize, name: &str, message: &str) -> Wrong {
    Wrong::new(at, format!("{name}: {message}"))
}
