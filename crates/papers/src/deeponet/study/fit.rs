//! Training of one network after another, on from a checkpoint where there is one.

use super::{
    DeepONetSettings,
    model::{Batch, Model, Net},
    task::{Data, Drawn, Part, Task},
};
use crate::explain::explain;
use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Tensor},
};
use offprint_data::{LastBatch, batches};
use offprint_kernels::AdamW;
use offprint_lab::{Result, checkpoint::Checkpoint, draw::mix, store::number, trial::Trial};
use serde::{Deserialize, Serialize};

/// A network to train.
pub struct Fit {
    /// The name of its curve, if it has one.
    pub curve: Option<String>,
    pub task: Task,
    pub net: Net,
    pub steps: usize,
    /// Functions of a step.
    pub batch: usize,
}

/// Mean squared errors of a trained network, infinite if it diverged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scores {
    #[serde(with = "number")]
    pub train: f64,
    #[serde(with = "number")]
    pub validation: f64,
    #[serde(with = "number")]
    pub test: f64,
    /// Test error without the worst thousandth.
    #[serde(with = "number")]
    pub trimmed: f64,
    /// Norm of the test error over that of the answers.
    #[serde(with = "number")]
    pub relative: f64,
}

/// Functions that are scored at a time.
const CHUNK: usize = 200;

/// Times in a training that the validation error is looked at; the network with the least counts.
const LOOKS: usize = 20;

/// Trains and scores each network.
pub fn run(trial: &mut Trial<DeepONetSettings>, fits: &[Fit]) -> Result<Vec<Scores>> {
    let total: u64 = fits.iter().map(|fit| fit.steps as u64).sum();
    let device = trial.device();
    let mut resumed = trial.resume()?;
    let mut finished: Vec<Scores> = match &resumed {
        Some(checkpoint) => checkpoint.value("finished")?,
        None => Vec::new(),
    };
    let mut kept: Option<(&Task, Drawn)> = None;
    while finished.len() < fits.len() {
        let number = finished.len();
        let before = fits[..number].iter().map(|fit| fit.steps as u64).sum();
        let place = Place {
            number,
            before,
            total,
        };
        let task = &fits[number].task;
        let drawn = match kept.take() {
            Some((before, drawn)) if task.shares(before) => kept.insert((before, drawn)),
            _ => kept.insert((task, task.draw()?)),
        };
        let data = task.data(&drawn.1, &device)?;
        let model = train(
            trial,
            &fits[number],
            &data,
            place,
            &finished,
            &device,
            resumed.take(),
        )?;
        finished.push(scores(model.as_ref(), &data)?);
    }
    Ok(finished)
}

/// Which of a trial's networks.
struct Place {
    number: usize,
    /// Steps of those before.
    before: u64,
    /// Steps of all.
    total: u64,
}

/// The network with the least validation error; `None` if it diverged before there was one.
fn train(
    trial: &mut Trial<DeepONetSettings>,
    fit: &Fit,
    data: &Data,
    place: Place,
    finished: &[Scores],
    device: &Device,
    resumed: Option<Checkpoint>,
) -> Result<Option<Model>> {
    let rate = trial.settings().learning_rate;
    device.seed(mix(trial.seed(), place.number as u64));
    let mut model = fit
        .net
        .init(fit.task.sensors, fit.task.system.query(), device)?;
    let adam = AdamW {
        weight_decay: 0.0,
        ..AdamW::default()
    };
    let mut optimizer = ModuleOptimizer::from(adam);
    let mut first = 1;
    let mut best: Option<(f64, Model)> = None;
    if let Some(checkpoint) = resumed {
        model = checkpoint.module("model", model)?;
        optimizer = checkpoint.optimizer("optimizer", optimizer)?;
        first = checkpoint.step - place.before;
        if let Some(least) = checkpoint.value("least")? {
            best = Some((least, checkpoint.module("best", model.valid())?));
        }
    }
    let (rows, steps) = (data.train.len(), fit.steps as u64);
    let batch = fit.batch.min(rows);
    let per_epoch = rows.div_ceil(batch) as u64;
    let look = (steps / LOOKS as u64).max(1);
    let mut order = Vec::new();
    for step in first..=steps {
        let (epoch, within) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
        if order.is_empty() || within == 0 {
            order = batches(rows, batch, trial.seed(), epoch, LastBatch::Keep).map_err(explain)?;
        }
        let chosen = data.train.select(&order[within as usize]);
        let loss = squared_error(&model, &chosen)?;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            break;
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(rate, model, gradients);
        let now = place.before + step;
        if step % look == 0 || step == steps {
            let validated = model.valid();
            let error = score(&validated, &data.validation)?.mean;
            if let Some(curve) = &fit.curve {
                trial.metric(curve, error.log10(), step);
            }
            if error.is_finite() && best.as_ref().is_none_or(|(least, _)| error < *least) {
                best = Some((error, validated));
            }
        }
        trial.progress(now, place.total);
        if trial.checkpoint_due() && step < steps {
            let mut checkpoint = Checkpoint::new(now + 1)
                .with_module("model", model.clone())?
                .with_optimizer("optimizer", &optimizer)?
                .with_value("least", &best.as_ref().map(|(least, _)| least))?
                .with_value("finished", &finished)?;
            if let Some((_, model)) = &best {
                checkpoint = checkpoint.with_module("best", model.clone())?;
            }
            trial.checkpoint(checkpoint)?;
        }
    }
    Ok(best.map(|(_, model)| model))
}

/// The mean squared error of a part.
fn squared_error(model: &Model, part: &Part) -> Result<Tensor<1>> {
    let batch = Batch {
        u: part.u.clone(),
        y: part.y.clone(),
        index: part.index.clone(),
    };
    let error = model.forward(batch)? - part.s.clone();
    Ok(error.square().mean())
}

/// What a part says of a network.
struct Score {
    mean: f64,
    trimmed: f64,
    relative: f64,
}

fn score(model: &Model, part: &Part) -> Result<Score> {
    let (mut errors, mut power) = (Vec::new(), 0.0);
    let all: Vec<usize> = (0..part.len()).collect();
    for rows in all.chunks(CHUNK) {
        let part = part.select(rows);
        let batch = Batch {
            u: part.u.inner(),
            y: part.y.inner(),
            index: part.index.inner(),
        };
        let found = model.forward(batch)?.into_data();
        let wanted = part.s.into_data();
        for (found, wanted) in found.iter::<f64>().zip(wanted.iter::<f64>()) {
            errors.push((found - wanted).powi(2));
            power += wanted * wanted;
        }
    }
    errors.sort_by(f64::total_cmp);
    let sum: f64 = errors.iter().sum();
    let kept = errors.len() - errors.len().div_ceil(1000).min(errors.len() - 1);
    Ok(Score {
        mean: sum / errors.len() as f64,
        trimmed: errors[..kept].iter().sum::<f64>() / kept as f64,
        relative: (sum / power).sqrt(),
    })
}

fn scores(model: Option<&Model>, data: &Data) -> Result<Scores> {
    let Some(model) = model else {
        let infinite = f64::INFINITY;
        return Ok(Scores {
            train: infinite,
            validation: infinite,
            test: infinite,
            trimmed: infinite,
            relative: infinite,
        });
    };
    let test = score(model, &data.test)?;
    Ok(Scores {
        train: score(model, &data.train)?.mean,
        validation: score(model, &data.validation)?.mean,
        test: test.mean,
        trimmed: test.trimmed,
        relative: test.relative,
    })
}
