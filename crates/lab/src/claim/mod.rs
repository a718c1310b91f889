//! A paper's claim as an inequality, and the verdict over it.

mod judge;

pub use crate::tune::TuningTrial;
pub use judge::{ALPHA, judge};

use crate::stats::{Interval, Method};
use serde::Serialize;
use std::fmt;

/// A claim of a paper: `metric(left) relation metric(right)`, by a margin, written down before the runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// Short name, unique in the study.
    pub id: &'static str,
    /// What the paper claims, in our own words.
    pub says: &'static str,
    /// The metric that is compared.
    pub metric: &'static str,
    /// Left side.
    pub left: Term,
    /// How the sides stand to each other.
    pub relation: Relation,
    /// Right side.
    pub right: Term,
    /// How much better a strict relation asks for, or how much worse a non-strict one allows; at least 0.
    pub margin: f64,
}

/// One side of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Term {
    /// An arm, over its seeds.
    Arm(&'static str),
    /// The trial that is best on validation data among `of` random tuning trials of an arm, on test data.
    BestOf {
        /// Name of the arm.
        arm: &'static str,
        /// Number of trials drawn.
        of: usize,
    },
    /// A fixed value.
    Number(f64),
}

/// Relation of a claim, with d = left − right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// d < −margin.
    Below,
    /// d ≤ margin.
    AtMost,
    /// d > margin.
    Above,
    /// d ≥ −margin.
    AtLeast,
    /// |d| ≤ margin. It wants a margin above 0: no interval is a single point.
    Equals,
}

/// What the evidence says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The whole interval satisfies it.
    Supported,
    /// The whole interval violates it.
    Contradicted,
    /// The interval holds both, or there is no interval.
    Undecided,
}

/// What a study left to judge claims by.
pub trait Evidence {
    /// Final value of a metric by seed, every seed once; empty for an arm or a metric that was not run.
    fn values(&self, arm: &str, metric: &str) -> Vec<(u64, f64)>;
    /// The tuning trials of an arm, every index once.
    fn tuning(&self, arm: &str) -> Vec<TuningTrial>;
}

/// A claim with its verdict and the evidence for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The claim.
    pub claim: Claim,
    /// The verdict.
    pub verdict: Verdict,
    /// Estimate of left − right; `None` where it could not be tested.
    pub effect: Option<f64>,
    /// Interval of the effect whose ends decide: at the level that Holm's correction gives the claim.
    pub interval: Option<Interval>,
    /// One-sided p-value of the verdict (the smaller of both directions), adjusted by Holm over the study's claims.
    pub p: Option<f64>,
    /// Number of seeds behind it; of tuning trials where a side is a best of m.
    pub seeds: usize,
    /// How it was tested.
    pub method: Option<Method>,
    /// Undecided: the number of seeds that would decide at the effect and spread seen, if known and at most
    /// [`MOST_SEEDS`](crate::stats::MOST_SEEDS).
    pub seeds_to_decide: Option<usize>,
    /// Why it could not be tested, or what was left out of the test.
    pub reason: Option<String>,
}

impl Claim {
    /// `metric(left) relation metric(right)`, without a margin.
    ///
    /// ```
    /// use offprint_lab::claim::{Claim, Relation::AtMost, Term::{Arm, Number}};
    /// const CLAIM: Claim = Claim::new(
    ///     "linear-time",
    ///     "time is linear in the length",
    ///     "slope",
    ///     (Arm("gla"), AtMost, Number(1.0)),
    /// )
    /// .with_margin(0.1);
    /// assert_eq!(CLAIM.statement(), "slope(gla) ≤ 1 + 0.1");
    /// ```
    pub const fn new(
        id: &'static str,
        says: &'static str,
        metric: &'static str,
        (left, relation, right): (Term, Relation, Term),
    ) -> Self {
        Self {
            id,
            says,
            metric,
            left,
            relation,
            right,
            margin: 0.0,
        }
    }

