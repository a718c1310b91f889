//! `offprint use fast-ibp certify`.

use super::{Bounding, samples::Samples};
use crate::arguments::{out_of, print, required, whole_of};
use crate::explain::explain;
use burn::{
    module::Module,
    tensor::{Device, Distribution, Tensor},
};
use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressStyle};
use offprint_certify::{
    attack::Pgd,
    bounds::{Interval, Rounding, crown_ibp, interval_forward, margins},
    graph::{Network, read_safetensors},
    read_onnx,
};
use offprint_lab::{
    Error, Result,
    store::write_atomic,
    table::{columns, number},
};
use serde::Serialize;
use serde_json::json;
use std::path::Path;

/// What is known of a sample.
#[derive(Serialize)]
struct Row {
    sample: usize,
    label: usize,
    predicted: usize,
    /// Whether every point of the box gets the label.
    certified: bool,
    /// Whether an attack found a point that does not; absent where none was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<bool>,
    /// Lower bound of the label's logit minus the largest other.
    margin: f32,
    lower: Vec<f32>,
    upper: Vec<f32>,
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let out = out_of(matches)?;
    let write = writer(out)?;
    let by = Bounding::of(matches)?;
    let attack = whole_of(matches, "attack");
    if attack > 100_000 {
        return Err(Error::input(format!(
            "--attack {attack}, but it must be at most 100000"
        )));
    }
    let samples = Samples::of(matches)?;
    let network = network(required(matches, "model"), &Device::default().autodiff())?;
    check(&network, &samples, required(matches, "model"))?;
    let rows = rows(&network, &samples, by, attack as usize)?;
    write_atomic(out, &write(&rows)?)?;

