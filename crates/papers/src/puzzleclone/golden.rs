//! PuzzleClone's golden cases: which library calls compute what a file holds.

use burn::tensor::{Device, Tensor};
use offprint_lab::{
    Error, Result,
    golden::{Case, Method, Outputs},
};
use offprint_language::{
    LanguageError,
    policy::Grpo,
    puzzles::{
        Direction, Domain, Embedded, Measures, Op, Problem, SolveError, Term, Unknown, difficulty,
        solver,
    },
};
use serde_json::{Map, Value, json};

/// The kinds.
pub const METHODS: &[Method] = &[
    Method {
        kind: "solve",
        evaluate: solve,
    },
    Method {
        kind: "optimize",
        evaluate: optimize,
    },
    Method {
        kind: "options",
        evaluate: options,
    },
    Method {
        kind: "difficulty",
        evaluate: rate,
    },
    Method {
        kind: "policy",
        evaluate: policy,
    },
];

fn bad(message: impl Into<String>) -> Error {
    Error::input(format!("golden case: {}", message.into()))
}

fn unsolved(error: SolveError) -> Error {
    bad(error.to_string())
}

fn refused(error: LanguageError) -> Error {
    bad(error.to_string())
}

/// A field of `in`.
fn field<'a>(case: &'a Case, name: &str) -> Result<&'a Value> {
    case.input
        .get(name)
        .ok_or_else(|| bad(format!("in has no \"{name}\"")))
}

fn list<'a>(value: &'a Value, what: &str) -> Result<&'a [Value]> {
    let items = value.as_array().map(Vec::as_slice);
    items.ok_or_else(|| bad(format!("{what} = {value}, but a list is expected")))
}

/// A variable: `{name, type: bool}` or `{name, type: int, min, max}`.
fn unknown(value: &Value) -> Result<Unknown> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let whole = |name: &str| {
        let number = value.get(name).and_then(Value::as_i64);
        number.ok_or_else(|| bad(format!("variable {value}: {name} must be a whole number")))
    };
    let name = text("name").ok_or_else(|| bad(format!("variable {value} has no name")))?;
    let domain = match text("type") {
        Some("bool") => Domain::Bool,
        Some("int") => Domain::Int {
            min: whole("min")?,
            max: whole("max")?,
        },
        _ => return Err(bad(format!("variable {value}: type must be bool or int"))),
    };
    Ok(Unknown {
        name: name.into(),
        domain,
    })
}

/// A term: a name, a number, a truth value, or `[op, args…]`.
fn term(value: &Value, unknowns: &[Unknown]) -> Result<Term> {
    match value {
        Value::Bool(value) => Ok(Term::Bool(*value)),
        Value::Number(number) => {
            let number = number.as_i64().map(Term::Int);
            number.ok_or_else(|| bad(format!("{value}, but numbers must be whole")))
        }
        Value::String(name) => {
            let place = unknowns.iter().position(|unknown| unknown.name == *name);
            place
                .map(Term::Unknown)
                .ok_or_else(|| bad(format!("no variable is called {name}")))
        }
        Value::Array(items) => {
            let op = items.first().and_then(Value::as_str).and_then(Op::named);
            let op = op.ok_or_else(|| bad(format!("{value} does not begin with an operator")))?;
            let terms = items[1..].iter().map(|item| term(item, unknowns));
            Ok(Term::Apply(op, terms.collect::<Result<_>>()?))
        }
        other => Err(bad(format!("{other} is no expression"))),
    }
}

fn problem(case: &Case) -> Result<Problem> {
    let unknowns = list(field(case, "variables")?, "variables")?;
    let unknowns: Vec<Unknown> = unknowns.iter().map(unknown).collect::<Result<_>>()?;
    let constraints = list(field(case, "constraints")?, "constraints")?.iter();
    let constraints = constraints
        .map(|value| term(value, &unknowns))
        .collect::<Result<_>>()?;
    Ok(Problem {
        unknowns,
        constraints,
    })
}

