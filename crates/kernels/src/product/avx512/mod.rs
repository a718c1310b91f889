//! Products of matrices on processors with AVX-512.
//!
//! `faer` reaches 54 to 69 % of such a processor's speed here, this 75 to 90 %. The second factor is packed, a block at a
//! time that stays in the second-level cache, into panels of 32 columns; the [`tile`] of sums then holds as many rows of
//! the first factor as the registers allow. A row-major first factor is read where it lies, a transposed one is packed
//! unless its lines are short.

mod pack;
mod tile;

use crate::scratch::with_scratch;
use faer::{MatMut, MatRef};
use pack::{Factor, pack_columns, pack_rows};
use rayon::prelude::*;
use std::ops::Range;
use tile::{Tile, WIDTH};

/// Inner indices and columns of a packed block of the second factor: 1 MiB.
const DEPTH: usize = 512;
const COLUMNS: usize = 512;

/// Rows of the tallest tile: two vectors of sums a row, and the registers hold two of the second factor and one of the
/// first besides.
const TALLEST: usize = 13;

/// Row panels of a transposed first factor that are packed at a time.
const PANELS: usize = 8;

/// Up to this distance between its lines a transposed first factor is read where it lies; from there on, each element
/// would bring its own page.
const NEAR: usize = 128;

/// Whether the processor can do a product of this many rows and columns here, and faster than `faer`: there must be enough of
/// each to pay for the packing, and the last panel of columns must not be mostly empty.
pub(super) fn suits(rows: usize, columns: usize) -> bool {
    const LEAST: usize = 64;
    rows >= LEAST
        && columns >= LEAST
        && 8 * columns.next_multiple_of(WIDTH) <= 9 * columns
        && is_x86_feature_detected!("avx512f")
}

/// `out = a b`, or `out += a b` if `add`, on this thread. The order of the sums depends on the inner size alone.
pub(super) fn product(out: MatMut<'_, f32>, a: MatRef<'_, f32>, b: MatRef<'_, f32>, add: bool) {
    let product = Product::new(out, a, b, add);
    with_scratch([product.block_len(), product.panels_len()], |[b, a]| {
        product.blocks(|block| {
            product.pack(&block, block.columns.clone(), b);
            product.rows(&block, 0..product.m, a, b);
        });
    });
}

/// The same by all threads, `piece` rows a task.
pub(super) fn product_shared(
    out: MatMut<'_, f32>,
    a: MatRef<'_, f32>,
    b: MatRef<'_, f32>,
    add: bool,
    piece: usize,
) {
    let product = Product::new(out, a, b, add);
    with_scratch([product.block_len()], |[b]| {
        product.blocks(|block| {
            let panel = (WIDTH * block.inner.len()).max(1);
            b.par_chunks_mut(panel)
                .zip(block.columns.clone().into_par_iter().step_by(WIDTH))
                .for_each(|(b, first)| {
                    let last = block.columns.end.min(first + WIDTH);
                    product.pack(&block, first..last, b);
                });
            let (b, tasks) = (&*b, product.m.div_ceil(piece));
            (0..tasks).into_par_iter().for_each(|task| {
                let rows = task * piece..product.m.min((task + 1) * piece);
                with_scratch([product.panels_len()], |[a]| {
                    product.rows(&block, rows, a, b);
                });
            });
        });
    });
}

struct Product<'a> {
    a: Factor<'a>,
    b: Factor<'a>,
    m: usize,
    k: usize,
    n: usize,
    to: *mut f32,
    stride: usize,
    add: bool,
}

// SAFETY: `to` is written by `rows` alone, and each call of it has rows of its own.
unsafe impl Sync for Product<'_> {}

impl<'a> Product<'a> {
    /// # Panics
    /// If the processor has no AVX-512, which all methods rely on.
    fn new(out: MatMut<'a, f32>, a: MatRef<'a, f32>, b: MatRef<'a, f32>, add: bool) -> Self {
        assert!(is_x86_feature_detected!("avx512f"));
        let (m, k, n) = (a.nrows(), a.ncols(), b.ncols());
        assert_eq!((out.nrows(), b.nrows(), out.ncols()), (m, k, n));
        assert_eq!(out.col_stride(), 1, "rows of the product");
        Self {
            a: Factor::new(a),
            b: Factor::new(b.transpose()),
            m,
            k,
            n,
            stride: out.row_stride().unsigned_abs(),
            to: out.as_ptr_mut(),
            add,
        }
    }

