//! What the paper claims of language models, written before the runs.

use offprint_lab::claim::{Claim, Relation, Term};

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
    Claim {
        id: "comet-plus-keeps-the-teacher",
        says: "the student is within two hundredths of its teacher",
        metric: "kept",
        left: Term::Arm("comet+"),
        relation: Relation::AtLeast,
        right: Term::Number(0.0),
        margin: 0.02,
    },
    Claim {
        id: "comet-plus-is-sparse",
        says: "each tree ends with one expert: at most k are active",
        metric: "active_share",
        left: Term::Arm("comet+"),
        relation: Relation::AtMost,
        right: Term::Number(1.0),
        margin: 0.05,
    },
];

/// `accuracy(comet+) > accuracy(right)`.
const fn better(id: &'static str, says: &'static str, right: &'static str) -> Claim {
    Claim {
        id,
        says,
        metric: "accuracy",
        left: Term::Arm("comet+"),
        relation: Relation::Above,
        right: Term::Arm(right),
        margin: 0.0,
    }
}
