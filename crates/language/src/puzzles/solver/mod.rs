//! Solvers: all solutions, optima and minimal unsatisfiable cores of a [`Problem`].

mod embedded;
mod exhaustive;
mod network;
mod propagate;
#[cfg(test)]
mod tests;
#[cfg(feature = "z3")]
mod z3;

#[cfg(feature = "z3")]
pub use self::z3::Z3;
pub use embedded::Embedded;
pub use exhaustive::Exhaustive;

use super::{
    problem::{Problem, ProblemError},
    term::{Op, Term},
};
use serde::{Deserialize, Serialize};

/// Solutions of a problem: the values of all unknowns, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Solutions {
    pub assignments: Vec<Vec<i64>>,
    /// Whether these are all.
    pub complete: bool,
}

/// Which way an objective is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Minimize,
    Maximize,
}

/// Why a solver gives no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SolveError {
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// Unlike an answer "there is none", this says nothing about the solutions.
    #[error("the solver gave up after {splits} steps")]
    GaveUp { splits: u64 },
    #[error("{solver} gave up: {reason}")]
    Unknown {
        solver: &'static str,
        reason: String,
    },
}

/// Finds solutions. Every solver gives the same answers: solutions are sorted, and a core is minimal.
pub trait Solver: Sync {
    /// Its name, as `--solver` takes it.
    fn name(&self) -> &'static str;

    /// At most `most` solutions.
    ///
    /// # Errors
    /// The problem is not [valid](Problem::validate), or the solver gives up: a puzzle is never called unique because of
    /// that.
    fn solutions(&self, problem: &Problem, most: usize) -> Result<Solutions, SolveError>;

    /// The best value of an objective; `None` if there is no solution.
    ///
    /// # Errors
    /// As [`Solver::solutions`].
    fn optimum(
        &self,
        problem: &Problem,
        objective: &Term,
        direction: Direction,
    ) -> Result<Option<i64>, SolveError>;

    /// Numbers of constraints that no assignment satisfies together; `None` if one satisfies all. Without any of them
    /// there is one: constraints are taken away as long as the rest stays contradictory.
    ///
    /// # Errors
    /// As [`Solver::solutions`].
    fn core(&self, problem: &Problem) -> Result<Option<Vec<usize>>, SolveError> {
        let satisfiable = |core: &[usize]| {
            let constraints = core
                .iter()
                .map(|&i| problem.constraints[i].clone())
                .collect();
            let unknowns = problem.unknowns.clone();
            let part = Problem {
                unknowns,
                constraints,
            };
            Ok::<bool, SolveError>(!self.solutions(&part, 1)?.assignments.is_empty())
        };
        let mut core: Vec<usize> = (0..problem.constraints.len()).collect();
        if satisfiable(&core)? {
            return Ok(None);
        }
        let mut place = 0;
        while place < core.len() {
            let mut rest = core.clone();
            rest.remove(place);
            if satisfiable(&rest)? {
                place += 1;
            } else {
                core = rest;
            }
        }
        Ok(Some(core))
    }
}

/// What is to be known of a problem's solutions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solved {
    /// Number of solutions, at most the cap.
    pub count: usize,
    /// The only solution.
    pub unique: Option<Vec<i64>>,
    /// Of each unknown, the value that it has in every solution.
    pub forced: Vec<Option<i64>>,
}

/// Solves a problem, counting at most `most` solutions; what is forced is exact all the same.
///
/// # Errors
/// As [`Solver::solutions`].
pub fn solve(problem: &Problem, solver: &dyn Solver, most: usize) -> Result<Solved, SolveError> {
    let found = solver.solutions(problem, most)?;
    let all = &found.assignments;
    let mut forced: Vec<Option<i64>> = match all.split_first() {
        Some((first, rest)) => first
            .iter()
            .enumerate()
            .map(|(i, value)| {
                rest.iter()
                    .all(|other| other[i] == *value)
                    .then_some(*value)
            })
            .collect(),
        None => vec![None; problem.unknowns.len()],
    };
    if !found.complete {
        for (unknown, forced) in forced.iter_mut().enumerate() {
            let Some(value) = *forced else { continue };
            let value = match problem.unknowns[unknown].domain {
                super::problem::Domain::Bool => Term::Bool(value == 1),
                super::problem::Domain::Int { .. } => Term::Int(value),
            };
            let other = Term::binary(Op::NotEqual, Term::Unknown(unknown), value);
            if !solver
                .solutions(&problem.with(other), 1)?
                .assignments
                .is_empty()
            {
                *forced = None;
            }
        }
    }
    Ok(Solved {
        count: all.len(),
        unique: (found.complete && all.len() == 1).then(|| all[0].clone()),
        forced,
    })
}

/// Which options hold in some and which in all solutions; without a solution, none does.
///
/// # Errors
/// As [`Solver::solutions`].
pub fn options(
    problem: &Problem,
    solver: &dyn Solver,
    options: &[Term],
) -> Result<(Vec<usize>, Vec<usize>), SolveError> {
    let holds = |term: Term| {
        Ok::<bool, SolveError>(
            !solver
                .solutions(&problem.with(term), 1)?
                .assignments
                .is_empty(),
        )
    };
    let (mut any, mut all) = (Vec::new(), Vec::new());
    for (index, option) in options.iter().enumerate() {
        let some = holds(option.clone())?;
        if some {
            any.push(index);
        }
        if some && !holds(option.clone().negated())? {
            all.push(index);
        }
    }
    Ok((any, all))
}

/// The best value of an objective and the number of solutions that reach it; `None` if there is no solution.
///
/// # Errors
/// As [`Solver::solutions`].
pub fn optimize(
    problem: &Problem,
    solver: &dyn Solver,
    objective: &Term,
    direction: Direction,
) -> Result<Option<(i64, usize)>, SolveError> {
    let Some(value) = solver.optimum(problem, objective, direction)? else {
        return Ok(None);
    };
    let best = problem.with(Term::binary(Op::Equal, objective.clone(), Term::Int(value)));
    Ok(Some((
        value,
        solver.solutions(&best, usize::MAX)?.assignments.len(),
    )))
}
