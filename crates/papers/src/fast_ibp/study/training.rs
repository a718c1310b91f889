//! One trial: trains an arm's network along its schedule and scores it.

use super::{
    FastIbpSettings,
    layers::{self, growth, imbalance, states, width},
    recipes::Recipe,
    scores::{self, By, attack, attacked_error, certified, released_attack, verified_error},
    sets::Sets,
};
use crate::explain::{explain, explain_data};
use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Distribution, Tensor},
};
use offprint_certify::{
    graph::Network,
    training::{Method, xavier_init},
};
use offprint_data::{LastBatch, batches};
use offprint_kernels::{AdamW, clip_grad_norm};
use offprint_lab::{Result, checkpoint::Checkpoint, draw::mix, table::Table, trial::Trial};
use serde::{Deserialize, Serialize};

/// Largest norm of all gradients together.
const CLIP: f64 = 10.0;

/// What the learning rate is multiplied by at each of two steps.
const DECAY: f64 = 0.2;

/// Times in a training that bounds are looked at.
const LOOKS: u64 = 10;

/// What the looks found.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seen {
    looks: u32,
    imbalance: f64,
    /// Looks up to the whole radius, and the mean width over them.
    growing: u32,
    width: f64,
    /// Growth of the bounds by layer before the first step, over that of Xavier's initial values.
    growth: f64,
    /// Least verified error on test pictures since the radius is whole: what the released code reports.
    selected: Option<f64>,
    layers: Table,
}

pub fn run(trial: &mut Trial<FastIbpSettings>) -> Result<()> {
    let settings = trial.settings().clone();
    let recipe = Recipe::of(trial.arm())?;
    let sets = Sets::load(&settings, trial.data_dir())?;
    let device = trial.device();
    let resumed = trial.resume()?;
    let config = settings.config(sets.shape, sets.classes, recipe.norm);
    let network = recipe.network(&config, &device)?;
    let (network, seen) = train(trial, &recipe, network, &sets, resumed, &device)?;
    score(trial, &recipe, network.as_ref(), &seen, &sets, &device)?;
    if !trial.tuning() {
        trial.table("layers", &seen.layers)?;
    }
    Ok(())
}

/// What is seen before the first step.
fn beginning(
    trial: &Trial<FastIbpSettings>,
    network: &Network,
    sets: &Sets,
    device: &Device,
) -> Result<Seen> {
    let settings = trial.settings();
    let eps = settings.eps;
    let config = settings.config(sets.shape, sets.classes, false);
    device.seed(trial.seed());
    let xavier = xavier_init(config.init(device).map_err(explain)?);
    let plain = device.clone().inner();
    let usual = states(&xavier.valid(), &sets.validation, eps, &plain)?;
    let own = states(&network.valid(), &sets.validation, eps, &plain)?;
    let mut table = layers::table();
    layers::add(&mut table, "Xavier", &usual, eps);
    layers::add(&mut table, "start", &own, eps);
    Ok(Seen {
        looks: 0,
        imbalance: 0.0,
        growing: 0,
        width: 0.0,
        growth: growth(&own, eps) / growth(&usual, eps),
        selected: None,
        layers: table,
    })
}

/// The trained network; `None` if its loss diverged.
fn train(
    trial: &mut Trial<FastIbpSettings>,
    recipe: &Recipe,
    mut network: Network,
    sets: &Sets,
    resumed: Option<Checkpoint>,
    device: &Device,
) -> Result<(Option<Network>, Seen)> {
    let settings = trial.settings().clone();
    let steps = recipe.steps(&settings);
    let schedule = recipe.schedule(&settings);
    schedule.validate().map_err(explain)?;
    let objective = recipe.objective(&settings);
    objective.validate().map_err(explain)?;
    let mut optimizer = ModuleOptimizer::from(AdamW {
        weight_decay: 0.0,
        ..AdamW::default()
    });
    let mut first = 1;
    let mut seen = match resumed {
        Some(checkpoint) => {
            network = checkpoint.module("network", network)?;
            optimizer = checkpoint.optimizer("optimizer", optimizer)?;
            first = checkpoint.step;
            checkpoint.value("seen")?
        }
        None => beginning(trial, &network, sets, device)?,
    };
    let (rows, batch) = (sets.train.len(), settings.batch.min(sets.train.len()));
    let per_epoch = (rows / batch) as u64;
    let mut order = Vec::new();
    for step in first..=steps {
        let (epoch, within) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
        if order.is_empty() || within == 0 {
            // Batch norm wants whole batches.
            order =
                batches(rows, batch, trial.seed(), epoch, LastBatch::Drop).map_err(explain_data)?;
        }
        // Starts of attacks are a function of the step, so that a resumed run draws the same.
        device.seed(mix(trial.seed(), step));
        let (x, labels) = sets.train.select(&order[within as usize], device);
        let (eps, shape) = (schedule.at(step), x.dims());
        let start = || Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device);
        let done = objective
            .step(&network, x, &labels, eps, start)
            .map_err(explain)?;
        let value = f64::from(done.loss.clone().into_scalar::<f32>());
        let mut gradients = GradientsParams::from_grads(done.loss.backward(), &network);
        let norm = clip_grad_norm(&mut gradients, &network, CLIP);
        if !(value.is_finite() && norm.is_finite()) {
            return Ok((None, seen));
        }
        network = optimizer.step(rate(&settings, step, steps), network, gradients);
        network.update(&done.statistics);
        if step % (steps / 50).max(1) == 0 || step == steps {
            trial.metric("training loss", value, step);
        }
        if step % (steps / LOOKS).max(1) == 0 || step == steps {
            let whole = step >= schedule.end_step;
            look(trial, &network, sets, &mut seen, (step, whole), device)?;
        }
        trial.progress(step, steps);
        if trial.checkpoint_due() && step < steps {
            let checkpoint = Checkpoint::new(step + 1)
                .with_module("network", network.clone())?
                .with_optimizer("optimizer", &optimizer)?
                .with_value("seen", &seen)?;
            trial.checkpoint(checkpoint)?;
        }
    }
    Ok((Some(network), seen))
}

