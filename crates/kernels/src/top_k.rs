//! Softmax over the `k` largest logits of each row.

use crate::op::{Array, Kernel, Pass, runs_on, unary};
use burn::tensor::{DType, Int, Tensor, TensorData, activation};

/// The places of the `k` largest values, in ascending order of place; of equal values the earlier is larger.
///
/// ```
/// assert_eq!(offprint_kernels::top_k(&[1.0, 3.0, 3.0, 2.0, 3.0], 2), [1, 2]);
/// ```
pub fn top_k(values: &[f32], k: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..values.len()).collect();
    // The sort is stable, which settles ties.
    places.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    places.truncate(k);
    places.sort_unstable();
    places
}

/// Softmax over the `k` largest logits of each row, exactly zero elsewhere; of equal logits the earlier is larger.
///
/// # Shapes
/// * `logits`: `[rows, n]`
/// * result: `[rows, n]`
///
/// # Panics
/// If `k` is not in `1..=n`.
pub fn top_k_softmax(logits: Tensor<2>, k: usize) -> Tensor<2> {
    let n = logits.dims()[1];
    assert!((1..=n).contains(&k), "selected logits");
    if !runs_on(&logits, &[DType::F32]) {
        return composed(logits, k);
    }
    unary(TopKSoftmax { n, k }, logits)
}

/// The same from Burn's primitives, the selection on the host.
fn composed(logits: Tensor<2>, k: usize) -> Tensor<2> {
    let [rows, n] = logits.dims();
    let values = logits.clone().inner().into_data().convert::<f32>();
    let mut dropped = vec![1i64; rows * n];
    if let Ok(values) = values.try_to_vec::<f32>() {
        for (row, values) in values.chunks_exact(n).enumerate() {
            for place in top_k(values, k) {
                dropped[row * n + place] = 0;
            }
        }
    }
    let data = TensorData::new(dropped, [rows, n]);
    let dropped = Tensor::<2, Int>::from_data(data, &logits.device()).equal_elem(1);
    activation::softmax(logits.mask_fill(dropped, f32::NEG_INFINITY), 1)
}

#[derive(Debug)]
struct TopKSoftmax {
    n: usize,
    k: usize,
}

impl Kernel for TopKSoftmax {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let mut weights = vec![0.0; inputs[0].f32().len()];
        let rows = inputs[0].f32().chunks_exact(self.n);
        for (logits, weights) in rows.zip(weights.chunks_exact_mut(self.n)) {
            let selected = top_k(logits, self.k);
            let logits = |place: &usize| logits[*place];
            let largest = selected
                .iter()
                .map(logits)
                .fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = selected
                .iter()
                .map(|place| (logits(place) - largest).exp())
                .sum();
            for place in &selected {
                weights[*place] = (logits(place) - largest).exp() / sum;
            }
        }
        (Array::new(weights, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (weights, dy) = (pass.saved[0].f32(), pass.dy.f32());
        let mut dx = Vec::with_capacity(weights.len());
        for (weights, dy) in weights.chunks_exact(self.n).zip(dy.chunks_exact(self.n)) {
            let mean: f32 = weights.iter().zip(dy).map(|(w, dy)| w * dy).sum();
            dx.extend(weights.iter().zip(dy).map(|(w, dy)| w * (dy - mean)));
        }
        vec![Some(Array::new(dx, pass.inputs[0].shape()))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (rows, n, k) in [(1, 2, 1), (7, 5, 3), (65, 16, 4), (3, 4, 4)] {
            let x = tensor([n, rows], 1);
            let view = || x.clone().transpose();
            assert_same!(top_k_softmax(view(), k), composed(view(), k), [x], 1e-5);
        }
    }

    #[test]
    fn a_logit_of_zero_is_kept_and_ties_go_to_the_earlier() {
        let x = Tensor::<2>::from_data([[0.0, -1.0, 0.0, 0.0]], &burn::tensor::Device::flex());
        let weights = top_k_softmax(x, 2).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(weights, [0.5, 0.0, 0.5, 0.0]);
    }

    #[test]
    fn no_rows() {
        let x = tensor([0, 3], 1);
        assert_eq!(top_k_softmax(x, 2).dims(), [0, 3]);
    }
}
