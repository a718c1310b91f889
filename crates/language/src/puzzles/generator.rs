//! Puzzles from a specification, each by its index.

use super::{
    build::{Failure, Rejection},
    draw::stream,
    puzzle::{Puzzle, Source, assemble, check_wording},
    solver::Solver,
    spec::{Spec, SpecError},
};
use rayon::prelude::*;
use std::{collections::BTreeMap, fmt};

/// Draws for one puzzle before the generator gives up.
pub const ATTEMPTS: u64 = 2000;

/// Rounds without any draw that fulfils a formula, and nothing else, after which it counts as impossible.
const HOPELESS: u64 = 20;

/// Makes the puzzles of a specification: number `index` is a function of the specification, the seed and the index.
///
/// Source: Li et al., "PuzzleClone", 2025: "generating scalable variants through systematic variable and constraint
/// randomization".
#[derive(Clone, Debug)]
pub struct Generator {
    spec: Spec,
    seed: u64,
    wording: String,
}

/// Why there is no puzzle of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GenerateError {
    /// The specification is wrong for some values that may be drawn.
    Spec(SpecError),
    /// Every draw was thrown away.
    Rejected {
        index: u64,
        reasons: BTreeMap<Rejection, u64>,
    },
}

impl std::error::Error for GenerateError {}

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GenerateError::Spec(error) => error.fmt(f),
            GenerateError::Rejected { index, reasons } => {
                let reasons: Vec<String> = reasons
                    .iter()
                    .map(|(reason, count)| format!("{count} × {}", reason.about()))
                    .collect();
                write!(
                    f,
                    "puzzle {index}: gave up after {ATTEMPTS} draws: {}",
                    reasons.join(", ")
                )
            }
        }
    }
}

impl Generator {
    /// A generator with the specification's usual wording.
    pub fn new(spec: Spec, seed: u64) -> Self {
        let wording = spec.wordings[0].clone();
        Self {
            spec,
            seed,
            wording,
        }
    }

    /// The same puzzles in another wording.
    ///
    /// # Errors
    /// The specification has no such wording.
    pub fn with_wording(mut self, wording: &str) -> Result<Self, SpecError> {
        check_wording(&self.spec, wording)?;
        self.wording = wording.into();
        Ok(self)
    }

    /// The specification.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The puzzle of an index: draws until one has a solution and one answer to each question.
    ///
    /// # Errors
    /// The specification is wrong for drawn values, or [`ATTEMPTS`] draws were all thrown away, and why.
    pub fn puzzle(&self, index: u64, solver: &dyn Solver) -> Result<Puzzle, GenerateError> {
        let mut draw = stream(self.seed, index);
        let mut reasons = BTreeMap::new();
        for rejected in 0..ATTEMPTS {
            match assemble(&self.spec, solver, &self.wording, Source::Drawn(&mut draw)) {
                Ok(puzzle) => {
                    let (seed, index) = (self.seed, index);
                    return Ok(Puzzle {
                        seed,
                        index,
                        rejected,
                        ..puzzle
                    });
                }
                Err(Failure::Spec(error)) => return Err(GenerateError::Spec(error)),
                Err(Failure::NoDraw(error)) => {
                    let count = reasons.entry(Rejection::NoDraw).or_insert(0);
                    *count += 1;
                    if *count == HOPELESS && reasons.len() == 1 {
                        return Err(GenerateError::Spec(error));
                    }
                }
                Err(Failure::Rejected(reason)) => *reasons.entry(reason).or_insert(0) += 1,
            }
        }
        Err(GenerateError::Rejected { index, reasons })
    }

    /// Puzzles of several indices, in their order, made on all threads of rayon's pool.
    ///
    /// # Errors
    /// As [`Generator::puzzle`], of the first index that fails.
    pub fn puzzles(
        &self,
        indices: std::ops::Range<u64>,
        solver: &dyn Solver,
    ) -> Result<Vec<Puzzle>, GenerateError> {
        indices
            .into_par_iter()
            .map(|index| self.puzzle(index, solver))
            .collect()
    }
}