    fn a_in_place(&self) -> bool {
        !self.a.across || self.a.stride <= NEAR
    }

    /// Numbers of a packed block of the second factor, at most.
    fn block_len(&self) -> usize {
        self.k.min(DEPTH) * self.n.min(COLUMNS).next_multiple_of(WIDTH)
    }

    /// Numbers of the panels of the first factor that are packed at a time.
    fn panels_len(&self) -> usize {
        match self.a_in_place() {
            true => 0,
            false => PANELS * TALLEST * self.k.min(DEPTH),
        }
    }

    fn blocks(&self, mut each: impl FnMut(Block)) {
        let depth = even_share(self.k, DEPTH);
        let width = even_share(self.n, COLUMNS).next_multiple_of(WIDTH);
        for column in (0..self.n).step_by(width) {
            // Once for an inner size of zero, whose products are zero.
            for inner in (0..self.k.max(1)).step_by(depth) {
                each(Block {
                    columns: column..self.n.min(column + width),
                    inner: inner..self.k.min(inner + depth),
                    add: self.add || inner > 0,
                });
            }
        }
    }

    fn pack(&self, block: &Block, columns: Range<usize>, b: &mut [f32]) {
        // SAFETY: the processor has AVX-512.
        unsafe { pack_columns(self.b, columns, block.inner.clone(), b) }
    }

    /// The given rows in all columns of a packed block; `a` is room for panels.
    fn rows(&self, block: &Block, rows: Range<usize>, a: &mut [f32], b: &[f32]) {
        assert!(rows.end <= self.m);
        let depth = block.inner.len();
        let mut row = rows.start;
        while row < rows.end {
            let heights = heights(rows.end - row);
            if !self.a_in_place() {
                // SAFETY: the processor has AVX-512.
                unsafe { pack_rows(self.a, row, &heights, block.inner.clone(), a) };
            }
            let mut packed = 0;
            for height in heights.into_iter().filter(|height| *height > 0) {
                let factor = match self.a_in_place() {
                    true => self.a.from(row, block.inner.start),
                    false => Factor {
                        values: &a[packed..][..height * depth],
                        stride: height,
                        across: true,
                    },
                };
                // SAFETY: the processor has AVX-512; the rows are the product's, and of this call alone.
                unsafe { self.panel(block, row..row + height, factor, b) };
                packed += height * depth;
                row += height;
            }
        }
    }

    /// The rows of a tile's height in all columns of the block.
    ///
    /// # Safety
    /// `to` must be valid for these rows of `n` numbers, `stride` apart.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn panel(&self, block: &Block, rows: Range<usize>, a: Factor, b: &[f32]) {
        let depth = block.inner.len();
        for column in block.columns.clone().step_by(WIDTH) {
            let packed = (column - block.columns.start) * depth;
            let tile = Tile {
                depth,
                a,
                b: &b[packed..][..WIDTH * depth],
                to: self.to.wrapping_add(rows.start * self.stride + column),
                stride: self.stride,
                width: WIDTH.min(block.columns.end - column),
                add: block.add,
            };
            // SAFETY: the tile's columns are of the block's, and so of the product's.
            unsafe { tile.run(rows.len()) };
        }
    }
}

/// A part of the second factor that is packed at a time.
struct Block {
    columns: Range<usize>,
    inner: Range<usize>,
    add: bool,
}

/// The size of the fewest even parts of at most `most`, of at least one.
fn even_share(length: usize, most: usize) -> usize {
    length.div_ceil(length.div_ceil(most).max(1)).max(1)
}

/// Heights of the next tiles of `rows` rows, as even as can be; zeros at the end.
fn heights(mut rows: usize) -> [usize; PANELS] {
    [(); PANELS].map(|()| {
        let height = even_share(rows, TALLEST).min(rows);
        rows -= height;
        height
    })
}
