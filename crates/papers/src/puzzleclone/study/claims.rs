//! What the paper claims, written before the runs.

use offprint_lab::claim::{
    Claim,
    Relation::{Above, AtLeast, AtMost},
    Term::{Arm, Number},
};

/// The claims, in the order of the report.
pub(super) const CLAIMS: &[Claim] = &[
    Claim::new(
        "sft-beats-untrained",
        "supervised fine-tuning on the puzzles improves unseen variants",
        "accuracy",
        (Arm("sft"), Above, Arm("untrained")),
    ),
    Claim::new(
        "rl-beats-sft",
        "reinforcement learning after it improves them further",
        "accuracy",
        (Arm("sft+rl"), Above, Arm("sft")),
    ),
    Claim::new(
        "held-out-gain",
        "training improves seed puzzles that were never trained on",
        "held_out",
        (Arm("sft+rl"), Above, Arm("untrained")),
    ),
    Claim::new(
        "arithmetic-gain",
        "training improves arithmetic word problems",
        "arithmetic",
        (Arm("sft+rl"), Above, Arm("untrained")),
    ),
    Claim::new(
        "control-at-chance",
        "what is learned is the puzzle: with shuffled answers nothing is",
        "above_constant",
        (Arm("shuffled"), AtMost, Number(0.0)),
    )
    .with_margin(0.05),
    Claim::new(
        "all-reproduced",
        "every puzzle is made again from its configuration",
        "reproduced",
        (Arm("generator"), AtLeast, Number(1.0)),
    ),
    Claim::new(
        "all-verified",
        "every answer is right: a solver that tries everything agrees",
        "confirmed",
        (Arm("generator"), AtLeast, Number(1.0)),
    ),
];
