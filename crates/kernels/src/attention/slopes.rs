//! What every part of the backward pass begins with: the probabilities of a tile, and the gradients of its scores.

use super::layout::Source;
use super::scores::{Place, Problem, bias, exp_difference};
use super::tile::{PANEL, inner, pack};
use crate::block::Left;
use crate::lanes::{LANES, load, store};
use crate::scratch::with_scratch;
use crate::transpose::{Lines, dots};
use std::ops::Range;

/// Keys of a tile.
const KEYS: usize = 128;

/// Queries of a tile.
const QUERIES: usize = 128;

/// What the backward pass reads.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub q: Source<'a>,
    pub k: Source<'a>,
    pub v: Source<'a>,
    pub y: Source<'a>,
    pub dy: Source<'a>,
    /// Logarithms of the sums of exponentials, from the forward pass.
    pub lse: &'a [f32],
}

/// A tile and the memory for it. Lines of queries and keys have `width` numbers, rows of weights and slopes, one for each
/// key, have `block`.
pub struct Tile<'a> {
    /// `dim`, filled up to whole vectors.
    pub width: usize,
    /// Most queries.
    pub block: usize,
    /// Most keys.
    pub tile: usize,
    /// Queries times the scale.
    pub q: &'a mut [f32],
    pub dy: &'a mut [f32],
    pub keys: &'a mut [f32],
    values: &'a mut [f32],
    /// Probabilities, times the factors of the mask.
    pub weights: &'a mut [f32],
    /// Gradients of the scores.
    pub slopes: &'a mut [f32],
    /// Lines for the gradients of the queries.
    pub dq: &'a mut [f32],
    /// Lines for the gradients of the keys or values.
    pub dk: &'a mut [f32],
    q_packed: &'a mut [f32],
    dy_packed: &'a mut [f32],
    lse: &'a mut [f32],
    /// Inner products of outputs and their gradients.
    delta: &'a mut [f32],
    spare: &'a mut [f32],
    head: [usize; 2],
    pub queries: Range<usize>,
    pub range: Range<usize>,
}

