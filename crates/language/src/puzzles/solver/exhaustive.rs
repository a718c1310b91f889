//! The slowest solver, which is plainly right.

use super::{Direction, Solutions, SolveError, Solver};
use crate::puzzles::{problem::Problem, term::Term};

/// Tries every assignment: the judge of the other solvers on small problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhaustive {
    /// Most assignments that it tries.
    pub assignments: u64,
}

impl Default for Exhaustive {
    fn default() -> Self {
        Self {
            assignments: 1_000_000,
        }
    }
}

impl Solver for Exhaustive {
    fn name(&self) -> &'static str {
        "exhaustive"
    }

    fn solutions(&self, problem: &Problem, most: usize) -> Result<Solutions, SolveError> {
        let mut solutions = Solutions {
            assignments: Vec::new(),
            complete: true,
        };
        self.each(problem, |assignment| {
            if solutions.assignments.len() == most {
                solutions.complete = false;
            } else {
                solutions.assignments.push(assignment.to_vec());
            }
            solutions.complete
        })?;
        Ok(solutions)
    }

    fn optimum(
        &self,
        problem: &Problem,
        objective: &Term,
        direction: Direction,
    ) -> Result<Option<i64>, SolveError> {
        problem.bounds(objective)?;
        let mut best = None;
        self.each(problem, |assignment| {
            let value = objective.evaluate(assignment);
            best = best
                .into_iter()
                .chain(value)
                .reduce(|a: i64, b| match direction {
                    Direction::Minimize => a.min(b),
                    Direction::Maximize => a.max(b),
                });
            true
        })?;
        Ok(best)
    }
}

impl Exhaustive {
    /// Calls a function with every solution, smallest first, until it says that this is enough.
    fn each(
        &self,
        problem: &Problem,
        mut solution: impl FnMut(&[i64]) -> bool,
    ) -> Result<(), SolveError> {
        problem.validate()?;
        let bounds: Vec<(i64, i64)> = problem.unknowns.iter().map(|u| u.domain.bounds()).collect();
        let sizes = bounds.iter().map(|(low, high)| (high - low + 1) as u64);
        let space = sizes.fold(1u64, u64::saturating_mul);
        if space > self.assignments {
            return Err(SolveError::GaveUp {
                splits: self.assignments,
            });
        }
        let mut assignment: Vec<i64> = bounds.iter().map(|bounds| bounds.0).collect();
        loop {
            let holds = |term: &Term| term.evaluate(&assignment) == Some(1);
            if problem.constraints.iter().all(holds) && !solution(&assignment) {
                return Ok(());
            }
            // The next one in lexicographic order.
            let Some(place) = (0..bounds.len())
                .rev()
                .find(|&i| assignment[i] < bounds[i].1)
            else {
                return Ok(());
            };
            assignment[place] += 1;
            for i in place + 1..bounds.len() {
                assignment[i] = bounds[i].0;
            }
        }
    }
}
