//! The backward pass, from the last chunk to the first.
//!
//! The gradient of the state, `dS`, goes back through the chunks; the states themselves are computed again from the one kept
//! for each segment. With `dA = dO vᵀ` below the diagonal, and the names of [`Chunk`]:
//!
//! * `dv = scoresᵀ dO + rest dS`
//! * `dq = e^B ⊙ (dO Sᵀ + dA (k e^{−B})) / √K`
//! * `dk = e^{B_last − B} ⊙ (v dSᵀ) + e^{−B} ⊙ (dAᵀ (q e^B) / √K)`
//! * `d log α_t = Σ_{s ≥ t} (q_s dq_s − k_s dk_s) + Σ_values S ⊙ dS`, with sum and state at the end of the chunk: the paper's
//!   closed form, begun anew at each chunk so that its rounding does not add up along the sequence.

use super::Recurrence;
use super::chunk::{CHUNK, Chunk, Head, SEGMENT, Sizes, inner, keep_lower, scale_rows, take, turn};
use super::forward::{begin, end};
use crate::attention::layout::{Rows, Source, Target};
use crate::block::{Extent, Left, Right, product};
use crate::lanes::{LANES, load, store, sum, zip};
use crate::math::exp;
use crate::memory::Buffer;
use crate::op::{Array, Pass};
use crate::scratch::with_scratch;
use crate::simd::vectorized;
use crate::transpose::{Lines, columns};

/// Scratch memory for the gradients of a chunk.
struct Slopes<'a> {
    /// Gradient of the output, `[rows, value_width]`.
    output: &'a mut [f32],
    /// Gradient of the scores, `[CHUNK, CHUNK]`.
    scores: &'a mut [f32],
    /// `[rows, key_width]`.
    q: &'a mut [f32],
    /// `[rows, key_width]`.
    k: &'a mut [f32],
    /// `[rows, value_width]`.
    v: &'a mut [f32],
    /// Products with a state before they are turned, `[keys, CHUNK]`.
    through: &'a mut [f32],
    /// Running sum of the gradient of the log decay, `[key_width]`.
    decay: &'a mut [f32],
}

/// Where the gradients of one head go.
struct Targets<Q, K, V, D> {
    q: Q,
    k: K,
    v: V,
    decay: D,
}

impl Recurrence {
    pub(super) fn run_backward(&self, pass: &Pass<'_>) -> Vec<Option<Array>> {
        let sizes = self.sizes;
        let (dy, inputs) = (pass.dy.f32(), pass.inputs);
        let (d_o, d_last) = dy.split_at(sizes.outputs());
        let saved = pass.saved[1].f32();
        let state_length = sizes.keys * sizes.values;
        let segments = sizes.len.div_ceil(SEGMENT);
        let keys = sizes.batch * sizes.len * sizes.heads * sizes.keys;
        let with_decay = self.given && pass.wanted[3];
        let [mut dq, mut dk] = [Buffer::new(keys), Buffer::new(keys)];
        let mut dv = Buffer::new(sizes.outputs());
        let mut d_decay = Buffer::new(if with_decay { keys } else { 0 });
        let states = if self.begun { sizes.states() } else { 0 };
        let mut d_begun = Buffer::new(states);
        let key_target = |out| Target::new(out, sizes.key_layout());
        let [to_q, to_k] = [key_target(&mut dq), key_target(&mut dk)];
        let to_v = Target::new(&mut dv, sizes.value_layout());
        let to_decay = key_target(&mut d_decay);
        let d_begun_part = (&mut d_begun[..], if self.begun { state_length } else { 0 });
        self.each_head([d_begun_part], |[batch, head], [d_begun]| {
            let index = batch * sizes.heads + head;
            let d_o = Source {
                values: d_o,
                layout: sizes.value_layout(),
            };
            let d_last = self
                .keep
                .then(|| &d_last[index * state_length..][..state_length]);
            let length = segments * sizes.padded_state();
            // SAFETY (of each row): it belongs to one batch and head, which one task computes.
            let targets = Targets {
                q: |position| unsafe { to_q.row(batch, head, position) },
                k: |position| unsafe { to_k.row(batch, head, position) },
                v: |position| unsafe { to_v.row(batch, head, position) },
                decay: |position| {
                    with_decay.then(|| unsafe { to_decay.row(batch, head, position) })
                },
            };
            self.head_backward(
                self.head(inputs, batch, head),
                d_o.head(batch, head),
                d_last,
                &saved[index * length..][..length],
                targets,
                d_begun,
            );
        });
        let of_keys = |buffer| Array::from_buffer(buffer, inputs[0].shape());
        let mut gradients = vec![
            Some(of_keys(dq)),
            Some(of_keys(dk)),
            Some(Array::from_buffer(dv, inputs[2].shape())),
        ];
        if self.given {
            gradients.push(with_decay.then(|| of_keys(d_decay)));
        }
        if self.begun {
            gradients.push(Some(Array::from_buffer(d_begun, sizes.state())));
        }
        gradients
    }

