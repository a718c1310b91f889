use super::*;

/// Arms with one value a seed (seeds 0, 1, …) for the metric `loss`, and tuning trials `(validation, test)`.
#[derive(Default)]
struct Runs {
    arms: Vec<(&'static str, Vec<f64>)>,
    tuning: Vec<(&'static str, Vec<(f64, f64)>)>,
}

impl Evidence for Runs {
    fn values(&self, arm: &str, metric: &str) -> Vec<(u64, f64)> {
        let found = self
            .arms
            .iter()
            .find(|(name, _)| *name == arm && metric == "loss");
        found.map_or(Vec::new(), |(_, values)| {
            (0..).zip(values.iter().copied()).collect()
        })
    }

    fn tuning(&self, arm: &str) -> Vec<TuningTrial> {
        let found = self.tuning.iter().find(|(name, _)| *name == arm);
        let trials = found.map_or(&[][..], |(_, trials)| trials);
        let trial = |(index, &(validation, test)): (usize, &(f64, f64))| TuningTrial {
            index: index as u64,
            seed: index as u64,
            settings: Default::default(),
            validation,
            test,
        };
        trials.iter().enumerate().map(trial).rev().collect()
    }
}

fn claim(left: Term, relation: Relation, right: Term, margin: f64) -> Claim {
    Claim {
        id: "test",
        says: "a test",
        metric: "loss",
        left,
        relation,
        right,
        margin,
    }
}

const A: Term = Term::Arm("a");
const B: Term = Term::Arm("b");

/// a − b has mean −0.041 and, over 5 seeds, Student's 90 % interval [−0.0538, −0.0282].
fn five() -> Runs {
    Runs {
        arms: vec![
            ("a", vec![0.31, 0.33, 0.29, 0.35, 0.32]),
            ("b", vec![0.36, 0.36, 0.35, 0.38, 0.355]),
        ],
        ..Runs::default()
    }
}

fn verdict(claim: Claim, runs: &Runs) -> Verdict {
    judge(&[claim], runs, Better::Lower)[0].verdict
}

/// scipy 1.17.1: `st.ttest_rel(a, b).confidence_interval(0.90)`; each verdict follows from it by eye.
#[test]
fn every_relation_by_its_interval() {
    let runs = five();
    let interval = judge(&[claim(A, Relation::Below, B, 0.0)], &runs, Better::Lower)[0]
        .interval
        .unwrap();
    assert!(
        (interval.low + 0.0537910807179599).abs() < 1e-12,
        "{interval:?}"
    );
    assert!(
        (interval.high + 0.0282089192820401).abs() < 1e-12,
        "{interval:?}"
    );
    use Relation::{Above, AtLeast, AtMost, Below, Equals};
    use Verdict::{Contradicted, Supported, Undecided};
    for (relation, margin, expected) in [
        (Below, 0.0, Supported),
        (Below, 0.04, Undecided),
        (Below, 0.06, Contradicted),
        (AtMost, 0.0, Supported),
        (Above, 0.0, Contradicted),
        (AtLeast, 0.0, Contradicted),
        (AtLeast, 0.04, Undecided),
        (AtLeast, 0.06, Supported),
        (Equals, 0.02, Contradicted),
        (Equals, 0.04, Undecided),
        (Equals, 0.06, Supported),
    ] {
        let forward = verdict(claim(A, relation, B, margin), &runs);
        assert_eq!(forward, expected, "a {relation:?} b, margin {margin}");
        let mirror = match relation {
            Below => Above,
            AtMost => AtLeast,
            Above => Below,
            AtLeast => AtMost,
            Equals => Equals,
        };
        let backward = verdict(claim(B, mirror, A, margin), &runs);
        assert_eq!(backward, expected, "b {mirror:?} a, margin {margin}");
    }
}

#[test]
fn numbers_on_either_side() {
    let runs = five();
    let number = Term::Number(0.4);
    assert_eq!(
        verdict(claim(A, Relation::Below, number, 0.0), &runs),
        Verdict::Supported
    );
    assert_eq!(
        verdict(claim(number, Relation::Below, A, 0.0), &runs),
        Verdict::Contradicted
    );
    let exact = Runs {
        arms: vec![("a", vec![2.0; 3])],
        ..Runs::default()
    };
    let two = Term::Number(2.0);
    for (relation, expected) in [
        (Relation::AtMost, Verdict::Supported),
        (Relation::AtLeast, Verdict::Supported),
        (Relation::Equals, Verdict::Supported),
        (Relation::Below, Verdict::Undecided),
        (Relation::Above, Verdict::Undecided),
    ] {
        assert_eq!(
            verdict(claim(A, relation, two, 0.0), &exact),
            expected,
            "{relation:?}"
        );
    }
}

#[test]
fn holm_over_the_claims_of_a_study() {
    let runs = Runs {
        arms: vec![
            ("a", vec![0.31, 0.33, 0.29, 0.35, 0.32]),
            ("b", vec![0.36, 0.36, 0.35, 0.38, 0.355]),
            // scipy: `st.ttest_rel(a, c, alternative="less").pvalue` = 0.0258, enough alone and too much for one of two.
            ("c", vec![0.34, 0.32, 0.34, 0.39, 0.35]),
        ],
        ..Runs::default()
    };
    let between = claim(A, Relation::Below, Term::Arm("c"), 0.0);
    assert_eq!(verdict(between, &runs), Verdict::Supported);
    let missing = claim(A, Relation::Below, Term::Arm("d"), 0.0);
    let findings = judge(
        &[missing, between, claim(A, Relation::Below, B, 0.0)],
        &runs,
        Better::Lower,
    );
    let verdicts: Vec<_> = findings.iter().map(|finding| finding.verdict).collect();
    assert_eq!(
        verdicts,
        [Verdict::Undecided, Verdict::Undecided, Verdict::Supported]
    );
    assert_eq!(findings[0].evidence(), "d has no loss yet");
    assert!((findings[2].interval.unwrap().level - (1.0 - 2.0 * ALPHA / 3.0)).abs() < 1e-12);
    assert!((findings[1].interval.unwrap().level - (1.0 - 2.0 * ALPHA / 2.0)).abs() < 1e-12);
    let undecided = findings[1].interval.unwrap();
    assert!(undecided.low < 0.0 && undecided.high > 0.0);
    assert!(findings[1].seeds_to_decide.unwrap() > 5);
}

#[test]
fn what_cannot_be_judged_says_why() {
    let reason = |claim, runs: &Runs| {
        let finding = judge(&[claim], runs, Better::Lower).remove(0);
        assert_eq!(finding.verdict, Verdict::Undecided);
        finding.evidence()
    };
    let below = claim(A, Relation::Below, B, 0.0);
    let mut runs = five();
    runs.arms[1].1[3] = f64::NAN;
    assert_eq!(
        reason(below, &runs),
        "loss of b at seed 3 is NaN, not a finite number"
    );
    let mut runs = five();
    runs.arms[1].1.truncate(1);
    assert_eq!(
        reason(below, &runs),
        "common seeds: 1, but a test needs at least 2"
    );
    let runs = five();
    let numbers = claim(Term::Number(1.0), Relation::Below, Term::Number(2.0), 0.0);
    assert_eq!(reason(numbers, &runs), "it compares a number with a number");
    let nan = claim(A, Relation::Below, Term::Number(f64::NAN), 0.0);
    assert_eq!(reason(nan, &runs), "it compares with NaN");
    let negative = claim(A, Relation::Below, B, -0.1);
    assert_eq!(
        reason(negative, &runs),
        "margin = -0.1, but it must be at least 0"
    );
    let best = claim(Term::BestOf { arm: "a", of: 8 }, Relation::Below, B, 0.0);
    assert_eq!(
        reason(best, &runs),
        "a: tuning trials: 0, but the best of 8 needs at least 8"
    );
}

#[test]
fn seeds_without_a_partner_are_named() {
    let mut runs = five();
    runs.arms[0].1.truncate(4);
    let finding = judge(&[claim(A, Relation::Below, B, 0.0)], &runs, Better::Lower).remove(0);
    assert_eq!((finding.verdict, finding.seeds), (Verdict::Supported, 4));
    assert_eq!(
        finding.reason.as_deref(),
        Some("left out, without a partner in the other arm: 1 trial")
    );
}

/// Two arms over 40 tuning trials; b is worse by 0.1 in every one, and its best of 8 better than its mean by 0.17.
fn tuned() -> Runs {
    let score = |index: i32| 0.4 + 0.2 * f64::from(index).sin();
    let trials = |shift: f64| {
        (0..40)
            .map(|index| (score(index), score(index) + shift))
            .collect()
    };
    Runs {
        tuning: vec![("a", trials(0.0)), ("b", trials(0.1))],
        ..five()
    }
}

#[test]
fn tuning_trials_are_paired_by_their_draws() {
    let mut runs = tuned();
    let best = |arm, of| Term::BestOf { arm, of };
    let judge_one = |claim, runs: &Runs| judge(&[claim], runs, Better::Lower).remove(0);
    let same = judge_one(
        claim(best("a", 4), Relation::Below, best("b", 4), 0.0),
        &runs,
    );
    let interval = same.interval.unwrap();
    assert_eq!(
        (same.verdict, same.method),
        (Verdict::Supported, Some(Method::Bootstrap))
    );
    // Shared draws leave nothing of the spread between trials.
    assert!((interval.low + 0.1).abs() < 1e-12 && (interval.high + 0.1).abs() < 1e-12);
    let budget = judge_one(
        claim(best("a", 1), Relation::AtMost, best("b", 8), 0.0),
        &runs,
    );
    assert_eq!(budget.verdict, Verdict::Contradicted, "{budget:?}");
    assert_eq!((budget.seeds, budget.seeds_to_decide), (40, None));
    let number = claim(best("a", 8), Relation::Below, Term::Number(0.3), 0.0);
    assert_eq!(judge_one(number, &runs).verdict, Verdict::Supported);
    let arm = claim(best("a", 8), Relation::Below, Term::Arm("b"), 0.0);
    assert_eq!(judge_one(arm, &runs).verdict, Verdict::Supported);
    runs.tuning[1].1.pop();
    let shorter = judge_one(
        claim(best("a", 4), Relation::Below, best("b", 4), 0.0),
        &runs,
    );
    assert_eq!(shorter.seeds, 39);
    assert_eq!(
        shorter.reason.as_deref(),
        Some("left out, without a partner in the other arm: 1 tuning trial")
    );
    runs.tuning[1].1[5].1 = f64::NAN;
    let diverged = judge_one(
        claim(best("a", 1), Relation::Below, best("b", 1), 0.0),
        &runs,
    );
    assert_eq!(
        diverged.evidence(),
        "a tuning trial that diverged may be the one chosen"
    );
}

/// Of best-of-1 trials the bootstrap's standard error is Student's, up to the draws.
#[test]
fn best_of_one_is_tested_like_a_mean() {
    let scores = [0.31, 0.33, 0.29, 0.35, 0.32, 0.4];
    let runs = Runs {
        arms: vec![("a", scores.to_vec())],
        tuning: vec![("a", scores.iter().map(|&score| (score, score)).collect())],
    };
    let half_width = |left| {
        let finding = judge(
            &[claim(left, Relation::Below, Term::Number(0.0), 0.0)],
            &runs,
            Better::Lower,
        )
        .remove(0);
        finding.interval.unwrap().half_width().unwrap()
    };
    let ratio = half_width(Term::BestOf { arm: "a", of: 1 }) / half_width(A);
    // Four standard errors of a standard deviation over 3999 draws.
    assert!(
        (ratio - 1.0).abs() < 4.0 / (2.0 * 3999.0_f64).sqrt(),
        "{ratio}"
    );
}

#[test]
fn one_best_of_eight_decides_nothing() {
    let mut runs = tuned();
    runs.tuning
        .iter_mut()
        .for_each(|(_, trials)| trials.truncate(8));
    let best = |arm, of| Term::BestOf { arm, of };
    let finding = judge(
        &[claim(best("a", 1), Relation::AtMost, best("b", 8), 0.0)],
        &runs,
        Better::Lower,
    )
    .remove(0);
    assert_eq!(finding.verdict, Verdict::Undecided);
    assert_eq!(
        finding.evidence(),
        "b: tuning trials: 8, but the best of 8 needs at least 16"
    );
}

proptest::proptest! {
    /// The verdict is what the interval shows.
    #[test]
    fn verdict_and_interval_agree(
        values in proptest::collection::vec((0.0..1.0_f64, 0.0..1.0_f64, 0.0..1.0_f64), 2..12),
        margin in 0.0..0.5_f64,
    ) {
        let runs = Runs {
            arms: vec![
                ("a", values.iter().map(|value| value.0).collect()),
                ("b", values.iter().map(|value| value.1 + 0.5).collect()),
                ("c", values.iter().map(|value| value.2).collect()),
            ],
            ..Runs::default()
        };
        let c = Term::Arm("c");
        let claims = [
            claim(A, Relation::Below, B, margin),
            claim(B, Relation::AtMost, c, margin),
            claim(A, Relation::Equals, c, margin),
        ];
        let findings = judge(&claims, &runs, Better::Lower);
        let shown = |finding: &Finding, good: bool, bad: bool| match finding.verdict {
            Verdict::Supported => good && !bad,
            Verdict::Contradicted => bad && !good,
            Verdict::Undecided => !good && !bad,
        };
        let ends = |index: usize| findings[index].interval.map_or((0.0, 0.0), |i| (i.low, i.high));
        let (low, high) = ends(0);
        assert!(shown(&findings[0], high < -margin, low > -margin), "{:?}", findings[0]);
        let (low, high) = ends(1);
        assert!(shown(&findings[1], high <= margin, low > margin), "{:?}", findings[1]);
        let (low, high) = ends(2);
        let inside = -margin <= low && high <= margin;
        assert!(shown(&findings[2], inside, low > margin || high < -margin), "{:?}", findings[2]);
    }
}
