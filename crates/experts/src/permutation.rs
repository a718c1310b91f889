//! Permutations of experts, soft while they are searched for, hard afterwards.

use crate::error::{ExpertsError, Result, check_shape};
use crate::gate::host;
use burn::tensor::{Device, Tensor, TensorData};
use offprint_kernels::{Activation, linear};

/// How far the sum of a permutation's row may be from 1.
const TOLERANCE: f32 = 1e-3;

/// One permutation of `n` experts for all trees, or one for each tree: rows are what a gate puts out, columns are experts.
#[derive(Clone, Debug)]
pub enum Permutation {
    /// A matrix that is nearly doubly stochastic, `[1 or k, n, n]`.
    Soft(Tensor<3>),
    /// Exactly one 1 in each row and column, `[1 or k, n, n]`.
    Hard(Tensor<3>),
}

impl Permutation {
    /// A soft permutation given by a user.
    ///
    /// # Errors
    /// If the matrices are not square, there is none, or a row's sum is more than 0.001 from 1.
    pub fn soft(matrices: Tensor<3>) -> Result<Self> {
        let [m, n, columns] = matrices.dims();
        check_shape("permutation", [m, n, columns], [m.max(1), n, n])?;
        for (index, row) in host(matrices.clone()).chunks_exact(n.max(1)).enumerate() {
            let sum: f32 = row.iter().sum();
            if sum.is_nan() || (sum - 1.0).abs() > TOLERANCE {
                let (matrix, row) = (index / n, index % n);
                return Err(ExpertsError::PermutationRow { matrix, row, sum });
            }
        }
        Ok(Self::Soft(matrices))
    }

    /// The permutations that send output `i` to expert `columns[i]`.
    ///
    /// # Errors
    /// If there is none, or one is not a permutation of `0..n`.
    pub fn hard(columns: &[Vec<usize>], device: &Device) -> Result<Self> {
        let (m, n) = (columns.len(), columns.first().map_or(0, Vec::len));
        check_shape("permutation", [m], [m.max(1)])?;
        let mut values = vec![0f32; m * n * n];
        for (matrix, columns) in columns.iter().enumerate() {
            check_shape("permutation", [m, columns.len()], [m, n])?;
            let mut seen = vec![false; n];
            for (row, column) in columns.iter().copied().enumerate() {
                if column >= n || std::mem::replace(&mut seen[column], true) {
                    return Err(ExpertsError::Shape {
                        name: "permutation",
                        actual: columns.clone(),
                        expected: format!("each of 0..{n} once"),
                    });
                }
                values[(matrix * n + row) * n + column] = 1.0;
            }
        }
        let data = TensorData::new(values, [m, n, n]);
        Ok(Self::Hard(Tensor::from_data(data, device)))
    }

    /// The matrices, `[1 or k, n, n]`.
    pub fn matrices(&self) -> Tensor<3> {
        match self {
            Self::Soft(matrices) | Self::Hard(matrices) => matrices.clone(),
        }
    }

    /// `Σ_t g_t R_t`: permutes what each of `k` trees puts out, and adds up.
    ///
    /// # Shapes
    /// * `g`: `[batch, k, n]`
    /// * result: `[batch, n]`
    ///
    /// # Errors
    /// If the permutation is not `[1 or k, n, n]`.
    pub fn mix(&self, g: Tensor<3>) -> Result<Tensor<2>> {
        let ([batch, k, n], matrices) = (g.dims(), self.matrices());
        if matrices.dims() == [1, n, n] {
            return Ok(linear(
                g.sum_dim(1).reshape([batch, n]),
                matrices.reshape([n, n]),
                None,
                Activation::Identity,
            ));
        }
        check_shape("permutation", matrices.dims(), [k, n, n])?;
        Ok(linear(
            g.reshape([batch, k * n]),
            matrices.reshape([k * n, n]),
            None,
            Activation::Identity,
        ))
    }

    /// `w R / Σ (w R)` with the mean `R` of the matrices, for gates without trees.
    ///
    /// # Shapes
    /// * `weights`: `[batch, n]`
    /// * result: `[batch, n]`
    ///
    /// # Errors
    /// If the permutation is not of `n` experts.
    pub fn renormalized(&self, weights: Tensor<2>) -> Result<Tensor<2>> {
        let (n, matrices) = (weights.dims()[1], self.matrices());
        check_shape("permutation", matrices.dims(), [matrices.dims()[0], n, n])?;
        let mean = matrices.mean_dim(0).reshape([n, n]);
        let mixed = linear(weights, mean, None, Activation::Identity);
        Ok(mixed.clone() / mixed.sum_dim(1))
    }
}
