//! Softmax attention, in memory that grows with the length and not with its square.

mod backward;
mod bias;
mod forward;
pub(crate) mod layout;
mod scores;
mod single;
mod slopes;
mod tile;

use crate::dropout::{Dropout, dropout};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, quaternary, runs_on, ternary, unary};
use burn::tensor::{Bool, DType, Tensor, activation};
use layout::{Layout, Sizes, Source, Target};
use scores::{Bias, Problem, Strides};
use slopes::Known;

/// How [`attention`] weighs keys.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Attention {
    /// Query `i` of `q_len` sees key `j` of `kv_len` only if `j − i ≤ kv_len − q_len`: the last query sees all.
    pub causal: bool,
    /// Factor of the scores; `1/√dim` where absent.
    pub scale: Option<f32>,
    /// Dropout of the probabilities: the same that [`dropout`](crate::dropout) gives a `[batch, heads, q_len, kv_len]` tensor.
    pub dropout: Option<Dropout>,
}

/// `softmax(scale · q kᵀ + bias) v` for each head; a query that sees no key, because all are hidden by `causal` or by a
/// bias of minus infinity, gives zeros and has no gradient.
///
/// The probabilities are never stored: the backward pass computes them again from the output and one number for each query
/// and head.
///
/// # Shapes
/// * `q`: `[batch, q_len, heads, dim]`
/// * `k`, `v`: `[batch, kv_len, kv_heads, dim]`; `heads` is a multiple of `kv_heads`, and neighboring heads share one of
///   keys and values
/// * `bias`: `[batch or 1, heads or 1, q_len or 1, kv_len]`, with a gradient of its own; see also [`padding_bias`]
/// * result: `[batch, q_len, heads, dim]`
///
/// # Panics
/// If the shapes do not fit together, or the probability of the dropout is not in `0..1`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::{Attention, attention};
/// let device = Device::flex();
/// // All scores are equal: the mean of the values.
/// let (q, k) = (Tensor::<4>::zeros([1, 1, 1, 2], &device), Tensor::ones([1, 2, 1, 2], &device));
/// let v = Tensor::<1>::from_data([1.0, 2.0, 3.0, 4.0], &device).reshape([1, 2, 1, 2]);
/// let y = attention(q, k, v, None, &Attention::default());
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [2.0, 3.0]);
/// ```
///
/// # Source
/// Dao et al., "FlashAttention: Fast and memory-efficient exact attention with IO-awareness", 2022; heads in groups:
/// Ainslie et al., "GQA", 2023.
pub fn attention(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    bias: Option<Tensor<4>>,
    options: &Attention,
) -> Tensor<4> {
    let ([batch, queries, heads, dim], [_, keys, kv_heads, _]) = (q.dims(), k.dims());
    assert!(
        k.dims() == [batch, keys, kv_heads, dim]
            && v.dims() == k.dims()
            && dim > 0
            && kv_heads > 0
            && heads.is_multiple_of(kv_heads),
        "attention of queries {:?} to keys {:?} with values {:?}",
        q.dims(),
        k.dims(),
        v.dims()
    );
    let sizes = Sizes {
        batch,
        queries,
        keys,
        heads,
        kv_heads,
        dim,
    };
    let bias_shape = bias.as_ref().map(Tensor::dims);
    if let Some([b, h, q, k]) = bias_shape {
        let fits = |length, whole| length == whole || length == 1;
        assert!(
            fits(b, batch) && fits(h, heads) && fits(q, queries) && k == keys,
            "bias {bias_shape:?} of an attention with scores {:?}",
            [batch, heads, queries, keys]
        );
    }
    let kernel = Softmax::new(sizes, options, bias_shape, false);
    if !runs_on(&q, &[DType::F32]) {
        return composed(q, k, v, bias, &kernel);
    }
    match bias {
        None => ternary(kernel, q, k, v),
        Some(bias) => quaternary(kernel, q, k, v, bias),
    }
}

