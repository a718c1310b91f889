//! Feed-forward networks: one ([`Mlp`], for bottoms and heads) and `n` side by side ([`MlpExperts`]).

use crate::error::{ExpertsError, Result, check_experts, check_shape, check_sizes};
use crate::init::{glorot, zeros};
use crate::layer::ExpertLayer;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_kernels::{Activation, Pairs, grouped_linear, linear};
use std::sync::Arc;

/// Configuration of an [`Mlp`].
#[derive(Config, Debug)]
pub struct MlpConfig {
    /// Number of features.
    pub input: usize,
    /// Width of each layer, the output's last.
    pub widths: Vec<usize>,
    /// Whether the last layer is followed by a ReLU like the others, as in a shared bottom; not so in a head.
    #[config(default = false)]
    pub relu_last: bool,
}

/// Linear layers with ReLU between them, started by Glorot's uniform distribution with zero biases.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::MlpConfig;
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let head = MlpConfig::new(8, vec![16, 3]).init(&device)?;
/// assert_eq!(head.forward(Tensor::ones([5, 8], &device)).dims(), [5, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[input, output]` of each layer.
    pub weights: Vec<Param<Tensor<2>>>,
    /// `[output]` of each layer.
    pub biases: Vec<Param<Tensor<1>>>,
    /// Whether the last layer is followed by a ReLU.
    pub relu_last: bool,
}

impl MlpConfig {
    /// Checks every size.
    ///
    /// # Errors
    /// If there is no layer or a width is 0.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("input", self.input), ("widths", self.widths.len())])?;
        check_widths(&self.widths)
    }

    /// A network with initial parameters.
    ///
    /// # Errors
    /// As [`MlpConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Mlp> {
        self.validate()?;
        let layers = || layers(self.input, &self.widths);
        Ok(Mlp {
            weights: layers()
                .map(|(i, o)| glorot([i, o], i, o, device))
                .collect(),
            biases: layers().map(|(_, o)| zeros([o], device)).collect(),
            relu_last: self.relu_last,
        })
    }
}

impl Mlp {
    /// Number of features that the network reads.
    pub fn input(&self) -> usize {
        self.weights.first().map_or(0, |weight| weight.dims()[0])
    }

    /// Applies the layers in order.
    ///
    /// # Shapes
    /// * `x`: `[rows, input]`
    /// * result: `[rows, output]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let layers = self.weights.iter().zip(&self.biases).enumerate();
        layers.fold(x, |x, (layer, (weight, bias))| {
            let relu = self.relu_last || layer + 1 < self.weights.len();
            let activation = match relu {
                true => Activation::Relu,
                false => Activation::Identity,
            };
            linear(x, weight.val(), Some(bias.val()), activation)
        })
    }
}

/// Configuration of [`MlpExperts`].
#[derive(Config, Debug)]
pub struct MlpExpertsConfig {
    /// Number of experts `n`.
    pub experts: usize,
    /// Number of features `D`.
    pub input: usize,
    /// Width of each layer of an expert, the output's last.
    pub widths: Vec<usize>,
}

/// Feed-forward experts of equal widths, a ReLU after every layer: `y = max(0, x W_e + b_e)`, layer after layer.
///
/// Each layer is one grouped product over the rows sorted by expert. Started like an [`Mlp`].
#[derive(Module, Debug)]
pub struct MlpExperts {
    /// `[n, input, output]` of each layer.
    pub weights: Vec<Param<Tensor<3>>>,
    /// `[n, output]` of each layer.
    pub biases: Vec<Param<Tensor<2>>>,
}

impl MlpExpertsConfig {
    /// Checks every size.
    ///
    /// # Errors
    /// If `experts < 2`, there is no layer or a size is 0.
    pub fn validate(&self) -> Result<()> {
        check_experts(self.experts)?;
        check_sizes([("input", self.input), ("widths", self.widths.len())])?;
        check_widths(&self.widths)
    }

    /// Experts with initial parameters.
    ///
    /// # Errors
    /// As [`MlpExpertsConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<MlpExperts> {
        self.validate()?;
        let (n, layers) = (self.experts, || layers(self.input, &self.widths));
        Ok(MlpExperts {
            weights: layers()
                .map(|(i, o)| glorot([n, i, o], i, o, device))
                .collect(),
            biases: layers().map(|(_, o)| zeros([n, o], device)).collect(),
        })
    }
}

impl MlpExperts {
    /// Experts with the given layers: for each expert, weight `[input, output]` and bias `[output]` of every layer.
    ///
    /// # Errors
    /// If there are fewer than two experts or no layers, or the experts differ in depth or width.
    pub fn from_experts(experts: Vec<Vec<(Tensor<2>, Tensor<1>)>>) -> Result<Self> {
        check_experts(experts.len())?;
        let depth = experts[0].len();
        check_sizes([("layers", depth)])?;
        let (mut weights, mut biases) = (vec![], vec![]);
        for layer in 0..depth {
            let (mut weight, mut bias) = (vec![], vec![]);
            for (expert, layers) in experts.iter().enumerate() {
                if layers.len() != depth {
                    return Err(ExpertsError::Counts {
                        what: "layers",
                        left: "expert 0",
                        left_count: depth,
                        right: "another expert",
                        right_count: layers.len(),
                    });
                }
                let (w, b) = layers[layer].clone();
                let ([input, width], [_, expected]) = (w.dims(), experts[0][layer].0.dims());
                if width != expected {
                    return Err(ExpertsError::UnequalWidth {
                        expert,
                        actual: width,
                        expected,
                    });
                }
                let before = match layer {
                    0 => experts[0][0].0.dims()[0],
                    _ => experts[0][layer - 1].0.dims()[1],
                };
                check_shape("weight", [input, width], [before, width])?;
                check_shape("bias", b.dims(), [width])?;
                weight.push(w);
                bias.push(b);
            }
            weights.push(Param::from_tensor(Tensor::stack::<3>(weight, 0).detach()));
            biases.push(Param::from_tensor(Tensor::stack::<2>(bias, 0).detach()));
        }
        Ok(Self { weights, biases })
    }
}

impl ExpertLayer for MlpExperts {
    fn experts(&self) -> usize {
        self.weights.first().map_or(0, |weight| weight.dims()[0])
    }

    fn input(&self) -> Option<usize> {
        self.weights.first().map(|weight| weight.dims()[1])
    }

    fn evaluate(&self, x: Tensor<2>, pairs: &Arc<Pairs>) -> Result<Tensor<2>> {
        let layers = self.weights.iter().zip(&self.biases);
        Ok(layers.fold(x, |x, (weight, bias)| {
            grouped_linear(x, weight.val(), bias.val(), pairs, Activation::Relu)
        }))
    }
}

/// Input and output width of each layer.
pub(crate) fn layers(input: usize, widths: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let inputs = std::iter::once(input).chain(widths.iter().copied());
    inputs.zip(widths.iter().copied())
}

/// Checks that no layer is empty.
pub(crate) fn check_widths(widths: &[usize]) -> Result<()> {
    check_sizes([(
        "width of a layer",
        widths.iter().copied().min().unwrap_or(1),
    )])
}
