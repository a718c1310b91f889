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

/// `out = a b`, or `out += a b` if `add`. The order of the sums depends on the inner size alone.
///
/// # Panics
/// If the processor has no AVX-512.
pub(super) fn product(out: MatMut<'_, f32>, a: MatRef<'_, f32>, b: MatRef<'_, f32>, add: bool) {
    assert!(is_x86_feature_detected!("avx512f"));
    let (m, k, n) = (a.nrows(), a.ncols(), b.ncols());
    assert_eq!((out.nrows(), b.nrows(), out.ncols()), (m, k, n));
    assert_eq!(out.col_stride(), 1, "rows of the product");
    let product = Product {
        a: Factor::new(a),
        b: Factor::new(b.transpose()),
        m,
        k,
        n,
        stride: out.row_stride().unsigned_abs(),
        to: out.as_ptr_mut(),
        add,
    };
    let depth = k.min(DEPTH);
    let columns = n.min(COLUMNS).next_multiple_of(WIDTH);
    let rows = if product.a_in_place() {
        0
    } else {
        PANELS * TALLEST * depth
    };
    with_scratch([columns * depth, rows], |[b, a]| {
        // SAFETY: the processor has AVX-512, as asserted, and `out` is ours for as long as `product`.
        unsafe { product.run(a, b) }
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

impl Product<'_> {
    fn a_in_place(&self) -> bool {
        !self.a.across || self.a.stride <= NEAR
    }

    /// # Safety
    /// `to` must be valid for `m` rows of `n` numbers, `stride` apart.
    #[target_feature(enable = "avx512f")]
    unsafe fn run(&self, a: &mut [f32], b: &mut [f32]) {
        let depth = even_share(self.k, DEPTH);
        let columns = even_share(self.n, COLUMNS).next_multiple_of(WIDTH);
        for column in (0..self.n).step_by(columns) {
            let width = columns.min(self.n - column);
            // Once for an inner size of zero, whose products are zero.
            for inner in (0..self.k.max(1)).step_by(depth) {
                let block = Block {
                    column,
                    width,
                    inner,
                    depth: depth.min(self.k - inner),
                    add: self.add || inner > 0,
                };
                pack_columns(self.b, column..column + width, block.inners(), b);
                let mut row = 0;
                while row < self.m {
                    let heights = heights(self.m - row);
                    let rows = heights.iter().sum::<usize>();
                    if !self.a_in_place() {
                        pack_rows(self.a, row, &heights, block.inners(), a);
                    }
                    let mut packed = 0;
                    let mut first = row;
                    for height in heights.into_iter().filter(|height| *height > 0) {
                        let factor = if self.a_in_place() {
                            self.a.from(first, inner)
                        } else {
                            Factor {
                                values: &a[packed..][..height * block.depth],
                                stride: height,
                                across: true,
                            }
                        };
                        // SAFETY: that of this function; the block is within the product.
                        unsafe { self.panel(&block, first..first + height, factor, b) };
                        packed += height * block.depth;
                        first += height;
                    }
                    row += rows;
                }
            }
        }
    }

    /// The rows of a tile's height in all columns of the block.
    ///
    /// # Safety
    /// That of [`Product::run`], and rows and block must lie within the product.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn panel(&self, block: &Block, rows: std::ops::Range<usize>, a: Factor, b: &[f32]) {
        for column in (0..block.width).step_by(WIDTH) {
            // SAFETY: the element is within the product.
            let to = unsafe {
                self.to
                    .add(rows.start * self.stride + block.column + column)
            };
            let tile = Tile {
                depth: block.depth,
                a,
                b: &b[column * block.depth..][..WIDTH * block.depth],
                to,
                stride: self.stride,
                width: WIDTH.min(block.width - column),
                add: block.add,
            };
            // SAFETY: so are the tile's rows, of as many columns as are left.
            unsafe { tile.run(rows.len()) };
        }
    }
}

/// A part of the second factor that is packed at a time.
struct Block {
    column: usize,
    width: usize,
    inner: usize,
    depth: usize,
    add: bool,
}

impl Block {
    fn inners(&self) -> std::ops::Range<usize> {
        self.inner..self.inner + self.depth
    }
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
