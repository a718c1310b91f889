//! The token-mixer slot: how the positions of a sequence learn of each other.
//!
//! A mixer that is added is a variant of each of the three enums here; the match arms say what it needs.

use crate::attention::{Attend, AttentionConfig, KeyValueCache, Rotary, SelfAttention};
use crate::error::{Result, check};
use crate::linear_attention::{
    GatedLinearAttention, GatedLinearAttentionConfig, HeadsConfig, LinearAttention,
    LinearAttentionConfig, LinearAttentionState, Retention, RetentionConfig,
};
use crate::mamba::{Mamba, MambaConfig, MambaState};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The token-mixer slot; in TOML `token_mixer = "attention"`.
///
/// All but attention are causal, have no probabilities to drop and a state of constant size. Where a place has a
/// `head_width`, it is that of their queries and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenMixer {
    /// See [`SelfAttention`].
    #[default]
    Attention,
    /// See [`GatedLinearAttention`].
    Gla,
    /// See [`Retention`].
    Retention,
    /// See [`LinearAttention`].
    LinearAttention,
    /// See [`Mamba`].
    Mamba,
}

/// Any of the token mixers.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one a block, and a pointer would be followed at each position"
)]
pub enum AnyTokenMixer {
    /// See [`SelfAttention`].
    Attention(SelfAttention),
    /// See [`GatedLinearAttention`].
    Gla(GatedLinearAttention),
    /// See [`Retention`].
    Retention(Retention),
    /// See [`LinearAttention`].
    LinearAttention(LinearAttention),
    /// See [`Mamba`].
    Mamba(Mamba),
}

/// What a token mixer remembers of the positions before.
#[derive(Clone, Debug)]
pub enum MixerState {
    /// Of [`SelfAttention`].
    Attention(KeyValueCache),
    /// Of [`GatedLinearAttention`], [`Retention`] and [`LinearAttention`].
    Linear(LinearAttentionState),
    /// Of [`Mamba`].
    Mamba(MambaState),
}

/// The configuration of a mixer for a place.
enum Config {
    Attention(AttentionConfig),
    Gla(GatedLinearAttentionConfig),
    Retention(RetentionConfig),
    LinearAttention(LinearAttentionConfig),
    Mamba(MambaConfig),
}

impl TokenMixer {
    /// The name in a configuration file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Gla => "gla",
            Self::Retention => "retention",
            Self::LinearAttention => "linear_attention",
            Self::Mamba => "mamba",
        }
    }

    /// Checks the settings of a place in a backbone, given as those of an attention there.
    ///
    /// # Errors
    /// If a setting does not suit the mixer.
    pub fn validate(self, place: &AttentionConfig) -> Result<()> {
        match self.config(place)? {
            Config::Attention(config) => config.validate(),
            Config::Gla(config) => config.validate(),
            Config::Retention(config) => config.validate(),
            Config::LinearAttention(config) => config.validate(),
            Config::Mamba(config) => config.validate(),
        }
    }

    /// A mixer for that place with initial parameters.
    ///
    /// # Errors
    /// As [`TokenMixer::validate`].
    pub fn init(self, place: &AttentionConfig, device: &Device) -> Result<AnyTokenMixer> {
        Ok(match self.config(place)? {
            Config::Attention(config) => AnyTokenMixer::Attention(config.init(device)?),
            Config::Gla(config) => AnyTokenMixer::Gla(config.init(device)?),
            Config::Retention(config) => AnyTokenMixer::Retention(config.init(device)?),
            Config::LinearAttention(config) => AnyTokenMixer::LinearAttention(config.init(device)?),
            Config::Mamba(config) => AnyTokenMixer::Mamba(config.init(device)?),
        })
    }

    fn config(self, place: &AttentionConfig) -> Result<Config> {
        if self == Self::Attention {
            return Ok(Config::Attention(*place));
        }
        check(
            place.causal,
            "token_mixer",
            self.name(),
            "attention where positions see those after them too",
        )?;
        check(
            place.dropout == 0.0,
            "attention_dropout",
            place.dropout,
            "0 beside a token mixer without probabilities",
        )?;
        check(
            place.kv_heads() == place.heads,
            "kv_heads",
            place.kv_heads(),
            "the number of heads, or absent, beside a token mixer other than attention",
        )?;
        if self == Self::Retention {
            return Ok(Config::Retention(RetentionConfig {
                heads: heads(place, 1.0, 2.0),
                rotary: place.rotary,
            }));
        }
        let base = place.rotary.map_or(0.0, |Rotary { base }| base);
        check(
            place.rotary.is_none(),
            "base of rotary positions",
            base,
            "absent: this token mixer turns nothing, so positions are learned or none",
        )?;
        Ok(match self {
            Self::Gla => Config::Gla(GatedLinearAttentionConfig {
                heads: heads(place, 0.5, 1.0),
                ..GatedLinearAttentionConfig::new(place.width, place.heads)
            }),
            Self::LinearAttention => Config::LinearAttention(LinearAttentionConfig {
                heads: heads(place, 0.5, 1.0),
                ..LinearAttentionConfig::new(place.width, place.heads)
            }),
            _ => Config::Mamba(MambaConfig {
                bias: place.bias,
                init: place.init,
                output_init: place.output_init,
                quantizer: place.quantizer,
                ..MambaConfig::new(place.width)
            }),
        })
    }
}

