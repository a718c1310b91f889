//! The arms that change one thing: the number of sensors, the number of training pairs.

use super::{
    DeepONetSettings,
    fit::{self, Fit},
    model::Net,
    task::{System, Task},
    theory::{self, slope},
};
use offprint_lab::{
    Result,
    table::{Cell, Table},
    trial::Trial,
};

/// Length scales of the functions.
const LENGTHS: [f64; 4] = [1.0, 0.5, 0.25, 0.125];

/// Numbers of sensors.
const SENSORS: [usize; 10] = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48];

/// Decades above the error with many sensors within which a number is enough.
const NEAR: f64 = 0.3;

/// Learns the antiderivative from more and more sensors, on each length scale.
pub fn sensors(trial: &mut Trial<DeepONetSettings>, net: Net) -> Result<()> {
    let settings = trial.settings().clone();
    let seed = trial.seed();
    let fit = |length_scale: f64, sensors: usize| Fit {
        curve: None,
        task: Task {
            length_scale,
            sensors,
            ..Task::of_settings(&settings, System::Antiderivative, seed)
        },
        net: net.clone(),
        steps: settings.sweep_steps,
        batch: settings.batch,
    };
    let fits: Vec<Fit> = LENGTHS
        .into_iter()
        .flat_map(|length| SENSORS.map(|sensors| fit(length, sensors)))
        .collect();
    let scores = fit::run(trial, &fits)?;
    let logs: Vec<f64> = scores.iter().map(|scores| scores.test.log10()).collect();
    let mut heading = vec!["length scale".to_string()];
    heading.extend(SENSORS.map(|sensors| format!("m = {sensors}")));
    heading.push("m*".into());
    let mut table = Table::new("log10 of the test error, by number of sensors m", heading);
    let (mut drops, mut enough, mut tails) = (Vec::new(), Vec::new(), Vec::new());
    for (length, logs) in LENGTHS.into_iter().zip(logs.chunks_exact(SENSORS.len())) {
        let many = logs[SENSORS.len() - 3..].iter().sum::<f64>() / 3.0;
        drops.push(logs[0] - many);
        let first = logs.iter().position(|log| *log <= many + NEAR);
        let star = first.map_or(f64::NAN, |first| SENSORS[first] as f64);
        enough.push(((1.0 / length).ln(), star.ln()));
        let beyond = SENSORS.iter().zip(logs);
        let beyond: Vec<_> = beyond
            .filter(|(sensors, _)| **sensors as f64 >= 2.0 * star)
            .map(|(sensors, log)| ((*sensors as f64).log10(), *log))
            .collect();
        if beyond.len() >= 3 {
            tails.push(slope(&beyond));
        }
        let mut cells = vec![Cell::from(length)];
        cells.extend(logs.iter().map(|log| Cell::from(*log)));
        cells.push(star.into());
        table.row(cells);
    }
    trial.table("error-by-sensors", &table)?;
    trial.result("sensor_drop", mean(&drops));
    trial.result("sensor_slope", slope(&enough));
    trial.result("sensor_tail", mean(&tails));
    for (name, value) in theory::exponents(seed)? {
        trial.result(name, value);
    }
    Ok(())
}

/// Numbers of training pairs.
const PAIRS: [usize; 10] = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];

/// How many of them are small training sets.
const SMALL: usize = 6;

/// Learns the pendulum from more and more pairs of a function and a point, one point a function.
pub fn samples(trial: &mut Trial<DeepONetSettings>, net: Net) -> Result<()> {
    let settings = trial.settings().clone();
    let seed = trial.seed();
    // The largest set first, so that the others are its beginnings.
    let fit = |functions| Fit {
        curve: None,
        task: Task {
            functions,
            points: 1,
            ..Task::of_settings(&settings, System::Pendulum, seed)
        },
        net: net.clone(),
        steps: settings.sweep_steps,
        batch: settings.batch * settings.points,
    };
    let fits: Vec<Fit> = PAIRS.into_iter().rev().map(fit).collect();
    let mut scores = fit::run(trial, &fits)?;
    scores.reverse();
    let mut table = Table::new(
        "Error by number of training pairs, as log10",
        ["pairs", "training", "test"],
    );
    for (pairs, scores) in PAIRS.iter().zip(&scores) {
        table.row([*pairs as f64, scores.train.log10(), scores.test.log10()]);
    }
    trial.table("error-by-pairs", &table)?;
    let errors = PAIRS.iter().zip(&scores);
    let errors: Vec<_> = errors
        .map(|(&pairs, scores)| (pairs as f64, scores.test.ln()))
        .collect();
    let powers: Vec<_> = errors
        .iter()
        .map(|&(pairs, log)| (pairs.ln(), log))
        .collect();
    trial.result("order_small", slope(&powers[..SMALL]));
    trial.result("order_large", slope(&powers[SMALL..]));
    // Both laws have two parameters, so their AIC differ by n ln of the ratio of their residuals.
    let ratio = residual(&powers[..SMALL]) / residual(&errors[..SMALL]);
    trial.result("exponential", SMALL as f64 * ratio.ln());
    Ok(())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sum of squares that the best straight line leaves.
fn residual(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let slope = slope(points);
    let off = points
        .iter()
        .map(|(px, py)| (py - y - slope * (px - x)).powi(2));
    off.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn straight_lines_leave_nothing() {
        let line: Vec<_> = (0..5)
            .map(|i| (f64::from(i), 3.0 - 2.0 * f64::from(i)))
            .collect();
        assert!((slope(&line) + 2.0).abs() < 1e-12 && residual(&line) < 1e-24);
        let bent: Vec<_> = line.iter().map(|(x, y)| (*x, y + x * x)).collect();
        assert!(residual(&bent) > 1.0);
    }
}
