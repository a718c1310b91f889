//! A chunk of positions of one head in scratch memory: what forward and backward pass both need of it.

use super::Recurrence;
use crate::attention::layout::{Layout, Rows, Source};
use crate::block::{Extent, Left, Right, product};
use crate::lanes::{LANES, load, store, sum, zip};
use crate::math::exp;
use crate::op::Array;
use crate::simd::vectorized;
use crate::transpose::{Lines, columns};

/// Most positions of a chunk.
pub(super) const CHUNK: usize = LANES;

/// Positions for which a training pass keeps one state.
pub(super) const SEGMENT: usize = 4 * CHUNK;

/// Sum of log decays down to which `e^{−B}` is formed: its products stay far inside the range of a float.
const FACTORED: f32 = -60.0;

/// The sizes of a recurrence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub batch: usize,
    pub len: usize,
    pub heads: usize,
    pub keys: usize,
    pub values: usize,
}

impl Sizes {
    pub fn output(self) -> [usize; 4] {
        [self.batch, self.len, self.heads, self.values]
    }

    pub fn outputs(self) -> usize {
        self.output().iter().product()
    }

    pub fn state(self) -> [usize; 4] {
        [self.batch, self.heads, self.keys, self.values]
    }

    pub fn states(self) -> usize {
        self.state().iter().product()
    }

    /// Keys, filled up to whole vectors.
    pub fn key_width(self) -> usize {
        self.keys.next_multiple_of(LANES)
    }

    /// Values, filled up to whole vectors.
    pub fn value_width(self) -> usize {
        self.values.next_multiple_of(LANES)
    }

    /// Elements of the state of one head whose rows are whole vectors.
    pub fn padded_state(self) -> usize {
        self.keys * self.value_width()
    }

    /// Where the rows of an array of keys lie.
    pub fn key_layout(self) -> Layout {
        Layout::dense(self.len, self.heads, self.keys)
    }

    /// Where the rows of an array of values lie.
    pub fn value_layout(self) -> Layout {
        Layout::dense(self.len, self.heads, self.values)
    }
}

/// What one head reads.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub q: Rows<'a>,
    pub k: Rows<'a>,
    pub v: Rows<'a>,
    pub decay: HeadDecay<'a>,
}

/// The log decays of one head.
#[derive(Clone, Copy)]
pub(super) enum HeadDecay<'a> {
    Fixed(f32),
    Given(Rows<'a>),
}

impl Recurrence {
    pub(super) fn head<'a>(&self, inputs: &'a [Array], batch: usize, head: usize) -> Head<'a> {
        let sizes = self.sizes;
        let rows = |values: &'a [f32], layout| Source { values, layout }.head(batch, head);
        let key = |index: usize| rows(inputs[index].f32(), sizes.key_layout());
        Head {
            q: key(0),
            k: key(1),
            v: rows(inputs[2].f32(), sizes.value_layout()),
            decay: match self.given {
                true => HeadDecay::Given(key(3)),
                false => HeadDecay::Fixed(self.fixed.head(head)),
            },
        }
    }
}

/// Scratch memory of a chunk; rows are whole vectors, filled up with zeros.
pub(super) struct Chunk<'a> {
    pub sizes: Sizes,
    /// Positions in it.
    pub rows: usize,
    /// `q / √K`, then `q e^B / √K`; `[rows, key_width]`.
    pub q: &'a mut [f32],
    /// `k`, then `k e^{−B}` where `factored`.
    pub k: &'a mut [f32],
    /// `k e^{B_last − B}`: what of a key is left at the end of the chunk.
    pub rest: &'a mut [f32],
    /// `[rows, value_width]`.
    pub v: &'a mut [f32],
    /// `B`, the sums of the log decays from the chunk's first position on.
    pub sums: &'a mut [f32],
    /// `e^B`.
    pub shrink: &'a mut [f32],
    /// `e^{−B}` where `factored`.
    pub grow: &'a mut [f32],
    /// `[key_width or value_width, CHUNK]`.
    pub turned: &'a mut [f32],
    /// Weights of the values of the chunk, `[CHUNK, CHUNK]`, zeros above the diagonal.
    pub scores: &'a mut [f32],
    /// Whether `e^{−B}` was formed.
    pub factored: bool,
}

