//! Multi-layer perceptron.

use crate::error::{Result, check, check_sizes};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_kernels::{Activation, activate};
use offprint_layers::{
    Context, Dropout, DropoutConfig, Linear, LinearConfig, Norm, NormConfig, NormKind, Quantizer,
};
use serde::{Deserialize, Serialize};

/// Configuration of an [`Mlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Width of a row.
    pub input: usize,
    /// Width of the answer.
    pub output: usize,
    /// Widths between.
    #[serde(default = "hidden")]
    pub hidden: Vec<usize>,
    /// `f`.
    #[serde(default = "relu")]
    pub activation: Activation,
    /// The norm before each activation.
    #[serde(default = "no_norm")]
    pub norm: NormKind,
    /// Probability that a hidden unit is dropped in training.
    #[serde(default)]
    pub dropout: f32,
    /// What the weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

fn hidden() -> Vec<usize> {
    vec![128, 128]
}

pub(crate) fn relu() -> Activation {
    Activation::Relu
}

pub(crate) fn no_norm() -> NormKind {
    NormKind::None
}

/// `h_0 = x`, `h_i = dropout(f(norm(h_{i−1} W_i + b_i)))`, `y = h_n W + b`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_backbones::MlpConfig;
/// use offprint_layers::Context;
/// # fn main() -> Result<(), offprint_backbones::BackbonesError> {
/// let device = Device::flex();
/// let mlp = MlpConfig::new(16, vec![32], 3).init(&device)?;
/// let y = mlp.forward(Tensor::ones([5, 16], &device), Context::EVALUATION);
/// assert_eq!(y.dims(), [5, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Mlp {
    /// Layers between, each with the norm behind it.
    pub layers: Vec<Linear>,
    /// As many as there are layers between.
    pub norms: Vec<Norm>,
    /// The layer of the answer.
    pub head: Linear,
    /// Behind each activation.
    pub dropout: Dropout,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

impl MlpConfig {
    /// With ReLU, and neither norm nor dropout.
    pub fn new(input: usize, hidden: Vec<usize>, output: usize) -> Self {
        Self {
            input,
            output,
            hidden,
            activation: relu(),
            norm: no_norm(),
            dropout: 0.0,
            quantizer: Quantizer::default(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a width is 0, or dropout or quantizer are out of range.
    pub fn validate(&self) -> Result<()> {
        let hidden = self.hidden.iter().copied().min().unwrap_or(1);
        check_sizes([
            ("input", self.input),
            ("hidden", hidden),
            ("output", self.output),
        ])?;
        dropout(self.dropout)?;
        Ok(self.quantizer.validate()?)
    }

    /// A network with initial parameters.
    ///
    /// # Errors
    /// As [`MlpConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Mlp> {
        self.validate()?;
        let linear = |input, output| -> Result<Linear> {
            let config = LinearConfig {
                quantizer: self.quantizer,
                ..LinearConfig::new(input, output)
            };
            Ok(config.init(device)?)
        };
        let inputs = std::iter::once(&self.input).chain(&self.hidden);
        let layers = inputs.zip(&self.hidden);
        let norms = self.hidden.iter();
        Ok(Mlp {
            layers: layers
                .map(|(&input, &output)| linear(input, output))
                .collect::<Result<_>>()?,
            norms: norms
                .map(|&width| NormConfig::new(self.norm, width).init(device))
                .collect::<Result<_, _>>()?,
            head: linear(*self.hidden.last().unwrap_or(&self.input), self.output)?,
            dropout: dropout(self.dropout)?,
            activation: self.activation,
        })
    }
}

/// Dropout of a backbone's own setting.
pub(crate) fn dropout(probability: f32) -> Result<Dropout> {
    check(
        (0.0..1.0).contains(&probability),
        "dropout",
        probability,
        "at least 0 and below 1",
    )?;
    Ok(DropoutConfig { probability }.init()?)
}

impl Mlp {
    /// The answer to each row.
    ///
    /// # Shapes
    /// * `x`: `[batch, input]`
    /// * result: `[batch, output]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward(&self, x: Tensor<2>, context: Context) -> Tensor<2> {
        let mut h = x;
        for (index, (layer, norm)) in self.layers.iter().zip(&self.norms).enumerate() {
            h = match norm {
                // One pass less where nothing stands between.
                Norm::None(_) => layer.activated(h, self.activation),
                norm => activate(norm.forward(layer.forward(h), context), self.activation),
            };
            h = self.dropout.forward(h, context.branch(index as u64));
        }
        self.head.forward(h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, count, device, tensor};

    /// `784·512 + 512 + 512·512 + 512 + 512·10 + 10`, as PyTorch counts.
    #[test]
    fn parameters_of_784_512_512_10() {
        let mlp = MlpConfig::new(784, vec![512, 512], 10);
        assert_eq!(count(&mlp.init(&device()).unwrap()), 669_706);
    }

    #[test]
    fn every_parameter_learns_with_every_norm_and_without_hidden_layers() {
        for norm in [
            NormKind::None,
            NormKind::Batch,
            NormKind::Layer,
            NormKind::Rms,
        ] {
            for hidden in [vec![], vec![8], vec![8, 5]] {
                let config = MlpConfig {
                    norm,
                    dropout: 0.2,
                    activation: Activation::Silu,
                    ..MlpConfig::new(4, hidden, 3)
                };
                let mlp = config.init(&device()).unwrap();
                let y = mlp.forward(tensor([6, 4], 1), Context::training(3));
                assert_eq!(y.dims(), [6, 3]);
                assert_all_learn(&mlp, &(y * tensor([6, 3], 2)).sum().backward());
            }
        }
    }

    #[test]
    fn settings_out_of_range() {
        for (config, words) in [
            (
                MlpConfig::new(0, vec![], 1),
                "input = 0, but it must be at least 1",
            ),
            (
                MlpConfig::new(1, vec![4, 0], 1),
                "hidden = 0, but it must be at least 1",
            ),
            (
                MlpConfig {
                    dropout: 1.0,
                    ..MlpConfig::new(1, vec![], 1)
                },
                "dropout = 1, but it must be at least 0 and below 1",
            ),
        ] {
            assert_eq!(config.validate().unwrap_err().to_string(), words);
        }
    }
}
