//! Which conditions make an answer the only one.

use super::{
    build::{Build, Choices, Failure},
    formula::Value,
    problem::Problem,
    puzzle::{Puzzle, explain as explain_failure},
    solver::{Direction, SolveError, Solver},
    spec::{QuestionKind, Spec, SpecError},
    term::{Op, Term},
};

/// Conditions that make an answer the only one; without any of them there are others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub question: String,
    pub answer: String,
    /// How each of them is said.
    pub conditions: Vec<String>,
    /// Number of conditions of the puzzle.
    pub of: usize,
}

/// Explains every question of a puzzle: a minimal unsatisfiable core of its conditions and of "the answer is another".
///
/// Where an answer cannot be written as a term over the unknowns (a sorted list, say), conditions are taken away as long
/// as all solutions of the rest still give it.
///
/// # Errors
/// The configuration does not fit the specification, or the solver gives up.
pub fn explain(
    puzzle: &Puzzle,
    spec: &Spec,
    solver: &dyn Solver,
) -> Result<Vec<Explanation>, SpecError> {
    let mut build = Build::new(
        spec,
        solver,
        &puzzle.wording,
        Choices::Recorded(&puzzle.configuration),
    )
    .map_err(explain_failure)?;
    let of = build.problem.constraints.len();
    let mut explanations = Vec::new();
    for (question, asked) in spec.questions.iter().zip(&puzzle.questions) {
        let core = match &question.kind {
            QuestionKind::Free { answer, .. } if spec.optimize.is_some() => {
                let by_value = build.unsolved(answer).filter(
                    |value| matches!(value, Value::Int(value) if Some(*value) == build.optimum),
                );
                match by_value {
                    Some(_) => better(&mut build, spec, solver),
                    None => Ok((0..of).collect()),
                }
            }
            QuestionKind::Free { answer, .. } if answer.parsed.expression.mentions("solutions") => {
                whole(&build, solver, spec.max_solutions)
            }
            QuestionKind::Free { answer, .. } => {
                free(&mut build, answer, solver, spec.max_solutions)
            }
            QuestionKind::Options { .. } => whole(&build, solver, spec.max_solutions),
        };
        let core = core.map_err(explain_failure)?;
        explanations.push(Explanation {
            question: asked.ask.clone(),
            answer: asked.answer.clone(),
            conditions: core
                .into_iter()
                .map(|place| build.labels[place].clone())
                .collect(),
            of,
        });
    }
    Ok(explanations)
}

type Core = Result<Vec<usize>, Failure>;

/// What keeps an objective from being better.
fn better(build: &mut Build, spec: &Spec, solver: &dyn Solver) -> Core {
    let (Some((direction, formula)), Some(best)) = (&spec.optimize, build.optimum) else {
        return Ok(Vec::new());
    };
    let objective = build.objective(formula)?;
    let op = match direction {
        Direction::Minimize => Op::Less,
        Direction::Maximize => Op::Greater,
    };
    let better = Term::binary(op, objective, Term::Int(best));
    conditions(build.problem.with(better), solver)
}

/// The conditions of a contradictory problem's core, whose last constraint is no condition.
fn conditions(problem: Problem, solver: &dyn Solver) -> Core {
    let last = problem.constraints.len() - 1;
    let core = solver.core(&problem)?.unwrap_or_default();
    Ok(core.into_iter().filter(|place| *place != last).collect())
}

fn free(
    build: &mut Build,
    answer: &super::spec::Sourced<super::formula::Formula>,
    solver: &dyn Solver,
    most: usize,
) -> Core {
    let solution = build.solutions[0].clone();
    let known = build.in_solution(answer, &solution)?;
    let unsolved = build.unsolved(answer);
    if let Some(value) = unsolved
        && let Some(same) = same(&value, &known)
    {
        return conditions(build.problem.with(same.negated()), solver);
    }
    let all = build.problem.constraints.clone();
    let mut core: Vec<usize> = (0..all.len()).collect();
    let mut place = 0;
    while place < core.len() {
        let mut rest = core.clone();
        rest.remove(place);
        let constraints = rest.iter().map(|&place| all[place].clone()).collect();
        let problem = Problem {
            unknowns: build.problem.unknowns.clone(),
            constraints,
        };
        let found = solver.solutions(&problem, most)?;
        let mut agree = found.complete;
        for solution in &found.assignments {
            agree = agree && build.in_solution(answer, solution)? == known;
        }
        if agree {
            core = rest;
        } else {
            place += 1;
        }
    }
    Ok(core)
}

/// That an answer is the known one, where it can be said so.
fn same(value: &Value, known: &Value) -> Option<Term> {
    match (value, known) {
        (Value::Unsolved(unsolved), known) => {
            let number = unsolved.number(known)?;
            Some(Term::binary(Op::Equal, unsolved.term.clone(), number))
        }
        (Value::List(items), Value::List(known)) if items.len() == known.len() => {
            let pairs = items
                .iter()
                .zip(known.iter())
                .filter(|(item, _)| !item.is_known());
            let terms: Option<Vec<Term>> = pairs.map(|(item, known)| same(item, known)).collect();
            let terms = terms?;
            (!terms.is_empty()).then_some(Term::Apply(Op::And, terms))
        }
        _ => None,
    }
}

/// What the set of solutions rests on.
fn whole(build: &Build, solver: &dyn Solver, most: usize) -> Core {
    let all = &build.problem.constraints;
    let mut core: Vec<usize> = (0..all.len()).collect();
    let mut place = 0;
    let solutions = |core: &[usize]| -> Result<_, SolveError> {
        let constraints = core.iter().map(|&place| all[place].clone()).collect();
        let problem = Problem {
            unknowns: build.problem.unknowns.clone(),
            constraints,
        };
        solver.solutions(&problem, most)
    };
    let expected = solutions(&core)?;
    while place < core.len() {
        let mut rest = core.clone();
        rest.remove(place);
        if solutions(&rest)? == expected {
            core = rest;
        } else {
            place += 1;
        }
    }
    Ok(core)
}
