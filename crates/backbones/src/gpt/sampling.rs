//! How the next token is chosen from its logits.

use crate::error::{Result, check, check_sizes};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Divides the logits; 0 takes the likeliest token always.
    pub temperature: f64,
    /// Only the `k` likeliest tokens.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens whose probabilities reach this sum together (Holtzman et al., "The Curious Case of Neural
    /// Text Degeneration", 2020).
    pub top_p: Option<f64>,
}

impl Default for Sampling {
    /// A draw from the model's own distribution.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: None,
            top_p: None,
        }
    }
}

impl Sampling {
    /// The likeliest token always; of equals the first.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_k: None,
        top_p: None,
    };

    /// Checks every setting.
    ///
    /// # Errors
    /// If the temperature is negative or not finite, `top_k` is 0, or `top_p` is not in `(0, 1]`.
    pub fn validate(&self) -> Result<()> {
        check(
            self.temperature >= 0.0 && self.temperature.is_finite(),
            "temperature",
            self.temperature,
            "a finite number of at least 0",
        )?;
        check_sizes([("top_k", self.top_k.unwrap_or(1))])?;
        let top_p = self.top_p.unwrap_or(1.0);
        check(
            top_p > 0.0 && top_p <= 1.0,
            "top_p",
            top_p,
            "above 0 and at most 1",
        )
    }

    /// A token: first temperature, then `top_k`, then `top_p` among what is left, then a draw.
    ///
    /// # Panics
    /// If there are no logits.
    pub fn choose(&self, logits: &[f32], rng: &mut impl Rng) -> usize {
        // Of equal logits the earlier token counts as the likelier; a logit that is not a number as the least likely.
        let rank = |token: &usize| match logits[*token] {
            logit if logit.is_nan() => f32::NEG_INFINITY,
            logit => logit,
        };
        let mut tokens: Vec<usize> = (0..logits.len()).collect();
        let likelier = |a: &usize, b: &usize| rank(b).total_cmp(&rank(a)).then(a.cmp(b));
        if self.temperature == 0.0 {
            return tokens.into_iter().min_by(likelier).expect("a logit");
        }
        if let Some(k) = self.top_k.filter(|k| *k < tokens.len()) {
            tokens.select_nth_unstable_by(k - 1, likelier);
            tokens.truncate(k);
        }
        tokens.sort_unstable_by(likelier);
        let top = f64::from(rank(&tokens[0]));
        let weight = |token: &usize| ((f64::from(rank(token)) - top) / self.temperature).exp();
        let weights: Vec<f64> = tokens.iter().map(weight).collect();
        let total: f64 = weights.iter().sum();
        let enough = total * self.top_p.unwrap_or(1.0);
        let mut sum = 0.0;
        let mut kept = 0;
        while kept < weights.len() && (kept == 0 || sum < enough) {
            sum += weights[kept];
            kept += 1;
        }
        let mut draw = rng.random::<f64>() * sum;
        for (token, weight) in tokens.iter().zip(&weights[..kept]) {
            draw -= weight;
            if draw < 0.0 {
                return *token;
            }
        }
        tokens[kept - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn shares(sampling: Sampling, logits: &[f32]) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..20_000 {
            counts[sampling.choose(logits, &mut rng)] += 1.0 / 20_000.0;
        }
        counts
    }

    fn assert_near(shares: &[f64], expected: &[f64]) {
        for (share, expected) in shares.iter().zip(expected) {
            assert!(
                (share - expected).abs() < 0.015,
                "{share}, expected {expected}"
            );
        }
    }

    fn logits() -> [f32; 4] {
        [0.15, 0.5, 0.1, 0.25].map(f32::ln)
    }

    #[test]
    fn draws_by_the_distribution() {
        assert_near(
            &shares(Sampling::default(), &logits()),
            &[0.15, 0.5, 0.1, 0.25],
        );
        // At temperature 1/2 probabilities are squared: 0.25, 0.0625, 0.0225, 0.01 of their sum 0.345.
        let cold = Sampling {
            temperature: 0.5,
            ..Sampling::default()
        };
        assert_near(&shares(cold, &logits()), &[0.065, 0.725, 0.029, 0.181]);
        let top_k = Sampling {
            top_k: Some(2),
            ..Sampling::default()
        };
        assert_near(&shares(top_k, &logits()), &[0.0, 0.667, 0.0, 0.333]);
        let top_p = Sampling {
            top_p: Some(0.8),
            ..Sampling::default()
        };
        assert_near(&shares(top_p, &logits()), &[0.167, 0.556, 0.0, 0.278]);
    }

    #[test]
    fn edges() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let tie = [1.0, 3.0, 3.0, f32::NAN];
        assert_eq!(Sampling::GREEDY.choose(&tie, &mut rng), 1);
        let first = Sampling {
            top_p: Some(1e-9),
            ..Sampling::default()
        };
        assert_eq!(first.choose(&logits(), &mut rng), 1);
        let all = Sampling {
            top_k: Some(9),
            ..Sampling::default()
        };
        assert!(all.choose(&logits(), &mut rng) < 4);
    }

    #[test]
    fn settings_out_of_range() {
        let default = Sampling::default();
        for (sampling, expected) in [
            (
                Sampling {
                    temperature: -1.0,
                    ..default
                },
                "temperature = -1, but it must be a finite number of at least 0",
            ),
            (
                Sampling {
                    top_k: Some(0),
                    ..default
                },
                "top_k = 0, but it must be at least 1",
            ),
            (
                Sampling {
                    top_p: Some(1.5),
                    ..default
                },
                "top_p = 1.5, but it must be above 0 and at most 1",
            ),
        ] {
            assert_eq!(sampling.validate().unwrap_err().to_string(), expected);
        }
    }
}