/// A value of an unknown as the cases write it.
fn value(unknown: &Unknown, number: i64) -> Value {
    match unknown.domain {
        Domain::Bool => (number == 1).into(),
        Domain::Int { .. } => number.into(),
    }
}

fn output(value: Value) -> Outputs {
    Outputs {
        value,
        ..Outputs::default()
    }
}

fn solve(case: &Case) -> Result<Outputs> {
    let problem = problem(case)?;
    let most = case.config::<usize>("max_solutions")?;
    let solved = solver::solve(&problem, &Embedded::default(), most).map_err(unsolved)?;
    let named = |values: &mut dyn Iterator<Item = (usize, i64)>| -> Value {
        let entries = values.map(|(place, number)| {
            let unknown = &problem.unknowns[place];
            (unknown.name.clone(), value(unknown, number))
        });
        Value::Object(entries.collect::<Map<_, _>>())
    };
    let forced = solved
        .forced
        .iter()
        .enumerate()
        .filter_map(|(i, number)| Some((i, (*number)?)));
    Ok(output(json!({
        "solutions": solved.count,
        "unique": solved.unique.map(|all| named(&mut all.into_iter().enumerate())),
        "forced": named(&mut { forced }),
    })))
}

fn optimize(case: &Case) -> Result<Outputs> {
    let problem = problem(case)?;
    let objective = term(field(case, "objective")?, &problem.unknowns)?;
    let direction: Direction = serde_json::from_value(field(case, "direction")?.clone())
        .map_err(|error| bad(format!("direction: {error}")))?;
    let best = solver::optimize(&problem, &Embedded::default(), &objective, direction)
        .map_err(unsolved)?;
    Ok(output(json!({
        "value": best.map(|(value, _)| value),
        "optimal_solutions": best.map_or(0, |(_, count)| count),
    })))
}

fn options(case: &Case) -> Result<Outputs> {
    let problem = problem(case)?;
    let options = list(field(case, "options")?, "options")?.iter();
    let options: Vec<Term> = options
        .map(|value| term(value, &problem.unknowns))
        .collect::<Result<_>>()?;
    let (any, all) = solver::options(&problem, &Embedded::default(), &options).map_err(unsolved)?;
    Ok(output(json!({ "any": any, "all": all })))
}

fn rate(case: &Case) -> Result<Outputs> {
    let decimals = case.config::<usize>("decimals")?;
    let records: Vec<Measures> = serde_json::from_value(field(case, "records")?.clone())
        .map_err(|error| bad(format!("records: {error}")))?;
    Ok(output(
        json!({ "difficulty": difficulty(&records, decimals) }),
    ))
}

fn policy(case: &Case) -> Result<Outputs> {
    let device = Device::default().autodiff();
    let grpo: Grpo = serde_json::from_value(case.config.clone())
        .map_err(|error| bad(format!("config: {error}")))?;
    let log_probs: Tensor<3> = case.tensor("in.log_probs", &device)?.require_grad();
    let reference = case
        .has("in.reference")
        .then(|| case.tensor("in.reference", &device));
    let advantages = grpo.advantages(case.tensor("in.rewards", &device)?);
    let loss = grpo
        .loss(
            log_probs.clone(),
            case.tensor("in.old", &device)?,
            reference.transpose()?,
            case.tensor("in.mask", &device)?,
            advantages.clone(),
        )
        .map_err(refused)?;
    let gradients = loss.clone().backward();
    let mut outputs = Outputs::default();
    outputs.put("out.advantages", advantages);
    outputs.put("out.loss", loss);
    let zero = || Tensor::zeros(log_probs.dims(), &device.clone().inner());
    outputs.put(
        "grad.log_probs",
        log_probs.grad(&gradients).unwrap_or_else(zero),
    );
    Ok(outputs)
}
