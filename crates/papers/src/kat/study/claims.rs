//! What the paper claims, written before the runs.

use offprint_lab::claim::{
    Claim,
    Relation::{Above, AtLeast, Below},
    Term::{Arm, Number},
};

/// The claims, in the order of the report.
pub(super) const CLAIMS: &[Claim] = &[
    Claim::new(
        "as-good-as-an-mlp",
        "KAT classifies at least as well as the MLP transformer",
        "accuracy",
        (Arm("kat"), AtLeast, Arm("mlp")),
    ),
    Claim::new(
        "better-than-b-splines",
        "and better than a transformer with B-spline KANs of as many parameters",
        "accuracy",
        (Arm("kat"), Above, Arm("b-spline-kan")),
    ),
    // A difference of logarithms: ln 3, a third of the time.
    Claim::new(
        "three-times-faster-than-b-splines",
        "its channel mixer takes less than a third of the B-spline KAN's time",
        "mixer_log_ms",
        (Arm("kat"), Below, Arm("b-spline-kan")),
    )
    .with_margin(1.1),
    Claim::new(
        "keeps-variance",
        "its initial weights keep variances better than those of the released code",
        "drift",
        (Arm("kat"), Below, Arm("kat-released-init")),
    ),
    Claim::new(
        "initial-weights-matter",
        "and it classifies better for it",
        "accuracy",
        (Arm("kat"), Above, Arm("kat-released-init")),
    ),
    Claim::new(
        "groups-lose-nothing",
        "groups of channels do as well as a function for each channel",
        "accuracy",
        (Arm("kat"), AtLeast, Arm("rational-each")),
    )
    .with_margin(0.005),
    Claim::new(
        "groups-are-better-than-one",
        "and at least as well as one function for all",
        "accuracy",
        (Arm("kat"), AtLeast, Arm("rational-one")),
    ),
    Claim::new(
        "swap-keeps-the-function",
        "a KAN in place of a trained MLP changes no logit by a thousandth",
        "swap",
        (Arm("finetune-kat"), Below, Number(1e-3)),
    ),
    Claim::new(
        "fit-where-the-numbers-are",
        "less than with the activation fitted from -5 to 5",
        "swap",
        (Arm("finetune-kat"), Below, Arm("finetune-kat-wide")),
    ),
    Claim::new(
        "fine-tuning-pays",
        "fine-tuned from the MLP transformer it ends at least as well as the MLP trained on",
        "accuracy",
        (Arm("finetune-kat"), AtLeast, Arm("finetune-mlp")),
    ),
];
