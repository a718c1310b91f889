//! Self-attention.

use super::{KeyValueCache, Rotary};
use crate::context::Context;
use crate::dropout::Dropout;
use crate::linear::Linear;
use burn::module::Module;
use burn::tensor::Tensor;
use offprint_kernels::{Attention, attention, attention_packed, rotary_packed};

/// `softmax(q kᵀ / √dim) v` in each head, of linear projections `q`, `k`, `v` of the input, then an output projection.
///
/// Source: Vaswani et al., "Attention Is All You Need", 2017; grouped queries: Ainslie et al., "GQA: Training Generalized
/// Multi-Query Transformer Models from Multi-Head Checkpoints", 2023.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::{Attend, AttentionConfig, Rotary};
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let layer = AttentionConfig {
///     kv_heads: Some(1),
///     causal: true,
///     rotary: Some(Rotary { base: 10000.0 }),
///     ..AttentionConfig::new(8, 2)
/// }
/// .init(&device)?;
/// let y = layer.forward(Tensor::ones([3, 5, 8], &device), Attend::default());
/// assert_eq!(y.dims(), [3, 5, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// Queries, keys and values, `[width, (heads + 2 kv_heads) · head_width]`.
    pub qkv: Linear,
    /// `[heads · head_width, width]`.
    pub output: Linear,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Whether a position sees only itself and those before it.
    pub causal: bool,
    /// Rotary positions.
    #[module(skip)]
    pub rotary: Option<Rotary>,
    /// Dropout of the probabilities.
    pub dropout: Dropout,
}

/// What an attention, or another token mixer, is given besides its input.
#[derive(Debug)]
pub struct Attend<'a, S = KeyValueCache> {
    /// Added to the scores, `[batch or 1, heads or 1, length or 1, keys]`; see [`padding_bias`](crate::padding_bias).
    pub bias: Option<&'a Tensor<4>>,
    /// What was seen before this input, to which the input is added.
    pub state: Option<&'a mut S>,
    /// Training or evaluation.
    pub context: Context,
}

impl<S> Default for Attend<'_, S> {
    fn default() -> Self {
        Self {
            bias: None,
            state: None,
            context: Context::EVALUATION,
        }
    }
}

impl SelfAttention {
    /// The attention of each position to those it sees; of the positions after those in the cache, if there is one.
    ///
    /// # Shapes
    /// * `x`, result: `[batch, length, width]`
    ///
    /// # Panics
    /// If `x` has another width or the bias does not fit.
    pub fn forward(&self, x: Tensor<3>, attend: Attend<'_>) -> Tensor<3> {
        let options = Attention {
            causal: self.causal,
            scale: None,
            dropout: self.dropout.draw(attend.context),
        };
        let qkv = self.qkv.forward(x);
        let y = match attend {
            Attend {
                bias: None,
                state: None,
                ..
            } => {
                let qkv = match self.rotary {
                    Some(Rotary { base }) => rotary_packed(qkv, self.heads, self.kv_heads, base, 0),
                    None => qkv,
                };
                attention_packed(qkv, self.heads, self.kv_heads, &options)
            }
            Attend { bias, state, .. } => self.apart(qkv, bias.cloned(), state, &options),
        };
        self.output.forward(y)
    }