    fn head_backward<'a>(
        &self,
        head: Head<'_>,
        d_o: Rows<'_>,
        d_last: Option<&[f32]>,
        saved: &[f32],
        mut to: Targets<
            impl FnMut(usize) -> &'a mut [f32],
            impl FnMut(usize) -> &'a mut [f32],
            impl FnMut(usize) -> &'a mut [f32],
            impl FnMut(usize) -> Option<&'a mut [f32]>,
        >,
        d_begun: &mut [f32],
    ) {
        let sizes = self.sizes;
        let (keys, values) = (sizes.key_width(), sizes.value_width());
        let length = sizes.padded_state();
        let states = (SEGMENT / self.chunk + 1) * length;
        with_scratch(
            [
                Chunk::scratch(sizes),
                Slopes::scratch(sizes),
                length,
                states,
            ],
            |[of_chunk, of_slopes, d_state, states]| {
                let mut chunk = Chunk::new(sizes, of_chunk);
                let mut slopes = Slopes::new(sizes, of_slopes);
                let d_state = &mut d_state[..length];
                begin(d_state, d_last, sizes.values, values);
                let segments = saved.chunks_exact(length).enumerate().rev();
                for (segment, saved) in segments {
                    let first = segment * SEGMENT;
                    let last = sizes.len.min(first + SEGMENT);
                    states[..length].copy_from_slice(saved);
                    let starts = || (first..last).step_by(self.chunk);
                    let rows = |start: usize| self.chunk.min(last - start);
                    for (index, start) in starts().enumerate() {
                        let (before, after) = states.split_at_mut((index + 1) * length);
                        let after = &mut after[..length];
                        after.copy_from_slice(&before[index * length..]);
                        chunk.read(head, start, rows(start));
                        chunk.weigh();
                        chunk.advance(after);
                    }
                    for (index, start) in starts().enumerate().rev() {
                        let count = rows(start);
                        let [before, after] =
                            [index, index + 1].map(|index| &states[index * length..][..length]);
                        chunk.read(head, start, count);
                        d_o.copy(start..start + count, slopes.output, values, 1.0);
                        slopes.of_chunk(&mut chunk, before, d_state);
                        slopes.begin_decay(after, d_state, sizes.keys, values);
                        for row in (0..count).rev() {
                            let position = start + row;
                            let (dq, dk) = (&slopes.q[row * keys..], &slopes.k[row * keys..]);
                            let (dq, dk) = (&dq[..sizes.keys], &dk[..sizes.keys]);
                            (to.q)(position).copy_from_slice(dq);
                            (to.k)(position).copy_from_slice(dk);
                            let dv = &slopes.v[row * values..][..sizes.values];
                            (to.v)(position).copy_from_slice(dv);
                            if let Some(out) = (to.decay)(position) {
                                let (q, k) = (head.q.row(position), head.k.row(position));
                                let sums = &mut slopes.decay[..sizes.keys];
                                for (c, sum) in sums.iter_mut().enumerate() {
                                    *sum += q[c] * dq[c] - k[c] * dk[c];
                                }
                                out.copy_from_slice(sums);
                            }
                        }
                        scale_rows(d_state, chunk.last(), values);
                        let q = Left {
                            values: chunk.q,
                            row: 1,
                            step: keys,
                        };
                        let output = Right {
                            values: slopes.output,
                            stride: values,
                        };
                        let extent = Extent {
                            rows: sizes.keys,
                            columns: values,
                            depth: count,
                        };
                        product(q, output, d_state, values, extent, true);
                    }
                }
                end(d_state, d_begun, sizes.values, values);
            },
        );
    }
}

