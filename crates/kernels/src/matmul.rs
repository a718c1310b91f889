//! Products of batches of matrices.

use burn::tensor::Tensor;

/// `c_b = a_b b_b` for each matrix of the leading axes.
///
/// # Shapes
/// * `a`: `[…, m, k]`
/// * `b`: `[…, k, n]`, the leading axes equal to those of `a`
/// * result: `[…, m, n]`
///
/// # Panics
/// If the shapes do not fit together.
pub fn matmul<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    let (m, n) = (a.dims(), b.dims());
    assert!(
        D >= 2 && m[..D - 2] == n[..D - 2] && m[D - 1] == n[D - 2],
        "matmul of {m:?} and {n:?}"
    );
    a.matmul(b)
}
