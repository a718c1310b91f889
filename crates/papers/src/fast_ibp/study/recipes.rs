//! How each arm trains its network.

use super::settings::FastIbpSettings;
use burn::tensor::Device;
use offprint_certify::{
    graph::{Network, NetworkConfig},
    training::{EpsilonSchedule, Method, Objective, ibp_init, xavier_init},
};
use offprint_lab::{
    Error, Result,
    study::{Arm, Role},
};

/// What an arm does.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub method: Method,
    /// The paper's initial values instead of Xavier's.
    pub init: bool,
    /// Batch norm before every ReLU.
    pub norm: bool,
    pub regularized: bool,
    /// The schedule of the literature instead of the short one.
    pub long: bool,
}

const PLAIN: Recipe = Recipe {
    method: Method::Ibp,
    init: false,
    norm: false,
    regularized: false,
    long: false,
};

const FAST: Recipe = Recipe {
    init: true,
    norm: true,
    regularized: true,
    ..PLAIN
};

/// The arms in the order of the report.
pub const ARMS: &[Arm] = &[
    Arm::new(
        "standard",
        Role::Baseline,
        "clean pictures, with batch norm",
    ),
    Arm::new(
        "pgd",
        Role::Baseline,
        "attacked pictures (Madry), with batch norm",
    )
    .only_full(),
    Arm::new("vanilla", Role::Baseline, "IBP, Xavier, short warm-up"),
    Arm::new(
        "vanilla-long",
        Role::Baseline,
        "the same, schedule 3 times as long",
    ),
    Arm::new(
        "crown-ibp",
        Role::Baseline,
        "CROWN-IBP, Xavier, short warm-up",
    )
    .only_full(),
    Arm::new(
        "crown-ibp-long",
        Role::Baseline,
        "the same, schedule 3 times as long",
    )
    .only_full(),
    Arm::new(
        "fast",
        Role::Method,
        "IBP, initialization, batch norm, regularizers",
    ),
    Arm::new(
        "fast-crown-ibp",
        Role::Method,
        "the same three on CROWN-IBP",
    )
    .only_full(),
    Arm::new(
        "init-only",
        Role::Ablation,
        "vanilla with the initialization",
    ),
    Arm::new("norm-only", Role::Ablation, "vanilla with batch norm"),
    Arm::new(
        "regularizers-only",
        Role::Ablation,
        "vanilla with the regularizers",
    ),
    Arm::new("no-init", Role::Ablation, "fast without the initialization").only_full(),
    Arm::new("no-norm", Role::Ablation, "fast without batch norm").only_full(),
    Arm::new(
        "no-regularizers",
        Role::Ablation,
        "fast without the regularizers",
    )
    .only_full(),
];

impl Recipe {
    /// The recipe of an arm.
    ///
    /// # Errors
    /// There is no such arm.
    pub fn of(arm: &str) -> Result<Self> {
        let method = |method| Self { method, ..PLAIN };
        let normed = |method| Self {
            method,
            norm: true,
            ..PLAIN
        };
        Ok(match arm {
            "standard" => normed(Method::Standard),
            "pgd" => normed(Method::Pgd),
            "vanilla" => PLAIN,
            "vanilla-long" => Self {
                long: true,
                ..PLAIN
            },
            "crown-ibp" => method(Method::CrownIbp),
            "crown-ibp-long" => Self {
                long: true,
                ..method(Method::CrownIbp)
            },
            "fast" => FAST,
            "fast-crown-ibp" => Self {
                method: Method::CrownIbp,
                ..FAST
            },
            "init-only" => Self {
                init: true,
                ..PLAIN
            },
            "norm-only" => normed(Method::Ibp),
            "regularizers-only" => Self {
                regularized: true,
                ..PLAIN
            },
            "no-init" => Self {
                init: false,
                ..FAST
            },
            "no-norm" => Self {
                norm: false,
                ..FAST
            },
            "no-regularizers" => Self {
                regularized: false,
                ..FAST
            },
            _ => return Err(Error::input(format!("the study has no arm \"{arm}\""))),
        })
    }

    /// The arm's network with its initial values, which follow `device.seed(..)`.
    ///
    /// # Errors
    /// The pictures are too small for the network.
    pub fn network(&self, config: &NetworkConfig, device: &Device) -> Result<Network> {
        let network = config.init(device).map_err(crate::explain::explain)?;
        Ok(match self.init {
            true => ibp_init(network),
            false => xavier_init(network),
        })
    }

    /// Steps that the arm is trained for.
    pub fn steps(&self, settings: &FastIbpSettings) -> u64 {
        match self.long {
            true => settings.steps * settings.longer,
            false => settings.steps,
        }
    }

    /// The radius by the step: every part of a long schedule is longer.
    pub fn schedule(&self, settings: &FastIbpSettings) -> EpsilonSchedule {
        let steps = self.steps(settings) as f64;
        let start = (settings.clean * steps) as u64;
        let end = ((settings.clean + settings.warmup) * steps) as u64;
        EpsilonSchedule::new(start, end, settings.eps)
    }

    /// The loss of a step.
    pub fn objective(&self, settings: &FastIbpSettings) -> Objective {
        Objective {
            method: self.method,
            lambda: if self.regularized {
                settings.lambda
            } else {
                0.0
            },
            tolerance: settings.tolerance,
            attack_steps: settings.attack_steps,
            ..Objective::fast(settings.eps)
        }
    }
}
