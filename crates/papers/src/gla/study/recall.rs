//! Recall: pairs of keys and values, and which value belongs to a key.

use super::settings::GlaSettings;
use super::training::{Batch, IGNORED};
use crate::explain::explain;
use burn::tensor::{Device, Int, Tensor, TensorData};
use offprint_backbones::Gpt;
use offprint_data::mqar::{Mqar, Recall};
use offprint_lab::{Error, Result};
use offprint_layers::Context;

/// Sequences on which recall is scored.
const SCORED: u64 = 256;

/// Seed of the sequences that are scored; training takes the trial's, of which no user writes so large a one.
const TEST: u64 = u64::MAX;

/// The task of these settings.
pub fn task(settings: &GlaSettings) -> Mqar {
    Mqar {
        symbols: settings.symbols,
        pairs: settings.pairs,
        length: settings.recall_length,
    }
}

/// The sequences with these numbers.
pub fn batch(
    task: Mqar,
    seed: u64,
    numbers: std::ops::Range<u64>,
    device: &Device,
) -> Result<Batch> {
    let sequences = sequences(task, seed, numbers)?;
    let mut targets = vec![IGNORED; sequences.len() * task.length];
    for (recall, targets) in sequences.iter().zip(targets.chunks_exact_mut(task.length)) {
        for (place, answer) in &recall.answers {
            targets[*place] = *answer as i64;
        }
    }
    let count = targets.len();
    Ok(Batch {
        tokens: tokens(&sequences, task, device),
        targets: Tensor::<1, Int>::from_data(TensorData::new(targets, [count]), device),
    })
}

/// Share of the keys asked for whose value is the likeliest token.
///
/// # Errors
/// The model refuses the tokens.
pub fn score(gpt: &Gpt, task: Mqar, device: &Device) -> Result<f64> {
    let (mut right, mut asked) = (0, 0);
    for first in (0..SCORED).step_by(32) {
        let sequences = sequences(task, TEST, first..first + 32)?;
        let output = gpt
            .forward(tokens(&sequences, task, device), Context::EVALUATION)
            .map_err(|error| Error::run(error.to_string()))?;
        let likeliest = output.output.argmax(2).into_data();
        let likeliest: Vec<i64> = likeliest.iter::<i64>().collect();
        for (recall, likeliest) in sequences.iter().zip(likeliest.chunks_exact(task.length)) {
            let answers = recall.answers.iter();
            right += answers
                .filter(|(place, answer)| likeliest[*place] == *answer as i64)
                .count();
            asked += recall.answers.len();
        }
    }
    Ok(right as f64 / asked as f64)
}

fn sequences(task: Mqar, seed: u64, numbers: std::ops::Range<u64>) -> Result<Vec<Recall>> {
    numbers
        .map(|number| task.sequence(seed, number))
        .collect::<std::result::Result<_, _>>()
        .map_err(explain)
}

fn tokens(sequences: &[Recall], task: Mqar, device: &Device) -> Tensor<2, Int> {
    let tokens: Vec<i64> = sequences
        .iter()
        .flat_map(|recall| recall.tokens.iter().map(|token| *token as i64))
        .collect();
    Tensor::from_data(
        TensorData::new(tokens, [sequences.len(), task.length]),
        device,
    )
}
