//! Retention.

use super::{Heads, HeadsConfig, LinearAttentionState};
use crate::attention::Rotary;
use crate::error::{Result, check, check_positive};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_kernels::gated_recurrence::Decay;
use offprint_kernels::rotary;
use serde::{Deserialize, Serialize};

/// Configuration of a [`Retention`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// Sizes and initial values.
    pub heads: HeadsConfig,
    /// Rotary positions of queries and keys.
    #[serde(default = "positions")]
    pub rotary: Option<Rotary>,
}

fn positions() -> Option<Rotary> {
    Some(Rotary { base: 10_000.0 })
}

/// Linear attention whose state forgets at a fixed rate, another for each head: `S_t = γ_h S_{t−1} + k_tᵀ v_t` with
/// `γ_h = 1 − 2^{−5−h}`, `o_t = q_t S_t / √K`, queries and keys turned by rotary positions; then RMS norm of each head, SiLU
/// gate and output projection. Causal.
///
/// Source: Sun et al., "Retentive Network: A Successor to Transformer for Large Language Models", 2023.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::RetentionConfig;
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let layer = RetentionConfig::new(8, 2).init(&device)?;
/// assert_eq!(layer.forward(Tensor::ones([3, 5, 8], &device), None).dims(), [3, 5, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Retention {
    /// Projections, norm and output gate.
    pub heads: Heads,
    /// Rotary positions.
    #[module(skip)]
    pub rotary: Option<Rotary>,
}

impl RetentionConfig {
    /// RetNet's: keys of the whole width, values of twice the width.
    pub fn new(width: usize, heads: usize) -> Self {
        Self {
            heads: HeadsConfig::new(width, heads, 1.0, 2.0),
            rotary: positions(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// As [`HeadsConfig::validate`], or if rotary positions have an odd width of keys or a base that is not positive.
    pub fn validate(&self) -> Result<()> {
        self.heads.validate()?;
        let Some(rotary) = self.rotary else {
            return Ok(());
        };
        check_positive("base of rotary positions", rotary.base)?;
        let keys = self.heads.keys() / self.heads.heads;
        check(
            keys.is_multiple_of(2),
            "width of a head's keys",
            keys,
            "even, since rotary positions turn pairs",
        )
    }

    /// A layer with initial parameters.
    ///
    /// # Errors
    /// As [`RetentionConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Retention> {
        self.validate()?;
        Ok(Retention {
            heads: self.heads.init(device)?,
            rotary: self.rotary,
        })
    }
}

impl Retention {
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
        let first = state.as_ref().map_or(0, |state| state.position());
        let keys = self.heads.queries_and_keys(&x).map(|x| match self.rotary {
            Some(Rotary { base }) => rotary(x, base, first, false),
            None => x,
        });
        self.heads
            .mix(x, keys, Decay::retention(self.heads.heads), state)
    }
}
