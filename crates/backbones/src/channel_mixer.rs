//! The channel-mixer slot: how the features of each position mix.

use crate::error::{Result, check};
use crate::feed_forward_experts::FeedForwardExperts;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_experts::{
    AnyGate, CometGateConfig, DSelectKConfig, GateConfig, GateInput, MixtureOfExperts, Permutation,
    SoftmaxGateConfig, TopKConfig,
};
use offprint_layers::kan::{
    BSplineNetwork, BSplineNetworkConfig, GroupRationalKan, GroupRationalKanConfig,
    GroupRationalOptions,
};
use offprint_layers::{FeedForward, FeedForwardConfig, GatedFeedForward, Quantizer};
use serde::de::value::MapAccessDeserializer;
use serde::de::{IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The channel-mixer slot.
///
/// In TOML: `channel_mixer = "gated"`, or with settings `channel_mixer = { experts = { experts = 8, gate = "top_k", k = 2 } }`
/// and `channel_mixer = { gr-kan = { groups = 4 } }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelMixer {
    /// See [`FeedForward`].
    #[default]
    Mlp,
    /// See [`GatedFeedForward`].
    Gated,
    /// A mixture of feed-forward experts.
    Experts(ExpertsConfig),
    /// See [`GroupRationalKan`].
    #[serde(rename = "gr-kan")]
    GrKan(GroupRationalOptions),
    /// See [`BSplineNetwork`].
    #[serde(rename = "b-spline-kan")]
    BSplineKan(SplineConfig),
}

/// The splines of a B-spline KAN.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplineConfig {
    /// Intervals between the ends of the range.
    pub grid_size: usize,
    /// Degree of the pieces of a spline.
    pub spline_order: usize,
    /// Where the splines have their grid.
    pub range: [f32; 2],
}

impl Default for SplineConfig {
    fn default() -> Self {
        let BSplineNetworkConfig {
            grid_size,
            spline_order,
            range,
            ..
        } = BSplineNetworkConfig::new(1, 1);
        Self {
            grid_size,
            spline_order,
            range,
        }
    }
}

