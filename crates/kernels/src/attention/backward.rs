//! The backward pass: the probabilities of each tile again, from the sums that the forward pass saved.
//!
//! With `p` the probabilities and `D_i = Σ_d dy_id y_id`: `dv = pᵀ dy`, `ds = p · (dy vᵀ − D)`, `dq = scale · ds k` and
//! `dk = scale · dsᵀ q` (Dao et al., "FlashAttention", 2022, appendix B). Where probabilities are dropped, the factors of
//! the mask multiply `p` in `dv` and `dy vᵀ` in `ds`.

use super::forward::PARALLEL;
use super::layout::{Layout, Target};
use super::scores::Problem;
use super::slopes::{Known, Tile};
use crate::block::{Extent, Left, Right, product};
use crate::lanes::LANES;
use crate::memory::Buffer;
use crate::simd::vectorized;
use rayon::prelude::*;
use std::ops::Range;

/// Pieces that the work is cut into at least, where there are enough keys.
const PIECES: usize = 8;

/// Keys below which a head is not cut.
const SPAN: usize = 512;

/// Overwrites the gradients of queries, keys and values, `dq`, `dk` and `dv`.
pub fn backward(problem: &Problem<'_>, known: Known<'_>, [dq, dk, dv]: [Target<'_>; 3]) {
    let s = problem.sizes;
    let heads = s.batch * s.kv_heads;
    let spans = PIECES.div_ceil(heads.max(1)).min(s.keys / SPAN).max(1);
    let span = s.keys.div_ceil(spans);
    // A piece owns the keys of a span and adds up their gradients in order. A query belongs to all spans of its head, so
    // each span adds up a share of its gradient.
    let numbers = s.batch * s.queries * s.heads * s.dim;
    let mut others: Vec<Buffer> = (1..spans).map(|_| Buffer::new(numbers)).collect();
    let layout = Layout::dense(s.queries, s.heads, s.dim);
    let others: Vec<Target<'_>> = others
        .iter_mut()
        .map(|other| Target::new(other, layout))
        .collect();
    let work = |index: usize| {
        let (head, part) = (index / spans, index % spans);
        let dq = if part == 0 { dq } else { others[part - 1] };
        let span = part * span..s.keys.min((part + 1) * span);
        piece(
            problem,
            known,
            [dq, dk, dv],
            [head / s.kv_heads, head % s.kv_heads],
            span,
        );
    };
    if problem.work() < PARALLEL {
        (0..heads * spans).for_each(work);
    } else {
        (0..heads * spans).into_par_iter().for_each(work);
    }
    if !others.is_empty() {
        (0..s.batch * s.queries)
            .into_par_iter()
            .for_each(|position| {
                let (batch, query) = (position / s.queries, position % s.queries);
                for (head, other) in
                    (0..s.heads).flat_map(|head| others.iter().map(move |x| (head, x)))
                {
                    // SAFETY: one task a position, and all pieces are done.
                    let (sum, share) =
                        unsafe { (dq.row(batch, head, query), other.row(batch, head, query)) };
                    sum.iter_mut().zip(share).for_each(|(x, y)| *x += *y);
                }
            });
    }
}

/// The gradients of a span of keys of one head of keys and values, and its share of the gradients of the queries.
fn piece(
    problem: &Problem<'_>,
    known: Known<'_>,
    [dq, dk, dv]: [Target<'_>; 3],
    [batch, kv_head]: [usize; 2],
    span: Range<usize>,
) {
    let s = problem.sizes;
    let shared = s.heads / s.kv_heads;
    Tile::with(problem, span.len(), |mut tile| {
        vectorized(
            #[inline(always)]
            || {
                for key in span.clone() {
                    // SAFETY: this piece alone writes the gradients of its keys.
                    unsafe {
                        dk.row(batch, kv_head, key).fill(0.0);
                        dv.row(batch, kv_head, key).fill(0.0);
                    }
                }
                for head in kv_head * shared..(kv_head + 1) * shared {
                    for first in (0..s.queries).step_by(tile.block) {
                        let queries = first..s.queries.min(first + tile.block);
                        tile.fetch_queries(problem, known, [batch, head], queries.clone());
                        tile.dq.fill(0.0);
                        let visible = problem.visible(queries.end - 1).min(span.end);
                        for key in (span.start..visible).step_by(tile.tile) {
                            let keys = key..span.end.min(key + tile.tile);
                            tile.fetch_keys(known, [batch, kv_head], keys);
                            tile.differentiate(problem);
                            for start in (0..queries.len()).step_by(LANES) {
                                add_to_queries(problem, &mut tile, start);
                            }
                            let place = [batch, kv_head];
                            add_to_keys(problem, &mut tile, Of::Values, dv, place);
                            add_to_keys(problem, &mut tile, Of::Keys, dk, place);
                        }
                        let lines = tile.dq.chunks_exact(tile.width);
                        for (query, line) in queries.zip(lines) {
                            // SAFETY: this piece alone writes its share of the gradients of these queries.
                            let dq = unsafe { dq.row(batch, head, query) };
                            for (dq, x) in dq.iter_mut().zip(line) {
                                *dq = problem.scale * x;
                            }
                        }
                    }
                }
            },
        );
    });
}

/// Adds what the keys of a tile contribute to the vector of queries from the `start`-th on.
#[inline(always)]
fn add_to_queries(problem: &Problem<'_>, tile: &mut Tile<'_>, start: usize) {
    let (place, width) = (tile.place(problem, start), tile.width);
    let slopes = Left {
        values: &tile.slopes[start..],
        row: 1,
        step: tile.block,
    };
    let keys = Right {
        values: tile.keys,
        stride: width,
    };
    let extent = Extent {
        rows: place.live,
        columns: width,
        depth: place.keys,
    };
    product(
        slopes,
        keys,
        &mut tile.dq[start * width..],
        width,
        extent,
        true,
    );
}

#[derive(Clone, Copy)]
enum Of {
    Keys,
    Values,
}

/// Adds what the queries of a tile contribute to its keys or their values.
#[inline(always)]
fn add_to_keys(
    problem: &Problem<'_>,
    tile: &mut Tile<'_>,
    of: Of,
    target: Target<'_>,
    [batch, kv_head]: [usize; 2],
) {
    let (width, block, count) = (tile.width, tile.block, tile.queries.len());
    // Keys that the same queries see, together.
    let mut done = 0;
    for start in (0..count).step_by(LANES) {
        let seen = tile.place(problem, start).keys;
        if seen > done {
            let (weights, lines) = match of {
                Of::Keys => (&*tile.slopes, &*tile.q),
                Of::Values => (&*tile.weights, &*tile.dy),
            };
            let weights = Left {
                values: &weights[done * block + start..],
                row: block,
                step: 1,
            };
            let lines = Right {
                values: &lines[start * width..],
                stride: width,
            };
            let extent = Extent {
                rows: seen - done,
                columns: width,
                depth: count - start,
            };
            product(
                weights,
                lines,
                &mut tile.dk[done * width..],
                width,
                extent,
                false,
            );
            done = seen;
        }
    }
    for (key, line) in tile
        .range
        .clone()
        .zip(tile.dk.chunks_exact(width))
        .take(done)
    {
        // SAFETY: the piece that this tile belongs to alone writes the gradients of its keys.
        let row = unsafe { target.row(batch, kv_head, key) };
        row.iter_mut().zip(line).for_each(|(x, y)| *x += y);
    }
}
