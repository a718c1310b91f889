//! One trial: trains the teacher, makes a student of it and distils.

use super::{
    Arm,
    sets::{Batch, Part, Sets},
    settings::LanguageSettings,
};
use crate::explain::explain;
use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Tensor},
};
use offprint_backbones::{BlocksConfig, Encoder, EncoderConfig, NormPlace, Pooling, Trace};
use offprint_data::{LastBatch, batches};
use offprint_experts::{
    CometGateConfig, GateConfig, HashGateConfig, LocalSearchConfig, NeuronSplit,
};
use offprint_kernels::{AdamW, CrossEntropy, clip_grad_norm, cross_entropy};
use offprint_lab::{Error, Result, checkpoint::Checkpoint, trial::Trial};
use offprint_language::{
    distillation::Distillation,
    expert_encoder::{ExpertEncoder, ExpertEncoderConfig, importance, narrowed},
};
use offprint_layers::{Activation, Context};

/// Largest norm of a step's gradient.
const CLIP_NORM: f64 = 1.0;

/// Dropout while a model is trained, as in BERT.
const DROPOUT: f32 = 0.1;

/// Texts that are scored at a time.
const CHUNK: usize = 200;

/// Steps in which the step size rises; from then on it falls in a line to a tenth.
const RISE: f64 = 20.0;

pub fn run(trial: &mut Trial<LanguageSettings>, arm: Arm) -> Result<()> {
    let settings = trial.settings().clone();
    let sets = Sets::load(&settings, trial.data_dir())?;
    let mut learner = Learner::new(trial, &sets, arm)?;
    let total = match arm {
        Arm::Teacher => settings.teacher_steps,
        _ => settings.teacher_steps + settings.steps,
    };
    for step in learner.first..=total {
        let (name, loss) = match step <= settings.teacher_steps {
            true => ("teacher loss", learner.teach(&settings, &sets, step)?),
            false => ("training loss", learner.distil(&settings, &sets, step)?),
        };
        if !loss.is_finite() {
            break;
        }
        if step % (total / 50).max(1) == 0 || step == total {
            trial.metric(name, loss, step);
        }
        trial.progress(step, total);
        if trial.checkpoint_due() && step < total {
            trial.checkpoint(learner.checkpoint(step + 1)?)?;
        }
    }
    report(trial, &sets, &learner)
}

/// Scores on validation and test texts.
fn report(trial: &mut Trial<LanguageSettings>, sets: &Sets, learner: &Learner) -> Result<()> {
    let device = learner.device.clone().inner();
    let teacher = Student::Dense(learner.teacher.clone());
    let student = learner.student.as_ref().unwrap_or(&teacher).valid();
    let test = Scores::of(&student, &sets.test, &device)?;
    let taught = Scores::of(&teacher.valid(), &sets.test, &device)?;
    let validation = Scores::of(&student, &sets.validation, &device)?;
    trial.result("accuracy", test.accuracy);
    trial.result("loss", test.loss);
    trial.result("validation", validation.accuracy);
    trial.result("kept", test.accuracy - taught.accuracy);
    let same = test.said.iter().zip(&taught.said).filter(|(a, b)| a == b);
    trial.result("agreement", same.count() as f64 / test.said.len() as f64);
    if let Student::Experts(_) = student {
        trial.result("active", test.active);
        trial.result("active_share", test.active / trial.settings().k as f64);
    }
    Ok(())
}

/// What is distilled: a dense encoder or one of experts.
#[derive(Module, Debug)]
pub enum Student {
    Dense(Encoder),
    Experts(ExpertEncoder),
}

impl Student {
    /// The pass of evaluation.
    fn trace(&self, batch: &Batch) -> Result<Trace> {
        let (tokens, present) = (batch.tokens.clone(), Some(batch.present.clone()));
        match self {
            Self::Dense(encoder) => {
                let trace = encoder.trace(tokens, present, &[], Context::EVALUATION);
                trace.map_err(explain)
            }
            Self::Experts(encoder) => encoder.trace(tokens, present).map_err(explain),
        }
    }

    /// The pass of training step `step`, counted from 1.
    fn training(&mut self, batch: &Batch, step: u64, context: Context) -> Result<Trace> {
        let (tokens, present) = (batch.tokens.clone(), Some(batch.present.clone()));
        match self {
            Self::Dense(encoder) => {
                let trace = encoder.trace(tokens, present, &[], context);
                trace.map_err(explain)
            }
            Self::Experts(encoder) => {
                let trace = encoder.training(tokens, present, step as usize, context);
                trace.map_err(explain)
            }
        }
    }
}

