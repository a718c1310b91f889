//! From evidence to verdicts.

use super::{Claim, Evidence, Finding, Relation, Term, TuningTrial, Verdict};
use crate::{
    stats::{
        Comparison, Differences, Method, Ranking, Resample, Sample, StatsError, Step, expected,
        holm, seeds_to_decide,
    },
    study::Better,
};

/// Chance allowed for a wrong verdict among the claims of one study.
pub const ALPHA: f64 = 0.05;

/// Judges the claims of a study together.
///
/// For each claim, d = left − right is tested over the common seeds. A best of m is estimated from all n tuning trials
/// as [`best_of`](crate::stats::best_of()) does (`better` says which way their validation score is better), its
/// standard error by bootstrap over the trials, those of equal index together, since they share seed and draws; as n
/// trials hold n/m independent bests of m, it is tested by Student's t with ⌊n/m⌋ − 1 degrees of freedom, and not at all
/// with fewer than 2m trials. Both directions are one-sided: the p-value of "the claim holds" and of "it does not". Holm's correction
/// goes over the smaller of the two of all claims; the direction it lets through is the verdict. A claim that cannot be
/// tested counts in the correction: pass all claims of the study, also those whose arms were not run.
///
/// The verdict is what the [`interval`](Finding::interval) shows, as it leaves out what the test rejects:
///
/// | relation | supported | contradicted |
/// | --- | --- | --- |
/// | `Below` | high < −margin | low > −margin |
/// | `AtMost` | high ≤ margin | low > margin |
/// | `Above` | low > margin | high < margin |
/// | `AtLeast` | low ≥ −margin | high < −margin |
/// | `Equals` | −margin ≤ low and high ≤ margin | low > margin or high < −margin |
///
/// `Equals` is supported by two one-sided tests. A value that is not finite leaves its claims undecided, with the arm
/// and the seed in the reason.
pub fn judge<E: Evidence + ?Sized>(claims: &[Claim], evidence: &E, better: Better) -> Vec<Finding> {
    let tests: Vec<_> = claims
        .iter()
        .map(|claim| test(claim, evidence, better))
        .collect();
    let p: Vec<f64> = tests
        .iter()
        .map(|test| {
            test.as_ref()
                .map_or(1.0, |test| test.supports.min(test.contradicts))
        })
        .collect();
    let steps = holm(&p, ALPHA);
    let judged = claims.iter().zip(tests).zip(steps);
    judged
        .map(|((claim, test), step)| finding(claim, test, step))
        .collect()
}

/// A claim's test before the correction.
struct Test {
    comparison: Comparison,
    /// p-value of "the claim holds".
    supports: f64,
    /// p-value of "the claim does not hold".
    contradicts: f64,
    /// What was left out.
    note: Option<String>,
}

fn finding(claim: &Claim, test: Result<Test, String>, step: Step) -> Finding {
    let Test {
        comparison,
        supports,
        contradicts,
        note,
    } = match test {
        Ok(test) => test,
        Err(reason) => {
            return Finding {
                claim: *claim,
                verdict: Verdict::Undecided,
                effect: None,
                interval: None,
                p: None,
                seeds: 0,
                method: None,
                seeds_to_decide: None,
                reason: Some(reason),
            };
        }
    };
    let verdict = match step.rejected {
        true if supports <= contradicts => Verdict::Supported,
        true => Verdict::Contradicted,
        false => Verdict::Undecided,
    };
    let (effect, seeds) = (comparison.effect(), comparison.count());
    let wanted = (verdict == Verdict::Undecided && comparison.method() != Method::Bootstrap)
        .then(|| {
            let (low, high) = claim.thresholds();
            let nearest = if effect < (low + high) / 2.0 {
                low
            } else {
                high
            };
            seeds_to_decide(effect, comparison.sd(), nearest, step.level)
        })
        .flatten();
    Finding {
        claim: *claim,
        verdict,
        effect: Some(effect),
        interval: Some(comparison.interval(step.level)),
        p: Some(step.p),
        seeds,
        method: Some(comparison.method()),
        // The sign-flip test may be undecided where Student's interval, which predicts, is not.
        seeds_to_decide: wanted.map(|wanted| wanted.max(seeds + 1)),
        reason: note,
    }
}

