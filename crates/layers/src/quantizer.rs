//! The quantizer slot: what a layer's weight goes through before it is used.

use crate::error::{Result, check};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How weights are quantized in training.
///
/// In TOML: `quantizer = "none"` or `quantizer = { uniform = { bits = 4 } }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Quantizer {
    /// Weights as they are.
    #[default]
    None,
    /// Symmetric uniform fake quantization, a step for each output: `s_j round(w_ij / s_j)` with
    /// `s_j = max_i |w_ij| / (2^(bits−1) − 1)`. The gradient passes straight through (Bengio, Léonard and Courville,
    /// "Estimating or Propagating Gradients Through Stochastic Neurons", 2013).
    Uniform {
        /// Bits of a weight, 2 to 16.
        bits: u32,
    },
}

impl Quantizer {
    /// Checks the number of bits.
    ///
    /// # Errors
    /// If it is not in 2..=16.
    pub fn validate(self) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Uniform { bits } => {
                check((2..=16).contains(&bits), "bits", bits, "between 2 and 16")
            }
        }
    }

    /// The quantized weight.
    ///
    /// # Shapes
    /// * `weight`, result: `[inputs, outputs]` if `outputs_axis` is 1, `[outputs, inputs]` if it is 0
    pub fn quantize(self, weight: Tensor<2>, outputs_axis: usize) -> Tensor<2> {
        let Self::Uniform { bits } = self else {
            return weight;
        };
        let levels = ((1_u32 << (bits - 1)) - 1) as f32;
        let plain = weight.clone().detach();
        let largest = plain.clone().abs().max_dim(1 - outputs_axis);
        // A column of zeros stays one: any step does.
        let step = largest.clone().mask_fill(largest.equal_elem(0.0), 1.0) / levels;
        let quantized = (plain.clone() / step.clone()).round() * step;
        weight + (quantized - plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_values, device};

    /// Expected by hand: the first column's step is 3/3 = 1, the second's 6/3 = 2.
    #[test]
    fn a_step_for_each_output() {
        let weight = Tensor::from_data([[3.0, -6.0], [1.4, 2.9], [-0.6, 5.1]], &device());
        let quantizer = Quantizer::Uniform { bits: 3 };
        let expected = [3.0, -6.0, 1.0, 2.0, -1.0, 6.0];
        assert_values(quantizer.quantize(weight.clone(), 1), &expected);
        let turned = quantizer.quantize(weight.transpose(), 0).transpose();
        assert_values(turned, &expected);
    }

    #[test]
    fn zeros_stay_zeros() {
        let weight = Tensor::zeros([2, 3], &device());
        assert_values(
            Quantizer::Uniform { bits: 2 }.quantize(weight, 1),
            &[0.0; 6],
        );
    }

    #[test]
    fn the_gradient_passes_straight_through() {
        let device = device();
        let weight = Tensor::<2>::from_data([[0.3, -0.7]], &device).require_grad();
        let factor = Tensor::from_data([[2.0, -3.0]], &device);
        let grads = (Quantizer::Uniform { bits: 2 }.quantize(weight.clone(), 1) * factor)
            .sum()
            .backward();
        let gradient = weight.grad(&grads).unwrap().into_data();
        assert_eq!(gradient.try_to_vec::<f32>().unwrap(), [2.0, -3.0]);
    }

    #[test]
    fn sixteen_bits_change_little() {
        let weight = Tensor::from_data([[0.3, -0.7], [0.11, 0.2]], &device());
        let quantized = Quantizer::Uniform { bits: 16 }.quantize(weight.clone(), 1);
        let error = (quantized - weight).abs().max().into_scalar::<f32>();
        assert!(error <= 0.5 * 0.7 / 32767.0 * 1.01, "{error}");
    }

    #[test]
    fn bits_out_of_range() {
        for bits in [0, 1, 17] {
            let error = Quantizer::Uniform { bits }.validate().unwrap_err();
            let expected = format!("bits = {bits}, but it must be between 2 and 16");
            assert_eq!(error.to_string(), expected);
        }
    }
}
