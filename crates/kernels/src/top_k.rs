//! The largest elements of each row: [`top_k`], [`argmax`], and [`top_k_softmax`] over them.

use crate::math::exp_weight;
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, array, runs_on, unary};
use crate::parallel::{PIECE, cuts, pieces};
use crate::selection::largest_first;
use crate::simd::vectorized;
use crate::softmax::softmax_slopes;
use burn::tensor::{DType, Int, Tensor, TensorData, activation};

/// The places of the `k` largest values, in ascending order of place; of equal values the earlier is larger, and what is
/// not a number is larger than any.
///
/// ```
/// assert_eq!(offprint_kernels::largest(&[1.0, 3.0, 3.0, 2.0, 3.0], 2), [1, 2]);
/// ```
pub fn largest(values: &[f32], k: usize) -> Vec<usize> {
    let mut places = vec![0; k.min(values.len())];
    largest_first(values, values.len(), places.len(), &mut places);
    let mut places: Vec<usize> = places.into_iter().map(|place| place as usize).collect();
    places.sort_unstable();
    places
}

/// The `k` largest elements along the last axis, largest first, and their places; of equal elements the earlier is
/// larger, and what is not a number is larger than any. Gradients go to the selected elements.
///
/// # Shapes
/// * `x`: `[…, n]`
/// * results: `[…, k]`
///
/// # Panics
/// If `k` is not in `1..=n`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<1>::from_data([1.0, 3.0, 2.0], &Device::flex());
/// let (values, places) = offprint_kernels::top_k(x, 2);
/// assert_eq!(values.into_data().try_to_vec::<f32>().unwrap(), [3.0, 2.0]);
/// assert_eq!(places.into_data().iter::<i64>().collect::<Vec<_>>(), [1, 2]);
/// ```
pub fn top_k<const D: usize>(x: Tensor<D>, k: usize) -> (Tensor<D>, Tensor<D, Int>) {
    let n = x.dims()[D - 1];
    assert!((1..=n).contains(&k), "top {k} of {n} elements");
    if !runs_on(&x, &[DType::F32]) {
        return composed_top_k(x, k);
    }
    let places = places(array(x.clone()).f32(), n, k);
    take(x, places, k)
}

/// The place of the largest element along the last axis, whose length becomes 1; of equal elements the earlier is larger,
/// and what is not a number is larger than any.
///
/// # Panics
/// If the axis is empty.
pub fn argmax<const D: usize>(x: Tensor<D>) -> Tensor<D, Int> {
    let n = x.dims()[D - 1];
    assert!(n > 0, "largest of no elements");
    if !runs_on(&x, &[DType::F32]) {
        return x.argmax(D - 1);
    }
    let places = places(array(x.clone()).f32(), n, 1);
    integers(places, 1, &x)
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
    assert!((1..=n).contains(&k), "top {k} of {n} logits");
    if !runs_on(&logits, &[DType::F32]) {
        return composed_top_k_softmax(logits, k);
    }
    unary(TopKSoftmax { n, k }, logits)
}

/// [`top_k`] from Burn's primitives, the selection on the host.
fn composed_top_k<const D: usize>(x: Tensor<D>, k: usize) -> (Tensor<D>, Tensor<D, Int>) {
    let n = x.dims()[D - 1];
    let values: Vec<f32> = x.clone().inner().into_data().iter::<f32>().collect();
    let places = places(&values, n, k);
    let places = integers(places, k, &x);
    (x.gather(D - 1, places.clone()), places)
}

/// [`top_k_softmax`] from Burn's primitives, the selection on the host.
fn composed_top_k_softmax(logits: Tensor<2>, k: usize) -> Tensor<2> {
    let [rows, n] = logits.dims();
    let values: Vec<f32> = logits.clone().inner().into_data().iter::<f32>().collect();
    let mut dropped = vec![1i64; rows * n];
    for (values, dropped) in values.chunks_exact(n).zip(dropped.chunks_exact_mut(n)) {
        for place in largest(values, k) {
            dropped[place] = 0;
        }
    }
    let data = TensorData::new(dropped, [rows, n]);
    let dropped = Tensor::<2, Int>::from_data(data, &logits.device()).equal_elem(1);
    activation::softmax(logits.mask_fill(dropped, f32::NEG_INFINITY), 1)
}

/// The places of the `k` largest elements of each row of `n`, largest first.
fn places(x: &[f32], n: usize, k: usize) -> Vec<i32> {
    let mut places = vec![0; x.len() / n * k];
    let each = (PIECE / n).max(1);
    let count = places.len().div_ceil(each * k);
    cuts(
        [(&mut places, each * k)],
        count,
        x.len(),
        |index, [places]| {
            let x = &x[index * each * n..][..places.len() / k * n];
            largest_first(x, n, k, places);
        },
    );
    places
}

/// Places in the shape of `of` but for the last axis, of length `k`.
fn integers<const D: usize>(places: Vec<i32>, k: usize, of: &Tensor<D>) -> Tensor<D, Int> {
    let mut shape = of.dims();
    shape[D - 1] = k;
    Tensor::from_data(TensorData::new(places, shape), &of.device())
}

/// The elements at the `k` given places of each row, and the places as a tensor.
pub(crate) fn take<const D: usize>(
    x: Tensor<D>,
    places: Vec<i32>,
    k: usize,
) -> (Tensor<D>, Tensor<D, Int>) {
    let integers = integers(places.clone(), k, &x);
    let n = x.dims()[D - 1];
    (unary(Take { n, k, places }, x), integers)
}

/// Different elements of each row.
#[derive(Debug)]
struct Take {
    n: usize,
    k: usize,
    places: Vec<i32>,
}