fn test<E: Evidence + ?Sized>(claim: &Claim, evidence: &E, better: Better) -> Result<Test, String> {
    if !(claim.margin >= 0.0 && claim.margin.is_finite()) {
        return Err(format!(
            "margin = {}, but it must be at least 0",
            claim.margin
        ));
    }
    let by_tuning = [claim.left, claim.right]
        .iter()
        .any(|term| matches!(term, Term::BestOf { .. }));
    let (comparison, note) = if by_tuning {
        over_tuning(claim, evidence, better)?
    } else {
        over_seeds(claim, evidence)?
    };
    let (low, high) = claim.thresholds();
    let (supports, contradicts) = match claim.relation {
        Relation::Below => (comparison.p_below(high), comparison.p_above(high)),
        Relation::AtMost => (comparison.p_at_most(high), comparison.p_above(high)),
        Relation::Above => (comparison.p_above(low), comparison.p_below(low)),
        Relation::AtLeast => (comparison.p_at_least(low), comparison.p_below(low)),
        Relation::Equals => (
            comparison.p_at_least(low).max(comparison.p_at_most(high)),
            comparison.p_below(low).min(comparison.p_above(high)),
        ),
    };
    Ok(Test {
        comparison,
        supports,
        contradicts,
        note,
    })
}

type Compared = (Comparison, Option<String>);

fn over_seeds<E: Evidence + ?Sized>(claim: &Claim, evidence: &E) -> Result<Compared, String> {
    let values = |arm| match evidence.values(arm, claim.metric) {
        values if values.is_empty() => Err(format!("{arm} has no {} yet", claim.metric)),
        values => Ok(values),
    };
    let differences = match (claim.left, claim.right) {
        (Term::Arm(left), Term::Arm(right)) => {
            let (a, b) = (values(left)?, values(right)?);
            Differences::between(
                Sample {
                    arm: left,
                    values: &a,
                },
                Sample {
                    arm: right,
                    values: &b,
                },
            )
        }
        (Term::Arm(arm), Term::Number(number)) => {
            let values = values(arm)?;
            Differences::from_number(
                Sample {
                    arm,
                    values: &values,
                },
                finite(number)?,
            )
        }
        (Term::Number(number), Term::Arm(arm)) => {
            let values = values(arm)?;
            let sample = Sample {
                arm,
                values: &values,
            };
            Differences::from_number(sample, finite(number)?).map(Differences::negated)
        }
        _ => return Err("it compares a number with a number".into()),
    };
    let differences = differences.map_err(|error| format!("{} of {error}", claim.metric))?;
    let comparison = Comparison::of(&differences).map_err(|error| error.to_string())?;
    let note = left_out(differences.left_out(), "trial");
    Ok((comparison, note))
}

fn over_tuning<E: Evidence + ?Sized>(
    claim: &Claim,
    evidence: &E,
    better: Better,
) -> Result<Compared, String> {
    let trials = |term| match term {
        Term::BestOf { arm, .. } => Some(evidence.tuning(arm)),
        _ => None,
    };
    let (left, right, apart) = paired(trials(claim.left), trials(claim.right));
    let count = left.as_ref().or(right.as_ref()).map_or(0, Vec::len);
    let side = |term, trials: Option<Vec<TuningTrial>>| match (term, trials) {
        (Term::BestOf { arm, of }, Some(trials)) => {
            Side::best_of(of, &trials, better).map_err(|error| format!("{arm}: {error}"))
        }
        (Term::Number(number), _) => Ok(Side::Number(finite(number)?)),
        (Term::Arm(arm) | Term::BestOf { arm, .. }, _) => {
            Side::seeds(arm, &evidence.values(arm, claim.metric))
                .map_err(|error| format!("{} of {error}", claim.metric))
        }
    };
    let (left, right) = (side(claim.left, left)?, side(claim.right, right)?);
    let groups = left.groups().min(right.groups());
    let comparison = Comparison::bootstrap(count, groups, |draw| {
        let trials = draw.positions(count);
        let difference = left.value(&trials, draw)? - right.value(&trials, draw)?;
        difference.is_finite().then_some(difference)
    })
    .ok_or("a tuning trial that diverged may be the one chosen")?;
    Ok((comparison, left_out(apart, "tuning trial")))
}