/// Sizes of a linear attention for a place.
fn heads(place: &AttentionConfig, expand_k: f64, expand_v: f64) -> HeadsConfig {
    let given = |head_width| (place.heads * head_width) as f64 / place.width.max(1) as f64;
    HeadsConfig {
        bias: place.bias,
        output_bias: place.output_bias,
        init: place.init,
        output_init: place.output_init,
        quantizer: place.quantizer,
        ..HeadsConfig::new(
            place.width,
            place.heads,
            place.head_width.map_or(expand_k, given),
            expand_v,
        )
    }
}

impl AnyTokenMixer {
    /// What it remembers before the first position.
    pub fn state(&self) -> MixerState {
        match self {
            Self::Attention(_) => MixerState::Attention(KeyValueCache::default()),
            Self::Gla(_) | Self::Retention(_) | Self::LinearAttention(_) => {
                MixerState::Linear(LinearAttentionState::default())
            }
            Self::Mamba(_) => MixerState::Mamba(MambaState::default()),
        }
    }

    /// Mixes the positions; those after the ones in the state, if there is one.
    ///
    /// # Shapes
    /// * `x`, result: `[batch, length, width]`
    ///
    /// # Panics
    /// If `x` has another width, or the state is that of another mixer.
    pub fn forward(&self, x: Tensor<3>, attend: Attend<'_, MixerState>) -> Tensor<3> {
        let Attend {
            bias,
            state,
            context,
        } = attend;
        match self {
            Self::Attention(mixer) => {
                let state = state.map(MixerState::attention);
                mixer.forward(
                    x,
                    Attend {
                        bias,
                        state,
                        context,
                    },
                )
            }
            Self::Gla(mixer) => mixer.mix(x, state.map(MixerState::linear)),
            Self::Retention(mixer) => mixer.forward(x, state.map(MixerState::linear)),
            Self::LinearAttention(mixer) => mixer.forward(x, state.map(MixerState::linear)),
            Self::Mamba(mixer) => mixer.forward(x, state.map(MixerState::mamba)),
        }
    }
}

impl MixerState {
    fn attention(&mut self) -> &mut KeyValueCache {
        match self {
            Self::Attention(cache) => cache,
            other => panic!("attention was given {other:?}"),
        }
    }

    fn linear(&mut self) -> &mut LinearAttentionState {
        match self {
            Self::Linear(state) => state,
            other => panic!("linear attention was given {other:?}"),
        }
    }

    fn mamba(&mut self) -> &mut MambaState {
        match self {
            Self::Mamba(state) => state,
            other => panic!("Mamba was given {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_do_not_suit() {
        let place = AttentionConfig {
            causal: true,
            ..AttentionConfig::new(12, 3)
        };
        let message = |mixer: TokenMixer, place| mixer.validate(&place).unwrap_err().to_string();
        for mixer in [
            TokenMixer::Gla,
            TokenMixer::Retention,
            TokenMixer::LinearAttention,
            TokenMixer::Mamba,
        ] {
            assert!(mixer.validate(&place).is_ok());
            let both_ways = AttentionConfig {
                causal: false,
                ..place
            };
            let expected = format!(
                "token_mixer = {}, but it must be attention where positions see those after them too",
                mixer.name()
            );
            assert_eq!(message(mixer, both_ways), expected);
            let shared = AttentionConfig {
                kv_heads: Some(1),
                ..place
            };
            assert!(message(mixer, shared).starts_with("kv_heads = 1"));
            let dropping = AttentionConfig {
                dropout: 0.5,
                ..place
            };
            assert!(message(mixer, dropping).starts_with("attention_dropout = 0.5"));
        }
        let turned = AttentionConfig {
            rotary: Some(Rotary { base: 10.0 }),
            ..place
        };
        assert!(TokenMixer::Retention.validate(&turned).is_ok());
        assert!(message(TokenMixer::Gla, turned).contains("positions are learned or none"));
    }

    #[test]
    fn the_width_of_a_head_is_that_of_its_keys() {
        let place = AttentionConfig {
            causal: true,
            head_width: Some(7),
            ..AttentionConfig::new(12, 3)
        };
        let AnyTokenMixer::Gla(mixer) = TokenMixer::Gla.init(&place, &Device::flex()).unwrap()
        else {
            unreachable!()
        };
        assert_eq!(mixer.heads.k.weight.dims(), [12, 21]);
        assert_eq!(mixer.heads.v.weight.dims(), [12, 12]);
    }
}