impl Kernel for Take {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (x, Self { n, k, places }) = (inputs[0].f32(), self);
        let mut shape = inputs[0].shape();
        let last = shape.num_dims() - 1;
        shape[last] = *k;
        let mut y = Buffer::new(places.len());
        pieces(&mut y, (PIECE / k).max(1) * k, |start, y| {
            let rows = x[start / k * n..].chunks_exact(*n);
            let places = places[start..].chunks_exact(*k);
            for ((y, places), x) in y.chunks_exact_mut(*k).zip(places).zip(rows) {
                for (y, place) in y.iter_mut().zip(places) {
                    *y = x[*place as usize];
                }
            }
        });
        (Array::from_buffer(y, shape), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (dy, Self { n, k, places }) = (pass.dy.f32(), self);
        let mut shape = pass.dy.shape();
        let last = shape.num_dims() - 1;
        shape[last] = *n;
        let mut dx = Buffer::new(places.len() / k * n);
        pieces(&mut dx, (PIECE / n).max(1) * n, |start, dx| {
            dx.fill(0.0);
            let start = start / n * k;
            let terms = dy[start..]
                .chunks_exact(*k)
                .zip(places[start..].chunks_exact(*k));
            for (dx, (dy, places)) in dx.chunks_exact_mut(*n).zip(terms) {
                for (dy, place) in dy.iter().zip(places) {
                    dx[*place as usize] = *dy;
                }
            }
        });
        vec![Some(Array::from_buffer(dx, shape))]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

#[derive(Debug)]
struct TopKSoftmax {
    n: usize,
    k: usize,
}

impl Kernel for TopKSoftmax {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (x, n, k) = (inputs[0].f32(), self.n, self.k);
        let mut weights = Buffer::new(x.len());
        pieces(&mut weights, (PIECE / n).max(1) * n, |start, weights| {
            let x = &x[start..][..weights.len()];
            let mut places = vec![0; x.len() / n * k];
            largest_first(x, n, k, &mut places);
            weights.fill(0.0);
            vectorized(
                #[inline(always)]
                || {
                    let rows = x.chunks_exact(n).zip(weights.chunks_exact_mut(n));
                    for ((x, weights), places) in rows.zip(places.chunks_exact(k)) {
                        let (largest, mut sum) = (x[places[0] as usize], 0.0);
                        for place in places {
                            let weight = exp_weight(x[*place as usize] - largest);
                            weights[*place as usize] = weight;
                            sum += weight;
                        }
                        for place in places {
                            weights[*place as usize] /= sum;
                        }
                    }
                },
            );
        });
        (Array::from_buffer(weights, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (weights, n) = (pass.saved[0].f32(), self.n);
        let piece = (PIECE / n).max(1) * n;
        let dx = crate::in_place::rewritten(pass.dy, piece, |start, dy| {
            let weights = &weights[start..][..dy.len()];
            vectorized(
                #[inline(always)]
                || softmax_slopes(dy, weights, n),
            );
        });
        vec![Some(dx)]
    }

    fn reads(&self) -> Reads {
        Reads::OUTPUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, tensor};
    use burn::tensor::Device;

    const SIZES: [(usize, usize, usize); 6] = [
        (1, 2, 1),
        (7, 5, 3),
        (65, 16, 4),
        (3, 4, 4),
        (9, 300, 40),
        (300, 120, 2),
    ];

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (rows, n, k) in SIZES {
            let x = tensor([n, rows], 1);
            let view = || x.clone().transpose();
            let (ours, composed) = (top_k_softmax(view(), k), composed_top_k_softmax(view(), k));
            assert_same!(ours, composed, [x], 1e-5);
            let ((ours, places), (composed, expected)) =
                (top_k(view(), k), composed_top_k(view(), k));
            assert_same!(ours, composed, [x], 1e-6);
            assert_eq!(places.into_data(), expected.into_data());
            let first = argmax(view()).into_data();
            assert_eq!(first, view().argmax(1).into_data());
        }
    }

    #[test]
    fn largest_equals_sorting() {
        assert_eq!(largest(&[0.0, -1.0, 5.0, 5.0, -0.0], 3), [0, 2, 3]);
        assert_eq!(largest(&[1.0, 2.0], 5), [0, 1]);
        assert_eq!(largest(&[], 2), [0; 0]);
        assert_eq!(largest(&[1.0], 0), [0; 0]);
    }

    #[test]
    fn a_logit_of_zero_is_kept_and_ties_go_to_the_earlier() {
        let x = Tensor::<2>::from_data([[0.0, -1.0, 0.0, 0.0]], &Device::flex());
        let weights = top_k_softmax(x, 2).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(weights, [0.5, 0.0, 0.5, 0.0]);
    }

    #[test]
    fn no_rows() {
        let x = tensor([0, 3], 1);
        assert_eq!(top_k_softmax(x.clone(), 2).dims(), [0, 3]);
        assert_eq!(top_k(x.clone(), 2).0.dims(), [0, 2]);
        assert_eq!(argmax(x).dims(), [0, 1]);
    }

    #[test]
    #[should_panic(expected = "top 4 of 3 elements")]
    fn more_than_there_are() {
        top_k(tensor([2, 3], 1), 4);
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let x = tensor([5_000, 20], 1);
            let y = top_k_softmax(x.clone(), 3) + top_k(x.clone(), 1).0;
            let dx = x.grad(&y.clone().powi_scalar(2).sum().backward()).unwrap();
            [y.into_data(), dx.into_data()]
                .map(|data| data.try_to_vec().unwrap())
                .concat()
        });
    }
}
