//! How a model is trained, and then perhaps fine-tuned. A trial that is resumed goes on in the stage it was in.

use super::{
    sets::{Batch, Part, Pictures},
    settings::KatSettings,
};
use crate::explain::explain;
use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Tensor},
};
use offprint_backbones::{Vit, train::warmup_cosine};
use offprint_kernels::{AdamW, CrossEntropy, argmax, clip_grad_norm};
use offprint_lab::{
    Result,
    checkpoint::Checkpoint,
    stage::{Scores, Stage},
    trial::Trial,
};
use offprint_layers::Context;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Largest norm of all gradients together.
const CLIP: f64 = 1.0;

/// How much of the mean loss a step leaves as it was.
const SMOOTHING: f64 = 0.95;

/// Pictures that are scored at a time.
const SCORED: usize = 256;

/// Mean losses of a training, recent steps counting most.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Mean {
    loss: f64,
    /// Seconds of training so far.
    seconds: f64,
    /// The mean when the seconds that are compared were over.
    at_seconds: Option<f64>,
}

/// Trains a model; `None` if its loss diverged. Leaves the mean losses in `scores`.
///
/// # Errors
/// The model refuses the pictures, or a checkpoint cannot be read or written.
pub fn train(
    trial: &mut Trial<KatSettings>,
    stage: &Stage<'_>,
    mut vit: Vit,
    pictures: &Pictures,
    scores: &mut Scores,
    resumed: Option<Checkpoint>,
) -> Result<Option<Vit>> {
    let settings = trial.settings().clone();
    let device = trial.device();
    let seed = Context::training(trial.seed())
        .branch(stage.number)
        .branch(0)
        .seed;
    let draws = Context::training(seed).branch(1);
    let mut optimizer = ModuleOptimizer::from(AdamW {
        weight_decay: settings.weight_decay as f32,
        ..AdamW::default()
    });
    let mut first = 1;
    let mut mean: Option<Mean> = None;
    if let Some(checkpoint) = resumed {
        vit = checkpoint.module("model", vit)?;
        optimizer = checkpoint.optimizer("optimizer", optimizer)?;
        mean = checkpoint.value("mean")?;
        first = checkpoint.step;
    }
    for step in first..=stage.steps {
        let started = Instant::now();
        let batch = pictures.batch(seed, step - 1, settings.batch, &device)?;
        let loss = loss(&vit, batch, draws.branch(step))?;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let mut gradients = GradientsParams::from_grads(loss.backward(), &vit);
        let norm = clip_grad_norm(&mut gradients, &vit, CLIP);
        if !(value.is_finite() && norm.is_finite()) {
            return Ok(None);
        }
        let rate = settings.learning_rate * warmup_cosine(1.0, step, stage.steps);
        vit = optimizer.step(rate, vit, gradients);
        let mut now = mean.unwrap_or(Mean {
            loss: value,
            seconds: 0.0,
            at_seconds: None,
        });
        now.loss = SMOOTHING * now.loss + (1.0 - SMOOTHING) * value;
        now.seconds += started.elapsed().as_secs_f64();
        if now.seconds >= settings.seconds {
            now.at_seconds = now.at_seconds.or(Some(now.loss));
        }
        mean = Some(now);
        stage.report(trial, step, value);
        if trial.checkpoint_due() && step < stage.steps {
            let checkpoint = stage
                .checkpoint(step, scores)?
                .with_module("model", vit.clone())?
                .with_optimizer("optimizer", &optimizer)?
                .with_value("mean", &mean)?;
            trial.checkpoint(checkpoint)?;
        }
    }
    if let Some(mean) = mean {
        let at_seconds = mean.at_seconds.unwrap_or(mean.loss);
        scores.0.insert("train_loss".into(), mean.loss);
        scores.0.insert("train_loss_seconds".into(), at_seconds);
    }
    Ok(Some(vit))
}

fn loss(vit: &Vit, batch: Batch, context: Context) -> Result<Tensor<1>> {
    let output = vit.forward(batch.pictures, context).map_err(explain)?;
    Ok(output.loss(batch.classes, CrossEntropy::default()))
}

/// Share of pictures classified rightly, and the mean cross-entropy.
///
/// # Errors
/// The model refuses the pictures.
pub fn score(vit: &Vit, pictures: &Pictures, part: Part, device: &Device) -> Result<[f64; 2]> {
    let (mut right, mut sum, mut count) = (0.0, 0.0, 0.0);
    let vit = vit.clone().valid();
    for batch in pictures.part(part, SCORED, device) {
        let rows = batch.classes.dims()[0] as f64;
        let output = vit
            .forward(batch.pictures, Context::EVALUATION)
            .map_err(explain)?;
        let found = argmax(output.output.clone()).flatten::<1>(0, 1);
        let same = found.equal(batch.classes.clone()).int().sum();
        right += same.into_scalar::<i64>() as f64;
        let loss = output.loss(batch.classes, CrossEntropy::default());
        sum += rows * f64::from(loss.into_scalar::<f32>());
        count += rows;
    }
    Ok([right / count, sum / count])
}

/// The largest difference between the logits of two models.
///
/// # Errors
/// A model refuses the pictures.
pub fn difference(a: &Vit, b: &Vit, pictures: &Pictures, device: &Device) -> Result<f64> {
    let (a, b) = (a.clone().valid(), b.clone().valid());
    let mut largest: f64 = 0.0;
    for batch in pictures.part(Part::Validation, SCORED, device) {
        let logits = |vit: &Vit| -> Result<Tensor<2>> {
            let output = vit.forward(batch.pictures.clone(), Context::EVALUATION);
            Ok(output.map_err(explain)?.output)
        };
        let off = (logits(&a)? - logits(&b)?).abs().max();
        largest = largest.max(f64::from(off.into_scalar::<f32>()));
    }
    Ok(largest)
}
