//! Truncated Sinkhorn normalization in log space: rows, then columns, a given number of times.
//!
//! Source: Mena et al., "Learning Latent Permutations with Gumbel-Sinkhorn Networks", ICLR 2018.

use crate::op::{Array, Kernel, Pass, runs_on, unary};
use burn::tensor::{DType, Tensor};

/// `exp` of the log-weights after `iterations` times subtracting the log-sum-exp of each row, then of each column,
/// starting from `log_weights / tau`.
///
/// Whatever the element type, the kernel works in 64 bits: at the temperature 1e-7 that local search ends with, 32 bits
/// would leave no digit after the point.
///
/// # Shapes
/// * `log_weights`: `[matrices, n, n]`
/// * result: `[matrices, n, n]`, whose columns sum to 1 and whose rows nearly do
///
/// # Panics
/// If the matrices are not square or `tau` is not positive.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let log_weights = Tensor::<3>::from_data([[[1.0, 0.0], [0.0, 1.0]]], &Device::flex());
/// let soft = offprint_kernels::sinkhorn(log_weights, 0.1, 20).into_data().try_to_vec::<f32>().unwrap();
/// assert!(soft[0] > 0.999 && soft[1] < 0.001);
/// ```
pub fn sinkhorn(log_weights: Tensor<3>, tau: f64, iterations: usize) -> Tensor<3> {
    let [_, n, columns] = log_weights.dims();
    assert_eq!(n, columns, "sides of a square matrix");
    assert!(tau > 0.0, "temperature of Sinkhorn's iteration");
    if !runs_on(&log_weights, &[DType::F32, DType::F64]) {
        return composed(log_weights, tau, iterations);
    }
    let kernel = Sinkhorn { n, tau, iterations };
    unary(kernel, log_weights)
}

/// The same from Burn's primitives.
fn composed(log_weights: Tensor<3>, tau: f64, iterations: usize) -> Tensor<3> {
    let mut logs = log_weights / tau;
    for axis in [2, 1].into_iter().cycle().take(2 * iterations) {
        let largest = logs.clone().max_dim(axis).detach();
        let sum = (logs.clone() - largest.clone()).exp().sum_dim(axis);
        logs = logs - (sum.log() + largest);
    }
    logs.exp()
}

/// Normalizes `n`×`n` log-weights in place, rows then columns, `iterations` times, handing each half step's result to
/// `keep`. The log-weights become those of the result.
pub fn normalize(logs: &mut [f64], n: usize, iterations: usize, mut keep: impl FnMut(&[f64])) {
    for _ in 0..iterations {
        for row in logs.chunks_exact_mut(n) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
            let shift = largest + sum.ln();
            row.iter_mut().for_each(|x| *x -= shift);
        }
        keep(logs);
        let mut largest = vec![f64::NEG_INFINITY; n];
        for row in logs.chunks_exact(n) {
            for (largest, x) in largest.iter_mut().zip(row) {
                *largest = largest.max(*x);
            }
        }
        let mut sums = vec![0.0; n];
        for row in logs.chunks_exact(n) {
            for ((sum, largest), x) in sums.iter_mut().zip(&largest).zip(row) {
                *sum += (x - largest).exp();
            }
        }
        for row in logs.chunks_exact_mut(n) {
            for ((sum, largest), x) in sums.iter().zip(&largest).zip(row) {
                *x -= largest + sum.ln();
            }
        }
        keep(logs);
    }
}

/// Turns the gradient of the final log-weights into that of the first ones, given the weights after each half step.
fn backward(slopes: &mut [f64], n: usize, halves: &[f64]) {
    for (half, weights) in halves.chunks_exact(n * n).enumerate().rev() {
        // y = x - lse(x) along an axis has dx = dy - exp(y) Σ dy.
        if half % 2 == 1 {
            let mut sums = vec![0.0; n];
            for row in slopes.chunks_exact(n) {
                sums.iter_mut().zip(row).for_each(|(sum, dy)| *sum += dy);
            }
            for (row, weights) in slopes.chunks_exact_mut(n).zip(weights.chunks_exact(n)) {
                for ((dy, weight), sum) in row.iter_mut().zip(weights).zip(&sums) {
                    *dy -= weight * sum;
                }
            }
        } else {
            for (row, weights) in slopes.chunks_exact_mut(n).zip(weights.chunks_exact(n)) {
                let sum: f64 = row.iter().sum();
                row.iter_mut()
                    .zip(weights)
                    .for_each(|(dy, weight)| *dy -= weight * sum);
            }
        }
    }
}

