//! The token-mixer slot: how the positions of a sequence learn of each other.
//!
//! A mixer that is added is a variant of each of the three enums here; the match arms say what it needs.

use crate::attention::{Attend, AttentionConfig, KeyValueCache, SelfAttention};
use crate::error::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The token-mixer slot; in TOML `token_mixer = "attention"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenMixer {
    /// See [`SelfAttention`].
    #[default]
    Attention,
}

/// Any of the token mixers.
#[derive(Module, Debug)]
pub enum AnyTokenMixer {
    /// See [`SelfAttention`].
    Attention(SelfAttention),
}

/// What a token mixer remembers of the positions before.
#[derive(Clone, Debug)]
pub enum MixerState {
    /// Of [`SelfAttention`].
    Attention(KeyValueCache),
}

impl TokenMixer {
    /// Checks the settings of a place in a backbone, given as those of an attention there.
    ///
    /// # Errors
    /// If a setting does not suit the mixer.
    pub fn validate(self, place: &AttentionConfig) -> Result<()> {
        match self {
            Self::Attention => place.validate(),
        }
    }

    /// A mixer for that place with initial parameters.
    ///
    /// # Errors
    /// As [`TokenMixer::validate`].
    pub fn init(self, place: &AttentionConfig, device: &Device) -> Result<AnyTokenMixer> {
        Ok(match self {
            Self::Attention => AnyTokenMixer::Attention(place.init(device)?),
        })
    }
}

impl AnyTokenMixer {
    /// What it remembers before the first position.
    pub fn state(&self) -> MixerState {
        match self {
            Self::Attention(_) => MixerState::Attention(KeyValueCache::default()),
        }
    }

    /// Mixes the positions; those after the ones in the state, if there is one.
    ///
    /// # Shapes
    /// * `x`, result: `[batch, length, width]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward(&self, x: Tensor<3>, attend: Attend<'_, MixerState>) -> Tensor<3> {
        let Attend {
            bias,
            state,
            context,
        } = attend;
        match self {
            Self::Attention(mixer) => {
                let state = state.map(|MixerState::Attention(cache)| cache);
                mixer.forward(
                    x,
                    Attend {
                        bias,
                        state,
                        context,
                    },
                )
            }
        }
    }
}
