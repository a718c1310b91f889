//! Policy gradients with verifiable rewards: group-relative advantages and the clipped objective.

use crate::error::{LanguageError, Result};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Group relative policy optimization (GRPO).
///
/// Of each prompt a group of answers is sampled; an answer's advantage is its reward relative to its group. With
/// `q = exp(ln π − ln π_old)` of each token,
///
/// `loss = −Σ m [min(q A, clip(q, 1 ± clip) A) − kl (exp(ln π_ref − ln π) − (ln π_ref − ln π) − 1)] / Σ m`.
///
/// At the sampling policy (`π = π_old`) without a KL term its gradient is that of REINFORCE with the group's mean as the
/// baseline.
///
/// Source: Shao et al., "DeepSeekMath", arXiv 2402.03300, 2024, equations 3 and 4, averaged over all tokens; REINFORCE:
/// Williams 1992.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_language::policy::Grpo;
/// # fn main() -> offprint_language::Result<()> {
/// let device = Device::flex();
/// let grpo = Grpo::default();
/// // Two answers of one token to one prompt, the first right.
/// let advantages = grpo.advantages(Tensor::<2>::from_data([[1.0, 0.0]], &device));
/// let log_probs = Tensor::<3>::from_data([[[-0.7], [-0.7]]], &device);
/// let mask = Tensor::ones([1, 2, 1], &device);
/// let loss = grpo.loss(log_probs.clone(), log_probs, None, mask, advantages)?;
/// assert!(loss.into_scalar::<f32>().abs() < 1e-6); // its gradient is not zero
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grpo {
    /// Farthest that `q` counts from 1.
    pub clip: f64,
    /// Weight of the divergence from the reference policy.
    pub kl: f64,
    /// Whether advantages are divided by the group's standard deviation.
    pub normalize: bool,
}

impl Default for Grpo {
    fn default() -> Self {
        Self {
            clip: 0.2,
            kl: 0.0,
            normalize: true,
        }
    }
}

/// Keeps a group of equal rewards from dividing by zero.
const EPSILON: f64 = 1e-4;

impl Grpo {
    /// Checks every setting.
    ///
    /// # Errors
    /// Which one is out of range.
    pub fn validate(&self) -> Result<()> {
        let range = |name, value: f64, allowed| {
            let value = value.to_string();
            Err(LanguageError::Range {
                name,
                value,
                allowed,
            })
        };
        if !(self.clip > 0.0 && self.clip < 1.0) {
            return range("clip", self.clip, "above 0 and below 1");
        }
        if !(self.kl >= 0.0 && self.kl.is_finite()) {
            return range("kl", self.kl, "a finite number of at least 0");
        }
        Ok(())
    }

    /// Advantages of rewards: less their group's mean, over their group's standard deviation (of the population, plus
    /// 1e-4) where the settings say so.
    ///
    /// # Shapes
    /// * `rewards`: `[groups, answers]`
    /// * result: `[groups, answers]`
    pub fn advantages(&self, rewards: Tensor<2>) -> Tensor<2> {
        let centered = rewards.clone() - rewards.mean_dim(1);
        if !self.normalize {
            return centered;
        }
        let deviation = centered.clone().powi_scalar(2).mean_dim(1).sqrt();
        centered / (deviation + EPSILON)
    }

