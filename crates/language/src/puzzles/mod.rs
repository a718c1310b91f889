//! Puzzles with answers that are proved: a specification language, a generator and solvers.
//!
//! A [`Spec`] says what a seed puzzle is made of: variables to draw, unknowns, constraints, statements and clues to draw,
//! texts and questions. A [`Generator`] draws, a [`Solver`] proves that each question has exactly one answer, and a
//! [`Puzzle`] keeps every choice in its [`Configuration`], so that it can be made and solved again.
//!
//! ```
//! use offprint_language::puzzles::{Embedded, Generator, Verdict, seeds};
//!
//! let spec = seeds::get("islanders").unwrap();
//! let puzzle = Generator::new(spec.clone(), 7).puzzle(3, &Embedded::default())?;
//! assert_eq!(puzzle.reproduce(&spec, &Embedded::default())?, puzzle);
//! assert_eq!(puzzle.verify(0, &puzzle.questions[0].answer), Verdict::Right);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Source: "PuzzleClone: An SMT-Powered Framework for Synthesizing Verifiable Data", arXiv 2508.15180, 2025. Specifications,
//! texts and code here are our own.

mod build;
mod configuration;
mod difficulty;
mod draw;
mod explain;
mod formula;
mod generator;
mod original;
mod problem;
mod puzzle;
pub mod seeds;
mod sets;
pub mod solver;
mod spec;
mod term;
#[cfg(test)]
mod tests;

pub use build::{DRAWS, Rejection};
pub use configuration::{Configuration, Drawn};
pub use difficulty::{HARD, difficulty, rate};
pub use explain::{Explanation, explain};
pub use formula::{Formula, Template, Value, Wrong};
pub use generator::{ATTEMPTS, GenerateError, Generator};
pub use problem::{Domain, Problem, ProblemError, Unknown};
pub use puzzle::{Format, Measures, Puzzle, Question, Verdict};
pub use sets::{Part, duplicates, is_hard, split};
#[cfg(feature = "z3")]
pub use solver::Z3;
pub use solver::{Direction, Embedded, Exhaustive, SolveError, Solver};
pub use spec::{Spec, SpecError};
pub use term::{Op, Term};
