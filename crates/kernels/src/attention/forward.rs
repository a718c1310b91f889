//! The forward pass: tiles of keys with a running softmax (Dao et al., "FlashAttention", 2022; Milakov and Gimelshein,
//! "Online normalizer calculation for softmax", 2018).

use super::layout::{Source, Target};
use super::scores::{Place, Problem, bias, exp_difference};
use super::tile::{PANEL, inner, pack, panel};
use crate::block::{Extent, Left, Right, product};
use crate::lanes::{LANES, load, store, zip};
use crate::scratch::with_scratch;
use crate::simd::vectorized;
use rayon::prelude::*;

/// Keys of a tile: with their values they fit the first-level cache for usual widths.
const KEYS: usize = 64;

/// Queries that share a tile, and that one task computes.
const QUERIES: usize = 256;

/// Multiply-adds from which the work is shared among threads; below, waking them costs more than it saves.
pub const PARALLEL: usize = 1 << 18;

/// `y = softmax(scale · q kᵀ + bias) v`, and for each row the logarithm of the sum of its exponentials, `lse`, of shape
/// `[batch, heads, queries]`; infinite where no key is seen.
pub fn forward(problem: &Problem<'_>, sources: [Source<'_>; 3], y: Target<'_>, lse: &mut [f32]) {
    let s = problem.sizes;
    let blocks = s.queries.div_ceil(QUERIES);
    let pieces: Vec<&mut [f32]> = lse
        .chunks_mut(s.queries.max(1))
        .flat_map(|head| head.chunks_mut(QUERIES))
        .collect();
    let work = |(piece, lse): (usize, &mut [f32])| {
        let (head, first) = (piece / blocks, piece % blocks * QUERIES);
        let place = [head / s.heads, head % s.heads, first];
        block(problem, sources, y, lse, place);
    };
    if problem.work() < PARALLEL {
        pieces.into_iter().enumerate().for_each(work);
    } else {
        pieces.into_par_iter().enumerate().for_each(work);
    }
}

/// The queries of one head from `first` on, as many as `lse` has numbers.
fn block(
    problem: &Problem<'_>,
    [q, k, v]: [Source<'_>; 3],
    y: Target<'_>,
    lse: &mut [f32],
    [batch, head, first]: [usize; 3],
) {
    let dim = problem.sizes.dim;
    let width = dim.next_multiple_of(LANES);
    let end = first + lse.len();
    let rows = lse.len().next_multiple_of(LANES);
    let kv_head = problem.kv_head(head);
    let (k, v) = (k.head(batch, kv_head), v.head(batch, kv_head));
    let visible = problem.visible(end - 1);
    let tile = visible.div_ceil(visible.div_ceil(KEYS).max(1)).max(1);
    let (tall, wide) = (rows * width, tile * width);
    let lengths = [
        tall,
        rows * dim,
        rows,
        rows,
        wide,
        wide,
        tile * PANEL,
        tile * LANES,
    ];
    with_scratch(lengths, |scratch| {
        let [sums, packed, tops, totals, keys, values, weights, spare] = scratch;
        vectorized(
            #[inline(always)]
            || {
                q.head(batch, head)
                    .copy(first..end, sums, width, problem.scale);
                for start in (0..lse.len()).step_by(PANEL) {
                    let live = PANEL.min(lse.len() - start);
                    pack(
                        &sums[start * width..],
                        width,
                        live,
                        dim,
                        &mut packed[start * dim..],
                    );
                }
                tops.fill(f32::NEG_INFINITY);
                totals.fill(0.0);
                for key in (0..visible).step_by(tile) {
                    let len = tile.min(visible - key);
                    k.copy(key..key + len, keys, width, 1.0);
                    v.copy(key..key + len, values, width, 1.0);
                    let tile = Tile {
                        keys,
                        values,
                        width,
                    };
                    let place =
                        |start: usize| problem.place([batch, head, first + start], end, [key, len]);
                    for start in (0..lse.len()).step_by(PANEL) {
                        let live = PANEL.min(lse.len() - start);
                        let seen = place(start + (live - 1) / LANES * LANES).keys;
                        let stride = panel(live);
                        problem.prefetch_bias(place(start), live);
                        let rows = Left {
                            values: tile.keys,
                            row: width,
                            step: 1,
                        };
                        let queries = &packed[start * dim..];
                        inner(rows, seen, queries, [live, dim], weights, stride);
                        for lane in (0..live).step_by(LANES) {
                            let place = place(start + lane);
                            if place.keys == 0 {
                                continue;
                            }
                            let state = State {
                                sums: &mut sums[(start + lane) * width..],
                                tops: &mut tops[start + lane..],
                                totals: &mut totals[start + lane..],
                            };
                            state.add(problem, place, tile, &mut weights[lane..], stride, spare);
                        }
                    }
                }
                for (index, lse) in lse.iter_mut().enumerate() {
                    let (top, total) = (tops[index], totals[index]);
                    // SAFETY: this piece alone writes the rows of its queries.
                    let y = unsafe { y.row(batch, head, first + index) };
                    if total == 0.0 {
                        *lse = f32::INFINITY;
                        y.fill(0.0);
                    } else {
                        *lse = top + total.ln();
                        for (y, sum) in y.iter_mut().zip(&sums[index * width..]) {
                            *y = sum / total;
                        }
                    }
                }
            },
        );
    });
}

/// Copies of a tile's keys and values, in lines of `width` numbers.
#[derive(Clone, Copy)]
struct Tile<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    width: usize,
}

