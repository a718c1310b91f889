//! `offprint use comet predict` and `experts`.

use super::{
    list, print, required,
    saved::{self, Config},
    table,
};
use crate::comet::study::{model::Rows, task::largest};
use crate::explain::explain;
use burn::tensor::Device;
use clap::ArgMatches;
use offprint_data::table::TargetCoder;
use offprint_experts::{MultiGateOutput, NEGLIGIBLE};
use offprint_lab::{
    Error, Result,
    store::write_atomic,
    table::{columns, number},
};
use serde_json::json;

/// The model's output for a table.
fn outputs(matches: &ArgMatches) -> Result<(Config, MultiGateOutput, usize)> {
    let (model, config) = saved::load(required(matches, "model"))?;
    let options = config.table_options(list(matches, "missing"));
    let table = table(required(matches, "table"), &options)?;
    let features = config.features(&table, &Device::default())?;
    let output = model
        .predict(&Rows::features(features, Vec::new()))
        .map_err(explain)?;
    Ok((config, output, table.rows()))
}

pub fn predict(matches: &ArgMatches) -> Result<()> {
    let (config, output, rows) = outputs(matches)?;
    let mut heading = vec!["row".to_string()];
    let mut cells: Vec<Vec<String>> = (1..=rows).map(|row| vec![row.to_string()]).collect();
    for (target, logits) in config.targets.iter().zip(&output.tasks) {
        heading.push(target.name().into());
        let width = logits.dims()[1];
        let values: Vec<f32> = logits.to_data().iter::<f32>().collect();
        match target {
            TargetCoder::Regression {
                mean, deviation, ..
            } => {
                for (line, value) in cells.iter_mut().zip(&values) {
                    line.push((f64::from(*value) * deviation + mean).to_string());
                }
            }
            TargetCoder::Classification { name, classes } => {
                heading.extend(classes.iter().map(|class| format!("P({name}={class})")));
                for (line, logits) in cells.iter_mut().zip(values.chunks_exact(width)) {
                    let probabilities = softmax(logits);
                    line.push(classes[largest(logits)].clone());
                    line.extend(probabilities.iter().map(ToString::to_string));
                }
            }
        }
    }
    let out = required(matches, "out");
    write(out, heading, cells)?;
    let targets: Vec<&str> = config.targets.iter().map(TargetCoder::name).collect();
    let document = json!({ "rows": rows, "targets": targets, "out": out });
    let text = format!(
        "{rows} rows, {} · wrote {}\n",
        targets.join(", "),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

pub fn experts(matches: &ArgMatches) -> Result<()> {
    let (config, output, rows) = outputs(matches)?;
    let experts = config.model.experts;
    let mut heading = vec!["row".to_string(), "target".into(), "experts".into()];
    heading.extend((0..experts).map(|expert| format!("weight {expert}")));
    let mut cells = Vec::new();
    let mut summary = vec![
        ["target", "expert", "rows", "mean weight"]
            .map(String::from)
            .to_vec(),
    ];
    let mut counted = Vec::new();
    for (target, gate) in config.targets.iter().zip(&output.gates) {
        let weights: Vec<f32> = gate.weights.to_data().iter::<f32>().collect();
        let used = |weight: f32| weight >= NEGLIGIBLE;
        for (row, weights) in weights.chunks_exact(experts).enumerate() {
            let active = (0..experts).filter(|&expert| used(weights[expert]));
            let active: Vec<String> = active.map(|expert| expert.to_string()).collect();
            let mut line = vec![
                (row + 1).to_string(),
                target.name().into(),
                active.join(" "),
            ];
            line.extend(weights.iter().map(ToString::to_string));
            cells.push(line);
        }
        for expert in 0..experts {
            let of_expert = weights.iter().skip(expert).step_by(experts);
            let count = of_expert.clone().filter(|&&weight| used(weight)).count();
            let mean = of_expert.map(|&weight| f64::from(weight)).sum::<f64>() / rows as f64;
            counted.push(json!({
                "target": target.name(), "expert": expert, "rows": count, "mean_weight": mean,
            }));
            let name = if expert == 0 { target.name() } else { "" };
            summary.push(vec![
                name.into(),
                expert.to_string(),
                count.to_string(),
                number(mean),
            ]);
        }
    }
    let out = required(matches, "out");
    write(out, heading, cells)?;
    let document =
        json!({ "rows": rows, "active": output.active(), "experts": counted, "out": out });
    let text = format!(
        "{} {} of {experts} experts are active a row · wrote {}\n",
        columns(&summary, 1),
        number(output.active()),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|l| f64::from(l - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Writes a CSV file, complete or not at all.
fn write(path: &std::path::Path, heading: Vec<String>, rows: Vec<Vec<String>>) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let fail = |error: csv::Error| Error::run(format!("{}: {error}", path.display()));
    writer.write_record(&heading).map_err(fail)?;
    for row in rows {
        writer.write_record(&row).map_err(fail)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Error::run(format!("{}: {error}", path.display())))?;
    write_atomic(path, &bytes)
}
