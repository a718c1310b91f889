//! Rows by their number: [`gather_rows`] and [`scatter_add`]; from a batch to its (row, expert) pairs and back: [`gather`]
//! and [`combine`].

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, binary, runs_on, unary};
use crate::pairs::Pairs;
use crate::parallel::{PIECE, pieces};
use burn::tensor::{DType, IndexingUpdateOp, Int, Tensor, TensorData};
use std::sync::Arc;

/// Some rows of a matrix, in any order, any number of times: `out_p = x_{rows_p}`.
///
/// # Shapes
/// * `x`: `[count, width]`
/// * result: `[rows.len(), width]`
///
/// # Panics
/// If there is no such row.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<2>::from_data([[1.0], [2.0]], &Device::flex());
/// let y = offprint_kernels::gather_rows(x, &[1, 1, 0]);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [2.0, 2.0, 1.0]);
/// ```
pub fn gather_rows(x: Tensor<2>, rows: &[usize]) -> Tensor<2> {
    let [count, width] = x.dims();
    check(rows, count);
    if !runs_on(&x, &[DType::F32]) {
        return composed_gather_rows(x, rows);
    }
    let rows = rows.to_vec();
    unary(GatherRows(Numbers { rows, count, width }), x)
}

/// Sums of rows by their number: `out_i = Σ_{p: rows_p = i} x_p` for `i` in `0..count`, added in the order of `p`.
///
/// # Shapes
/// * `x`: `[rows.len(), width]`
/// * result: `[count, width]`
///
/// # Panics
/// If `x` has another number of rows, or one of `rows` is not below `count`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<2>::from_data([[1.0], [2.0], [4.0]], &Device::flex());
/// let y = offprint_kernels::scatter_add(x, &[2, 0, 2], 3);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [2.0, 0.0, 5.0]);
/// ```
pub fn scatter_add(x: Tensor<2>, rows: &[usize], count: usize) -> Tensor<2> {
    let [of, width] = x.dims();
    assert_eq!(of, rows.len(), "rows to add up and their numbers");
    check(rows, count);
    if !runs_on(&x, &[DType::F32]) {
        return composed_scatter_add(x, rows, count);
    }
    let rows = rows.to_vec();
    unary(ScatterAdd(Numbers { rows, count, width }), x)
}

fn check(rows: &[usize], count: usize) {
    if let Some(row) = rows.iter().find(|row| **row >= count) {
        panic!("row {row} of a matrix, allowed is 0..{count}");
    }
}

