//! The scan of a selective state space.
//!
//! The channels are the lanes of the vectors: sixteen of them walk along the sequence together, their states side by side.

mod backward;
mod forward;
#[cfg(test)]
mod tests;

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, quinary, runs_on, senary};
use burn::tensor::{DType, Tensor};

/// `h_t = e^{Δ_t A} h_{t−1} + Δ_t u_t B_t` and `y_t = Σ_n C_t h_t`: a state of `n` numbers for each channel, whose decay and
/// input depend on the position.
///
/// # Shapes
/// * `u`, `delta`, result: `[batch, length, channels]`; `Δ ≥ 0`, after its softplus
/// * `a`: `[channels, n]`, below 0
/// * `b`, `c`: `[batch, length, n]`
/// * `state`: `[batch, channels, n]`, zeros where absent
///
/// # Panics
/// If the shapes do not fit together.
///
/// # Source
/// Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023, algorithm 2; `B̄ = Δ B` as in the
/// released code.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::selective_scan;
/// let device = Device::flex();
/// let ones = || Tensor::<3>::ones([1, 3, 1], &device);
/// // Each step halves the state and adds one.
/// let a = Tensor::<2>::full([1, 1], 0.5_f32.ln(), &device);
/// let y = selective_scan(ones(), ones(), a, ones(), ones(), None).into_data();
/// assert_eq!(y.try_to_vec::<f32>().unwrap(), [1.0, 1.5, 1.75]);
/// ```
pub fn selective_scan(
    u: Tensor<3>,
    delta: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<3>,
    c: Tensor<3>,
    state: Option<Tensor<3>>,
) -> Tensor<3> {
    let scan = Scan::new(&u, &delta, &a, [&b, &c], state.as_ref(), false);
    if !runs_on(&u, &[DType::F32]) {
        return composed(u, delta, a, b, c, state).0;
    }
    match state {
        None => quinary(scan, (u, delta, a), (b, c)),
        Some(state) => senary(scan, (u, delta, a), (b, c, state)),
    }
}

/// [`selective_scan`], and the state after the last position.
///
/// # Panics
/// As [`selective_scan`].
pub fn selective_scan_with_state(
    u: Tensor<3>,
    delta: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<3>,
    c: Tensor<3>,
    state: Option<Tensor<3>>,
) -> (Tensor<3>, Tensor<3>) {
    let scan = Scan::new(&u, &delta, &a, [&b, &c], state.as_ref(), true);
    if !runs_on(&u, &[DType::F32]) {
        return composed(u, delta, a, b, c, state);
    }
    let [batch, len, channels] = u.dims();
    let (outputs, n) = (batch * len * channels, scan.n);
    if outputs == 0 {
        let zeros = || Tensor::zeros([batch, channels, n], &u.device());
        let state = state.unwrap_or_else(zeros);
        return (u, state);
    }
    // Only one output can be recorded: the state lies behind the result in one array.
    let both: Tensor<1> = match state {
        None => quinary(scan, (u, delta, a), (b, c)),
        Some(state) => senary(scan, (u, delta, a), (b, c, state)),
    };
    let y = both.clone().narrow(0, 0, outputs);
    let state = both.narrow(0, outputs, batch * channels * n);
    (
        y.reshape([batch, len, channels]),
        state.reshape([batch, channels, n]),
    )
}

/// The scan from Burn's primitives, position by position.
fn composed(
    u: Tensor<3>,
    delta: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<3>,
    c: Tensor<3>,
    state: Option<Tensor<3>>,
) -> (Tensor<3>, Tensor<3>) {
    let ([batch, len, channels], [_, n]) = (u.dims(), a.dims());
    let mut h = state.unwrap_or_else(|| Tensor::zeros([batch, channels, n], &u.device()));
    let mut outputs = Vec::with_capacity(len);
    for t in 0..len {
        let column = |x: &Tensor<3>| x.clone().narrow(1, t, 1).swap_dims(1, 2);
        let row = |x: &Tensor<3>| x.clone().narrow(1, t, 1);
        let decay = (column(&delta) * a.clone().unsqueeze::<3>()).exp();
        h = h * decay + column(&delta) * column(&u) * row(&b);
        outputs.push((h.clone() * row(&c)).sum_dim(2).swap_dims(1, 2));
    }
    let y = match outputs.is_empty() {
        true => u,
        false => Tensor::cat(outputs, 1),
    };
    (y, h)
}

/// The kernel: inputs are `u`, `Δ`, `A`, `B`, `C`, and the first state if there is one.
#[derive(Debug)]
struct Scan {
    batch: usize,
    len: usize,
    channels: usize,
    n: usize,
    begun: bool,
    /// Whether the last state is part of the output.
    keep: bool,
}

impl Scan {
    fn new(
        u: &Tensor<3>,
        delta: &Tensor<3>,
        a: &Tensor<2>,
        [b, c]: [&Tensor<3>; 2],
        state: Option<&Tensor<3>>,
        keep: bool,
    ) -> Self {
        let ([batch, len, channels], [_, n]) = (u.dims(), a.dims());
        assert!(
            delta.dims() == u.dims()
                && a.dims() == [channels, n]
                && b.dims() == [batch, len, n]
                && c.dims() == b.dims()
                && state.is_none_or(|state| state.dims() == [batch, channels, n])
                && n > 0,
            "scan of {:?} with steps {:?}, rates {:?}, inputs {:?}, outputs {:?} and state {:?}",
            u.dims(),
            delta.dims(),
            a.dims(),
            b.dims(),
            c.dims(),
            state.map(Tensor::dims)
        );
        Self {
            batch,
            len,
            channels,
            n,
            begun: state.is_some(),
            keep,
        }
    }

    fn outputs(&self) -> usize {
        self.batch * self.len * self.channels
    }

    fn states(&self) -> usize {
        self.batch * self.channels * self.n
    }
}

impl Kernel for Scan {
    fn forward(&self, inputs: &[Array], training: bool) -> (Array, Vec<Array>) {
        let kept = if self.keep { self.states() } else { 0 };
        let mut out = Buffer::new(self.outputs() + kept);
        let saved = self.run_forward(inputs, &mut out, training);
        let out = if self.keep {
            let length = out.len();
            Array::from_buffer(out, [length])
        } else {
            Array::from_buffer(out, inputs[0].shape())
        };
        let length = saved.len();
        (out, vec![Array::from_buffer(saved, [length])])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        self.run_backward(&pass)
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}
