//! Softmax and its logarithm along the last axis.

use crate::in_place::rewritten;
use crate::lanes::{
    LANES, Lanes, first, largest, load, map, maximum, rewrite, store, sum, total, zip,
};
use crate::math::{exp_weight, ln};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, unary};
use crate::parallel::{PIECE, pieces};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor, activation};

/// `y_i = e^{x_i} / Σ_j e^{x_j}` along the last axis.
///
/// An element that is minus infinity, or 88 below the largest, gets exactly zero. A row of nothing but minus infinity has
/// no softmax: its elements are not numbers.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<1>::from_data([0.0, 0.0, f32::NEG_INFINITY], &Device::flex());
/// let y = offprint_kernels::softmax(x).into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(y, [0.5, 0.5, 0.0]);
/// ```
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !runs_on(&x, &[DType::F32]) {
        return activation::softmax(x, D - 1);
    }
    let columns = x.dims()[D - 1];
    unary(
        Softmax {
            columns,
            log: false,
        },
        x,
    )
}

/// `y_i = x_i − ln Σ_j e^{x_j}` along the last axis.
///
/// A row of nothing but minus infinity has no softmax: its elements are not numbers.
pub fn log_softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !runs_on(&x, &[DType::F32]) {
        return activation::log_softmax(x, D - 1);
    }
    let columns = x.dims()[D - 1];
    unary(Softmax { columns, log: true }, x)
}

#[derive(Debug)]
struct Softmax {
    columns: usize,
    log: bool,
}

impl Softmax {
    /// Elements that are handled at a time: whole rows.
    fn piece(&self) -> usize {
        (PIECE / self.columns.max(1)).max(1) * self.columns.max(1)
    }
}

