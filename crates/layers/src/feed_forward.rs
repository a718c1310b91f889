//! Feed-forward networks of a transformer block.

use crate::error::{LayersError, Result, check_sizes};
use crate::init::Init;
use crate::linear::{Linear, LinearConfig, yes};
use crate::quantizer::Quantizer;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use offprint_kernels::Activation;
use serde::{Deserialize, Serialize};

/// Configuration of a [`FeedForward`] or a [`GatedFeedForward`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedForwardConfig {
    /// Width of input and output.
    pub width: usize,
    /// Width between.
    pub hidden: usize,
    /// The function between.
    pub activation: Activation,
    /// Whether the linear layers have biases.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Initial values.
    #[serde(default)]
    pub init: Init,
    /// Initial values of the layer that writes to the output.
    #[serde(default)]
    pub output_init: Init,
    /// What the weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

/// `f(x W₁ + b₁) W₂ + b₂`.
///
/// Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.3.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `[width, hidden]`.
    pub up: Linear,
    /// `[hidden, width]`.
    pub down: Linear,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

/// `(f(x W) ⊙ x V) U`: SwiGLU with `f = SiLU`.
///
/// Source: Shazeer, "GLU Variants Improve Transformer", 2020.
#[derive(Module, Debug)]
pub struct GatedFeedForward {
    /// `W`, `[width, hidden]`.
    pub gate: Linear,
    /// `V`, `[width, hidden]`.
    pub up: Linear,
    /// `U`, `[hidden, width]`.
    pub down: Linear,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

impl FeedForwardConfig {
    /// With biases and PyTorch's initial values, not quantized.
    pub fn new(width: usize, hidden: usize, activation: Activation) -> Self {
        Self {
            width,
            hidden,
            activation,
            bias: true,
            init: Init::default(),
            output_init: Init::default(),
            quantizer: Quantizer::default(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a width is 0, or initial values or quantizer are out of range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("width", self.width), ("hidden", self.hidden)])?;
        self.init.validate()?;
        self.output_init.validate()?;
        self.quantizer.validate()
    }

    /// The plain network with initial parameters.
    ///
    /// # Errors
    /// As [`FeedForwardConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<FeedForward> {
        self.validate()?;
        Ok(FeedForward {
            up: self.inner().init(device)?,
            down: self.outer().init(device)?,
            activation: self.activation,
        })
    }

    /// The gated network with initial parameters.
    ///
    /// # Errors
    /// As [`FeedForwardConfig::validate`].
    pub fn init_gated(&self, device: &Device) -> Result<GatedFeedForward> {
        self.validate()?;
        Ok(GatedFeedForward {
            gate: self.inner().init(device)?,
            up: self.inner().init(device)?,
            down: self.outer().init(device)?,
            activation: self.activation,
        })
    }

    fn inner(&self) -> LinearConfig {
        LinearConfig {
            input: self.width,
            output: self.hidden,
            bias: self.bias,
            init: self.init,
            quantizer: self.quantizer,
        }
    }

    fn outer(&self) -> LinearConfig {
        LinearConfig {
            input: self.hidden,
            output: self.width,
            init: self.output_init,
            ..self.inner()
        }
    }
}

impl FeedForward {
    /// The network, row by row.
    ///
    /// # Shapes
    /// * `x`, result: `[…, width]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.down.forward(self.up.activated(x, self.activation))
    }

    /// Number of neurons, the width between.
    pub fn neurons(&self) -> usize {
        self.up.weight.dims()[1]
    }

    /// The network of some of the neurons, in the given order, with the whole output bias.
    ///
    /// # Errors
    /// If no neuron is named, or one that does not exist.
    pub fn part(&self, neurons: &[usize]) -> Result<Self> {
        check_sizes([("neurons of a part", neurons.len())])?;
        let all = self.neurons();
        if let Some(unknown) = neurons.iter().find(|&&neuron| neuron >= all) {
            return Err(LayersError::Neuron {
                neuron: *unknown,
                neurons: all,
            });
        }
        let device = self.up.weight.val().device();
        let chosen: Vec<i64> = neurons.iter().map(|&neuron| neuron as i64).collect();
        let chosen = Tensor::<1, Int>::from_data(TensorData::new(chosen, [neurons.len()]), &device);
        let fresh = |weight: Tensor<2>| Param::from_tensor(weight.detach());
        let bias = |bias: Tensor<1>| Param::from_tensor(bias.detach());
        Ok(Self {
            up: Linear {
                weight: fresh(self.up.weight.val().select(1, chosen.clone())),
                bias: (self.up.bias.as_ref()).map(|b| bias(b.val().select(0, chosen.clone()))),
                quantizer: self.up.quantizer,
            },
            down: Linear {
                weight: fresh(self.down.weight.val().select(0, chosen)),
                bias: self.down.bias.as_ref().map(|b| bias(b.val())),
                quantizer: self.down.quantizer,
            },
            activation: self.activation,
        })
    }
}

impl GatedFeedForward {
    /// The network, row by row.
    ///
    /// # Shapes
    /// * `x`, result: `[…, width]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let gate = self.gate.activated(x.clone(), self.activation);
        self.down.forward(gate * self.up.forward(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, assert_values, device, tensor, values};

    fn linear(weight: [[f32; 2]; 2]) -> Linear {
        Linear {
            weight: Param::from_data(weight, &device()),
            bias: None,
            quantizer: Quantizer::None,
        }
    }

    /// Expected by hand: gate (3, −1) becomes (3, 0) by ReLU, times (1, 2) is (3, 0).
    #[test]
    fn gated() {
        let layer = GatedFeedForward {
            gate: linear([[1.0, 1.0], [1.0, -1.0]]),
            up: linear([[1.0, 0.0], [0.0, 1.0]]),
            down: linear([[2.0, 0.5], [7.0, 7.0]]),
            activation: Activation::Relu,
        };
        let x = Tensor::<2>::from_data([[1.0, 2.0]], &device());
        assert_values(layer.forward(x), &[6.0, 1.5]);
    }

    #[test]
    fn every_parameter_learns() {
        let config = FeedForwardConfig::new(6, 10, Activation::GeluTanh);
        let x = || tensor([2, 3, 6], 1);
        let layer = config.init(&device()).unwrap();
        assert_all_learn(&layer, &layer.forward(x()).sum().backward());
        let layer = config.init_gated(&device()).unwrap();
        assert_all_learn(&layer, &layer.forward(x()).sum().backward());
    }

    #[test]
    fn parts_add_up_to_the_network() {
        let config = FeedForwardConfig::new(4, 7, Activation::GeluTanh);
        let network = config.init(&device()).unwrap();
        let x = tensor([5, 4], 1);
        let halves = [[3, 0, 6].as_slice(), &[1, 5, 2, 4]];
        let [first, second] = halves.map(|part| network.part(part).unwrap().forward(x.clone()));
        // The output bias is in both.
        let bias = network.down.bias.as_ref().unwrap().val().unsqueeze::<2>();
        assert_values(first + second - bias, &values(network.forward(x)));
        let error = |part: &[usize]| network.part(part).unwrap_err().to_string();
        assert_eq!(error(&[7]), "neuron 7 is outside the 7 neurons");
        assert_eq!(
            error(&[]),
            "neurons of a part = 0, but it must be at least 1"
        );
    }

    #[test]
    fn settings_out_of_range() {
        let error = FeedForwardConfig::new(6, 0, Activation::Relu).validate();
        assert_eq!(
            error.unwrap_err().to_string(),
            "hidden = 0, but it must be at least 1"
        );
    }
}
