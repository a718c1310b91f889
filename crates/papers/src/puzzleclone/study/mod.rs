//! PuzzleClone's study: what the generator makes, and what a small language model learns from it.

mod claims;
mod data;
mod generation;
mod settings;
mod training;

pub use settings::PuzzleSettings;

use offprint_lab::{
    Error, Result,
    claim::Claim,
    study::{Arm, Better, Budget, Metric, Role, Study, Tuning},
    trial::Trial,
    tune::{Dimension, Range, Space},
};

/// The study.
pub struct PuzzleStudy;

const ARMS: &[Arm] = &[
    Arm::new("untrained", Role::Baseline, "the model before any training"),
    Arm::new(
        "sft",
        Role::Baseline,
        "supervised fine-tuning on questions with answers",
    ),
    Arm::new(
        "sft+rl",
        Role::Method,
        "supervised, then GRPO with a reward for the exact answer",
    ),
    Arm::new(
        "shuffled",
        Role::Ablation,
        "supervised, with the answers of other puzzles of the same seed",
    ),
    Arm::new(
        "generator",
        Role::Method,
        "no model: what the generator makes of all seed puzzles",
    ),
];

const METRICS: &[Metric] = &[
    Metric::new(
        "accuracy",
        "accuracy",
        Better::Higher,
        "share of right answers to unseen variants of the trained seed puzzles",
    ),
    Metric::new(
        "held_out",
        "held out",
        Better::Higher,
        "share of right answers to seed puzzles that were never trained on",
    ),
    Metric::new(
        "arithmetic",
        "arithmetic",
        Better::Higher,
        "share of right answers to arithmetic word problems, never trained on",
    ),
    Metric::new(
        "above_constant",
        "over constant",
        Better::Higher,
        "accuracy less that of the commonest training answer of each seed puzzle",
    ),
    Metric::new(
        "validation",
        "valid. acc.",
        Better::Higher,
        "the same accuracy on validation puzzles; what tuning looks at",
    ),
    Metric::new(
        "reproduced",
        "reproduced",
        Better::Higher,
        "share of puzzles that their configuration gives again",
    ),
    Metric::new(
        "confirmed",
        "confirmed",
        Better::Higher,
        "share of puzzles small enough for trying everything, which then agrees",
    ),
    Metric::new(
        "rejected",
        "rejected",
        Better::Neither,
        "draws thrown away for each puzzle that is kept",
    ),
    Metric::new(
        "duplicates",
        "duplicates",
        Better::Lower,
        "share of puzzles that say nothing new but names",
    ),
    Metric::new(
        "hard",
        "hard",
        Better::Neither,
        "share of puzzles of difficulty 0.5 or more",
    ),
];

impl Study for PuzzleStudy {
    type Settings = PuzzleSettings;

    fn question(&self) -> &'static str {
        "what a small GPT learns from generated puzzles: SFT, and RL with a verifiable reward"
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

    fn settings(&self, budget: Budget) -> PuzzleSettings {
        let quick = PuzzleSettings {
            puzzles: 500,
            measured: 6,
            layers: 2,
            width: 48,
            heads: 4,
            sft_steps: 120,
            batch: 64,
            learning_rate: 5e-3,
            rl_steps: 20,
            prompts: 16,
            group: 8,
            updates: 2,
            rl_rate: 5e-4,
            clip: 0.2,
            kl: 0.0,
        };
        match budget {
            Budget::Quick | Budget::Train => quick,
            Budget::Full => PuzzleSettings {
                puzzles: 1500,
                measured: 300,
                width: 64,
                sft_steps: 500,
                rl_steps: 100,
                ..quick
            },
        }
    }

    fn tuning(&self) -> Tuning {
        Tuning {
            space: Space::new(vec![
                Dimension::new(
                    "learning_rate",
                    Range::LogUniform {
                        low: 1e-3,
                        high: 1e-2,
                    },
                )
                .only(&["sft", "sft+rl", "shuffled"]),
                Dimension::new(
                    "rl_rate",
                    Range::LogUniform {
                        low: 1e-4,
                        high: 2e-3,
                    },
                )
                .only(&["sft+rl"]),
            ]),
            trials: 6,
            validation: "validation",
            test: "accuracy",
            better: Better::Higher,
        }
    }

    fn chosen(&self, _: &PuzzleSettings) -> Option<&'static str> {
        Some(include_str!(
            "../../../../../reports/puzzleclone/tuned.toml"
        ))
    }

    fn run(&self, trial: &mut Trial<PuzzleSettings>) -> Result<()> {
        match trial.arm() {
            "generator" => generation::run(trial),
            "untrained" => training::run(trial, training::Plan::UNTRAINED),
            "sft" => training::run(trial, training::Plan::SFT),
            "sft+rl" => training::run(trial, training::Plan::SFT_RL),
            "shuffled" => training::run(trial, training::Plan::SHUFFLED),
            other => Err(Error::input(format!(
                "PuzzleClone's study has no arm \"{other}\""
            ))),
        }
    }
}
