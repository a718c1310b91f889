//! Student's t distribution, and how many seeds it would take.

use super::comparison::EXACT_FROM;
use statrs::function::beta::{beta_reg, inv_beta_reg};

/// The largest answer of [`seeds_to_decide`].
pub const MOST_SEEDS: usize = 1000;

/// Upper tail `P(T > t)` of Student's t with `freedom` ≥ 1 degrees of freedom.
///
/// With `h = ν/(ν + t²)`, half the regularized incomplete beta function `I_h(ν/2, 1/2)` for t ≥ 0, by symmetry below.
/// 1 for a t that is not a number, which supports nothing.
pub fn student_tail(t: f64, freedom: usize) -> f64 {
    if t.is_nan() {
        return 1.0;
    }
    let freedom = freedom as f64;
    let tail = 0.5 * beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    if t >= 0.0 { tail } else { 1.0 - tail }
}

/// The `t ≥ 0` with `P(T > t) = alpha` for Student's t with `freedom` ≥ 1 degrees of freedom.
///
/// Infinite for `alpha ≤ 0`, zero for `alpha ≥ 1/2`.
pub fn student_quantile(alpha: f64, freedom: usize) -> f64 {
    if alpha <= 0.0 {
        return f64::INFINITY;
    }
    let freedom = freedom as f64;
    let h = inv_beta_reg(freedom / 2.0, 0.5, (2.0 * alpha).min(1.0));
    (freedom * (1.0 - h) / h).sqrt()
}

/// The fewest seeds with which the interval would leave `threshold` out, if the `effect` and the standard deviation
/// `sd` of the differences stay what they are now.
///
/// The smallest n ≥ 2 with `t(alpha, n−1) sd/√n < |effect − threshold|`; from [`EXACT_FROM`] seeds on also
/// `2⁻ⁿ ≤ alpha`, below which no sign-flip test decides. `None` above [`MOST_SEEDS`].
pub fn seeds_to_decide(effect: f64, sd: f64, threshold: f64, alpha: f64) -> Option<usize> {
    let distance = (effect - threshold).abs();
    (2..=MOST_SEEDS).find(|&n| {
        let half = match sd {
            0.0 => 0.0,
            _ => student_quantile(alpha, n - 1) * sd / (n as f64).sqrt(),
        };
        half < distance && (n < EXACT_FROM || 0.5_f64.powi(n as i32) <= alpha)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `st.t.isf(alpha, freedom)`
    #[test]
    fn quantiles() {
        for (alpha, freedom, reference) in [
            (0.05, 1, 6.313751514675044),
            (0.025, 4, 2.7764451051977943),
            (0.05 / 6.0, 7, 3.127552274246369),
            (0.0025, 19, 3.173724530792316),
            (1e-6, 3, 103.29946778041935),
            (0.05, 999, 1.6463803454275354),
            (0.4, 2, 0.2886751345948128),
            (1e-4, 1, 3183.0987571181513),
        ] {
            let ours = student_quantile(alpha, freedom);
            assert!(
                (ours / reference - 1.0).abs() < 1e-11,
                "t({alpha}, {freedom}) = {ours}, scipy {reference}"
            );
        }
        assert_eq!(student_quantile(0.0, 3), f64::INFINITY);
        assert_eq!(student_quantile(0.5, 3), 0.0);
        assert_eq!(student_quantile(0.7, 3), 0.0);
    }

    /// scipy 1.17.1: `st.t.sf(t, freedom)`
    #[test]
    fn tails() {
        for (t, freedom, reference) in [
            (0.0, 3, 0.5),
            (1.5, 1, 0.18716704181099886),
            (-2.5, 6, 0.9767358838579163),
            (12.0, 4, 0.0001382142742514865),
            (0.1, 999, 0.4601821945423556),
            (40.0, 2, 0.0003122073360923703),
        ] {
            let ours = student_tail(t, freedom);
            assert!(
                (ours / reference - 1.0).abs() < 1e-11,
                "sf({t}, {freedom}) = {ours}, scipy {reference}"
            );
        }
        assert_eq!(student_tail(f64::INFINITY, 4), 0.0);
        assert_eq!(student_tail(f64::NAN, 4), 1.0);
        assert_eq!(student_tail(f64::NEG_INFINITY, 4), 1.0);
    }

    /// scipy 1.17.1: `next(n for n in range(2, 1001) if st.t.isf(alpha, n-1) * sd / np.sqrt(n) < abs(effect))`
    #[test]
    fn seeds() {
        let level = 0.05 / 6.0;
        assert_eq!(seeds_to_decide(-0.006, 0.02, 0.0, 0.05), Some(32));
        assert_eq!(seeds_to_decide(0.5, 1.0, 0.0, 0.05), Some(13));
        assert_eq!(seeds_to_decide(-0.04, 0.03, 0.0, level), Some(7));
        assert_eq!(seeds_to_decide(-0.04, 0.005, 0.0, level), Some(3));
        assert_eq!(seeds_to_decide(0.02, 0.4, 0.0, 0.05), None);
        assert_eq!(seeds_to_decide(0.1, 0.4, 0.1, 0.05), None);
        assert_eq!(seeds_to_decide(0.1, 0.0, 0.0, 0.05), Some(2));
        assert_eq!(seeds_to_decide(0.1, 0.0, 0.1, 0.05), None);
        // At this level no 8 to 9 signs can reach 0.001; ten can.
        assert_eq!(seeds_to_decide(1.0, 0.6, 0.0, 0.001), Some(10));
    }
}
