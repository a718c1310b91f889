//! How step sizes follow the step.

/// Share of the steps in which the step size rises.
const WARMUP: f64 = 0.1;

/// The step size of a step, the first being 1, of `steps`: in the first tenth it rises in a line to `peak`, then it goes
/// down as half a cosine, which would be zero one step after the last.
pub fn warmup_cosine(peak: f64, step: u64, steps: u64) -> f64 {
    let (step, steps) = (step as f64, steps as f64);
    let warmup = (WARMUP * steps).ceil();
    if step <= warmup {
        return peak * step / warmup;
    }
    let done = (step - warmup) / (steps - warmup + 1.0);
    peak * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

#[cfg(test)]
mod tests {
    use super::warmup_cosine;

    #[test]
    fn up_in_a_line_and_down_as_a_cosine() {
        let rates: Vec<f64> = (1..=20).map(|step| warmup_cosine(4.0, step, 20)).collect();
        assert_eq!(rates[..2], [2.0, 4.0]);
        assert!(rates[1..].windows(2).all(|pair| pair[1] < pair[0]));
        // Step 11.5 of 2 to 21 is half way.
        assert!((rates[10] + rates[11] - 4.0).abs() < 1e-12);
        assert!(rates[19] > 0.0 && rates[19] < 0.03);
        assert_eq!(warmup_cosine(1.0, 1, 1), 1.0);
    }
}