/// Trials of either arm in the order of their indices; if both are there, those of common indices, and how many
/// are left out.
fn paired(
    left: Option<Vec<TuningTrial>>,
    right: Option<Vec<TuningTrial>>,
) -> (Option<Vec<TuningTrial>>, Option<Vec<TuningTrial>>, usize) {
    let sorted = |trials: Option<Vec<TuningTrial>>| {
        trials.map(|mut trials| {
            trials.sort_by_key(|trial| trial.index);
            trials
        })
    };
    let (left, right) = (sorted(left), sorted(right));
    let (Some(a), Some(b)) = (&left, &right) else {
        return (left, right, 0);
    };
    let shared = |of: &[TuningTrial], with: &[TuningTrial]| -> Vec<TuningTrial> {
        let known = |trial: &&TuningTrial| with.iter().any(|other| other.index == trial.index);
        of.iter().filter(known).cloned().collect()
    };
    let (one, other) = (shared(a, b), shared(b, a));
    let apart = a.len() + b.len() - one.len() - other.len();
    (Some(one), Some(other), apart)
}

/// One side of a claim about tuning, ready to be resampled.
enum Side {
    Number(f64),
    Seeds(Vec<f64>),
    BestOf {
        ranking: Ranking,
        weights: Vec<f64>,
        groups: usize,
    },
}

impl Side {
    fn best_of(of: usize, trials: &[TuningTrial], better: Better) -> Result<Self, StatsError> {
        let scores: Vec<_> = trials
            .iter()
            .map(|trial| (trial.validation, trial.test))
            .collect();
        let ranking = Ranking::of(&scores, better);
        let weights = ranking.weights(of)?;
        let (found, needed) = (trials.len(), of.saturating_mul(2));
        if found < needed {
            return Err(StatsError::TooFewTrials { of, found, needed });
        }
        let groups = found / of;
        Ok(Side::BestOf {
            ranking,
            weights,
            groups,
        })
    }

    fn seeds(arm: &str, values: &[(u64, f64)]) -> Result<Self, StatsError> {
        let values: Vec<f64> = Sample { arm, values }.by_seed()?.into_values().collect();
        match values.len() {
            found @ ..2 => Err(StatsError::TooFewSeeds { found }),
            _ => Ok(Side::Seeds(values)),
        }
    }

    /// Number of independent values it is made from.
    fn groups(&self) -> usize {
        match self {
            Side::Number(_) => usize::MAX,
            Side::Seeds(values) => values.len(),
            Side::BestOf { groups, .. } => *groups,
        }
    }

    /// Its value on one draw: of the tuning trials at `trials`, and of its own seeds.
    fn value(&self, trials: &[usize], draw: &mut Resample) -> Option<f64> {
        match self {
            Side::Number(number) => Some(*number),
            Side::Seeds(values) => {
                let picked = draw
                    .positions(values.len())
                    .into_iter()
                    .map(|seed| values[seed]);
                Some(picked.sum::<f64>() / values.len() as f64)
            }
            Side::BestOf {
                ranking, weights, ..
            } => expected(weights, &ranking.ranked(trials)),
        }
    }
}

fn finite(number: f64) -> Result<f64, String> {
    match number.is_finite() {
        true => Ok(number),
        false => Err(format!("it compares with {number}")),
    }
}

fn left_out(count: usize, what: &str) -> Option<String> {
    let plural = if count == 1 { "" } else { "s" };
    (count > 0)
        .then(|| format!("left out, without a partner in the other arm: {count} {what}{plural}"))
}

#[cfg(test)]
mod tests;
