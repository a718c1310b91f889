//! The language study: a trained encoder becomes one of experts, by COMET, by hash or by keeping the best neurons alone.

mod claims;
mod sets;
mod settings;
mod training;

pub use settings::LanguageSettings;

use offprint_lab::{
    Error, Result,
    claim::Claim,
    study::{self, Better, Budget, Metric, Role, Study, Tuning},
    trial::Trial,
    tune::{Dimension, Range, Space},
};
use settings::DataSet;
use std::path::Path;

/// The study.
pub struct LanguageStudy;

/// What a trial does with the teacher that it has trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arm {
    Teacher,
    DenseStudent,
    Hash,
    Comet,
    CometPlus,
}

const ARMS: &[study::Arm] = &[
    study::Arm::new(
        "teacher",
        Role::Baseline,
        "the dense encoder itself, a reference",
    ),
    study::Arm::new(
        "dense-student",
        Role::Baseline,
        "its most important neurons, as many as one expert has",
    ),
    study::Arm::new(
        "hash",
        Role::Baseline,
        "experts by a random table of tokens (MoEBERT)",
    ),
    study::Arm::new("comet", Role::Method, "experts by COMET"),
    study::Arm::new("comet+", Role::Method, "experts by COMET with local search"),
];

const METRICS: &[Metric] = &[
    Metric::new(
        "accuracy",
        "accuracy",
        Better::Higher,
        "share of test texts whose class is named rightly",
    ),
    Metric::new(
        "loss",
        "test loss",
        Better::Lower,
        "cross-entropy of the classes of test texts",
    ),
    Metric::new(
        "kept",
        "kept",
        Better::Higher,
        "accuracy less that of the teacher of the same trial",
    ),
    Metric::new(
        "agreement",
        "agreement",
        Better::Higher,
        "share of test texts of which the teacher of the trial says the same",
    ),
    Metric::new(
        "active",
        "active",
        Better::Neither,
        "mean number of experts computed, a position and block",
    ),
    Metric::new(
        "active_share",
        "active / k",
        Better::Neither,
        "active experts over the k that the gate may use",
    ),
    Metric::new(
        "validation",
        "valid. acc.",
        Better::Higher,
        "accuracy on validation texts; what tuning looks at",
    ),
];

impl Study for LanguageStudy {
    type Settings = LanguageSettings;

    fn question(&self) -> &'static str {
        "a trained encoder made into experts"
    }

    fn arms(&self) -> &'static [study::Arm] {
        ARMS
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn settings(&self, budget: Budget) -> LanguageSettings {
        let quick = LanguageSettings {
            data: DataSet::Bible,
            texts: 8000,
            held_out: 1000,
            words: 2000,
            length: 24,
            layers: 2,
            width: 48,
            heads: 4,
            hidden: 192,
            batch: 48,
            teacher_steps: 200,
            teacher_rate: 3e-3,
            samples: 128,
            experts: 4,
            share: 32,
            expert_width: 48,
            steps: 120,
            learning_rate: 1e-3,
            distill: 1.0,
            k: 1,
            gamma: 1.0,
            entropy_reg: 0.1,
            search_share: 0.3,
        };
        match budget {
            Budget::Quick | Budget::Train => quick,
            Budget::Full => LanguageSettings {
                texts: 20_000,
                held_out: 2000,
                words: 4000,
                length: 32,
                width: 64,
                hidden: 256,
                share: 43,
                expert_width: 64,
                teacher_steps: 500,
                samples: 512,
                steps: 300,
                ..quick
            },
        }
    }

    fn tuning(&self) -> Tuning {
        let choice = |values: &[f64]| Range::Choice(values.iter().map(|&v| v.into()).collect());
        let (low, high) = (3e-4, 5e-3);
        Tuning {
            space: Space::new(vec![
                Dimension::new("learning_rate", Range::LogUniform { low, high }).only(&[
                    "dense-student",
                    "hash",
                    "comet",
                    "comet+",
                ]),
                Dimension::new("gamma", choice(&[0.1, 1.0, 5.0])).only(&["comet", "comet+"]),
                Dimension::new("entropy_reg", choice(&[1e-2, 0.1, 1.0])).only(&["comet", "comet+"]),
                Dimension::new(
                    "search_share",
                    Range::Uniform {
                        low: 0.05,
                        high: 0.6,
                    },
                )
                .only(&["comet+"]),
            ]),
            trials: 6,
            validation: "validation",
            test: "accuracy",
            better: Better::Higher,
        }
    }

    fn chosen(&self, settings: &LanguageSettings) -> Option<&'static str> {
        let tuned = include_str!("../../../../../../reports/comet-language/tuned.toml");
        (settings.data == DataSet::Bible).then_some(tuned)
    }

    fn check_data(&self, settings: &LanguageSettings, data_dir: Option<&Path>) -> Result<()> {
        match settings.data {
            // What is inside is always there.
            DataSet::Bible => Ok(()),
            _ => sets::Sets::load(settings, data_dir).map(drop),
        }
    }

    fn run(&self, trial: &mut Trial<LanguageSettings>) -> Result<()> {
        let arm = match trial.arm() {
            "teacher" => Arm::Teacher,
            "dense-student" => Arm::DenseStudent,
            "hash" => Arm::Hash,
            "comet" => Arm::Comet,
            "comet+" => Arm::CometPlus,
            other => {
                let message = format!("COMET's language study has no arm \"{other}\"");
                return Err(Error::input(message));
            }
        };
        training::run(trial, arm)
    }
}
