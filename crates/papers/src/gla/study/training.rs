//! How a model is trained: on text, then, a fresh one, on recall. A trial that is resumed goes on in the stage it was in.

use super::settings::GlaSettings;
use crate::explain::explain;
use burn::{
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Int, Tensor},
};
use offprint_backbones::{Gpt, GptConfig, train::warmup_cosine};
use offprint_kernels::{AdamW, CrossEntropy, clip_grad_norm};
use offprint_lab::{
    Error, Result,
    checkpoint::Checkpoint,
    stage::{Scores, Stage},
    trial::Trial,
};
use offprint_layers::Context;

/// Target of positions that count nothing.
pub const IGNORED: i64 = -100;

/// Largest norm of all gradients together, as in the paper.
const CLIP: f64 = 1.0;

/// A batch of tokens, `[rows, length]`, and what follows or answers each, in order.
pub struct Batch {
    pub tokens: Tensor<2, Int>,
    pub targets: Tensor<1, Int>,
}

/// What is trained in a stage: 0 is text, 1 recall.
pub struct Training<'a> {
    pub stage: Stage<'a>,
    pub config: GptConfig,
    pub learning_rate: f64,
}

/// Trains a model from its initial values; `None` if its loss diverged.
pub fn train(
    trial: &mut Trial<GlaSettings>,
    training: &Training<'_>,
    scores: &Scores,
    resumed: Option<Checkpoint>,
    batch: impl Fn(u64) -> Result<Batch>,
) -> Result<Option<Gpt>> {
    let stage = &training.stage;
    let draws = Context::training(trial.seed()).branch(stage.number);
    let device = trial.device();
    device.seed(draws.branch(0).seed);
    let mut gpt = training.config.init(&device).map_err(explain)?;
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
        let loss = loss(&gpt, tokens, targets, draws.branch(step))?;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let mut gradients = GradientsParams::from_grads(loss.backward(), &gpt);
        let norm = clip_grad_norm(&mut gradients, &gpt, CLIP);
        if !(value.is_finite() && norm.is_finite()) {
            return Ok(None);
        }
        let rate = warmup_cosine(training.learning_rate, step, stage.steps);
        gpt = optimizer.step(rate, gpt, gradients);
        stage.report(trial, step, value);
        if trial.checkpoint_due() && step < stage.steps {
            let checkpoint = stage
                .checkpoint(step, scores)?
                .with_module("model", gpt.clone())?
                .with_optimizer("optimizer", &optimizer)?;
            trial.checkpoint(checkpoint)?;
        }
    }
    Ok(Some(gpt))
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
