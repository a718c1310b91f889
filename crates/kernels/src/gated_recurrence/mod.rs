//! Linear attention with a decay: a state for each head, a matrix, that forgets and learns at each position.
//!
//! `S_t = diag(α_t) S_{t−1} + k_tᵀ v_t` and `o_t = q_t S_t / √K`, with `α_t = e^{log decay}` absent, fixed for a head, or given
//! for each position and key channel. Three forms compute the same:
//!
//! * [`recurrent`], position by position: constant memory, for generation;
//! * [`chunked`], in chunks of sixteen positions whose sums are matrix products: linear time, for training;
//! * [`parallel`], the whole sequence at once: quadratic time, and wrong numbers where `e^{−B}` leaves the range of a float,
//!   with `B` the sum of the log decays; it refuses to compute those.
//!
//! In a chunk the products are taken of `q e^B` and `k e^{−B}` too, with `B` summed from the chunk's first position on, but
//! only while `B ≥ −60` in every channel. Chunks that decay more take the exponentials of the differences `B_i − B_j ≤ 0`
//! themselves, which cannot overflow.
//!
//! # Source
//! Yang et al., "Gated Linear Attention Transformers with Hardware-Efficient Training", 2023, sections 2 and 4. The paper's
//! chunks of 64 multiply the queries and keys of each pair of their sub-chunks of 16; ours hands the state on from sub-chunk
//! to sub-chunk, which is less arithmetic, because a CPU keeps the state in its cache. What is kept for the backward pass is
//! one state for 64 positions, as there.

mod backward;
mod chunk;
mod composed;
mod decay;
mod forward;
#[cfg(test)]
mod tests;

pub use composed::{Overflow, parallel};
pub use decay::{Decay, DecayError};

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, quaternary, quinary, runs_on, ternary};
use burn::tensor::{DType, Tensor};
use chunk::{CHUNK, SEGMENT, Sizes};
use decay::Fixed;

/// What goes through the recurrence.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// `[batch, length, heads, keys]`.
    pub q: Tensor<4>,
    /// `[batch, length, heads, keys]`.
    pub k: Tensor<4>,
    /// `[batch, length, heads, values]`.
    pub v: Tensor<4>,
    /// How the state forgets.
    pub decay: Decay,
    /// The state before the first position, `[batch, heads, keys, values]`; zeros where absent.
    pub state: Option<Tensor<4>>,
}

impl Sequence {
    /// A sequence from a state of zeros.
    pub fn new(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, decay: Decay) -> Self {
        Self {
            q,
            k,
            v,
            decay,
            state: None,
        }
    }

    fn sizes(&self) -> Sizes {
        let ([batch, len, heads, keys], [.., values]) = (self.q.dims(), self.v.dims());
        let decay = match &self.decay {
            Decay::Channels(decay) => decay.dims() == self.q.dims(),
            Decay::Heads(decay) => decay.len() == heads,
            Decay::None => true,
        };
        let state = self.state.as_ref().map(Tensor::dims);
        assert!(
            self.k.dims() == self.q.dims()
                && self.v.dims() == [batch, len, heads, values]
                && decay
                && state.is_none_or(|state| state == [batch, heads, keys, values])
                && keys > 0
                && values > 0,
            "recurrence of queries {:?}, keys {:?}, values {:?}, state {state:?} and decay {:?}",
            self.q.dims(),
            self.k.dims(),
            self.v.dims(),
            self.decay
        );
        Sizes {
            batch,
            len,
            heads,
            keys,
            values,
        }
    }
}

/// The recurrence, position by position.
///
/// # Shapes
/// * result: `[batch, length, heads, values]`
///
/// # Panics
/// If the shapes do not fit together.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::gated_recurrence::{Decay, Sequence, recurrent};
/// let device = Device::flex();
/// let ones = Tensor::<4>::ones([1, 3, 1, 1], &device);
/// // Each step halves the state and adds one.
/// let half = Decay::Heads(vec![0.5_f32.ln()]);
/// let o = recurrent(Sequence::new(ones.clone(), ones.clone(), ones, half));
/// assert_eq!(o.into_data().try_to_vec::<f32>().unwrap(), [1.0, 1.5, 1.75]);
/// ```
pub fn recurrent(sequence: Sequence) -> Tensor<4> {
    run(sequence, 1, false).0
}

/// [`recurrent`], and the state after the last position.
///
/// # Panics
/// As [`recurrent`].
pub fn recurrent_with_state(sequence: Sequence) -> (Tensor<4>, Tensor<4>) {
    let (o, state) = run(sequence, 1, true);
    (o, state.expect("it was asked for"))
}

