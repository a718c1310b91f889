//! Initial values. Drawn at once, not at first use, so that `device.seed(..)` before `init` decides them all.

use crate::error::{Result, check};
use burn::module::Param;
use burn::tensor::{Device, Distribution, Tensor};
use serde::{Deserialize, Serialize};

/// How the weight of a layer starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Init {
    /// `U(−1/√n, 1/√n)` for weight and bias, with `n` inputs an output: PyTorch's `Linear` and `Conv2d`.
    #[default]
    FanIn,
    /// `N(0, deviation²)` for the weight, zeros for the bias.
    Normal {
        /// Standard deviation.
        deviation: f32,
    },
    /// `U(−√(6/n), √(6/n))` for the weight, with `n` inputs an output, and zeros for the bias: He et al. 2015, for ReLU.
    He,
    /// Zeros.
    Zeros,
}

impl Init {
    /// Checks the deviation.
    ///
    /// # Errors
    /// If it is not a finite number of at least 0.
    pub fn validate(self) -> Result<()> {
        match self {
            Self::Normal { deviation } => check(
                deviation >= 0.0 && deviation.is_finite(),
                "deviation",
                deviation,
                "a finite number of at least 0",
            ),
            _ => Ok(()),
        }
    }

    /// A weight of a layer with `inputs` inputs an output.
    pub fn weight<const D: usize>(
        self,
        shape: [usize; D],
        inputs: usize,
        device: &Device,
    ) -> Param<Tensor<D>> {
        let inputs = inputs as f64;
        match self {
            Self::FanIn => uniform(shape, inputs.sqrt().recip(), device),
            Self::Normal { deviation } => normal(shape, deviation, device),
            Self::He => uniform(shape, (6.0 / inputs).sqrt(), device),
            Self::Zeros => zeros(shape, device),
        }
    }

    /// The bias of a layer with `inputs` inputs an output.
    pub(crate) fn bias(self, outputs: usize, inputs: usize, device: &Device) -> Param<Tensor<1>> {
        match self {
            Self::FanIn => self.weight([outputs], inputs, device),
            _ => zeros([outputs], device),
        }
    }
}

fn uniform<const D: usize>(shape: [usize; D], limit: f64, device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::random(
        shape,
        Distribution::Uniform(-limit, limit),
        device,
    ))
}

/// `N(0, deviation²)`.
pub(crate) fn normal<const D: usize>(
    shape: [usize; D],
    deviation: f32,
    device: &Device,
) -> Param<Tensor<D>> {
    // Scaled from the standard normal: a deviation of 0 is no distribution.
    let draw = Tensor::random(shape, Distribution::Normal(0.0, 1.0), device);
    Param::from_tensor(draw * deviation)
}

/// All zero.
pub(crate) fn zeros<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::zeros(shape, device))
}

/// All one.
pub(crate) fn ones<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::ones(shape, device))
}
