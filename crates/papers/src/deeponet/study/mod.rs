//! DeepONet's study: operators learned from functions at sensors, against networks that read sensors and point together.

mod claims;
mod fit;
mod model;
mod settings;
mod sweeps;
mod task;
mod theory;

pub use model::{Batch, Model};
pub use settings::DeepONetSettings;

use fit::{Fit, Scores};
use model::Net;
use offprint_lab::{
    Error, Result,
    claim::Claim,
    study::{Arm, Better, Budget, Metric, Role, Study, Tuning},
    trial::Trial,
    tune::{Dimension, Range, Space},
};
use task::{System, Task};

/// The study.
pub struct DeepONetStudy;

const ARMS: &[Arm] = &[
    Arm::new(
        "deeponet",
        Role::Method,
        "one branch network of p outputs, with bias",
    ),
    Arm::new("deeponet-no-bias", Role::Ablation, "the same without b_0").only_full(),
    Arm::new(
        "stacked",
        Role::Method,
        "p branch networks of one output, with bias",
    ),
    Arm::new("stacked-no-bias", Role::Ablation, "the same without b_0").only_full(),
    Arm::new(
        "fnn",
        Role::Baseline,
        "dense network on sensors and point together",
    ),
    Arm::new(
        "resnet",
        Role::Baseline,
        "residual dense network on the same",
    ),
    Arm::new(
        "seq2seq",
        Role::Baseline,
        "GRU encoder and decoder over the sensor grid",
    )
    .only_full(),
    Arm::new(
        "sensors",
        Role::Method,
        "DeepONet, from 2 sensors up, on four length scales",
    )
    .only_full(),
    Arm::new(
        "samples",
        Role::Method,
        "DeepONet, from 16 training pairs up",
    )
    .only_full(),
];

/// Arms whose networks are DeepONets of a width to tune.
const OPERATORS: &[&str] = &[
    "deeponet",
    "deeponet-no-bias",
    "stacked",
    "stacked-no-bias",
    "sensors",
    "samples",
];

/// Arms whose width to tune is `hidden`.
const BASELINES: &[&str] = &["fnn", "resnet", "seq2seq"];

/// Baselines of a depth to tune.
const DEEP: &[&str] = &["fnn", "resnet"];

const METRICS: &[Metric] = &[
    metric(
        "test",
        "log test",
        "log10 of the test mean squared error, mean over the dynamic systems",
    ),
    metric(
        "gap",
        "log gap",
        "log10 of test over training error, mean over the dynamic systems",
    ),
    metric(
        "test_antiderivative",
        "antiderivative",
        "log10 of the test error of s' = u",
    ),
    metric(
        "test_nonlinear",
        "nonlinear",
        "log10 of the test error of s' = -s^2 + u",
    ),
    metric(
        "test_pendulum",
        "pendulum",
        "log10 of the test error of the gravity pendulum's angle",
    ),
    metric(
        "test_diffusion_reaction",
        "diff.-reaction",
        "log10 of the test error of diffusion and reaction under a source",
    ),
    metric(
        "train",
        "log train",
        "log10 of the training error, mean over the dynamic systems",
    ),
    metric(
        "trimmed",
        "log trimmed",
        "log10 of the test error without the worst 0.1 %, mean over the dynamic systems",
    ),
    metric(
        "relative",
        "relative L2",
        "norm of the test error over that of the solution, mean over the dynamic systems",
    ),
    metric(
        "validation",
        "log valid.",
        "log10 of the error on validation functions; what tuning looks at",
    ),
    figure(
        "sensor_drop",
        "sensor drop",
        "decades that the error falls from 2 sensors to many, mean over length scales",
    ),
    figure(
        "sensor_slope",
        "m* exponent",
        "exponent a of m* ~ (1/length scale)^a; m* sensors are within a factor of 2 of many",
    ),
    figure(
        "sensor_tail",
        "tail exponent",
        "exponent of the error in the number of sensors beyond 2 m*",
    ),
    figure(
        "theory_sensors",
        "theory in m",
        "exponent of the interpolation error of a random field in the number of sensors",
    ),
    figure(
        "theory_length",
        "theory in l",
        "the same in the length scale",
    ),
    figure(
        "theory_chebyshev",
        "theory, Cheb.",
        "exponent of the interpolation error of Chebyshev series in the number of sensors",
    ),
    figure(
        "theory_output",
        "theory, output",
        "exponent of the change of a nonlinear system's answer when its input is interpolated",
    ),
    figure(
        "order_small",
        "order, small",
        "exponent of the error in the number of training pairs, up to 512",
    ),
    figure("order_large", "order, large", "the same from 1024 pairs on"),
    figure(
        "exponential",
        "exp. over power",
        "AIC of a power law less that of an exponential, up to 512 pairs",
    ),
];

