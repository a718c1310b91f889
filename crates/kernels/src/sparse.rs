//! Product of a fixed sparse matrix and a dense one: what every message-passing layer of a graph network does.

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, unary};
use crate::parallel::pieces;
use crate::simd::vectorized;
use burn::tensor::{DType, IndexingUpdateOp, Int, Tensor, TensorData};
use std::sync::Arc;

/// A sparse matrix, by rows and by columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse {
    by_row: Lists,
    by_column: Lists,
}

/// The entries of each row: those of row `i` stand at `offsets[i]..offsets[i + 1]`.
#[derive(Clone, Debug, PartialEq)]
struct Lists {
    offsets: Vec<usize>,
    columns: Vec<usize>,
    values: Vec<f32>,
}

impl Sparse {
    /// The matrix `[rows, columns]` with some entries `(row, column, value)`; those of one place add up.
    ///
    /// # Panics
    /// If an entry lies outside.
    pub fn new(rows: usize, columns: usize, entries: &[(usize, usize, f32)]) -> Self {
        for &(row, column, _) in entries {
            assert!(
                row < rows && column < columns,
                "entry at [{row}, {column}] of a sparse matrix of {:?}",
                [rows, columns]
            );
        }
        let turned = entries
            .iter()
            .map(|&(row, column, value)| (column, row, value));
        Self {
            by_row: Lists::new(rows, entries.iter().copied()),
            by_column: Lists::new(columns, turned),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.by_row.rows()
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.by_column.rows()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.by_row.values.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Lists {
    fn new(rows: usize, entries: impl Iterator<Item = (usize, usize, f32)> + Clone) -> Self {
        let mut offsets = vec![0; rows + 1];
        for (row, ..) in entries.clone() {
            offsets[row + 1] += 1;
        }
        for row in 0..rows {
            offsets[row + 1] += offsets[row];
        }
        let count = offsets[rows];
        let (mut columns, mut values) = (vec![0; count], vec![0.0; count]);
        let mut next = offsets.clone();
        for (row, column, value) in entries {
            columns[next[row]] = column;
            values[next[row]] = value;
            next[row] += 1;
        }
        Self {
            offsets,
            columns,
            values,
        }
    }

    fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// `y = A x`, a row at a time, its entries in the order they were given.
    fn times(&self, x: &[f32], width: usize, y: &mut [f32]) {
        let rows_a_piece = (4096 / width.max(1)).max(1);
        pieces(y, rows_a_piece * width, |first, y| {
            vectorized(|| {
                for (row, y) in (first / width..).zip(y.chunks_exact_mut(width)) {
                    y.fill(0.0);
                    for place in self.offsets[row]..self.offsets[row + 1] {
                        let x = &x[self.columns[place] * width..][..width];
                        let value = self.values[place];
                        for (y, x) in y.iter_mut().zip(x) {
                            *y = value.mul_add(*x, *y);
                        }
                    }
                }
            });
        });
    }
}

/// `y = A x`: `y_i = Σ_j a_ij x_j` over the entries of row `i`. The gradient is `Aᵀ dy`; the matrix itself has none.
///
/// # Shapes
/// * `x`: `[columns, width]`
/// * result: `[rows, width]`
///
/// # Panics
/// If `x` does not have as many rows as the matrix has columns.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::{Sparse, sparse_product};
/// let a = Sparse::new(2, 3, &[(0, 0, 1.0), (0, 2, 2.0)]).into();
/// let x = Tensor::<2>::from_data([[1.0], [10.0], [100.0]], &Device::flex());
/// let y = sparse_product(&a, x);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [201.0, 0.0]);
/// ```
pub fn sparse_product(a: &Arc<Sparse>, x: Tensor<2>) -> Tensor<2> {
    let shape = x.dims();
    assert_eq!(
        shape[0],
        a.columns(),
        "product of a sparse matrix {:?} and {shape:?}",
        [a.rows(), a.columns()]
    );
    if !runs_on(&x, &[DType::F32]) {
        return composed(a, x);
    }
    unary(
        SparseProduct {
            a: a.clone(),
            width: shape[1],
        },
        x,
    )
}

/// The same from Burn's primitives: a gather and a scatter.
fn composed(a: &Sparse, x: Tensor<2>) -> Tensor<2> {
    let ([_, width], device) = (x.dims(), x.device());
    let lists = &a.by_row;
    let indices = |values: Vec<usize>| {
        let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
        let count = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [count]), &device)
    };
    let rows = (0..a.rows())
        .flat_map(|row| std::iter::repeat_n(row, lists.offsets[row + 1] - lists.offsets[row]));
    let rows = indices(rows.collect());
    let values = TensorData::new(lists.values.clone(), [a.len(), 1]);
    let messages = x.select(0, indices(lists.columns.clone())) * Tensor::from_data(values, &device);
    Tensor::zeros([a.rows(), width], &device).select_assign(
        0,
        rows,
        messages,
        IndexingUpdateOp::Add,
    )
}

#[derive(Debug)]
struct SparseProduct {
    a: Arc<Sparse>,
    width: usize,
}

impl SparseProduct {
    fn run(&self, lists: &Lists, x: &Array) -> Array {
        let mut y = Buffer::new(lists.rows() * self.width);
        if self.width > 0 {
            lists.times(x.f32(), self.width, &mut y);
        }
        Array::from_buffer(y, [lists.rows(), self.width])
    }
}

impl Kernel for SparseProduct {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        (self.run(&self.a.by_row, &inputs[0]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        vec![Some(self.run(&self.a.by_column, &pass.dy))]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, random, tensor};

    /// A matrix with a few entries a row, some rows empty, one place named twice.
    fn matrix(rows: usize, columns: usize, count: usize) -> Arc<Sparse> {
        let at = |of: usize, number: f32| ((number.abs() * 1e4) as usize) % of;
        let draws = random(3 * count, 9);
        let mut entries: Vec<_> = draws
            .chunks_exact(3)
            .map(|draw| (at(rows, draw[0]), at(columns, draw[1]), draw[2]))
            .collect();
        entries.extend(entries.first().copied());
        Arc::new(Sparse::new(rows, columns, &entries))
    }

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (rows, columns, count, width) in [(1, 1, 1, 1), (5, 3, 7, 17), (300, 200, 900, 33)] {
            let a = matrix(rows, columns, count);
            let x = tensor([columns, width], 4);
            assert_same!(
                sparse_product(&a, x.clone()),
                composed(&a, x.clone()),
                [x],
                1e-5
            );
        }
    }

