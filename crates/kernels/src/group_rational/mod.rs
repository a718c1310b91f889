//! Safe Padé rational functions, one a group of channels.

#[cfg(test)]
mod tests;
mod vectors;

use crate::in_place::rewritten_with_sums;
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, ternary};
use crate::parallel::{PIECE, pieces};
use crate::vector::Width;
use burn::tensor::{DType, Tensor};
use vectors::{Backward, Forward, Layout};

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
