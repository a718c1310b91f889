//! Softmax attention.

use crate::dropout::{Dropout, dropout};
use burn::tensor::{Bool, Device, Tensor, activation};

/// How [`attention`] weighs keys.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Attention {
    /// Query `i` of `q` sees key `j` of `k` only if `j − i ≤ k − q`: the last query sees all.
    pub causal: bool,
    /// Factor of the scores; `1/√dim` where absent.
    pub scale: Option<f32>,
    /// Dropout of the probabilities.
    pub dropout: Option<Dropout>,
}

/// `softmax(scale · q kᵀ + bias) v` for each head.
///
/// # Shapes
/// * `q`: `[batch, q_len, heads, dim]`
/// * `k`, `v`: `[batch, kv_len, kv_heads, dim]`, `heads` a multiple of `kv_heads`
/// * `bias`: `[batch or 1, heads or 1, q_len, kv_len]`
/// * result: `[batch, q_len, heads, dim]`
pub fn attention(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    bias: Option<Tensor<4>>,
    options: &Attention,
) -> Tensor<4> {
    composed(q, k, v, bias, options)
}

/// Causal or full self-attention of a packed projection.
///
/// # Shapes
/// * `qkv`: `[batch, len, (heads + 2 kv_heads) · dim]`: the heads of the queries, then keys, then values
/// * result: `[batch, len, heads · dim]`
pub fn attention_packed(
    qkv: Tensor<3>,
    heads: usize,
    kv_heads: usize,
    options: &Attention,
) -> Tensor<3> {
    let [batch, len, width] = qkv.dims();
    let all = heads + 2 * kv_heads;
    let dim = width / all;
    let x = qkv.reshape([batch, len, all, dim]);
    let q = x.clone().narrow(2, 0, heads);
    let k = x.clone().narrow(2, heads, kv_heads);
    let v = x.narrow(2, heads + kv_heads, kv_heads);
    composed(q, k, v, None, options).reshape([batch, len, heads * dim])
}

/// The same from Burn's primitives.
fn composed(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    bias: Option<Tensor<4>>,
    options: &Attention,
) -> Tensor<4> {
    let ([_, q_len, heads, dim], [_, kv_len, kv_heads, _]) = (q.dims(), k.dims());
    let repeat = heads / kv_heads;
    let spread = |x: Tensor<4>| {
        let [b, l, h, d] = x.dims();
        x.reshape([b, l, h, 1, d])
            .repeat_dim(3, repeat)
            .reshape([b, l, h * repeat, d])
            .swap_dims(1, 2)
    };
    let (q, k, v) = (q.swap_dims(1, 2), spread(k), spread(v));
    let scale = options.scale.unwrap_or(1.0 / (dim as f32).sqrt());
    let mut scores = q.matmul(k.swap_dims(2, 3)) * scale;
    if let Some(bias) = bias {
        scores = scores + bias;
    }
    if options.causal {
        let hidden = hidden(q_len, kv_len, &scores.device());
        scores = scores.mask_fill(hidden.unsqueeze::<4>(), f32::NEG_INFINITY);
    }
    let mut weights = activation::softmax(scores, 3);
    if let Some(options) = options.dropout {
        weights = dropout(weights, options);
    }
    weights.matmul(v).swap_dims(1, 2)
}

fn hidden(q_len: usize, kv_len: usize, device: &Device) -> Tensor<2, Bool> {
    Tensor::<2, Bool>::tril_mask([q_len, kv_len], kv_len as i64 - q_len as i64, device)
}
