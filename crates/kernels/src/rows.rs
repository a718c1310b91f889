//! From a batch to its (row, expert) pairs and back: [`gather`] and [`combine`].

use crate::op::{Array, Kernel, Pass, binary, runs_on, unary};
use crate::pairs::Pairs;
use burn::tensor::{DType, IndexingUpdateOp, Int, Tensor, TensorData};
use std::sync::Arc;

/// The row of each pair: `out_p = x_{row(p)}`.
///
/// # Shapes
/// * `x`: `[batch, width]`
/// * result: `[pairs, width]`
///
/// # Panics
/// If `x` does not have the batch's number of rows.
pub fn gather(x: Tensor<2>, pairs: &Arc<Pairs>) -> Tensor<2> {
    let [batch, width] = x.dims();
    assert_eq!(batch, pairs.batch(), "rows to gather from");
    if !runs_on(&x, &[DType::F32]) {
        return composed_gather(x, pairs);
    }
    let pairs = pairs.clone();
    unary(Gather { pairs, width }, x)
}

/// The weighted sum of each row's pairs: `out_i = Σ_{p: row(p) = i} w_{i, expert(p)} h_p`.
///
/// The gradient with respect to a weight of zero is zero, since its expert was not evaluated. Every gate of
/// `offprint-experts` multiplies it by zero anyway.
///
/// # Shapes
/// * `h`: `[pairs, width]`
/// * `weights`: `[batch, experts]`; weights outside the pairs are ignored
/// * result: `[batch, width]`
///
/// # Panics
/// If the shapes do not fit together.
pub fn combine(h: Tensor<2>, weights: Tensor<2>, pairs: &Arc<Pairs>) -> Tensor<2> {
    let [count, width] = h.dims();
    assert_eq!(count, pairs.len(), "pairs to combine");
    assert_eq!(
        weights.dims(),
        [pairs.batch(), pairs.experts()],
        "weights of the pairs"
    );
    if !runs_on(&h, &[DType::F32]) {
        return composed_combine(h, weights, pairs);
    }
    let pairs = pairs.clone();
    binary(Combine { pairs, width }, h, weights)
}

fn indices<const D: usize>(values: impl Iterator<Item = usize>, of: &Tensor<D>) -> Tensor<1, Int> {
    let values: Vec<i64> = values.map(|value| value as i64).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), &of.device())
}

/// [`gather`] from Burn's primitives.
fn composed_gather(x: Tensor<2>, pairs: &Pairs) -> Tensor<2> {
    let rows = indices(pairs.rows().iter().copied(), &x);
    x.select(0, rows)
}

/// [`combine`] from Burn's primitives.
fn composed_combine(h: Tensor<2>, weights: Tensor<2>, pairs: &Pairs) -> Tensor<2> {
    let ([batch, experts], [_, width]) = (weights.dims(), h.dims());
    let flat = pairs.segments().enumerate().flat_map(|(expert, segment)| {
        let rows = &pairs.rows()[segment];
        rows.iter().map(move |row| row * experts + expert)
    });
    let flat = indices(flat, &h);
    let rows = indices(pairs.rows().iter().copied(), &h);
    let weights = weights.reshape([batch * experts, 1]).select(0, flat);
    Tensor::zeros([batch, width], &h.device()).select_assign(
        0,
        rows,
        h * weights,
        IndexingUpdateOp::Add,
    )
}

#[derive(Debug)]
struct Gather {
    pairs: Arc<Pairs>,
    width: usize,
}