/// What is known of a vector of queries after some tiles.
struct State<'a> {
    /// Sums of the values, weighted by `exp(score - top)`, a line for each query.
    sums: &'a mut [f32],
    /// Largest score of each query.
    tops: &'a mut [f32],
    /// Sum of the weights of each query.
    totals: &'a mut [f32],
}

impl State<'_> {
    /// Takes the keys of a place into account, given their scores, a row for each key, the rows `stride` apart.
    #[inline(always)]
    fn add(
        self,
        problem: &Problem<'_>,
        place: Place,
        Tile { values, width, .. }: Tile<'_>,
        weights: &mut [f32],
        stride: usize,
        spare: &mut [f32],
    ) {
        bias(problem, place, weights, stride, spare);
        let old = load(self.tops, 0);
        let mut top = old;
        for index in 0..place.keys {
            top = zip(load(weights, index * stride), top, |x, top| {
                if x > top { x } else { top }
            });
        }
        store(self.tops, 0, top);
        // Where all is hidden so far, any finite number keeps the weights at zero.
        for top in &mut top {
            *top = if *top == f32::NEG_INFINITY { 0.0 } else { *top };
        }
        let shrink = exp_difference(old, top);
        let mut total = load(self.totals, 0);
        for (total, shrink) in total.iter_mut().zip(shrink) {
            *total *= shrink;
        }
        let mask = problem.mask(place);
        for index in 0..place.keys {
            let mut weight = exp_difference(load(weights, index * stride), top);
            for (total, weight) in total.iter_mut().zip(weight) {
                *total += weight;
            }
            if let Some(mask) = &mask {
                let factors = mask.factors(place.key + index);
                for (weight, factor) in weight.iter_mut().zip(factors) {
                    *weight *= factor;
                }
            }
            store(weights, index * stride, weight);
        }
        store(self.totals, 0, total);
        let (weights, values) = (
            Left {
                values: weights,
                row: 1,
                step: stride,
            },
            Right {
                values,
                stride: width,
            },
        );
        let extent = Extent {
            rows: place.live,
            columns: width,
            depth: place.keys,
        };
        let fresh = place.key == 0;
        if !fresh && shrink != [1.0; LANES] {
            for (line, shrink) in self.sums.chunks_exact_mut(width).zip(shrink) {
                line.iter_mut().for_each(|x| *x *= shrink);
            }
        }
        product(weights, values, self.sums, width, extent, !fresh);
    }
}
