//! What the paper claims, written before the runs.

use offprint_lab::claim::{
    Claim,
    Relation::{Above, AtMost, Below},
    Term::{Arm, BestOf, Number},
};

/// The claims, in the order of the report.
pub(super) const CLAIMS: &[Claim] = &[
    Claim::new(
        "comet-plus-beats-topk",
        "COMET with local search generalizes better than Top-k",
        "loss",
        (Arm("comet+"), Below, Arm("topk")),
    ),
    Claim::new(
        "comet-plus-beats-hash",
        "COMET with local search generalizes better than hash routing",
        "loss",
        (Arm("comet+"), Below, Arm("hash")),
    ),
    Claim::new(
        "comet-no-worse-than-dselect-k",
        "COMET generalizes at least as well as DSelect-k",
        "loss",
        (Arm("comet"), AtMost, Arm("dselect-k")),
    ),
    Claim::new(
        "comet-plus-beats-dselect-k",
        "COMET with local search generalizes better than DSelect-k",
        "loss",
        (Arm("comet+"), Below, Arm("dselect-k")),
    ),
    Claim::new(
        "search-helps-topk",
        "local search improves Top-k",
        "loss",
        (Arm("topk+"), Below, Arm("topk")),
    ),
    Claim::new(
        "search-helps-hash",
        "local search improves hash routing",
        "loss",
        (Arm("hash+"), Below, Arm("hash")),
    ),
    Claim::new(
        "search-helps-dselect-k",
        "local search improves DSelect-k",
        "loss",
        (Arm("dselect-k+"), Below, Arm("dselect-k")),
    ),
    Claim::new(
        "search-helps-comet",
        "local search improves COMET",
        "loss",
        (Arm("comet+"), Below, Arm("comet")),
    ),
    Claim::new(
        "comet-is-sparse",
        "each tree ends with one expert: at most k are active",
        "active_share",
        (Arm("comet+"), AtMost, Number(1.0)),
    ),
    Claim::new(
        "search-escapes-bad-starts",
        "local search helps to escape bad initializations",
        "worst_start",
        (Arm("topk+"), Below, Arm("topk")),
    ),
    Claim::new(
        "search-saves-tuning",
        "Top-k with local search needs a smaller tuning budget",
        "loss",
        (
            BestOf {
                arm: "topk+",
                of: 1,
            },
            AtMost,
            BestOf { arm: "topk", of: 8 },
        ),
    ),
    Claim::new(
        "comet-plus-auc",
        "COMET with local search ranks better than Top-k",
        "auc",
        (Arm("comet+"), Above, Arm("topk")),
    ),
];