impl Kernel for Softmax {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let x = inputs[0].f32();
        let mut y = Buffer::new(x.len());
        pieces(&mut y, self.piece(), |start, y| {
            let x = &x[start..][..y.len()];
            vectorized(
                #[inline(always)]
                || match self.log {
                    true => log_softmax_rows(x, y, self.columns),
                    false => softmax_rows(x, y, self.columns, 1.0, |_, _, _| {}),
                },
            );
        });
        (Array::from_buffer(y, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let y = pass.saved[0].f32();
        let dx = rewritten(pass.dy, self.piece(), |start, dy| {
            let y = &y[start..][..dy.len()];
            vectorized(
                #[inline(always)]
                || match self.log {
                    true => log_softmax_slopes(dy, y, self.columns),
                    false => softmax_slopes(dy, y, self.columns),
                },
            );
        });
        vec![Some(dx)]
    }

    fn reads(&self) -> Reads {
        Reads::OUTPUT
    }
}

const NOTHING: Lanes = [f32::NEG_INFINITY; LANES];
const ZEROS: Lanes = [0.0; LANES];

/// `e^{x − m}` of each lane.
#[inline(always)]
fn weights(x: Lanes, m: f32) -> Lanes {
    map(x, |x| exp_weight(x - m))
}

// Rows of fewer than sixteen elements are read and written as whole vectors that reach into the rows behind them: these
// are written later, or written as they were.

/// Calls `row` with the number of each row of fewer than sixteen elements and the slices it lies in, from where sixteen
/// elements of both may be read and written.
#[inline(always)]
fn narrow_rows(
    x: &[f32],
    y: &mut [f32],
    columns: usize,
    mut row: impl FnMut(usize, &[f32], &mut [f32]),
) {
    let rows = x.len() / columns.max(1);
    // The last rows are not followed by enough others, so they are handled in room of their own.
    let last = (LANES.div_ceil(columns.max(1))).min(rows);
    let split = (rows - last) * columns;
    let rest = last * columns;
    let (mut x_end, mut y_end) = ([0.0; 3 * LANES], [0.0; 3 * LANES]);
    x_end[..rest].copy_from_slice(&x[split..]);
    y_end[..rest].copy_from_slice(&y[split..]);
    for i in 0..rows {
        if i < rows - last {
            row(i, &x[i * columns..], &mut y[i * columns..]);
        } else {
            let start = i * columns - split;
            row(i, &x_end[start..], &mut y_end[start..]);
        }
    }
    y[split..].copy_from_slice(&y_end[..rest]);
}

/// `scale` times the softmax of each row of a slice. `each` is given the row's number, its largest element `m` and
/// `Σ e^{x − m}`.
#[inline(always)]
pub(crate) fn softmax_rows(
    x: &[f32],
    y: &mut [f32],
    columns: usize,
    scale: f32,
    mut each: impl FnMut(usize, f32, f32),
) {
    if columns < LANES {
        return narrow_rows(
            x,
            y,
            columns,
            #[inline(always)]
            |row, x, y| {
                let x = first(columns, load(x, 0), NOTHING);
                let m = largest(x);
                let e = weights(x, m);
                let sum = total(e);
                let scale = scale / sum;
                store(y, 0, map(e, |e| e * scale));
                each(row, m, sum);
            },
        );
    }
    let rows = x.chunks_exact(columns).zip(y.chunks_exact_mut(columns));
    for (row, (x, y)) in rows.enumerate() {
        let m = maximum(x);
        rewrite(
            y,
            #[inline(always)]
            |start, _| weights(load(x, start), m),
        );
        let sum = sum(
            columns,
            #[inline(always)]
            |start| load(y, start),
        );
        let scale = scale / sum;
        rewrite(
            y,
            #[inline(always)]
            |_, e| map(e, |e| e * scale),
        );
        each(row, m, sum);
    }
}

/// The log-sum-exp of each row of a slice. Narrow rows want a `spare` of the length of
/// `x`, whose contents are lost.
#[inline(always)]
pub(crate) fn log_sums(x: &[f32], spare: &mut [f32], columns: usize, log_sums: &mut [f32]) {
    let mut sums = vec![0.0; log_sums.len()];
    if columns < LANES {
        softmax_rows(
            x,
            spare,
            columns,
            1.0,
            #[inline(always)]
            |row, m, sum| (log_sums[row], sums[row]) = (m, sum),
        );
    } else {
        let rows = x.chunks_exact(columns).zip(log_sums.iter_mut());
        for ((x, log_sum), total) in rows.zip(&mut sums) {
            let m = maximum(x);
            *log_sum = m;
            *total = sum(
                columns,
                #[inline(always)]
                |start| weights(load(x, start), m),
            );
        }
    }
    add_logarithms(log_sums, &sums);
}

/// `y = y + ln x`: several rows' logarithms at a time cost little more than one.
#[inline(always)]
pub(crate) fn add_logarithms(y: &mut [f32], x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += ln(*x);
    }
}

/// Logarithm of the softmax of each row of a slice.
#[inline(always)]
fn log_softmax_rows(x: &[f32], y: &mut [f32], columns: usize) {
    let mut sums = vec![0.0; x.len() / columns];
    log_sums(x, y, columns, &mut sums);
    if columns < LANES {
        return narrow_rows(
            x,
            y,
            columns,
            #[inline(always)]
            |row, x, y| store(y, 0, map(load(x, 0), |x| x - sums[row])),
        );
    }
    let rows = x.chunks_exact(columns).zip(y.chunks_exact_mut(columns));
    for ((x, y), sum) in rows.zip(&sums) {
        rewrite(
            y,
            #[inline(always)]
            |start, _| map(load(x, start), |x| x - sum),
        );
    }
}

/// `dy = y (dy − Σ y dy)` for each row.
#[inline(always)]
pub(crate) fn softmax_slopes(dy: &mut [f32], y: &[f32], columns: usize) {
    #[inline(always)]
    fn slope(dy: Lanes, y: Lanes, mean: f32) -> Lanes {
        zip(dy, y, |dy, y| y * (dy - mean))
    }
    if columns < LANES {
        return narrow_rows(
            y,
            dy,
            columns,
            #[inline(always)]
            |_, y, dy| {
                let (y, old) = (load(y, 0), load(dy, 0));
                let mean = total(first(columns, zip(y, old, |y, dy| y * dy), ZEROS));
                store(dy, 0, first(columns, slope(old, y, mean), old));
            },
        );
    }
    for (y, dy) in y.chunks_exact(columns).zip(dy.chunks_exact_mut(columns)) {
        let mean = sum(
            columns,
            #[inline(always)]
            |start| zip(load(y, start), load(dy, start), |y, dy| y * dy),
        );
        rewrite(
            dy,
            #[inline(always)]
            |start, dy| slope(dy, load(y, start), mean),
        );
    }
}

