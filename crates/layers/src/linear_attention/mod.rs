//! Linear attention: a state for each head in place of all keys and values, with and without a decay.

mod gated;
mod heads;
mod retention;

pub use gated::{GatedLinearAttention, GatedLinearAttentionConfig};
pub use heads::{Heads, HeadsConfig, LinearAttentionState};
pub use retention::{Retention, RetentionConfig};

use crate::error::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use offprint_kernels::gated_recurrence::Decay;
use serde::{Deserialize, Serialize};

/// What queries and keys go through, element by element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureMap {
    /// Nothing.
    #[default]
    Identity,
    /// `elu(x) + 1`, which is positive.
    Elu,
    /// `max(0, x)`.
    Relu,
}

impl FeatureMap {
    /// The map of each element.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Identity => x,
            Self::Elu => activation::elu(x, 1.0) + 1.0,
            Self::Relu => activation::relu(x),
        }
    }
}

/// Configuration of a [`LinearAttention`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearAttentionConfig {
    /// Sizes and initial values.
    pub heads: HeadsConfig,
    /// What queries and keys go through.
    #[serde(default)]
    pub feature_map: FeatureMap,
}

/// Linear attention without a decay: `S_t = S_{t−1} + φ(k_t)ᵀ v_t`, `o_t = φ(q_t) S_t / √K`, then RMS norm of each head, SiLU
/// gate and output projection, as in [`GatedLinearAttention`]. Causal.
///
/// Source: Katharopoulos et al., "Transformers are RNNs", 2020; the norm in place of their denominator: Qin et al., "The
/// Devil in Linear Transformer", 2022.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::LinearAttentionConfig;
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let layer = LinearAttentionConfig::new(8, 2).init(&device)?;
/// assert_eq!(layer.forward(Tensor::ones([3, 5, 8], &device), None).dims(), [3, 5, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct LinearAttention {
    /// Projections, norm and output gate.
    pub heads: Heads,
    /// `φ`.
    #[module(skip)]
    pub feature_map: FeatureMap,
}

