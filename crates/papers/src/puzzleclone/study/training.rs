//! The arms with a model: supervised steps, then steps of reinforcement learning.

use super::{
    PuzzleSettings,
    data::{Item, Sets},
};
use crate::explain::explain;
use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Tensor, TensorData},
};
use offprint_backbones::{Gpt, GptConfig, Sampling};
use offprint_data::{Draw, LastBatch, batches};
use offprint_kernels::{AdamW, clip_grad_norm};
use offprint_lab::{Error, Result, checkpoint::Checkpoint, trial::Trial};
use offprint_language::{
    policy::Grpo,
    tuning::{Pair, answer_loss, answer_mask, log_probs, sample},
};
use offprint_layers::Context;

/// What an arm does.
#[derive(Clone, Copy)]
pub struct Plan {
    trained: bool,
    reinforced: bool,
    shuffled: bool,
}

impl Plan {
    pub const UNTRAINED: Self = Self {
        trained: false,
        reinforced: false,
        shuffled: false,
    };
    pub const SFT: Self = Self {
        trained: true,
        ..Self::UNTRAINED
    };
    pub const SFT_RL: Self = Self {
        reinforced: true,
        ..Self::SFT
    };
    pub const SHUFFLED: Self = Self {
        shuffled: true,
        ..Self::SFT
    };
}

/// Largest norm of a step's gradient.
const CLIP_NORM: f64 = 1.0;

pub fn run(trial: &mut Trial<PuzzleSettings>, plan: Plan) -> Result<()> {
    let settings = trial.settings().clone();
    let sets = Sets::new(settings.puzzles, trial.seed())?;
    let mut learner = Learner::new(trial, &sets, plan)?;
    let total = match (plan.trained, plan.reinforced) {
        (false, _) => 0,
        (true, true) => settings.sft_steps + settings.rl_steps,
        (true, false) => settings.sft_steps + settings.rl_steps * settings.updates as u64,
    };
    for step in learner.first..=total {
        let reinforced = plan.reinforced && step > settings.sft_steps;
        let (name, value) = match reinforced {
            true => ("reward", learner.reinforce(&sets, &settings, step)?),
            false => ("training loss", learner.supervise(&settings, step)?),
        };
        if !value.is_finite() {
            break;
        }
        if step % (total / 100).max(1) == 0 || step == total {
            trial.metric(name, value, step);
        }
        if step % (total / 5).max(1) == 0 && step < total {
            trial.metric(
                "validation accuracy",
                learner.accuracy(&sets, &sets.validation)?,
                step,
            );
        }
        trial.progress(step, total);
        if trial.checkpoint_due() && step < total {
            trial.checkpoint(learner.checkpoint(step + 1)?)?;
        }
    }
    let accuracy = learner.accuracy(&sets, &sets.test)?;
    trial.result("accuracy", accuracy);
    trial.result("above_constant", accuracy - sets.constant());
    trial.result("held_out", learner.accuracy(&sets, &sets.held_out)?);
    trial.result("arithmetic", learner.accuracy(&sets, &sets.arithmetic)?);
    trial.result("validation", learner.accuracy(&sets, &sets.validation)?);
    Ok(())
}

struct Learner {
    gpt: Gpt,
    /// The model before reinforcement learning.
    reference: Option<Gpt>,
    supervised: ModuleOptimizer,
    reinforcing: ModuleOptimizer,
    pairs: Vec<Pair>,
    seed: u64,
    first: u64,
    /// Supervised steps.
    horizon: u64,
}

fn optimizer() -> ModuleOptimizer {
    AdamW {
        weight_decay: 0.01,
        ..AdamW::default()
    }
    .into()
}

