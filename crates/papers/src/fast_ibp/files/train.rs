//! `offprint use fast-ibp train`.

use super::{Bounding, samples::Samples};
use crate::arguments::{number_of, out_of, print, whole_of};
use crate::explain::explain;
use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Tensor},
};
use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressStyle};
use offprint_certify::{
    bounds::{Interval, Rounding, interval_forward, margins},
    graph::{LayerConfig, Network, NetworkConfig, write_safetensors},
    training::{EpsilonSchedule, Method, Objective, ibp_init},
};
use offprint_data::{LastBatch, Shares, Split, batches};
use offprint_kernels::{AdamW, clip_grad_norm};
use offprint_lab::{
    Error, Result,
    store::write_atomic,
    table::{columns, number},
};
use serde_json::json;

/// What the options say of the network and its training, checked.
struct Options {
    width: usize,
    hidden: usize,
    depth: usize,
    steps: u64,
    batch: usize,
    learning_rate: f64,
    warmup: f64,
    held_out: f64,
    seed: u64,
    method: Method,
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let out = out_of(matches)?;
    if out.extension().is_none_or(|ending| ending != "safetensors") {
        return Err(Error::input(format!(
            "--out {}, but it must end with .safetensors",
            out.display()
        )));
    }
    let options = Options::of(matches)?;
    let mut samples = Samples::of(matches)?;
    shape(matches, &mut samples)?;
    let config = options.network(&samples)?;
    let shares = Shares {
        validation: options.held_out,
        test: 0.0,
    };
    let split = Split::fixed(samples.len(), shares)
        .map_err(|error| Error::input(format!("{}: {error}", samples.name)))?;
    if split.train.len() < 2 {
        return Err(Error::input(format!(
            "{} has {} samples, but 2 at least are trained on",
            samples.name,
            samples.len()
        )));
    }
    let device = Device::default().autodiff();
    device.seed(options.seed);
    let network = ibp_init(config.init(&device).map_err(explain)?);
    let network = fit(network, &samples, &split.train, &options, &device)?;
    let bytes = write_safetensors(&network, &config).map_err(explain)?;
    let (accuracy, certified) = accuracies(&network.valid(), &samples, &split.validation)?;
    write_atomic(out, &bytes)?;
    let document = json!({
        "out": out,
        "samples": samples.len(),
        "classes": network.outputs(),
        "eps": samples.eps,
        "held_out": {
            "samples": split.validation.len(),
            "accuracy": accuracy,
            "certified_accuracy": certified,
        },
    });
    let heads = ["held out", "radius", "accuracy", "certified accuracy"];
    let cells = [
        format!("{} of {}", split.validation.len(), samples.len()),
        number(samples.eps),
        number(accuracy),
        number(certified),
    ];
    let text = format!(
        "{}\n wrote {}\n",
        columns(&[heads.map(String::from).to_vec(), cells.to_vec()], 0),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

/// Gives rows the shape of pictures, if the call says one.
fn shape(matches: &ArgMatches, samples: &mut Samples) -> Result<()> {
    let Some(text) = matches.get_one::<String>("shape") else {
        return Ok(());
    };
    let lengths: Option<Vec<usize>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    let lengths = lengths.filter(|lengths| lengths.len() == 3 && !lengths.contains(&0));
    let Some(lengths) = lengths else {
        return Err(Error::input(format!(
            "--shape {text}, but it must be channels, height and width, as 1,28,28"
        )));
    };
    let features = lengths.iter().try_fold(1_usize, |n, &l| n.checked_mul(l));
    if features != Some(samples.features()) {
        return Err(Error::input(format!(
            "--shape {text}, but a sample of {} has {} features",
            samples.name,
            samples.features()
        )));
    }
    samples.shape = lengths;
    Ok(())
}

impl Options {
    fn of(matches: &ArgMatches) -> Result<Self> {
        let whole = |name: &str, most: u64| match whole_of(matches, name) {
            0 => Err(Error::input(format!(
                "--{name} 0, but it must be at least 1"
            ))),
            value if value > most => Err(Error::input(format!(
                "--{name} {value}, but it must be at most {most}"
            ))),
            value => Ok(value),
        };
        let learning_rate = number_of(matches, "learning-rate");
        if !(learning_rate > 0.0 && learning_rate.is_finite()) {
            return Err(Error::input(format!(
                "--learning-rate {learning_rate}, but it must be above 0"
            )));
        }
        let warmup = number_of(matches, "warmup");
        if !(0.0..=1.0).contains(&warmup) {
            return Err(Error::input(format!(
                "--warmup {warmup}, but it must be 0 to 1"
            )));
        }
        let held_out = number_of(matches, "held-out");
        if !(held_out > 0.0 && held_out < 1.0) {
            return Err(Error::input(format!(
                "--held-out {held_out}, but it must be above 0 and below 1"
            )));
        }
        Ok(Self {
            width: whole("width", 512)? as usize,
            hidden: whole("hidden", 8192)? as usize,
            depth: whole("depth", 50)? as usize,
            steps: whole("steps", 10_000_000)?,
            batch: whole("batch", 100_000)? as usize,
            learning_rate,
            warmup,
            held_out,
            seed: whole_of(matches, "seed"),
            method: match Bounding::of(matches)? {
                Bounding::Ibp => Method::Ibp,
                Bounding::CrownIbp => Method::CrownIbp,
            },
        })
    }

    /// Convolutions for pictures, dense layers for rows; batch norm before every ReLU.
    fn network(&self, samples: &Samples) -> Result<NetworkConfig> {
        let classes = samples.labels.iter().max().map_or(0, |last| last + 1);
        if classes < 2 {
            return Err(Error::input(format!(
                "all samples of {} have label 0, but two classes at least are learned",
                samples.name
            )));
        }
        if let &[channels, height, width] = &samples.shape[..] {
            let shape = [channels, height, width];
            return Ok(NetworkConfig::cnn(
                shape,
                self.width,
                self.hidden,
                classes,
                true,
            ));
        }
        let hidden = [
            LayerConfig::linear(self.hidden),
            LayerConfig::BatchNorm,
            LayerConfig::Relu,
        ];
        let mut layers: Vec<LayerConfig> = Vec::new();
        for _ in 0..self.depth {
            layers.extend(hidden.clone());
        }
        layers.push(LayerConfig::linear(classes));
        Ok(NetworkConfig {
            input: samples.shape.clone(),
            layers,
        })
    }
}

/// Largest norm of all gradients together.
const CLIP: f64 = 10.0;

fn fit(
    mut network: Network,
    samples: &Samples,
    train: &[usize],
    options: &Options,
    device: &Device,
) -> Result<Network> {
    let objective = Objective {
        method: options.method,
        clip: samples.clip,
        ..Objective::fast(samples.eps)
    };
    objective.validate().map_err(explain)?;
    let end = (options.warmup * options.steps as f64) as u64;
    let schedule = EpsilonSchedule::new(0, end, samples.eps);
    schedule.validate().map_err(explain)?;
    let mut optimizer = ModuleOptimizer::from(AdamW {
        weight_decay: 0.0,
        ..AdamW::default()
    });
    let batch = options.batch.min(train.len());
    let per_epoch = (train.len() / batch) as u64;
    let bar = ProgressBar::new(options.steps);
    let style = ProgressStyle::with_template(" {bar:20} step {pos}/{len}  {msg}  {eta} left");
    bar.set_style(style.expect("the template is fixed").progress_chars("━╸─"));
    let mut order = Vec::new();
    for step in 1..=options.steps {
        let (epoch, within) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
        if within == 0 {
            // Batch norm wants whole batches.
            order = batches(train.len(), batch, options.seed, epoch, LastBatch::Drop)
                .map_err(explain)?;
        }
        let chosen: Vec<usize> = order[within as usize].iter().map(|&i| train[i]).collect();
        let (x, labels) = samples.select(&chosen, device);
        let eps = schedule.at(step);
        let nowhere = || Tensor::zeros([1, 1], device);
        let done = objective
            .step(&network, x, &labels, eps, nowhere)
            .map_err(explain)?;
        let value = f64::from(done.loss.clone().into_scalar::<f32>());
        let mut gradients = GradientsParams::from_grads(done.loss.backward(), &network);
        let norm = clip_grad_norm(&mut gradients, &network, CLIP);
        if !(value.is_finite() && norm.is_finite()) {
            bar.finish_and_clear();
            return Err(Error::run(format!("the loss diverged in step {step}"))
                .help("try a smaller --learning-rate, or a larger --warmup"));
        }
        // A fifth of the rate twice, at the shares of the paper's schedule.
        let late = [0.75, 0.875];
        let late = late
            .iter()
            .filter(|s| step as f64 > **s * options.steps as f64);
        let rate = options.learning_rate * 0.2_f64.powi(late.count() as i32);
        network = optimizer.step(rate, network, gradients);
        network.update(&done.statistics);
        bar.set_message(format!("radius {}  loss {}", number(eps), number(value)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(network)
}

/// Samples whose bounds are computed at a time.
const CHUNK: usize = 200;

/// Shares of some samples that are named rightly, and that are proved to be in the whole box.
fn accuracies(network: &Network, samples: &Samples, rows: &[usize]) -> Result<(f64, f64)> {
    let right = share(network, samples, rows, (0.0, Rounding::Nearest))?;
    let certified = share(network, samples, rows, (samples.eps, Rounding::Outward))?;
    Ok((right, certified))
}

/// The share of samples with all margins above 0 in the box of a radius.
fn share(
    network: &Network,
    samples: &Samples,
    rows: &[usize],
    (eps, rounding): (f64, Rounding),
) -> Result<f64> {
    let mut count = 0;
    for rows in rows.chunks(CHUNK) {
        let (x, labels) = samples.select(rows, &Device::default());
        let input = Interval::around(x, eps, samples.clip).map_err(explain)?;
        let bounds = interval_forward(network, &input, None, rounding).map_err(explain)?;
        let lower = margins(network, &bounds, &labels).map_err(explain)?;
        let lower: Vec<f32> = lower.into_data().iter().collect();
        let rows = lower.chunks(network.outputs()).zip(&labels);
        count += rows
            .filter(|(margins, label)| {
                let mut others = margins.iter().enumerate().filter(|(j, _)| j != *label);
                others.all(|(_, &margin)| margin > 0.0)
            })
            .count();
    }
    Ok(count as f64 / rows.len() as f64)
}
