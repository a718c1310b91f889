//! How a model is trained: on text, then, a fresh one, on recall. A trial that is resumed goes on in the stage it was in.

use super::model::explain;
use super::settings::GlaSettings;
use burn::{
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Int, Tensor},
};
use offprint_backbones::{Gpt, GptConfig};
use offprint_kernels::{AdamW, CrossEntropy, clip_grad_norm};
use offprint_lab::{Error, Result, checkpoint::Checkpoint, trial::Trial};
use offprint_layers::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Target of positions that count nothing.
pub const IGNORED: i64 = -100;

/// Share of the steps in which the step size rises.
const WARMUP: f64 = 0.1;

/// Largest norm of all gradients together, as in the paper.
const CLIP: f64 = 1.0;

/// A batch of tokens, `[rows, length]`, and what follows or answers each, in order.
pub struct Batch {
    pub tokens: Tensor<2, Int>,
    pub targets: Tensor<1, Int>,
}

/// Final numbers by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Scores(#[serde(with = "offprint_lab::store::number::map")] pub BTreeMap<String, f64>);

/// One training of a trial.
pub struct Stage<'a> {
    /// 0 for text, 1 for recall.
    pub number: u64,
    /// Name of its curve.
    pub curve: &'a str,
    pub config: GptConfig,
    pub steps: u64,
    pub learning_rate: f64,
    /// Steps of the stages before, and of all.
    pub before: u64,
    pub of: u64,
}

/// What was trained before a trial was interrupted.
pub struct Resumed {
    pub stage: u64,
    pub scores: Scores,
    pub checkpoint: Checkpoint,
}

impl Resumed {
    /// The checkpoint of a trial, if there is one.
    pub fn of(trial: &mut Trial<GlaSettings>) -> Result<Option<Self>> {
        let Some(checkpoint) = trial.resume()? else {
            return Ok(None);
        };
        Ok(Some(Self {
            stage: checkpoint.value("stage")?,
            scores: checkpoint.value("scores")?,
            checkpoint,
        }))
    }
}

/// A number that depends on these alone.
pub fn draw(seed: u64, a: u64, b: u64) -> u64 {
    Context::training(seed).branch(a).branch(b).seed
}

/// Trains a model from its initial values; `None` if its loss diverged.
pub fn train(
    trial: &mut Trial<GlaSettings>,
    stage: &Stage<'_>,
    scores: &Scores,
    resumed: Option<Checkpoint>,
    batch: impl Fn(u64) -> Result<Batch>,
) -> Result<Option<Gpt>> {
    let device = trial.device();
    device.seed(draw(trial.seed(), stage.number, 0));
    let mut gpt = stage.config.init(&device).map_err(explain)?;
    let mut optimizer = ModuleOptimizer::from(AdamW {
        weight_decay: trial.settings().weight_decay as f32,
        ..AdamW::default()
    });
    let mut first = 1;
    if let Some(checkpoint) = resumed {
        gpt = checkpoint.module("model", gpt)?;
        optimizer = checkpoint.optimizer("optimizer", optimizer)?;
        first = checkpoint.step;
    }
    for step in first..=stage.steps {
        let Batch { tokens, targets } = batch(step)?;
        let context = Context::training(draw(trial.seed(), stage.number, step));
        let loss = loss(&gpt, tokens, targets, context)?;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let mut gradients = GradientsParams::from_grads(loss.backward(), &gpt);
        let norm = clip_grad_norm(&mut gradients, &gpt, CLIP);
        if !(value.is_finite() && norm.is_finite()) {
            return Ok(None);
        }
        if step % (stage.steps / 100).max(1) == 0 || step == stage.steps {
            trial.metric(stage.curve, value, step);
        }
        gpt = optimizer.step(rate(stage, step), gpt, gradients);
        trial.progress(stage.before + step, stage.of);
        if trial.checkpoint_due() && step < stage.steps {
            let checkpoint = Checkpoint::new(step + 1)
                .with_module("model", gpt.clone())?
                .with_optimizer("optimizer", &optimizer)?
                .with_value("stage", &stage.number)?
                .with_value("scores", scores)?;
            trial.checkpoint(checkpoint)?;
        }
    }
    Ok(Some(gpt))
}

/// The step size rises in a line, then goes down as half a cosine.
fn rate(stage: &Stage<'_>, step: u64) -> f64 {
    let (step, steps) = (step as f64, stage.steps as f64);
    let warmup = (WARMUP * steps).ceil();
    if step <= warmup {
        return stage.learning_rate * step / warmup;
    }
    let done = (step - warmup) / (steps - warmup + 1.0);
    stage.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

/// Mean cross-entropy of the targets that count.
pub fn loss(
    gpt: &Gpt,
    tokens: Tensor<2, Int>,
    targets: Tensor<1, Int>,
    context: Context,
) -> Result<Tensor<1>> {
    let output = gpt
        .forward(tokens, context)
        .map_err(|error| Error::run(error.to_string()))?;
    let options = CrossEntropy {
        ignored: Some(IGNORED),
        ..CrossEntropy::default()
    };
    Ok(output.loss(targets, options))
}
