//! Factors of a product, copied into panels that the tile reads from end to end.

use super::tile::{LANES, WIDTH};
use faer::MatRef;
use std::arch::x86_64::*;
use std::ops::Range;

/// A factor in memory, whose lines are the rows of the first factor or the columns of the second.
///
/// Element `t` of line `i` is `values[i * stride + t]`, or `values[t * stride + i]` if `across`.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a> {
    pub values: &'a [f32],
    pub stride: usize,
    pub across: bool,
}

impl<'a> Factor<'a> {
    /// The rows of a matrix whose rows or columns are adjacent numbers.
    pub fn new(matrix: MatRef<'a, f32>) -> Self {
        let across = matrix.col_stride() != 1;
        let matrix = if across { matrix.transpose() } else { matrix };
        assert_eq!(matrix.col_stride(), 1, "a row or column of a factor");
        let (rows, columns) = (matrix.nrows(), matrix.ncols());
        let stride = matrix.row_stride().unsigned_abs();
        let length = match rows * columns {
            0 => 0,
            _ => (rows - 1) * stride + columns,
        };
        // SAFETY: the matrix's first element to its last; rows are `stride` apart.
        let values = unsafe { std::slice::from_raw_parts(matrix.as_ptr(), length) };
        Self {
            values,
            stride,
            across,
        }
    }

    /// The factor from this line and element on.
    pub fn from(self, line: usize, element: usize) -> Self {
        let (far, near) = if self.across {
            (element, line)
        } else {
            (line, element)
        };
        let values = self.values.get(far * self.stride + near..);
        Self {
            values: values.unwrap_or_default(),
            ..self
        }
    }

    /// `count` adjacent numbers.
    #[inline(always)]
    fn run(self, far: usize, near: usize, count: usize) -> &'a [f32] {
        &self.values[far * self.stride + near..][..count]
    }
}

/// Inner indices that are copied for all panels before the next: the lines read stay in the cache.
const RUN: usize = 8;

/// Packs panels of the given heights, from the line `first` of a factor that lies across: for each inner index, the panel's
/// elements.
#[target_feature(enable = "avx512f")]
pub(super) fn pack_rows(
    a: Factor<'_>,
    first: usize,
    heights: &[usize],
    inner: Range<usize>,
    out: &mut [f32],
) {
    assert!(a.across);
    for t in (0..inner.len()).step_by(RUN) {
        let (mut row, mut start) = (first, 0);
        for &height in heights {
            let out = &mut out[start..][..inner.len() * height];
            for t in t..inner.len().min(t + RUN) {
                let from = a.run(inner.start + t, row, height);
                store(load(from), &mut out[t * height..][..height]);
            }
            row += height;
            start += inner.len() * height;
        }
    }
}

/// Packs panels of [`WIDTH`] lines of the factor, the last filled up with zeros: for each inner index, the panel's elements.
#[target_feature(enable = "avx512f")]
pub(super) fn pack_columns(
    b: Factor<'_>,
    columns: Range<usize>,
    inner: Range<usize>,
    out: &mut [f32],
) {
    let depth = inner.len();
    if b.across {
        for t in (0..depth).step_by(RUN) {
            for column in columns.clone().step_by(WIDTH) {
                let count = WIDTH.min(columns.end - column);
                let out = &mut out[(column - columns.start) * depth..][..WIDTH * depth];
                for t in t..depth.min(t + RUN) {
                    let line = b.run(inner.start + t, column, count);
                    let (low, high) = line.split_at(count.min(LANES));
                    let out = &mut out[t * WIDTH..][..WIDTH];
                    store(load(low), &mut out[..LANES]);
                    store(load(high), &mut out[LANES..]);
                }
            }
        }
    } else {
        for half in columns.clone().step_by(LANES) {
            let place = half - columns.start;
            let count = LANES.min(columns.end - half);
            let panel = place / WIDTH * WIDTH;
            let out = &mut out[panel * depth..][..WIDTH * depth];
            for t in (0..depth).step_by(LANES) {
                let steps = LANES.min(depth - t);
                let mut square = [_mm512_setzero_ps(); LANES];
                for (i, row) in square.iter_mut().enumerate() {
                    if i < count {
                        *row = load(b.run(half + i, inner.start + t, steps));
                    }
                }
                for (i, row) in transpose(square).into_iter().enumerate() {
                    if i < steps {
                        let at = (t + i) * WIDTH + place - panel;
                        store(row, &mut out[at..][..LANES]);
                    }
                }
            }
            if half + LANES >= columns.end && place == panel {
                // The last panel's other half.
                for line in out.chunks_exact_mut(WIDTH) {
                    line[LANES..].fill(0.0);
                }
            }
        }
    }
}

#[inline]
fn first(count: usize) -> __mmask16 {
    debug_assert!(count <= LANES);
    ((1_u32 << count) - 1) as __mmask16
}

/// At most [`LANES`] numbers, and zeros.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(from: &[f32]) -> __m512 {
    // SAFETY: reads the slice's elements alone.
    unsafe { _mm512_maskz_loadu_ps(first(from.len()), from.as_ptr()) }
}

/// As many of the first lanes as `to` has elements.
#[inline]
#[target_feature(enable = "avx512f")]
fn store(vector: __m512, to: &mut [f32]) {
    // SAFETY: writes the slice's elements alone.
    unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), first(to.len()), vector) }
}

/// The transpose of a square: four times its upper and lower half shuffled together.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(mut rows: [__m512; LANES]) -> [__m512; LANES] {
    let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    for _ in 0..4 {
        let mut next = rows;
        for i in 0..LANES / 2 {
            let (a, b) = (rows[i], rows[i + LANES / 2]);
            next[2 * i] = _mm512_permutex2var_ps(a, low, b);
            next[2 * i + 1] = _mm512_permutex2var_ps(a, high, b);
        }
        rows = next;
    }
    rows
}