struct Learner {
    arm: Arm,
    teacher: Encoder,
    student: Option<Student>,
    /// Of the teacher, then of the student.
    optimizer: ModuleOptimizer,
    device: Device,
    seed: u64,
    first: u64,
}

fn optimizer() -> ModuleOptimizer {
    AdamW {
        weight_decay: 0.01,
        ..AdamW::default()
    }
    .into()
}

impl Learner {
    /// The teacher before its first step, or where a checkpoint left.
    fn new(trial: &mut Trial<LanguageSettings>, sets: &Sets, arm: Arm) -> Result<Self> {
        let settings = trial.settings().clone();
        let device = trial.device();
        let mut learner = Self {
            arm,
            teacher: dense(&settings, sets).init(&device).map_err(explain)?,
            student: None,
            optimizer: optimizer(),
            seed: trial.seed(),
            device,
            first: 1,
        };
        if let Some(checkpoint) = trial.resume()? {
            learner.first = checkpoint.step;
            learner.teacher = checkpoint.module("teacher", learner.teacher)?;
            if checkpoint.value("distilling")? {
                let student = learner.make_student(&settings, sets)?;
                learner.student = Some(checkpoint.module("student", student)?);
            }
            learner.optimizer = checkpoint.optimizer("optimizer", learner.optimizer)?;
        }
        Ok(learner)
    }

    fn checkpoint(&self, step: u64) -> Result<Checkpoint> {
        let checkpoint = Checkpoint::new(step)
            .with_module("teacher", self.teacher.clone())?
            .with_value("distilling", &self.student.is_some())?
            .with_optimizer("optimizer", &self.optimizer)?;
        match &self.student {
            Some(student) => checkpoint.with_module("student", student.clone()),
            None => Ok(checkpoint),
        }
    }

    /// One step of the teacher; its loss.
    fn teach(&mut self, settings: &LanguageSettings, sets: &Sets, step: u64) -> Result<f64> {
        let batch = self.batch(settings, sets, step)?;
        let present = Some(batch.present);
        let output = self
            .teacher
            .forward(batch.tokens, present, self.context(step))
            .map_err(explain)?;
        let loss = output.loss(batch.labels, CrossEntropy::default());
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let rate = scheduled(settings.teacher_rate, step, settings.teacher_steps);
        update(&mut self.teacher, &mut self.optimizer, loss, rate);
        Ok(value)
    }

    /// One step of the student; its loss.
    fn distil(&mut self, settings: &LanguageSettings, sets: &Sets, step: u64) -> Result<f64> {
        if self.student.is_none() {
            self.student = Some(self.make_student(settings, sets)?);
            self.optimizer = optimizer();
        }
        let batch = self.batch(settings, sets, step)?;
        let context = self.context(step);
        let taught = self.taught(&batch)?;
        let step = step - settings.teacher_steps;
        let mut student = self.student.take().expect("made above");
        let said = student.training(&batch, step, context)?;
        let distance = Distillation::default()
            .loss(&said, &taught, Some(batch.present))
            .map_err(explain)?;
        let task = cross_entropy(said.output, batch.labels, CrossEntropy::default());
        let mut loss = task + distance * settings.distill;
        if let Some(penalty) = said.penalty {
            loss = loss + penalty;
        }
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let rate = scheduled(settings.learning_rate, step, settings.steps);
        update(&mut student, &mut self.optimizer, loss, rate);
        self.student = Some(student);
        Ok(value)
    }

    /// What the teacher says of a batch, without dropout.
    fn taught(&self, batch: &Batch) -> Result<Trace> {
        let teacher = self.teacher.valid();
        let (tokens, present) = (batch.tokens.clone().inner(), batch.present.clone().inner());
        let trace = teacher
            .trace(tokens, Some(present), &[], Context::EVALUATION)
            .map_err(explain)?;
        Ok(Trace {
            output: Tensor::from_inner(trace.output),
            penalty: None,
            hidden: trace.hidden.into_iter().map(Tensor::from_inner).collect(),
            evaluated: 0,
        })
    }