    /// The same claim with a margin.
    pub const fn with_margin(self, margin: f64) -> Self {
        Self { margin, ..self }
    }

    /// The arms it needs.
    pub fn arms(&self) -> impl Iterator<Item = &'static str> + use<> {
        [self.left, self.right]
            .into_iter()
            .filter_map(|term| match term {
                Term::Arm(arm) | Term::BestOf { arm, .. } => Some(arm),
                Term::Number(_) => None,
            })
    }

    /// Whether a side is a best of several tuning trials.
    pub fn needs_tuning(&self) -> bool {
        let best = |term| matches!(term, Term::BestOf { .. });
        best(self.left) || best(self.right)
    }

    /// The inequality: `loss(comet+) < loss(topk) − 0.01`.
    pub fn statement(&self) -> String {
        let (sign, slack) = match self.relation {
            Relation::Below => ("<", "−"),
            Relation::AtMost => ("≤", "+"),
            Relation::Above => (">", "+"),
            Relation::AtLeast => ("≥", "−"),
            Relation::Equals => ("=", "±"),
        };
        let side = |term| match term {
            Term::Arm(arm) => format!("{}({arm})", self.metric),
            Term::BestOf { arm, of } => format!("{}({arm}, best of {of})", self.metric),
            Term::Number(number) => number.to_string().replace('-', "−"),
        };
        let text = format!("{} {sign} {}", side(self.left), side(self.right));
        match self.margin {
            0.0 => text,
            margin => format!("{text} {slack} {margin}"),
        }
    }

    /// The bounds on d = left − right that matter: one, or both ends of an equality.
    fn thresholds(&self) -> (f64, f64) {
        match self.relation {
            Relation::Below | Relation::AtLeast => (-self.margin, -self.margin),
            Relation::AtMost | Relation::Above => (self.margin, self.margin),
            Relation::Equals => (-self.margin, self.margin),
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.statement())
    }
}

impl Verdict {
    /// The verdict as one sign.
    pub fn mark(self) -> char {
        match self {
            Verdict::Supported => '✓',
            Verdict::Contradicted => '✗',
            Verdict::Undecided => '?',
        }
    }