/// The row of each pair: `out_p = x_{row(p)}`.
///
/// # Shapes
/// * `x`: `[batch, width]`
/// * result: `[pairs, width]`
///
/// # Panics
/// If `x` does not have the batch's number of rows.
pub fn gather(x: Tensor<2>, pairs: &Pairs) -> Tensor<2> {
    assert_eq!(x.dims()[0], pairs.batch(), "rows to gather from");
    gather_rows(x, pairs.rows())
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

/// [`gather_rows`] from Burn's primitives.
fn composed_gather_rows(x: Tensor<2>, rows: &[usize]) -> Tensor<2> {
    let rows = indices(rows.iter().copied(), &x);
    x.select(0, rows)
}

/// [`scatter_add`] from Burn's primitives.
fn composed_scatter_add(x: Tensor<2>, rows: &[usize], count: usize) -> Tensor<2> {
    let (width, rows) = (x.dims()[1], indices(rows.iter().copied(), &x));
    Tensor::zeros([count, width], (&x.device(), x.dtype())).select_assign(
        0,
        rows,
        x,
        IndexingUpdateOp::Add,
    )
}

/// [`combine`] from Burn's primitives.
fn composed_combine(h: Tensor<2>, weights: Tensor<2>, pairs: &Pairs) -> Tensor<2> {
    let [batch, experts] = weights.dims();
    let flat = pairs.segments().enumerate().flat_map(|(expert, segment)| {
        let rows = &pairs.rows()[segment];
        rows.iter().map(move |row| row * experts + expert)
    });
    let flat = indices(flat, &h);
    let weights = weights.reshape([batch * experts, 1]).select(0, flat);
    composed_scatter_add(h * weights, pairs.rows(), batch)
}

/// Rows of a matrix by their number.
#[derive(Debug)]
struct Numbers {
    rows: Vec<usize>,
    /// Rows of the matrix.
    count: usize,
    width: usize,
}

impl Numbers {
    /// Elements that are handled at a time: whole rows.
    fn piece(&self) -> usize {
        (PIECE / self.width.max(1)).max(1) * self.width
    }

    /// `out_p = x_{rows_p}`.
    fn gather(&self, x: &Array) -> Array {
        let (x, width) = (x.f32(), self.width);
        let mut out = Buffer::new(self.rows.len() * width);
        pieces(&mut out, self.piece(), |start, out| {
            let rows = &self.rows[start / width..];
            for (out, row) in out.chunks_exact_mut(width).zip(rows) {
                out.copy_from_slice(&x[row * width..][..width]);
            }
        });
        Array::from_buffer(out, [self.rows.len(), width])
    }

    /// `out_i = Σ_{p: rows_p = i} x_p`.
    fn scatter(&self, x: &Array) -> Array {
        let (x, width) = (x.f32(), self.width);
        let (offsets, terms) = self.terms();
        let mut out = Buffer::new(self.count * width);
        pieces(&mut out, self.piece(), |start, out| {
            let offsets = &offsets[start / width..];
            for (out, ends) in out.chunks_exact_mut(width).zip(offsets.windows(2)) {
                let mut terms = terms[ends[0]..ends[1]]
                    .iter()
                    .map(|p| &x[p * width..][..width]);
                match terms.next() {
                    Some(first) => out.copy_from_slice(first),
                    None => out.fill(0.0),
                }
                terms.for_each(|x| add_scaled(out, 1.0, x));
            }
        });
        Array::from_buffer(out, [self.count, width])
    }

    /// The places where each row occurs, row after row in ascending order, and where those of each row begin.
    fn terms(&self) -> (Vec<usize>, Vec<usize>) {
        let mut offsets = vec![0; self.count + 2];
        for row in &self.rows {
            offsets[row + 2] += 1;
        }
        for row in 0..=self.count {
            offsets[row + 1] += offsets[row];
        }
        // Each entry but the first moves from where its row's places begin to where they end, where the next row's begin.
        let mut terms = vec![0; self.rows.len()];
        for (place, row) in self.rows.iter().enumerate() {
            terms[offsets[row + 1]] = place;
            offsets[row + 1] += 1;
        }
        offsets.pop();
        (offsets, terms)
    }
}

#[derive(Debug)]
struct GatherRows(Numbers);

impl Kernel for GatherRows {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        (self.0.gather(&inputs[0]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        vec![Some(self.0.scatter(&pass.dy))]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

#[derive(Debug)]
struct ScatterAdd(Numbers);

impl Kernel for ScatterAdd {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        (self.0.scatter(&inputs[0]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        vec![Some(self.0.gather(&pass.dy))]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
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
    use crate::testing::{assert_same, assert_same_for_any_threads, random, tensor};
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
                composed_gather_rows(x.clone(), pairs.rows()),
                [x],
                1e-5
            );
            assert_same!(
                scatter_add(h.clone(), pairs.rows(), batch),
                composed_scatter_add(h.clone(), pairs.rows(), batch),
                [h],
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
            composed_gather_rows(xt(), pairs.rows()),
            [x],
            1e-5
        );
        assert_same!(
            scatter_add(ht(), pairs.rows(), 7),
            composed_scatter_add(ht(), pairs.rows(), 7),
            [h],
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

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        let rows: Vec<usize> = (0..3_000).map(|i| i * i % 997).collect();
        assert_same_for_any_threads(|| {
            let x = tensor([1_000, 40], 1);
            let y = scatter_add(gather_rows(x.clone(), &rows), &rows, 1_000);
            let dx = x.grad(&y.clone().powi_scalar(2).sum().backward()).unwrap();
            [y.into_data(), dx.into_data()]
                .map(|data| data.try_to_vec().unwrap())
                .concat()
        });
    }

    #[test]
    #[should_panic(expected = "row 3 of a matrix, allowed is 0..3")]
    fn no_such_row() {
        gather_rows(tensor([3, 2], 1), &[0, 3]);
    }
}
