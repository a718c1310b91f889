//! The recurrence of a gated recurrent unit, all steps of a sequence in one pass.

use crate::math::{sigmoid, tanh};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, runs_on, ternary};
use crate::parallel::cuts;
use crate::product::{Matrix, product_here};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor, activation};

/// The hidden states of a gated recurrent unit (Cho et al. 2014, in the form of cuDNN and PyTorch) that starts at zero:
///
/// `r = σ(g_r + h U_r + v_r)`, `z = σ(g_z + h U_z + v_z)`, `n = tanh(g_n + r (h U_n + v_n))`, `h ← (1 − z) n + z h`.
///
/// # Shapes
/// * `gates`: `[batch, steps, 3 hidden]`, what the input gives the gates `r`, `z`, `n`: `x W + b`
/// * `weight`: `U`, `[hidden, 3 hidden]`
/// * `bias`: `v`, `[3 hidden]`
/// * result: `[batch, steps, hidden]`
///
/// # Panics
/// If the shapes do not fit together.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let device = Device::flex();
/// let (gates, weight) = (Tensor::zeros([1, 2, 3], &device), Tensor::zeros([1, 3], &device));
/// let bias = Tensor::zeros([3], &device);
/// let h = offprint_kernels::gru(gates, weight, bias);
/// assert_eq!(h.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.0]);
/// ```
pub fn gru(gates: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<3> {
    let ([batch, steps, width], [hidden, outputs]) = (gates.dims(), weight.dims());
    assert_eq!(
        [width, outputs, bias.dims()[0]],
        [3 * hidden; 3],
        "gates, weight and bias of a GRU of width {hidden}"
    );
    if !runs_on(&gates, &[DType::F32]) {
        return composed(gates, weight, bias);
    }
    let kernel = Gru {
        batch,
        steps,
        hidden,
    };
    ternary(kernel, gates, weight, bias)
}

/// The same from Burn's primitives, step by step.
fn composed(gates: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<3> {
    let ([batch, steps, _], [n, _]) = (gates.dims(), weight.dims());
    let mut h = Tensor::<2>::zeros([batch, n], &gates.device());
    let mut states = Vec::with_capacity(steps);
    for step in 0..steps {
        let g = gates.clone().narrow(1, step, 1).squeeze_dim::<2>(1);
        let a = h.clone().matmul(weight.clone()) + bias.clone().unsqueeze();
        let part = |x: &Tensor<2>, i: usize| x.clone().narrow(1, i * n, n);
        let reset = activation::sigmoid(part(&g, 0) + part(&a, 0));
        let update = activation::sigmoid(part(&g, 1) + part(&a, 1));
        let new = (part(&g, 2) + reset * part(&a, 2)).tanh();
        h = new.clone() + update * (h - new);
        states.push(h.clone().unsqueeze_dim(1));
    }
    match states.is_empty() {
        true => Tensor::zeros([batch, 0, n], &gates.device()),
        false => Tensor::cat(states, 1),
    }
}

#[derive(Debug)]
struct Gru {
    batch: usize,
    steps: usize,
    hidden: usize,
}

/// Sequences that one task follows, side by side: their products with the weight are one.
const RUN: usize = 16;

impl Gru {
    /// Multiply-adds of a pass, about: what decides whether to share it.
    fn work(&self) -> usize {
        self.batch * self.steps * 3 * self.hidden * (self.hidden + 4)
    }
}

impl Kernel for Gru {
    fn forward(&self, inputs: &[Array], training: bool) -> (Array, Vec<Array>) {
        let (steps, n) = (self.steps, self.hidden);
        let (gates, weight, bias) = (inputs[0].f32(), inputs[1].f32(), inputs[2].f32());
        let mut states = Buffer::new(self.batch * steps * n);
        // r, z, n and h U_n + v_n of every step.
        let mut kept = Buffer::new(if training { states.len() * 4 } else { 0 });
        let row = steps * n;
        cuts(
            [(&mut states, RUN * row), (&mut kept, RUN * row * 4)],
            self.batch.div_ceil(RUN),
            self.work(),
            |run, [states, kept]| {
                let gates = &gates[run * RUN * row * 3..][..states.len() * 3];
                follow(gates, weight, bias, steps, states, kept);
            },
        );
        let saved = match training {
            true => vec![Array::from_buffer(kept, [self.batch, steps, 4 * n])],
            false => vec![],
        };
        (Array::from_buffer(states, [self.batch, steps, n]), saved)
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (steps, n) = (self.steps, self.hidden);
        let weight = pass.inputs[1].f32();
        let (states, kept, dy) = (pass.saved[0].f32(), pass.saved[1].f32(), pass.dy.f32());
        let (row, runs) = (steps * n, self.batch.div_ceil(RUN));
        let mut dgates = Buffer::new(self.batch * row * 3);
        let size = n * 3 * n;
        // Each run of sequences adds up its own slopes of weight and bias, which are then added in order.
        let mut sums = vec![0.0; runs * (size + 3 * n)];
        cuts(
            [(&mut dgates, RUN * row * 3), (&mut sums, size + 3 * n)],
            runs,
            self.work(),
            |run, [dgates, sums]| {
                let (first, length) = (run * RUN * row, dgates.len() / 3);
                let run = Run {
                    states: &states[first..][..length],
                    kept: &kept[first * 4..][..length * 4],
                    dy: &dy[first..][..length],
                    weight,
                    steps,
                };
                let (dweight, dbias) = sums.split_at_mut(size);
                run.back(dgates, dweight, dbias);
            },
        );
        let mut total = vec![0.0; size + 3 * n];
        for run in sums.chunks_exact((size + 3 * n).max(1)) {
            for (total, value) in total.iter_mut().zip(run) {
                *total += value;
            }
        }
        let dbias = total.split_off(size);
        vec![
            Some(Array::from_buffer(dgates, [self.batch, steps, 3 * n])),
            Some(Array::new(total, [n, 3 * n])),
            Some(Array::new(dbias, [3 * n])),
        ]
    }
}

/// A run of sequences forward.
fn follow(
    gates: &[f32],
    weight: &[f32],
    bias: &[f32],
    steps: usize,
    states: &mut [f32],
    kept: &mut [f32],
) {
    let n = bias.len() / 3;
    let row = (steps * n).max(1);
    let sequences = states.len() / row;
    let (mut h, mut a) = (vec![0.0; sequences * n], vec![0.0; sequences * 3 * n]);
    for step in 0..steps {
        for a in a.chunks_exact_mut((3 * n).max(1)) {
            a.copy_from_slice(bias);
        }
        product_here(
            Matrix::new(&h, sequences, n),
            Matrix::new(weight, n, 3 * n),
            &mut a,
            true,
        );
        for sequence in 0..sequences {
            let at = sequence * row + step * n;
            let h = &mut h[sequence * n..][..n];
            let kept = match kept.is_empty() {
                true => None,
                false => Some(&mut kept[at * 4..][..4 * n]),
            };
            let (gates, a) = (&gates[at * 3..][..3 * n], &a[sequence * 3 * n..][..3 * n]);
            vectorized(
                #[inline(always)]
                || advance(gates, a, h, kept),
            );
            states[at..][..n].copy_from_slice(h);
        }
    }
}

/// One step of one sequence.
#[inline(always)]
fn advance(gates: &[f32], a: &[f32], h: &mut [f32], kept: Option<&mut [f32]>) {
    let n = h.len();
    let ([g_r, g_z, g_n], [a_r, a_z, a_n]) = (thirds(gates, n), thirds(a, n));
    let Some(kept) = kept else {
        for (i, h) in h.iter_mut().enumerate() {
            *h = unit([g_r[i], g_z[i], g_n[i]], [a_r[i], a_z[i], a_n[i]], *h).3;
        }
        return;
    };
    let (resets, rest) = kept.split_at_mut(n);
    let (updates, rest) = rest.split_at_mut(n);
    let (news, insides) = rest.split_at_mut(n);
    insides.copy_from_slice(a_n);
    let all = h.iter_mut().zip(resets).zip(updates.iter_mut().zip(news));
    for (i, ((h, reset), (update, new))) in all.enumerate() {
        (*reset, *update, *new, *h) = unit([g_r[i], g_z[i], g_n[i]], [a_r[i], a_z[i], a_n[i]], *h);
    }
}

/// Reset, update, new and the state, of what the input and the state before give the gates, and that state.
#[inline(always)]
fn unit(g: [f32; 3], a: [f32; 3], h: f32) -> (f32, f32, f32, f32) {
    let (reset, update) = (sigmoid(g[0] + a[0]), sigmoid(g[1] + a[1]));
    let new = tanh(g[2] + reset * a[2]);
    (reset, update, new, new + update * (h - new))
}

/// Three lines of `n` numbers.
#[inline(always)]
fn thirds(x: &[f32], n: usize) -> [&[f32]; 3] {
    [&x[..n], &x[n..][..n], &x[2 * n..][..n]]
}

/// What the backward pass reads of a run of sequences.
struct Run<'a> {
    states: &'a [f32],
    kept: &'a [f32],
    dy: &'a [f32],
    weight: &'a [f32],
    steps: usize,
}

impl Run<'_> {
    fn back(&self, dgates: &mut [f32], dweight: &mut [f32], dbias: &mut [f32]) {
        let n = dbias.len() / 3;
        let row = (self.steps * n).max(1);
        let sequences = self.states.len() / row;
        let weight = Matrix::new(self.weight, n, 3 * n);
        // Slopes of the state and of `h U + v`: of this step, and of every step of every sequence for the weight's.
        let (mut dh, mut now) = (vec![0.0; sequences * n], vec![0.0; sequences * 3 * n]);
        let mut all = vec![0.0; dgates.len()];
        let zero = vec![0.0; n];
        for step in (0..self.steps).rev() {
            for sequence in 0..sequences {
                let at = sequence * row + step * n;
                let unit = Unit {
                    kept: &self.kept[at * 4..][..4 * n],
                    before: match step {
                        0 => &zero,
                        _ => &self.states[at - n..at],
                    },
                    dy: &self.dy[at..][..n],
                };
                let dh = &mut dh[sequence * n..][..n];
                let da = &mut now[sequence * 3 * n..][..3 * n];
                let dgates = &mut dgates[at * 3..][..3 * n];
                vectorized(
                    #[inline(always)]
                    || unit.back(dh, dgates, da),
                );
                all[at * 3..][..3 * n].copy_from_slice(da);
            }
            product_here(
                Matrix::new(&now, sequences, 3 * n),
                weight.t(),
                &mut dh,
                true,
            );
        }
        for da in all.chunks_exact((3 * n).max(1)) {
            for (sum, da) in dbias.iter_mut().zip(da) {
                *sum += da;
            }
        }
        // The state before the first step is zero.
        let later = self.steps.saturating_sub(1);
        for (states, da) in self.states.chunks_exact(row).zip(all.chunks_exact(3 * row)) {
            product_here(
                Matrix::new(&states[..later * n], later, n).t(),
                Matrix::new(&da[da.len() - later * 3 * n..], later, 3 * n),
                dweight,
                true,
            );
        }
    }
}

