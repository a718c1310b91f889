//! The forward pass.

use super::Scan;
use crate::lanes::{LANES, Lanes, load, store};
use crate::math::exp_weight;
use crate::memory::Buffer;
use crate::op::Array;
use crate::scratch::with_scratch;
use crate::simd::vectorized;
use rayon::prelude::*;

/// Positions for which a training pass keeps one state.
pub(super) const SEGMENT: usize = 32;

/// Multiply-adds from which blocks of channels are shared among threads.
const PARALLEL: usize = 1 << 16;

/// Up to [`LANES`] channels of one sequence.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub batch: usize,
    /// First channel.
    pub first: usize,
    /// Number of channels.
    pub count: usize,
    pub scan: &'a Scan,
}

impl<'a> Block<'a> {
    /// The channels at a position of a `[batch, length, channels]` array, the rest zeros.
    #[inline(always)]
    pub fn lanes(self, values: &[f32], t: usize) -> Lanes {
        let start = (self.batch * self.scan.len + t) * self.scan.channels + self.first;
        if self.count == LANES {
            return load(values, start);
        }
        let mut lanes = [0.0; LANES];
        lanes[..self.count].copy_from_slice(&values[start..start + self.count]);
        lanes
    }

    /// The numbers at a position of a `[batch, length, n]` array.
    #[inline(always)]
    pub fn row(self, values: &'a [f32], t: usize) -> &'a [f32] {
        &values[(self.batch * self.scan.len + t) * self.scan.n..][..self.scan.n]
    }

    /// Columns of a `[channels, n]` array as vectors, `[n, LANES]`, the rest zeros.
    pub fn turn(self, values: &[f32], out: &mut [f32]) {
        let n = self.scan.n;
        out[..n * LANES].fill(0.0);
        for lane in 0..self.count {
            let row = &values[(self.first + lane) * n..][..n];
            for (index, x) in row.iter().enumerate() {
                out[index * LANES + lane] = *x;
            }
        }
    }

    /// The other way, into rows of `n`.
    pub fn turn_back(self, lanes: &[f32], out: &mut [f32]) {
        let n = self.scan.n;
        for (lane, row) in out.chunks_exact_mut(n).enumerate().take(self.count) {
            for (index, x) in row.iter_mut().enumerate() {
                *x = lanes[index * LANES + lane];
            }
        }
    }
}

/// One position: the state of each lane decays and learns.
#[inline(always)]
pub(super) fn advance(h: &mut [f32], a: &[f32], delta: Lanes, drive: Lanes, b: &[f32]) {
    for (n, b) in b.iter().enumerate() {
        let (mut state, a) = (load(h, n * LANES), load(a, n * LANES));
        for lane in 0..LANES {
            let decay = exp_weight(delta[lane] * a[lane]);
            state[lane] = decay.mul_add(state[lane], drive[lane] * b);
        }
        store(h, n * LANES, state);
    }
}

#[inline(always)]
pub(super) fn times(a: Lanes, b: Lanes) -> Lanes {
    let mut out = a;
    for lane in 0..LANES {
        out[lane] *= b[lane];
    }
    out
}

impl Scan {
    /// Blocks of channels of each sequence.
    pub(super) fn blocks(&self) -> Vec<Block<'_>> {
        let starts = |batch| {
            (0..self.channels).step_by(LANES).map(move |first| Block {
                batch,
                first,
                count: LANES.min(self.channels - first),
                scan: self,
            })
        };
        (0..self.batch).flat_map(starts).collect()
    }