const fn metric(name: &'static str, label: &'static str, about: &'static str) -> Metric {
    Metric::new(name, label, Better::Lower, about)
}

const fn figure(name: &'static str, label: &'static str, about: &'static str) -> Metric {
    Metric::new(name, label, Better::Neither, about)
}

impl Study for DeepONetStudy {
    type Settings = DeepONetSettings;

    fn question(&self) -> &'static str {
        "branch and trunk against one network that reads sensors and point together"
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

    fn settings(&self, budget: Budget) -> DeepONetSettings {
        let quick = DeepONetSettings {
            systems: "antiderivative,nonlinear".into(),
            functions: 1000,
            held_out: 200,
            points: 10,
            sensors: 100,
            length_scale: 0.2,
            horizon: 1.0,
            width: 40,
            hidden: 100,
            depth: 2,
            steps: 1000,
            sweep_steps: 800,
            batch: 100,
            learning_rate: 2e-3,
        };
        match budget {
            Budget::Quick | Budget::Train => quick,
            Budget::Full => DeepONetSettings {
                systems: "antiderivative,nonlinear,pendulum,diffusion-reaction".into(),
                ..quick
            },
        }
    }

    fn tuning(&self) -> Tuning {
        let choice = |values: &[i64]| Range::Choice(values.iter().map(|&v| v.into()).collect());
        let rates = Range::LogUniform {
            low: 5e-4,
            high: 1e-2,
        };
        Tuning {
            space: Space::new(vec![
                Dimension::new("learning_rate", rates),
                Dimension::new("width", choice(&[20, 40])).only(OPERATORS),
                Dimension::new("hidden", choice(&[20, 50, 100])).only(BASELINES),
                Dimension::new("depth", choice(&[1, 2, 3])).only(DEEP),
            ]),
            trials: 8,
            validation: "validation",
            test: "test",
            better: Better::Lower,
        }
    }

    fn chosen(&self, _: &DeepONetSettings) -> Option<&'static str> {
        Some(include_str!("../../../../../reports/deeponet/tuned.toml"))
    }

    fn run(&self, trial: &mut Trial<DeepONetSettings>) -> Result<()> {
        let settings = trial.settings().clone();
        let net = Net::of_arm(trial.arm(), &settings)?;
        match trial.arm() {
            "sensors" if !trial.tuning() => sweeps::sensors(trial, net),
            "samples" if !trial.tuning() => sweeps::samples(trial, net),
            _ => systems(trial, net),
        }
    }
}

/// Learns each system of the settings.
fn systems(trial: &mut Trial<DeepONetSettings>, net: Net) -> Result<()> {
    let settings = trial.settings().clone();
    let mut systems = settings.systems().map_err(Error::input)?;
    if matches!(net, Net::Recurrent { .. }) {
        // It answers on the grid of times, and has no place for a point of the plane.
        systems.retain(|system| system.dynamic());
    }
    if systems.is_empty() {
        return Err(Error::input("systems holds none that seq2seq can learn")
            .help("it needs antiderivative, nonlinear or pendulum"));
    }
    let mut steps = settings.steps;
    if trial.tuning() {
        // Every arm is tuned on the first system alone.
        systems.truncate(1);
        steps = steps.div_ceil(2);
    }
    let seed = trial.seed();
    let fit = |system: &System| Fit {
        curve: Some(format!("{}: log10 validation error", system.name())),
        task: Task::of_settings(&settings, *system, seed),
        net: net.clone(),
        steps,
        batch: settings.batch,
    };
    let fits: Vec<Fit> = systems.iter().map(fit).collect();
    let scores = fit::run(trial, &fits)?;
    let named = systems.iter().zip(&scores);
    let dynamic: Vec<&Scores> = match systems.iter().any(|system| system.dynamic()) {
        true => {
            let dynamic = named.clone().filter(|(system, _)| system.dynamic());
            dynamic.map(|(_, scores)| scores).collect()
        }
        false => scores.iter().collect(),
    };
    let mean = |of: &dyn Fn(&Scores) -> f64| {
        dynamic.iter().map(|scores| of(scores)).sum::<f64>() / dynamic.len() as f64
    };
    trial.result("test", mean(&|s| s.test.log10()));
    trial.result("train", mean(&|s| s.train.log10()));
    trial.result("gap", mean(&|s| s.test.log10() - s.train.log10()));
    trial.result("trimmed", mean(&|s| s.trimmed.log10()));
    trial.result("relative", mean(&|s| s.relative));
    trial.result("validation", mean(&|s| s.validation.log10()));
    for (system, scores) in named {
        let name = format!("test_{}", system.name().replace('-', "_"));
        trial.result(&name, scores.test.log10());
    }
    Ok(())
}
