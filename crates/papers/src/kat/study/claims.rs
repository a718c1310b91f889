//! What the paper claims, written before the runs.

use offprint_lab::claim::{Claim, Relation, Term};

/// The claims, in the order of the report.
pub(super) const CLAIMS: &[Claim] = &[
    arms(
        "as-good-as-an-mlp",
        "KAT classifies at least as well as the MLP transformer",
        "accuracy",
        ("kat", Relation::AtLeast, "mlp"),
        0.0,
    ),
    arms(
        "better-than-b-splines",
        "and better than a transformer with B-spline KANs of as many parameters",
        "accuracy",
        ("kat", Relation::Above, "b-spline-kan"),
        0.0,
    ),
    // A difference of logarithms: ln 3, a third of the time.
    arms(
        "three-times-faster-than-b-splines",
        "its channel mixer takes less than a third of the B-spline KAN's time",
        "mixer_log_ms",
        ("kat", Relation::Below, "b-spline-kan"),
        1.1,
    ),
    arms(
        "keeps-variance",
        "its initial weights keep variances better than those of the released code",
        "drift",
        ("kat", Relation::Below, "kat-released-init"),
        0.0,
    ),
    arms(
        "initial-weights-matter",
        "and it classifies better for it",
        "accuracy",
        ("kat", Relation::Above, "kat-released-init"),
        0.0,
    ),
    arms(
        "groups-lose-nothing",
        "groups of channels do as well as a function for each channel",
        "accuracy",
        ("kat", Relation::AtLeast, "rational-each"),
        0.005,
    ),
    arms(
        "groups-are-better-than-one",
        "and at least as well as one function for all",
        "accuracy",
        ("kat", Relation::AtLeast, "rational-one"),
        0.0,
    ),
    number(
        "swap-keeps-the-function",
        "a KAN in place of a trained MLP changes no logit by a thousandth",
        "swap",
        "finetune-kat",
        1e-3,
    ),
    arms(
        "fit-where-the-numbers-are",
        "less than with the activation fitted from -5 to 5",
        "swap",
        ("finetune-kat", Relation::Below, "finetune-kat-wide"),
        0.0,
    ),
    arms(
        "fine-tuning-pays",
        "fine-tuned from the MLP transformer it ends at least as well as the MLP trained on",
        "accuracy",
        ("finetune-kat", Relation::AtLeast, "finetune-mlp"),
        0.0,
    ),
];

/// `metric(left) relation metric(right)`.
const fn arms(
    id: &'static str,
    says: &'static str,
    metric: &'static str,
    (left, relation, right): (&'static str, Relation, &'static str),
    margin: f64,
) -> Claim {
    Claim {
        id,
        says,
        metric,
        left: Term::Arm(left),
        relation,
        right: Term::Arm(right),
        margin,
    }
}

/// `metric(arm) < most`.
const fn number(
    id: &'static str,
    says: &'static str,
    metric: &'static str,
    arm: &'static str,
    most: f64,
) -> Claim {
    Claim {
        id,
        says,
        metric,
        left: Term::Arm(arm),
        relation: Relation::Below,
        right: Term::Number(most),
        margin: 0.0,
    }
}
