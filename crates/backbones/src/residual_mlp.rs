//! Residual network of dense layers.

use crate::error::{Result, check_sizes};
use crate::mlp::relu;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_kernels::{Activation, activate};
use offprint_layers::{Linear, LinearConfig};
use serde::{Deserialize, Serialize};

/// Configuration of a [`ResidualMlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidualMlpConfig {
    /// Width of a row.
    pub input: usize,
    /// Width of the answer.
    pub output: usize,
    /// Width between.
    pub width: usize,
    /// Number of residual blocks.
    pub blocks: usize,
    /// `f`.
    #[serde(default = "relu")]
    pub activation: Activation,
}

/// `h = f(x W + b)`; in each block `h ← f(h + f(h W₁ + b₁) W₂ + b₂)`; `y = h W + b`.
///
/// Source: the `ResNet` of DeepXDE, the baseline of Lu et al., arXiv:1910.03193, after He et al., arXiv:1512.03385.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_backbones::ResidualMlpConfig;
/// # fn main() -> Result<(), offprint_backbones::BackbonesError> {
/// let device = Device::flex();
/// let net = ResidualMlpConfig::new(16, 32, 2, 1).init(&device)?; // 2 blocks of width 32
/// assert_eq!(net.forward(Tensor::ones([5, 16], &device)).dims(), [5, 1]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct ResidualMlp {
    /// Into the width between.
    pub first: Linear,
    /// Two layers a block.
    pub blocks: Vec<[Linear; 2]>,
    /// The layer of the answer.
    pub head: Linear,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

impl ResidualMlpConfig {
    /// With ReLU.
    pub fn new(input: usize, width: usize, blocks: usize, output: usize) -> Self {
        Self {
            input,
            output,
            width,
            blocks,
            activation: relu(),
        }
    }

    /// Checks every width.
    ///
    /// # Errors
    /// If one is 0.
    pub fn validate(&self) -> Result<()> {
        check_sizes([
            ("input", self.input),
            ("width", self.width),
            ("output", self.output),
        ])
    }

    /// A network with initial parameters.
    ///
    /// # Errors
    /// As [`ResidualMlpConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<ResidualMlp> {
        self.validate()?;
        let linear = |input, output| -> Result<Linear> {
            Ok(LinearConfig::new(input, output).init(device)?)
        };
        let width = self.width;
        let block = |_| Ok([linear(width, width)?, linear(width, width)?]);
        Ok(ResidualMlp {
            first: linear(self.input, width)?,
            blocks: (0..self.blocks).map(block).collect::<Result<_>>()?,
            head: linear(width, self.output)?,
            activation: self.activation,
        })
    }
}

impl ResidualMlp {
    /// The answer to each row.
    ///
    /// # Shapes
    /// * `x`: `[batch, input]`
    /// * result: `[batch, output]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let f = self.activation;
        let mut h = self.first.activated(x, f);
        for [one, two] in &self.blocks {
            let inner = two.forward(one.activated(h.clone(), f));
            h = activate(h + inner, f);
        }
        self.head.forward(h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, count, device, tensor};

    #[test]
    fn every_parameter_learns() {
        for blocks in [0, 1, 3] {
            let net = ResidualMlpConfig {
                activation: Activation::Tanh,
                ..ResidualMlpConfig::new(4, 6, blocks, 2)
            };
            let net = net.init(&device()).unwrap();
            let y = net.forward(tensor([5, 4], 1));
            assert_all_learn(&net, &(y * tensor([5, 2], 2)).sum().backward());
        }
    }

    /// `101·128 + 128`, two blocks of `2 (128·128 + 128)`, `128 + 1`: the authors' default.
    #[test]
    fn parameters_of_the_authors_default() {
        let net = ResidualMlpConfig::new(101, 128, 2, 1)
            .init(&device())
            .unwrap();
        assert_eq!(count(&net), 13_056 + 2 * 33_024 + 129);
    }

    #[test]
    fn settings_out_of_range() {
        let error = ResidualMlpConfig::new(4, 0, 1, 1).validate().unwrap_err();
        assert_eq!(error.to_string(), "width = 0, but it must be at least 1");
    }
}
