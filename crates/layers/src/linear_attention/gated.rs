//! Gated linear attention.

use super::{Heads, HeadsConfig, LinearAttentionState};
use crate::error::{Result, check_positive, check_sizes};
use crate::linear::{Linear, LinearConfig};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_kernels::gated_recurrence::Decay;
use offprint_kernels::log_sigmoid;
use serde::{Deserialize, Serialize};

/// Configuration of a [`GatedLinearAttention`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatedLinearAttentionConfig {
    /// Sizes and initial values.
    pub heads: HeadsConfig,
    /// Width between the two matrices of the forget gate.
    #[serde(default = "rank")]
    pub gate_rank: usize,
    /// `τ`: divides the logarithm of the forget gate, so that it starts near 1.
    #[serde(default = "normalizer")]
    pub gate_logit_normalizer: f32,
}

fn rank() -> usize {
    16
}

fn normalizer() -> f32 {
    16.0
}

/// Linear attention whose state forgets, channel by channel, as the input says:
/// `α_t = σ(x_t W₁ W₂ + b)^{1/τ}`, `S_t = diag(α_t) S_{t−1} + k_tᵀ v_t`, `o_t = q_t S_t / √K`, then RMS norm of each head, times
/// `SiLU(x_t W_g)`, and the output projection. Causal, without positions: the gate tells near from far.
///
/// Source: Yang et al., "Gated Linear Attention Transformers with Hardware-Efficient Training", 2023, section 4.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::{GatedLinearAttentionConfig, LinearAttentionState};
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let layer = GatedLinearAttentionConfig::new(8, 2).init(&device)?;
/// let x = Tensor::<3>::ones([3, 5, 8], &device);
/// assert_eq!(layer.forward(x.clone()).dims(), [3, 5, 8]);
/// // The same position by position, in constant memory.
/// let mut state = LinearAttentionState::default();
/// let y = layer.step(x.narrow(1, 0, 1).squeeze_dim(1), &mut state);
/// assert_eq!((y.dims(), state.position()), ([3, 8], 1));
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct GatedLinearAttention {
    /// Projections, norm and output gate.
    pub heads: Heads,
    /// `W₁`, `[width, gate_rank]`, no bias.
    pub forget_down: Linear,
    /// `W₂` and `b`, `[gate_rank, heads · keys]`.
    pub forget_up: Linear,
    /// `τ`.
    pub gate_logit_normalizer: f32,
}

impl GatedLinearAttentionConfig {
    /// The paper's: keys of half the width, values of the whole width, a gate of rank 16, `τ = 16`.
    pub fn new(width: usize, heads: usize) -> Self {
        Self {
            heads: HeadsConfig::new(width, heads, 0.5, 1.0),
            gate_rank: rank(),
            gate_logit_normalizer: normalizer(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// As [`HeadsConfig::validate`], or if the rank of the gate is 0 or `τ` not positive.
    pub fn validate(&self) -> Result<()> {
        self.heads.validate()?;
        check_sizes([("gate_rank", self.gate_rank)])?;
        check_positive("gate_logit_normalizer", self.gate_logit_normalizer)
    }

    /// A layer with initial parameters.
    ///
    /// # Errors
    /// As [`GatedLinearAttentionConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<GatedLinearAttention> {
        self.validate()?;
        let linear = |input, output, bias| {
            LinearConfig {
                bias,
                init: self.heads.init,
                quantizer: self.heads.quantizer,
                ..LinearConfig::new(input, output)
            }
            .init(device)
        };
        Ok(GatedLinearAttention {
            heads: self.heads.init(device)?,
            forget_down: linear(self.heads.width, self.gate_rank, false)?,
            forget_up: linear(self.gate_rank, self.heads.keys(), true)?,
            gate_logit_normalizer: self.gate_logit_normalizer,
        })
    }
}

impl GatedLinearAttention {
    /// What each position takes from itself and those before it, in chunks: for training.
    ///
    /// # Shapes
    /// * `x`, result: `[batch, length, width]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.mix(x, None)
    }

    /// [`GatedLinearAttention::forward`] of the positions that follow those in the state.
    ///
    /// # Panics
    /// If `x` has another width, or the state another shape.
    pub fn forward_with_state(&self, x: Tensor<3>, state: &mut LinearAttentionState) -> Tensor<3> {
        self.mix(x, Some(state))
    }

    /// The position that follows those in the state.
    ///
    /// # Shapes
    /// * `x`, result: `[batch, width]`
    ///
    /// # Panics
    /// As [`GatedLinearAttention::forward_with_state`].
    pub fn step(&self, x: Tensor<2>, state: &mut LinearAttentionState) -> Tensor<2> {
        self.mix(x.unsqueeze_dim(1), Some(state)).squeeze_dim(1)
    }

    pub(crate) fn mix(&self, x: Tensor<3>, state: Option<&mut LinearAttentionState>) -> Tensor<3> {
        if x.dims()[1] == 0 {
            return x;
        }
        let keys = self.heads.queries_and_keys(&x);
        let logits = self.forget_up.forward(self.forget_down.forward(x.clone()));
        let decay = log_sigmoid(logits, self.gate_logit_normalizer.recip());
        let decay = Decay::Channels(self.heads.by_head(decay));
        self.heads.mix(x, keys, decay, state)
    }
}
