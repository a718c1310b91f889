//! The gradient of the bias, in a pass of its own: few models learn one.

use super::forward::PARALLEL;
use super::scores::{Problem, Strides};
use super::slopes::{Known, Tile};
use crate::lanes::LANES;
use crate::simd::vectorized;
use crate::transpose::{Lines, columns};
use rayon::prelude::*;
use std::ops::Range;

/// Overwrites the gradient of the bias, `[batch or 1, heads or 1, queries or 1, keys]`: the gradients of the scores, summed
/// over the axes of length 1.
pub fn backward(problem: &Problem<'_>, known: Known<'_>, shape: [usize; 4], gradient: &mut [f32]) {
    let s = problem.sizes;
    gradient.fill(0.0);
    // A piece owns the rows of one sequence and head of the bias.
    let work = |(index, rows): (usize, &mut [f32])| {
        let pick = |index: usize, length: usize, all: usize| {
            if length == all {
                index..index + 1
            } else {
                0..all
            }
        };
        let batches = pick(index / shape[1], shape[0], s.batch);
        let heads = pick(index % shape[1], shape[1], s.heads);
        piece(
            problem,
            known,
            [batches, heads],
            Strides::new(shape).query,
            rows,
        );
    };
    let rows = (shape[2] * shape[3]).max(1);
    if problem.work() < PARALLEL {
        gradient.chunks_mut(rows).enumerate().for_each(work);
    } else {
        gradient.par_chunks_mut(rows).enumerate().for_each(work);
    }
}

/// Adds the gradients of the scores of some sequences and heads to rows that begin `stride` apart.
fn piece(
    problem: &Problem<'_>,
    known: Known<'_>,
    [batches, heads]: [Range<usize>; 2],
    stride: usize,
    rows: &mut [f32],
) {
    let s = problem.sizes;
    let pairs = batches.flat_map(|batch| heads.clone().map(move |head| [batch, head]));
    for [batch, head] in pairs {
        Tile::with(problem, s.keys, |mut tile| {
            vectorized(
                #[inline(always)]
                || {
                    for first in (0..s.queries).step_by(tile.block) {
                        let queries = first..s.queries.min(first + tile.block);
                        tile.fetch_queries(problem, known, [batch, head], queries.clone());
                        for key in (0..problem.visible(queries.end - 1)).step_by(tile.tile) {
                            let keys = key..s.keys.min(key + tile.tile);
                            tile.fetch_keys(known, [batch, problem.kv_head(head)], keys);
                            tile.differentiate(problem);
                            for start in (0..queries.len()).step_by(LANES) {
                                let place = tile.place(problem, start);
                                let mut square = [0.0; LANES * LANES];
                                for key in (0..place.keys).step_by(LANES) {
                                    let count = LANES.min(place.keys - key);
                                    let slopes = Lines {
                                        values: &tile.slopes[key * tile.block + start..],
                                        stride: tile.block,
                                        width: LANES,
                                    };
                                    columns(slopes, count, &mut square, LANES);
                                    let lines = square.chunks_exact(LANES).take(place.live);
                                    for (index, line) in lines.enumerate() {
                                        let row = (place.query + index) * stride + place.key + key;
                                        let row = &mut rows[row..][..count];
                                        row.iter_mut().zip(line).for_each(|(x, y)| *x += y);
                                    }
                                }
                            }
                        }
                    }
                },
            );
        });
    }
}