impl Learner {
    fn new(trial: &mut Trial<PuzzleSettings>, sets: &Sets, plan: Plan) -> Result<Self> {
        let settings = trial.settings().clone();
        let device = trial.device();
        let context = sets.room.prompt + sets.room.answer;
        let config = GptConfig::gpt2(
            sets.characters.size(),
            context,
            settings.layers,
            settings.width,
            settings.heads,
        );
        let gpt = config
            .init(&device)
            .map_err(|error| Error::input(error.to_string()))?;
        let mut pairs: Vec<Pair> = sets.train.iter().map(|item| item.pair.clone()).collect();
        if plan.shuffled {
            shuffle(&sets.train, &mut pairs, trial.seed());
        }
        let mut learner = Self {
            gpt,
            reference: None,
            supervised: optimizer(),
            reinforcing: optimizer(),
            pairs,
            seed: trial.seed(),
            first: 1,
            // As many updates alone as with reinforcement learning after it.
            horizon: match plan.reinforced {
                true => settings.sft_steps,
                false => settings.sft_steps + settings.rl_steps * settings.updates as u64,
            },
        };
        if let Some(checkpoint) = trial.resume()? {
            learner.first = checkpoint.step;
            if checkpoint.value("reinforced")? {
                learner.reference = Some(checkpoint.module("reference", learner.gpt.valid())?);
                learner.reinforcing = checkpoint.optimizer("reinforcing", learner.reinforcing)?;
            } else {
                learner.supervised = checkpoint.optimizer("supervised", learner.supervised)?;
            }
            learner.gpt = checkpoint.module("gpt", learner.gpt)?;
        }
        Ok(learner)
    }

    fn checkpoint(&self, step: u64) -> Result<Checkpoint> {
        let checkpoint = Checkpoint::new(step)
            .with_module("gpt", self.gpt.clone())?
            .with_value("reinforced", &self.reference.is_some())?;
        match &self.reference {
            Some(reference) => checkpoint
                .with_module("reference", reference.clone())?
                .with_optimizer("reinforcing", &self.reinforcing),
            None => checkpoint.with_optimizer("supervised", &self.supervised),
        }
    }

    /// One supervised step; its loss.
    fn supervise(&mut self, settings: &PuzzleSettings, step: u64) -> Result<f64> {
        let per_epoch = self.pairs.len().div_ceil(settings.batch) as u64;
        let (epoch, within) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
        let order = batches(
            self.pairs.len(),
            settings.batch,
            self.seed,
            epoch,
            LastBatch::Keep,
        )
        .map_err(|error| Error::run(error.to_string()))?;
        let batch: Vec<Pair> = order[within as usize]
            .iter()
            .map(|&row| self.pairs[row].clone())
            .collect();
        let loss = answer_loss(&self.gpt, &batch, Context::training(step)).map_err(explain)?;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        // A short rise, then down in a line.
        let rise = (step as f64 / 20.0).min(1.0);
        let rate = settings.learning_rate * rise * (1.0 - 0.9 * step as f64 / self.horizon as f64);
        update(&mut self.gpt, &mut self.supervised, loss, rate);
        Ok(value)
    }

    /// One step of reinforcement learning; the mean reward of its answers.
    fn reinforce(&mut self, sets: &Sets, settings: &PuzzleSettings, step: u64) -> Result<f64> {
        if self.reference.is_none() {
            self.reference = Some(self.gpt.valid());
        }
        let mut draw = Draw::new(b"puzzle prompts  ", self.seed, step);
        let chosen: Vec<&Item> = (0..settings.prompts)
            .map(|_| &sets.train[draw.below(sets.train.len())])
            .collect();
        let repeated: Vec<&Item> = chosen
            .iter()
            .flat_map(|item| std::iter::repeat_n(*item, settings.group))
            .collect();
        let prompts: Vec<Vec<usize>> = repeated
            .iter()
            .map(|item| item.pair.prompt.clone())
            .collect();
        let policy = self.gpt.valid();
        let seed = Context::training(self.seed).branch(step).seed;
        let answers = sample(
            &policy,
            &prompts,
            sets.room.answer,
            Sampling::default(),
            seed,
        )
        .map_err(explain)?;
        let rewards: Vec<f32> = repeated
            .iter()
            .zip(&answers)
            .map(|(item, answer)| f32::from(item.right(&sets.characters, answer)))
            .collect();
        let mean =
            rewards.iter().map(|&reward| f64::from(reward)).sum::<f64>() / rewards.len() as f64;
        let pairs: Vec<Pair> = prompts
            .into_iter()
            .zip(answers)
            .map(|(prompt, answer)| Pair { prompt, answer })
            .collect();
        self.update_policy(&policy, &pairs, rewards, settings)?;
        Ok(mean)
    }

