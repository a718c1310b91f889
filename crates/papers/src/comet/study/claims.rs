//! What the paper claims, written before the runs.

use offprint_lab::claim::{Claim, Relation, Term};

/// The claims, in the order of the report.
pub(super) const CLAIMS: &[Claim] = &[
    claim(
        "comet-plus-beats-topk",
        "COMET with local search generalizes better than Top-k",
        "loss",
        "comet+",
        "topk",
    ),
    claim(
        "comet-plus-beats-hash",
        "COMET with local search generalizes better than hash routing",
        "loss",
        "comet+",
        "hash",
    ),
    Claim {
        relation: Relation::AtMost,
        ..claim(
            "comet-no-worse-than-dselect-k",
            "COMET generalizes at least as well as DSelect-k",
            "loss",
            "comet",
            "dselect-k",
        )
    },
    claim(
        "comet-plus-beats-dselect-k",
        "COMET with local search generalizes better than DSelect-k",
        "loss",
        "comet+",
        "dselect-k",
    ),
    claim(
        "search-helps-topk",
        "local search improves Top-k",
        "loss",
        "topk+",
        "topk",
    ),
    claim(
        "search-helps-hash",
        "local search improves hash routing",
        "loss",
        "hash+",
        "hash",
    ),
    claim(
        "search-helps-dselect-k",
        "local search improves DSelect-k",
        "loss",
        "dselect-k+",
        "dselect-k",
    ),
    claim(
        "search-helps-comet",
        "local search improves COMET",
        "loss",
        "comet+",
        "comet",
    ),
    Claim {
        relation: Relation::AtMost,
        right: Term::Number(1.0),
        ..claim(
            "comet-is-sparse",
            "each tree ends with one expert: at most k are active",
            "active_share",
            "comet+",
            "",
        )
    },
    claim(
        "search-escapes-bad-starts",
        "local search helps to escape bad initializations",
        "worst_start",
        "topk+",
        "topk",
    ),
    Claim {
        relation: Relation::AtMost,
        left: Term::BestOf {
            arm: "topk+",
            of: 1,
        },
        right: Term::BestOf { arm: "topk", of: 8 },
        ..claim(
            "search-saves-tuning",
            "Top-k with local search needs a smaller tuning budget",
            "loss",
            "topk+",
            "topk",
        )
    },
    Claim {
        relation: Relation::Above,
        ..claim(
            "comet-plus-auc",
            "COMET with local search ranks better than Top-k",
            "auc",
            "comet+",
            "topk",
        )
    },
];

/// `metric(left) < metric(right)`.
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
        relation: Relation::Below,
        right: Term::Arm(right),
        margin: 0.0,
    }
}