    /// The loss.
    ///
    /// # Shapes
    /// * `log_probs`, `old`, `reference`: `[groups, answers, tokens]`, ln π of each sampled token
    /// * `mask`: the same, 1 where a token counts and 0 after the end
    /// * `advantages`: `[groups, answers]`
    /// * result: `[1]`
    ///
    /// # Errors
    /// A setting is out of range or shapes do not fit together; a weight for the divergence without a reference.
    pub fn loss(
        &self,
        log_probs: Tensor<3>,
        old: Tensor<3>,
        reference: Option<Tensor<3>>,
        mask: Tensor<3>,
        advantages: Tensor<2>,
    ) -> Result<Tensor<1>> {
        self.validate()?;
        let [groups, answers, tokens] = log_probs.dims();
        let shapes = [
            ("old", old.dims().to_vec()),
            ("mask", mask.dims().to_vec()),
            (
                "reference",
                reference.as_ref().unwrap_or(&old).dims().to_vec(),
            ),
        ];
        for (name, actual) in shapes {
            let expected = vec![groups, answers, tokens];
            if actual != expected {
                return Err(LanguageError::Shape {
                    name,
                    actual,
                    expected,
                });
            }
        }
        if advantages.dims() != [groups, answers] {
            let (actual, expected) = (advantages.dims().to_vec(), vec![groups, answers]);
            return Err(LanguageError::Shape {
                name: "advantages",
                actual,
                expected,
            });
        }
        if self.kl > 0.0 && reference.is_none() {
            return Err(LanguageError::Empty("reference for the divergence"));
        }
        let advantages = advantages.reshape([groups, answers, 1]);
        let ratio = (log_probs.clone() - old).exp();
        let clipped = ratio.clone().clamp(1.0 - self.clip, 1.0 + self.clip) * advantages.clone();
        let free = ratio * advantages;
        let lower = free.clone().greater(clipped.clone());
        let mut objective = free.mask_where(lower, clipped);
        if let (Some(reference), true) = (reference, self.kl > 0.0) {
            let difference = reference - log_probs;
            let divergence = difference.clone().exp() - difference - 1.0;
            objective = objective - divergence * self.kl;
        }
        let count = mask.clone().sum().clamp_min(1.0);
        Ok(-(objective * mask).sum() / count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn device() -> Device {
        Device::flex().autodiff()
    }

    #[test]
    fn at_the_sampling_policy_it_is_reinforce_with_a_baseline() {
        let device = device();
        let grpo = Grpo {
            normalize: false,
            ..Grpo::default()
        };
        let x = Tensor::<3>::from_data([[[-0.5, -1.0], [-2.0, -0.1]]], &device).require_grad();
        let rewards = Tensor::<2>::from_data([[1.0, 0.0]], &device);
        let advantages = grpo.advantages(rewards);
        let mask = Tensor::ones([1, 2, 2], &device);
        let old = x.clone().detach();
        let loss = grpo.loss(x.clone(), old, None, mask, advantages).unwrap();
        let gradient = x.grad(&loss.backward()).unwrap();
        let gradient: Vec<f32> = gradient.into_data().iter::<f32>().collect();
        // −A/4 of each of the four tokens, A = ±1/2.
        for (ours, expected) in gradient.iter().zip([-0.125, -0.125, 0.125, 0.125]) {
            assert!((ours - expected).abs() < 1e-6, "{gradient:?}");
        }
    }

    #[test]
    fn equal_rewards_teach_nothing() {
        let device = device();
        let advantages = Grpo::default().advantages(Tensor::<2>::ones([2, 3], &device));
        assert_eq!(advantages.abs().max().into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn settings_and_shapes_are_checked() {
        let device = device();
        let zeros = |shape: [usize; 3]| Tensor::<3>::zeros(shape, &device);
        let advantages = Tensor::<2>::zeros([1, 2], &device);
        let of = |grpo: Grpo, old: [usize; 3]| {
            let result = grpo.loss(
                zeros([1, 2, 3]),
                zeros(old),
                None,
                zeros([1, 2, 3]),
                advantages.clone(),
            );
            result.unwrap_err().to_string()
        };
        let grpo = Grpo::default();
        assert_eq!(
            of(grpo, [1, 2, 2]),
            "old has shape [1, 2, 2], but [1, 2, 3] is expected"
        );
        let clip = Grpo { clip: 1.0, ..grpo };
        assert_eq!(
            of(clip, [1, 2, 3]),
            "clip = 1, but it must be above 0 and below 1"
        );
        let kl = Grpo {
            kl: f64::NAN,
            ..grpo
        };
        assert!(of(kl, [1, 2, 3]).starts_with("kl = NaN"));
        let kl = Grpo { kl: 0.1, ..grpo };
        assert_eq!(of(kl, [1, 2, 3]), "no reference for the divergence");
    }
}
