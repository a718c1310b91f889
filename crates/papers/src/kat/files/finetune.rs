//! `offprint use kat finetune`.

use super::{
    count,
    model::{self, of_checkpoint},
    out_of,
    pictures::Given,
    print, refuse, whole_of, write_atomic,
};
use crate::arguments::number_of;
use crate::explain::explain;
use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    tensor::Device,
};
use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressStyle};
use offprint_backbones::{Vit, checkpoint::timm_bytes, train::warmup_cosine};
use offprint_data::{LastBatch, batches};
use offprint_kernels::{AdamW, CrossEntropy, argmax, clip_grad_norm};
use offprint_lab::{Error, Result, table::number};
use offprint_layers::Context;
use serde_json::json;

/// How a model is trained on.
struct Training {
    steps: u64,
    batch: usize,
    learning_rate: f64,
    weight_decay: f64,
    seed: u64,
}

/// Pictures that are scored at a time.
const SCORED: usize = 128;

pub fn run(matches: &ArgMatches) -> Result<()> {
    let out = out_of(matches)?;
    let training = training(matches)?;
    let device = Device::default().autodiff();
    let model = model::load(matches, "model", &device)?;
    let given = Given::of(matches, &model)?.ok_or_else(|| {
        Error::input("there are no pictures to train on")
            .help("name them with --set NAME, or with --images FILE --labels FILE")
    })?;
    if training.batch > given.split.train.len() {
        let allowed = format!(
            "at most {}, the pictures to train on",
            given.split.train.len()
        );
        return Err(refuse("batch", training.batch, &allowed));
    }
    // What cannot be written is said before the minutes of training.
    timm_bytes(&model.config, &model.vit).map_err(of_checkpoint)?;
    let before = accuracy(&model.vit, &given, &given.split.test)?;
    let vit = fit(model.vit, &training, &given, &device)?;
    let after = accuracy(&vit, &given, &given.split.test)?;
    let bytes = timm_bytes(&model.config, &vit).map_err(of_checkpoint)?;
    write_atomic(out, &bytes)?;
    let (name, tested) = (&given.name, given.split.test.len());
    let document = json!({
        "file": out,
        "steps": training.steps,
        "pictures": given.split.train.len(),
        "test_pictures": tested,
        "accuracy_before": before,
        "accuracy": after,
    });
    let text = format!(
        " {} steps on {} pictures of {name}\n accuracy on {tested} others: {} before, {} now\n wrote {}\n",
        training.steps,
        given.split.train.len(),
        number(before),
        number(after),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

fn training(matches: &ArgMatches) -> Result<Training> {
    let [learning_rate, weight_decay] =
        ["learning-rate", "weight-decay"].map(|name| number_of(matches, name));
    if !(learning_rate > 0.0 && learning_rate.is_finite()) {
        return Err(refuse(
            "learning-rate",
            learning_rate,
            "a finite number above 0",
        ));
    }
    if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
        return Err(refuse(
            "weight-decay",
            weight_decay,
            "a finite number of at least 0",
        ));
    }
    Ok(Training {
        steps: count(matches, "steps")? as u64,
        batch: count(matches, "batch")?,
        learning_rate,
        weight_decay,
        seed: whole_of(matches, "seed"),
    })
}

/// Trains; a bar tells how far.
fn fit(mut vit: Vit, training: &Training, given: &Given, device: &Device) -> Result<Vit> {
    let mut optimizer = ModuleOptimizer::from(AdamW {
        weight_decay: training.weight_decay as f32,
        ..AdamW::default()
    });
    let bar = ProgressBar::new(training.steps);
    let style = ProgressStyle::with_template(" {bar:20} step {pos}/{len}  {msg}  {eta} left");
    bar.set_style(style.expect("the template is fixed").progress_chars("━╸─"));
    let train = &given.split.train;
    let each = (train.len() / training.batch).max(1) as u64;
    let mut order = Vec::new();
    for step in 1..=training.steps {
        let (epoch, within) = ((step - 1) / each, (step - 1) % each);
        if within == 0 {
            let seed = training.seed;
            order = batches(train.len(), training.batch, seed, epoch, LastBatch::Drop)
                .map_err(explain)?;
        }
        let rows: Vec<usize> = order[within as usize]
            .iter()
            .map(|&row| train[row])
            .collect();
        let context = Context::training(training.seed).branch(step);
        let (pictures, classes) = given.batch(&rows, Some(context.seed), device);
        let output = vit.forward(pictures, context).map_err(explain)?;
        let loss = output.loss(classes, CrossEntropy::default());
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            return Err(Error::run(format!("the loss is {value} at step {step}"))
                .help("try a smaller --learning-rate"));
        }
        let mut gradients = GradientsParams::from_grads(loss.backward(), &vit);
        clip_grad_norm(&mut gradients, &vit, 1.0);
        let rate = training.learning_rate * warmup_cosine(1.0, step, training.steps);
        vit = optimizer.step(rate, vit, gradients);
        if step % 20 == 0 {
            bar.set_message(format!("loss {}", number(value)));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(vit)
}

/// Share of pictures classified rightly.
fn accuracy(vit: &Vit, given: &Given, rows: &[usize]) -> Result<f64> {
    let vit = vit.clone().valid();
    let mut right = 0;
    for rows in rows.chunks(SCORED) {
        let (pictures, classes) = given.batch(rows, None, &Device::default());
        let output = vit
            .forward(pictures, Context::EVALUATION)
            .map_err(explain)?;
        let found = argmax(output.output).flatten::<1>(0, 1);
        right += found.equal(classes).int().sum().into_scalar::<i64>();
    }
    Ok(right as f64 / rows.len().max(1) as f64)
}