/// The learning rate of a step.
fn rate(settings: &FastIbpSettings, step: u64, steps: u64) -> f64 {
    let passed = settings.decay.iter();
    let passed = passed.filter(|share| step as f64 > **share * steps as f64);
    settings.learning_rate * DECAY.powi(passed.count() as i32)
}

/// Looks at the bounds of a network that is being trained.
fn look(
    trial: &mut Trial<FastIbpSettings>,
    network: &Network,
    sets: &Sets,
    seen: &mut Seen,
    (step, whole): (u64, bool),
    device: &Device,
) -> Result<()> {
    if trial.tuning() {
        return Ok(());
    }
    let eps = trial.settings().eps;
    let (network, plain) = (network.valid(), device.clone().inner());
    let found = states(&network, &sets.validation, eps, &plain)?;
    let (imbalance, width) = (imbalance(&found), width(&found, eps));
    seen.looks += 1;
    seen.imbalance += imbalance;
    if !whole {
        seen.growing += 1;
        seen.width += width;
    }
    trial.metric("ReLU imbalance", imbalance, step);
    trial.metric("log width of bounds", width, step);
    for (number, layer) in found.iter().enumerate() {
        trial.metric(&format!("unstable {}", number + 1), layer.unstable, step);
        trial.metric(&format!("active {}", number + 1), layer.active, step);
    }
    layers::add(&mut seen.layers, &format!("step {step}"), &found, eps);
    let error = |part| verified_error(&network, part, eps, By::Intervals, &plain);
    trial.metric("validation verified error", error(&sets.validation)?, step);
    if whole {
        let test = error(&sets.test)?;
        seen.selected = Some(seen.selected.map_or(test, |least| least.min(test)));
    }
    Ok(())
}

/// Reports the final numbers; of a network that diverged every picture is wrong.
fn score(
    trial: &mut Trial<FastIbpSettings>,
    recipe: &Recipe,
    network: Option<&Network>,
    seen: &Seen,
    sets: &Sets,
    device: &Device,
) -> Result<()> {
    let settings = trial.settings().clone();
    let eps = settings.eps;
    let plain = device.clone().inner();
    trial.result("growth", seen.growth);
    let Some(network) = network else {
        for name in [
            "verified",
            "verified_crown",
            "verified_third",
            "pgd",
            "pgd_released",
            "clean",
            "selected",
            "validation",
        ] {
            trial.result(name, 1.0);
        }
        return Ok(());
    };
    device.seed(mix(trial.seed(), u64::MAX));
    let frozen = network.valid();
    // What an arm is trained for is what its settings are chosen by.
    let validation = match recipe.method {
        Method::Standard => scores::error(&scores::right(&frozen, &sets.validation, &plain)?),
        Method::Pgd => {
            let none = vec![false; sets.validation.len()];
            let attack = scores::Pgd {
                steps: settings.attack_steps,
                step_size: 2.5 * eps / settings.attack_steps as f64,
                ..attack(&settings)
            };
            attacked_error(network, &sets.validation, &attack, &none, device)?
        }
        Method::Ibp | Method::CrownIbp => {
            verified_error(&frozen, &sets.validation, eps, By::Intervals, &plain)?
        }
    };
    trial.result("validation", validation);
    let by_intervals = certified(&frozen, &sets.test, eps, By::Intervals, &plain)?;
    trial.result("verified", scores::error(&by_intervals));
    if trial.tuning() {
        return Ok(());
    }
    let safe = certified(&frozen, &sets.test, eps, By::Crown, &plain)?;
    trial.result("verified_crown", scores::error(&safe));
    let third = verified_error(&frozen, &sets.test, eps / 3.0, By::Intervals, &plain)?;
    trial.result("verified_third", third);
    let attacked = |attack| attacked_error(network, &sets.test, &attack, &safe, device);
    trial.result("pgd", attacked(attack(&settings))?);
    trial.result("pgd_released", attacked(released_attack(&settings))?);
    let clean = scores::error(&scores::right(&frozen, &sets.test, &plain)?);
    trial.result("clean", clean);
    if let Some(selected) = seen.selected {
        trial.result("selected", selected);
    }
    let mean = |sum: f64, count: u32| sum / f64::from(count.max(1));
    trial.result("imbalance", mean(seen.imbalance, seen.looks));
    trial.result("width", mean(seen.width, seen.growing));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_certify::graph::NetworkConfig;

    /// A trial that is resumed goes on with the same network, running statistics of batch norms included.
    #[test]
    fn a_checkpoint_holds_running_statistics() {
        let device = Device::default().autodiff();
        let config = NetworkConfig::cnn([1, 8, 8], 2, 8, 3, true);
        device.seed(1);
        let network = config.init(&device).unwrap();
        let x = Tensor::<2>::random([16, 64], Distribution::Uniform(0.0, 1.0), &device);
        for _ in 0..3 {
            let (_, statistics) = network.forward_training(x.clone()).unwrap();
            network.update(&statistics);
        }
        let checkpoint = Checkpoint::new(2)
            .with_module("network", network.clone())
            .unwrap();
        let again = config.init(&device).unwrap();
        let again = checkpoint.module("network", again).unwrap();
        let logits = |network: &Network| -> Vec<f32> {
            let y = network.valid().forward(x.clone().inner()).unwrap();
            y.into_data().iter().collect()
        };
        assert_eq!(logits(&network), logits(&again));
    }
}
