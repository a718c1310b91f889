//! What the paper claims, written before the runs.

use offprint_lab::claim::{Claim, Relation, Term};

/// The claims, in the order of the report.
pub(super) const CLAIMS: &[Claim] = &[
    arms(
        "data-dependent-gate-helps",
        "a data-dependent gate is better than RetNet's fixed decay",
        "loss",
        ("gla", Relation::Below, "retnet"),
        0.0,
    ),
    arms(
        "decay-helps",
        "a decay is better than none (RetNet, as the paper's abstract cites it)",
        "loss",
        ("retnet", Relation::Below, "linear-attention"),
        0.0,
    ),
    // A difference of logarithms: a ratio of perplexities within 3 %.
    arms(
        "competitive-with-llama",
        "GLA models language as well as a LLaMA-like Transformer",
        "loss",
        ("gla", Relation::Equals, "transformer"),
        0.03,
    ),
    arms(
        "competitive-with-mamba",
        "GLA models language as well as Mamba",
        "loss",
        ("gla", Relation::Equals, "mamba"),
        0.03,
    ),
    Claim {
        left: Term::Arm("gla"),
        relation: Relation::AtMost,
        right: Term::Number(1.02),
        ..arms(
            "goes-beyond-its-length",
            "at 8 times the length it was trained on, GLA is as good",
            "extrapolation",
            ("gla", Relation::AtMost, ""),
            0.0,
        )
    },
    arms(
        "goes-beyond-better-than-llama",
        "and better than the Transformer, whose positions are new there",
        "extrapolation",
        ("gla", Relation::Below, "transformer"),
        0.0,
    ),
    arms(
        "recalls-less-than-attention",
        "a state of fixed size recalls less than attention",
        "recall",
        ("gla", Relation::Below, "transformer"),
        0.0,
    ),
    arms(
        "wider-state-recalls-more",
        "a state four times as large recalls more",
        "recall",
        ("gla-wide", Relation::Above, "gla"),
        0.0,
    ),
    arms(
        "faster-at-4096",
        "forward and backward are faster than attention at 4,096 tokens",
        "milliseconds",
        ("gla", Relation::Below, "transformer"),
        0.0,
    ),
    Claim {
        left: Term::Arm("gla"),
        relation: Relation::AtMost,
        right: Term::Number(1.1),
        ..arms(
            "linear-time",
            "time is linear in the length",
            "slope",
            ("gla", Relation::AtMost, ""),
            0.0,
        )
    },
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
