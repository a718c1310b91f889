//! The backward pass: the gradient of the state goes back along the sequence, and the states are computed again from the
//! one kept for each segment.

use super::Scan;
use super::forward::{Block, SEGMENT, advance, times};
use crate::lanes::{LANES, Lanes, load, store};
use crate::math::exp_weight;
use crate::memory::Buffer;
use crate::op::{Array, Pass};
use crate::scratch::with_scratch;
use crate::simd::vectorized;

/// What a block reads.
struct Inputs<'a> {
    u: &'a [f32],
    delta: &'a [f32],
    b: &'a [f32],
    c: &'a [f32],
    dy: &'a [f32],
}

/// Where a block's gradients go: `[length, count]`, `[length, count]`, `[length, n]`, `[length, n]`.
struct Slopes<'a> {
    u: &'a mut [f32],
    delta: &'a mut [f32],
    b: &'a mut [f32],
    c: &'a mut [f32],
}

impl Scan {
    pub(super) fn run_backward(&self, pass: &Pass<'_>) -> Vec<Option<Array>> {
        let inputs = pass.inputs;
        let (dy, d_last) = pass.dy.f32().split_at(self.outputs());
        let (saved, a) = (pass.saved[1].f32(), inputs[2].f32());
        let read = Inputs {
            u: inputs[0].f32(),
            delta: inputs[1].f32(),
            b: inputs[3].f32(),
            c: inputs[4].f32(),
            dy,
        };
        let blocks = self.channels.div_ceil(LANES);
        let (outputs, rows) = (self.outputs(), self.len * self.n);
        let [mut du, mut d_delta] = [Buffer::new(outputs), Buffer::new(outputs)];
        // Sums over channels: each block sums for itself, then the blocks are summed in their order.
        let [mut db, mut dc] = [(); 2].map(|()| Buffer::new(self.batch * blocks * rows));
        let [mut da, mut d_begun] = [(); 2].map(|()| Buffer::new(self.states()));
        let part = |block: Block<'_>| {
            let (of_channels, state) = (block.count * self.len, block.count * self.n);
            [of_channels, of_channels, rows, rows, state, state]
        };
        let outs = [
            &mut du,
            &mut d_delta,
            &mut db,
            &mut dc,
            &mut da,
            &mut d_begun,
        ];
        let kept = self.segments() * self.padded();
        self.each_block(outs.map(|out| &mut out[..]), part, |block, parts| {
            let [du, d_delta, db, dc, da, d_begun] = parts;
            let index = block.batch * blocks + block.first / LANES;
            let saved = &saved[index * kept..][..kept];
            let padded = self.padded();
            let pieces = [padded, padded, padded, (SEGMENT + 1) * padded];
            with_scratch(pieces, |[rates, d_rates, dh, states]| {
                block.turn(a, rates);
                d_rates[..padded].fill(0.0);
                dh[..padded].fill(0.0);
                if self.keep {
                    block.turn(&d_last[block.batch * self.channels * self.n..], dh);
                }
                let mut slopes = Slopes {
                    u: du,
                    delta: d_delta,
                    b: db,
                    c: dc,
                };
                for (segment, saved) in saved.chunks_exact(padded).enumerate().rev() {
                    let first = segment * SEGMENT;
                    let count = SEGMENT.min(self.len - first);
                    states[..padded].copy_from_slice(saved);
                    vectorized(
                        #[inline(always)]
                        || {
                            self.again(block, &read, first, count, rates, states);
                            for index in (0..count).rev() {
                                let states = &states[index * padded..][..2 * padded];
                                let (before, after) = states.split_at(padded);
                                let states = [before, after];
                                let t = first + index;
                                self.back(
                                    block,
                                    &read,
                                    t,
                                    states,
                                    [rates, d_rates, dh],
                                    &mut slopes,
                                );
                            }
                        },
                    );
                }
                block.turn_back(d_rates, da);
                block.turn_back(dh, d_begun);
            });
        });
        let gathered = |columns: Buffer| {
            let mut out = Buffer::new(outputs);
            self.gather(&columns, &mut out);
            Array::from_buffer(out, inputs[0].shape())
        };
        let mut gradients = vec![
            Some(gathered(du)),
            Some(gathered(d_delta)),
            Some(Array::new(
                sum_parts(&da, self.channels * self.n, self.batch),
                inputs[2].shape(),
            )),
            Some(self.over_blocks(&db, blocks)),
            Some(self.over_blocks(&dc, blocks)),
        ];
        if self.begun {
            gradients.push(Some(Array::from_buffer(d_begun, inputs[5].shape())));
        }
        gradients
    }

    /// Computes the states of a segment again: `states[i]` is the one before its position `i`.
    #[inline(always)]
    fn again(
        &self,
        block: Block<'_>,
        read: &Inputs<'_>,
        first: usize,
        count: usize,
        rates: &[f32],
        states: &mut [f32],
    ) {
        let padded = self.padded();
        for index in 0..count {
            let (before, after) = states.split_at_mut((index + 1) * padded);
            let after = &mut after[..padded];
            after.copy_from_slice(&before[index * padded..]);
            let t = first + index;
            let delta = block.lanes(read.delta, t);
            let drive = times(delta, block.lanes(read.u, t));
            advance(after, rates, delta, drive, block.row(read.b, t));
        }
    }

    /// One position back.
    #[inline(always)]
    fn back(
        &self,
        block: Block<'_>,
        read: &Inputs<'_>,
        t: usize,
        [before, after]: [&[f32]; 2],
        [rates, d_rates, dh]: [&mut [f32]; 3],
        slopes: &mut Slopes<'_>,
    ) {
        let (delta, u) = (block.lanes(read.delta, t), block.lanes(read.u, t));
        let (dy, drive) = (block.lanes(read.dy, t), times(delta, u));
        let (b, c) = (block.row(read.b, t), block.row(read.c, t));
        let [mut d_drive, mut d_delta] = [[0.0; LANES]; 2];
        let db = &mut slopes.b[t * self.n..][..self.n];
        let dc = &mut slopes.c[t * self.n..][..self.n];
        for n in 0..self.n {
            let at = n * LANES;
            let (old, new, a) = (load(before, at), load(after, at), load(rates, at));
            let (mut slope, mut d_rate) = (load(dh, at), load(d_rates, at));
            let [mut of_b, mut of_c] = [[0.0; LANES]; 2];
            for lane in 0..LANES {
                slope[lane] = c[n].mul_add(dy[lane], slope[lane]);
                of_c[lane] = dy[lane] * new[lane];
                of_b[lane] = slope[lane] * drive[lane];
                d_drive[lane] = b[n].mul_add(slope[lane], d_drive[lane]);
                let decay = exp_weight(delta[lane] * a[lane]);
                // The gradient of the exponent `Δ A`.
                let exponent = slope[lane] * decay * old[lane];
                d_delta[lane] = a[lane].mul_add(exponent, d_delta[lane]);
                d_rate[lane] = delta[lane].mul_add(exponent, d_rate[lane]);
                slope[lane] *= decay;
            }
            store(dh, at, slope);
            store(d_rates, at, d_rate);
            db[n] = total(of_b);
            dc[n] = total(of_c);
        }
        let of_u = times(d_drive, delta);
        for lane in 0..LANES {
            d_delta[lane] = d_drive[lane].mul_add(u[lane], d_delta[lane]);
        }
        let range = t * block.count..(t + 1) * block.count;
        slopes.u[range.clone()].copy_from_slice(&of_u[..block.count]);
        slopes.delta[range].copy_from_slice(&d_delta[..block.count]);
    }

    /// Sums over the blocks of each sequence: `[batch, blocks, length, n]` to `[batch, length, n]`.
    fn over_blocks(&self, parts: &[f32], blocks: usize) -> Array {
        let rows = self.len * self.n;
        let sequences = parts.chunks_exact((blocks * rows).max(1));
        let values = sequences
            .flat_map(|parts| sum_parts(parts, rows, blocks))
            .collect();
        Array::new::<f32>(values, [self.batch, self.len, self.n])
    }
}

/// The sum of `count` parts of `length` numbers each, in their order.
fn sum_parts(parts: &[f32], length: usize, count: usize) -> Vec<f32> {
    let mut sum = vec![0.0; length];
    for part in parts.chunks_exact(length.max(1)).take(count) {
        for (sum, x) in sum.iter_mut().zip(part) {
            *sum += x;
        }
    }
    sum
}

/// The sum of the lanes, in halves.
#[inline(always)]
fn total(lanes: Lanes) -> f32 {
    let mut half = [0.0; 8];
    for i in 0..8 {
        half[i] = lanes[i] + lanes[i + 8];
    }
    let [a, b, c, d, e, f, g, h] = half;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
