//! `offprint use gla train`.

use super::saved::{self, BYTES, Config, MOST};
use super::{number_of, out_of, print, refuse, whole_of};
use crate::explain::explain_data;
use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Int, Tensor, TensorData},
};
use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressStyle};
use offprint_backbones::{Gpt, parameters, train::warmup_cosine};
use offprint_data::text;
use offprint_kernels::{AdamW, CrossEntropy, clip_grad_norm};
use offprint_lab::{Error, Result, table::number};
use offprint_layers::Context;
use serde_json::json;
use std::path::PathBuf;

/// How a model is trained.
struct Training {
    context: usize,
    batch: usize,
    steps: u64,
    learning_rate: f64,
    seed: u64,
}

/// Windows of held-out text that are scored.
const SCORED: usize = 64;

pub fn run(matches: &ArgMatches) -> Result<()> {
    let (out, overwrite) = (out_of(matches)?, matches.get_flag("overwrite"));
    let (config, training) = settings(matches)?;
    let text = read(matches, training.context)?;
    let (train, held_out) = text.split_at(text.len() / 10 * 9);
    let device = Device::default().autodiff();
    let count = parameters(&config.init(&device)?);
    let gpt = fit(&config, &training, train, held_out, &device)?;
    let loss = score(&gpt, held_out, training.context)?;
    let baseline = entropy(train, held_out);
    saved::save(out, &gpt, &config, overwrite)?;
    let [bits, baseline] = [loss, baseline].map(|nats| nats / std::f64::consts::LN_2);
    let document = json!({
        "folder": out,
        "bytes": text.len(),
        "parameters": count,
        "held_out_bits": bits,
        "baseline_bits": baseline,
    });
    let text = format!(
        " {count} parameters, {} bytes of text, of which a tenth is held out\n \
        bits a byte held out: {}; {} from the frequencies of bytes alone\n wrote {}\n",
        text.len(),
        number(bits),
        number(baseline),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

fn settings(matches: &ArgMatches) -> Result<(Config, Training)> {
    let whole = |name: &str| whole_of(matches, name);
    let [layers, width] = MOST;
    for (name, most) in [
        layers,
        width,
        ("heads", 256),
        ("context", 8192),
        ("batch", 4096),
        ("steps", 10_000_000),
    ] {
        if whole(name) == 0 || whole(name) > most {
            return Err(refuse(name, whole(name), &format!("1 to {most}")));
        }
    }
    for name in ["normalizer", "learning-rate"] {
        let value = number_of(matches, name);
        if !(value > 0.0 && value.is_finite()) {
            return Err(refuse(name, value, "a finite number above 0"));
        }
    }
    let config = Config {
        layers: whole("layers") as usize,
        width: whole("width") as usize,
        heads: whole("heads") as usize,
        normalizer: number_of(matches, "normalizer") as f32,
    };
    // The one thing left that can be wrong: heads have keys of half the width and values of the whole.
    config.validate().map_err(|_| {
        let allowed = format!("a divisor of half the --width {}", config.width);
        refuse("heads", config.heads, &allowed)
    })?;
    let training = Training {
        context: whole("context") as usize,
        batch: whole("batch") as usize,
        steps: whole("steps"),
        learning_rate: number_of(matches, "learning-rate"),
        seed: whole("seed"),
    };
    Ok((config, training))
}

/// All texts, one after the other.
fn read(matches: &ArgMatches, context: usize) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for path in matches.get_many::<PathBuf>("text").unwrap_or_default() {
        let text = text::read(path).map_err(explain_data)?;
        all.extend(text.into_bytes());
    }
    // The tenth that is held out holds a window, and one byte to ask for.
    let least = 10 * (context + 2);
    if all.len() < least {
        return Err(Error::input(format!(
            "the text has {} bytes, but --context {context} needs at least {least}",
            all.len()
        )));
    }
    Ok(all)
}

/// Trains; a bar tells how far.
fn fit(
    config: &Config,
    training: &Training,
    train: &[u8],
    held_out: &[u8],
    device: &Device,
) -> Result<Gpt> {
    device.seed(training.seed);
    let mut gpt = config.init(device)?;
    let mut optimizer = ModuleOptimizer::from(AdamW::default());
    let bar = ProgressBar::new(training.steps);
    let style = ProgressStyle::with_template(" {bar:20} step {pos}/{len}  {msg}  {eta} left");
    bar.set_style(style.expect("the template is fixed").progress_chars("━╸─"));
    for step in 1..=training.steps {
        let context = Context::training(training.seed).branch(step);
        let places = train.len() - training.context;
        let starts = (0..training.batch as u64)
            .map(|row| (context.branch(row).seed % places as u64) as usize);
        let (tokens, targets) = windows(train, starts, training.context, device);
        let loss = loss(&gpt, tokens, targets, context)?;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            return Err(Error::run(format!("the loss is {value} at step {step}"))
                .help("try a smaller --learning-rate"));
        }
        let mut gradients = GradientsParams::from_grads(loss.backward(), &gpt);
        clip_grad_norm(&mut gradients, &gpt, 1.0);
        let rate = warmup_cosine(training.learning_rate, step, training.steps);
        gpt = optimizer.step(rate, gpt, gradients);
        if step % 50 == 0 || step == training.steps {
            let loss = score(&gpt.valid(), held_out, training.context)?;
            let bits = loss / std::f64::consts::LN_2;
            bar.set_message(format!("held-out bits a byte {}", number(bits)));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(gpt.valid())
}

/// Windows of a text: what is read, and what is asked for.
fn windows(
    text: &[u8],
    starts: impl Iterator<Item = usize>,
    length: usize,
    device: &Device,
) -> (Tensor<2, Int>, Tensor<1, Int>) {
    let (mut tokens, mut targets) = (Vec::new(), Vec::new());
    for start in starts {
        let window = &text[start..][..length + 1];
        tokens.extend(window[..length].iter().map(|byte| i64::from(*byte)));
        targets.extend(window[1..].iter().map(|byte| i64::from(*byte)));
    }
    let (rows, count) = (tokens.len() / length, targets.len());
    (
        Tensor::from_data(TensorData::new(tokens, [rows, length]), device),
        Tensor::from_data(TensorData::new(targets, [count]), device),
    )
}

fn loss(
    gpt: &Gpt,
    tokens: Tensor<2, Int>,
    targets: Tensor<1, Int>,
    context: Context,
) -> Result<Tensor<1>> {
    let output = gpt
        .forward(tokens, context)
        .map_err(|error| Error::run(error.to_string()))?;
    Ok(output.loss(targets, CrossEntropy::default()))
}

/// Nats a byte on windows that are spread over a text.
fn score(gpt: &Gpt, text: &[u8], length: usize) -> Result<f64> {
    let room = text.len() - length - 1;
    let count = SCORED.min(room / length + 1);
    let starts = (0..count).map(|index| room * index / count.max(1));
    let (tokens, targets) = windows(text, starts, length, &Device::default());
    let loss = loss(gpt, tokens, targets, Context::EVALUATION)?;
    Ok(f64::from(loss.into_scalar::<f32>()))
}

/// Nats a byte of a text under the frequencies of another, each byte counted once more.
fn entropy(of: &[u8], text: &[u8]) -> f64 {
    let mut counts = [1_u64; BYTES];
    for byte in of {
        counts[usize::from(*byte)] += 1;
    }
    let all = (of.len() + BYTES) as f64;
    let nats = text
        .iter()
        .map(|byte| -(counts[usize::from(*byte)] as f64 / all).ln());
    nats.sum::<f64>() / text.len() as f64
}
