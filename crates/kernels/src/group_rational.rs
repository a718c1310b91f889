//! Safe Padé rational functions, one a group of channels.

use crate::in_place::rewritten_with_sums;
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, ternary};
use crate::parallel::{PIECE, pieces};
use crate::vector::{Lanes, Width, Work};
use burn::tensor::{DType, Tensor};

/// `y = P(x) / Q(x)` with `P = Σᵢ aᵢ xⁱ` and `Q = 1 + Σⱼ |bⱼ| |x|ʲ`, `j` from 1 on: `Q` never vanishes.
///
/// The channels, along the last axis, fall into as many groups of neighbors as the denominator has rows. A numerator of one
/// row serves all groups. Gradients take `sign(0) = 0`. Numbers beyond about 1e7 overflow a fifth power.
///
/// # Shapes
/// * `x`, result: `[…, channels]`
/// * `numerator`: `a`, `[1 or groups, degree + 1]`
/// * `denominator`: `b`, `[groups, degree]`
///
/// # Panics
/// If there are no groups, the channels are no multiple of them, or the numerator has another number of rows.
///
/// Source: Yang and Wang, "Kolmogorov-Arnold Transformer", 2024, section 4; the denominator as in their CUDA kernel.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let device = Device::flex();
/// let x = Tensor::<2>::from_data([[2.0, 2.0]], &device);
/// let a = Tensor::from_data([[0.0, 1.0]], &device); // x
/// let b = Tensor::from_data([[0.0], [-1.5]], &device); // 1, and 1 + 1.5 |x|
/// let y = offprint_kernels::group_rational(x, a, b);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [2.0, 0.5]);
/// ```
pub fn group_rational<const D: usize>(
    x: Tensor<D>,
    numerator: Tensor<2>,
    denominator: Tensor<2>,
) -> Tensor<D> {
    let shape = x.shape();
    let channels = shape[D - 1];
    let ([rows, terms], [groups, degree]) = (numerator.dims(), denominator.dims());
    assert!(
        groups > 0 && channels.is_multiple_of(groups) && (rows == 1 || rows == groups),
        "{channels} channels, numerators {rows}, groups {groups}"
    );
    let kernel = Rational {
        channels,
        groups,
        rows,
        terms,
        degree,
    };
    if kernel.size().is_none() || terms == 0 || !runs_on(&x, &[DType::F32]) {
        return composed(x, numerator, denominator);
    }
    ternary(kernel, x, numerator, denominator)
}

/// The same from Burn's primitives.
fn composed<const D: usize>(
    x: Tensor<D>,
    numerator: Tensor<2>,
    denominator: Tensor<2>,
) -> Tensor<D> {
    let shape = x.shape();
    let (terms, [groups, degree]) = (numerator.dims()[1], denominator.dims());
    let each = shape[D - 1] / groups;
    let rows = match each {
        0 => 0,
        _ => shape.num_elements() / (groups * each),
    };
    let x = x.reshape([rows, groups, each]);
    let column = |table: &Tensor<2>, i: usize| table.clone().narrow(1, i, 1).unsqueeze::<3>();
    let mut p = Tensor::zeros_like(&x);
    for i in (0..terms).rev() {
        p = p * x.clone() + column(&numerator, i);
    }
    let (size, weights) = (x.abs(), denominator.abs());
    let mut q = Tensor::zeros_like(&size);
    for i in (0..degree).rev() {
        q = (q + column(&weights, i)) * size.clone();
    }
    (p / (q + 1.0)).reshape(shape)
}

#[derive(Debug)]
struct Rational {
    channels: usize,
    groups: usize,
    /// Of the numerator.
    rows: usize,
    /// Coefficients of a numerator.
    terms: usize,
    /// Coefficients of a denominator.
    degree: usize,
}

/// The numbers of coefficients that loops are unrolled for; fewer are filled up with zeros.
#[derive(Clone, Copy)]
enum Size {
    SixFour,
    EightSix,
}

/// Most lanes of a vector: tables have room for that many channels behind the last one.
const MARGIN: usize = 16;

/// Pieces whose slopes of the coefficients one task adds up.
const SEVERAL: usize = 8;

/// Rows of a piece at least: with fewer, fetching the coefficients would cost as much as using them.
const LEAST_ROWS: usize = 8;

impl Rational {
    fn size(&self) -> Option<Size> {
        match (self.terms, self.degree) {
            (..=6, ..=4) => Some(Size::SixFour),
            (..=8, ..=6) => Some(Size::EightSix),
            _ => None,
        }
    }

