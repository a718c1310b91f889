//! What the paper claims, written before the runs.

use offprint_lab::claim::{Claim, Relation, Term};

/// The claims, in the order of the report.
pub(super) const CLAIMS: &[Claim] = &[
    claim(
        "sft-beats-untrained",
        "supervised fine-tuning on the puzzles improves unseen variants",
        "accuracy",
        "sft",
        "untrained",
    ),
    claim(
        "rl-beats-sft",
        "reinforcement learning after it improves them further",
        "accuracy",
        "sft+rl",
        "sft",
    ),
    claim(
        "held-out-gain",
        "training improves seed puzzles that were never trained on",
        "held_out",
        "sft+rl",
        "untrained",
    ),
    claim(
        "arithmetic-gain",
        "training improves arithmetic word problems",
        "arithmetic",
        "sft+rl",
        "untrained",
    ),
    Claim {
        relation: Relation::AtMost,
        right: Term::Number(0.0),
        margin: 0.05,
        ..claim(
            "control-at-chance",
            "what is learned is the puzzle: with shuffled answers nothing is",
            "above_constant",
            "shuffled",
            "",
        )
    },
    Claim {
        relation: Relation::AtLeast,
        right: Term::Number(1.0),
        ..claim(
            "all-reproduced",
            "every puzzle is made again from its configuration",
            "reproduced",
            "generator",
            "",
        )
    },
    Claim {
        relation: Relation::AtLeast,
        right: Term::Number(1.0),
        ..claim(
            "all-verified",
            "every answer is right: a solver that tries everything agrees",
            "confirmed",
            "generator",
            "",
        )
    },
];

/// `metric(left) > metric(right)`.
const fn claim(
    id: &'static str,
    says: &'static str,
    metric: &'static str,
    left: &'static str,
    right: &'static str,
) -> Claim {
    Claim {
        id,
        says,
        metric,
        left: Term::Arm(left),
        relation: Relation::Above,
        right: Term::Arm(right),
        margin: 0.0,
    }
}
