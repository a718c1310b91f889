//! Rows of a table by their number.

use crate::rows::gather_rows;
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
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// let device = Device::flex();
/// let weight = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &device);
/// let indices = Tensor::<2, Int>::from_data([[1, 0]], &device);
/// let y = offprint_kernels::embedding(weight, indices);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [3.0, 4.0, 1.0, 2.0]);
/// ```
pub fn embedding(weight: Tensor<2>, indices: Tensor<2, Int>) -> Tensor<3> {
    let ([entries, width], [rows, length]) = (weight.dims(), indices.dims());
    let entry = |index: i64| match usize::try_from(index) {
        Ok(entry) if entry < entries => entry,
        _ => panic!("index {index} of an embedding, allowed is 0..{entries}"),
    };
    let indices: Vec<usize> = indices.into_data().iter::<i64>().map(entry).collect();
    gather_rows(weight, &indices).reshape([rows, length, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, tensor};
    use burn::tensor::{Device, TensorData};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (entries, width, rows, length) in [(1, 1, 1, 1), (5, 3, 4, 6), (40, 33, 7, 19)] {
            let weight = tensor([width, entries], 1);
            let indices: Vec<i64> = (0..rows * length)
                .map(|i| (i * i % entries) as i64)
                .collect();
            let indices = TensorData::new(indices, [rows, length]);
            let indices = Tensor::<2, Int>::from_data(indices, &Device::flex().autodiff());
            let view = || weight.clone().transpose();
            let expected = view().select(0, indices.clone().reshape([rows * length]));
            assert_same!(
                embedding(view(), indices),
                expected.reshape([rows, length, width]),
                [weight],
                1e-6
            );
        }
    }

    #[test]
    fn no_indices() {
        let weight = tensor([3, 4], 1);
        let y = embedding(weight.clone(), Tensor::zeros([0, 5], &weight.device()));
        assert_eq!(y.dims(), [0, 5, 4]);
        let dw = weight.grad(&y.sum().backward()).unwrap();
        assert_eq!(dw.into_data().try_to_vec::<f32>().unwrap(), [0.0; 12]);
    }

    #[test]
    #[should_panic(expected = "index -1 of an embedding, allowed is 0..3")]
    fn index_out_of_range() {
        let weight = tensor([3, 4], 1);
        let indices = Tensor::<2, Int>::from_data([[0, -1]], &weight.device());
        embedding(weight, indices);
    }
}
