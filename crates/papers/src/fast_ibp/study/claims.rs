//! What the paper claims, written before the runs.

use offprint_lab::claim::{Claim, Relation, Term};

/// The claims, in the order of the report. Errors are shares of the test pictures.
pub(super) const CLAIMS: &[Claim] = &[
    arms(
        "fast-beats-vanilla",
        "at the same short schedule the three parts give a smaller verified error than IBP alone",
        "verified",
        ("fast", Relation::Below, "vanilla"),
    ),
    arms(
        "short-matches-long",
        "the short schedule is as good as IBP with one three times as long",
        "verified",
        ("fast", Relation::AtMost, "vanilla-long"),
    ),
    arms(
        "short-matches-long-crown-ibp",
        "and as good as CROWN-IBP with one three times as long",
        "verified",
        ("fast", Relation::AtMost, "crown-ibp-long"),
    ),
    number(
        "bounds-do-not-explode",
        "the initialization stops the growth of bounds by layer: less than a quarter of Xavier's",
        "growth",
        ("init-only", Relation::Below),
        0.25,
    ),
    arms(
        "norm-balances",
        "batch norm reduces the imbalance of ReLU states",
        "imbalance",
        ("norm-only", Relation::Below, "vanilla"),
    ),
    arms(
        "regularizers-balance",
        "the regularizers reduce it, too",
        "imbalance",
        ("regularizers-only", Relation::Below, "vanilla"),
    ),
    arms(
        "regularizers-tighten",
        "the regularizers tighten bounds while the radius grows",
        "width",
        ("fast", Relation::Below, "no-regularizers"),
    ),
    arms(
        "init-helps",
        "the initialization alone is no worse than none of the parts",
        "verified",
        ("init-only", Relation::AtMost, "vanilla"),
    ),
    arms(
        "norm-helps",
        "nor is batch norm alone",
        "verified",
        ("norm-only", Relation::AtMost, "vanilla"),
    ),
    arms(
        "regularizers-help",
        "nor are the regularizers alone",
        "verified",
        ("regularizers-only", Relation::AtMost, "vanilla"),
    ),
    arms(
        "init-needed",
        "all three are no worse than without the initialization",
        "verified",
        ("fast", Relation::AtMost, "no-init"),
    ),
    arms(
        "norm-needed",
        "nor than without batch norm",
        "verified",
        ("fast", Relation::AtMost, "no-norm"),
    ),
    arms(
        "regularizers-needed",
        "nor than without the regularizers",
        "verified",
        ("fast", Relation::AtMost, "no-regularizers"),
    ),
    arms(
        "certified-beats-attacked",
        "training on bounds, unlike training on attacks, can be verified",
        "verified",
        ("fast", Relation::Below, "pgd"),
    ),
];

/// `metric(left) relation metric(right)`.
const fn arms(
    id: &'static str,
    says: &'static str,
    metric: &'static str,
    (left, relation, right): (&'static str, Relation, &'static str),
) -> Claim {
    Claim {
        id,
        says,
        metric,
        left: Term::Arm(left),
        relation,
        right: Term::Arm(right),
        margin: 0.0,
    }
}

/// `metric(arm) relation value`.
const fn number(
    id: &'static str,
    says: &'static str,
    metric: &'static str,
    (arm, relation): (&'static str, Relation),
    value: f64,
) -> Claim {
    Claim {
        right: Term::Number(value),
        ..arms(id, says, metric, (arm, relation, ""))
    }
}
