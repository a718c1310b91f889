//! Pieces of a matrix product that live in registers, and the scratch memory they work in.

use super::transpose::{columns, dots};
use crate::lanes::{LANES, Lanes, load, store};
use crate::simd::vectorized;
use std::cell::RefCell;

/// Rows of the output that a block computes at a time: with `LANES` columns they fill 12 of the 16 registers of AVX2,
/// and are enough to hide the latency of AVX-512.
const ROWS: usize = 6;

/// The left factor of a product: element `(i, t)` is `values[i * row + t * step]`.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    pub values: &'a [f32],
    pub row: usize,
    pub step: usize,
}

/// The right factor of a product: element `(t, j)` is `values[t * stride + j]`.
#[derive(Clone, Copy)]
pub struct Right<'a> {
    pub values: &'a [f32],
    pub stride: usize,
}

/// The sizes of a product; `columns` is a multiple of [`LANES`].
#[derive(Clone, Copy)]
pub struct Extent {
    pub rows: usize,
    pub columns: usize,
    pub depth: usize,
}

/// `out = left · right`, or `out += left · right` if `add`; the rows of `out` begin `stride` apart.
///
/// A function of its own: inlined into a large one, the compiler makes worse vector code of it.
#[inline(never)]
pub fn product(
    left: Left<'_>,
    right: Right<'_>,
    out: &mut [f32],
    stride: usize,
    extent: Extent,
    add: bool,
) {
    vectorized(
        #[inline(always)]
        || {
            for column in (0..extent.columns).step_by(LANES) {
                let right = Right {
                    values: right.values.get(column..).unwrap_or_default(),
                    ..right
                };
                let mut row = 0;
                // Blocks of about the same height, because a low one cannot hide the latency.
                while row < extent.rows {
                    let rest = extent.rows - row;
                    let height = rest.div_ceil(rest.div_ceil(ROWS));
                    let left = Left {
                        values: left.values.get(row * left.row..).unwrap_or_default(),
                        ..left
                    };
                    let out = &mut out[row * stride + column..];
                    match height {
                        1 => block::<1>(left, right, out, stride, extent.depth, add),
                        2 => block::<2>(left, right, out, stride, extent.depth, add),
                        3 => block::<3>(left, right, out, stride, extent.depth, add),
                        4 => block::<4>(left, right, out, stride, extent.depth, add),
                        5 => block::<5>(left, right, out, stride, extent.depth, add),
                        _ => block::<ROWS>(left, right, out, stride, extent.depth, add),
                    }
                    row += height;
                }
            }
        },
    );
}

/// `R` rows and [`LANES`] columns of a product.
#[inline(always)]
fn block<const R: usize>(
    left: Left<'_>,
    right: Right<'_>,
    out: &mut [f32],
    stride: usize,
    depth: usize,
    add: bool,
) {
    if depth > 0 {
        assert!((R - 1) * left.row + (depth - 1) * left.step < left.values.len());
        assert!((depth - 1) * right.stride + LANES <= right.values.len());
    }
    let mut sums = [[0.0; LANES]; R];
    for t in 0..depth {
        // SAFETY: `t < depth` and `i < R`, whose largest values the assertions above have checked.
        let b: &Lanes = unsafe { &*right.values.as_ptr().add(t * right.stride).cast() };
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: as above.
            let a = unsafe { *left.values.get_unchecked(i * left.row + t * left.step) };
            for lane in 0..LANES {
                sums[lane] = a.mul_add(b[lane], sums[lane]);
            }
        }
    }
    for (i, sums) in sums.into_iter().enumerate() {
        if add {
            let mut total = load(out, i * stride);
            for lane in 0..LANES {
                total[lane] += sums[lane];
            }
            store(out, i * stride, total);
        } else {
            store(out, i * stride, sums);
        }
    }
}

/// Asks for the numbers from `start` to `end` to be brought near, if there are so many.
#[inline(always)]
pub fn prefetch(values: &[f32], start: usize, end: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in values.get(start..end).unwrap_or_default().chunks(LANES) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, start, end);
}

/// Up to [`LANES`] numbers, filled up with zeros.
#[inline(always)]
pub fn partial(values: &[f32]) -> Lanes {
    let mut lanes = [0.0; LANES];
    for (lane, x) in lanes.iter_mut().zip(values) {
        *lane = *x;
    }
    lanes
}

/// Rows of `width` numbers that begin `stride` apart.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    pub values: &'a [f32],
    pub stride: usize,
    pub width: usize,
}

impl<'a> Lines<'a> {
    #[inline(always)]
    pub fn line(self, index: usize) -> &'a [f32] {
        &self.values[index * self.stride..][..self.width]
    }
}

/// Up to [`LANES`] rows of `dim` numbers, packed to be multiplied by other rows: as columns, but a single row as it is,
/// filled up with zeros. A vector for one row would waste its lanes.
#[inline(always)]
pub fn pack(rows: &[f32], width: usize, count: usize, dim: usize, out: &mut [f32]) {
    if count == 1 {
        out[..width].copy_from_slice(&rows[..width]);
    } else {
        let rows = Lines {
            values: rows,
            stride: width,
            width: dim,
        };
        columns(rows, count, out, LANES);
    }
}

/// Inner products of `rows` rows with the `count` packed ones, which become the lanes: `out[i * stride + j]`. What lanes
/// from `count` on hold then is of no use.
#[inline(always)]
pub fn inner(
    rows: Left<'_>,
    height: usize,
    packed: &[f32],
    [count, dim]: [usize; 2],
    out: &mut [f32],
    stride: usize,
) {
    if count == 1 {
        let width = rows.row;
        for start in (0..height).step_by(LANES) {
            let rows = Lines {
                values: &rows.values[start * width..],
                stride: width,
                width,
            };
            let packed = Lines {
                values: packed,
                stride: 0,
                width,
            };
            let count = LANES.min(height - start);
            let products = dots(rows, packed, count);
            for (i, product) in products.iter().enumerate().take(count) {
                out[(start + i) * stride] = *product;
            }
        }
    } else {
        let packed = Right {
            values: packed,
            stride: LANES,
        };
        let extent = Extent {
            rows: height,
            columns: LANES,
            depth: dim,
        };
        product(rows, packed, out, stride, extent, false);
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with this thread's scratch memory, cut into pieces of at least these lengths, each beginning with a cache
/// line. Their contents are arbitrary numbers.
pub fn with_scratch<const N: usize, R>(
    lengths: [usize; N],
    work: impl FnOnce([&mut [f32]; N]) -> R,
) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        let lengths = lengths.map(|length| length.next_multiple_of(LANES));
        let all = lengths.iter().sum::<usize>() + LANES;
        if scratch.len() < all {
            *scratch = vec![0.0; all];
        }
        let skip = scratch.as_ptr().align_offset(size_of::<Lanes>());
        let mut rest = &mut scratch[skip..];
        work(lengths.map(|length| {
            let (piece, others) = std::mem::take(&mut rest).split_at_mut(length);
            rest = others;
            piece
        }))
    })
}

/// How many numbers this thread's scratch memory holds.
#[cfg(test)]
pub fn scratch_len() -> usize {
    SCRATCH.with_borrow(Vec::len)
}
