//! Language modeling: windows of text, and how well a model tells each next byte, at its own length and beyond.

use super::settings::{GlaSettings, TextKind};
use super::training::{Batch, loss};
use burn::tensor::{Device, Int, Tensor, TensorData};
use offprint_backbones::Gpt;
use offprint_data::text;
use offprint_lab::Result;
use offprint_layers::Context;

/// Bytes that the texts have: they are ASCII.
pub const BYTES: usize = 128;

/// How many times longer test windows are than training windows.
pub const BEYOND: usize = 8;

/// The texts of a trial, each cut into training, validation and test part.
pub struct Texts {
    parts: Vec<[Vec<u8>; 3]>,
    context: usize,
    windows: usize,
}

/// Which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Validation = 1,
    Test = 2,
}

impl Texts {
    /// Eight tenths to train, a tenth to validate, a tenth to test.
    pub fn load(settings: &GlaSettings) -> Self {
        let texts = match settings.text {
            TextKind::Both => vec![text::shakespeare(), text::king_james()],
            TextKind::Shakespeare => vec![text::shakespeare()],
            TextKind::KingJames => vec![text::king_james()],
        };
        let cut = |text: String| {
            let bytes = text.into_bytes();
            let (first, second) = (bytes.len() / 10 * 8, bytes.len() / 10 * 9);
            [&bytes[..first], &bytes[first..second], &bytes[second..]].map(<[u8]>::to_vec)
        };
        Self {
            parts: texts.into_iter().map(cut).collect(),
            context: settings.context,
            windows: settings.windows,
        }
    }

    /// Random windows of a step, from each text in turn.
    pub fn batch(&self, seed: u64, step: u64, rows: usize, device: &Device) -> Batch {
        let windows = (0..rows).map(|row| {
            let [train, ..] = &self.parts[row % self.parts.len()];
            let places = train.len() - self.context;
            let start = Context::training(seed)
                .branch(step)
                .branch(row as u64 + 1)
                .seed
                % places as u64;
            &train[start as usize..][..self.context + 1]
        });
        batch(windows, self.context, device)
    }

    /// Nats a byte on the windows of a part, evenly spread, cut into pieces of `length`.
    ///
    /// # Errors
    /// The model refuses the tokens.
    pub fn score(&self, gpt: &Gpt, part: Part, length: usize, device: &Device) -> Result<f64> {
        let whole = BEYOND * self.context;
        let mut sum = 0.0;
        for index in 0..self.windows {
            let text = &self.parts[index % self.parts.len()][part as usize];
            let room = text.len() - whole - 1;
            let start = room * index / self.windows;
            let pieces =
                (0..whole / length).map(|piece| &text[start + piece * length..][..length + 1]);
            let Batch { tokens, targets } = batch(pieces, length, device);
            let loss = loss(gpt, tokens, targets, Context::EVALUATION)?;
            sum += f64::from(loss.into_scalar::<f32>());
        }
        Ok(sum / self.windows as f64)
    }
}

/// Windows of `length + 1` bytes: all but the last are read, all but the first asked for.
fn batch<'a>(windows: impl Iterator<Item = &'a [u8]>, length: usize, device: &Device) -> Batch {
    let (mut tokens, mut targets) = (Vec::new(), Vec::new());
    for window in windows {
        tokens.extend(window[..length].iter().map(|&byte| i64::from(byte)));
        targets.extend(window[1..].iter().map(|&byte| i64::from(byte)));
    }
    let (rows, count) = (tokens.len() / length, targets.len());
    Batch {
        tokens: Tensor::<2, Int>::from_data(TensorData::new(tokens, [rows, length]), device),
        targets: Tensor::<1, Int>::from_data(TensorData::new(targets, [count]), device),
    }
}