impl<'a> Chunk<'a> {
    /// Length of the scratch memory that a chunk wants.
    pub fn scratch(sizes: Sizes) -> usize {
        let (keys, values) = (sizes.key_width(), sizes.value_width());
        CHUNK * (6 * keys + values + keys.max(values) + CHUNK)
    }

    /// A chunk in scratch memory.
    pub fn new(sizes: Sizes, mut scratch: &'a mut [f32]) -> Self {
        let (keys, values) = (sizes.key_width(), sizes.value_width());
        let mut lines = |width: usize| take(&mut scratch, CHUNK * width);
        Self {
            sizes,
            rows: 0,
            q: lines(keys),
            k: lines(keys),
            rest: lines(keys),
            v: lines(values),
            sums: lines(keys),
            shrink: lines(keys),
            grow: lines(keys),
            turned: lines(keys.max(values)),
            scores: lines(CHUNK),
            factored: false,
        }
    }

    /// Reads the positions `first..first + rows` and their decays.
    pub fn read(&mut self, head: Head<'_>, first: usize, rows: usize) {
        let (keys, values) = (self.sizes.key_width(), self.sizes.value_width());
        let again = self.rows == rows;
        self.rows = rows;
        let range = first..first + rows;
        let scale = (self.sizes.keys as f32).sqrt().recip();
        let [q, k, v, sums, shrink, grow] = [
            &mut *self.q,
            &mut *self.k,
            &mut *self.v,
            &mut *self.sums,
            &mut *self.shrink,
            &mut *self.grow,
        ];
        let factored = &mut self.factored;
        vectorized(
            #[inline(always)]
            || {
                head.q.copy(range.clone(), q, keys, scale);
                head.k.copy(range.clone(), k, keys, 1.0);
                head.v.copy(range.clone(), v, values, 1.0);
                match head.decay {
                    // The decays of the chunk before, if it was as long.
                    HeadDecay::Fixed(_) if again => return,
                    HeadDecay::Fixed(decay) => {
                        for (row, line) in sums.chunks_exact_mut(keys).enumerate().take(rows) {
                            line.fill(decay * (row + 1) as f32);
                        }
                    }
                    HeadDecay::Given(decays) => {
                        decays.copy(range, sums, keys, 1.0);
                        for row in 1..rows {
                            let (before, line) = sums.split_at_mut(row * keys);
                            let before = &before[(row - 1) * keys..];
                            for start in (0..keys).step_by(LANES) {
                                let sum = zip(load(before, start), load(line, start), |a, b| a + b);
                                store(line, start, sum);
                            }
                        }
                    }
                }
                let last = &sums[(rows - 1) * keys..][..keys];
                *factored = last.iter().fold(true, |all, sum| all & (*sum >= FACTORED));
                for ((shrink, grow), sum) in shrink.iter_mut().zip(grow).zip(&sums[..rows * keys]) {
                    *shrink = exp(*sum);
                    // Of use only if factored.
                    *grow = 1.0 / *shrink;
                }
            },
        );
    }

    /// What is left of the state at the end of the chunk, by channel.
    pub fn last(&self) -> &[f32] {
        &self.shrink[(self.rows - 1) * self.sizes.key_width()..][..self.sizes.keys]
    }

    /// Computes the scores, `rest`, and `q e^B`.
    pub fn weigh(&mut self) {
        let (rows, keys) = (self.rows, self.sizes.key_width());
        let all = rows * keys;
        let factored = self.factored;
        if !factored {
            self.scores_by_differences();
        }
        let (q, k) = (&mut self.q[..all], &mut self.k[..all]);
        let (shrink, grow) = (&self.shrink[..all], &self.grow[..all]);
        let (rest, sums) = (&mut self.rest[..all], &self.sums[..all]);
        vectorized(
            #[inline(always)]
            || {
                for i in 0..all {
                    q[i] *= shrink[i];
                }
                let (last_shrink, last_sum) = (&shrink[all - keys..], &sums[all - keys..]);
                for row in 0..rows {
                    let at = row * keys;
                    let (k, rest) = (&mut k[at..][..keys], &mut rest[at..][..keys]);
                    let (grow, sums) = (&grow[at..][..keys], &sums[at..][..keys]);
                    if factored {
                        for c in 0..keys {
                            k[c] *= grow[c];
                            rest[c] = k[c] * last_shrink[c];
                        }
                    } else {
                        for c in 0..keys {
                            rest[c] = k[c] * exp(last_sum[c] - sums[c]);
                        }
                    }
                }
            },
        );
        if factored {
            inner(self.q, self.k, [rows, keys], self.turned, self.scores);
            keep_lower(self.scores, rows);
        }
    }

