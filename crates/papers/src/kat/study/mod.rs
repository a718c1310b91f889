//! KAT's study: channel mixers in one vision transformer, from the start and from a trained MLP transformer.

mod claims;
mod measure;
mod model;
mod sets;
mod settings;
mod training;

pub(super) use measure::{around, hidden_range};
pub use settings::{DataSet, KatSettings};

use crate::explain::explain;
use burn::module::Module;
use offprint_backbones::{ChannelMixer, parameters};
use offprint_lab::{
    Result,
    claim::Claim,
    stage::{Resumed, Stage},
    study::{Arm, Better, Budget, Metric, Role, Study, Tuning},
    table::{Cell, Table},
    trial::Trial,
    tune::{Dimension, Range, Space},
};
use offprint_layers::Context;
use sets::{Part, Pictures};
use std::path::Path;

/// The study.
pub struct KatStudy;

const ARMS: &[Arm] = &[
    Arm::new("mlp", Role::Baseline, "ViT with GELU networks"),
    Arm::new(
        "b-spline-kan",
        Role::Baseline,
        "ViT with a cubic spline for each pair of channels",
    ),
    Arm::new(
        "rational-one",
        Role::Ablation,
        "KAT with one function for all channels",
    )
    .only_full(),
    Arm::new(
        "rational-each",
        Role::Ablation,
        "KAT with as many functions as the model is wide",
    )
    .only_full(),
    Arm::new(
        "kat",
        Role::Method,
        "a rational function for each group of channels",
    ),
    Arm::new(
        "kat-released-init",
        Role::Ablation,
        "KAT with the initial weights that the released code comes to",
    ),
    Arm::new("kat-relu", Role::Ablation, "KAT started as ReLU").only_full(),
    Arm::new("kat-swish", Role::Ablation, "KAT started as SiLU").only_full(),
    Arm::new(
        "finetune-mlp",
        Role::Baseline,
        "the trained MLP transformer, trained on",
    ),
    Arm::new(
        "finetune-kat",
        Role::Method,
        "the trained MLP transformer with KANs in place of its MLPs, trained on",
    ),
    Arm::new(
        "finetune-kat-wide",
        Role::Ablation,
        "the same, fitted from -5 to 5 whatever the model's numbers are",
    )
    .only_full(),
];

const METRICS: &[Metric] = &[
    Metric::new(
        "accuracy",
        "accuracy",
        Better::Higher,
        "share of test pictures classified rightly",
    ),
    Metric::new(
        "loss",
        "test loss",
        Better::Lower,
        "cross-entropy of the test pictures",
    ),
    Metric::new(
        "train_loss",
        "train loss",
        Better::Lower,
        "running mean of the training loss after the last step",
    ),
    Metric::new(
        "train_loss_seconds",
        "loss at seconds",
        Better::Lower,
        "the same after equal seconds of training; of the clock, so no two runs agree",
    ),
    Metric::new(
        "drift",
        "variance drift",
        Better::Lower,
        "largest |ln(var out / var in)| of a block's channel mixer before training",
    ),
    Metric::new(
        "mixer_log_ms",
        "ln mixer ms",
        Better::Lower,
        "logarithm of the milliseconds of a channel mixer forward and backward on a batch, shortest of ten; of the clock",
    ),
    Metric::new(
        "mixer_mb",
        "mixer MB",
        Better::Lower,
        "largest memory that the kernels of the channel mixer held meanwhile",
    ),
    Metric::new(
        "swap",
        "swap |Δlogit|",
        Better::Lower,
        "largest change of a validation logit when KANs take the place of trained MLPs",
    ),
    Metric::new("parameters", "parameters", Better::Neither, "of the model"),
    Metric::new(
        "validation",
        "valid. loss",
        Better::Lower,
        "cross-entropy of the validation pictures; what tuning looks at",
    ),
];

impl Study for KatStudy {
    type Settings = KatSettings;

    fn question(&self) -> &'static str {
        "rational functions by group against MLPs and B-spline KANs in a vision transformer"
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

    fn settings(&self, budget: Budget) -> KatSettings {
        let quick = KatSettings {
            data: DataSet::Mnist,
            pictures: 4000,
            patch: 7,
            layers: 2,
            width: 48,
            heads: 4,
            groups: 8,
            batch: 64,
            steps: 300,
            finetune_steps: 150,
            learning_rate: 2e-3,
            weight_decay: 0.05,
            seconds: 1.0,
        };
        match budget {
            Budget::Quick | Budget::Train => quick,
            Budget::Full => KatSettings {
                pictures: 0,
                layers: 4,
                width: 64,
                steps: 350,
                finetune_steps: 150,
                seconds: 4.0,
                ..quick
            },
        }
    }

    fn tuning(&self) -> Tuning {
        let log = |low, high| Range::LogUniform { low, high };
        Tuning {
            space: Space::new(vec![
                Dimension::new("learning_rate", log(5e-4, 8e-3)),
                Dimension::new("weight_decay", log(5e-3, 0.2)),
            ]),
            trials: 3,
            validation: "validation",
            test: "accuracy",
            better: Better::Lower,
        }
    }

