//! Attacks: points of a ball that a network gets wrong.

use crate::bounds::indices;
use crate::error::{CertifyError, Result, check_clip, check_not_negative};
use crate::graph::Network;
use burn::module::Module;
use burn::tensor::Tensor;
use offprint_kernels::{CrossEntropy, cross_entropy};
use serde::{Deserialize, Serialize};

/// Projected gradient ascent in the ball of `ℓ_∞`: `x ← clip(project(x + a sign(∇ cross-entropy)))`, from `clip(x + start)`.
///
/// Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pgd {
    /// Radius of the ball.
    pub eps: f64,
    /// Number of steps; 0 gives the start.
    pub steps: usize,
    /// Size `a` of a step.
    pub step_size: f64,
    /// Range of the inputs, if they have one.
    pub clip: Option<[f64; 2]>,
}

impl Pgd {
    /// Checks every setting.
    ///
    /// # Errors
    /// A radius or step below 0 or not finite, an empty range.
    pub fn validate(&self) -> Result<()> {
        check_not_negative("eps", self.eps)?;
        check_not_negative("step_size", self.step_size)?;
        check_clip(self.clip)
    }

    /// See [`pgd`].
    ///
    /// # Errors
    /// See [`pgd`].
    pub fn run(
        &self,
        network: &Network,
        x: Tensor<2>,
        labels: &[usize],
        start: Tensor<2>,
    ) -> Result<Tensor<2>> {
        pgd(network, x, labels, start, self)
    }
}

/// The points that the attack ends at, within the ball around `x`; batch norms use their running statistics.
///
/// # Shapes
/// * `x`, `start`, result: `[batch, features]`; `start` is the first displacement
///
/// # Errors
/// Settings out of range, samples or labels that do not fit.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_certify::attack::{Pgd, pgd};
/// use offprint_certify::graph::{LayerConfig, NetworkConfig};
/// # fn main() -> Result<(), offprint_certify::CertifyError> {
/// let device = Device::flex().autodiff();
/// let config = NetworkConfig { input: vec![2], layers: vec![LayerConfig::linear(3)] };
/// let x = Tensor::<2>::from_data([[0.5, 0.5]], &device);
/// let settings = Pgd { eps: 0.1, steps: 5, step_size: 0.05, clip: Some([0.0, 1.0]) };
/// let found = pgd(&config.init(&device)?, x.clone(), &[1], x.zeros_like(), &settings)?;
/// assert!((found - x).abs().max().into_scalar::<f32>() <= 0.100_001);
/// # Ok(())
/// # }
/// ```
pub fn pgd(
    network: &Network,
    x: Tensor<2>,
    labels: &[usize],
    start: Tensor<2>,
    settings: &Pgd,
) -> Result<Tensor<2>> {
    settings.validate()?;
    let x = network.rows(x)?.detach();
    network.check_labels(labels, x.dims()[0])?;
    if start.dims() != x.dims() {
        return Err(CertifyError::Input {
            actual: vec![start.dims()[1]],
            expected: network.input_shape().to_vec(),
        });
    }
    // Only the gradient of the input is wanted.
    let frozen = network.clone().no_grad();
    let targets = indices(labels, &x.device());
    let clipped = |x: Tensor<2>| match settings.clip {
        Some([low, high]) => x.clamp(low, high),
        None => x,
    };
    let (low, high) = (x.clone() - settings.eps, x.clone() + settings.eps);
    let mut point = clipped(x + start.detach());
    for _ in 0..settings.steps {
        let moving = point.clone().detach().require_grad();
        let logits = frozen.forward(moving.clone())?;
        let loss = cross_entropy(logits, targets.clone(), CrossEntropy::default());
        let mut gradients = loss.backward();
        let gradient = moving.grad_remove(&mut gradients);
        let gradient = gradient.expect("the loss depends on the input");
        let gradient = Tensor::from_inner(gradient);
        let moved = point + gradient.sign() * settings.step_size;
        point = clipped(moved.max_pair(low.clone()).min_pair(high.clone()));
    }
    Ok(point)
}
