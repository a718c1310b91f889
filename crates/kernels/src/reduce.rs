//! Sum, mean and variance along one axis, which stays with length 1.

use crate::lanes::{self, LANES, Lanes, load, rewrite, zip};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, unary};
use crate::parallel::{PIECE, SHARED, cuts, pieces};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// `Σ_i x_i` along an axis.
///
/// # Panics
/// If there is no such axis.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &Device::flex());
/// let y = offprint_kernels::sum(x, 0);
/// assert_eq!(y.dims(), [1, 2]);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [4.0, 6.0]);
/// ```
pub fn sum<const D: usize>(x: Tensor<D>, axis: usize) -> Tensor<D> {
    reduce(x, axis, Statistic::Sum)
}

/// `Σ_i x_i / n` along an axis of length `n`.
///
/// # Panics
/// If there is no such axis.
pub fn mean<const D: usize>(x: Tensor<D>, axis: usize) -> Tensor<D> {
    reduce(x, axis, Statistic::Mean)
}

/// `Σ_i (x_i − mean)² / (n − correction)` along an axis of length `n`: the variance of the elements for a correction of 0,
/// the unbiased estimate of their distribution's for 1.
///
/// # Panics
/// If there is no such axis, or it is not longer than the correction.
pub fn variance<const D: usize>(x: Tensor<D>, axis: usize, correction: usize) -> Tensor<D> {
    reduce(x, axis, Statistic::Variance { correction })
}

fn reduce<const D: usize>(x: Tensor<D>, axis: usize, statistic: Statistic) -> Tensor<D> {
    let shape = x.dims();
    assert!(axis < D, "axis {axis} of {shape:?}");
    if let Statistic::Variance { correction } = statistic {
        assert!(
            correction < shape[axis],
            "variance with correction {correction} along axis {axis} of {shape:?}"
        );
    }
    if !runs_on(&x, &[DType::F32]) {
        return composed(x, axis, statistic);
    }
    let kernel = Reduce {
        outer: shape[..axis].iter().product(),
        n: shape[axis],
        inner: shape[axis + 1..].iter().product(),
        axis,
        statistic,
    };
    unary(kernel, x)
}