/// Self-attention of a packed projection, without taking it apart.
///
/// # Shapes
/// * `qkv`: `[batch, len, (heads + 2 kv_heads) · dim]`: the heads of the queries, then keys, then values
/// * result: `[batch, len, heads · dim]`
///
/// # Panics
/// As [`attention`].
pub fn attention_packed(
    qkv: Tensor<3>,
    heads: usize,
    kv_heads: usize,
    options: &Attention,
) -> Tensor<3> {
    let [batch, len, width] = qkv.dims();
    let all = heads + 2 * kv_heads;
    assert!(
        kv_heads > 0 && heads.is_multiple_of(kv_heads) && width > 0 && width.is_multiple_of(all),
        "attention of {heads} heads with {kv_heads} heads of keys and values in a projection {:?}",
        qkv.dims()
    );
    let dim = width / all;
    let sizes = Sizes {
        batch,
        queries: len,
        keys: len,
        heads,
        kv_heads,
        dim,
    };
    let kernel = Softmax::new(sizes, options, None, true);
    if runs_on(&qkv, &[DType::F32]) {
        return unary(kernel, qkv);
    }
    let x = qkv.reshape([batch, len, all, dim]);
    let q = x.clone().narrow(2, 0, heads);
    let k = x.clone().narrow(2, heads, kv_heads);
    let v = x.narrow(2, heads + kv_heads, kv_heads);
    composed(q, k, v, None, &kernel).reshape([batch, len, heads * dim])
}

/// The bias that hides keys, as of the padding at the end of a sequence: minus infinity where `hidden`, else zero.
///
/// # Shapes
/// * `hidden`: `[batch, kv_len]`
/// * result: `[batch, 1, 1, kv_len]`
pub fn padding_bias(hidden: Tensor<2, Bool>) -> Tensor<4> {
    let [batch, keys] = hidden.dims();
    Tensor::<2>::zeros([batch, keys], &hidden.device())
        .mask_fill(hidden, f32::NEG_INFINITY)
        .reshape([batch, 1, 1, keys])
}

/// [`attention`] from Burn's primitives.
fn composed(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    bias: Option<Tensor<4>>,
    kernel: &Softmax,
) -> Tensor<4> {
    let s = kernel.sizes;
    let shape = [s.batch, s.heads, s.queries, s.keys];
    let repeat = s.heads / s.kv_heads;
    let spread = |x: Tensor<4>| {
        x.reshape([s.batch, s.keys, s.kv_heads, 1, s.dim])
            .repeat_dim(3, repeat)
            .reshape([s.batch, s.keys, s.heads, s.dim])
            .swap_dims(1, 2)
    };
    let (q, k, v) = (q.swap_dims(1, 2), spread(k), spread(v));
    let mut scores = q.matmul(k.swap_dims(2, 3)) * kernel.scale;
    if let Some(bias) = bias {
        scores = scores + bias;
    }
    if kernel.causal {
        let offset = s.keys as i64 - s.queries as i64;
        let hidden = Tensor::<2, Bool>::tril_mask([s.queries, s.keys], offset, &scores.device());
        scores = scores.mask_fill(hidden.unsqueeze::<4>(), f32::NEG_INFINITY);
    }
    let blind = scores
        .clone()
        .detach()
        .max_dim(3)
        .equal_elem(f32::NEG_INFINITY);
    let blind = blind.expand(shape);
    scores = scores.mask_fill(blind.clone(), 0.0);
    let mut weights = activation::softmax(scores, 3).mask_fill(blind, 0.0);
    if let Some(options) = kernel.dropout {
        weights = dropout(weights, options);
    }
    weights.matmul(v).swap_dims(1, 2)
}

#[derive(Debug)]
struct Softmax {
    sizes: Sizes,
    scale: f32,
    causal: bool,
    dropout: Option<Dropout>,
    bias: Option<[usize; 4]>,
    packed: bool,
}

impl Softmax {
    fn new(sizes: Sizes, options: &Attention, bias: Option<[usize; 4]>, packed: bool) -> Self {
        if let Some(Dropout { probability, .. }) = options.dropout {
            assert!(
                (0.0..1.0).contains(&probability),
                "dropout of {probability}, allowed is 0..1"
            );
        }
        Self {
            sizes,
            scale: options.scale.unwrap_or(1.0 / (sizes.dim as f32).sqrt()),
            causal: options.causal,
            dropout: options.dropout,
            bias,
            packed,
        }
    }

