//! The channel-mixer slot: how the features of each position mix.

use crate::error::{Result, check};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_experts::{
    AnyGate, CometGateConfig, DSelectKConfig, ExpertLayer, GateConfig, GateInput, MixtureOfExperts,
    SoftmaxGateConfig, TopKConfig,
};
use offprint_kernels::{Pairs, grouped_linear};
use offprint_layers::{Activation, FeedForward, FeedForwardConfig, GatedFeedForward, Quantizer};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The channel-mixer slot.
///
/// In TOML: `channel_mixer = "gated"`, or `channel_mixer = { experts = { experts = 8, gate = "top_k", k = 2 } }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelMixer {
    /// See [`FeedForward`].
    #[default]
    Mlp,
    /// See [`GatedFeedForward`].
    Gated,
    /// A mixture of feed-forward experts.
    Experts(ExpertsConfig),
}

/// A mixture of feed-forward experts in place of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertsConfig {
    /// Number of experts.
    pub experts: usize,
    /// What sends a position to experts.
    #[serde(default)]
    pub gate: GateKind,
    /// How many experts, or trees or selectors, serve a position; not used by the dense gate.
    #[serde(default = "two")]
    pub k: usize,
}

fn two() -> usize {
    2
}

/// The gates that route by a position's features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateKind {
    /// See [`TopK`](offprint_experts::TopK).
    #[default]
    TopK,
    /// See [`SoftmaxGate`](offprint_experts::SoftmaxGate): every expert serves every position.
    Softmax,
    /// See [`CometGate`](offprint_experts::CometGate).
    Comet,
    /// See [`DSelectK`](offprint_experts::DSelectK).
    DSelectK,
}

/// Any of the channel mixers.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one a block, all of its size in tensors"
)]
pub enum AnyChannelMixer {
    /// See [`FeedForward`].
    Mlp(FeedForward),
    /// See [`GatedFeedForward`].
    Gated(GatedFeedForward),
    /// A mixture of feed-forward experts.
    Experts(MixtureOfExperts<AnyGate, FeedForwardExperts>),
}

/// Feed-forward experts `f(x W_e + b_e) V_e + c_e`, each on its own rows by one grouped product a layer.
#[derive(Module, Debug)]
pub struct FeedForwardExperts {
    /// `[experts, width, hidden]`.
    pub up: Param<Tensor<3>>,
    /// `[experts, hidden]`.
    pub up_bias: Param<Tensor<2>>,
    /// `[experts, hidden, width]`.
    pub down: Param<Tensor<3>>,
    /// `[experts, width]`.
    pub down_bias: Param<Tensor<2>>,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

impl ChannelMixer {
    /// Checks the settings of a place in a backbone, given as those of a feed-forward network there.
    ///
    /// # Errors
    /// If a setting is out of range or does not suit the mixer.
    pub fn validate(&self, place: &FeedForwardConfig) -> Result<()> {
        place.validate()?;
        match self {
            Self::Mlp | Self::Gated => Ok(()),
            Self::Experts(config) => {
                check(
                    place.quantizer == Quantizer::None,
                    "quantizer",
                    format!("{:?}", place.quantizer),
                    "none beside a mixture of experts, whose weights are not quantized",
                )?;
                Ok(config.gate(place.width).validate()?)
            }
        }
    }

    /// A mixer for that place with initial parameters.
    ///
    /// # Errors
    /// As [`ChannelMixer::validate`].
    pub fn init(&self, place: &FeedForwardConfig, device: &Device) -> Result<AnyChannelMixer> {
        self.validate(place)?;
        Ok(match self {
            Self::Mlp => AnyChannelMixer::Mlp(place.init(device)?),
            Self::Gated => AnyChannelMixer::Gated(place.init_gated(device)?),
            Self::Experts(config) => {
                let gate = config.gate(place.width).init(device)?;
                let experts = FeedForwardExperts::new(config.experts, place, device);
                AnyChannelMixer::Experts(MixtureOfExperts::new(gate, experts)?)
            }
        })
    }
}

impl ExpertsConfig {
    fn gate(&self, width: usize) -> GateConfig {
        let Self { experts, k, .. } = *self;
        match self.gate {
            GateKind::TopK => GateConfig::TopK(TopKConfig::new(width, experts, k)),
            GateKind::Softmax => GateConfig::Softmax(SoftmaxGateConfig::new(width, experts)),
            GateKind::Comet => GateConfig::Comet(CometGateConfig::new(width, experts, k)),
            GateKind::DSelectK => GateConfig::DSelectK(DSelectKConfig::new(width, experts, k)),
        }
    }
}

impl AnyChannelMixer {
    /// Mixes the features of each position; also the penalty of the gate, if there is one.
    ///
    /// # Shapes
    /// * `x`, result: `[batch, length, width]`
    /// * penalty: `[1]`
    ///
    /// # Errors
    /// If a gate is given a number that is not finite.
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward(&self, x: Tensor<3>) -> Result<(Tensor<3>, Option<Tensor<1>>)> {
        match self {
            Self::Mlp(mixer) => Ok((mixer.forward(x), None)),
            Self::Gated(mixer) => Ok((mixer.forward(x), None)),
            Self::Experts(mixer) => {
                let shape = x.dims();
                let [batch, length, width] = shape;
                let rows = x.reshape([batch * length, width]);
                let mixed = mixer.forward(rows, GateInput::default())?;
                let penalty = mixed.gate.regularization;
                Ok((mixed.output.reshape(shape), Some(penalty)))
            }
        }
    }
}

impl FeedForwardExperts {
    /// Each expert started like the network of the place.
    fn new(experts: usize, place: &FeedForwardConfig, device: &Device) -> Self {
        let (width, hidden) = (place.width, place.hidden);
        Self {
            up: place.init.weight([experts, width, hidden], width, device),
            up_bias: Param::from_tensor(Tensor::zeros([experts, hidden], device)),
            down: place
                .output_init
                .weight([experts, hidden, width], hidden, device),
            down_bias: Param::from_tensor(Tensor::zeros([experts, width], device)),
            activation: place.activation,
        }
    }
}

impl ExpertLayer for FeedForwardExperts {
    fn experts(&self) -> usize {
        self.up.dims()[0]
    }

    fn input(&self) -> Option<usize> {
        Some(self.up.dims()[1])
    }

    fn evaluate(
        &self,
        x: Tensor<2>,
        pairs: &Arc<Pairs>,
    ) -> Result<Tensor<2>, offprint_experts::ExpertsError> {
        let (weight, bias) = (self.up.val(), self.up_bias.val());
        let h = grouped_linear(x, weight, bias, pairs, self.activation);
        let (weight, bias) = (self.down.val(), self.down_bias.val());
        Ok(grouped_linear(h, weight, bias, pairs, Activation::Identity))
    }
}