impl<'a> Slopes<'a> {
    /// Length of the scratch memory that it wants.
    fn scratch(sizes: Sizes) -> usize {
        let (keys, values) = (sizes.key_width(), sizes.value_width());
        CHUNK * (3 * keys + 2 * values + CHUNK) + keys
    }

    fn new(sizes: Sizes, mut scratch: &'a mut [f32]) -> Self {
        let (keys, values) = (sizes.key_width(), sizes.value_width());
        let mut numbers = |count: usize| take(&mut scratch, count);
        Self {
            output: numbers(CHUNK * values),
            scores: numbers(CHUNK * CHUNK),
            q: numbers(CHUNK * keys),
            k: numbers(CHUNK * keys),
            v: numbers(CHUNK * values),
            through: numbers(CHUNK * keys),
            decay: numbers(keys),
        }
    }

    /// Gradients of the queries, keys and values of a chunk that was read and not yet weighed, given the state before it
    /// and the gradient of the state after it. Weighs the chunk.
    fn of_chunk(&mut self, chunk: &mut Chunk<'_>, before: &[f32], d_after: &[f32]) {
        let (rows, sizes) = (chunk.rows, chunk.sizes);
        let (keys, values) = (sizes.key_width(), sizes.value_width());
        let scale = (sizes.keys as f32).sqrt().recip();
        inner(
            self.output,
            chunk.v,
            [rows, values],
            chunk.turned,
            self.scores,
        );
        keep_lower(self.scores, rows);
        // What `inner` has turned are the values.
        self.through_state(d_after, chunk.turned, sizes.keys, values);
        turned_back(self.through, sizes.keys, self.k, keys);
        if !chunk.factored {
            let last = &chunk.sums[(rows - 1) * keys..][..keys];
            scale_by_exp(self.k, chunk.sums, last, rows);
            turn(self.output, rows, values, chunk.turned);
            self.through_state(before, chunk.turned, sizes.keys, values);
            turned_back(self.through, sizes.keys, self.q, keys);
            multiply(self.q, chunk.shrink, rows * keys, 1.0);
            self.by_differences(chunk);
            chunk.weigh();
            multiply_all(self.q, rows * keys, scale);
        } else {
            multiply_rows(self.k, chunk.shrink, rows, keys);
            turn(self.output, rows, values, chunk.turned);
            self.through_state(before, chunk.turned, sizes.keys, values);
            turned_back(self.through, sizes.keys, self.q, keys);
            chunk.weigh();
            let extent = Extent {
                rows,
                columns: keys,
                depth: rows,
            };
            let (scores, stride) = (&*self.scores, keys);
            let left = |row, step| Left {
                values: scores,
                row,
                step,
            };
            let (q, k) = (&*chunk.q, &*chunk.k);
            let right = |values| Right { values, stride };
            product(left(CHUNK, 1), right(k), self.q, keys, extent, true);
            product(left(1, CHUNK), right(q), self.k, keys, extent, true);
            multiply(self.q, chunk.shrink, rows * keys, scale);
            multiply(self.k, chunk.grow, rows * keys, 1.0);
        }
        let output = Right {
            values: self.output,
            stride: values,
        };
        let mut extent = Extent {
            rows,
            columns: values,
            depth: rows,
        };
        let scores = Left {
            values: chunk.scores,
            row: 1,
            step: CHUNK,
        };
        product(scores, output, self.v, values, extent, false);
        extent.depth = sizes.keys;
        let rest = Left {
            values: chunk.rest,
            row: keys,
            step: 1,
        };
        let d_after = Right {
            values: d_after,
            stride: values,
        };
        product(rest, d_after, self.v, values, extent, true);
    }

