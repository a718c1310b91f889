//! One trial: trains an arm's model, from one or several initializations, and scores it.

use super::{
    CometSettings,
    model::{GateKind, Model, ModelConfig, SearchConfig},
    scores::{self, Scores},
    sets::Sets,
};
use crate::explain::{explain, explain_data};
use burn::{
    module::Module,
    optim::{AdamConfig, GradientsParams},
    tensor::Device,
};
use offprint_data::{LastBatch, batches};
use offprint_lab::{Result, checkpoint::Checkpoint, trial::Trial};

/// Trains `starts` initializations one after another and reports the first one's scores and the worst loss.
pub fn run(
    trial: &mut Trial<CometSettings>,
    gate: GateKind,
    searched: bool,
    starts: usize,
) -> Result<()> {
    let settings = trial.settings().clone();
    let sets = Sets::load(&settings, trial.data_dir())?;
    let config = ModelConfig {
        hash_seed: trial.seed(),
        ..model_config(&settings, &sets, gate, searched)
    };
    let device = trial.device();
    let mut resumed = trial.resume()?;
    let mut finished: Vec<Scores> = match &resumed {
        Some(checkpoint) => checkpoint.value("finished")?,
        None => Vec::new(),
    };
    while finished.len() < starts {
        let start = Start {
            number: finished.len(),
            of: starts,
        };
        let model = train(
            trial,
            &sets,
            &config,
            &device,
            start,
            &finished,
            resumed.take(),
        )?;
        let scores = scores::score(
            model.as_ref(),
            &sets,
            &weights(&settings),
            settings.k,
            &device,
        )?;
        if start.number == 0
            && let Some(model) = &model
        {
            scores::leave_behind(trial, model, &sets, &device)?;
        }
        finished.push(scores);
    }
    for (name, value) in &finished[0].0 {
        trial.result(name, *value);
    }
    if starts > 1 {
        let losses = finished.iter().map(|scores| scores.0["loss"]);
        // Not `f64::max`, which would drop a diverged start.
        let worst = losses.reduce(|a, b| if a >= b || a.is_nan() { a } else { b });
        trial.result("worst_start", worst.unwrap_or(f64::NAN));
    }
    Ok(())
}

/// Which of a trial's initializations.
#[derive(Clone, Copy)]
struct Start {
    number: usize,
    of: usize,
}

/// The tasks' weights in the loss.
fn weights(settings: &CometSettings) -> [f64; 2] {
    match settings.data {
        super::settings::DataSet::MultiMnist => [0.5, 0.5],
        super::settings::DataSet::Movielens => [settings.watch_weight, 1.0 - settings.watch_weight],
    }
}

fn model_config(
    settings: &CometSettings,
    sets: &Sets,
    gate: GateKind,
    searched: bool,
) -> ModelConfig {
    let steps = settings.epochs * sets.train.len().div_ceil(settings.batch);
    ModelConfig {
        gate,
        experts: settings.experts,
        k: settings.k,
        gamma: settings.gamma,
        entropy_reg: settings.entropy_reg,
        zeta: settings.zeta,
        noisy: settings.noisy,
        search: searched.then(|| SearchConfig {
            // Two, so that at least one step learns: the first is counted as step 1, step N is frozen.
            steps: ((settings.search_share * steps as f64) as usize).max(2),
            noise: settings.search_noise,
            entropy_reg: settings.search_reg,
            permutations: if settings.search_per_tree {
                settings.k
            } else {
                1
            },
        }),
        ids: sets.ids,
        hash_seed: 0,
        embedding: sets.embedding,
        input: sets.input,
        body: sets.body.clone(),
        dropout: if sets.embedding.is_some() {
            settings.dropout
        } else {
            0.0
        },
        heads: sets.heads.clone(),
    }
}

/// Trains one initialization and returns the model of the epoch with the least validation loss; `None` if the loss
/// diverged before there was one.
fn train(
    trial: &mut Trial<CometSettings>,
    sets: &Sets,
    config: &ModelConfig,
    device: &Device,
    start: Start,
    finished: &[Scores],
    resumed: Option<Checkpoint>,
) -> Result<Option<Model>> {
    let settings = trial.settings().clone();
    let weights = weights(&settings);
    let per_epoch = sets.train.len().div_ceil(settings.batch) as u64;
    let total = per_epoch * settings.epochs as u64;
    let seed = mix(trial.seed(), start.number as u64);
    device.seed(seed);
    let mut model = config.init(device).map_err(explain)?;
    let mut optimizer = AdamConfig::new().with_epsilon(1e-7).init();
    let mut first = 1;
    let mut best: Option<(f64, Model)> = None;
    if let Some(checkpoint) = resumed {
        model = checkpoint.module("model", model)?;
        optimizer = checkpoint.optimizer("optimizer", optimizer)?;
        first = checkpoint.step;
        if let Some(loss) = checkpoint.value("best loss")? {
            best = Some((loss, checkpoint.module("best", model.valid())?));
        }
    }
    let mut order = Vec::new();
    for step in first..=total {
        let (epoch, within) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
        if order.is_empty() || within == 0 {
            let (rows, batch) = (sets.train.len(), settings.batch);
            order =
                batches(rows, batch, trial.seed(), epoch, LastBatch::Keep).map_err(explain_data)?;
        }
        // Noise and dropout are a function of the step, so that a resumed run draws the same.
        device.seed(mix(seed, step));
        let (rows, targets) = sets.train.select(&order[within as usize], device);
        let (loss, output) = model
            .training_loss(&rows, &targets, &weights, step as usize)
            .map_err(explain)?;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            break;
        }
        if start.number == 0 && (within % 10 == 0 || step == total) {
            trial.metric("training loss", value, step);
            trial.metric("active experts", output.active(), step);
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(settings.learning_rate, model, gradients);
        if within + 1 == per_epoch {
            let validated = model.valid();
            let loss = scores::losses(&validated, &sets.validation, &weights, device)?;
            if start.number == 0 {
                trial.metric("validation loss", loss, step);
            }
            if loss.is_finite() && best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, validated));
            }
        }
        trial.progress(start.number as u64 * total + step, start.of as u64 * total);
        if trial.checkpoint_due() && step < total {
            let mut checkpoint = Checkpoint::new(step + 1)
                .with_module("model", model.clone())?
                .with_optimizer("optimizer", &optimizer)?
                .with_value("best loss", &best.as_ref().map(|(loss, _)| loss))?
                .with_value("finished", &finished)?;
            if let Some((_, model)) = &best {
                checkpoint = checkpoint.with_module("best", model.clone())?;
            }
            trial.checkpoint(checkpoint)?;
        }
    }
    Ok(best.map(|(_, model)| model))
}

/// A seed from two numbers (SplitMix64's finalizer), so that near numbers do not give near seeds.
fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(b);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
