//! Sorting along the last axis.

use crate::op::{array, runs_on};
use crate::parallel::{PIECE, cuts};
use crate::selection::sorted;
use crate::top_k::take;
use burn::tensor::{DType, Int, Tensor};

/// From which end [`sort`] begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// The elements along the last axis in order, and their places; equal elements stay in the order they were in, and what is
/// not a number is larger than any. Gradients go back to where the elements came from.
///
/// # Shapes
/// * `x` and results: any, of the same shape
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::{Order, sort};
/// let x = Tensor::<1>::from_data([1.0, 3.0, 2.0], &Device::flex());
/// let (values, places) = sort(x, Order::Descending);
/// assert_eq!(values.into_data().try_to_vec::<f32>().unwrap(), [3.0, 2.0, 1.0]);
/// assert_eq!(places.into_data().iter::<i64>().collect::<Vec<_>>(), [1, 2, 0]);
/// ```
pub fn sort<const D: usize>(x: Tensor<D>, order: Order) -> (Tensor<D>, Tensor<D, Int>) {
    let n = x.dims()[D - 1];
    if !runs_on(&x, &[DType::F32]) || n == 0 {
        return composed(x, order);
    }
    let values = array(x.clone());
    let values = values.f32();
    let mut places = vec![0; values.len()];
    let piece = (PIECE / n).max(1) * n;
    let count = values.len().div_ceil(piece);
    cuts(
        [(&mut places, piece)],
        count,
        values.len(),
        |index, [places]| {
            let values = &values[index * piece..][..places.len()];
            sorted(values, n, order == Order::Descending, places);
        },
    );
    take(x, places, n)
}

/// The same from Burn's primitives.
fn composed<const D: usize>(x: Tensor<D>, order: Order) -> (Tensor<D>, Tensor<D, Int>) {
    match order {
        Order::Ascending => x.sort_with_indices(D - 1),
        Order::Descending => x.sort_descending_with_indices(D - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (shape, order) in [
            ([1, 1], Order::Ascending),
            ([7, 5], Order::Descending),
            ([60, 70], Order::Ascending),
            ([0, 3], Order::Descending),
            ([3, 0], Order::Ascending),
        ] {
            let x = tensor([shape[1], shape[0]], 1);
            let view = || x.clone().transpose();
            let ((ours, places), (composed, expected)) =
                (sort(view(), order), composed(view(), order));
            assert_same!(ours, composed, [x], 1e-6);
            assert_eq!(places.into_data(), expected.into_data());
        }
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let (y, _) = sort(tensor([300, 257], 1), Order::Ascending);
            y.into_data().try_to_vec().unwrap()
        });
    }
}
