//! Smooth-step activation as a module.

use crate::error::{Result, check_positive};
use burn::config::Config;
use burn::module::Module;
use burn::tensor::Tensor;

/// Configuration of a [`SmoothStep`].
#[derive(Config, Debug)]
pub struct SmoothStepConfig {
    /// Width `γ` of the interval where the step is neither 0 nor 1.
    #[config(default = 1.0)]
    pub gamma: f64,
}

/// Smooth-step: `S(t) = -2 t³/γ³ + 3 t/(2γ) + 1/2` for `|t| < γ/2`, else 0 to the left and 1 to the right.
///
/// Its slope is exactly zero outside the interval. That makes gates sparse; it is also how a gate can die.
///
/// Source: Hazimeh et al., "The Tree Ensemble Layer", ICML 2020, equation 4.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::SmoothStepConfig;
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let step = SmoothStepConfig::new().with_gamma(2.0).init()?;
/// let s = step.forward(Tensor::<1>::from_data([-1.0, 0.0, 1.0], &Device::flex()));
/// assert_eq!(s.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.5, 1.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct SmoothStep {
    /// Width of the interval.
    pub gamma: f64,
}

impl SmoothStepConfig {
    /// Checks the width.
    ///
    /// # Errors
    /// If `gamma` is not a positive finite number.
    pub fn validate(&self) -> Result<()> {
        check_positive("gamma", self.gamma)
    }

    /// The activation.
    ///
    /// # Errors
    /// As [`SmoothStepConfig::validate`].
    pub fn init(&self) -> Result<SmoothStep> {
        self.validate()?;
        Ok(SmoothStep { gamma: self.gamma })
    }
}

impl SmoothStep {
    /// `S(t)` of each element.
    ///
    /// # Shapes
    /// * `t`: any
    /// * result: the same
    pub fn forward<const D: usize>(&self, t: Tensor<D>) -> Tensor<D> {
        offprint_kernels::smooth_step(t, self.gamma as f32)
    }
}