/// The same from Burn's primitives.
fn composed<const D: usize>(x: Tensor<D>, axis: usize, statistic: Statistic) -> Tensor<D> {
    match statistic {
        Statistic::Sum => x.sum_dim(axis),
        Statistic::Mean => x.mean_dim(axis),
        Statistic::Variance { correction } => {
            let n = x.dims()[axis] - correction;
            let centered = x.clone() - x.mean_dim(axis);
            centered.powi_scalar(2).sum_dim(axis) / n as f32
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Statistic {
    Sum,
    Mean,
    Variance { correction: usize },
}

/// A reduction of `[outer, n, inner]` to `[outer, 1, inner]`.
#[derive(Debug)]
struct Reduce {
    outer: usize,
    n: usize,
    inner: usize,
    axis: usize,
    statistic: Statistic,
}

/// What is added up: the elements, or the squares of their distances from these means.
type Centers<'a> = Option<&'a [f32]>;

/// The term of an element.
#[inline(always)]
fn term(x: f32, center: Option<f32>) -> f32 {
    match center {
        Some(center) => (x - center) * (x - center),
        None => x,
    }
}

impl Reduce {
    /// The terms' sums, times `scale`.
    fn sums(&self, x: &[f32], centers: Centers<'_>, scale: f64) -> Vec<f32> {
        if self.inner == 1 {
            self.along_rows(x, centers, scale)
        } else {
            self.along_columns(x, centers, scale as f32)
        }
    }

    /// Sums of rows, block by block: in 32 bits within one, in 64 bits over all of them.
    fn along_rows(&self, x: &[f32], centers: Centers<'_>, scale: f64) -> Vec<f32> {
        let n = self.n;
        let blocks = n.div_ceil(PIECE).max(1);
        let mut partial = vec![0.0; self.outer * blocks];
        let each = (PIECE / n.max(1)).max(1);
        let count = partial.len().div_ceil(each);
        cuts(
            [(&mut partial, each)],
            count,
            x.len(),
            |index, [partial]| {
                vectorized(
                    #[inline(always)]
                    || {
                        for (i, partial) in partial.iter_mut().enumerate() {
                            let (row, block) =
                                ((index * each + i) / blocks, (index * each + i) % blocks);
                            let start = row * n + block * PIECE;
                            let end = (start + PIECE).min((row + 1) * n);
                            let center = centers.map(|centers| centers[row]);
                            *partial = block_sum(&x[start..end], center);
                        }
                    },
                );
            },
        );
        let sum = |partial: &[f32]| partial.iter().copied().map(f64::from).sum::<f64>();
        let rows = partial.chunks_exact(blocks);
        rows.map(|partial| (sum(partial) * scale) as f32).collect()
    }

    /// Sums of columns: those of up to sixteen blocks of rows, which are then added in order.
    fn along_columns(&self, x: &[f32], centers: Centers<'_>, scale: f32) -> Vec<f32> {
        const BLOCKS: usize = 16;
        const LEAST: usize = 64;
        let Self {
            outer, n, inner, ..
        } = *self;
        // Many columns are enough to share among threads.
        let blocks = if outer * inner >= BLOCKS * PIECE {
            1
        } else {
            (n / LEAST).clamp(1, BLOCKS)
        };
        let length = n.div_ceil(blocks);
        let mut partial = Buffer::zeroed(outer * blocks * inner);
        // Pieces of columns, which do not cross from one block to the next.
        let across = inner.div_ceil(PIECE);
        let rows = partial.chunks_mut(inner.max(1));
        let columns: Vec<_> = rows.flat_map(|row| row.chunks_mut(PIECE)).collect();
        let work = |(index, sums): (usize, &mut [f32])| {
            let (block, start) = (index / across, index % across * PIECE);
            let (group, block) = (block / blocks, block % blocks);
            let rows = (block * length).min(n)..((block + 1) * length).min(n);
            let row = |row: usize| &x[(group * n + row) * inner + start..];
            let center = centers.map(|centers| &centers[group * inner + start..]);
            vectorized(
                #[inline(always)]
                || add_rows(sums, rows, row, center),
            );
        };
        if x.len() < SHARED {
            columns.into_iter().enumerate().for_each(work);
        } else {
            columns.into_par_iter().enumerate().for_each(work);
        }
        let mut sums = Vec::with_capacity(outer * inner);
        for partial in partial.chunks_exact_mut((blocks * inner).max(1)) {
            let (total, rest) = partial.split_at_mut(inner);
            for partial in rest.chunks_exact(inner) {
                for (total, partial) in total.iter_mut().zip(partial) {
                    *total += partial;
                }
            }
            sums.extend(total.iter().map(|sum| sum * scale));
        }
        sums
    }

    fn means(&self, x: &[f32]) -> Vec<f32> {
        self.sums(x, None, 1.0 / self.n as f64)
    }
}

/// The sum of the terms of a block of a row.
#[inline(always)]
fn block_sum(x: &[f32], center: Option<f32>) -> f32 {
    if x.len() < LANES {
        return x.iter().map(|x| term(*x, center)).sum();
    }
    match center {
        Some(center) => lanes::sum(
            x.len(),
            #[inline(always)]
            |at| lanes::map(load(x, at), |x| term(x, Some(center))),
        ),
        None => lanes::sum(
            x.len(),
            #[inline(always)]
            |at| load(x, at),
        ),
    }
}

/// The terms of sixteen elements of a row.
#[inline(always)]
fn terms(x: &[f32], start: usize, centers: Centers<'_>) -> Lanes {
    let x = load(x, start);
    match centers {
        Some(centers) => zip(x, load(centers, start), |x, center| term(x, Some(center))),
        None => x,
    }
}

#[inline(always)]
fn add(a: Lanes, b: Lanes) -> Lanes {
    zip(a, b, |a, b| a + b)
}

/// Adds the terms of rows to `sums`, eight rows at a time.
#[inline(always)]
fn add_rows<'a>(
    sums: &mut [f32],
    rows: Range<usize>,
    row: impl Fn(usize) -> &'a [f32],
    centers: Centers<'_>,
) {
    if sums.len() < LANES {
        for at in rows {
            for (i, (sum, x)) in sums.iter_mut().zip(row(at)).enumerate() {
                *sum += term(*x, centers.map(|centers| centers[i]));
            }
        }
        return;
    }
    const TOGETHER: usize = 8;
    let mut at = rows.start;
    while at + TOGETHER <= rows.end {
        let x = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| row(at + i));
        rewrite(
            sums,
            #[inline(always)]
            |start, sums| {
                let mut two = [sums; TOGETHER / 2];
                for (i, two) in two.iter_mut().enumerate() {
                    *two = add(
                        terms(x[2 * i], start, centers),
                        terms(x[2 * i + 1], start, centers),
                    );
                }
                let [a, b, c, d] = two;
                add(sums, add(add(a, b), add(c, d)))
            },
        );
        at += TOGETHER;
    }
    for at in at..rows.end {
        let x = row(at);
        rewrite(
            sums,
            #[inline(always)]
            |start, sums| add(sums, terms(x, start, centers)),
        );
    }
}

impl Kernel for Reduce {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (x, n) = (inputs[0].f32(), self.n as f64);
        let mut shape = inputs[0].shape();
        shape[self.axis] = 1;
        let (sums, saved) = match self.statistic {
            Statistic::Sum => (self.sums(x, None, 1.0), vec![]),
            Statistic::Mean => (self.means(x), vec![]),
            Statistic::Variance { correction } => {
                let means = self.means(x);
                let sums = self.sums(x, Some(&means), 1.0 / (n - correction as f64));
                (sums, vec![Array::new(means, shape.clone())])
            }
        };
        (Array::new(sums, shape), saved)
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (dy, n, inner) = (pass.dy.f32(), self.n, self.inner);
        let mut shape = pass.dy.shape();
        shape[self.axis] = n;
        let factor = match self.statistic {
            Statistic::Sum => 1.0,
            Statistic::Mean => 1.0 / n as f32,
            Statistic::Variance { correction } => 2.0 / (n - correction) as f32,
        };
        let centered = match self.statistic {
            Statistic::Variance { .. } => Some((pass.inputs[0].f32(), pass.saved[1].f32())),
            _ => None,
        };
        let mut dx = Buffer::new(self.outer * n * inner);
        if inner == 1 {
            pieces(&mut dx, (PIECE / n.max(1)).max(1) * n, |start, dx| {
                for (i, dx) in dx.chunks_exact_mut(n).enumerate() {
                    let row = start / n + i;
                    let slope = factor * dy[row];
                    match centered {
                        Some((x, means)) => {
                            let (x, mean) = (&x[row * n..][..n], means[row]);
                            map(dx, x, |x| slope * (x - mean));
                        }
                        None => dx.fill(slope),
                    }
                }
            });
        } else {
            pieces(
                &mut dx,
                (PIECE / inner.max(1)).max(1) * inner,
                |start, dx| {
                    for (i, dx) in dx.chunks_exact_mut(inner).enumerate() {
                        let row = start / inner + i;
                        let group = row / n * inner..(row / n + 1) * inner;
                        map(dx, &dy[group.clone()], |dy| factor * dy);
                        if let Some((x, means)) = centered {
                            scale_by_distance(dx, &x[row * inner..][..inner], &means[group]);
                        }
                    }
                },
            );
        }
        vec![Some(Array::from_buffer(dx, shape))]
    }

    fn reads(&self) -> Reads {
        match self.statistic {
            Statistic::Variance { .. } => Reads::INPUTS,
            _ => Reads::NOTHING,
        }
    }
}