/// `dy = dy − e^y Σ dy` for each row.
#[inline(always)]
fn log_softmax_slopes(dy: &mut [f32], y: &[f32], columns: usize) {
    #[inline(always)]
    fn slope(dy: Lanes, y: Lanes, sum: f32) -> Lanes {
        zip(dy, y, |dy, y| exp_weight(y).mul_add(-sum, dy))
    }
    if columns < LANES {
        return narrow_rows(
            y,
            dy,
            columns,
            #[inline(always)]
            |_, y, dy| {
                let old = load(dy, 0);
                let dx = slope(old, load(y, 0), total(first(columns, old, ZEROS)));
                store(dy, 0, first(columns, dx, old));
            },
        );
    }
    for (y, dy) in y.chunks_exact(columns).zip(dy.chunks_exact_mut(columns)) {
        let sum = sum(
            columns,
            #[inline(always)]
            |start| load(dy, start),
        );
        rewrite(
            dy,
            #[inline(always)]
            |start, dy| slope(dy, load(y, start), sum),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, tensor};
    use burn::tensor::{Device, TensorData};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        let mut shapes = vec![[1, 1], [3, 5], [0, 4], [100, 63], [40, 1030]];
        // Every width around the two ways of a row, and few rows as well as many.
        shapes.extend((1..=35).flat_map(|columns| [[1, columns], [2, columns], [37, columns]]));
        for shape in shapes {
            let x = tensor([shape[1], shape[0]], 1);
            let view = || x.clone().transpose() * 5.0;
            assert_same!(softmax(view()), activation::softmax(view(), 1), [x], 1e-5);
            assert_same!(
                log_softmax(view()),
                activation::log_softmax(view(), 1),
                [x],
                2e-5
            );
        }
    }

    #[test]
    fn three_axes() {
        let x = tensor([2, 3, 20], 1);
        assert_same!(
            softmax(x.clone()),
            activation::softmax(x.clone(), 2),
            [x],
            1e-5
        );
    }

    #[test]
    fn hidden_elements_and_rows() {
        let hidden = f32::NEG_INFINITY;
        for columns in [3, 40] {
            let mut x = vec![hidden; 2 * columns];
            x[..2].fill(1e30);
            let x = TensorData::new(x, [2, columns]);
            let y = softmax(Tensor::<2>::from_data(x, &Device::flex()));
            let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
            assert_eq!(y[..3], [0.5, 0.5, 0.0]);
            assert!(y[3..columns].iter().all(|y| *y == 0.0));
            assert!(y[columns..].iter().all(|y| y.is_nan()));
        }
    }

    #[test]
    fn what_is_not_a_number_stays_in_its_row() {
        for columns in [3, 40] {
            let mut x = vec![0.0; 3 * columns];
            x[columns] = f32::NAN;
            let x = Tensor::<2>::from_data(TensorData::new(x, [3, columns]), &Device::flex());
            for y in [softmax(x.clone()), log_softmax(x)] {
                let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
                let rows = y.chunks(columns).map(|row| row.iter().all(|y| y.is_nan()));
                assert_eq!(rows.collect::<Vec<_>>(), [false, true, false]);
            }
        }
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        for columns in [10, 100] {
            assert_same_for_any_threads(|| {
                let x = tensor([5_000, columns], 1);
                let y = softmax(x.clone()) + log_softmax(x.clone());
                let grads = y.clone().powi_scalar(2).sum().backward();
                let dx = x.grad(&grads).unwrap().into_data();
                [y.into_data(), dx]
                    .map(|data| data.try_to_vec().unwrap())
                    .concat()
            });
        }
    }
}
