//! Time by length: the token mixer of an arm, forward and backward, on one sequence.

use super::model::positions;
use super::settings::GlaSettings;
use crate::explain::explain;
use burn::tensor::{Device, Distribution, Tensor};
use offprint_backbones::Positions;
use offprint_lab::{
    Result,
    table::{Cell, Table},
    trial::Trial,
};
use offprint_layers::{Attend, AttentionConfig, TokenMixer};
use std::time::Instant;

/// The length that a claim is about.
pub const CLAIMED: usize = 4096;

/// The shortest length that is timed.
const SHORTEST: usize = 256;

/// The shortest length that the slope looks at: below, the time is that of the calls.
const SLOPED: usize = 1024;

const HEADS: usize = 4;

/// Times the mixer of an arm and reports the curve, the time at the claimed length and the slope.
///
/// # Errors
/// The table cannot be written.
pub fn time(trial: &mut Trial<GlaSettings>, mixer: TokenMixer) -> Result<()> {
    let settings = trial.settings().clone();
    let longest = match trial.seed() {
        0 => settings.longest,
        _ => settings.timed_length,
    };
    let device = trial.device();
    let width = settings.timed_width;
    let place = AttentionConfig {
        causal: true,
        bias: false,
        output_bias: false,
        rotary: match positions(mixer) {
            Positions::Rotary(rotary) => Some(rotary),
            _ => None,
        },
        ..AttentionConfig::new(width, HEADS)
    };
    let layer = mixer.init(&place, &device).map_err(explain)?;
    let mut timed: Vec<(usize, f64)> = Vec::new();
    let lengths = std::iter::successors(Some(SHORTEST), |length| Some(2 * length));
    for length in lengths.take_while(|length| *length <= longest) {
        let x = sequence(length, width, &device);
        let run = || {
            let started = Instant::now();
            let y = layer.forward(x.clone(), Attend::default());
            let _ = y.sum().backward();
            1000.0 * started.elapsed().as_secs_f64()
        };
        // Others use the machine too: the shortest of some runs is nearest to the work itself.
        let runs = if length <= CLAIMED { 4 } else { 1 };
        let shortest = (0..runs).map(|_| run()).fold(f64::INFINITY, f64::min);
        trial.metric("milliseconds by length", shortest, length as u64);
        timed.push((length, shortest));
    }
    let at = timed.iter().find(|(length, _)| *length == CLAIMED);
    trial.result("milliseconds", at.map_or(f64::NAN, |(_, time)| *time));
    let sloped = timed
        .iter()
        .filter(|(length, _)| (SLOPED..=settings.timed_length).contains(length));
    trial.result("slope", slope(sloped.copied()));
    let mut table = Table::new(
        format!("Token mixer of width {width}, forward and backward, one sequence"),
        ["tokens", "milliseconds"],
    );
    for (length, time) in timed {
        table.row([Cell::from(length.to_string()), Cell::from(time)]);
    }
    trial.table("lengths", &table)
}

fn sequence(length: usize, width: usize, device: &Device) -> Tensor<3> {
    let normal = Distribution::Normal(0.0, 1.0);
    Tensor::random([1, length, width], normal, device).require_grad()
}

/// Least-squares slope of the logarithm of the time on that of the length.
fn slope(timed: impl Iterator<Item = (usize, f64)>) -> f64 {
    let points: Vec<(f64, f64)> = timed.map(|(x, y)| ((x as f64).ln(), y.ln())).collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let products: f64 = points.iter().map(|(a, b)| (a - x) * (b - y)).sum();
    let squares: f64 = points.iter().map(|(a, _)| (a - x).powi(2)).sum();
    products / squares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_of_powers() {
        let power = |p: f64| (1..5).map(move |i| (1 << i, 3.0 * 2f64.powi(i).powf(p)));
        assert!((slope(power(1.0)) - 1.0).abs() < 1e-12);
        assert!((slope(power(2.0)) - 2.0).abs() < 1e-12);
    }
}