impl Tile<'_> {
    /// Calls `work` with an empty tile for `keys` keys, or parts of them.
    pub fn with<R>(problem: &Problem<'_>, keys: usize, work: impl FnOnce(Tile<'_>) -> R) -> R {
        let (queries, dim) = (problem.sizes.queries, problem.sizes.dim);
        let width = dim.next_multiple_of(LANES);
        let even =
            |length: usize, most: usize| length.div_ceil(length.div_ceil(most).max(1)).max(1);
        let block = even(queries, QUERIES).next_multiple_of(LANES);
        let tile = even(keys, KEYS);
        let (tall, wide, square) = (block * width, tile * width, tile * block);
        let lengths = [
            tall,
            tall,
            tall,
            tall,
            tall,
            wide,
            wide,
            wide,
            square,
            square,
            block,
            block,
            tile * LANES,
        ];
        with_scratch(lengths, |scratch| {
            let [
                q,
                dy,
                dq,
                q_packed,
                dy_packed,
                keys,
                values,
                dk,
                weights,
                slopes,
                lse,
                delta,
                spare,
            ] = scratch;
            work(Tile {
                width,
                block,
                tile,
                q,
                dy,
                keys,
                values,
                weights,
                slopes,
                dq,
                dk,
                q_packed,
                dy_packed,
                lse,
                delta,
                spare,
                head: [0, 0],
                queries: 0..0,
                range: 0..0,
            })
        })
    }

    /// Fetches queries of a head.
    #[inline(always)]
    pub fn fetch_queries(
        &mut self,
        problem: &Problem<'_>,
        known: Known<'_>,
        [batch, head]: [usize; 2],
        queries: Range<usize>,
    ) {
        let (s, width) = (problem.sizes, self.width);
        known
            .q
            .head(batch, head)
            .copy(queries.clone(), self.q, width, problem.scale);
        known
            .dy
            .head(batch, head)
            .copy(queries.clone(), self.dy, width, 1.0);
        let y = known.y.head(batch, head);
        let lse = &known.lse[(batch * s.heads + head) * s.queries..][queries.clone()];
        self.lse[..lse.len()].copy_from_slice(lse);
        for start in (0..queries.len()).step_by(LANES) {
            let dy = Lines {
                values: &self.dy[start * width..],
                stride: width,
                width: s.dim,
            };
            let live = LANES.min(queries.len() - start);
            store(
                self.delta,
                start,
                dots(y.lines(queries.start + start), dy, live),
            );
        }
        for start in (0..queries.len()).step_by(PANEL) {
            let live = PANEL.min(queries.len() - start);
            let (line, packed) = (start * width, start * s.dim);
            let pack = |rows: &[f32], out: &mut [f32]| {
                pack(&rows[line..], width, live, s.dim, &mut out[packed..]);
            };
            pack(self.q, self.q_packed);
            pack(self.dy, self.dy_packed);
        }
        (self.head, self.queries) = ([batch, head], queries);
    }

    /// Fetches keys of a head and their values, unless they are there already. A tile is used for one head of keys only.
    #[inline(always)]
    pub fn fetch_keys(
        &mut self,
        known: Known<'_>,
        [batch, kv_head]: [usize; 2],
        keys: Range<usize>,
    ) {
        if self.range != keys {
            known
                .k
                .head(batch, kv_head)
                .copy(keys.clone(), self.keys, self.width, 1.0);
            known
                .v
                .head(batch, kv_head)
                .copy(keys.clone(), self.values, self.width, 1.0);
            self.range = keys;
        }
    }

    /// The place of the vector of queries from the `start`-th of the tile on.
    #[inline(always)]
    pub fn place(&self, problem: &Problem<'_>, start: usize) -> Place {
        let [batch, head] = self.head;
        let first = [batch, head, self.queries.start + start];
        problem.place(
            first,
            self.queries.end,
            [self.range.start, self.range.len()],
        )
    }

    /// Computes weights and slopes of all queries and keys that were fetched.
    #[inline(always)]
    pub fn differentiate(&mut self, problem: &Problem<'_>) {
        let (dim, block, count) = (problem.sizes.dim, self.block, self.queries.len());
        for start in (0..count).step_by(PANEL) {
            let live = PANEL.min(count - start);
            let last = start + (live - 1) / LANES * LANES;
            problem.prefetch_bias(self.place(problem, start), live);
            let seen = self.place(problem, last).keys;
            let inner = |rows: &[f32], packed: &[f32], out: &mut [f32]| {
                let rows = Left {
                    values: rows,
                    row: self.width,
                    step: 1,
                };
                let packed = &packed[start * dim..];
                inner(rows, seen, packed, [live, dim], &mut out[start..], block);
            };
            inner(self.keys, self.q_packed, self.weights);
            inner(self.values, self.dy_packed, self.slopes);
            for start in (start..=last).step_by(LANES) {
                self.differentiate_scores(problem, start);
            }
        }
    }

    /// Turns the scores of a vector of queries into weights, and the gradients of these into slopes.
    #[inline(always)]
    fn differentiate_scores(&mut self, problem: &Problem<'_>, start: usize) {
        let (place, block) = (self.place(problem, start), self.block);
        let (weights, slopes) = (&mut self.weights[start..], &mut self.slopes[start..]);
        bias(problem, place, weights, block, self.spare);
        let (lse, delta) = (load(self.lse, start), load(self.delta, start));
        let mask = problem.mask(place);
        for index in 0..place.keys {
            let mut weight = exp_difference(load(weights, index * block), lse);
            let mut slope = load(slopes, index * block);
            match &mask {
                None => {
                    for lane in 0..LANES {
                        slope[lane] = weight[lane] * (slope[lane] - delta[lane]);
                    }
                }
                Some(mask) => {
                    let factors = mask.factors(place.key + index);
                    for lane in 0..LANES {
                        slope[lane] = weight[lane] * (factors[lane] * slope[lane] - delta[lane]);
                        weight[lane] *= factors[lane];
                    }
                }
            }
            store(weights, index * block, weight);
            store(slopes, index * block, slope);
        }
    }
}