    fn update_policy(
        &mut self,
        policy: &Gpt,
        pairs: &[Pair],
        rewards: Vec<f32>,
        settings: &PuzzleSettings,
    ) -> Result<()> {
        let grpo = Grpo {
            clip: settings.clip,
            kl: settings.kl,
            normalize: true,
        };
        let device = self.gpt.embedding.tokens.weight.val().device();
        let (groups, group, tokens) = (settings.prompts, settings.group, pairs[0].answer.len());
        let shape = [groups, group, tokens];
        let inner = device.clone().inner();
        let fixed = |gpt: &Gpt| -> Result<Tensor<3>> {
            let values = log_probs(gpt, pairs, Context::EVALUATION).map_err(explain)?;
            Ok(Tensor::<2>::from_data(values.into_data(), &device).reshape(shape))
        };
        let old = fixed(policy)?;
        let reference = match (&self.reference, settings.kl > 0.0) {
            (Some(reference), true) => Some(fixed(reference)?),
            _ => None,
        };
        let mask = answer_mask(pairs, &inner).map_err(explain)?;
        let mask: Tensor<3> = Tensor::<2>::from_data(mask.into_data(), &device).reshape(shape);
        let rewards = Tensor::from_data(TensorData::new(rewards, [groups, group]), &device);
        let advantages = grpo.advantages(rewards);
        for _ in 0..settings.updates {
            let now = log_probs(&self.gpt, pairs, Context::EVALUATION)
                .map_err(explain)?
                .reshape(shape);
            let loss = grpo
                .loss(
                    now,
                    old.clone(),
                    reference.clone(),
                    mask.clone(),
                    advantages.clone(),
                )
                .map_err(explain)?;
            update(&mut self.gpt, &mut self.reinforcing, loss, settings.rl_rate);
        }
        Ok(())
    }

    /// Share of right answers, the likeliest token taken always.
    fn accuracy(&self, sets: &Sets, items: &[Item]) -> Result<f64> {
        let gpt = self.gpt.valid();
        let mut right = 0;
        for part in items.chunks(256) {
            let prompts: Vec<Vec<usize>> =
                part.iter().map(|item| item.pair.prompt.clone()).collect();
            let answers =
                sample(&gpt, &prompts, sets.room.answer, Sampling::GREEDY, 0).map_err(explain)?;
            let pairs = part.iter().zip(&answers);
            right += pairs
                .filter(|(item, answer)| item.right(&sets.characters, answer))
                .count();
        }
        Ok(right as f64 / items.len().max(1) as f64)
    }
}

fn update(gpt: &mut Gpt, optimizer: &mut ModuleOptimizer, loss: Tensor<1>, rate: f64) {
    let mut gradients = GradientsParams::from_grads(loss.backward(), gpt);
    clip_grad_norm(&mut gradients, gpt, CLIP_NORM);
    *gpt = optimizer.step(rate, gpt.clone(), gradients);
}

/// Gives each puzzle the answer of another one of its seed puzzle.
fn shuffle(items: &[Item], pairs: &mut [Pair], seed: u64) {
    let mut names: Vec<&str> = items.iter().map(|item| &*item.puzzle.seed_puzzle).collect();
    names.sort_unstable();
    names.dedup();
    for (number, name) in names.into_iter().enumerate() {
        let places: Vec<usize> = (0..items.len())
            .filter(|&place| items[place].puzzle.seed_puzzle == name)
            .collect();
        let order = Draw::new(b"puzzle shuffles ", seed, number as u64).permutation(places.len());
        let answers: Vec<Vec<usize>> = order
            .iter()
            .map(|&rank| pairs[places[rank]].answer.clone())
            .collect();
        for (place, answer) in places.into_iter().zip(answers) {
            pairs[place].answer = answer;
        }
    }
}
