//! What the paper claims, written before the runs.

use offprint_lab::claim::{
    Claim,
    Relation::{AtMost, Below},
    Term::{Arm, Number},
};

/// The claims, in the order of the report. Errors are shares of the test pictures.
pub(super) const CLAIMS: &[Claim] = &[
    Claim::new(
        "fast-beats-vanilla",
        "at the same short schedule the three parts give a smaller verified error than IBP alone",
        "verified",
        (Arm("fast"), Below, Arm("vanilla")),
    ),
    Claim::new(
        "short-matches-long",
        "the short schedule is as good as IBP with one three times as long",
        "verified",
        (Arm("fast"), AtMost, Arm("vanilla-long")),
    ),
    Claim::new(
        "short-matches-long-crown-ibp",
        "and as good as CROWN-IBP with one three times as long",
        "verified",
        (Arm("fast"), AtMost, Arm("crown-ibp-long")),
    ),
    Claim::new(
        "bounds-do-not-explode",
        "the initialization stops the growth of bounds by layer: less than a quarter of Xavier's",
        "growth",
        (Arm("init-only"), Below, Number(0.25)),
    ),
    Claim::new(
        "norm-balances",
        "batch norm reduces the imbalance of ReLU states",
        "imbalance",
        (Arm("norm-only"), Below, Arm("vanilla")),
    ),
    Claim::new(
        "regularizers-balance",
        "the regularizers reduce it, too",
        "imbalance",
        (Arm("regularizers-only"), Below, Arm("vanilla")),
    ),
    Claim::new(
        "regularizers-tighten",
        "the regularizers tighten bounds while the radius grows",
        "width",
        (Arm("fast"), Below, Arm("no-regularizers")),
    ),
    Claim::new(
        "init-helps",
        "the initialization alone is no worse than none of the parts",
        "verified",
        (Arm("init-only"), AtMost, Arm("vanilla")),
    ),
    Claim::new(
        "norm-helps",
        "nor is batch norm alone",
        "verified",
        (Arm("norm-only"), AtMost, Arm("vanilla")),
    ),
    Claim::new(
        "regularizers-help",
        "nor are the regularizers alone",
        "verified",
        (Arm("regularizers-only"), AtMost, Arm("vanilla")),
    ),
    Claim::new(
        "init-needed",
        "all three are no worse than without the initialization",
        "verified",
        (Arm("fast"), AtMost, Arm("no-init")),
    ),
    Claim::new(
        "norm-needed",
        "nor than without batch norm",
        "verified",
        (Arm("fast"), AtMost, Arm("no-norm")),
    ),
    Claim::new(
        "regularizers-needed",
        "nor than without the regularizers",
        "verified",
        (Arm("fast"), AtMost, Arm("no-regularizers")),
    ),
    Claim::new(
        "certified-beats-attacked",
        "training on bounds, unlike training on attacks, can be verified",
        "verified",
        (Arm("fast"), Below, Arm("pgd")),
    ),
];
