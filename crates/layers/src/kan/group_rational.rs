//! Group-rational KAN: what KAT has in place of a feed-forward network.

use crate::error::{Result, check_sizes};
use crate::feed_forward::FeedForward;
use crate::init::Init;
use crate::linear::{Linear, LinearConfig, yes};
use crate::quantizer::Quantizer;
use crate::rational::{
    Rational, RationalConfig, activation_gain, denominator_degree, groups, numerator_degree, range,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_kernels::Activation;
use serde::{Deserialize, Serialize};

/// What can be chosen about the functions and the initial weights of a [`GroupRationalKan`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupRationalOptions {
    /// Groups of channels, each with a function.
    pub groups: usize,
    /// Degree of the numerators.
    pub numerator_degree: usize,
    /// Degree of the denominators.
    pub denominator_degree: usize,
    /// Whether all groups have one numerator.
    pub shared_numerator: bool,
    /// Where the activation is fitted.
    pub range: [f64; 2],
    /// How the weights start.
    pub weights: WeightStart,
}

/// How the weights of a [`GroupRationalKan`] start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightStart {
    /// `N(0, gain² / inputs)`, the gain being that of the function before the weight: variances stay as they are.
    #[default]
    VariancePreserving,
    /// `N(0, 0.02²)`, which is what the released code comes to: a second rule undoes the first.
    Released,
}

impl Default for GroupRationalOptions {
    fn default() -> Self {
        Self {
            groups: groups(),
            numerator_degree: numerator_degree(),
            denominator_degree: denominator_degree(),
            shared_numerator: true,
            range: range(),
            weights: WeightStart::default(),
        }
    }
}

/// Configuration of a [`GroupRationalKan`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRationalKanConfig {
    /// Width of input and output.
    pub width: usize,
    /// Width between.
    pub hidden: usize,
    /// What the second function starts as.
    pub activation: Activation,
    /// Whether the linear layers have biases.
    #[serde(default = "yes")]
    pub bias: bool,
    /// What the weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
    /// Functions and initial weights.
    #[serde(default)]
    pub options: GroupRationalOptions,
}

/// `F₂(F₁(x) W₁ + b₁) W₂ + b₂` with a learnable rational function for each group of channels. `F₁` starts as the identity,
/// `F₂` as an activation, fitted.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::{Activation, kan::GroupRationalKanConfig};
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let layer = GroupRationalKanConfig::new(64, 256, Activation::Gelu).init(&device)?;
/// assert_eq!(layer.forward(Tensor::<3>::ones([2, 5, 64], &device)).dims(), [2, 5, 64]);
/// # Ok(())
/// # }
/// ```
///
/// Source: Yang and Wang, "Kolmogorov-Arnold Transformer", 2024, section 4.
#[derive(Module, Debug)]
pub struct GroupRationalKan {
    /// `F₁`, of `width` channels.
    pub first: Rational,
    /// `[width, hidden]`.
    pub up: Linear,
    /// `F₂`, of `hidden` channels.
    pub second: Rational,
    /// `[hidden, width]`.
    pub down: Linear,
}

impl GroupRationalKanConfig {
    /// With biases, the paper's functions and initial weights, not quantized.
    pub fn new(width: usize, hidden: usize, activation: Activation) -> Self {
        Self {
            width,
            hidden,
            activation,
            bias: true,
            quantizer: Quantizer::default(),
            options: GroupRationalOptions::default(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a width is no positive multiple of the groups, or another setting is out of range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("width", self.width), ("hidden", self.hidden)])?;
        self.first().validate()?;
        self.second().validate()?;
        self.quantizer.validate()
    }