/// The recurrence in chunks: what [`recurrent`] computes, by matrix products.
///
/// # Shapes
/// * result: `[batch, length, heads, values]`
///
/// # Panics
/// As [`recurrent`].
pub fn chunked(sequence: Sequence) -> Tensor<4> {
    run(sequence, CHUNK, false).0
}

/// [`chunked`], and the state after the last position.
///
/// # Panics
/// As [`recurrent`].
pub fn chunked_with_state(sequence: Sequence) -> (Tensor<4>, Tensor<4>) {
    let (o, state) = run(sequence, CHUNK, true);
    (o, state.expect("it was asked for"))
}

fn run(sequence: Sequence, chunk: usize, keep: bool) -> (Tensor<4>, Option<Tensor<4>>) {
    let sizes = sequence.sizes();
    if !runs_on(&sequence.q, &[DType::F32]) {
        let (o, state) = composed::recurrent(sequence);
        return (o, keep.then_some(state));
    }
    let Sequence {
        q,
        k,
        v,
        decay,
        state,
    } = sequence;
    if keep && sizes.outputs() == 0 {
        let zeros = || Tensor::zeros(sizes.state(), &q.device());
        return (v, Some(state.unwrap_or_else(zeros)));
    }
    let (fixed, given) = match decay {
        Decay::None => (Fixed::none(sizes.heads), None),
        Decay::Heads(decay) => (Fixed::new(decay), None),
        Decay::Channels(decay) => (Fixed::none(0), Some(decay)),
    };
    let kernel = Recurrence {
        sizes,
        chunk,
        fixed,
        given: given.is_some(),
        begun: state.is_some(),
        keep,
    };
    // Only one output can be recorded: the state, where it is wanted, lies behind the result in one array.
    fn whole<const D: usize>(
        kernel: Recurrence,
        (q, k, v): (Tensor<4>, Tensor<4>, Tensor<4>),
        given: Option<Tensor<4>>,
        state: Option<Tensor<4>>,
    ) -> Tensor<D> {
        match (given, state) {
            (None, None) => ternary(kernel, q, k, v),
            (Some(given), None) => quaternary(kernel, q, k, v, given),
            (None, Some(state)) => quaternary(kernel, q, k, v, state),
            (Some(given), Some(state)) => quinary(kernel, (q, k, v), (given, state)),
        }
    }
    if !keep {
        return (whole(kernel, (q, k, v), given, state), None);
    }
    let (first, rest) = (sizes.outputs(), sizes.states());
    let both: Tensor<1> = whole(kernel, (q, k, v), given, state);
    let o = both.clone().narrow(0, 0, first).reshape(sizes.output());
    let state = both.narrow(0, first, rest).reshape(sizes.state());
    (o, Some(state))
}

/// The kernel: inputs are `q`, `k`, `v`, the log decay if it is given, the first state if there is one.
#[derive(Debug)]
pub(crate) struct Recurrence {
    sizes: Sizes,
    /// Positions of a chunk: 1 or [`CHUNK`].
    chunk: usize,
    /// Log decay of each head, where none is given.
    fixed: Fixed,
    given: bool,
    begun: bool,
    /// Whether the last state is part of the output.
    keep: bool,
}

impl Recurrence {
    /// The log decay of each channel and the first state, where they are among the inputs.
    fn optional<'a>(&self, inputs: &'a [Array]) -> (Option<&'a [f32]>, Option<&'a [f32]>) {
        let given = self.given.then(|| inputs[3].f32());
        let state = self
            .begun
            .then(|| inputs[3 + usize::from(self.given)].f32());
        (given, state)
    }
}

impl Kernel for Recurrence {
    fn forward(&self, inputs: &[Array], training: bool) -> (Array, Vec<Array>) {
        let sizes = self.sizes;
        let kept = if self.keep { sizes.states() } else { 0 };
        let mut out = Buffer::new(sizes.outputs() + kept);
        let segments = sizes.len.div_ceil(SEGMENT);
        let saved = if training { segments } else { 0 };
        let mut states = Buffer::new(sizes.batch * sizes.heads * saved * sizes.padded_state());
        let (o, last) = out.split_at_mut(sizes.outputs());
        self.run_forward(
            inputs,
            o,
            self.keep.then_some(last),
            training.then_some(&mut states),
        );
        let out = if self.keep {
            let length = out.len();
            Array::from_buffer(out, [length])
        } else {
            Array::from_buffer(out, sizes.output())
        };
        let length = states.len();
        (out, vec![Array::from_buffer(states, [length])])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        self.run_backward(&pass)
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}