    /// The attention of a packed projection with a bias or a cache.
    fn apart(
        &self,
        qkv: Tensor<3>,
        bias: Option<Tensor<4>>,
        cache: Option<&mut KeyValueCache>,
        options: &Attention,
    ) -> Tensor<3> {
        let [batch, length, width] = qkv.dims();
        let (heads, kv_heads) = (self.heads, self.kv_heads);
        let all = heads + 2 * kv_heads;
        let dim = width / all;
        let first = cache.as_ref().map_or(0, |cache| cache.len());
        let qkv = match self.rotary {
            Some(Rotary { base }) => rotary_packed(qkv, heads, kv_heads, base, first),
            None => qkv,
        }
        .reshape([batch, length, all, dim]);
        let q = qkv.clone().narrow(2, 0, heads);
        let mut k = qkv.clone().narrow(2, heads, kv_heads);
        let mut v = qkv.narrow(2, heads + kv_heads, kv_heads);
        if let Some(cache) = cache {
            (k, v) = cache.append(k, v);
        }
        attention(q, k, v, bias, options).reshape([batch, length, heads * dim])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::{AttentionConfig, padding_bias};
    use crate::testing::{assert_all_learn, device, tensor};

    fn layer() -> SelfAttention {
        AttentionConfig {
            kv_heads: Some(2),
            head_width: Some(6),
            causal: true,
            rotary: Some(Rotary { base: 100.0 }),
            ..AttentionConfig::new(12, 4)
        }
        .init(&device())
        .unwrap()
    }

    fn difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
        (a - b).abs().max().into_scalar::<f32>()
    }

    #[test]
    fn cached_and_uncached_agree() {
        let (layer, x) = (layer(), tensor([2, 7, 12], 1));
        let whole = layer.forward(x.clone(), Attend::default());
        let mut cache = KeyValueCache::default();
        assert!(cache.is_empty());
        for (first, length) in [(0, 3), (3, 1), (4, 1), (5, 2)] {
            let y = layer.forward(
                x.clone().narrow(1, first, length),
                Attend {
                    state: Some(&mut cache),
                    ..Attend::default()
                },
            );
            assert_eq!(cache.len(), first + length);
            let expected = whole.clone().narrow(1, first, length);
            assert!(difference(y, expected) < 1e-5);
        }
    }

    #[test]
    fn causal() {
        let (layer, x) = (layer(), tensor([1, 5, 12], 1));
        let other = Tensor::cat(vec![x.clone().narrow(1, 0, 3), tensor([1, 2, 12], 9)], 1);
        let y = layer.forward(x, Attend::default());
        let z = layer.forward(other, Attend::default());
        assert_eq!(
            difference(y.clone().narrow(1, 0, 3), z.clone().narrow(1, 0, 3)),
            0.0
        );
        assert!(difference(y.narrow(1, 3, 2), z.narrow(1, 3, 2)) > 1e-3);
    }

    #[test]
    fn padding_is_not_seen() {
        let layer = AttentionConfig::new(12, 3).init(&device()).unwrap();
        let x = tensor([1, 5, 12], 1);
        let present = Tensor::<2, burn::tensor::Int>::from_data([[1, 1, 1, 0, 0]], &device());
        let bias = padding_bias(present.equal_elem(1));
        let attend = || Attend {
            bias: Some(&bias),
            ..Attend::default()
        };
        let padded = layer.forward(x.clone(), attend()).narrow(1, 0, 3);
        let alone = layer.forward(x.narrow(1, 0, 3), Attend::default());
        assert!(difference(padded, alone) < 1e-5);
    }

    #[test]
    fn every_parameter_learns() {
        let layer = layer();
        let y = layer.forward(tensor([2, 5, 12], 1), Attend::default());
        let grads = (y * tensor([2, 5, 12], 2)).sum().backward();
        assert_all_learn(&layer, &grads);
    }

    #[test]
    fn settings_out_of_range() {
        let config = AttentionConfig::new(12, 4);
        for (config, expected) in [
            (
                AttentionConfig::new(12, 5),
                "width = 12, but it must be a multiple of heads = 5",
            ),
            (
                AttentionConfig {
                    kv_heads: Some(3),
                    ..config
                },
                "heads = 4, but it must be a multiple of kv_heads = 3",
            ),
            (
                AttentionConfig {
                    rotary: Some(Rotary { base: 100.0 }),
                    ..config
                },
                "width of a head = 3, but it must be even, since rotary positions turn pairs",
            ),
            (
                AttentionConfig {
                    dropout: 1.0,
                    ..config
                },
                "dropout = 1, but it must be at least 0 and below 1",
            ),
        ] {
            assert_eq!(config.validate().unwrap_err().to_string(), expected);
        }
    }
}
