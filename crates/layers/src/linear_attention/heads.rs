//! What the linear attentions share: projections, a norm of each head, an output gate.

use crate::error::{Result, check, check_multiple, check_positive, check_sizes};
use crate::init::{Init, ones};
use crate::linear::{Linear, LinearConfig};
use crate::norm::RmsNorm;
use crate::quantizer::Quantizer;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_kernels::gated_recurrence::{
    Decay, Sequence, chunked, chunked_with_state, recurrent_with_state,
};
use offprint_kernels::{Activation, rms_norm};
use serde::{Deserialize, Serialize};

/// Sizes and initial values of the projections of a linear attention.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadsConfig {
    /// Width of input and output.
    pub width: usize,
    /// Number of heads.
    pub heads: usize,
    /// Width of all keys over `width`.
    pub expand_k: f64,
    /// Width of all values over `width`.
    pub expand_v: f64,
    /// Added to the mean square in the norm of the heads.
    #[serde(default = "epsilon")]
    pub norm_epsilon: f32,
    /// Whether queries, keys, values and output gate have biases.
    #[serde(default)]
    pub bias: bool,
    /// Whether the output has a bias.
    #[serde(default)]
    pub output_bias: bool,
    /// Initial values.
    #[serde(default)]
    pub init: Init,
    /// Initial values of the layer that writes to the output.
    #[serde(default)]
    pub output_init: Init,
    /// What the weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

fn epsilon() -> f32 {
    1e-5
}

/// Queries, keys, values and output gate of each head, the norm of what a head gives, and the projection back.
#[derive(Module, Debug)]
pub struct Heads {
    /// `[width, heads · keys]`.
    pub q: Linear,
    /// `[width, heads · keys]`.
    pub k: Linear,
    /// `[width, heads · values]`.
    pub v: Linear,
    /// The output gate, `[width, heads · values]`.
    pub gate: Linear,
    /// Of each head's values, `[values]`.
    pub norm: RmsNorm,
    /// `[heads · values, width]`.
    pub output: Linear,
    /// Number of heads.
    pub heads: usize,
}

/// What a linear attention remembers: a matrix for each head, however long the sequence.
#[derive(Clone, Debug, Default)]
pub struct LinearAttentionState {
    /// `[batch, heads, keys, values]`; zeros where absent.
    matrix: Option<Tensor<4>>,
    position: usize,
}

impl LinearAttentionState {
    /// The state after `position` positions.
    pub fn new(matrix: Tensor<4>, position: usize) -> Self {
        Self {
            matrix: Some(matrix),
            position,
        }
    }

    /// `[batch, heads, keys, values]`; nothing before the first position.
    pub fn matrix(&self) -> Option<&Tensor<4>> {
        self.matrix.as_ref()
    }

    /// Number of positions seen.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl HeadsConfig {
    /// Without biases, with PyTorch's initial values, not quantized.
    pub fn new(width: usize, heads: usize, expand_k: f64, expand_v: f64) -> Self {
        Self {
            width,
            heads,
            expand_k,
            expand_v,
            norm_epsilon: epsilon(),
            bias: false,
            output_bias: false,
            init: Init::default(),
            output_init: Init::default(),
            quantizer: Quantizer::default(),
        }
    }

    /// Width of all keys.
    pub fn keys(&self) -> usize {
        (self.width as f64 * self.expand_k).round() as usize
    }

    /// Width of all values.
    pub fn values(&self) -> usize {
        (self.width as f64 * self.expand_v).round() as usize
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a size is 0, an expansion gives no whole number of channels or one that the heads do not divide, or a number is
    /// out of its range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("width", self.width), ("heads", self.heads)])?;
        for (name, expand, channels) in [
            ("expand_k", self.expand_k, self.keys()),
            ("expand_v", self.expand_v, self.values()),
        ] {
            let exact = self.width as f64 * expand;
            check(
                expand > 0.0 && exact <= 1e9 && (exact - channels as f64).abs() < 1e-6,
                name,
                expand,
                "above 0 and such that width times it is a whole number",
            )?;
        }
        check_multiple("width · expand_k", self.keys(), "heads", self.heads)?;
        check_multiple("width · expand_v", self.values(), "heads", self.heads)?;
        check_positive("norm_epsilon", self.norm_epsilon)?;
        self.init.validate()?;
        self.output_init.validate()?;
        self.quantizer.validate()
    }

    /// The projections with initial parameters.
    ///
    /// # Errors
    /// As [`HeadsConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Heads> {
        self.validate()?;
        let linear = |output| self.linear(output).init(device);
        Ok(Heads {
            q: linear(self.keys())?,
            k: linear(self.keys())?,
            v: linear(self.values())?,
            gate: linear(self.values())?,
            norm: RmsNorm {
                weight: ones([self.values() / self.heads], device),
                epsilon: self.norm_epsilon,
            },
            output: LinearConfig {
                bias: self.output_bias,
                init: self.output_init,
                quantizer: self.quantizer,
                ..LinearConfig::new(self.values(), self.width)
            }
            .init(device)?,
            heads: self.heads,
        })
    }

    fn linear(&self, output: usize) -> LinearConfig {
        LinearConfig {
            bias: self.bias,
            init: self.init,
            quantizer: self.quantizer,
            ..LinearConfig::new(self.width, output)
        }
    }
}

impl Heads {
    /// `[batch, length, heads · n]` by head.
    pub(super) fn by_head(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, length, all] = x.dims();
        x.reshape([batch, length, self.heads, all / self.heads])
    }

    /// Queries and keys by head.
    pub(super) fn queries_and_keys(&self, x: &Tensor<3>) -> [Tensor<4>; 2] {
        [&self.q, &self.k].map(|linear| self.by_head(linear.forward(x.clone())))
    }

    /// The recurrence from the state on, then norm, gate and projection.
    pub(super) fn mix(
        &self,
        x: Tensor<3>,
        [q, k]: [Tensor<4>; 2],
        decay: Decay,
        state: Option<&mut LinearAttentionState>,
    ) -> Tensor<3> {
        let [_, length, _] = x.dims();
        let v = self.by_head(self.v.forward(x.clone()));
        let mut sequence = Sequence::new(q, k, v, decay);
        let o = match state {
            None => chunked(sequence),
            Some(state) => {
                sequence.state = state.matrix.take();
                let (o, matrix) = match length {
                    1 => recurrent_with_state(sequence),
                    _ => chunked_with_state(sequence),
                };
                state.matrix = Some(matrix);
                state.position += length;
                o
            }
        };
        let o = rms_norm(o, self.norm.weight.val(), self.norm.epsilon).flatten::<3>(2, 3);
        self.output
            .forward(o * self.gate.activated(x, Activation::Silu))
    }
}