    /// Elements of a piece: whole rows.
    fn piece(&self) -> usize {
        (PIECE / self.channels.max(1)).max(LEAST_ROWS) * self.channels
    }

    /// How channels are taken: the vectors of a group in turn where they fill it, else vectors whose lanes have
    /// coefficients of their own.
    fn layout(&self) -> Layout {
        let each = self.channels / self.groups;
        let width = Width::of(std::iter::once(match each {
            0..MARGIN => self.channels,
            _ => each,
        }));
        let lanes = width.lanes();
        let span = if each > 0 && each.is_multiple_of(lanes) {
            each
        } else {
            lanes
        };
        Layout {
            width,
            span,
            blocks: self.channels.div_ceil(span),
        }
    }

    /// The coefficients of every channel: `a` then `|b|`, a line each.
    fn table<const A: usize, const B: usize>(&self, a: &[f32], b: &[f32]) -> Vec<f32> {
        let stride = self.channels + MARGIN;
        let mut table = vec![0.0; (A + B) * stride];
        let each = self.channels / self.groups;
        for (i, line) in table.chunks_exact_mut(stride).enumerate() {
            for (channel, place) in line[..self.channels].iter_mut().enumerate() {
                let group = channel / each;
                let row = if self.rows == 1 { 0 } else { group };
                *place = if i < self.terms.min(A) {
                    a[row * self.terms + i]
                } else if (A..A + self.degree).contains(&i) {
                    b[group * self.degree + i - A].abs()
                } else {
                    0.0
                };
            }
        }
        table
    }

    fn values<const A: usize, const B: usize>(&self, inputs: &[Array]) -> Array {
        let x = inputs[0].f32();
        let layout = self.layout();
        let table = self.table::<A, B>(inputs[1].f32(), inputs[2].f32());
        let mut y = Buffer::new(x.len());
        pieces(&mut y, self.piece(), |start, y| {
            layout.width.run(Forward::<A, B> {
                x: &x[start..][..y.len()],
                y,
                table: &table,
                channels: self.channels,
                layout,
            });
        });
        Array::from_buffer(y, inputs[0].shape())
    }

    fn slopes<const A: usize, const B: usize>(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let x = pass.inputs[0].f32();
        let (a, b) = (pass.inputs[1].f32(), pass.inputs[2].f32());
        let layout = self.layout();
        let table = self.table::<A, B>(a, b);
        let each = layout.blocks * (A + B) * layout.width.lanes();
        let piece = self.piece();
        let tasks = x.len().div_ceil((piece * SEVERAL).max(1));
        let mut sums = vec![0.0; tasks * each];
        let dx = rewritten_with_sums(
            pass.dy,
            [piece, SEVERAL],
            &mut sums,
            each,
            |start, dy, sums| {
                layout.width.run(Backward::<A, B> {
                    x: &x[start..][..dy.len()],
                    dy,
                    sums,
                    table: &table,
                    channels: self.channels,
                    layout,
                });
            },
        );
        let (da, db) = self.totals::<A, B>(&sums, each, layout, b);
        vec![Some(dx), Some(da), Some(db)]
    }

    /// The slopes of the coefficients from the sums of all tasks, in order.
    fn totals<const A: usize, const B: usize>(
        &self,
        sums: &[f32],
        each: usize,
        layout: Layout,
        b: &[f32],
    ) -> (Array, Array) {
        let lanes = layout.width.lanes();
        let of_group = (self.channels / self.groups).max(1);
        let mut da = vec![0.0_f64; self.rows * self.terms];
        let mut db = vec![0.0_f64; self.groups * self.degree];
        for task in sums.chunks_exact(each.max(1)) {
            for (index, sums) in task.chunks_exact(lanes).enumerate() {
                let (block, i) = (index / (A + B), index % (A + B));
                let channels = (block * layout.span..self.channels).zip(sums);
                for (channel, sum) in channels {
                    // The lanes of a block that is a whole group are all of that group.
                    let group = match layout.span == of_group {
                        true => block,
                        false => channel / of_group,
                    };
                    let sum = f64::from(*sum);
                    if i < self.terms.min(A) {
                        let row = if self.rows == 1 { 0 } else { group };
                        da[row * self.terms + i] += sum;
                    } else if (A..A + self.degree).contains(&i) {
                        db[group * self.degree + i - A] += sum;
                    }
                }
            }
        }
        let da = da.into_iter().map(|sum| sum as f32).collect();
        let signed = db.into_iter().zip(b).map(|(sum, b)| {
            let sign = if *b == 0.0 {
                0.0
            } else {
                f64::from(b.signum())
            };
            (sum * sign) as f32
        });
        (
            Array::new::<f32>(da, [self.rows, self.terms]),
            Array::new::<f32>(signed.collect(), [self.groups, self.degree]),
        )
    }
}

