//! What the paper claims of language models, written before the runs.

use offprint_lab::claim::{
    Claim,
    Relation::{Above, AtLeast, AtMost},
    Term::{Arm, Number},
};

/// The claims, in the order of the report.
pub(super) const CLAIMS: &[Claim] = &[
    better(
        "comet-plus-beats-hash",
        "experts routed by COMET with local search are more accurate than MoEBERT's hash routing",
        "hash",
    ),
    better(
        "comet-plus-beats-dense-student",
        "they are more accurate than a dense student of the same active size",
        "dense-student",
    ),
    better("search-helps-comet", "local search improves COMET", "comet"),
    Claim::new(
        "comet-plus-keeps-the-teacher",
        "the student is within two hundredths of its teacher",
        "kept",
        (Arm("comet+"), AtLeast, Number(0.0)),
    )
    .with_margin(0.02),
    Claim::new(
        "comet-plus-is-sparse",
        "each tree ends with one expert: at most k are active",
        "active_share",
        (Arm("comet+"), AtMost, Number(1.0)),
    )
    .with_margin(0.05),
];

/// `accuracy(comet+) > accuracy(right)`.
const fn better(id: &'static str, says: &'static str, right: &'static str) -> Claim {
    Claim::new(id, says, "accuracy", (Arm("comet+"), Above, Arm(right)))
}
