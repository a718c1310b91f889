//! Products of batches of matrices.

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, binary, runs_on};
use crate::product::{Matrix, product, product_here};
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

/// `c_i = a_i b_i` for each matrix `i` of the leading axes.
///
/// # Shapes
/// * `a`: `[…, m, k]`
/// * `b`: `[…, k, n]`, the leading axes equal to those of `a`
/// * result: `[…, m, n]`
///
/// # Panics
/// If the shapes do not fit together.
pub fn matmul<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    let (left, right) = (a.dims(), b.dims());
    assert!(
        D >= 2 && left[..D - 2] == right[..D - 2] && left[D - 1] == right[D - 2],
        "matmul of {left:?} and {right:?}"
    );
    if !runs_on(&a, &[DType::F32]) {
        return a.matmul(b);
    }
    let mut shape = left;
    shape[D - 1] = right[D - 1];
    let kernel = Matmul {
        batch: left[..D - 2].iter().product(),
        m: left[D - 2],
        k: left[D - 1],
        n: right[D - 1],
        shape: shape.to_vec(),
    };
    binary(kernel, a, b)
}

#[derive(Debug)]
struct Matmul {
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    shape: Vec<usize>,
}

/// Multiply-adds from which products are shared among threads, one product a task.
const PARALLEL: usize = 1 << 18;

impl Matmul {
    /// All products, `matrices(i)` giving the factors of the i-th, each of `size` elements.
    fn each<'a>(
        &self,
        size: usize,
        matrices: impl Fn(usize) -> (Matrix<'a>, Matrix<'a>) + Sync,
    ) -> Buffer {
        let mut out = Buffer::new(self.batch * size);
        let work = self.m * self.k * self.n;
        if size == 0 {
            return out;
        }
        let one = |(i, out): (usize, &mut [f32])| {
            let (a, b) = matrices(i);
            product_here(a, b, out, false);
        };
        if self.batch * work < PARALLEL {
            out.chunks_mut(size).enumerate().for_each(one);
        } else if self.batch < 4 {
            // Too few for an even share of whole products.
            for (i, out) in out.chunks_mut(size).enumerate() {
                let (a, b) = matrices(i);
                product(a, b, out, false);
            }
        } else {
            let least = (PARALLEL / 4 / work.max(1)).max(1);
            out.par_chunks_mut(size)
                .with_min_len(least)
                .enumerate()
                .for_each(one);
        }
        out
    }

    fn matrix<'a>(&self, values: &'a [f32], i: usize, rows: usize, columns: usize) -> Matrix<'a> {
        let size = rows * columns;
        Matrix::new(&values[i * size..][..size], rows, columns)
    }
}

impl Kernel for Matmul {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (a, b) = (inputs[0].f32(), inputs[1].f32());
        let out = self.each(self.m * self.n, |i| {
            (
                self.matrix(a, i, self.m, self.k),
                self.matrix(b, i, self.k, self.n),
            )
        });
        (Array::from_buffer(out, self.shape.clone()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (a, b) = (pass.inputs[0].f32(), pass.inputs[1].f32());
        let dy = pass.dy.f32();
        let da = pass.wanted[0].then(|| {
            let da = self.each(self.m * self.k, |i| {
                (
                    self.matrix(dy, i, self.m, self.n),
                    self.matrix(b, i, self.k, self.n).t(),
                )
            });
            Array::from_buffer(da, pass.inputs[0].shape())
        });
        let db = pass.wanted[1].then(|| {
            let db = self.each(self.k * self.n, |i| {
                (
                    self.matrix(a, i, self.m, self.k).t(),
                    self.matrix(dy, i, self.m, self.n),
                )
            });
            Array::from_buffer(db, pass.inputs[1].shape())
        });
        vec![da, db]
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, random, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for [batch, m, k, n] in [
            [1, 1, 1, 1],
            [3, 5, 2, 7],
            [6, 33, 65, 31],
            [1, 130, 67, 129],
            [40, 20, 40, 24],
        ] {
            let (a, b) = (tensor([2, batch, m, k], 1), tensor([2, batch, k, n], 2));
            assert_same!(
                matmul(a.clone(), b.clone()),
                a.clone().matmul(b.clone()),
                [a, b],
                1e-5
            );
        }
    }

    #[test]
    fn transposed_factors() {
        let (a, b) = (tensor([3, 5, 4], 1), tensor([3, 6, 5], 2));
        let view = |x: &Tensor<3>| x.clone().swap_dims(1, 2);
        assert_same!(
            matmul(view(&a), view(&b)),
            view(&a).matmul(view(&b)),
            [a, b],
            1e-5
        );
    }

    #[test]
    fn empty() {
        let (a, b) = (tensor([0, 3, 4], 1), tensor([0, 4, 2], 2));
        assert_eq!(matmul(a, b).dims(), [0, 3, 2]);
        let (a, b) = (tensor([2, 3, 0], 1), tensor([2, 0, 2], 2));
        let c = matmul(a, b).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(c, [0.0; 12]);
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        let (a, b) = (random(40 * 30 * 50, 1), random(40 * 50 * 20, 2));
        let kernel = Matmul {
            batch: 40,
            m: 30,
            k: 50,
            n: 20,
            shape: vec![40, 30, 20],
        };
        assert_same_for_any_threads(|| {
            let inputs = [
                Array::new(a.clone(), [40, 30, 50]),
                Array::new(b.clone(), [40, 50, 20]),
            ];
            kernel.forward(&inputs, false).0.f32().to_vec()
        });
    }

    #[test]
    #[should_panic(expected = "matmul of [1, 2, 3] and [1, 2, 3]")]
    fn unfit_factors() {
        matmul(tensor([1, 2, 3], 1), tensor([1, 2, 3], 2));
    }
}
