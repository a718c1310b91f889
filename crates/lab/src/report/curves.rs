//! The charts of a record: learning curves over seeds, and what more tuning would have brought.

use super::{
    chart::{Chart, Knot, Line},
    summary::LEVEL,
};
use crate::{
    record::{ArmRecord, Record},
    stats::best_of_curve,
    study::Role,
};
use std::collections::BTreeMap;

/// Points of a drawn line at most; more are averaged in groups, for a page of a readable size.
const POINTS: u64 = 120;

/// One chart for each name under which trials reported metrics over steps, the most telling first: metrics of the
/// report, then validation, then the rest by name.
pub fn learning_curves(record: &Record) -> Vec<Chart> {
    let trials = record.arms.iter().flat_map(|arm| &arm.trials);
    let mut names: Vec<&str> = trials
        .flat_map(|trial| trial.curves.keys())
        .map(String::as_str)
        .collect();
    let metric = |name: &str| record.metrics.iter().position(|metric| metric.name == name);
    names.sort_by_key(|&name| {
        let rank = metric(name).unwrap_or(usize::MAX);
        (rank, !name.starts_with("val"), name)
    });
    names.dedup();
    let several = record.seeds.len() > 1;
    names
        .into_iter()
        .map(|name| Chart {
            title: metric(name)
                .map_or(name, |index| record.metrics[index].label)
                .to_string(),
            across: "step".into(),
            note: if several {
                "mean over seeds"
            } else {
                "one seed"
            }
            .into(),
            band: if several {
                "band: from the lowest to the highest seed"
            } else {
                ""
            }
            .into(),
            lines: lines(record, |arm| learning(arm, name)),
        })
        .collect()
}

/// One line an arm that has any.
fn lines(record: &Record, of: impl Fn(&ArmRecord) -> (Vec<Knot>, Threads)) -> Vec<Line> {
    let arms = record.arms.iter().enumerate();
    arms.map(|(index, arm)| {
        let (knots, threads) = of(arm);
        Line {
            index,
            name: arm.arm.name.to_string(),
            strong: arm.arm.role == Role::Method,
            knots,
            threads,
        }
    })
    .filter(|line| !line.knots.is_empty())
    .collect()
}

/// Finer lines with their titles.
type Threads = Vec<(String, Vec<(f64, f64)>)>;

fn learning(arm: &ArmRecord, name: &str) -> (Vec<Knot>, Threads) {
    let seeds: Vec<(u64, &Vec<(u64, f64)>)> = arm
        .trials
        .iter()
        .filter_map(|trial| Some((trial.seed, trial.curves.get(name)?)))
        .collect();
    let steps = || {
        seeds
            .iter()
            .flat_map(|(_, curve)| curve.iter().map(|&(step, _)| step))
    };
    let (Some(first), Some(last)) = (steps().min(), steps().max()) else {
        return (Vec::new(), Vec::new());
    };
    let most = seeds
        .iter()
        .map(|(_, curve)| curve.len())
        .max()
        .unwrap_or(0) as u64;
    // Few points stand for themselves; many share the place of their group.
    let group = (last - first) / POINTS + 1;
    let place = |step: u64| {
        if most > POINTS {
            (step - first) / group
        } else {
            step
        }
    };
    let mut together: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    let mut threads = Vec::new();
    for (seed, curve) in &seeds {
        let mut alone: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
        for &(step, value) in curve.iter() {
            alone
                .entry(place(step))
                .or_default()
                .push((step as f64, value));
        }
        let points: Vec<(f64, f64)> = alone.values().map(|group| middle(group)).collect();
        for (place, &point) in alone.keys().zip(&points) {
            together.entry(*place).or_default().push(point);
        }
        if seeds.len() > 1 {
            threads.push((format!("{}, seed {seed}", arm.arm.name), points));
        }
    }
    let knots = together.values().map(|points| {
        let (x, y) = middle(points);
        let values = || points.iter().map(|&(_, value)| value);
        Knot {
            x,
            y,
            low: values().fold(f64::INFINITY, f64::min),
            high: values().fold(f64::NEG_INFINITY, f64::max),
        }
    });
    (knots.collect(), threads)
}

/// Mean of points; there is at least one.
fn middle(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let sum = points
        .iter()
        .fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    (sum.0 / count, sum.1 / count)
}

/// What the best of m random tuning trials is worth on test data, for every m; `None` without tuning trials.
pub fn tuning_curve(record: &Record) -> Option<Chart> {
    let test = &record.tuned_by.test;
    let metric = record.metrics.iter().find(|metric| metric.name == test);
    let lines = lines(record, |arm| {
        let scores: Vec<_> = arm
            .tuning
            .iter()
            .map(|trial| (trial.validation, trial.test))
            .collect();
        let best = best_of_curve(&scores, record.tuned_by.better, LEVEL).unwrap_or_default();
        let known = best
            .into_iter()
            .zip(1..)
            .filter_map(|(best, of)| Some((best?, of)));
        let knots = known.map(|(best, of)| Knot {
            x: f64::from(of),
            y: best.mean,
            low: best.low,
            high: best.high,
        });
        (knots.collect(), Vec::new())
    });
    (!lines.is_empty()).then(|| Chart {
        title: format!("{} of the best of m tuning trials", metric.map_or(test.as_str(), |metric| metric.label)),
        across: "m, random trials an arm".into(),
        note: format!("expected value of the trial that is best by {}", record.tuned_by.validation),
        band: "band: 95 % bootstrap interval, too short where m is near the number of trials that were run".into(),
        lines,
    })
}