    fn chosen(&self, settings: &KatSettings) -> Option<&'static str> {
        let tuned = include_str!("../../../../../reports/kat/tuned.toml");
        (settings.data == DataSet::Mnist).then_some(tuned)
    }

    fn check_data(&self, settings: &KatSettings, data_dir: Option<&Path>) -> Result<()> {
        match settings.data {
            // What is inside is always there.
            DataSet::Mnist | DataSet::Letters => Ok(()),
            DataSet::Cifar10 => Pictures::load(settings, data_dir).map(drop),
        }
    }

    fn run(&self, trial: &mut Trial<KatSettings>) -> Result<()> {
        run(trial)
    }
}

/// One trial.
fn run(trial: &mut Trial<KatSettings>) -> Result<()> {
    let settings = trial.settings().clone();
    let form = model::form(trial.arm(), &settings)?;
    let pictures = Pictures::load(&settings, trial.data_dir())?;
    let config = model::config(&form, &settings, &pictures)?;
    let device = trial.device();
    let plain = device.clone().inner();
    let Resumed {
        mut stage,
        mut scores,
        mut checkpoint,
    } = Resumed::of(trial)?;
    if checkpoint.is_none() && !trial.tuning() {
        // What is timed is the mixer that the arm is about.
        let mixer = form
            .swap
            .map_or(form.mixer, |swap| ChannelMixer::GrKan(swap.options));
        let (ms, mb) = measure::time(&config, mixer, &settings, &device)?;
        scores.0.insert("mixer_log_ms".into(), ms.ln());
        scores.0.insert("mixer_mb".into(), mb);
    }
    let finetune_steps = if form.finetuned {
        settings.finetune_steps
    } else {
        0
    };
    let all = settings.steps + finetune_steps;
    // Not before the measuring above, which draws.
    device.seed(Context::training(trial.seed()).branch(0).branch(0).seed);
    let vit = config.init(&device).map_err(explain)?;
    if checkpoint.is_none() {
        let some = pictures.batch(trial.seed(), 0, settings.batch, &plain)?;
        let drifts = measure::drifts(&vit, some.pictures.clone())?;
        let largest = drifts
            .iter()
            .fold(0.0, |most: f64, drift| most.max(drift.abs()));
        scores.0.insert("drift".into(), largest);
        scores
            .0
            .insert("parameters".into(), parameters(&vit) as f64);
        if !trial.tuning() {
            depths(trial, &drifts)?;
            measure::sizes(trial)?;
        }
    }
    let mut trained = match stage {
        0 => {
            let first = Stage {
                number: 0,
                curve: "training loss",
                steps: settings.steps,
                before: 0,
                of: all,
            };
            let resumed = checkpoint.take();
            training::train(trial, &first, vit, &pictures, &mut scores, resumed)?
        }
        // Its parameters are in the checkpoint.
        _ => Some(vit),
    };
    if form.finetuned
        && let Some(before) = trained.take()
    {
        let mut vit = before.clone();
        if let Some(model::Swap {
            mut options,
            measured,
        }) = form.swap
        {
            if measured {
                let some = pictures.batch(trial.seed(), 0, settings.batch, &plain)?;
                let range = measure::hidden_range(&vit.clone().valid(), some.pictures)?;
                options.range = measure::around(range);
            }
            (vit, _) = vit.with_kans(options, &device).map_err(explain)?;
        }
        if stage == 0 {
            stage = 1;
            let swap = training::difference(&before, &vit, &pictures, &plain)?;
            scores.0.insert("swap".into(), swap);
        }
        let second = Stage {
            number: stage,
            curve: "fine-tuning loss",
            steps: settings.finetune_steps,
            before: settings.steps,
            of: all,
        };
        let resumed = checkpoint.take();
        trained = training::train(trial, &second, vit, &pictures, &mut scores, resumed)?;
    }
    match trained {
        Some(vit) => {
            let [accuracy, loss] = training::score(&vit, &pictures, Part::Test, &plain)?;
            let [_, validation] = training::score(&vit, &pictures, Part::Validation, &plain)?;
            scores.0.insert("accuracy".into(), accuracy);
            scores.0.insert("loss".into(), loss);
            scores.0.insert("validation".into(), validation);
        }
        // A loss that diverges is a result: the worst one.
        None => {
            scores.0.insert("accuracy".into(), 0.0);
            for name in ["loss", "validation", "train_loss", "train_loss_seconds"] {
                scores.0.insert(name.into(), f64::INFINITY);
            }
        }
    }
    for (name, value) in &scores.0 {
        trial.result(name, *value);
    }
    Ok(())
}

/// Leaves the table of variances by depth.
fn depths(trial: &mut Trial<KatSettings>, drifts: &[f64]) -> Result<()> {
    let mut table = Table::new(
        "Channel mixers before training",
        ["block", "ln(var out / var in)"],
    );
    for (index, drift) in drifts.iter().enumerate() {
        table.row([Cell::from((index + 1).to_string()), Cell::from(*drift)]);
    }
    trial.table("depths", &table)
}