    fn problem<'a>(&self, inputs: &'a [Array]) -> Problem<'a> {
        Problem {
            sizes: self.sizes,
            scale: self.scale,
            causal: self.causal,
            bias: self.bias.map(|shape| Bias {
                values: inputs[3].f32(),
                strides: Strides::new(shape),
            }),
            dropout: self.dropout,
        }
    }

    /// Where queries, keys and values lie.
    fn layouts(&self) -> [Layout; 3] {
        let s = self.sizes;
        if self.packed {
            let all = s.heads + 2 * s.kv_heads;
            [0, s.heads, s.heads + s.kv_heads].map(|first| Layout::part(s.keys, all, first, s.dim))
        } else {
            let keys = Layout::dense(s.keys, s.kv_heads, s.dim);
            [Layout::dense(s.queries, s.heads, s.dim), keys, keys]
        }
    }

    fn sources<'a>(&self, inputs: &'a [Array]) -> [Source<'a>; 3] {
        let array = |index: usize| inputs[if self.packed { 0 } else { index }].f32();
        let [q, k, v] = self.layouts();
        [(0, q), (1, k), (2, v)].map(|(index, layout)| Source {
            values: array(index),
            layout,
        })
    }
}

impl Kernel for Softmax {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let s = self.sizes;
        let mut y = Buffer::new(s.batch * s.queries * s.heads * s.dim);
        let mut lse = Buffer::new(s.batch * s.heads * s.queries);
        let pass = if s.queries == 1 && self.dropout.is_none() {
            single::forward
        } else {
            forward::forward
        };
        let target = Target::new(&mut y, Layout::dense(s.queries, s.heads, s.dim));
        pass(
            &self.problem(inputs),
            self.sources(inputs),
            target,
            &mut lse,
        );
        let y = if self.packed {
            Array::from_buffer(y, [s.batch, s.queries, s.heads * s.dim])
        } else {
            Array::from_buffer(y, [s.batch, s.queries, s.heads, s.dim])
        };
        let lse = Array::from_buffer(lse, [s.batch, s.heads, s.queries]);
        (y, vec![lse])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let problem = self.problem(pass.inputs);
        let [q, k, v] = self.sources(pass.inputs);
        let layout = Layout::dense(self.sizes.queries, self.sizes.heads, self.sizes.dim);
        let known = Known {
            q,
            k,
            v,
            y: Source {
                values: pass.saved[0].f32(),
                layout,
            },
            dy: Source {
                values: pass.dy.f32(),
                layout,
            },
            lse: pass.saved[1].f32(),
        };
        let like = |input: &Array| Buffer::new(input.f32().len());
        let inputs = if self.packed { 1 } else { 3 };
        let mut gradients = vec![None; pass.inputs.len()];
        if pass.wanted[..inputs].contains(&true) {
            let mut buffers: Vec<Buffer> = pass.inputs[..inputs].iter().map(like).collect();
            let targets = match &mut buffers[..] {
                [all] => {
                    let all = Target::new(all, q.layout);
                    [all, all.with(k.layout), all.with(v.layout)]
                }
                [dq, dk, dv] => [
                    Target::new(dq, q.layout),
                    Target::new(dk, k.layout),
                    Target::new(dv, v.layout),
                ],
                _ => unreachable!("one input or three"),
            };
            backward::backward(&problem, known, targets);
            for (index, buffer) in buffers.into_iter().enumerate() {
                gradients[index] = Some(Array::from_buffer(buffer, pass.inputs[index].shape()));
            }
        }
        if let Some(shape) = self.bias.filter(|_| pass.wanted[3]) {
            let mut buffer = like(&pass.inputs[3]);
            bias::backward(&problem, known, shape, &mut buffer);
            gradients[3] = Some(Array::from_buffer(buffer, shape));
        }
        gradients
    }
}

#[cfg(test)]
mod tests;
