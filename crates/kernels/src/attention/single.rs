//! One query for each head, as when a text is generated token by token: no tiles, no copies, the keys in the lanes.

use super::layout::{Rows, Source, Target};
use super::scores::{Bias, Problem};
use crate::lanes::{self, LANES, Lanes, load, store};
use crate::math::exp_weight;
use crate::scratch::with_scratch;
use crate::simd::vectorized;
use crate::transpose::{Lines, dots};
use rayon::prelude::*;

/// Keys whose scores are kept at a time.
const KEYS: usize = 512;

/// [`forward`](super::forward::forward) where there is one query, which sees all keys, and no probability is dropped.
pub fn forward(problem: &Problem<'_>, sources: [Source<'_>; 3], y: Target<'_>, lse: &mut [f32]) {
    let heads = problem.sizes.heads;
    let work = |(index, lse): (usize, &mut f32)| {
        let place = [index / heads, index % heads];
        // SAFETY: each row is written once.
        let y = unsafe { y.row(place[0], place[1], 0) };
        *lse = head(problem, sources, y, place);
    };
    if problem.work() < super::forward::PARALLEL {
        lse.iter_mut().enumerate().for_each(work);
    } else {
        lse.par_iter_mut().enumerate().for_each(work);
    }
}

/// Writes the output of one head and returns the logarithm of its sum of exponentials.
fn head(
    problem: &Problem<'_>,
    [q, k, v]: [Source<'_>; 3],
    y: &mut [f32],
    [batch, head]: [usize; 2],
) -> f32 {
    let s = problem.sizes;
    let kv_head = problem.kv_head(head);
    let q = Lines {
        stride: 0,
        ..q.head(batch, head).lines(0)
    };
    let (k, v) = (k.head(batch, kv_head), v.head(batch, kv_head));
    with_scratch([KEYS], |[weights]| {
        vectorized(
            #[inline(always)]
            || {
                let (mut top, mut total) = (f32::NEG_INFINITY, 0.0);
                y.fill(0.0);
                for first in (0..s.keys).step_by(KEYS) {
                    let count = KEYS.min(s.keys - first);
                    let weights = &mut weights[..count.next_multiple_of(LANES)];
                    weights[count..].fill(f32::NEG_INFINITY);
                    for start in (0..count).step_by(LANES) {
                        let keys = k.lines(first + start);
                        let scores = dots(keys, q, LANES.min(count - start));
                        for (weight, x) in weights[start..count].iter_mut().zip(scores) {
                            *weight = problem.scale * x;
                        }
                    }
                    if let Some(Bias { values, strides }) = problem.bias {
                        let row = &values[strides.row(batch, head, 0) + first..][..count];
                        weights.iter_mut().zip(row).for_each(|(x, bias)| *x += bias);
                    }
                    let old = top;
                    for x in weights.iter() {
                        top = if *x > top { *x } else { top };
                    }
                    let finite = if top == f32::NEG_INFINITY { 0.0 } else { top };
                    let mut sums = [0.0; LANES];
                    for start in (0..weights.len()).step_by(LANES) {
                        let mut x = load(weights, start);
                        for lane in 0..LANES {
                            x[lane] = exp_weight(x[lane] - finite);
                            sums[lane] += x[lane];
                        }
                        store(weights, start, x);
                    }
                    let shrink = exp_weight(old - finite);
                    total = total * shrink + lanes::total(sums);
                    y.iter_mut().for_each(|y| *y *= shrink);
                    add_rows(v, first, &weights[..count], y);
                }
                if total == 0.0 {
                    return f32::INFINITY;
                }
                y.iter_mut().for_each(|y| *y /= total);
                top + total.ln()
            },
        )
    })
}

/// `y += Σ_i weights_i · rows(first + i)`.
#[inline(always)]
fn add_rows(rows: Rows<'_>, first: usize, weights: &[f32], y: &mut [f32]) {
    let whole = y.len() / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        // Sums of every fourth row, so that the additions do not wait for each other.
        let mut sums = [[0.0; LANES]; 4];
        let groups = weights.len() / 4;
        for group in 0..groups {
            for (index, sums) in sums.iter_mut().enumerate() {
                let index = 4 * group + index;
                add(sums, weights[index], rows.row(first + index), start);
            }
        }
        for (index, weight) in weights.iter().enumerate().skip(4 * groups) {
            add(&mut sums[0], *weight, rows.row(first + index), start);
        }
        let mut out = load(y, start);
        for lane in 0..LANES {
            out[lane] += (sums[0][lane] + sums[1][lane]) + (sums[2][lane] + sums[3][lane]);
        }
        store(y, start, out);
    }
    if whole < y.len() {
        for (index, weight) in weights.iter().enumerate() {
            for (y, x) in y[whole..].iter_mut().zip(&rows.row(first + index)[whole..]) {
                *y += weight * x;
            }
        }
    }
}

/// `sums += weight · row[start..]`.
#[inline(always)]
fn add(sums: &mut Lanes, weight: f32, row: &[f32], start: usize) {
    let x = load(row, start);
    for lane in 0..LANES {
        sums[lane] = x[lane].mul_add(weight, sums[lane]);
    }
}
