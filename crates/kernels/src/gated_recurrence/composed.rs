//! The recurrence from Burn's primitives: position by position, and all positions at once.

use super::{Decay, Sequence};
use crate::matmul::matmul;
use burn::tensor::{Int, Tensor, TensorData};

/// Sum of log decays from which on the parallel form loses its numbers: `e^80` is near the largest float.
const LIMIT: f32 = -80.0;

/// The decay of a sequence is more than the parallel form can divide by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overflow {
    /// The smallest sum of log decays.
    pub sum: f32,
}

impl std::fmt::Display for Overflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "sum of log decays = {}, but the parallel form allows at least {LIMIT}; the chunked form has no limit",
            self.sum
        )
    }
}

impl std::error::Error for Overflow {}

/// The recurrence for all positions at once: `((q e^B) (k e^{−B})ᵀ ⊙ lower triangle) v / √K`, with `B` the sums of the log
/// decays from the first position on. Time and memory grow with the square of the length; it shows what the other forms
/// compute, and why they are needed.
///
/// # Shapes
/// * result: `[batch, length, heads, values]`
///
/// # Errors
/// If `B` falls below −80 anywhere, where `e^{−B}` nears the largest float.
///
/// # Panics
/// If the shapes do not fit together.
///
/// # Source
/// The paper's section 4.1.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::gated_recurrence::{Decay, Sequence, chunked, parallel};
/// let ones = || Tensor::<4>::ones([1, 100, 1, 2], &Device::flex());
/// let of = |decay: f32| Sequence::new(ones(), ones(), ones(), Decay::Heads(vec![decay]));
/// assert!(parallel(of(-0.5)).is_ok());
/// assert!(parallel(of(-1.0)).is_err());
/// let o = chunked(of(-1.0)).into_data();
/// assert!(o.iter::<f32>().all(f32::is_finite));
/// ```
pub fn parallel(sequence: Sequence) -> Result<Tensor<4>, Overflow> {
    let sizes = sequence.sizes();
    let Sequence {
        q,
        k,
        v,
        decay,
        state,
    } = sequence;
    if q.dims().contains(&0) {
        return Ok(v);
    }
    let [batch, len, heads, keys] = q.dims();
    let device = q.device();
    let sums = channels(decay, [batch, len, heads, keys], &q).cumsum(1);
    let sum = sums.clone().min().into_scalar::<f32>();
    if sum < LIMIT || sum.is_nan() {
        return Err(Overflow { sum });
    }
    let by_head = |x: Tensor<4>| x.permute([0, 2, 1, 3]);
    let q = by_head(q * sums.clone().exp() / (keys as f32).sqrt());
    let k = by_head(k * sums.neg().exp());
    let position = Tensor::<1, Int>::arange(0..len as i64, &device);
    let future = position
        .clone()
        .reshape([1, 1, len, 1])
        .lower(position.reshape([1, 1, 1, len]))
        .expand([batch, heads, len, len]);
    let scores = matmul(q.clone(), k.swap_dims(2, 3)).mask_fill(future, 0.0);
    let mut o = matmul(scores, by_head(v));
    if let Some(state) = state {
        o = o + matmul(q, state);
    }
    debug_assert_eq!(by_head(o.clone()).dims(), sizes.output());
    Ok(by_head(o))
}

/// Position by position, for devices without kernels; what the kernels are tested against.
pub(super) fn recurrent(sequence: Sequence) -> (Tensor<4>, Tensor<4>) {
    let sizes = sequence.sizes();
    let Sequence {
        q,
        k,
        v,
        decay,
        state,
    } = sequence;
    let shape = [sizes.batch, sizes.len, sizes.heads, sizes.keys];
    let factors = channels(decay, shape, &q).exp();
    let mut state = state.unwrap_or_else(|| Tensor::zeros(sizes.state(), &q.device()));
    let at = |x: &Tensor<4>, position: usize| x.clone().narrow(1, position, 1).squeeze_dim::<3>(1);
    let mut outputs = Vec::with_capacity(sizes.len);
    for position in 0..sizes.len {
        let column = |x: &Tensor<4>| at(x, position).unsqueeze_dim::<4>(3);
        let learned = column(&k) * at(&v, position).unsqueeze_dim(2);
        state = state * column(&factors) + learned;
        let o = (column(&q) * state.clone()).sum_dim(2);
        outputs.push((o / (sizes.keys as f32).sqrt()).permute([0, 2, 1, 3]));
    }
    let o = match outputs.is_empty() {
        true => v,
        false => Tensor::cat(outputs, 1),
    };
    (o, state)
}

/// A log decay for each channel.
fn channels(decay: Decay, shape: [usize; 4], like: &Tensor<4>) -> Tensor<4> {
    let [_, _, heads, _] = shape;
    match decay {
        Decay::Channels(decay) => decay,
        Decay::None => Tensor::zeros(shape, &like.device()),
        Decay::Heads(decay) => {
            let decay = TensorData::new(decay, [1, 1, heads, 1]);
            Tensor::<4>::from_data(decay, &like.device()).expand(shape)
        }
    }
}
