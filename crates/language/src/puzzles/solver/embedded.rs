//! The embedded solver: propagation of intervals and sets, and search.

use super::{
    Direction, Solutions, SolveError, Solver,
    network::{Narrowed, Network},
};
use crate::puzzles::{draw::Draw, problem::Problem, term::Term};

/// Finite-domain solver in Rust: nothing to install.
///
/// Every term has an interval and every unknown a set of values. An operator narrows its result from its arguments and
/// its arguments from its result until nothing changes (bounds consistency, HC4 of Benhamou et al. 1999; `distinct`
/// also counts values); then the unknown with the fewest values is split. Solutions come out sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// Most splits before it gives up.
    pub splits: u64,
}

impl Default for Embedded {
    fn default() -> Self {
        Self { splits: 2_000_000 }
    }
}

impl Solver for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn solutions(&self, problem: &Problem, most: usize) -> Result<Solutions, SolveError> {
        problem.validate()?;
        let mut found = Vec::new();
        let mut search = Search::new(problem, self.splits, None);
        let mut complete = true;
        if search.require(problem).is_ok() {
            while search.next()? {
                if found.len() == most {
                    complete = false;
                    break;
                }
                found.push(search.assignment());
            }
        }
        found.sort_unstable();
        Ok(Solutions {
            assignments: found,
            complete,
        })
    }

    fn optimum(
        &self,
        problem: &Problem,
        objective: &Term,
        direction: Direction,
    ) -> Result<Option<i64>, SolveError> {
        problem.validate()?;
        problem.bounds(objective)?;
        let mut search = Search::new(problem, self.splits, None);
        search.objective = Some((search.network.term(objective) as usize, direction));
        if search.require(problem).is_ok() {
            while search.next()? {}
        }
        Ok(search.best)
    }
}

impl Embedded {
    /// One solution, unknowns and values taken in random order, so that every solution may come out.
    pub(crate) fn any_solution(
        &self,
        problem: &Problem,
        draw: &mut Draw,
    ) -> Result<Option<Vec<i64>>, SolveError> {
        problem.validate()?;
        let mut search = Search::new(problem, self.splits, Some(draw));
        if search.require(problem).is_err() || !search.next()? {
            return Ok(None);
        }
        Ok(Some(search.assignment()))
    }
}

/// A split that has another side.
struct Split {
    mark: usize,
    node: usize,
    side: Side,
}

/// What is tried first; the other side is its opposite.
#[derive(Clone, Copy)]
enum Side {
    Value(i64),
    AtMost(i64),
}

struct Search<'a> {
    network: Network,
    splits: Vec<Split>,
    left: u64,
    allowed: u64,
    started: bool,
    draw: Option<&'a mut Draw>,
    objective: Option<(usize, Direction)>,
    best: Option<i64>,
}

impl<'a> Search<'a> {
    fn new(problem: &Problem, splits: u64, draw: Option<&'a mut Draw>) -> Self {
        Self {
            network: Network::new(problem),
            splits: Vec::new(),
            left: splits,
            allowed: splits,
            started: false,
            draw,
            objective: None,
            best: None,
        }
    }

    fn require(&mut self, problem: &Problem) -> Narrowed {
        let mut constraints = problem.constraints.iter();
        constraints.try_for_each(|constraint| self.network.require(constraint))
    }

    fn assignment(&self) -> Vec<i64> {
        let nodes = self.network.unknowns.iter();
        nodes.map(|&node| self.network.low[node as usize]).collect()
    }

    /// Goes on to the next solution; with an objective, to a better one.
    fn next(&mut self) -> Result<bool, SolveError> {
        let mut narrowed = if std::mem::replace(&mut self.started, true) {
            match self.back() {
                Some(narrowed) => narrowed,
                None => return Ok(false),
            }
        } else {
            Ok(())
        };
        loop {
            if narrowed.and_then(|()| self.network.propagate()).is_err() {
                narrowed = match self.back() {
                    Some(narrowed) => narrowed,
                    None => return Ok(false),
                };
                continue;
            }
            let Some((node, side)) = self.choose() else {
                if let Some((objective, _)) = self.objective {
                    self.best = Some(self.network.low[objective]);
                }
                return Ok(true);
            };
            self.left = self.left.checked_sub(1).ok_or(SolveError::GaveUp {
                splits: self.allowed,
            })?;
            let mark = self.network.mark();
            self.splits.push(Split { mark, node, side });
            narrowed = match side {
                Side::Value(value) => self.network.set(node, value),
                Side::AtMost(value) => self.network.at_most(node, value),
            };
        }
    }

    /// Takes the other side of the last split; `None` if there is no split left.
    fn back(&mut self) -> Option<Narrowed> {
        let Split { mark, node, side } = self.splits.pop()?;
        self.network.undo(mark);
        let other = match side {
            Side::Value(value) => self.network.exclude(node, value),
            Side::AtMost(value) => self.network.at_least(node, value + 1),
        };
        Some(other.and_then(|()| self.bound()))
    }

    /// Only better values of the objective count once there is one.
    fn bound(&mut self) -> Narrowed {
        match (self.objective, self.best) {
            (Some((node, Direction::Maximize)), Some(best)) => {
                self.network.at_least(node, best + 1)
            }
            (Some((node, Direction::Minimize)), Some(best)) => self.network.at_most(node, best - 1),
            _ => Ok(()),
        }
    }

    /// The unknown with the fewest values, of equals the one in most terms, and what to try.
    fn choose(&mut self) -> Option<(usize, Side)> {
        let open: Vec<usize> = (0..self.network.unknowns.len())
            .filter(|&unknown| !self.network.fixed(self.network.unknowns[unknown] as usize))
            .collect();
        if let Some(draw) = self.draw.as_deref_mut() {
            let unknown = *open.get(draw.below(open.len().max(1)))?;
            let node = self.network.unknowns[unknown] as usize;
            let values = self.network.values(node);
            return Some((node, Side::Value(values[draw.below(values.len())])));
        }
        let rank = |&unknown: &usize| {
            let size = self.network.size(self.network.unknowns[unknown] as usize);
            (size, std::cmp::Reverse(self.network.degree(unknown)))
        };
        let unknown = open.into_iter().min_by_key(rank)?;
        let node = self.network.unknowns[unknown] as usize;
        let (low, high) = (self.network.low[node], self.network.high[node]);
        // A set of many values is halved: one refutation may then do for all of a half.
        Some(match self.network.size(node) {
            0..=8 => (node, Side::Value(low)),
            _ => (node, Side::AtMost(low + (high - low) / 2)),
        })
    }
}