    /// The verdict as one word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Supported => "supported",
            Verdict::Contradicted => "contradicted",
            Verdict::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Finding {
    /// The evidence in one line: `−0.041 [−0.066, −0.017]  p 0.006 (Holm)`, or what would decide, or the reason.
    pub fn evidence(&self) -> String {
        let (Some(interval), Some(p)) = (self.interval, self.p) else {
            return self.reason.clone().unwrap_or_default();
        };
        let outcome = match (self.verdict, self.method, self.seeds_to_decide) {
            (Verdict::Undecided, _, Some(seeds)) => format!("{seeds} seeds would decide"),
            (Verdict::Undecided, Some(Method::Constant), None) => {
                "no seed differs from the bound".into()
            }
            (Verdict::Undecided, Some(method), None) if method != Method::Bootstrap => {
                format!("not even {} seeds would decide", crate::stats::MOST_SEEDS)
            }
            _ if p < 0.001 => "p < 0.001 (Holm)".into(),
            _ => format!("p {p:.3} (Holm)"),
        };
        format!("{}  {outcome}", interval.signed())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { claim, verdict, .. } = self;
        write!(
            f,
            "{} {verdict:<12}  {claim}  {}",
            verdict.mark(),
            self.evidence()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Claim = Claim::new(
        "comet-beats-topk",
        "COMET with local search generalizes better than Top-k",
        "loss",
        (Term::Arm("comet+"), Relation::Below, Term::Arm("topk")),
    );

    fn found(verdict: Verdict, method: Method, seeds_to_decide: Option<usize>) -> Finding {
        Finding {
            claim: CLAIM,
            verdict,
            effect: Some(-0.041),
            interval: Some(Interval {
                mean: -0.041,
                low: -0.066,
                high: -0.0166,
                level: 0.98,
                count: 5,
            }),
            p: Some(0.0061),
            seeds: 5,
            method: Some(method),
            seeds_to_decide,
            reason: None,
        }
    }

    #[test]
    fn statements() {
        let text = |left, relation, right, margin| {
            Claim {
                left,
                relation,
                right,
                margin,
                ..CLAIM
            }
            .statement()
        };
        let (a, b) = (CLAIM.left, CLAIM.right);
        assert_eq!(CLAIM.statement(), "loss(comet+) < loss(topk)");
        assert_eq!(
            text(a, Relation::Below, b, 0.01),
            "loss(comet+) < loss(topk) − 0.01"
        );
        assert_eq!(
            text(a, Relation::AtMost, b, 0.01),
            "loss(comet+) ≤ loss(topk) + 0.01"
        );
        assert_eq!(
            text(a, Relation::Above, b, 0.01),
            "loss(comet+) > loss(topk) + 0.01"
        );
        assert_eq!(
            text(a, Relation::AtLeast, b, 0.01),
            "loss(comet+) ≥ loss(topk) − 0.01"
        );
        assert_eq!(
            text(a, Relation::Equals, b, 0.01),
            "loss(comet+) = loss(topk) ± 0.01"
        );
        let best = |arm, of| Term::BestOf { arm, of };
        assert_eq!(
            text(best("topk+", 1), Relation::AtMost, best("topk", 8), 0.0),
            "loss(topk+, best of 1) ≤ loss(topk, best of 8)"
        );
        assert_eq!(
            text(a, Relation::AtMost, Term::Number(-4.5), 0.0),
            "loss(comet+) ≤ −4.5"
        );
        let arms = |left, right| {
            Claim {
                left,
                right,
                ..CLAIM
            }
            .arms()
            .collect::<Vec<_>>()
        };
        assert_eq!(arms(a, best("topk", 8)), ["comet+", "topk"]);
        assert_eq!(arms(Term::Number(1.0), b), ["topk"]);
    }

    #[test]
    fn findings_read_as_one_line() {
        let line = |verdict, seeds| found(verdict, Method::Student, seeds).to_string();
        assert_eq!(
            line(Verdict::Supported, None),
            "✓ supported     loss(comet+) < loss(topk)  −0.041 [−0.066, −0.017]  p 0.006 (Holm)"
        );
        assert_eq!(
            line(Verdict::Undecided, Some(8)),
            "? undecided     loss(comet+) < loss(topk)  −0.041 [−0.066, −0.017]  8 seeds would decide"
        );
        assert_eq!(
            line(Verdict::Contradicted, None),
            "✗ contradicted  loss(comet+) < loss(topk)  −0.041 [−0.066, −0.017]  p 0.006 (Holm)"
        );
        let evidence = |method, seeds| found(Verdict::Undecided, method, seeds).evidence();
        assert!(evidence(Method::Student, None).ends_with("not even 1000 seeds would decide"));
        assert!(evidence(Method::Constant, None).ends_with("no seed differs from the bound"));
        assert!(evidence(Method::Bootstrap, None).ends_with("p 0.006 (Holm)"));
        let sure = Finding {
            p: Some(0.0),
            ..found(Verdict::Supported, Method::Constant, None)
        };
        assert!(sure.evidence().ends_with("p < 0.001 (Holm)"));
    }

    #[test]
    fn open_ends_are_null_in_json() {
        let mut finding = found(Verdict::Undecided, Method::SignFlip, None);
        finding.interval = Some(Interval {
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
            ..finding.interval.unwrap()
        });
        let json = serde_json::to_value(&finding).unwrap();
        assert!(json["interval"]["low"].is_null());
        assert_eq!(json["verdict"], "undecided");
        assert_eq!(json["method"], "sign-flip");
        assert_eq!(json["claim"]["left"]["arm"], "comet+");
        assert_eq!(json["claim"]["relation"], "below");
    }
}