    /// `through = state · turned`, the turned rows being those of outputs or values.
    fn through_state(&mut self, state: &[f32], turned: &[f32], keys: usize, values: usize) {
        let state = Left {
            values: state,
            row: values,
            step: 1,
        };
        let turned = Right {
            values: turned,
            stride: CHUNK,
        };
        let extent = Extent {
            rows: keys,
            columns: CHUNK,
            depth: values,
        };
        product(state, turned, self.through, CHUNK, extent, false);
    }

    /// What the chunk's own scores add to the gradients of its queries and keys as they were read.
    fn by_differences(&mut self, chunk: &Chunk<'_>) {
        let keys = chunk.sizes.key_width();
        for i in 0..chunk.rows {
            for j in 0..=i {
                let slope = self.scores[i * CHUNK + j];
                let (q, k) = (row(chunk.q, i, keys), row(chunk.k, j, keys));
                let (b, a) = (row(chunk.sums, i, keys), row(chunk.sums, j, keys));
                let dq = &mut self.q[i * keys..][..keys];
                let dk = &mut self.k[j * keys..][..keys];
                vectorized(
                    #[inline(always)]
                    || {
                        for c in 0..keys {
                            let weight = slope * exp(b[c] - a[c]);
                            dq[c] += weight * k[c];
                            dk[c] += weight * q[c];
                        }
                    },
                );
            }
        }
    }

    /// `Σ_values S ⊙ dS` of each channel.
    fn begin_decay(&mut self, state: &[f32], d_state: &[f32], keys: usize, width: usize) {
        let decay = &mut self.decay[..keys];
        vectorized(
            #[inline(always)]
            || {
                for (c, decay) in decay.iter_mut().enumerate() {
                    let (a, b) = (row(state, c, width), row(d_state, c, width));
                    *decay = sum(
                        width,
                        #[inline(always)]
                        |start| zip(load(a, start), load(b, start), |a, b| a * b),
                    );
                }
            },
        );
    }
}

fn row(values: &[f32], index: usize, width: usize) -> &[f32] {
    &values[index * width..][..width]
}

/// Turns `[keys, CHUNK]` into `[CHUNK, width]`.
fn turned_back(through: &[f32], keys: usize, out: &mut [f32], width: usize) {
    for first in (0..keys).step_by(LANES) {
        let rows = Lines {
            values: &through[first * CHUNK..],
            stride: CHUNK,
            width: CHUNK,
        };
        columns(rows, LANES.min(keys - first), &mut out[first..], width);
    }
}

/// `x = x · y · factor`, element by element.
fn multiply(x: &mut [f32], y: &[f32], count: usize, factor: f32) {
    vectorized(
        #[inline(always)]
        || {
            for (x, y) in x[..count].iter_mut().zip(&y[..count]) {
                *x *= y * factor;
            }
        },
    );
}

fn multiply_all(x: &mut [f32], count: usize, factor: f32) {
    for x in &mut x[..count] {
        *x *= factor;
    }
}

/// Multiplies each row by the last row of `factors`.
fn multiply_rows(x: &mut [f32], factors: &[f32], rows: usize, width: usize) {
    let last = row(factors, rows - 1, width);
    for x in x.chunks_exact_mut(width).take(rows) {
        multiply(x, last, width, 1.0);
    }
}

/// Multiplies each row by `e^{last − sums}`.
fn scale_by_exp(x: &mut [f32], sums: &[f32], last: &[f32], rows: usize) {
    let width = last.len();
    vectorized(
        #[inline(always)]
        || {
            for (x, sums) in x
                .chunks_exact_mut(width)
                .zip(sums.chunks_exact(width))
                .take(rows)
            {
                for start in (0..width).step_by(LANES) {
                    let factor = zip(load(last, start), load(sums, start), |a, b| exp(a - b));
                    store(x, start, zip(load(x, start), factor, |a, b| a * b));
                }
            }
        },
    );
}