#[derive(Debug)]
struct Sinkhorn {
    n: usize,
    tau: f64,
    iterations: usize,
}

impl Kernel for Sinkhorn {
    fn forward(&self, inputs: &[Array], training: bool) -> (Array, Vec<Array>) {
        let (n, size) = (self.n, self.n * self.n);
        let mut logs: Vec<f64> = wide(&inputs[0]).iter().map(|x| x / self.tau).collect();
        let mut halves = vec![];
        for matrix in logs.chunks_exact_mut(size.max(1)) {
            normalize(matrix, n, self.iterations, |logs| {
                if training {
                    halves.extend(logs.iter().map(|x| x.exp()));
                }
            });
        }
        let count = halves.len();
        let soft = logs.into_iter().map(f64::exp).collect();
        (like(soft, &inputs[0]), vec![Array::new(halves, [count])])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (size, halves) = (self.n * self.n, pass.saved[1].f64());
        let mut slopes: Vec<f64> = wide(&pass.dy)
            .iter()
            .zip(wide(&pass.saved[0]))
            .map(|(dy, soft)| dy * soft)
            .collect();
        let matrices = slopes.chunks_exact_mut(size.max(1)).enumerate();
        for (matrix, slopes) in matrices {
            let each = 2 * self.iterations * size;
            backward(slopes, self.n, &halves[matrix * each..][..each]);
        }
        slopes.iter_mut().for_each(|slope| *slope /= self.tau);
        vec![Some(like(slopes, &pass.inputs[0]))]
    }
}

fn wide(array: &Array) -> Vec<f64> {
    match array.dtype() {
        DType::F64 => array.f64().to_vec(),
        _ => array.f32().iter().copied().map(f64::from).collect(),
    }
}

fn like(values: Vec<f64>, array: &Array) -> Array {
    match array.dtype() {
        DType::F64 => Array::new(values, array.shape()),
        _ => Array::new(
            values.into_iter().map(|x| x as f32).collect(),
            array.shape(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (matrices, n, tau, iterations) in [
            (1, 1, 1.0, 3),
            (2, 3, 0.3, 1),
            (1, 16, 0.1, 20),
            (3, 5, 0.2, 0),
        ] {
            let x = tensor([matrices, n, n], 1);
            let view = || x.clone().swap_dims(1, 2);
            assert_same!(
                sinkhorn(view(), tau, iterations),
                composed(view(), tau, iterations),
                [x],
                1e-4
            );
        }
    }

    #[test]
    fn double_precision_goes_through() {
        let x = tensor::<3>([2, 4, 4], 1);
        let wide = x.clone().inner().cast(burn::tensor::FloatDType::F64);
        let (a, b) = (sinkhorn(wide, 0.1, 30), sinkhorn(x.inner(), 0.1, 30));
        assert_eq!(a.dtype(), DType::F64);
        crate::testing::assert_close(a.cast(burn::tensor::FloatDType::F32), b, 1e-6);
    }

    #[test]
    fn stays_finite_at_the_lowest_temperature() {
        let x = tensor::<3>([1, 8, 8], 3);
        let soft = sinkhorn(x.clone(), 1e-7, 150);
        let columns: Vec<f32> = soft.clone().sum_dim(1).into_data().try_to_vec().unwrap();
        assert!(
            columns.iter().all(|sum| (sum - 1.0).abs() < 1e-5),
            "{columns:?}"
        );
        let slopes: Vec<f32> = x
            .grad(&soft.sum().backward())
            .unwrap()
            .into_data()
            .try_to_vec()
            .unwrap();
        assert!(slopes.iter().all(|slope| slope.is_finite()));
    }
}