impl Kernel for Gather {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let x = inputs[0].f32();
        let mut out = Vec::with_capacity(self.pairs.len() * self.width);
        for row in self.pairs.rows() {
            out.extend_from_slice(&x[row * self.width..][..self.width]);
        }
        (Array::new(out, [self.pairs.len(), self.width]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let mut dx = vec![0.0; self.pairs.batch() * self.width];
        let rows = self.pairs.rows().iter();
        for (row, dy) in rows.zip(pass.dy.f32().chunks_exact(self.width.max(1))) {
            add_scaled(&mut dx[row * self.width..][..self.width], 1.0, dy);
        }
        vec![Some(Array::new(dx, [self.pairs.batch(), self.width]))]
    }
}

#[derive(Debug)]
struct Combine {
    pairs: Arc<Pairs>,
    width: usize,
}

impl Combine {
    /// Calls `visit` with pair, row and position of the weight of every pair whose weight is not zero.
    fn visit(&self, weights: &[f32], mut visit: impl FnMut(usize, usize, usize)) {
        for (expert, segment) in self.pairs.segments().enumerate() {
            for pair in segment {
                let row = self.pairs.rows()[pair];
                let weight = row * self.pairs.experts() + expert;
                if weights[weight] != 0.0 {
                    visit(pair, row, weight);
                }
            }
        }
    }
}

impl Kernel for Combine {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (h, weights, width) = (inputs[0].f32(), inputs[1].f32(), self.width);
        let mut y = vec![0.0; self.pairs.batch() * width];
        self.visit(weights, |pair, row, weight| {
            add_scaled(
                &mut y[row * width..][..width],
                weights[weight],
                &h[pair * width..][..width],
            );
        });
        (Array::new(y, [self.pairs.batch(), width]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (h, weights, width) = (pass.inputs[0].f32(), pass.inputs[1].f32(), self.width);
        let dy = pass.dy.f32();
        let dh = pass.wanted[0].then(|| {
            let mut dh = vec![0.0; h.len()];
            self.visit(weights, |pair, row, weight| {
                add_scaled(
                    &mut dh[pair * width..][..width],
                    weights[weight],
                    &dy[row * width..][..width],
                );
            });
            Array::new(dh, [self.pairs.len(), width])
        });
        let dw = pass.wanted[1].then(|| {
            let mut dw = vec![0.0; weights.len()];
            self.visit(weights, |pair, row, weight| {
                let (h, dy) = (&h[pair * width..][..width], &dy[row * width..][..width]);
                dw[weight] = h.iter().zip(dy).map(|(h, dy)| h * dy).sum();
            });
            Array::new(dw, [self.pairs.batch(), self.pairs.experts()])
        });
        vec![dh, dw]
    }
}

fn add_scaled(y: &mut [f32], scale: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += scale * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, random, tensor};
    use burn::tensor::Device;

    /// Weights of which about half are zero, and their pairs.
    fn routed(batch: usize, experts: usize) -> (Tensor<2>, Arc<Pairs>) {
        let weights: Vec<f32> = random(batch * experts, 3)
            .iter()
            .map(|w| w.max(0.0))
            .collect();
        let pairs = Arc::new(Pairs::from_weights(&weights, experts));
        let data = TensorData::new(weights, [batch, experts]);
        (
            Tensor::from_data(data, &Device::flex().autodiff()).require_grad(),
            pairs,
        )
    }

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (batch, experts, width) in [(1, 2, 1), (7, 3, 5), (64, 16, 50)] {
            let (weights, pairs) = routed(batch, experts);
            let (x, h) = (tensor([batch, width], 1), tensor([pairs.len(), width], 2));
            assert_same!(
                gather(x.clone(), &pairs),
                composed_gather(x.clone(), &pairs),
                [x],
                1e-5
            );
            assert_same!(
                combine(h.clone(), weights.clone(), &pairs),
                composed_combine(h.clone(), weights.clone(), &pairs),
                [h, weights],
                1e-5
            );
        }
    }

    #[test]
    fn transposed_input() {
        let (weights, pairs) = routed(7, 3);
        let (x, h) = (tensor([5, 7], 1), tensor([5, pairs.len()], 2));
        let (xt, ht) = (|| x.clone().transpose(), || h.clone().transpose());
        assert_same!(
            gather(xt(), &pairs),
            composed_gather(xt(), &pairs),
            [x],
            1e-5
        );
        assert_same!(
            combine(ht(), weights.clone(), &pairs),
            composed_combine(ht(), weights.clone(), &pairs),
            [h, weights],
            1e-5
        );
    }

    #[test]
    fn no_pairs() {
        let pairs = Arc::new(Pairs::from_weights(&[0.0; 6], 2));
        let x = tensor([3, 4], 1);
        let h = gather(x.clone(), &pairs);
        assert_eq!(h.dims(), [0, 4]);
        let weights = Tensor::zeros([3, 2], &x.device());
        let y = combine(h, weights, &pairs);
        assert_eq!(
            y.clone().into_data().try_to_vec::<f32>().unwrap(),
            [0.0; 12]
        );
        assert_eq!(
            x.grad(&y.sum().backward())
                .unwrap()
                .into_data()
                .try_to_vec::<f32>()
                .unwrap(),
            [0.0; 12]
        );
    }
}