/// One step of one sequence, backward.
struct Unit<'a> {
    kept: &'a [f32],
    before: &'a [f32],
    dy: &'a [f32],
}

impl Unit<'_> {
    /// Turns `dh`, the slope of the state, into that of the state before but for the part through `h U + v`, whose slope is
    /// `da`.
    #[inline(always)]
    fn back(&self, dh: &mut [f32], dgates: &mut [f32], da: &mut [f32]) {
        let n = dh.len();
        let [resets, updates, news] = thirds(self.kept, n);
        let insides = &self.kept[3 * n..][..n];
        let (before, dy) = (&self.before[..n], &self.dy[..n]);
        let (dreset, rest) = dgates.split_at_mut(n);
        let (dupdate, dnew) = rest.split_at_mut(n);
        let slopes = dreset.iter_mut().zip(dupdate).zip(dnew.iter_mut().zip(dh));
        for (i, ((dreset, dupdate), (dnew, dh))) in slopes.enumerate() {
            let (reset, update, new) = (resets[i], updates[i], news[i]);
            let slope = *dh + dy[i];
            *dnew = slope * (1.0 - update) * (1.0 - new * new);
            *dreset = *dnew * insides[i] * reset * (1.0 - reset);
            *dupdate = slope * (before[i] - new) * update * (1.0 - update);
            *dh = slope * update;
        }
        da.copy_from_slice(dgates);
        for (da, reset) in da[2 * n..].iter_mut().zip(resets) {
            *da *= reset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, random, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (batch, steps, n) in [(1, 1, 1), (3, 7, 5), (40, 20, 9), (2, 0, 3), (0, 4, 2)] {
            let (gates, weight, bias) = (
                tensor([batch, steps, 3 * n], 1),
                tensor([n, 3 * n], 2),
                tensor([3 * n], 3),
            );
            if batch * steps == 0 {
                let h = gru(gates, weight, bias);
                assert_eq!(h.dims(), [batch, steps, n]);
                continue;
            }
            // Weight and bias of a single step meet a state of zero.
            assert_same!(
                gru(gates.clone(), weight.clone(), bias.clone()),
                composed(gates.clone(), weight.clone(), bias.clone()),
                [gates, weight, bias],
                1e-4
            );
        }
    }

    #[test]
    fn the_same_for_any_number_of_threads() {
        let (batch, steps, n) = (70, 30, 5);
        let kernel = Gru {
            batch,
            steps,
            hidden: n,
        };
        let inputs = [
            Array::new(random(batch * steps * 3 * n, 1), [batch, steps, 3 * n]),
            Array::new(random(3 * n * n, 2), [n, 3 * n]),
            Array::new(random(3 * n, 3), [3 * n]),
        ];
        assert_same_for_any_threads(|| {
            let (y, mut saved) = kernel.forward(&inputs, true);
            saved.insert(0, y.clone());
            let slopes = kernel.backward(Pass {
                inputs: &inputs,
                saved: &saved,
                dy: y,
                wanted: &[true; 3],
            });
            slopes
                .into_iter()
                .flatten()
                .flat_map(|s| s.f32().to_vec())
                .collect()
        });
    }
}
