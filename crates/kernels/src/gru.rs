//! The recurrence of a gated recurrent unit, all steps of a sequence in one pass.

use crate::math::{sigmoid, tanh};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, runs_on, ternary};
use crate::parallel::cuts;
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

/// Sequences that one task follows.
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
                let mut a = vec![0.0; 3 * n];
                let mut kept = kept.chunks_exact_mut((row * 4).max(1));
                for (index, states) in states.chunks_exact_mut(row.max(1)).enumerate() {
                    let gates = &gates[(run * RUN + index) * row * 3..][..row * 3];
                    let kept = kept.next();
                    vectorized(
                        #[inline(always)]
                        || follow(gates, weight, bias, &mut a, states, kept),
                    );
                }
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
                let (dweight, dbias) = sums.split_at_mut(size);
                let mut scratch = vec![0.0; 4 * n];
                for (index, dgates) in dgates.chunks_exact_mut((row * 3).max(1)).enumerate() {
                    let first = (run * RUN + index) * row;
                    let sequence = Sequence {
                        states: &states[first..][..row],
                        kept: &kept[first * 4..][..row * 4],
                        dy: &dy[first..][..row],
                        weight,
                    };
                    vectorized(
                        #[inline(always)]
                        || sequence.back(dgates, dweight, dbias, &mut scratch),
                    );
                }
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

/// One sequence forward; `a` is room for `3 n` numbers.
#[inline(always)]
fn follow(
    gates: &[f32],
    weight: &[f32],
    bias: &[f32],
    a: &mut [f32],
    states: &mut [f32],
    mut kept: Option<&mut [f32]>,
) {
    let n = bias.len() / 3;
    for step in 0..states.len() / n {
        let (before, now) = states.split_at_mut(step * n);
        let before = &before[before.len().saturating_sub(n)..];
        let gates = &gates[step * 3 * n..][..3 * n];
        a.copy_from_slice(bias);
        for (h, weight) in before.iter().zip(weight.chunks_exact(3 * n)) {
            for (a, weight) in a.iter_mut().zip(weight) {
                *a += h * weight;
            }
        }
        for (i, now) in now[..n].iter_mut().enumerate() {
            let reset = sigmoid(gates[i] + a[i]);
            let update = sigmoid(gates[n + i] + a[n + i]);
            let new = tanh(gates[2 * n + i] + reset * a[2 * n + i]);
            let h = before.get(i).copied().unwrap_or(0.0);
            *now = new + update * (h - new);
            if let Some(kept) = &mut kept {
                let kept = &mut kept[step * 4 * n..][..4 * n];
                (kept[i], kept[n + i]) = (reset, update);
                (kept[2 * n + i], kept[3 * n + i]) = (new, a[2 * n + i]);
            }
        }
    }
}

/// What the backward pass reads of one sequence.
struct Sequence<'a> {
    states: &'a [f32],
    kept: &'a [f32],
    dy: &'a [f32],
    weight: &'a [f32],
}

impl Sequence<'_> {
    /// One sequence backward; `scratch` is room for `4 n` numbers.
    #[inline(always)]
    fn back(
        &self,
        dgates: &mut [f32],
        dweight: &mut [f32],
        dbias: &mut [f32],
        scratch: &mut [f32],
    ) {
        let n = dbias.len() / 3;
        let (dh, da) = scratch.split_at_mut(n);
        dh.fill(0.0);
        for step in (0..self.states.len() / n).rev() {
            let kept = &self.kept[step * 4 * n..][..4 * n];
            let before = match step {
                0 => &[],
                _ => &self.states[(step - 1) * n..][..n],
            };
            let dgates = &mut dgates[step * 3 * n..][..3 * n];
            let dy = &self.dy[step * n..][..n];
            for (i, (dh, dy)) in dh.iter_mut().zip(dy).enumerate() {
                let (reset, update) = (kept[i], kept[n + i]);
                let (new, inside) = (kept[2 * n + i], kept[3 * n + i]);
                let h = before.get(i).copied().unwrap_or(0.0);
                let slope = *dh + dy;
                let dnew = slope * (1.0 - update) * (1.0 - new * new);
                let dreset = dnew * inside * reset * (1.0 - reset);
                let dupdate = slope * (h - new) * update * (1.0 - update);
                (dgates[i], dgates[n + i], dgates[2 * n + i]) = (dreset, dupdate, dnew);
                (da[i], da[n + i], da[2 * n + i]) = (dreset, dupdate, dnew * reset);
                *dh = slope * update;
            }
            for (sum, da) in dbias.iter_mut().zip(&*da) {
                *sum += da;
            }
            for (k, dh) in dh.iter_mut().enumerate() {
                let weight = &self.weight[k * 3 * n..][..3 * n];
                *dh += weight.iter().zip(&*da).map(|(w, da)| w * da).sum::<f32>();
            }
            for (h, dweight) in before.iter().zip(dweight.chunks_exact_mut(3 * n)) {
                for (sum, da) in dweight.iter_mut().zip(&*da) {
                    *sum += h * da;
                }
            }
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
