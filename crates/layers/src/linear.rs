//! Linear layer.

use crate::error::{Result, check_sizes};
use crate::init::Init;
use crate::quantizer::Quantizer;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_kernels::{Activation, linear};
use serde::{Deserialize, Serialize};

/// Configuration of a [`Linear`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearConfig {
    /// Width of the input.
    pub input: usize,
    /// Width of the output.
    pub output: usize,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Initial values.
    #[serde(default)]
    pub init: Init,
    /// What the weight goes through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

pub(crate) fn yes() -> bool {
    true
}

/// `y = x Q(W) + b`, with a quantizer `Q`, and an activation in the same pass.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::LinearConfig;
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let layer = LinearConfig::new(3, 2).init(&device)?;
/// assert_eq!(layer.forward(Tensor::<2>::ones([5, 3], &device)).dims(), [5, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Linear {
    /// `[input, output]`.
    pub weight: Param<Tensor<2>>,
    /// `[output]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// What the weight goes through.
    #[module(skip)]
    pub quantizer: Quantizer,
}

impl LinearConfig {
    /// With a bias, PyTorch's initial values, not quantized.
    pub fn new(input: usize, output: usize) -> Self {
        Self {
            input,
            output,
            bias: true,
            init: Init::default(),
            quantizer: Quantizer::default(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a width is 0, or initial values or quantizer are out of range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("input", self.input), ("output", self.output)])?;
        self.init.validate()?;
        self.quantizer.validate()
    }

    /// A layer with initial parameters.
    ///
    /// # Errors
    /// As [`LinearConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Linear> {
        self.validate()?;
        let Self { input, output, .. } = *self;
        Ok(Linear {
            weight: self.init.weight([input, output], input, device),
            bias: self.bias.then(|| self.init.bias(output, input, device)),
            quantizer: self.quantizer,
        })
    }
}

impl Linear {
    /// `x Q(W) + b`.
    ///
    /// # Shapes
    /// * `x`: `[…, input]`
    /// * result: `[…, output]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.activated(x, Activation::Identity)
    }

    /// `f(x Q(W) + b)`, shapes as in [`Linear::forward`].
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn activated<const D: usize>(&self, x: Tensor<D>, f: Activation) -> Tensor<D> {
        let weight = self.quantizer.quantize(self.weight.val(), 1);
        linear(x, weight, self.bias.as_ref().map(Param::val), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, assert_values, device, tensor, values};

    /// Expected by hand, the weight rounded to steps of 1 and 2.
    #[test]
    fn quantized_and_activated() {
        let device = device();
        let layer = Linear {
            weight: Param::from_data([[3.0, -6.0], [1.4, 2.9]], &device),
            bias: Some(Param::from_data([0.5, -1.0], &device)),
            quantizer: Quantizer::Uniform { bits: 3 },
        };
        let x = Tensor::<2>::from_data([[1.0, 2.0]], &device);
        assert_values(layer.forward(x.clone()), &[5.5, -3.0]);
        assert_values(layer.activated(x, Activation::Relu), &[5.5, 0.0]);
    }

    #[test]
    fn starts_like_pytorch_and_learns() {
        let layer = LinearConfig::new(16, 40).init(&device()).unwrap();
        let weight = values(layer.weight.val());
        assert!(weight.iter().all(|w| w.abs() <= 0.25));
        assert!(weight.iter().any(|w| *w > 0.2) && weight.iter().any(|w| *w < -0.2));
        assert!(
            values(layer.bias.as_ref().unwrap().val())
                .iter()
                .any(|b| b.abs() > 0.1)
        );
        let grads = layer.forward(tensor([2, 3, 16], 1)).sum().backward();
        assert_all_learn(&layer, &grads);
    }

    #[test]
    fn from_toml() {
        let text = "input = 3\noutput = 2\nquantizer = { uniform = { bits = 4 } }";
        let config: LinearConfig = toml::from_str(text).unwrap();
        let quantizer = Quantizer::Uniform { bits: 4 };
        assert_eq!(
            config,
            LinearConfig {
                quantizer,
                ..LinearConfig::new(3, 2)
            }
        );
        let error = toml::from_str::<LinearConfig>("input = 3\noutput = 2\nbais = true");
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("unknown field `bais`")
        );
        let error = LinearConfig::new(0, 2).validate().unwrap_err();
        assert_eq!(error.to_string(), "input = 0, but it must be at least 1");
    }
}
