//! What the paper claims, written before the runs.

use offprint_lab::claim::{
    Claim,
    Relation::{Above, AtMost, Below, Equals},
    Term::{Arm, Number},
};

/// The claims, in the order of the report.
pub(super) const CLAIMS: &[Claim] = &[
    Claim::new(
        "data-dependent-gate-helps",
        "a data-dependent gate is better than RetNet's fixed decay",
        "loss",
        (Arm("gla"), Below, Arm("retnet")),
    ),
    Claim::new(
        "decay-helps",
        "a decay is better than none (RetNet, as the paper's abstract cites it)",
        "loss",
        (Arm("retnet"), Below, Arm("linear-attention")),
    ),
    // A difference of logarithms: a ratio of perplexities within 3 %.
    Claim::new(
        "competitive-with-llama",
        "GLA models language as well as a LLaMA-like Transformer",
        "loss",
        (Arm("gla"), Equals, Arm("transformer")),
    )
    .with_margin(0.03),
    Claim::new(
        "competitive-with-mamba",
        "GLA models language as well as Mamba",
        "loss",
        (Arm("gla"), Equals, Arm("mamba")),
    )
    .with_margin(0.03),
    Claim::new(
        "goes-beyond-its-length",
        "at 8 times the length it was trained on, GLA is as good",
        "extrapolation",
        (Arm("gla"), AtMost, Number(1.02)),
    ),
    Claim::new(
        "goes-beyond-better-than-llama",
        "and better than the Transformer, whose positions are new there",
        "extrapolation",
        (Arm("gla"), Below, Arm("transformer")),
    ),
    Claim::new(
        "recalls-less-than-attention",
        "a state of fixed size recalls less than attention",
        "recall",
        (Arm("gla"), Below, Arm("transformer")),
    ),
    Claim::new(
        "wider-state-recalls-more",
        "a state four times as large recalls more",
        "recall",
        (Arm("gla-wide"), Above, Arm("gla")),
    ),
    Claim::new(
        "faster-at-4096",
        "forward and backward are faster than attention at 4,096 tokens",
        "milliseconds",
        (Arm("gla"), Below, Arm("transformer")),
    ),
    Claim::new(
        "linear-time",
        "time is linear in the length",
        "slope",
        (Arm("gla"), AtMost, Number(1.1)),
    ),
];