impl Kernel for Rational {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let y = match self.size() {
            Some(Size::SixFour) => self.values::<6, 4>(inputs),
            _ => self.values::<8, 6>(inputs),
        };
        (y, vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        match self.size() {
            Some(Size::SixFour) => self.slopes::<6, 4>(pass),
            _ => self.slopes::<8, 6>(pass),
        }
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}

/// In which order a piece is gone through: block by block, each down all rows.
#[derive(Clone, Copy)]
struct Layout {
    width: Width,
    /// Channels of a block, whose vectors have the same coefficients lane by lane.
    span: usize,
    blocks: usize,
}

/// Coefficients of a block, lane by lane.
struct Coefficients<L: Lanes, const A: usize, const B: usize> {
    a: [L::Vector; A],
    b: [L::Vector; B],
}

impl<L: Lanes, const A: usize, const B: usize> Coefficients<L, A, B> {
    #[inline(always)]
    fn load(lanes: L, table: &[f32], channels: usize, first: usize) -> Self {
        let stride = channels + MARGIN;
        let mut a = [lanes.splat(0.0); A];
        for i in 0..A {
            a[i] = lanes.load(table, i * stride + first);
        }
        let mut b = [lanes.splat(0.0); B];
        for i in 0..B {
            b[i] = lanes.load(table, (A + i) * stride + first);
        }
        Self { a, b }
    }

    /// `P(x)` and `Q(x)`.
    #[inline(always)]
    fn values(&self, lanes: L, x: L::Vector) -> [L::Vector; 2] {
        let size = lanes.abs(x);
        let mut p = self.a[A - 1];
        for i in (0..A - 1).rev() {
            p = lanes.mul_add(p, x, self.a[i]);
        }
        let mut q = self.b[B - 1];
        for i in (0..B - 1).rev() {
            q = lanes.mul_add(q, size, self.b[i]);
        }
        [p, lanes.mul_add(q, size, lanes.splat(1.0))]
    }
}

struct Forward<'a, const A: usize, const B: usize> {
    x: &'a [f32],
    y: &'a mut [f32],
    table: &'a [f32],
    channels: usize,
    layout: Layout,
}

impl<const A: usize, const B: usize> Work for Forward<'_, A, B> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for block in 0..self.layout.blocks {
            let first = block * self.layout.span;
            let end = (first + self.layout.span).min(self.channels);
            let c = Coefficients::<L, A, B>::load(lanes, self.table, self.channels, first);
            let rows = self.x.chunks_exact(self.channels);
            for (x, y) in rows.zip(self.y.chunks_exact_mut(self.channels)) {
                let (x, y) = (&x[first..end], &mut y[first..end]);
                for (x, y) in x.chunks(L::COUNT).zip(y.chunks_mut(L::COUNT)) {
                    let [p, q] = c.values(lanes, lanes.load_some(x));
                    lanes.store_some(lanes.div(p, q), y);
                }
            }
        }
    }
}

struct Backward<'a, const A: usize, const B: usize> {
    x: &'a [f32],
    /// Gradient of the output, to become that of the input.
    dy: &'a mut [f32],
    /// What the slopes of the coefficients are added to, block by block, `A + B` vectors each.
    sums: &'a mut [f32],
    table: &'a [f32],
    channels: usize,
    layout: Layout,
}

impl<const A: usize, const B: usize> Work for Backward<'_, A, B> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let zero = lanes.splat(0.0);
        for block in 0..self.layout.blocks {
            let first = block * self.layout.span;
            let end = (first + self.layout.span).min(self.channels);
            let c = Coefficients::<L, A, B>::load(lanes, self.table, self.channels, first);
            let (mut da, mut db) = ([zero; A], [zero; B]);
            let rows = self.x.chunks_exact(self.channels);
            for (x, dy) in rows.zip(self.dy.chunks_exact_mut(self.channels)) {
                let (x, dy) = (&x[first..end], &mut dy[first..end]);
                for (x, dy) in x.chunks(L::COUNT).zip(dy.chunks_mut(L::COUNT)) {
                    let x = lanes.load_some(x);
                    let slope = lanes.load_some(dy);
                    let dx = step(lanes, &c, x, slope, &mut da, &mut db);
                    lanes.store_some(dx, dy);
                }
            }
            let sums = &mut self.sums[block * (A + B) * L::COUNT..][..(A + B) * L::COUNT];
            for i in 0..A {
                let sum = lanes.add(lanes.load(sums, i * L::COUNT), da[i]);
                lanes.store(sum, sums, i * L::COUNT);
            }
            for i in 0..B {
                let sum = lanes.add(lanes.load(sums, (A + i) * L::COUNT), db[i]);
                lanes.store(sum, sums, (A + i) * L::COUNT);
            }
        }
    }
}

