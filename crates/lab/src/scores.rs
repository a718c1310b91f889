//! Scores that several studies report.

/// Area under the ROC curve: the share of (positive, negative) pairs in which the positive row has the higher score,
/// ties counting one half. NaN without both kinds of rows, or where a score is NaN.
///
/// ```
/// use offprint_lab::scores::auc;
/// assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), 0.75);
/// ```
pub fn auc(scores: &[f32], positive: &[bool]) -> f64 {
    if scores.iter().any(|score| score.is_nan()) {
        return f64::NAN;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let mut ranks = 0.0;
    let mut before = 0;
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        // Ranks from 1; tied rows share their mean rank.
        let rank = before as f64 + (tied.len() as f64 + 1.0) / 2.0;
        ranks += rank * tied.iter().filter(|&&row| positive[row]).count() as f64;
        before += tied.len();
    }
    let yes = positive.iter().filter(|&&p| p).count() as f64;
    let no = positive.len() as f64 - yes;
    (ranks - yes * (yes + 1.0) / 2.0) / (yes * no)
}

#[cfg(test)]
mod tests {
    use super::auc;

    /// Values of sklearn.metrics.roc_auc_score.
    #[test]
    fn known_answers() {
        let positive = [true, false, true, true, false, false, true];
        let scores = [0.2, 0.2, 0.9, -1.0, 0.0, 0.9, 0.5];
        assert!((auc(&scores, &positive) - 0.5).abs() < 1e-12);
        let scores = [3.0, 0.2, 0.9, 1.0, 0.0, 0.9, 0.5];
        assert!((auc(&scores, &positive) - 0.875).abs() < 1e-12);
        assert!(auc(&[1.0, 2.0], &[true, true]).is_nan());
        assert!(auc(&[f32::NAN, 2.0], &[true, false]).is_nan());
    }
}
