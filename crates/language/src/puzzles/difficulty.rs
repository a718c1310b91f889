//! How hard puzzles are, among each other.

use super::puzzle::{Measures, Puzzle};

/// From this difficulty on a puzzle is hard.
pub const HARD: f64 = 0.5;

/// Difficulty of each puzzle, 0 to 1: the mean of text length, number of conditions and number of unknowns, each scaled
/// between the smallest and the largest of all (0.5 where all are equal), and of the variable scale; rounded to so many
/// decimals.
///
/// Source: the authors' `cal_difficulty.py`.
pub fn difficulty(records: &[Measures], decimals: usize) -> Vec<f64> {
    let scaled = |measure: fn(&Measures) -> f64| -> Vec<f64> {
        let values: Vec<f64> = records.iter().map(measure).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let scale = |value| {
            if low == high {
                0.5
            } else {
                (value - low) / (high - low)
            }
        };
        values.into_iter().map(scale).collect()
    };
    let lengths = scaled(|measures| measures.text_length as f64);
    let conditions = scaled(|measures| measures.conditions as f64);
    let symbols = scaled(|measures| measures.symbols as f64);
    let mean =
        |i: usize| (lengths[i] + conditions[i] + symbols[i] + records[i].variable_scale) / 4.0;
    // Printing rounds the exact binary value, ties to even, as Python's round does.
    let round = |value: f64| format!("{value:.decimals$}").parse().unwrap_or(value);
    (0..records.len()).map(|i| round(mean(i))).collect()
}

/// Writes each puzzle's difficulty among the puzzles of its own seed puzzle.
pub fn rate(puzzles: &mut [Puzzle]) {
    let mut names: Vec<String> = puzzles
        .iter()
        .map(|puzzle| puzzle.seed_puzzle.clone())
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let mut of_seed: Vec<&mut Puzzle> = puzzles
            .iter_mut()
            .filter(|p| p.seed_puzzle == name)
            .collect();
        let measures: Vec<Measures> = of_seed.iter().map(|puzzle| puzzle.measures).collect();
        for (puzzle, value) in of_seed.iter_mut().zip(difficulty(&measures, 3)) {
            puzzle.difficulty = Some(value);
        }
    }
}