impl LinearAttentionConfig {
    /// Keys of half the width, as in GLA, and values of the whole width.
    pub fn new(width: usize, heads: usize) -> Self {
        Self {
            heads: HeadsConfig::new(width, heads, 0.5, 1.0),
            feature_map: FeatureMap::default(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// As [`HeadsConfig::validate`].
    pub fn validate(&self) -> Result<()> {
        self.heads.validate()
    }

    /// A layer with initial parameters.
    ///
    /// # Errors
    /// As [`HeadsConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<LinearAttention> {
        Ok(LinearAttention {
            heads: self.heads.init(device)?,
            feature_map: self.feature_map,
        })
    }
}

impl LinearAttention {
    /// What each position takes from itself and those before it; from those in the state too, if there is one.
    ///
    /// # Shapes
    /// * `x`, result: `[batch, length, width]`
    ///
    /// # Panics
    /// If `x` has another width, or the state another shape.
    pub fn forward(&self, x: Tensor<3>, state: Option<&mut LinearAttentionState>) -> Tensor<3> {
        if x.dims()[1] == 0 {
            return x;
        }
        let keys = self.heads.queries_and_keys(&x);
        let keys = keys.map(|x| self.feature_map.forward(x));
        self.heads.mix(x, keys, Decay::None, state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::LayersError;
    use crate::testing::{assert_all_learn, assert_values, device, tensor};

    type Forward<'a> = Box<dyn Fn(Tensor<3>, Option<&mut LinearAttentionState>) -> Tensor<3> + 'a>;

    fn assert_incremental(forward: Forward<'_>) {
        let x = tensor([2, 40, 12], 1);
        let whole = forward(x.clone(), None);
        let mut state = LinearAttentionState::default();
        for (first, length) in [(0, 17), (17, 1), (18, 1), (19, 21)] {
            let y = forward(x.clone().narrow(1, first, length), Some(&mut state));
            let expected = whole.clone().narrow(1, first, length);
            assert!((y - expected).abs().max().into_scalar::<f32>() < 1e-4);
            assert_eq!(state.position(), first + length);
        }
        assert_eq!(state.matrix().unwrap().dims(), [2, 3, 2, 4]);
        assert_eq!(forward(tensor([2, 0, 12], 1), None).dims(), [2, 0, 12]);
    }

    #[test]
    fn pieces_with_a_state_are_the_whole_sequence() {
        let device = device();
        let plain = LinearAttentionConfig::new(12, 3).init(&device).unwrap();
        assert_incremental(Box::new(|x, state| plain.forward(x, state)));
        let gated = GatedLinearAttentionConfig::new(12, 3)
            .init(&device)
            .unwrap();
        assert_incremental(Box::new(|x, state| match state {
            Some(state) => gated.forward_with_state(x, state),
            None => gated.forward(x),
        }));
        let mut config = RetentionConfig::new(12, 3);
        (config.heads.expand_k, config.heads.expand_v) = (0.5, 1.0);
        let retention = config.init(&device).unwrap();
        assert_incremental(Box::new(|x, state| retention.forward(x, state)));
    }

    #[test]
    fn every_parameter_learns() {
        let (device, x, cotangent) = (device(), || tensor([2, 9, 12], 1), tensor([2, 9, 12], 2));
        let layer = LinearAttentionConfig::new(12, 3).init(&device).unwrap();
        let y = layer.forward(x(), None);
        assert_all_learn(&layer, &(y * cotangent.clone()).sum().backward());
        let layer = GatedLinearAttentionConfig::new(12, 3)
            .init(&device)
            .unwrap();
        let y = layer.forward(x());
        assert_all_learn(&layer, &(y * cotangent.clone()).sum().backward());
        let layer = RetentionConfig::new(12, 3).init(&device).unwrap();
        let y = layer.forward(x(), None);
        assert_all_learn(&layer, &(y * cotangent).sum().backward());
    }

    #[test]
    fn feature_maps() {
        let x = || Tensor::<1>::from_data([-1.0, 0.0, 2.0], &device());
        assert_values(FeatureMap::Identity.forward(x()), &[-1.0, 0.0, 2.0]);
        assert_values(FeatureMap::Elu.forward(x()), &[(-1.0_f64).exp(), 1.0, 3.0]);
        assert_values(FeatureMap::Relu.forward(x()), &[0.0, 0.0, 2.0]);
    }

    #[test]
    fn a_step_is_a_sequence_of_one() {
        let layer = GatedLinearAttentionConfig::new(12, 3)
            .init(&device())
            .unwrap();
        let x = tensor([2, 5, 12], 1);
        let whole = layer.forward(x.clone());
        let mut state = LinearAttentionState::default();
        for t in 0..5 {
            let y = layer.step(x.clone().narrow(1, t, 1).squeeze_dim(1), &mut state);
            let expected = whole.clone().narrow(1, t, 1).squeeze_dim(1);
            assert!((y - expected).abs().max().into_scalar::<f32>() < 1e-5);
        }
    }

    #[test]
    fn settings_out_of_range() {
        let config = HeadsConfig::new(12, 3, 0.5, 1.0);
        for (config, expected) in [
            (
                HeadsConfig { heads: 0, ..config },
                "heads = 0, but it must be at least 1",
            ),
            (
                HeadsConfig { heads: 4, ..config },
                "width · expand_k = 6, but it must be a multiple of heads = 4",
            ),
            (
                HeadsConfig {
                    expand_v: 0.5,
                    heads: 4,
                    expand_k: 1.0,
                    ..config
                },
                "width · expand_v = 6, but it must be a multiple of heads = 4",
            ),
            (
                HeadsConfig {
                    expand_k: 0.3,
                    ..config
                },
                "expand_k = 0.3, but it must be above 0 and such that width times it is a whole number",
            ),
            (
                HeadsConfig {
                    expand_v: f64::NAN,
                    ..config
                },
                "expand_v = NaN, but it must be above 0 and such that width times it is a whole number",
            ),
            (
                HeadsConfig {
                    norm_epsilon: 0.0,
                    ..config
                },
                "norm_epsilon = 0, but it must be a positive finite number",
            ),
        ] {
            assert_eq!(config.validate().unwrap_err().to_string(), expected);
        }
        let gated = GatedLinearAttentionConfig::new(12, 3);
        let message =
            |config: GatedLinearAttentionConfig| -> LayersError { config.validate().unwrap_err() };
        assert_eq!(
            message(GatedLinearAttentionConfig {
                gate_logit_normalizer: 0.0,
                ..gated
            })
            .to_string(),
            "gate_logit_normalizer = 0, but it must be a positive finite number"
        );
        assert_eq!(
            message(GatedLinearAttentionConfig {
                gate_rank: 0,
                ..gated
            })
            .to_string(),
            "gate_rank = 0, but it must be at least 1"
        );
        let mut retention = RetentionConfig::new(12, 4);
        assert_eq!(
            retention.validate().unwrap_err().to_string(),
            "width of a head's keys = 3, but it must be even, since rotary positions turn pairs"
        );
        retention.rotary = None;
        assert!(retention.validate().is_ok());
    }
}