/// A name alone, or a name with settings.
impl<'de> Deserialize<'de> for ChannelMixer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Name {
            Mlp,
            Gated,
            #[serde(rename = "gr-kan")]
            GrKan,
            #[serde(rename = "b-spline-kan")]
            BSplineKan,
        }

        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum WithSettings {
            Experts(ExpertsConfig),
            #[serde(rename = "gr-kan")]
            GrKan(GroupRationalOptions),
            #[serde(rename = "b-spline-kan")]
            BSplineKan(SplineConfig),
        }

        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ChannelMixer;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a channel mixer, or a table with its settings")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ChannelMixer, E> {
                Ok(match Name::deserialize(name.into_deserializer())? {
                    Name::Mlp => ChannelMixer::Mlp,
                    Name::Gated => ChannelMixer::Gated,
                    Name::GrKan => ChannelMixer::GrKan(GroupRationalOptions::default()),
                    Name::BSplineKan => ChannelMixer::BSplineKan(SplineConfig::default()),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ChannelMixer, A::Error> {
                let chosen = WithSettings::deserialize(MapAccessDeserializer::new(map))?;
                Ok(match chosen {
                    WithSettings::Experts(config) => ChannelMixer::Experts(config),
                    WithSettings::GrKan(options) => ChannelMixer::GrKan(options),
                    WithSettings::BSplineKan(config) => ChannelMixer::BSplineKan(config),
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
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
pub enum AnyChannelMixer {
    /// See [`FeedForward`].
    Mlp(FeedForward),
    /// See [`GatedFeedForward`].
    Gated(GatedFeedForward),
    /// A mixture of feed-forward experts.
    Experts(MixtureOfExperts<AnyGate, FeedForwardExperts>),
    /// See [`GroupRationalKan`].
    GrKan(GroupRationalKan),
    /// See [`BSplineNetwork`].
    BSplineKan(BSplineNetwork),
}

/// What routes positions besides their features; only mixtures of experts look at it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Routing<'a> {
    /// Id of each position, sequence by sequence, for a gate that routes by a table.
    pub ids: Option<&'a [usize]>,
    /// Permutation of the experts, from a local search.
    pub permutation: Option<&'a Permutation>,
}

/// What a channel mixer makes of a batch.
#[derive(Clone, Debug)]
pub struct Mixed {
    /// The mixed features, `[batch, length, width]`.
    pub output: Tensor<3>,
    /// Penalty of a gate, `[1]`.
    pub penalty: Option<Tensor<1>>,
    /// Pairs of a position and an expert that were computed.
    pub evaluated: Option<usize>,
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
            Self::GrKan(options) => Ok(options_at(place, options).validate()?),
            Self::BSplineKan(config) => {
                check(
                    place.quantizer == Quantizer::None,
                    "quantizer",
                    format!("{:?}", place.quantizer),
                    "none beside a B-spline KAN, whose weights are not quantized",
                )?;
                Ok(config.network(place).validate()?)
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
            Self::GrKan(options) => {
                AnyChannelMixer::GrKan(options_at(place, options).init(device)?)
            }
            Self::BSplineKan(config) => {
                AnyChannelMixer::BSplineKan(config.network(place).init(device)?)
            }
        })
    }
}

/// A group-rational KAN in the place of a network. Its initial weights are its own.
fn options_at(place: &FeedForwardConfig, options: &GroupRationalOptions) -> GroupRationalKanConfig {
    GroupRationalKanConfig {
        bias: place.bias,
        quantizer: place.quantizer,
        options: *options,
        ..GroupRationalKanConfig::new(place.width, place.hidden, place.activation)
    }
}

impl SplineConfig {
    /// A network in the place of another. Activation, biases and initial weights are its own.
    fn network(&self, place: &FeedForwardConfig) -> BSplineNetworkConfig {
        BSplineNetworkConfig {
            grid_size: self.grid_size,
            spline_order: self.spline_order,
            range: self.range,
            ..BSplineNetworkConfig::new(place.width, place.hidden)
        }
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
    /// If a gate is given a number that is not finite, or routes by ids.
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward(&self, x: Tensor<3>) -> Result<(Tensor<3>, Option<Tensor<1>>)> {
        let mixed = self.routed(x, Routing::default())?;
        Ok((mixed.output, mixed.penalty))
    }

    /// The same with what routes positions besides their features; shapes as there.
    ///
    /// # Errors
    /// If a gate is given a number that is not finite, or ids or a permutation that do not fit.
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn routed(&self, x: Tensor<3>, routing: Routing<'_>) -> Result<Mixed> {
        let alone = |output| Mixed {
            output,
            penalty: None,
            evaluated: None,
        };
        Ok(match self {
            Self::Mlp(mixer) => alone(mixer.forward(x)),
            Self::Gated(mixer) => alone(mixer.forward(x)),
            Self::Experts(mixer) => {
                let shape = x.dims();
                let [batch, length, width] = shape;
                let rows = x.reshape([batch * length, width]);
                let given = GateInput {
                    ids: routing.ids,
                    permutation: routing.permutation,
                    ..GateInput::default()
                };
                let mixed = mixer.forward(rows, given)?;
                Mixed {
                    output: mixed.output.reshape(shape),
                    penalty: Some(mixed.gate.regularization),
                    evaluated: Some(mixed.pairs.len()),
                }
            }
            Self::GrKan(mixer) => alone(mixer.forward(x)),
            Self::BSplineKan(mixer) => alone(mixer.forward(x)),
        })
    }

    /// Whether positions are routed by ids.
    pub fn routes_by_id(&self) -> bool {
        matches!(self, Self::Experts(mixer) if matches!(mixer.gate, AnyGate::Hash(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_layers::Activation;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Slot {
        mixer: ChannelMixer,
    }

    fn read(text: &str) -> Result<ChannelMixer, String> {
        let slot: Result<Slot, _> = toml::from_str(text);
        slot.map(|slot| slot.mixer)
            .map_err(|error| error.message().to_string())
    }

    #[test]
    fn by_name_or_with_settings() {
        let plain = ChannelMixer::GrKan(GroupRationalOptions::default());
        assert_eq!(read("mixer = \"gr-kan\""), Ok(plain));
        let four = ChannelMixer::GrKan(GroupRationalOptions {
            groups: 4,
            ..GroupRationalOptions::default()
        });
        assert_eq!(read("mixer = { gr-kan = { groups = 4 } }"), Ok(four));
        let grid_size = 3;
        let coarse = ChannelMixer::BSplineKan(SplineConfig {
            grid_size,
            ..SplineConfig::default()
        });
        let text = "mixer = { b-spline-kan = { grid_size = 3 } }";
        assert_eq!(read(text), Ok(coarse));
        assert_eq!(
            read("mixer = \"gr_kan\"").unwrap_err(),
            "unknown variant `gr_kan`, expected one of `mlp`, `gated`, `gr-kan`, `b-spline-kan`"
        );
        assert_eq!(
            read("mixer = { gr-kan = { group = 4 } }")
                .unwrap_err()
                .split(',')
                .next(),
            Some("unknown field `group`")
        );
    }

    #[test]
    fn written_and_read_again() {
        for mixer in [
            ChannelMixer::Gated,
            ChannelMixer::GrKan(GroupRationalOptions::default()),
            ChannelMixer::BSplineKan(SplineConfig::default()),
        ] {
            let text = toml::to_string(&Slot { mixer }).unwrap();
            assert_eq!(read(&text), Ok(mixer), "{text}");
        }
    }

    #[test]
    fn settings_that_do_not_suit_the_place() {
        let place = FeedForwardConfig::new(20, 80, Activation::Gelu);
        let error = |mixer: ChannelMixer| mixer.validate(&place).unwrap_err().to_string();
        assert_eq!(
            error(ChannelMixer::GrKan(GroupRationalOptions::default())),
            "width = 20, but it must be a multiple of groups = 8"
        );
        let range = [1.0, -1.0];
        assert_eq!(
            error(ChannelMixer::BSplineKan(SplineConfig {
                range,
                ..SplineConfig::default()
            })),
            "range = [1, -1], but it must be two finite numbers, the first below the second"
        );
    }
}
