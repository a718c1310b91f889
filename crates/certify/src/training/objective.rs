//! The loss of one step of training.

use super::{relu_balance, tightness};
use crate::attack::Pgd;
use crate::bounds::{
    Bounds, Interval, Rounding, crown_ibp, interval_forward, margins, robust_loss,
};
use crate::error::{Result, check, check_clip, check_not_negative};
use crate::graph::{Network, Statistics};
use burn::tensor::Tensor;
use offprint_kernels::{CrossEntropy, cross_entropy};
use serde::{Deserialize, Serialize};

/// What a network is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Clean samples.
    Standard,
    /// Samples that an attack found.
    Pgd,
    /// Interval margins.
    Ibp,
    /// Margins of CROWN-IBP and intervals, the latter's share growing with the radius.
    CrownIbp,
}

/// The loss of a step and what it is made of.
///
/// While the radius `ε_t` is 0 the cross-entropy is that of clean samples, later that of `−margins`, never both. With
/// regularizers, `λ (1 − ε_t / ε_max) (L_tight + L_relu)` is added as long as `ε_t < ε_max`; their bounds are those at
/// `ε_t`, at least at `least_eps`. CROWN-IBP's margins are `f` times the linear bounds plus `1 − f` times the intervals,
/// `f = (ε_max − ε_t) / ε_max`, and the intervals alone where `f < 10⁻⁵`.
///
/// Source: Shi et al., "Fast Certified Robust Training with Short Warmup", NeurIPS 2021, and its code.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// What the network is trained on.
    pub method: Method,
    /// `ε_max`.
    pub max_eps: f64,
    /// Range of the inputs, if they have one.
    pub clip: Option<[f64; 2]>,
    /// `λ`; 0 for no regularizers.
    pub lambda: f64,
    /// `τ` of the regularizers.
    pub tolerance: f64,
    /// Least radius of the regularizers' bounds.
    pub least_eps: f64,
    /// Steps of the attack.
    pub attack_steps: usize,
}

/// What a step computed.
#[derive(Clone, Debug)]
pub struct Step {
    /// `[1]`, to be minimized.
    pub loss: Tensor<1>,
    /// Of the clean batch, for [`Network::update`].
    pub statistics: Statistics,
    /// Where bounds were computed.
    pub bounds: Option<Bounds>,
}

impl Objective {
    /// The paper's method: intervals with regularizers, `λ = τ = ½`, for inputs in 0 to 1.
    pub fn fast(max_eps: f64) -> Self {
        Self {
            method: Method::Ibp,
            max_eps,
            clip: Some([0.0, 1.0]),
            lambda: 0.5,
            tolerance: 0.5,
            least_eps: 1e-6,
            attack_steps: 7,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// A radius or weight below 0, a tolerance that is not above 0, an empty range.
    pub fn validate(&self) -> Result<()> {
        check_not_negative("max_eps", self.max_eps)?;
        check_not_negative("lambda", self.lambda)?;
        check_not_negative("least_eps", self.least_eps)?;
        let positive = self.tolerance > 0.0 && self.tolerance.is_finite();
        check(
            positive,
            "tolerance",
            self.tolerance,
            "a positive finite number",
        )?;
        check(self.attack_steps > 0, "attack_steps", 0, "at least 1")?;
        check_clip(self.clip)
    }

    /// The loss of a batch at a radius; `start`, `[batch, features]` in −1 to 1, is where the attack begins, in units of the
    /// radius.
    ///
    /// # Errors
    /// Samples, labels or radius do not fit, or the network does not end with a linear layer.
    pub fn step(
        &self,
        network: &Network,
        x: Tensor<2>,
        labels: &[usize],
        eps: f64,
        start: impl FnOnce() -> Tensor<2>,
    ) -> Result<Step> {
        let clean = |x: Tensor<2>| -> Result<(Tensor<1>, Statistics)> {
            let (logits, statistics) = network.forward_training(x)?;
            network.check_labels(labels, logits.dims()[0])?;
            let targets = crate::bounds::indices(labels, &logits.device());
            let loss = cross_entropy(logits, targets, CrossEntropy::default());
            Ok((loss, statistics))
        };
        match self.method {
            Method::Standard => {
                let (loss, statistics) = clean(x)?;
                Ok(Step {
                    loss,
                    statistics,
                    bounds: None,
                })
            }
            Method::Pgd => {
                let attack = Pgd {
                    eps: self.max_eps,
                    steps: self.attack_steps,
                    // A step that reaches the whole ball from anywhere in it.
                    step_size: 2.5 * self.max_eps / self.attack_steps as f64,
                    clip: self.clip,
                };
                let found = attack.run(network, x, labels, start() * self.max_eps)?;
                let (loss, statistics) = clean(found)?;
                Ok(Step {
                    loss,
                    statistics,
                    bounds: None,
                })
            }
            Method::Ibp | Method::CrownIbp => self.bounded(network, x, labels, eps, clean),
        }
    }

    fn bounded(
        &self,
        network: &Network,
        x: Tensor<2>,
        labels: &[usize],
        eps: f64,
        clean: impl Fn(Tensor<2>) -> Result<(Tensor<1>, Statistics)>,
    ) -> Result<Step> {
        let left = match self.max_eps > 0.0 {
            true => (1.0 - eps / self.max_eps).max(0.0),
            false => 0.0,
        };
        let regularized = self.lambda > 0.0 && left > 0.0 && !network.relu_inputs().is_empty();
        let (clean_loss, statistics) = clean(x.clone())?;
        if eps == 0.0 && !regularized {
            return Ok(Step {
                loss: clean_loss,
                statistics,
                bounds: None,
            });
        }
        let radius = if eps == 0.0 { self.least_eps } else { eps };
        let input = Interval::around(x, radius, self.clip)?;
        let bounds = interval_forward(network, &input, Some(&statistics), Rounding::Nearest)?;
        let mut loss = match eps == 0.0 {
            true => clean_loss,
            false => {
                let mut lower = margins(network, &bounds, labels)?;
                if self.method == Method::CrownIbp && left >= 1e-5 {
                    let linear = crown_ibp(network, &bounds, labels, Some(&statistics))?;
                    lower = linear * left + lower * (1.0 - left);
                }
                robust_loss(network, lower, labels)?
            }
        };
        if regularized {
            let values = network.relu_inputs();
            let layers: Vec<Interval> = values
                .iter()
                .map(|&(value, _)| bounds.values[value].clone())
                .collect();
            let penalty =
                tightness(&input, &layers, self.tolerance) + relu_balance(&layers, self.tolerance);
            loss = loss + penalty * (self.lambda * left);
        }
        Ok(Step {
            loss,
            statistics,
            bounds: Some(bounds),
        })
    }
}