    /// Calls `work` with each block and its part of `outs`, the length of which `part` tells.
    pub(super) fn each_block<const N: usize>(
        &self,
        outs: [&mut [f32]; N],
        part: impl Fn(Block<'_>) -> [usize; N],
        work: impl Fn(Block<'_>, [&mut [f32]; N]) + Sync,
    ) {
        let mut rest = outs;
        let tasks: Vec<_> = self
            .blocks()
            .into_iter()
            .map(|block| {
                let lengths = part(block);
                let mut index = 0;
                let parts = rest.each_mut().map(|out| {
                    index += 1;
                    out.split_off_mut(..lengths[index - 1]).unwrap_or_default()
                });
                (block, parts)
            })
            .collect();
        if self.outputs() * self.n < PARALLEL {
            tasks
                .into_iter()
                .for_each(|(block, parts)| work(block, parts));
        } else {
            tasks
                .into_par_iter()
                .for_each(|(block, parts)| work(block, parts));
        }
    }

    /// Numbers of the state of a block, whole vectors.
    pub(super) fn padded(&self) -> usize {
        self.n * LANES
    }

    pub(super) fn segments(&self) -> usize {
        self.len.div_ceil(SEGMENT)
    }

    /// Writes the result, then the last state if it is kept; gives the state at the beginning of each segment.
    pub(super) fn run_forward(&self, inputs: &[Array], out: &mut [f32], training: bool) -> Buffer {
        let [u, delta, a, b, c] = [0, 1, 2, 3, 4].map(|index: usize| inputs[index].f32());
        let begun = self.begun.then(|| inputs[5].f32());
        let kept = if training {
            self.segments() * self.padded()
        } else {
            0
        };
        let mut saved = Buffer::new(self.batch * self.channels.div_ceil(LANES) * kept);
        let (y, last) = out.split_at_mut(self.outputs());
        // Blocks write columns; a block's results are first put side by side.
        let mut columns = Buffer::new(self.outputs());
        let part = |block: Block<'_>| {
            let state = if self.keep { block.count * self.n } else { 0 };
            [block.count * self.len, state, kept]
        };
        let outs = [&mut columns[..], last, &mut saved[..]];
        self.each_block(outs, part, |block, [y, last, saved]| {
            with_scratch([self.padded(), self.padded()], |[rates, h]| {
                block.turn(a, rates);
                h.fill(0.0);
                if let Some(begun) = begun {
                    block.turn(&begun[block.batch * self.channels * self.n..], h);
                }
                let mut saved = saved.chunks_exact_mut(self.padded());
                vectorized(
                    #[inline(always)]
                    || {
                        for t in 0..self.len {
                            if t.is_multiple_of(SEGMENT)
                                && let Some(saved) = saved.next()
                            {
                                saved.copy_from_slice(&h[..self.padded()]);
                            }
                            let delta = block.lanes(delta, t);
                            let drive = times(delta, block.lanes(u, t));
                            advance(h, rates, delta, drive, block.row(b, t));
                            let mut sum = [0.0; LANES];
                            for (n, c) in block.row(c, t).iter().enumerate() {
                                let h = load(h, n * LANES);
                                for lane in 0..LANES {
                                    sum[lane] = c.mul_add(h[lane], sum[lane]);
                                }
                            }
                            y[t * block.count..][..block.count]
                                .copy_from_slice(&sum[..block.count]);
                        }
                    },
                );
                if self.keep {
                    block.turn_back(h, last);
                }
            });
        });
        self.gather(&columns, y);
        saved
    }

    /// Puts what blocks have written side by side, `[length, count]` each, where it belongs in `[batch, length, channels]`.
    pub(super) fn gather(&self, columns: &[f32], out: &mut [f32]) {
        let length = self.len * self.channels;
        let sequences = out
            .chunks_exact_mut(length.max(1))
            .zip(columns.chunks_exact(length.max(1)));
        for (out, mut columns) in sequences {
            for first in (0..self.channels).step_by(LANES) {
                let count = LANES.min(self.channels - first);
                let (block, rest) = columns.split_at(count * self.len);
                columns = rest;
                let rows = out.chunks_exact_mut(self.channels);
                for (row, from) in rows.zip(block.chunks_exact(count)) {
                    row[first..first + count].copy_from_slice(from);
                }
            }
        }
    }
}
