//! GLA's study: token mixers in one model, on text, on recall, and by the length of the sequence.

mod claims;
mod language;
mod lengths;
mod model;
mod recall;
mod settings;
mod training;

pub use model::deviation;
pub use settings::GlaSettings;

use burn::module::Module as _;
use language::{BEYOND, BYTES, Part, Texts};
use offprint_backbones::parameters;
use offprint_lab::{
    Result,
    claim::Claim,
    stage::{Resumed, Stage},
    study::{Arm, Better, Budget, Metric, Role, Study, Tuning},
    trial::Trial,
    tune::{Dimension, Range, Space},
};
use settings::TextKind;
use training::{Training, train};

/// The study.
pub struct GlaStudy;

const ARMS: &[Arm] = &[
    Arm::new(
        "transformer",
        Role::Baseline,
        "softmax attention with rotary positions (LLaMA)",
    ),
    Arm::new(
        "linear-attention",
        Role::Baseline,
        "GLA without its forget gate",
    ),
    Arm::new(
        "retnet",
        Role::Baseline,
        "a fixed decay for each head, rotary positions",
    ),
    Arm::new(
        "mamba",
        Role::Baseline,
        "selective state space with a convolution",
    ),
    Arm::new(
        "gla",
        Role::Method,
        "a decay for each position and key channel",
    ),
    Arm::new(
        "gla-wide",
        Role::Ablation,
        "GLA with keys four times as wide: a larger state",
    ),
];

const METRICS: &[Metric] = &[
    Metric::new(
        "loss",
        "nats / byte",
        Better::Lower,
        "cross-entropy of each next byte of test text: the logarithm of the perplexity",
    ),
    Metric::new("perplexity", "perplexity", Better::Lower, "e to the loss"),
    Metric::new(
        "extrapolation",
        "ppl 8x / 1x",
        Better::Lower,
        "perplexity at 8 times the training length over that at the training length, on the same bytes",
    ),
    Metric::new(
        "recall",
        "recall",
        Better::Higher,
        "share of keys asked for whose value is the likeliest token (MQAR)",
    ),
    Metric::new(
        "milliseconds",
        "ms at 4096",
        Better::Lower,
        "token mixer forward and backward on 4,096 tokens, shortest of four; of the clock, so no two runs agree",
    ),
    Metric::new(
        "slope",
        "slope",
        Better::Lower,
        "of the logarithm of that time on that of the length, from 1,024 tokens on",
    ),
    Metric::new(
        "parameters",
        "parameters",
        Better::Neither,
        "of the language model",
    ),
    Metric::new(
        "validation",
        "valid. loss",
        Better::Lower,
        "the loss on validation text; what tuning looks at",
    ),
];

impl Study for GlaStudy {
    type Settings = GlaSettings;

    fn question(&self) -> &'static str {
        "gated linear attention against softmax attention, RetNet, Mamba and no gate"
    }

    fn arms(&self) -> &'static [Arm] {
        ARMS
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn settings(&self, budget: Budget) -> GlaSettings {
        let quick = GlaSettings {
            text: TextKind::Both,
            layers: 2,
            width: 64,
            heads: 4,
            context: 64,
            batch: 16,
            steps: 60,
            learning_rate: 5e-3,
            weight_decay: 0.01,
            windows: 8,
            pairs: 4,
            symbols: 16,
            recall_length: 16,
            recall_batch: 32,
            recall_steps: 240,
            recall_rate: 3e-3,
            widening: 4,
            timed_width: 128,
            timed_length: 4096,
            longest: 4096,
        };
        match budget {
            Budget::Quick | Budget::Train => quick,
            Budget::Full => GlaSettings {
                context: 128,
                steps: 200,
                windows: 32,
                recall_batch: 64,
                recall_steps: 500,
                longest: 32_768,
                ..quick
            },
        }
    }

    fn tuning(&self) -> Tuning {
        Tuning {
            space: Space::new(vec![Dimension::new(
                "learning_rate",
                Range::LogUniform {
                    low: 1e-3,
                    high: 2e-2,
                },
            )]),
            trials: 4,
            validation: "validation",
            test: "loss",
            better: Better::Lower,
        }
    }

    fn chosen(&self, _: &GlaSettings) -> Option<&'static str> {
        Some(include_str!("../../../../../reports/gla/tuned.toml"))
    }

    fn run(&self, trial: &mut Trial<GlaSettings>) -> Result<()> {
        run(trial)
    }
}

/// One trial: text, then recall and time where it is no tuning trial.
fn run(trial: &mut Trial<GlaSettings>) -> Result<()> {
    let settings = trial.settings().clone();
    let mixer = model::mixer(trial.arm(), &settings)?;
    let device = trial.device();
    let Resumed {
        mut stage,
        mut scores,
        mut checkpoint,
    } = Resumed::of(trial)?;
    let recall_steps = if trial.tuning() {
        0
    } else {
        settings.recall_steps
    };
    let all = settings.steps + recall_steps;
    if stage == 0 {
        let of_text = Training {
            stage: Stage {
                number: 0,
                curve: "training loss",
                steps: settings.steps,
                before: 0,
                of: all,
            },
            config: model::config(mixer, &settings, BYTES, BEYOND * settings.context)?,
            learning_rate: settings.learning_rate,
        };
        let texts = Texts::load(&settings);
        let seed = trial.seed();
        let batch = |step| Ok(texts.batch(seed, step, settings.batch, &device));
        let gpt = train(trial, &of_text, &scores, checkpoint.take(), batch)?;
        let mut put = |name: &str, value: f64| {
            scores.0.insert(name.into(), value);
        };
        match gpt {
            Some(gpt) => {
                put("parameters", parameters(&gpt) as f64);
                let (gpt, device) = (gpt.valid(), device.clone().inner());
                let score = |part, length| texts.score(&gpt, part, length, &device);
                let loss = score(Part::Test, settings.context)?;
                let beyond = score(Part::Test, BEYOND * settings.context)?;
                put("loss", loss);
                put("perplexity", loss.exp());
                put("extrapolation", (beyond - loss).exp());
                put("validation", score(Part::Validation, settings.context)?);
            }
            // A loss that diverges is a result: the worst one.
            None => {
                for name in ["loss", "perplexity", "extrapolation", "validation"] {
                    put(name, f64::INFINITY);
                }
            }
        }
        stage = 1;
    }
    if stage == 1 && recall_steps > 0 {
        let task = recall::task(&settings);
        let of_recall = Training {
            stage: Stage {
                number: 1,
                curve: "recall loss",
                steps: recall_steps,
                before: settings.steps,
                of: all,
            },
            config: model::config(mixer, &settings, task.vocabulary(), task.length)?,
            learning_rate: settings.recall_rate,
        };
        let (seed, rows) = (trial.seed(), settings.recall_batch as u64);
        let batch = |step| recall::batch(task, seed, step * rows..(step + 1) * rows, &device);
        let gpt = train(trial, &of_recall, &scores, checkpoint.take(), batch)?;
        let share = match gpt {
            Some(gpt) => recall::score(&gpt.valid(), task, &device.clone().inner())?,
            None => 0.0,
        };
        scores.0.insert("recall".into(), share);
    }
    for (name, value) in &scores.0 {
        trial.result(name, *value);
    }
    if !trial.tuning() {
        lengths::time(trial, mixer.0)?;
    }
    Ok(())
}
