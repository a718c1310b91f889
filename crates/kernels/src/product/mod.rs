//! Matrix products of row-major slices, in pieces whose size does not depend on the number of threads, so that neither do the
//! results. Small ones are `faer`'s, and all where the processor has no AVX-512.

#[cfg(target_arch = "x86_64")]
mod avx512;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// A row-major matrix, or its transpose.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    /// The `[rows, columns]` matrix whose elements are `values`.
    ///
    /// # Panics
    /// If there are not `rows * columns` values.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "elements of a matrix");
        Self {
            values,
            rows,
            columns,
            transposed: false,
        }
    }

    /// The transpose, without moving an element.
    pub fn t(self) -> Self {
        Self {
            transposed: !self.transposed,
            ..self
        }
    }

    /// `count` rows from the row `first` of a matrix that is not transposed.
    pub(crate) fn rows(self, first: usize, count: usize) -> Self {
        debug_assert!(!self.transposed);
        Self {
            values: &self.values[first * self.columns..][..count * self.columns],
            rows: count,
            ..self
        }
    }

    fn view(self) -> MatRef<'a, f32> {
        let view = MatRef::from_row_major_slice(self.values, self.rows, self.columns);
        if self.transposed {
            view.transpose()
        } else {
            view
        }
    }
}

/// Multiply-adds from which a product is shared among threads; below, waking them costs more than they save.
const PARALLEL: usize = 1 << 19;

/// Multiply-adds from which it is faster to pack the second factor once for all threads than to wake them only once.
#[cfg(target_arch = "x86_64")]
const PACKED_ONCE: usize = 1 << 24;

/// Rows or columns of the output that one task computes, of `length` of them and `work` multiply-adds in all: an even
/// share for four threads if there is enough work for each, for more if the shares stay long. Each task packs all of the
/// other factor, which does not count beside a long share.
pub(crate) fn piece(length: usize, work: usize) -> usize {
    const REGISTERS: usize = 32;
    const LONG: usize = 512;
    let few = (work / (PARALLEL / 2)).clamp(1, 4).next_power_of_two();
    let many = (length / LONG).min(16);
    length.div_ceil(few.max(many)).next_multiple_of(REGISTERS)
}

/// `out = a b`, or `out += a b` if `add`, with `out` of shape `[a.rows, b.columns]`.
///
/// # Panics
/// If the sizes do not fit together.
pub fn product(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], add: bool) {
    let (a, b) = (a.view(), b.view());
    let (rows, inner, columns) = (a.nrows(), a.ncols(), b.ncols());
    assert_eq!(inner, b.nrows(), "inner sizes of a product");
    assert_eq!(out.len(), rows * columns, "elements of a product");
    if out.is_empty() {
        return;
    }
    let out = MatMut::from_row_major_slice_mut(out, rows, columns);
    let work = rows * inner * columns;
    if work < PARALLEL {
        serial(out, a, b, add);
    } else if rows >= columns {
        let piece = piece(rows, work);
        #[cfg(target_arch = "x86_64")]
        if work >= PACKED_ONCE && avx512::suits(rows, columns) {
            return avx512::product_shared(out, a, b, add, piece);
        }
        out.par_row_chunks_mut(piece)
            .zip(a.par_row_chunks(piece))
            .for_each(|(out, a)| serial(out, a, b, add));
    } else {
        let piece = piece(columns, work);
        out.par_col_chunks_mut(piece)
            .zip(b.par_col_chunks(piece))
            .for_each(|(out, b)| serial(out, a, b, add));
    }
}

fn serial(out: MatMut<'_, f32>, a: MatRef<'_, f32>, b: MatRef<'_, f32>, add: bool) {
    #[cfg(target_arch = "x86_64")]
    if avx512::suits(a.nrows(), b.ncols()) {
        return avx512::product(out, a, b, add);
    }
    let accumulate = if add { Accum::Add } else { Accum::Replace };
    matmul(out, accumulate, a, b, 1.0, Par::Seq);
}

/// [`product`] on this thread alone, for callers that share out their work themselves.
pub(crate) fn product_here(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], add: bool) {
    let (a, b) = (a.view(), b.view());
    let out = MatMut::from_row_major_slice_mut(out, a.nrows(), b.ncols());
    serial(out, a, b, add);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same_for_any_threads, random};

    /// In double precision, of `a` as `[m, k]` and `b` as `[k, n]`.
    fn naive(a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) -> Vec<f64> {
        let at = |i: usize, j: usize| {
            (0..k)
                .map(|l| f64::from(a[i * k + l]) * f64::from(b[l * n + j]))
                .sum()
        };
        (0..m * n).map(|index| at(index / n, index % n)).collect()
    }

    fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        (0..values.len())
            .map(|index| values[index % rows * columns + index / rows])
            .collect()
    }

    #[test]
    fn equals_the_sum_over_the_inner_index() {
        // From the edges of what AVX-512 is for: empty, one block and several, odd sizes, columns that fill a panel in part,
        // and a transposed first factor with lines near and far.
        for (seed, size) in [
            [1, 1, 1],
            [3, 5, 2],
            [200, 70, 129],
            [129, 70, 200],
            [0, 3, 2],
            [2, 0, 3],
            [64, 0, 64],
            [64, 1, 64],
            [67, 33, 96],
            [130, 517, 93],
            [65, 1030, 541],
        ]
        .into_iter()
        .enumerate()
        {
            let [m, k, n] = size;
            let (a, b) = (random(m * k, seed as u64), random(k * n, 99 + seed as u64));
            let expected = naive(&a, &b, size);
            let (at, bt) = (transpose(&a, m, k), transpose(&b, k, n));
            for (transposed, add) in [(0, false), (1, true), (2, false), (3, true)] {
                let a = match transposed & 1 {
                    0 => Matrix::new(&a, m, k),
                    _ => Matrix::new(&at, k, m).t(),
                };
                let b = match transposed & 2 {
                    0 => Matrix::new(&b, k, n),
                    _ => Matrix::new(&bt, n, k).t(),
                };
                let mut out = vec![1.0; m * n];
                product(a, b, &mut out, add);
                let before = if add { 1.0 } else { 0.0 };
                for (index, (out, expected)) in out.iter().zip(&expected).enumerate() {
                    assert!(
                        (f64::from(*out) - before - expected).abs() < 1e-4,
                        "{size:?}, {transposed}, {index}: {out}, expected {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        for [m, k, n] in [
            [300, 80, 150],
            [300, 600, 160],
            [160, 600, 300],
            [64, 70, 80],
        ] {
            let (a, b) = (random(m * k, 1), random(k * n, 2));
            assert_same_for_any_threads(|| {
                let mut out = vec![0.0; m * n];
                product(
                    Matrix::new(&a, m, k),
                    Matrix::new(&b, k, n),
                    &mut out,
                    false,
                );
                out
            });
        }
    }
}
