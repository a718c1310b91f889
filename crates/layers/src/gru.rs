//! Gated recurrent unit.

use crate::error::{Result, check_sizes};
use crate::init::Init;
use crate::linear::Linear;
use crate::quantizer::Quantizer;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_kernels::gru;
use serde::{Deserialize, Serialize};

/// Configuration of a [`Gru`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GruConfig {
    /// Width of the input.
    pub input: usize,
    /// Width of the hidden state.
    pub hidden: usize,
}

/// Gated recurrent unit that starts at zero:
/// `r = σ(x W_r + b_r + h U_r + v_r)`, `z = σ(x W_z + b_z + h U_z + v_z)`,
/// `n = tanh(x W_n + b_n + r (h U_n + v_n))`, `h ← (1 − z) n + z h`.
///
/// Source: Cho et al., arXiv:1406.1078, with the reset gate after the product, as in cuDNN and PyTorch.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::GruConfig;
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let gru = GruConfig::new(3, 8).init(&device)?;
/// assert_eq!(gru.forward(Tensor::ones([2, 5, 3], &device)).dims(), [2, 5, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Gru {
    /// `W` and `b`, `[input, 3 hidden]`: gates `r`, `z`, `n` side by side.
    pub input: Linear,
    /// `U` and `v`, `[hidden, 3 hidden]`.
    pub recurrent: Linear,
}

impl GruConfig {
    /// A unit of these widths.
    pub fn new(input: usize, hidden: usize) -> Self {
        Self { input, hidden }
    }

    /// Checks both widths.
    ///
    /// # Errors
    /// If one is 0.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("input", self.input), ("hidden", self.hidden)])
    }

    /// A unit with initial parameters, all `U(−1/√hidden, 1/√hidden)` as in PyTorch.
    ///
    /// # Errors
    /// As [`GruConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Gru> {
        self.validate()?;
        let linear = |input| Linear {
            weight: Init::FanIn.weight([input, 3 * self.hidden], self.hidden, device),
            bias: Some(Init::FanIn.bias(3 * self.hidden, self.hidden, device)),
            quantizer: Quantizer::default(),
        };
        Ok(Gru {
            input: linear(self.input),
            recurrent: linear(self.hidden),
        })
    }
}

impl Gru {
    /// The hidden state after every step.
    ///
    /// # Shapes
    /// * `x`: `[batch, steps, input]`
    /// * result: `[batch, steps, hidden]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let gates = self.input.forward(x);
        let weight = self.recurrent.weight.val();
        let bias = match &self.recurrent.bias {
            Some(bias) => bias.val(),
            None => Tensor::zeros([weight.dims()[1]], &weight.device()),
        };
        gru(gates, weight, bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, device, tensor};

    #[test]
    fn every_parameter_learns() {
        let gru = GruConfig::new(3, 4).init(&device()).unwrap();
        let h = gru.forward(tensor([2, 6, 3], 1));
        assert_all_learn(&gru, &h.square().sum().backward());
    }

    /// A step does not see later inputs, and states stay within (−1, 1).
    #[test]
    fn causal_and_bounded() {
        let gru = GruConfig::new(2, 5).init(&device()).unwrap();
        let x = tensor([1, 8, 2], 2) * 30.0;
        let whole = gru.forward(x.clone());
        let start = gru.forward(x.narrow(1, 0, 3));
        let values = |h: Tensor<3>| h.into_data().iter::<f32>().collect::<Vec<_>>();
        assert_eq!(values(whole.clone().narrow(1, 0, 3)), values(start));
        assert!(values(whole).iter().all(|h| h.abs() <= 1.0));
    }

    #[test]
    fn settings_out_of_range() {
        let error = GruConfig::new(2, 0).init(&device()).unwrap_err();
        assert_eq!(error.to_string(), "hidden = 0, but it must be at least 1");
    }
}