/// `y = f(x)`.
fn map(y: &mut [f32], x: &[f32], f: impl Fn(f32) -> f32) {
    vectorized(
        #[inline(always)]
        || y.iter_mut().zip(x).for_each(|(y, x)| *y = f(*x)),
    );
}

/// `y = y (x − mean)`.
fn scale_by_distance(y: &mut [f32], x: &[f32], means: &[f32]) {
    vectorized(
        #[inline(always)]
        || {
            for ((y, x), mean) in y.iter_mut().zip(x).zip(means) {
                *y *= x - mean;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, tensor};

    const ALL: [Statistic; 4] = [
        Statistic::Sum,
        Statistic::Mean,
        Statistic::Variance { correction: 0 },
        Statistic::Variance { correction: 1 },
    ];

    #[test]
    fn values_and_gradients_equal_the_composition() {
        let shapes = [
            [2, 2, 2],
            [3, 5, 7],
            [2, 17, 33],
            [40, 9, 70],
            [2, 3, 9_000],
            [9_000, 2, 3],
        ];
        for shape in shapes {
            let x = tensor([shape[2], shape[1], shape[0]], 1);
            let view = || x.clone().swap_dims(0, 2) + 1.0;
            for (axis, statistic) in (0..3).flat_map(|axis| ALL.map(|of| (axis, of))) {
                assert_same!(
                    reduce(view(), axis, statistic),
                    composed(view(), axis, statistic),
                    [x],
                    1e-4
                );
            }
        }
    }

    #[test]
    fn a_long_sum_keeps_its_digits() {
        let x = Tensor::<1>::full([3_000_001], 0.1, &burn::tensor::Device::flex());
        let y = sum(x, 0).into_scalar::<f32>();
        assert!((f64::from(y) / (3_000_001.0 * f64::from(0.1f32)) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn nothing_to_add() {
        let x = tensor([3, 0, 2], 1);
        let y = sum(x.clone(), 1);
        assert_eq!(y.clone().into_data().try_to_vec::<f32>().unwrap(), [0.0; 6]);
        assert_eq!(x.grad(&y.sum().backward()).unwrap().dims(), [3, 0, 2]);
        assert_eq!(sum(x.clone(), 0).dims(), [1, 0, 2]);
        assert_eq!(mean(x.swap_dims(0, 1), 2).dims(), [0, 3, 1]);
    }

    #[test]
    #[should_panic(expected = "variance with correction 1 along axis 0 of [1, 2]")]
    fn variance_of_one() {
        variance(tensor([1, 2], 1), 0, 1);
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        for (shape, axis) in [([3, 30_000], 1), ([3_000, 30], 0), ([3, 30_000], 0)] {
            assert_same_for_any_threads(|| {
                let x = tensor(shape, 1);
                let y = variance(x.clone(), axis, 0) + sum(x.clone(), axis);
                let dx = x.grad(&y.clone().powi_scalar(2).sum().backward()).unwrap();
                [y.into_data(), dx.into_data()]
                    .map(|data| data.try_to_vec().unwrap())
                    .concat()
            });
        }
    }
}
