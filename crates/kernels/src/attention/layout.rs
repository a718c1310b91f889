//! Where the rows of queries, keys, values and their gradients lie.

use super::tile::{partial, prefetch};
use crate::lanes::{LANES, load, store};
use crate::transpose::Lines;
use std::marker::PhantomData;
use std::ops::Range;

/// How many rows ahead of its use a row is asked for: the rows of a head are too far apart to be foreseen by the processor.
const AHEAD: usize = 12;

/// The sizes of an attention.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub batch: usize,
    pub queries: usize,
    pub keys: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub dim: usize,
}

/// Where the rows of a `[batch, length, heads, dim]` array begin in a storage that may hold other columns too.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub offset: usize,
    /// Distance from one sequence to the next.
    pub batch: usize,
    /// Distance from one position to the next.
    pub row: usize,
    pub dim: usize,
}

impl Layout {
    /// An array that has its storage to itself.
    pub fn dense(length: usize, heads: usize, dim: usize) -> Self {
        Self::part(length, heads, 0, dim)
    }

    /// The heads from `first` on of an array of `heads` heads.
    pub fn part(length: usize, heads: usize, first: usize, dim: usize) -> Self {
        Self {
            offset: first * dim,
            batch: length * heads * dim,
            row: heads * dim,
            dim,
        }
    }

    fn start(&self, batch: usize, head: usize) -> usize {
        self.offset + batch * self.batch + head * self.dim
    }
}

/// An array to read.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub values: &'a [f32],
    pub layout: Layout,
}

impl<'a> Source<'a> {
    /// The rows of one head.
    #[inline(always)]
    pub fn head(self, batch: usize, head: usize) -> Rows<'a> {
        let start = self.layout.start(batch, head);
        Rows {
            values: self.values.get(start..).unwrap_or_default(),
            stride: self.layout.row,
            dim: self.layout.dim,
        }
    }
}

/// Rows of `dim` numbers.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    values: &'a [f32],
    stride: usize,
    dim: usize,
}

impl<'a> Rows<'a> {
    /// The row at a position.
    #[inline(always)]
    pub fn row(self, position: usize) -> &'a [f32] {
        &self.values[position * self.stride..][..self.dim]
    }

    /// The rows from a position on.
    #[inline(always)]
    pub fn lines(self, position: usize) -> Lines<'a> {
        Lines {
            values: &self.values[position * self.stride..],
            stride: self.stride,
            width: self.dim,
        }
    }

    /// Asks for the row that will be used [`AHEAD`] rows after this one.
    #[inline(always)]
    pub fn expect(self, position: usize) {
        let start = (position + AHEAD) * self.stride;
        prefetch(self.values, start, start + self.dim);
    }

    /// Copies rows into lines of `width` numbers, times `factor`, the rest of each line zeros.
    #[inline(always)]
    pub fn copy(self, rows: Range<usize>, out: &mut [f32], width: usize, factor: f32) {
        let whole = self.dim / LANES * LANES;
        for (position, line) in rows.zip(out.chunks_exact_mut(width)) {
            let row = self.row(position);
            self.expect(position);
            for start in (0..whole).step_by(LANES) {
                let mut x = load(row, start);
                for x in &mut x {
                    *x *= factor;
                }
                store(line, start, x);
            }
            if whole < width {
                let mut x = partial(&row[whole..]);
                for x in &mut x {
                    *x *= factor;
                }
                store(line, whole, x);
            }
        }
    }
}

/// A storage that several threads write at once, each row by one thread.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    start: *mut f32,
    len: usize,
    layout: Layout,
    storage: PhantomData<&'a mut [f32]>,
}

// SAFETY: the storage is borrowed exclusively for as long as this lives, and whoever takes a row promises to be alone.
unsafe impl Sync for Target<'_> {}
// SAFETY: as above.
unsafe impl Send for Target<'_> {}

impl<'a> Target<'a> {
    pub fn new(storage: &'a mut [f32], layout: Layout) -> Self {
        Self {
            start: storage.as_mut_ptr(),
            len: storage.len(),
            layout,
            storage: PhantomData,
        }
    }

    /// Other rows of the same storage.
    pub fn with(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }

    /// A row to write.
    ///
    /// # Safety
    /// Nobody else may hold a row that shares elements with this one.
    #[inline(always)]
    pub unsafe fn row(&self, batch: usize, head: usize, position: usize) -> &'a mut [f32] {
        let start = self.layout.start(batch, head) + position * self.layout.row;
        assert!(
            start + self.layout.dim <= self.len,
            "row outside of a storage"
        );
        // SAFETY: inside the storage by the assertion, alone by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), self.layout.dim) }
    }
}
