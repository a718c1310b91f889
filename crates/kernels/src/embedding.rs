//! Rows of a table by their number.

use burn::tensor::{Int, Tensor};

/// `y_i = weight_{index_i}`.
///
/// # Shapes
/// * `weight`: `[entries, width]`
/// * `indices`: `[rows, length]`, in `0..entries`
/// * result: `[rows, length, width]`
///
/// # Panics
/// If an index is out of range.
pub fn embedding(weight: Tensor<2>, indices: Tensor<2, Int>) -> Tensor<3> {
    let ([_, width], [rows, length]) = (weight.dims(), indices.dims());
    weight
        .select(0, indices.reshape([rows * length]))
        .reshape([rows, length, width])
}
