//! Sets of puzzles: without duplicates, and split.

use super::{difficulty::HARD, draw::Draw, puzzle::Puzzle};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Places of the puzzles that say nothing new: the same seed puzzle with the same numbers and draws as an earlier one,
/// whatever the names; see [`Configuration::signature`](super::Configuration::signature).
pub fn duplicates(puzzles: &[Puzzle]) -> Vec<usize> {
    let mut seen = HashSet::new();
    let new = |puzzle: &Puzzle| (puzzle.seed_puzzle.clone(), puzzle.configuration.signature());
    let places = puzzles.iter().enumerate();
    places
        .filter(|(_, puzzle)| !seen.insert(new(puzzle)))
        .map(|(place, _)| place)
        .collect()
}

/// A part of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Train,
    Validation,
    /// Unseen variants of the seed puzzles that are trained on.
    Test,
    /// Seed puzzles that nothing is trained on.
    HeldOut,
}

impl Part {
    /// Name of its files.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Validation => "validation",
            Part::Test => "test",
            Part::HeldOut => "held-out",
        }
    }
}

/// The part of each puzzle: the named seed puzzles are held out; of each other one 80 % train, 10 % validate, 10 % test,
/// normal and hard puzzles apart. Nothing stands in two parts.
pub fn split(puzzles: &[Puzzle], held_out: &BTreeSet<String>, seed: u64) -> Vec<Part> {
    let mut parts = vec![Part::HeldOut; puzzles.len()];
    let mut groups: BTreeMap<(&str, bool), Vec<usize>> = BTreeMap::new();
    for (place, puzzle) in puzzles.iter().enumerate() {
        if !held_out.contains(&puzzle.seed_puzzle) {
            let group = (&*puzzle.seed_puzzle, is_hard(puzzle));
            groups.entry(group).or_default().push(place);
        }
    }
    for (number, places) in groups.into_values().enumerate() {
        let order = Draw::new(b"offprint split  ", seed, number as u64).permutation(places.len());
        let (train, validation) = (places.len() * 8 / 10, places.len() * 9 / 10);
        for (rank, place) in order.into_iter().enumerate() {
            parts[places[place]] = match rank {
                _ if rank < train => Part::Train,
                _ if rank < validation => Part::Validation,
                _ => Part::Test,
            };
        }
    }
    parts
}

/// Whether a rated puzzle is hard.
pub fn is_hard(puzzle: &Puzzle) -> bool {
    puzzle
        .difficulty
        .is_some_and(|difficulty| difficulty >= HARD)
}