    /// The scores from the differences of the decays, of queries and keys as they were read.
    fn scores_by_differences(&mut self) {
        let keys = self.sizes.key_width();
        for i in 0..self.rows {
            let scores = &mut self.scores[i * CHUNK..][..CHUNK];
            scores.fill(0.0);
            let (q, b) = (&self.q[i * keys..][..keys], &self.sums[i * keys..][..keys]);
            for (j, score) in scores.iter_mut().enumerate().take(i + 1) {
                let (k, a) = (&self.k[j * keys..][..keys], &self.sums[j * keys..][..keys]);
                *score = vectorized(
                    #[inline(always)]
                    || {
                        sum(
                            keys,
                            #[inline(always)]
                            |start| {
                                let (q, k) = (load(q, start), load(k, start));
                                let (a, b) = (load(a, start), load(b, start));
                                let mut terms = q;
                                for lane in 0..LANES {
                                    terms[lane] *= k[lane] * exp(b[lane] - a[lane]);
                                }
                                terms
                            },
                        )
                    },
                );
            }
        }
    }

    /// Hands a state, `[keys, value_width]`, on from the beginning of the chunk to its end.
    pub fn advance(&self, state: &mut [f32]) {
        let (rows, values) = (self.rows, self.sizes.value_width());
        scale_rows(state, self.last(), values);
        let left = Left {
            values: self.rest,
            row: 1,
            step: self.sizes.key_width(),
        };
        let right = Right {
            values: self.v,
            stride: values,
        };
        let extent = Extent {
            rows: self.sizes.keys,
            columns: values,
            depth: rows,
        };
        product(left, right, state, values, extent, true);
    }
}

/// The next `length` numbers of scratch memory.
///
/// # Panics
/// If there are not as many.
pub(super) fn take<'a>(scratch: &mut &'a mut [f32], length: usize) -> &'a mut [f32] {
    let piece = scratch.split_off_mut(..length);
    piece.expect("scratch memory for every piece")
}

/// Multiplies each row of `width` numbers by a factor.
pub(super) fn scale_rows(rows: &mut [f32], factors: &[f32], width: usize) {
    vectorized(
        #[inline(always)]
        || {
            for (row, factor) in rows.chunks_exact_mut(width).zip(factors) {
                for x in row {
                    *x *= *factor;
                }
            }
        },
    );
}

/// `out = a bᵀ` of two matrices of `rows` rows of `width` numbers; the rows of `out` begin [`CHUNK`] apart.
pub(super) fn inner(
    a: &[f32],
    b: &[f32],
    [rows, width]: [usize; 2],
    turned: &mut [f32],
    out: &mut [f32],
) {
    turn(b, rows, width, turned);
    let left = Left {
        values: a,
        row: width,
        step: 1,
    };
    let right = Right {
        values: turned,
        stride: CHUNK,
    };
    let extent = Extent {
        rows,
        columns: CHUNK,
        depth: width,
    };
    product(left, right, out, CHUNK, extent, false);
}

/// Writes up to [`CHUNK`] rows as columns, `[width, CHUNK]`, filled up with zeros.
pub(super) fn turn(rows: &[f32], count: usize, width: usize, out: &mut [f32]) {
    let rows = Lines {
        values: rows,
        stride: width,
        width,
    };
    columns(rows, count, out, CHUNK);
}

/// Sets what lies above the diagonal to zero.
pub(super) fn keep_lower(scores: &mut [f32], rows: usize) {
    for (row, line) in scores.chunks_exact_mut(CHUNK).enumerate().take(rows) {
        line[row + 1..].fill(0.0);
    }
}
