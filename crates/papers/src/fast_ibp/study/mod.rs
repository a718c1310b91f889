//! The study of fast certified training: networks trained on bounds with and without the paper's three parts.

mod claims;
mod layers;
mod recipes;
mod scores;
mod sets;
mod settings;
mod training;

pub use settings::FastIbpSettings;

use offprint_lab::{
    Result,
    claim::Claim,
    study::{Arm, Better, Budget, Metric, Study, Tuning},
    trial::Trial,
    tune::{Dimension, Range, Space},
};
use settings::{DataSet, NetworkKind};
use std::path::Path;

/// The study.
pub struct FastIbpStudy;

const METRICS: &[Metric] = &[
    Metric::new(
        "verified",
        "verified err.",
        Better::Lower,
        "share of test pictures not proved right in the whole ball, by intervals rounded outward",
    ),
    Metric::new(
        "verified_crown",
        "CROWN-IBP err.",
        Better::Lower,
        "the same where the better of CROWN-IBP's and the intervals' margins counts",
    ),
    Metric::new(
        "verified_third",
        "verified ε/3",
        Better::Lower,
        "verified error at a third of the radius that was trained at",
    ),
    Metric::new(
        "pgd",
        "PGD err.",
        Better::Lower,
        "share wrong or made wrong by 40 steps of projected gradient ascent from a random start",
    ),
    Metric::new(
        "pgd_released",
        "PGD released",
        Better::Lower,
        "the same with the released code's 10 steps of 2/255, which do not reach the whole ball",
    ),
    Metric::new(
        "clean",
        "clean err.",
        Better::Lower,
        "share of test pictures named wrongly",
    ),
    Metric::new(
        "selected",
        "selected",
        Better::Lower,
        "least verified test error of the networks since the radius is whole: what the released code reports",
    ),
    Metric::new(
        "growth",
        "growth/Xavier",
        Better::Lower,
        "growth of the logarithm of the bounds' width by layer before training, over that of Xavier's initial values",
    ),
    Metric::new(
        "imbalance",
        "imbalance",
        Better::Lower,
        "|active − inactive| / (active + inactive) units at the whole radius, mean over layers and ten looks",
    ),
    Metric::new(
        "width",
        "log width",
        Better::Lower,
        "logarithm of the bounds' width over the input's, mean over layers and looks while the radius grows",
    ),
    Metric::new(
        "validation",
        "validation",
        Better::Lower,
        "error that the arm is trained for (clean, attacked or verified) on validation pictures; what tuning looks at",
    ),
];

impl Study for FastIbpStudy {
    type Settings = FastIbpSettings;

    fn question(&self) -> &'static str {
        "certified training with a short warm-up against IBP, CROWN-IBP and PGD training"
    }

    fn arms(&self) -> &'static [Arm] {
        recipes::ARMS
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn settings(&self, budget: Budget) -> FastIbpSettings {
        let quick = FastIbpSettings {
            data: DataSet::Mnist,
            network: NetworkKind::Cnn,
            width: 8,
            hidden: 64,
            samples: 8000,
            held_out: 600,
            eps: 0.1,
            steps: 75,
            longer: 3,
            batch: 128,
            clean: 0.0,
            warmup: 20.0 / 70.0,
            decay: [50.0 / 70.0, 60.0 / 70.0],
            learning_rate: 5e-3,
            lambda: 0.5,
            tolerance: 0.5,
            attack_steps: 7,
            test_steps: 40,
        };
        match budget {
            Budget::Quick | Budget::Train => quick,
            Budget::Full => FastIbpSettings {
                held_out: 1000,
                steps: 400,
                ..quick
            },
        }
    }

    fn tuning(&self) -> Tuning {
        Tuning {
            space: Space::new(vec![Dimension::new(
                "learning_rate",
                Range::LogUniform {
                    low: 5e-4,
                    high: 2e-2,
                },
            )]),
            trials: 4,
            validation: "validation",
            test: "verified",
            better: Better::Lower,
        }
    }

    fn chosen(&self, settings: &FastIbpSettings) -> Option<&'static str> {
        let tuned = match settings.eps {
            0.1 => include_str!("../../../../../reports/fast-ibp/tuned.toml"),
            0.3 => include_str!("../../../../../reports/fast-ibp-0.3/tuned.toml"),
            _ => return None,
        };
        (settings.data == DataSet::Mnist).then_some(tuned)
    }

    fn check_data(&self, settings: &FastIbpSettings, data_dir: Option<&Path>) -> Result<()> {
        sets::Sets::load(settings, data_dir).map(drop)
    }

    fn run(&self, trial: &mut Trial<FastIbpSettings>) -> Result<()> {
        training::run(trial)
    }
}