    #[test]
    fn no_entries_no_rows_and_no_width_give_what_is_left() {
        let a = Arc::new(Sparse::new(3, 2, &[]));
        assert!(a.is_empty());
        let y = sparse_product(&a, tensor([2, 4], 1));
        assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [0.0; 12]);
        assert_eq!(sparse_product(&a, tensor([2, 0], 1)).dims(), [3, 0]);
        let none = Arc::new(Sparse::new(0, 2, &[]));
        assert_eq!(sparse_product(&none, tensor([2, 4], 1)).dims(), [0, 4]);
    }

    #[test]
    fn same_numbers_for_any_number_of_threads() {
        let a = matrix(2000, 2000, 20_000);
        assert_same_for_any_threads(|| {
            let x = tensor([2000, 48], 5);
            let y = sparse_product(&a, x.clone());
            let mut all: Vec<f32> = y.clone().into_data().try_to_vec().unwrap();
            let gradient = x.grad(&y.powi_scalar(2).sum().backward()).unwrap();
            all.extend(gradient.into_data().try_to_vec::<f32>().unwrap());
            all
        });
    }

    #[test]
    #[should_panic(expected = "entry at [2, 0] of a sparse matrix of [2, 3]")]
    fn an_entry_outside_is_refused() {
        Sparse::new(2, 3, &[(2, 0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "product of a sparse matrix [2, 3] and [2, 4]")]
    fn another_number_of_rows_is_refused() {
        sparse_product(&Arc::new(Sparse::new(2, 3, &[])), tensor([2, 4], 1));
    }
}
