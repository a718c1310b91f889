//! Tiles of packed rows, and the scratch memory they work in.

use crate::block::{Extent, Left, Right, product};
use crate::lanes::{self, LANES};
use crate::transpose::{Lines, columns, dots};

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
pub fn partial(values: &[f32]) -> lanes::Lanes {
    let mut lanes = [0.0; LANES];
    for (lane, x) in lanes.iter_mut().zip(values) {
        *lane = *x;
    }
    lanes
}

/// Most rows that are packed together.
pub const PANEL: usize = 2 * LANES;

/// Lanes that so many packed rows take.
#[inline(always)]
pub fn panel(count: usize) -> usize {
    count.next_multiple_of(LANES)
}

/// Up to [`PANEL`] rows of `dim` numbers, packed to be multiplied by other rows: as columns, but a single row as it is,
/// filled up with zeros. A vector for one row would waste its lanes.
#[inline(always)]
pub fn pack(rows: &[f32], width: usize, count: usize, dim: usize, out: &mut [f32]) {
    if count == 1 {
        out[..width].copy_from_slice(&rows[..width]);
        return;
    }
    for start in (0..count).step_by(LANES) {
        let rows = Lines {
            values: &rows[start * width..],
            stride: width,
            width: dim,
        };
        let count = count - start;
        columns(
            rows,
            count.min(LANES),
            &mut out[start..],
            panel(start + count),
        );
    }
}

/// Inner products of `height` rows with the `count` packed ones, which become the lanes: `out[i * stride + j]`. What lanes
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
            stride: panel(count),
        };
        let extent = Extent {
            rows: height,
            columns: panel(count),
            depth: dim,
        };
        product(rows, packed, out, stride, extent, false);
    }
}
