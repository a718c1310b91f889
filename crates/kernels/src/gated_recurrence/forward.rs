//! The forward pass.

use super::Recurrence;
use super::chunk::{CHUNK, Chunk, Head, SEGMENT};
use crate::attention::layout::Target;
use crate::block::{Extent, Left, Right, product};
use crate::op::Array;
use crate::scratch::with_scratch;
use rayon::prelude::*;

/// Multiply-adds from which heads are shared among threads.
const PARALLEL: usize = 1 << 17;

impl Recurrence {
    /// Calls `work` with each batch and head and their parts of `outs`, which are given with the length of a part.
    pub(super) fn each_head<const N: usize>(
        &self,
        outs: [(&mut [f32], usize); N],
        work: impl Fn([usize; 2], [&mut [f32]; N]) + Sync,
    ) {
        let sizes = self.sizes;
        let count = sizes.batch * sizes.heads;
        let mut rest = outs;
        let parts: Vec<[&mut [f32]; N]> = (0..count)
            .map(|_| {
                rest.each_mut()
                    .map(|(out, length)| out.split_off_mut(..*length).unwrap_or_default())
            })
            .collect();
        let one = |(index, parts): (usize, [&mut [f32]; N])| {
            work([index / sizes.heads, index % sizes.heads], parts);
        };
        if count * sizes.len * sizes.padded_state() < PARALLEL {
            parts.into_iter().enumerate().for_each(one);
        } else {
            parts.into_par_iter().enumerate().for_each(one);
        }
    }

    pub(super) fn run_forward(
        &self,
        inputs: &[Array],
        o: &mut [f32],
        last: Option<&mut [f32]>,
        saved: Option<&mut [f32]>,
    ) {
        let sizes = self.sizes;
        let state_length = sizes.keys * sizes.values;
        let segments = sizes.len.div_ceil(SEGMENT);
        let last = last.map_or((&mut [][..], 0), |last| (last, state_length));
        let saved = saved.map_or((&mut [][..], 0), |saved| {
            (saved, segments * sizes.padded_state())
        });
        let target = Target::new(o, sizes.value_layout());
        let (_, begun) = self.optional(inputs);
        self.each_head([last, saved], |[batch, head], [last, saved]| {
            let index = batch * sizes.heads + head;
            let begun = begun.map(|states| &states[index * state_length..][..state_length]);
            let rows = |position| {
                // SAFETY: each row belongs to one batch and head, which one task computes.
                unsafe { target.row(batch, head, position) }
            };
            self.head_forward(self.head(inputs, batch, head), begun, rows, last, saved);
        });
    }

    /// One head. `saved` takes the state at the beginning of each segment, if it has room.
    fn head_forward<'a>(
        &self,
        head: Head<'_>,
        begun: Option<&[f32]>,
        mut out: impl FnMut(usize) -> &'a mut [f32],
        last: &mut [f32],
        saved: &mut [f32],
    ) {
        let sizes = self.sizes;
        let (keys, values) = (sizes.key_width(), sizes.value_width());
        let (state_length, output) = (sizes.padded_state(), CHUNK * values);
        with_scratch(
            [Chunk::scratch(sizes), state_length, output],
            |[scratch, state, output]| {
                let mut chunk = Chunk::new(sizes, scratch);
                let state = &mut state[..state_length];
                begin(state, begun, sizes.values, values);
                let mut saved = saved.chunks_exact_mut(state_length);
                for first in (0..sizes.len).step_by(self.chunk) {
                    if first.is_multiple_of(SEGMENT)
                        && let Some(saved) = saved.next()
                    {
                        saved.copy_from_slice(state);
                    }
                    let rows = self.chunk.min(sizes.len - first);
                    chunk.read(head, first, rows);
                    chunk.weigh();
                    let scores = Left {
                        values: chunk.scores,
                        row: CHUNK,
                        step: 1,
                    };
                    let v = Right {
                        values: chunk.v,
                        stride: values,
                    };
                    let mut extent = Extent {
                        rows,
                        columns: values,
                        depth: rows,
                    };
                    product(scores, v, output, values, extent, false);
                    let q = Left {
                        values: chunk.q,
                        row: keys,
                        step: 1,
                    };
                    let before = Right {
                        values: state,
                        stride: values,
                    };
                    extent.depth = sizes.keys;
                    product(q, before, output, values, extent, true);
                    for (row, line) in output.chunks_exact(values).enumerate().take(rows) {
                        out(first + row).copy_from_slice(&line[..sizes.values]);
                    }
                    chunk.advance(state);
                }
                end(state, last, sizes.values, values);
            },
        );
    }
}

/// Fills a state whose rows are whole vectors.
pub(super) fn begin(state: &mut [f32], given: Option<&[f32]>, values: usize, width: usize) {
    state.fill(0.0);
    if let Some(given) = given {
        let lines = state
            .chunks_exact_mut(width)
            .zip(given.chunks_exact(values.max(1)));
        for (line, given) in lines {
            line[..values].copy_from_slice(given);
        }
    }
}

/// Writes a state without the filling, if there is room for it.
pub(super) fn end(state: &[f32], out: &mut [f32], values: usize, width: usize) {
    let lines = out
        .chunks_exact_mut(values.max(1))
        .zip(state.chunks_exact(width));
    for (out, line) in lines {
        out.copy_from_slice(&line[..values]);
    }
}
