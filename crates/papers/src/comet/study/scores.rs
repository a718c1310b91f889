//! What a trained model is worth, and what a trial leaves behind for the report.

use super::{
    CometSettings,
    model::Model,
    sets::{Part, Sets},
    task::{Target, accuracy},
};
use crate::explain::explain;
use burn::tensor::{Device, Tensor};
use offprint_lab::{Result, scores::auc, table::Table, trial::Trial};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Final numbers by name; every loss of a diverged model is infinite.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scores(#[serde(with = "offprint_lab::store::number::map")] pub BTreeMap<String, f64>);

/// Rows that are scored at a time.
const CHUNK: usize = 500;

/// What a model says of a part.
struct Predictions {
    /// Outputs of each task, row by row.
    outputs: Vec<Vec<f32>>,
    /// Sum over rows of each task's loss.
    losses: Vec<f64>,
    /// Mixture weights of the first task, row by row.
    weights: Vec<f32>,
    active: f64,
    evaluated: f64,
}

fn predict(model: &Model, part: &Part, device: &Device) -> Result<Predictions> {
    let device = device.clone().inner();
    let all: Vec<usize> = (0..part.len()).collect();
    let tasks = part.targets.len();
    let mut found = Predictions {
        outputs: vec![Vec::new(); tasks],
        losses: vec![0.0; tasks],
        weights: Vec::new(),
        active: 0.0,
        evaluated: 0.0,
    };
    let values = |tensor: &Tensor<2>| -> Vec<f32> { tensor.to_data().iter::<f32>().collect() };
    for rows in all.chunks(CHUNK) {
        let (input, targets) = part.select(rows, &device);
        let output = model.predict(&input).map_err(explain)?;
        let share = rows.len() as f64 / part.len() as f64;
        found.active += output.active() * share;
        let [_, experts] = output.gates[0].weights.dims();
        found.evaluated += output.pairs.len() as f64 / (part.len() * experts) as f64;
        found.weights.extend(values(&output.gates[0].weights));
        for (task, (output, target)) in output.tasks.iter().zip(&targets).enumerate() {
            let loss = f64::from(target.loss(output.clone()).into_scalar::<f32>());
            found.losses[task] += loss * counted(target) as f64;
            found.outputs[task].extend(values(output));
        }
    }
    for (loss, target) in found.losses.iter_mut().zip(&part.targets) {
        *loss /= counted(target).max(1) as f64;
    }
    Ok(found)
}

/// Rows that a task's mean loss is over.
fn counted(target: &Target) -> usize {
    match target {
        Target::Classes(rows) => rows.len(),
        Target::Binary(rows) => rows.len(),
        Target::Values(rows) => rows.iter().flatten().count(),
    }
}

fn weighted(losses: &[f64], weights: &[f64]) -> f64 {
    losses
        .iter()
        .zip(weights)
        .map(|(loss, weight)| loss * weight)
        .sum()
}

/// The weighted loss of a part, without penalties.
pub fn losses(model: &Model, part: &Part, weights: &[f64], device: &Device) -> Result<f64> {
    Ok(weighted(&predict(model, part, device)?.losses, weights))
}

/// Scores a model; `None` is one that diverged.
pub fn score(
    model: Option<&Model>,
    sets: &Sets,
    weights: &[f64],
    k: usize,
    device: &Device,
) -> Result<Scores> {
    let mut scores = BTreeMap::new();
    let mut put = |name: &str, value: f64| {
        scores.insert(name.to_string(), value);
    };
    let Some(model) = model else {
        put("loss", f64::INFINITY);
        put("validation", f64::INFINITY);
        return Ok(Scores(scores));
    };
    let test = predict(model, &sets.test, device)?;
    put("loss", weighted(&test.losses, weights));
    put(
        "validation",
        losses(model, &sets.validation, weights, device)?,
    );
    put("active", test.active);
    put("active_share", test.active / k as f64);
    put("evaluated", test.evaluated);
    let names = ["accuracy_left", "accuracy_right"];
    for (task, target) in sets.test.targets.iter().enumerate() {
        let outputs = &test.outputs[task];
        match target {
            Target::Classes(classes) => {
                let width = outputs.len() / classes.len();
                put(names[task], accuracy(outputs, width, classes));
            }
            Target::Binary(answers) => put("auc", auc(outputs, answers)),
            Target::Values(_) => put("rmse", test.losses[task].sqrt()),
        }
    }
    Ok(Scores(scores))
}

/// Leaves the use of the experts by class, and some pictures, for the report.
pub fn leave_behind(
    trial: &mut Trial<CometSettings>,
    model: &Model,
    sets: &Sets,
    device: &Device,
) -> Result<()> {
    let Some((pixels, height, width)) = sets.test.strip(8) else {
        return Ok(());
    };
    trial.image("test-pictures", width as u32, height as u32, &pixels)?;
    let Target::Classes(classes) = &sets.test.targets[0] else {
        return Ok(());
    };
    let weights = predict(model, &sets.test, device)?.weights;
    let experts = weights.len() / classes.len();
    let mut columns = vec!["top-left digit".to_string()];
    columns.extend((0..experts).map(|expert| format!("e{expert}")));
    let mut table = Table::new(
        "Mean weight of each expert for the left task, by class",
        columns,
    );
    for class in 0..=classes.iter().copied().max().unwrap_or(0) {
        let rows = weights
            .chunks_exact(experts)
            .zip(classes)
            .filter(|(_, c)| **c == class);
        let count = rows.clone().count().max(1) as f64;
        let mean = |expert: usize| {
            rows.clone()
                .map(|(row, _)| f64::from(row[expert]))
                .sum::<f64>()
                / count
        };
        let mut cells = vec![offprint_lab::table::Cell::from(class.to_string())];
        cells.extend((0..experts).map(|expert| mean(expert).into()));
        table.row(cells);
    }
    trial.table("experts-by-class", &table)
}