    let share = |count: usize| count as f64 / rows.len() as f64;
    let right = rows.iter().filter(|row| row.predicted == row.label).count();
    let certified = rows.iter().filter(|row| row.certified).count();
    let standing = (attack > 0).then(|| {
        let stands = rows
            .iter()
            .filter(|row| row.certified || row.broken == Some(false));
        share(stands.count())
    });
    let document = json!({
        "samples": rows.len(),
        "eps": samples.eps,
        "method": if by == Bounding::Ibp { "ibp" } else { "crown-ibp" },
        "accuracy": share(right),
        "certified_accuracy": share(certified),
        "attacked_accuracy": standing,
        "out": out,
    });
    let mut heads = vec!["samples", "radius", "accuracy", "certified accuracy"];
    let mut cells = vec![
        rows.len().to_string(),
        number(samples.eps),
        number(share(right)),
        number(share(certified)),
    ];
    if let Some(standing) = standing {
        heads.push("attacked accuracy");
        cells.push(number(standing));
    }
    let heads = heads.into_iter().map(String::from).collect();
    let text = format!(
        "{}\n wrote {}\n",
        columns(&[heads, cells], 0),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

/// The network of a file, by the ending of its name.
fn network(path: &Path, device: &Device) -> Result<Network> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let onnx = match ending {
        Some("onnx") => true,
        Some("safetensors") => false,
        _ => {
            return Err(Error::input(format!(
                "{}, but a network must end with .safetensors or .onnx",
                path.display()
            )));
        }
    };
    let bytes = std::fs::read(path)
        .map_err(|error| Error::input(format!("cannot read {}: {error}", path.display())))?;
    let read = match onnx {
        true => read_onnx(&bytes, device),
        false => read_safetensors(&bytes, device).map(|(network, _)| network),
    };
    read.map_err(|error| Error::input(format!("{}: {error}", path.display())))
}

/// Checks that the samples are the network's.
fn check(network: &Network, samples: &Samples, path: &Path) -> Result<()> {
    network
        .check_ending()
        .map_err(|error| Error::input(format!("{}: {error}", path.display())))?;
    let wanted = network.input_shape();
    let features: usize = wanted.iter().product();
    if samples.shape != wanted && samples.shape != [features] {
        return Err(Error::input(format!(
            "a sample of {} has shape {:?}, but {} reads {wanted:?}",
            samples.name,
            samples.shape,
            path.display()
        )));
    }
    network
        .check_labels(&samples.labels, samples.len())
        .map_err(explain)
}

/// Samples whose bounds are computed at a time.
const CHUNK: usize = 100;

fn rows(network: &Network, samples: &Samples, by: Bounding, attack: usize) -> Result<Vec<Row>> {
    let frozen = network.valid();
    let (device, plain) = (Device::default().autodiff(), Device::default());
    device.seed(0);
    let bar = ProgressBar::new(samples.len() as u64);
    let style = ProgressStyle::with_template(" {bar:20} sample {pos}/{len}  {eta} left");
    bar.set_style(style.expect("the template is fixed").progress_chars("━╸─"));
    let mut rows: Vec<Row> = Vec::with_capacity(samples.len());
    let all: Vec<usize> = (0..samples.len()).collect();
    for chunk in all.chunks(CHUNK) {
        let (x, labels) = samples.select(chunk, &plain);
        let input = Interval::around(x.clone(), samples.eps, samples.clip).map_err(explain)?;
        let bounds = interval_forward(&frozen, &input, None, Rounding::Outward).map_err(explain)?;
        let mut lower = margins(&frozen, &bounds, &labels).map_err(explain)?;
        if by == Bounding::CrownIbp {
            let linear = crown_ibp(&frozen, &bounds, &labels, None).map_err(explain)?;
            lower = lower.max_pair(linear);
        }
        let classes = frozen.outputs();
        let logits = numbers(frozen.forward(x).map_err(explain)?);
        let (margins, output) = (numbers(lower), bounds.output());
        let (low, high) = (numbers(output.lower()), numbers(output.upper()));
        let part = |all: &[f32], row: usize| all[row * classes..][..classes].to_vec();
        for (row, (&sample, &label)) in chunk.iter().zip(&labels).enumerate() {
            let others = part(&margins, row);
            let others = others.iter().enumerate().filter(|(j, _)| *j != label);
            // Not `f32::min`, which would drop what is not a number.
            let margin = others
                .map(|(_, &m)| m)
                .fold(f32::INFINITY, |least, m| if least <= m { least } else { m });
            rows.push(Row {
                sample,
                label,
                predicted: largest(&part(&logits, row)),
                certified: margin > 0.0,
                broken: None,
                margin,
                lower: part(&low, row),
                upper: part(&high, row),
            });
        }
        if attack > 0 {
            let done = rows.len() - chunk.len();
            break_open(network, samples, attack, &mut rows[done..], &device)?;
        }
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(rows)
}

/// Attacks the samples that are named rightly but not certified.
fn break_open(
    network: &Network,
    samples: &Samples,
    steps: usize,
    rows: &mut [Row],
    device: &Device,
) -> Result<()> {
    let attack = Pgd {
        eps: samples.eps,
        steps,
        // A step that reaches the whole ball from anywhere in it.
        step_size: 2.5 * samples.eps / steps as f64,
        clip: samples.clip,
    };
    for row in rows.iter_mut() {
        row.broken = Some(!row.certified && row.predicted != row.label);
    }
    let mut open: Vec<&mut Row> = rows
        .iter_mut()
        .filter(|row| !row.certified && row.predicted == row.label)
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let numbers_of: Vec<usize> = open.iter().map(|row| row.sample).collect();
    let (x, labels) = samples.select(&numbers_of, device);
    let range = Distribution::Uniform(-samples.eps, samples.eps);
    let start = Tensor::random(x.dims(), range, device);
    let found = attack.run(network, x, &labels, start).map_err(explain)?;
    let logits = network.valid().forward(found.inner()).map_err(explain)?;
    let (classes, logits) = (network.outputs(), numbers(logits));
    for (row, logits) in open.iter_mut().zip(logits.chunks(classes)) {
        row.broken = Some(largest(logits) != row.label);
    }
    Ok(())
}

fn numbers(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

/// The first of the largest.
fn largest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (class, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = class;
        }
    }
    best
}

/// Writes rows as a file.
type Writer = fn(&[Row]) -> Result<Vec<u8>>;

/// The form that the name of a file asks for.
fn writer(out: &Path) -> Result<Writer> {
    match out.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(csv),
        Some("json") => Ok(json),
        _ => Err(Error::input(format!(
            "--out {}, but it must end with .csv or .json",
            out.display()
        ))),
    }
}

fn json(rows: &[Row]) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(rows).map_err(|error| Error::run(error.to_string()))
}

/// A line a sample; after its columns a lower and an upper bound for each class.
fn csv(rows: &[Row]) -> Result<Vec<u8>> {
    let mut text = String::from("sample,label,predicted,certified,broken,margin");
    for class in 0..rows.first().map_or(0, |row| row.lower.len()) {
        text += &format!(",lower_{class},upper_{class}");
    }
    text.push('\n');
    for row in rows {
        let broken = row
            .broken
            .map_or(String::new(), |broken| broken.to_string());
        text += &format!(
            "{},{},{},{},{broken},{}",
            row.sample, row.label, row.predicted, row.certified, row.margin
        );
        for (lower, upper) in row.lower.iter().zip(&row.upper) {
            text += &format!(",{lower},{upper}");
        }
        text.push('\n');
    }
    Ok(text.into_bytes())
}