    /// A layer with initial parameters.
    ///
    /// # Errors
    /// As [`GroupRationalKanConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<GroupRationalKan> {
        self.validate()?;
        let function = self.second().fit()?.coefficients;
        let [up, down] = match self.options.weights {
            WeightStart::Released => [0.02; 2],
            WeightStart::VariancePreserving => {
                let gain = activation_gain(|x| function.value(x))?;
                let over = |gain: f64, inputs: usize| (gain / (inputs as f64).sqrt()) as f32;
                [over(1.0, self.width), over(gain, self.hidden)]
            }
        };
        let linear = |input, output, deviation| LinearConfig {
            input,
            output,
            bias: self.bias,
            init: Init::Normal { deviation },
            quantizer: self.quantizer,
        };
        Ok(GroupRationalKan {
            first: self.first().init(device)?,
            up: linear(self.width, self.hidden, up).init(device)?,
            second: self.second().init_as(&function, device)?,
            down: linear(self.hidden, self.width, down).init(device)?,
        })
    }

    /// The same function as a feed-forward network, but for the error of the fit, which is the second result: its weights,
    /// the identity, and its activation, fitted.
    ///
    /// # Errors
    /// If its widths are no multiples of the groups, or a setting is out of range.
    pub fn of_feed_forward(
        network: &FeedForward,
        options: GroupRationalOptions,
        device: &Device,
    ) -> Result<(GroupRationalKan, f64)> {
        let [width, hidden] = network.up.weight.dims();
        let config = Self {
            options,
            ..Self::new(width, hidden, network.activation)
        };
        config.validate()?;
        let fit = config.second().fit()?;
        let layer = GroupRationalKan {
            first: config.first().init(device)?,
            up: network.up.clone(),
            second: config.second().init_as(&fit.coefficients, device)?,
            down: network.down.clone(),
        };
        Ok((layer, fit.max_error))
    }

    fn first(&self) -> RationalConfig {
        self.rational(self.width, Activation::Identity)
    }

    fn second(&self) -> RationalConfig {
        self.rational(self.hidden, self.activation)
    }

    fn rational(&self, width: usize, init: Activation) -> RationalConfig {
        let options = self.options;
        RationalConfig {
            width,
            groups: options.groups,
            numerator_degree: options.numerator_degree,
            denominator_degree: options.denominator_degree,
            shared_numerator: options.shared_numerator,
            init,
            range: options.range,
        }
    }
}

impl GroupRationalKan {
    /// The layer, row by row.
    ///
    /// # Shapes
    /// * `x`, result: `[…, width]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let hidden = self.up.forward(self.first.forward(x));
        self.down.forward(self.second.forward(hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed_forward::FeedForwardConfig;
    use crate::testing::{assert_all_learn, device, tensor, values};
    use burn::tensor::Distribution;

    #[test]
    fn every_parameter_learns() {
        for shared_numerator in [true, false] {
            let config = GroupRationalKanConfig {
                options: GroupRationalOptions {
                    shared_numerator,
                    ..GroupRationalOptions::default()
                },
                ..GroupRationalKanConfig::new(8, 16, Activation::Gelu)
            };
            let layer = config.init(&device()).unwrap();
            let y = layer.forward(tensor([4, 3, 8], 1));
            assert_all_learn(&layer, &y.powi_scalar(2).sum().backward());
        }
    }

    #[test]
    fn variances_stay() {
        let device = device();
        device.seed(1);
        for activation in [Activation::Gelu, Activation::Silu, Activation::Relu] {
            let config = GroupRationalKanConfig::new(256, 1024, activation);
            let layer = config.init(&device).unwrap();
            let x = Tensor::<2>::random([200, 256], Distribution::Normal(0.0, 1.0), &device);
            let variance = |x: Tensor<2>| {
                let values = values(x);
                values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64
            };
            let out = variance(layer.forward(x)).ln();
            assert!(out.abs() < 0.1, "{activation:?} {out}");
        }
    }

    #[test]
    fn takes_the_place_of_a_feed_forward_network() {
        let network = FeedForwardConfig::new(16, 32, Activation::Gelu);
        let network = network.init(&device()).unwrap();
        let options = GroupRationalOptions {
            numerator_degree: 7,
            denominator_degree: 6,
            ..GroupRationalOptions::default()
        };
        let (layer, error) =
            GroupRationalKanConfig::of_feed_forward(&network, options, &device()).unwrap();
        let x = tensor([20, 16], 1);
        let off = (layer.forward(x.clone()) - network.forward(x)).abs().max();
        assert!(error < 4e-4 && off.into_scalar::<f32>() < 2e-3, "{error}");
    }

    #[test]
    fn settings() {
        let text = "width = 16\nhidden = 32\nactivation = \"silu\"\noptions = { groups = 4, weights = \"released\" }";
        let config: GroupRationalKanConfig = toml::from_str(text).unwrap();
        assert_eq!(config.options.weights, WeightStart::Released);
        let error = GroupRationalKanConfig::new(16, 36, Activation::Gelu).validate();
        assert_eq!(
            error.unwrap_err().to_string(),
            "width = 36, but it must be a multiple of groups = 8"
        );
    }
}