/// One vector: `dy (P' − F Q') / Q`, while `dy xⁱ / Q` goes to `da` and `−dy F |x|ʲ / Q` to `db`.
#[inline(always)]
fn step<L: Lanes, const A: usize, const B: usize>(
    lanes: L,
    c: &Coefficients<L, A, B>,
    x: L::Vector,
    dy: L::Vector,
    da: &mut [L::Vector; A],
    db: &mut [L::Vector; B],
) -> L::Vector {
    let zero = lanes.splat(0.0);
    let size = lanes.abs(x);
    let [p, q] = c.values(lanes, x);
    let inverse = lanes.div(lanes.splat(1.0), q);
    let f = lanes.mul(p, inverse);
    let weight = lanes.mul(dy, inverse);
    let fall = lanes.sub(zero, lanes.mul(weight, f));
    let mut dp = lanes.mul(c.a[A - 1], lanes.splat((A - 1) as f32));
    for i in (1..A - 1).rev() {
        let slope = lanes.mul(c.a[i], lanes.splat(i as f32));
        dp = lanes.mul_add(dp, x, slope);
    }
    let mut dq = lanes.mul(c.b[B - 1], lanes.splat(B as f32));
    for i in (0..B - 1).rev() {
        let slope = lanes.mul(c.b[i], lanes.splat((i + 1) as f32));
        dq = lanes.mul_add(dq, size, slope);
    }
    // sign(x) Q'(|x|), zero at zero.
    let signed = lanes.sub(lanes.keep(dq, x), lanes.keep(dq, lanes.sub(zero, x)));
    let dx = lanes.mul(weight, lanes.sub(dp, lanes.mul(f, signed)));
    da[0] = lanes.add(da[0], weight);
    let mut power = x;
    for i in 1..A {
        da[i] = lanes.mul_add(weight, power, da[i]);
        if i <= B {
            db[i - 1] = lanes.mul_add(fall, lanes.abs(power), db[i - 1]);
        }
        power = lanes.mul(power, x);
    }
    dx
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_same, assert_same_for_any_threads, random, tensor};
    use burn::tensor::TensorData;

    /// Channels, groups, rows of the numerator, terms and degree, with every kind of remainder.
    const SIZES: [[usize; 5]; 10] = [
        [1, 1, 1, 6, 4],
        [16, 8, 1, 6, 4],
        [64, 8, 8, 6, 4],
        [128, 8, 1, 6, 4],
        [35, 5, 5, 6, 4],
        [33, 33, 1, 6, 4],
        [12, 4, 4, 2, 1],
        [6, 1, 1, 4, 2],
        [48, 2, 2, 8, 6],
        [10, 2, 1, 10, 9],
    ];

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for [channels, groups, rows, terms, degree] in SIZES {
            for count in [1, 7, 1100] {
                let x = tensor([count, 1, channels], 1);
                let a = tensor([rows, terms], 2);
                let b = tensor([groups, degree], 3);
                let scaled = || x.clone() * 3.0;
                assert_same!(
                    group_rational(scaled(), a.clone(), b.clone()),
                    composed(scaled(), a.clone(), b.clone()),
                    [x, a, b],
                    2e-3
                );
            }
        }
    }

    #[test]
    fn zeros_have_no_sign() {
        let device = burn::tensor::Device::flex().autodiff();
        let x = Tensor::<2>::from_data([[0.0, -0.0, 1.0]], &device).require_grad();
        let a = Tensor::<2>::from_data([[1.0, 2.0, 0.0]], &device).require_grad();
        let b = Tensor::<2>::from_data([[3.0], [-3.0], [0.0]], &device).require_grad();
        let grads = group_rational(x.clone(), a, b.clone()).sum().backward();
        let dx = x.grad(&grads).unwrap().into_data();
        assert_eq!(dx.try_to_vec::<f32>().unwrap(), [2.0, 2.0, 2.0]);
        let db = b.grad(&grads).unwrap().into_data();
        assert_eq!(db.try_to_vec::<f32>().unwrap(), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn no_rows_and_no_channels() {
        for shape in [[0, 8], [3, 0]] {
            let (a, b) = (tensor([1, 6], 1), tensor([4, 4], 2));
            assert_eq!(group_rational(tensor(shape, 3), a, b).dims(), shape);
        }
    }

    #[test]
    fn transposed_and_sliced_input() {
        let x = tensor([9, 20], 1);
        let (a, b) = (tensor([1, 6], 2), tensor([2, 4], 3));
        let view = || x.clone().transpose().slice([3..9, 1..9]);
        assert_same!(
            group_rational(view(), a.clone(), b.clone()),
            composed(view(), a.clone(), b.clone()),
            [x, a, b],
            1e-4
        );
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_data([f32::NAN, 1.0], &device);
        let (a, b) = (tensor([1, 6], 2).inner(), tensor([1, 4], 3).inner());
        let y = group_rational(x, a, b).into_data().try_to_vec::<f32>();
        let y = y.unwrap();
        assert!(y[0].is_nan() && y[1].is_finite());
    }

    #[test]
    fn one_group_of_equal_functions_is_as_many_groups() {
        let x = tensor([40, 48], 1);
        let (a, b) = (tensor([1, 6], 2), tensor([1, 4], 3));
        let repeated = b.clone().repeat_dim(0, 6);
        let one = group_rational(x.clone(), a.clone(), b);
        assert_close(one, group_rational(x, a, repeated), 1e-6);
    }

    #[test]
    fn the_same_for_any_number_of_threads() {
        for channels in [24, 64] {
            let kernel = Rational {
                channels,
                groups: 4,
                rows: 1,
                terms: 6,
                degree: 4,
            };
            let count = 70_000 / channels * channels;
            let inputs = [
                Array::new(random(count, 1), [count / channels, channels]),
                Array::new(random(6, 2), [1, 6]),
                Array::new(random(16, 3), [4, 4]),
            ];
            assert_same_for_any_threads(|| {
                let (y, _) = kernel.forward(&inputs, true);
                let mut all = y.f32().to_vec();
                let slopes = kernel.backward(Pass {
                    inputs: &inputs,
                    saved: &[],
                    dy: y,
                    wanted: &[true; 3],
                });
                for slope in slopes.into_iter().flatten() {
                    all.extend(slope.f32());
                }
                all
            });
        }
    }

    /// Central differences in 64 bits of the formula.
    #[test]
    fn slopes_are_those_of_the_values() {
        let value = |x: f64, a: &[f64], b: &[f64]| {
            let power = |i: usize| x.abs().powi(i as i32 + 1);
            let p = a.iter().rev().fold(0.0, |p, a| p * x + a);
            p / b
                .iter()
                .enumerate()
                .fold(1.0, |q, (i, b)| q + b.abs() * power(i))
        };
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let (xs, a, b) = (random(8, 1), random(6, 2), random(4, 3));
        let device = burn::tensor::Device::flex().autodiff();
        let x = Tensor::<1>::from_data(TensorData::new(xs.clone(), [8]), &device).require_grad();
        let given = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [1, values.len()]);
            Tensor::<2>::from_data(data, &device).require_grad()
        };
        let (a_tensor, b_tensor) = (given(&a), given(&b));
        let y = group_rational(x.clone(), a_tensor.clone(), b_tensor.clone());
        let grads = y.sum().backward();
        let (xs, a, b) = (wide(&xs), wide(&a), wide(&b));
        let sum = |x: &[f64], a: &[f64], b: &[f64]| x.iter().map(|x| value(*x, a, b)).sum::<f64>();
        let check = |slopes: Vec<f64>, at: &dyn Fn(usize, f64) -> f64| {
            for (i, slope) in slopes.into_iter().enumerate() {
                let expected = (at(i, 1e-5) - at(i, -1e-5)) / 2e-5;
                assert!(
                    (slope - expected).abs() < 1e-4,
                    "{slope}, expected {expected}"
                );
            }
        };
        let moved = |values: &[f64], i: usize, by: f64| {
            let mut values = values.to_vec();
            values[i] += by;
            values
        };
        let slopes = x.grad(&grads).unwrap().try_into_vec_as().unwrap();
        check(slopes, &|i, by| sum(&moved(&xs, i, by), &a, &b));
        let slopes = a_tensor.grad(&grads).unwrap().try_into_vec_as().unwrap();
        check(slopes, &|i, by| sum(&xs, &moved(&a, i, by), &b));
        let slopes = b_tensor.grad(&grads).unwrap().try_into_vec_as().unwrap();
        check(slopes, &|i, by| sum(&xs, &a, &moved(&b, i, by)));
    }
}
