//! Inner products of the rows of two matrices.

use crate::lanes::{self, LANES, Lanes};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, binary, runs_on};
use crate::parallel::{PIECE, SHARED};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

/// `y_i = Σ_k a_ik b_ik`, without the matrix of products in memory.
///
/// # Shapes
/// * `a`, `b`: `[n, p]`
/// * result: `[n]`
///
/// # Panics
/// If the shapes differ.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let a = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &Device::flex());
/// let y = offprint_kernels::inner(a.clone(), a);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [5.0, 25.0]);
/// ```
pub fn inner(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let [rows, width] = a.dims();
    assert_eq!([rows, width], b.dims(), "inner products of rows");
    if !runs_on(&a, &[DType::F32]) {
        return composed(a, b);
    }
    binary(Inner { rows, width }, a, b)
}

/// The same from Burn's primitives.
fn composed(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    (a * b).sum_dim(1).squeeze_dim(1)
}

#[derive(Debug)]
struct Inner {
    rows: usize,
    width: usize,
}

impl Inner {
    /// Calls `work` with the number of the first row of each run of rows, and the run, `each` numbers a row.
    fn runs(&self, out: &mut [f32], each: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
        let rows = (PIECE / self.width.max(1)).max(1);
        let size = (rows * each).max(1);
        let one = |(index, out): (usize, &mut [f32])| work(index * rows, out);
        if self.rows * self.width < SHARED {
            out.chunks_mut(size).enumerate().for_each(one);
        } else {
            let least = (SHARED / 2 / PIECE).max(1);
            let runs = out.par_chunks_mut(size).with_min_len(least);
            runs.enumerate().for_each(one);
        }
    }

    /// `dy_i · other_i` for every row.
    fn scaled(&self, dy: &[f32], other: &[f32]) -> Array {
        let width = self.width;
        let mut out = Buffer::new(self.rows * width);
        self.runs(&mut out, width, |first, out| {
            vectorized(
                #[inline(always)]
                || {
                    let rows = out.chunks_exact_mut(width.max(1)).zip(&dy[first..]);
                    for (row, (out, slope)) in rows.enumerate() {
                        let other = &other[(first + row) * width..][..width];
                        for (out, other) in out.iter_mut().zip(other) {
                            *out = slope * other;
                        }
                    }
                },
            );
        });
        Array::from_buffer(out, [self.rows, width])
    }
}

impl Kernel for Inner {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (a, b, width) = (inputs[0].f32(), inputs[1].f32(), self.width);
        let mut y = Buffer::new(self.rows);
        self.runs(&mut y, 1, |first, y| {
            vectorized(
                #[inline(always)]
                || {
                    for (row, y) in y.iter_mut().enumerate() {
                        let start = (first + row) * width;
                        *y = dot(&a[start..][..width], &b[start..][..width]);
                    }
                },
            );
        });
        (Array::from_buffer(y, [self.rows]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let dy = pass.dy.f32();
        let slope = |input: usize, other: usize| {
            pass.wanted[input].then(|| self.scaled(dy, pass.inputs[other].f32()))
        };
        vec![slope(0, 1), slope(1, 0)]
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}

/// The sum of products, lane by lane.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_lines, a_rest) = a.as_chunks::<LANES>();
    let (b_lines, b_rest) = b.as_chunks::<LANES>();
    let mut sums: Lanes = [0.0; LANES];
    for (a, b) in a_lines.iter().zip(b_lines) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>();
    lanes::total(sums) + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, random, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for shape in [[1, 1], [3, 5], [0, 4], [4, 0], [700, 40], [2, 5000]] {
            let (a, b) = (tensor(shape, 1), tensor(shape, 2));
            assert_same!(
                inner(a.clone(), b.clone()),
                composed(a.clone(), b.clone()),
                [a, b],
                1e-4
            );
        }
    }

    #[test]
    fn transposed_and_sliced_input() {
        let (a, b) = (tensor([5, 9], 1), tensor([12, 5], 2));
        let view = || b.clone().slice(2..11);
        assert_same!(
            inner(a.clone().transpose(), view()),
            composed(a.clone().transpose(), view()),
            [a, b],
            1e-5
        );
    }

    #[test]
    fn a_matrix_with_itself() {
        let a = tensor([6, 17], 3);
        assert_same!(
            inner(a.clone(), a.clone()),
            composed(a.clone(), a.clone()),
            [a],
            1e-5
        );
    }

    #[test]
    fn the_same_for_any_number_of_threads() {
        let (a, b) = (random(1000 * 41, 1), random(1000 * 41, 2));
        let kernel = Inner {
            rows: 1000,
            width: 41,
        };
        let inputs = [Array::new(a, [1000, 41]), Array::new(b, [1000, 41])];
        assert_same_for_any_threads(|| kernel.forward(&inputs, false).0.f32().to_vec());
    }
}
