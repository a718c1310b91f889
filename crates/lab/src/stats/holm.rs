//! Holm's correction for testing several claims at once.

use serde::Serialize;

/// What Holm's procedure says of one of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Adjusted p-value: the smallest `alpha` of the whole family at which this test would be rejected.
    pub p: f64,
    /// The level this test is held to on its own. After the first test that is not rejected, the level stays.
    pub level: f64,
    /// Whether it is rejected.
    pub rejected: bool,
}

/// Holm's step-down: the p-values in ascending order are held to `alpha/m`, `alpha/(m−1)`, …, until the first that
/// fails; so the chance of any false rejection is at most `alpha`, whatever the dependence.
///
/// Returns one step for each p-value, in the order given; equal p-values are taken in that order.
///
/// S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979).
pub fn holm(p: &[f64], alpha: f64) -> Vec<Step> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut steps = vec![
        Step {
            p: 1.0,
            level: alpha,
            rejected: false
        };
        p.len()
    ];
    let (mut adjusted, mut level, mut going) = (0.0_f64, alpha, true);
    for (done, &index) in order.iter().enumerate() {
        let left = (p.len() - done) as f64;
        adjusted = adjusted.max((left * p[index]).min(1.0));
        if going {
            level = alpha / left;
            going = p[index] <= level;
        }
        steps[index] = Step {
            p: adjusted,
            level,
            rejected: going,
        };
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// statsmodels 0.14: `multipletests([0.01, 0.04, 0.03, 0.005, 0.005, 0.6], 0.05, "holm")`
    #[test]
    fn six_tests() {
        let steps = holm(&[0.01, 0.04, 0.03, 0.005, 0.005, 0.6], 0.05);
        let reference = [0.04, 0.09, 0.09, 0.03, 0.03, 0.6];
        for (step, reference) in steps.iter().zip(reference) {
            assert!((step.p - reference).abs() < 1e-15, "{step:?}, {reference}");
        }
        let rejected: Vec<bool> = steps.iter().map(|step| step.rejected).collect();
        assert_eq!(rejected, [true, false, false, true, true, false]);
        // By hand: 0.05 over 4, 3, 3, 6, 5, 3 tests; the 3 stays once 0.03 > 0.05/3 has failed.
        for (step, tests) in steps.iter().zip([4.0, 3.0, 3.0, 6.0, 5.0, 3.0]) {
            assert_eq!(step.level, 0.05 / tests);
        }
    }

    #[test]
    fn one_and_none() {
        assert!(holm(&[], 0.05).is_empty());
        let alone = holm(&[0.05], 0.05);
        assert_eq!(
            alone,
            [Step {
                p: 0.05,
                level: 0.05,
                rejected: true
            }]
        );
    }

    proptest::proptest! {
        #[test]
        fn monotonic_and_between_bonferroni_and_none(
            p in proptest::collection::vec(0.0..1.0_f64, 1..12),
            alpha in 0.001..0.2_f64,
        ) {
            let (strict, loose) = (holm(&p, alpha), holm(&p, 2.0 * alpha));
            for (index, (a, b)) in strict.iter().zip(&loose).enumerate() {
                assert!(!a.rejected || b.rejected, "rejected at {alpha} only");
                assert!((p[index]..=p[index] * p.len() as f64 + 1e-12).contains(&a.p));
                assert_eq!(a.p, b.p);
                assert!(a.rejected == (p[index] <= a.level), "the level decides: {a:?}");
            }
        }
    }
}
