//! Short puzzles: those that are trained on, unseen variants of them, and other seed puzzles.

use crate::explain::explain;
use offprint_lab::{Error, Result};
use offprint_language::{
    puzzles::{Embedded, Generator, Part, Puzzle, Verdict, duplicates, rate, seeds, split},
    tuning::{Characters, Pair, Room},
};
use std::collections::{BTreeMap, BTreeSet};

/// Seed puzzles that are trained on.
const TRAINED: &[&str] = &["clock", "remainders", "three-sums", "two-numbers"];
/// Seed puzzles of other kinds that are not.
const HELD_OUT: &[&str] = &["ages", "heads-and-legs"];
/// Word problems that are not trained on.
const ARITHMETIC: &[&str] = &["change"];

/// Tokens of the longest prompt and answer of any short puzzle.
const ROOM: Room = Room {
    prompt: 26,
    answer: 3,
};

/// A puzzle with its tokens.
pub struct Item {
    pub puzzle: Puzzle,
    pub pair: Pair,
}

impl Item {
    /// Whether tokens are the right answer.
    pub fn right(&self, characters: &Characters, answer: &[usize]) -> bool {
        self.puzzle.verify(0, &characters.decode(answer)) == Verdict::Right
    }
}

/// All sets of puzzles.
pub struct Sets {
    pub characters: Characters,
    pub room: Room,
    pub train: Vec<Item>,
    pub validation: Vec<Item>,
    pub test: Vec<Item>,
    pub held_out: Vec<Item>,
    pub arithmetic: Vec<Item>,
}

impl Sets {
    /// Makes the puzzles of a seed.
    pub fn new(puzzles: u64, seed: u64) -> Result<Self> {
        let trained = of(TRAINED, puzzles, seed)?;
        let held_out = of(HELD_OUT, puzzles.min(300), seed)?;
        let arithmetic = of(ARITHMETIC, puzzles.min(300), seed)?;
        // Every short puzzle is written with these; a model must be able to read those that it is not trained on.
        let characters = Characters::of(["0123456789abcdefghijklmnopqrstuvwxyz =+-*%?"]);
        let item = |puzzle: Puzzle| {
            let question = puzzle.prompt().replace('\n', "");
            let pair = Pair {
                prompt: ROOM.prompt(&characters, &question).map_err(explain)?,
                answer: ROOM
                    .answer(&characters, &puzzle.questions[0].answer)
                    .map_err(explain)?,
            };
            Ok(Item { puzzle, pair })
        };
        let items =
            |puzzles: Vec<Puzzle>| puzzles.into_iter().map(item).collect::<Result<Vec<_>>>();
        let parts = split(&trained, &BTreeSet::new(), seed);
        let part = |wanted: Part| {
            let chosen = trained
                .iter()
                .zip(&parts)
                .filter(|(_, part)| **part == wanted);
            items(chosen.map(|(puzzle, _)| puzzle.clone()).collect())
        };
        Ok(Self {
            train: part(Part::Train)?,
            validation: part(Part::Validation)?,
            test: part(Part::Test)?,
            held_out: items(held_out)?,
            arithmetic: items(arithmetic)?,
            room: ROOM,
            characters,
        })
    }

    /// Accuracy on test puzzles of always giving the commonest training answer of a seed puzzle.
    pub fn constant(&self) -> f64 {
        let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for item in &self.train {
            let answers = counts.entry(&item.puzzle.seed_puzzle).or_default();
            *answers.entry(&item.puzzle.questions[0].answer).or_default() += 1;
        }
        let commonest: BTreeMap<&str, &str> = counts
            .into_iter()
            .filter_map(|(name, answers)| {
                Some((name, answers.into_iter().max_by_key(|(_, count)| *count)?.0))
            })
            .collect();
        let right = self.test.iter().filter(|item| {
            commonest.get(&*item.puzzle.seed_puzzle) == Some(&&*item.puzzle.questions[0].answer)
        });
        right.count() as f64 / self.test.len().max(1) as f64
    }
}

/// Short puzzles of some seed puzzles, none twice.
fn of(names: &[&str], count: u64, seed: u64) -> Result<Vec<Puzzle>> {
    let mut all = Vec::new();
    for name in names {
        let spec = seeds::get(name).ok_or_else(|| Error::run(format!("no seed puzzle {name}")))?;
        let generator = Generator::new(spec, seed).with_wording("short");
        let puzzles = generator
            .map_err(|error| Error::run(error.to_string()))?
            .puzzles(0..count, &Embedded::default())
            .map_err(|error| Error::run(error.to_string()))?;
        all.extend(puzzles);
    }
    // Names and themes do not show in a short puzzle, so that equal prompts are equal puzzles.
    let twice: BTreeSet<usize> = duplicates(&all).into_iter().collect();
    let mut seen = BTreeSet::new();
    let mut kept: Vec<Puzzle> = all
        .into_iter()
        .enumerate()
        .filter(|(place, puzzle)| !twice.contains(place) && seen.insert(puzzle.prompt()))
        .map(|(_, puzzle)| puzzle)
        .collect();
    rate(&mut kept);
    Ok(kept)
}