    /// The student of the arm from the trained teacher, by the importance of its neurons for training texts.
    fn make_student(&self, settings: &LanguageSettings, sets: &Sets) -> Result<Student> {
        let samples = settings.samples.min(sets.train.len());
        let scores = importance(&self.teacher, samples, |sample| {
            let batch = sets.train.select(&[sample], &self.device);
            let present = Some(batch.present);
            let output = self
                .teacher
                .forward(batch.tokens, present, Context::EVALUATION)?;
            Ok(output.loss(batch.labels, CrossEntropy::default()))
        })
        .map_err(explain)?;
        if self.arm == Arm::DenseStudent {
            let student = narrowed(&self.teacher, &scores, settings.expert_width);
            return Ok(Student::Dense(student.map_err(explain)?));
        }
        // Gates and searches start from the trial's seed, whatever was drawn before.
        self.device
            .seed(Context::training(self.seed).branch(0).seed);
        let (experts, width) = (settings.experts, settings.width);
        let gate = match self.arm {
            Arm::Hash => {
                GateConfig::Hash(HashGateConfig::new(sets.words, experts).with_seed(self.seed))
            }
            _ => GateConfig::Comet(
                CometGateConfig::new(width, experts, settings.k)
                    .with_gamma(settings.gamma)
                    .with_entropy_reg(settings.entropy_reg),
            ),
        };
        let steps = (settings.search_share * settings.steps as f64) as usize;
        let config = ExpertEncoderConfig {
            split: NeuronSplit {
                experts,
                share: settings.share,
                width: Some(settings.expert_width),
            },
            gate,
            // Two, so that at least one step learns: step N is frozen.
            search: (self.arm == Arm::CometPlus)
                .then(|| LocalSearchConfig::new(experts, steps.max(2))),
        };
        let student = ExpertEncoder::from_dense(&self.teacher, &scores, &config);
        Ok(Student::Experts(student.map_err(explain)?))
    }

    fn context(&self, step: u64) -> Context {
        Context::training(self.seed).branch(step)
    }

    fn batch(&self, settings: &LanguageSettings, sets: &Sets, step: u64) -> Result<Batch> {
        let per_epoch = sets.train.len().div_ceil(settings.batch) as u64;
        let (epoch, within) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
        let (rows, size) = (sets.train.len(), settings.batch);
        let order = batches(rows, size, self.seed, epoch, LastBatch::Keep)
            .map_err(|error| Error::run(error.to_string()))?;
        Ok(sets.train.select(&order[within as usize], &self.device))
    }
}

/// The teacher's encoder.
fn dense(settings: &LanguageSettings, sets: &Sets) -> EncoderConfig {
    let blocks = BlocksConfig {
        hidden: Some(settings.hidden),
        activation: Activation::Gelu,
        norm_place: NormPlace::After,
        dropout: DROPOUT,
        ..BlocksConfig::new(settings.layers, settings.width, settings.heads)
    };
    EncoderConfig {
        classes: Some(sets.classes),
        pooling: Pooling::Mean,
        ..EncoderConfig::new(sets.words, settings.length, blocks)
    }
}

fn scheduled(largest: f64, step: u64, steps: u64) -> f64 {
    let rise = (step as f64 / RISE).min(1.0);
    largest * rise * (1.0 - 0.9 * step as f64 / steps as f64)
}

fn update<M: Module>(model: &mut M, optimizer: &mut ModuleOptimizer, loss: Tensor<1>, rate: f64) {
    let mut gradients = GradientsParams::from_grads(loss.backward(), model);
    clip_grad_norm(&mut gradients, model, CLIP_NORM);
    *model = optimizer.step(rate, model.clone(), gradients);
}

/// What a model says of some texts.
struct Scores {
    accuracy: f64,
    loss: f64,
    /// The likeliest class of each text.
    said: Vec<i64>,
    /// Mean number of experts a position and block.
    active: f64,
}

impl Scores {
    fn of(model: &Student, part: &Part, device: &Device) -> Result<Self> {
        let all: Vec<usize> = (0..part.len()).collect();
        let (mut loss, mut said) = (0.0, Vec::new());
        let (mut evaluated, mut positions) = (0, 0);
        for rows in all.chunks(CHUNK) {
            let batch = part.select(rows, device);
            let trace = model.trace(&batch)?;
            evaluated += trace.evaluated;
            let [count, length] = batch.tokens.dims();
            positions += count * length * (trace.hidden.len() - 1);
            said.extend(trace.output.clone().argmax(1).to_data().iter::<i64>());
            let mean = cross_entropy(trace.output, batch.labels, CrossEntropy::default());
            loss += f64::from(mean.into_scalar::<f32>()) * count as f64;
        }
        let right = said
            .iter()
            .zip(&part.labels)
            .filter(|(a, b)| **a == **b as i64);
        Ok(Self {
            accuracy: right.count() as f64 / part.len() as f64,
            loss: loss / part.len() as f64,
            active: evaluated as f64 / positions.max(1) as f64,
            said,
        })
    }
}
