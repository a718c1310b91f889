//! Pieces of a matrix product that live in registers.

use crate::lanes::LANES;
use crate::vector::{Lanes, Width, Work};

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
    Width::widest().run(Product {
        left,
        right,
        out,
        stride,
        extent,
        add,
    });
}

struct Product<'a> {
    left: Left<'a>,
    right: Right<'a>,
    out: &'a mut [f32],
    stride: usize,
    extent: Extent,
    add: bool,
}

impl Work for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        // Two vectors of columns, because a number of the left factor is then loaded once for both; so many rows that the
        // sums fill 24 of the 32 registers of AVX-512, or 12 of the 16 of AVX2: fewer would not hide the latency.
        let tallest = if L::COUNT == LANES { 12 } else { 6 };
        let mut column = 0;
        while column < self.extent.columns {
            column += if column + 2 * L::COUNT <= self.extent.columns {
                self.strip::<L, 2>(lanes, column, tallest)
            } else {
                self.strip::<L, 1>(lanes, column, tallest)
            };
        }
    }
}

impl Product<'_> {
    /// `C` vectors of columns, in blocks of at most so many rows. Returns the number of columns.
    #[inline(always)]
    fn strip<L: Lanes, const C: usize>(
        &mut self,
        lanes: L,
        column: usize,
        tallest: usize,
    ) -> usize {
        let rows = self.extent.rows;
        let mut row = 0;
        // Blocks of about the same height, because a low one cannot hide the latency.
        while row < rows {
            let rest = rows - row;
            let height = rest.div_ceil(rest.div_ceil(tallest));
            macro_rules! block_of {
                ($($rows:literal)*) => {
                    match height {
                        $($rows => self.block::<L, $rows, C>(lanes, row, column),)*
                        _ => unreachable!("no block is taller"),
                    }
                };
            }
            block_of!(1 2 3 4 5 6 7 8 9 10 11 12);
            row += height;
        }
        C * L::COUNT
    }

    /// `R` rows and `C` vectors of columns.
    #[inline(always)]
    fn block<L: Lanes, const R: usize, const C: usize>(
        &mut self,
        lanes: L,
        row: usize,
        column: usize,
    ) {
        let (depth, step, stride) = (self.extent.depth, self.left.step, self.right.stride);
        let left = self.left.values.get(row * self.left.row..);
        let right = self.right.values.get(column..);
        let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
        if depth > 0 {
            assert!((R - 1) * self.left.row + (depth - 1) * step < left.len());
            assert!((depth - 1) * stride + C * L::COUNT <= right.len());
        }
        let mut sums = [[lanes.splat(0.0); C]; R];
        for t in 0..depth {
            // SAFETY: `t < depth`, whose largest value the assertions above have checked.
            let b = unsafe { right.get_unchecked(t * stride..t * stride + C * L::COUNT) };
            let mut vectors = [lanes.splat(0.0); C];
            for (j, vector) in vectors.iter_mut().enumerate() {
                *vector = lanes.load(b, j * L::COUNT);
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                // SAFETY: as above, and `i < R`.
                let a = unsafe { *left.get_unchecked(i * self.left.row + t * step) };
                let a = lanes.splat(a);
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = lanes.mul_add(a, vector, *sum);
                }
            }
        }
        for (i, sums) in sums.into_iter().enumerate() {
            for (j, sum) in sums.into_iter().enumerate() {
                let at = (row + i) * self.stride + column + j * L::COUNT;
                let sum = if self.add {
                    lanes.add(lanes.load(self.out, at), sum)
                } else {
                    sum
                };
                lanes.store(sum, self.out, at);
            }
        }
    }
}
