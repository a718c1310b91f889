//! One trial: trains a backbone and scores it.

use super::{
    data::{Data, Phase},
    scores::{self, loss},
    settings::{FlatSettings, TrialConfig},
    source::explain,
    training::{OptimizerKind, TrainingConfig},
};
use crate::backbone::parameters;
use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    store::{ModuleSnapshot, SafetensorsStore},
};
use offprint_data::{LastBatch, batches};
use offprint_kernels::{AdamW, Sgd, clip_grad_norm};
use offprint_lab::{Error, Result, checkpoint::Checkpoint, draw::mix, trial::Trial};
use offprint_layers::Context;
use std::time::Instant;

/// Time of the steps so far.
#[derive(Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Clock {
    steps: u64,
    seconds: f64,
}

/// Trains with one seed and reports.
///
/// # Errors
/// The data cannot be read or does not fit the backbone; the folder of the trial cannot be written.
pub fn run(trial: &mut Trial<FlatSettings>) -> Result<()> {
    let config = TrialConfig::from_flat(&trial.settings().0)?;
    let data = Data::load(config.backbone.kind(), &config.data, trial.data_dir())?;
    let training = &config.training;
    let seed = trial.seed();
    let device = trial.device();
    let mut backbone = config
        .backbone
        .init(&device)
        .map_err(|error| Error::input(format!("backbone: {error}")))?;
    let mut optimizer = optimizer(training);
    let mut clock = Clock::default();
    let rows = data.split.train.len();
    let per_epoch = rows.div_ceil(training.batch) as u64;
    let total = match (training.steps, training.epochs) {
        (Some(steps), _) => steps,
        (None, epochs) => per_epoch * epochs.unwrap_or(1),
    };
    let mut first = 1;
    if let Some(checkpoint) = trial.resume()? {
        backbone = checkpoint.module("backbone", backbone)?;
        optimizer = checkpoint.optimizer("optimizer", optimizer)?;
        clock = checkpoint.value("clock")?;
        first = checkpoint.step;
    }
    let mut order = Vec::new();
    for step in first..=total {
        let (epoch, within) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
        if order.is_empty() || within == 0 {
            order = batches(rows, training.batch, seed, epoch, LastBatch::Keep).map_err(explain)?;
        }
        let started = Instant::now();
        let draw = mix(seed, step);
        let batch: Vec<usize> = order[within as usize]
            .iter()
            .map(|&row| data.split.train[row])
            .collect();
        let phase = Phase::Training { draw, epoch };
        let (input, target) = data.batch(&batch, phase, &device);
        let answer = backbone
            .answer(input, Context::training(draw))
            .map_err(|error| Error::run(format!("step {step}: {error}")))?;
        let smoothing = training.label_smoothing as f32;
        let mut loss = loss(answer.output, &target, smoothing);
        if let Some(penalty) = answer.penalty {
            loss = loss + penalty;
        }
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            break;
        }
        let mut gradients = GradientsParams::from_grads(loss.backward(), &backbone);
        if training.clip_norm > 0.0 {
            let norm = clip_grad_norm(&mut gradients, &backbone, training.clip_norm);
            if !norm.is_finite() {
                break;
            }
        }
        backbone = optimizer.step(training.rate(step, total), backbone, gradients);
        clock.steps += 1;
        clock.seconds += started.elapsed().as_secs_f64();
        if step % (total / 200).max(1) == 0 || step == total {
            trial.metric("training loss", value, step);
        }
        let evaluations = training.evaluations;
        if step * evaluations / total > (step - 1) * evaluations / total {
            let valid = backbone.valid();
            let rows = &data.split.validation;
            let device = device.clone().inner();
            let scores = scores::score(
                &valid,
                &config.backbone,
                &data,
                rows,
                training.batch,
                &device,
            )?;
            for (name, value) in &scores {
                trial.metric(&format!("validation {name}"), *value, step);
            }
            if step == total {
                trial.result("validation", scores["loss"]);
            }
        }
        trial.progress(step, total);
        if trial.checkpoint_due() && step < total {
            // `valid` first: it brings running statistics up to date, which a record would otherwise miss by a step.
            let _ = backbone.valid();
            let checkpoint = Checkpoint::new(step + 1)
                .with_module("backbone", backbone.clone())?
                .with_optimizer("optimizer", &optimizer)?
                .with_value("clock", &clock)?;
            trial.checkpoint(checkpoint)?;
        }
    }
    finish(trial, &config, &data, &backbone, clock, total)
}

/// Scores the trained backbone on test rows and leaves it behind.
fn finish(
    trial: &mut Trial<FlatSettings>,
    config: &TrialConfig,
    data: &Data,
    backbone: &crate::Backbone,
    clock: Clock,
    total: u64,
) -> Result<()> {
    trial.result("parameters", parameters(backbone) as f64);
    trial.result("step_ms", 1000.0 * clock.seconds / clock.steps as f64);
    if clock.steps < total {
        // A loss that diverges is a result: the worst one.
        trial.result("loss", f64::NAN);
        return Ok(());
    }
    let valid = backbone.valid();
    let device = trial.device().inner();
    let (rows, batch) = (&data.split.test, config.training.batch);
    for (name, value) in scores::score(&valid, &config.backbone, data, rows, batch, &device)? {
        trial.result(name, value);
    }
    // No metadata: its order would differ from one writing to the next.
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata();
    let saved = valid.save_into(&mut store).and_then(|()| store.get_bytes());
    let bytes = saved.map_err(|error| Error::run(format!("the trained backbone: {error}")))?;
    trial.keep("model.safetensors", &bytes)
}

fn optimizer(training: &TrainingConfig) -> ModuleOptimizer {
    let weight_decay = training.weight_decay as f32;
    match training.optimizer {
        OptimizerKind::Adamw => AdamW {
            weight_decay,
            ..AdamW::default()
        }
        .into(),
        OptimizerKind::Sgd => Sgd {
            momentum: training.momentum as f32,
            weight_decay,
            nesterov: false,
        }
        .into(),
    }
}
