//! COMET's study: gates with and without local search, on two overlaid digits or on recommendations.

mod claims;
pub mod model;
mod scores;
mod sets;
mod settings;
pub mod task;
mod training;

pub use settings::CometSettings;

use model::GateKind;
use offprint_lab::{
    Error, Result,
    claim::Claim,
    study::{Arm, Better, Budget, Metric, Role, Study, Tuning},
    trial::Trial,
    tune::{Dimension, Range, Space},
};
use settings::{DataSet, ExpertKind, RecipeKind};
use std::path::Path;

/// The study.
pub struct CometStudy;

const ARMS: &[Arm] = &[
    Arm::new(
        "softmax",
        Role::Baseline,
        "dense: every expert for every row",
    )
    .only_full(),
    Arm::new(
        "hash",
        Role::Baseline,
        "one expert a row by a fixed random table",
    ),
    Arm::new("hash+", Role::Method, "hash with local search").only_full(),
    Arm::new(
        "topk",
        Role::Baseline,
        "softmax over the k largest logits (Shazeer)",
    ),
    Arm::new("topk+", Role::Method, "Top-k with local search"),
    Arm::new(
        "dselect-k",
        Role::Baseline,
        "k selectors over binary codes (Hazimeh)",
    ),
    Arm::new("dselect-k+", Role::Method, "DSelect-k with local search").only_full(),
    Arm::new("comet", Role::Method, "k soft trees, sparse by smooth-step"),
    Arm::new("comet+", Role::Method, "COMET with local search"),
];

/// Arms whose splits or selectors are smooth-steps.
const SMOOTH: &[&str] = &["dselect-k", "dselect-k+", "comet", "comet+"];

/// Arms with local search.
const SEARCHED: &[&str] = &["hash+", "topk+", "dselect-k+", "comet+"];

/// Arms that are also started from further initializations.
const RESTARTED: &[&str] = &["topk", "topk+", "comet", "comet+"];

const METRICS: &[Metric] = &[
    Metric::new(
        "loss",
        "test loss",
        Better::Lower,
        "weighted sum of both tasks' losses on test rows",
    ),
    Metric::new(
        "accuracy_left",
        "acc. left",
        Better::Higher,
        "share of top-left digits named rightly",
    ),
    Metric::new(
        "accuracy_right",
        "acc. right",
        Better::Higher,
        "share of bottom-right digits named rightly",
    ),
    Metric::new(
        "auc",
        "watch AUC",
        Better::Higher,
        "ROC AUC of the watch task",
    ),
    Metric::new(
        "rmse",
        "rating RMSE",
        Better::Lower,
        "root mean squared error of ratings, in stars",
    ),
    Metric::new(
        "active",
        "active",
        Better::Neither,
        "mean number of experts with a weight of 1e-5 or more, a row and task",
    ),
    Metric::new(
        "active_share",
        "active / k",
        Better::Neither,
        "active experts over the k that the gate may use",
    ),
    Metric::new(
        "evaluated",
        "evaluated",
        Better::Lower,
        "share of all (row, expert) pairs that were computed",
    ),
    Metric::new(
        "worst_start",
        "worst start",
        Better::Lower,
        "largest test loss over the initializations that a trial trains",
    ),
    Metric::new(
        "validation",
        "valid. loss",
        Better::Lower,
        "the same loss on validation rows; what tuning looks at",
    ),
];

impl Study for CometStudy {
    type Settings = CometSettings;

    fn question(&self) -> &'static str {
        "COMET and local search against hash, Top-k and DSelect-k gates"
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

    fn settings(&self, budget: Budget) -> CometSettings {
        let quick = CometSettings {
            data: DataSet::MultiMnist,
            recipe: RecipeKind::Published,
            pictures: 4000,
            held_out: 1000,
            expert: ExpertKind::Mlp,
            experts: 8,
            k: 2,
            epochs: 6,
            batch: 64,
            learning_rate: 1e-3,
            gamma: 1.0,
            entropy_reg: 0.1,
            zeta: 1.0,
            noisy: true,
            search_share: 0.3,
            search_noise: 0.0,
            search_reg: 1e-4,
            search_per_tree: false,
            restarts: 0,
            embedding: 128,
            dropout: 0.5,
            watch_weight: 0.9,
        };
        match budget {
            Budget::Quick | Budget::Train => quick,
            Budget::Full => CometSettings {
                experts: 16,
                k: 4,
                pictures: 8000,
                restarts: 2,
                ..quick
            },
        }
    }

    fn tuning(&self) -> Tuning {
        let choice = |values: &[f64]| Range::Choice(values.iter().map(|&v| v.into()).collect());
        Tuning {
            space: Space::new(vec![
                Dimension::new(
                    "learning_rate",
                    Range::LogUniform {
                        low: 3e-4,
                        high: 1e-2,
                    },
                ),
                Dimension::new("gamma", choice(&[0.01, 0.1, 1.0, 5.0, 10.0])).only(SMOOTH),
                Dimension::new("entropy_reg", choice(&[1e-4, 1e-3, 1e-2, 0.1, 1.0])).only(SMOOTH),
                Dimension::new(
                    "search_share",
                    Range::Uniform {
                        low: 0.05,
                        high: 0.6,
                    },
                )
                .only(SEARCHED),
            ]),
            trials: 16,
            validation: "validation",
            test: "loss",
            better: Better::Lower,
        }
    }

    fn chosen(&self, settings: &CometSettings) -> Option<&'static str> {
        let tuned = include_str!("../../../../../reports/comet/tuned.toml");
        (settings.data == DataSet::MultiMnist).then_some(tuned)
    }

    fn check_data(&self, settings: &CometSettings, data_dir: Option<&Path>) -> Result<()> {
        match (settings.data, data_dir) {
            // What is inside is always there.
            (DataSet::MultiMnist, None) => Ok(()),
            _ => sets::Sets::load(settings, data_dir).map(drop),
        }
    }

    fn run(&self, trial: &mut Trial<CometSettings>) -> Result<()> {
        let (gate, searched) = gate(trial.arm())?;
        let restarted = RESTARTED.contains(&trial.arm()) && !trial.tuning();
        let starts = if restarted {
            1 + trial.settings().restarts
        } else {
            1
        };
        training::run(trial, gate, searched, starts)
    }
}

/// The gate of an arm, and whether local search goes with it.
fn gate(arm: &str) -> Result<(GateKind, bool)> {
    let (name, searched) = match arm.strip_suffix('+') {
        Some(name) => (name, true),
        None => (arm, false),
    };
    let gate = match name {
        "softmax" => GateKind::Softmax,
        "hash" => GateKind::Hash,
        "topk" => GateKind::Topk,
        "dselect-k" => GateKind::DselectK,
        "comet" => GateKind::Comet,
        _ => return Err(Error::input(format!("COMET's study has no arm \"{arm}\""))),
    };
    Ok((gate, searched))
}
