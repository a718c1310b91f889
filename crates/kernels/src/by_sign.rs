//! Slopes that meet one number where they are positive and another where they are negative: bounds of a linear function.

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, quinary, runs_on, ternary};
use crate::pair::{Pair, PairKernel};
use crate::parallel::cuts;
use crate::vector::{Lanes, Width, Work};
use burn::tensor::{DType, Tensor};
use std::array::from_fn;
use std::ops::Range;

/// From the slopes `s` of linear functions of a layer's values, the slopes of linear functions of its inputs,
/// `max(s, 0) · a₊ + min(s, 0) · a₋`, and what these are off by, `Σ max(s, 0) · b₊ + min(s, 0) · b₋` over the features: where
/// the layer lies between lines of slopes `a₊`, `a₋` and offsets `b₊`, `b₋`.
///
/// One pass over the slopes, and one more for all gradients; from primitives it is nine and thirteen.
///
/// # Shapes
/// * `slopes`: `[samples, functions, features]`
/// * `factors`, `a₊` and `a₋`, and `offsets`, `b₊` and `b₋`: `[samples, features]`, the same for every function
/// * result: as `slopes`, and `[samples, functions]`
///
/// # Panics
/// If the shapes do not fit together.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::by_sign;
/// let device = Device::flex();
/// let row = |x: f64| Tensor::<2>::full([1, 2], x, &device);
/// let slopes = Tensor::<3>::from_data([[[2.0, -2.0]]], &device);
/// // A function between x / 2 and 3 x + 1.
/// let (scaled, off) = by_sign(slopes, [row(0.5), row(3.0)], [row(0.0), row(1.0)]);
/// assert_eq!(scaled.into_data().try_to_vec::<f32>().unwrap(), [1.0, -6.0]);
/// assert_eq!(off.into_scalar::<f32>(), -2.0);
/// ```
pub fn by_sign(
    slopes: Tensor<3>,
    factors: [Tensor<2>; 2],
    offsets: [Tensor<2>; 2],
) -> (Tensor<3>, Tensor<2>) {
    let sizes = Sizes::new(&slopes, factors.iter().chain(&offsets));
    if !runs_on(&slopes, &[DType::F32]) {
        let off = composed(slopes.clone(), offsets).sum_dim(2);
        let off = off.reshape([sizes.samples, sizes.functions]);
        return (composed(slopes, factors), off);
    }
    let ([a, b], [p, q]) = (factors, offsets);
    Pair::run(Both(sizes), |pair| quinary(pair, (slopes, a, b), (p, q)))
}

/// `Σ max(s, 0) · positive + min(s, 0) · negative` over the features: with the bounds of a box it is the least value of a
/// linear function there.
///
/// One pass over the slopes, and one more for all gradients.
///
/// # Shapes
/// * `slopes`: `[samples, functions, features]`
/// * `positive`, `negative`: `[samples, features]`
/// * result: `[samples, functions]`
///
/// # Panics
/// If the shapes do not fit together.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::sum_by_sign;
/// let device = Device::flex();
/// // The least of 2 x − y for x in 0 to 1 and y in 3 to 5.
/// let slopes = Tensor::<3>::from_data([[[2.0, -1.0]]], &device);
/// let lower = Tensor::from_data([[0.0, 3.0]], &device);
/// let upper = Tensor::from_data([[1.0, 5.0]], &device);
/// assert_eq!(sum_by_sign(slopes, lower, upper).into_scalar::<f32>(), -5.0);
/// ```
pub fn sum_by_sign(slopes: Tensor<3>, positive: Tensor<2>, negative: Tensor<2>) -> Tensor<2> {
    let sizes = Sizes::new(&slopes, [&positive, &negative]);
    if !runs_on(&slopes, &[DType::F32]) {
        let sums = composed(slopes, [positive, negative]).sum_dim(2);
        return sums.reshape([sizes.samples, sizes.functions]);
    }
    ternary(Sum(sizes), slopes, positive, negative)
}

/// `max(s, 0) · positive + min(s, 0) · negative` from Burn's primitives.
fn composed(slopes: Tensor<3>, [positive, negative]: [Tensor<2>; 2]) -> Tensor<3> {
    let upward = slopes.clone().clamp_min(0.0) * positive.unsqueeze_dim(1);
    upward + slopes.clamp_max(0.0) * negative.unsqueeze_dim(1)
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    samples: usize,
    functions: usize,
    features: usize,
}

impl Sizes {
    fn new<'a>(slopes: &Tensor<3>, sides: impl IntoIterator<Item = &'a Tensor<2>>) -> Self {
        let [samples, functions, features] = slopes.dims();
        for side in sides {
            let (dims, slopes) = (side.dims(), slopes.dims());
            assert_eq!(
                dims,
                [samples, features],
                "a number a feature of {slopes:?}"
            );
        }
        Self {
            samples,
            functions,
            features,
        }
    }

    fn slopes(&self) -> usize {
        self.functions * self.features
    }

    /// What a pass reads of a sample.
    fn sample<'a, const SIDES: usize>(
        &self,
        inputs: &'a [Array],
        index: usize,
    ) -> Sample<'a, SIDES> {
        let (slopes, features) = (self.slopes(), self.features);
        Sample {
            slopes: &inputs[0].f32()[index * slopes..][..slopes],
            sides: from_fn(|side| &inputs[1 + side].f32()[index * features..][..features]),
        }
    }

    fn forward<const SIDES: usize, const SCALE: bool>(&self, inputs: &[Array]) -> [Array; 2] {
        let mut y = Buffer::new(if SCALE {
            self.samples * self.slopes()
        } else {
            0
        });
        let mut sums = Buffer::new(self.samples * self.functions);
        let parts = [(&mut y[..], self.slopes()), (&mut sums[..], self.functions)];
        let size = self.samples * self.slopes();
        let width = Width::widest();
        cuts(parts, self.samples, size, |index, [y, sums]| {
            let sample: Sample<'_, SIDES> = self.sample(inputs, index);
            width.run(Forward::<SIDES, SCALE> { sample, y, sums });
        });
        let shape = [self.samples, self.functions, self.features];
        let y = match SCALE {
            true => Array::from_buffer(y, shape),
            false => Array::from_buffer(y, [0]),
        };
        [y, Array::from_buffer(sums, [self.samples, self.functions])]
    }

    /// Gradients from those of the scaled slopes and of the sums.
    fn backward<const SIDES: usize, const SCALE: bool>(
        &self,
        pass: &Pass<'_>,
        [dy, dsums]: [&[f32]; 2],
    ) -> Vec<Option<Array>> {
        let mut ds = Buffer::new(self.samples * self.slopes());
        // All sides of a sample lie together until all samples are done.
        let each = SIDES * self.features;
        let mut sides = Buffer::new(self.samples * each);
        let (size, slopes) = (ds.len(), self.slopes());
        let parts = [(&mut ds[..], slopes), (&mut sides[..], each)];
        let width = Width::widest();
        cuts(parts, self.samples, size, |index, [ds, sides]| {
            width.run(Backward::<SIDES, SCALE> {
                sample: self.sample(pass.inputs, index),
                dy: if SCALE {
                    &dy[index * slopes..][..slopes]
                } else {
                    &[]
                },
                dsums: &dsums[index * self.functions..][..self.functions],
                ds,
                sides,
            });
        });
        let mut gradients =
            vec![pass.wanted[0].then(|| Array::from_buffer(ds, pass.inputs[0].shape()))];
        gradients.extend((0..SIDES).map(|side| {
            pass.wanted[1 + side].then(|| {
                let mut gradient = Buffer::new(self.samples * self.features);
                let from = sides.chunks_exact(each.max(1));
                for (to, from) in gradient.chunks_exact_mut(self.features.max(1)).zip(from) {
                    to.copy_from_slice(&from[side * self.features..][..self.features]);
                }
                Array::from_buffer(gradient, pass.inputs[1 + side].shape())
            })
        }));
        gradients
    }
}

/// Factors of the scaled slopes, if there are any, and then those of the sums; of positive slopes first.
#[derive(Debug)]
struct Both(Sizes);

impl PairKernel for Both {
    fn forward(&self, inputs: &[Array], _: bool) -> ([Array; 2], Vec<Array>) {
        (self.0.forward::<4, true>(inputs), vec![])
    }

    fn backward(&self, pass: Pass<'_>, dy: [Option<Array>; 2]) -> Vec<Option<Array>> {
        let sizes = self.0;
        let [dy, dsums] = dy;
        let numbers = |count| Array::new(vec![0.0_f32; count], [count]);
        let dy = dy.unwrap_or_else(|| numbers(sizes.samples * sizes.slopes()));
        let dsums = dsums.unwrap_or_else(|| numbers(sizes.samples * sizes.functions));
        sizes.backward::<4, true>(&pass, [dy.f32(), dsums.f32()])
    }
}

#[derive(Debug)]
struct Sum(Sizes);

impl Kernel for Sum {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let [_, sums] = self.0.forward::<2, false>(inputs);
        (sums, vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        self.0.backward::<2, false>(&pass, [&[], pass.dy.f32()])
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}

/// The slopes of a sample, and what they meet: as for [`Both`], or only that of the sums.
struct Sample<'a, const SIDES: usize> {
    slopes: &'a [f32],
    sides: [&'a [f32]; SIDES],
}

/// Vectors of features whose numbers are in registers for all functions, forward.
const FORWARD: usize = 4;

/// And backward, where as many sums are.
const BACKWARD: usize = 2;

/// Where the vectors of a block that starts at feature `from` lie.
#[inline(always)]
fn places<L: Lanes, const VECTORS: usize>(from: usize, features: usize) -> [Range<usize>; VECTORS] {
    from_fn(|v| {
        let start = (from + v * L::COUNT).min(features);
        start..(start + L::COUNT).min(features)
    })
}

struct Forward<'a, const SIDES: usize, const SCALE: bool> {
    sample: Sample<'a, SIDES>,
    y: &'a mut [f32],
    sums: &'a mut [f32],
}

impl<const SIDES: usize, const SCALE: bool> Work for Forward<'_, SIDES, SCALE> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Sample { slopes, sides } = self.sample;
        let features = sides[0].len();
        self.sums.fill(0.0);
        for from in (0..features).step_by(FORWARD * L::COUNT) {
            let places = places::<L, FORWARD>(from, features);
            let met: [[L::Vector; SIDES]; FORWARD] =
                from_fn(|v| from_fn(|side| lanes.load_some(&sides[side][places[v].clone()])));
            for (row, slopes) in slopes.chunks_exact(features).enumerate() {
                let mut sum = lanes.splat(0.0);
                for v in 0..FORWARD {
                    let s = lanes.load_some(&slopes[places[v].clone()]);
                    let up = lanes.rectify(s);
                    let down = lanes.sub(s, up);
                    let [.., p, q] = met[v][..] else {
                        unreachable!("two at least")
                    };
                    sum = lanes.mul_add(up, p, lanes.mul_add(down, q, sum));
                    if SCALE {
                        let y = lanes.mul_add(up, met[v][0], lanes.mul(down, met[v][1]));
                        let to = &mut self.y[row * features..][places[v].clone()];
                        lanes.store_some(y, to);
                    }
                }
                self.sums[row] += lanes.total(sum);
            }
        }
    }
}

struct Backward<'a, const SIDES: usize, const SCALE: bool> {
    sample: Sample<'a, SIDES>,
    dy: &'a [f32],
    dsums: &'a [f32],
    ds: &'a mut [f32],
    /// The gradients of the sides, one after another.
    sides: &'a mut [f32],
}

impl<const SIDES: usize, const SCALE: bool> Work for Backward<'_, SIDES, SCALE> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Sample { slopes, sides } = self.sample;
        let features = sides[0].len();
        let none = lanes.splat(0.0);
        for from in (0..features).step_by(BACKWARD * L::COUNT) {
            let places = places::<L, BACKWARD>(from, features);
            let met: [[L::Vector; SIDES]; BACKWARD] =
                from_fn(|v| from_fn(|side| lanes.load_some(&sides[side][places[v].clone()])));
            let mut gradients = [[none; SIDES]; BACKWARD];
            for (row, slopes) in slopes.chunks_exact(features).enumerate() {
                let dsum = lanes.splat(self.dsums[row]);
                for v in 0..BACKWARD {
                    let at = places[v].clone();
                    let s = lanes.load_some(&slopes[at.clone()]);
                    let up = lanes.rectify(s);
                    let down = lanes.sub(s, up);
                    let mut slope = [none; 2];
                    for side in 0..SIDES {
                        let whole = SCALE && side < 2;
                        let gradient = match whole {
                            true => lanes.load_some(&self.dy[row * features..][at.clone()]),
                            false => dsum,
                        };
                        let part = [up, down][side % 2];
                        gradients[v][side] = lanes.mul_add(gradient, part, gradients[v][side]);
                        slope[side % 2] = lanes.mul_add(gradient, met[v][side], slope[side % 2]);
                    }
                    let [up, down] = slope;
                    let slope = lanes.add(lanes.keep(up, s), lanes.sub(down, lanes.keep(down, s)));
                    lanes.store_some(slope, &mut self.ds[row * features..][at]);
                }
            }
            for (v, at) in places.into_iter().enumerate() {
                for (side, gradient) in gradients[v].into_iter().enumerate() {
                    let to = &mut self.sides[side * features..][at.clone()];
                    lanes.store_some(gradient, to);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, tensor};

    const SHAPES: [[usize; 3]; 4] = [[1, 1, 1], [3, 4, 17], [2, 10, 64], [40, 10, 131]];

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for [samples, functions, features] in SHAPES {
            let slopes = tensor([samples, functions, features], 1);
            let [a, b, p, q] = [2, 3, 4, 5].map(|seed| tensor([samples, features], seed));
            let sums = || {
                let sums = composed(slopes.clone(), [p.clone(), q.clone()]).sum_dim(2);
                sums.reshape([samples, functions])
            };
            let scaled = || composed(slopes.clone(), [a.clone(), b.clone()]);
            let both = || {
                by_sign(
                    slopes.clone(),
                    [a.clone(), b.clone()],
                    [p.clone(), q.clone()],
                )
            };
            assert_same!(
                sum_by_sign(slopes.clone(), p.clone(), q.clone()),
                sums(),
                [slopes, p, q],
                1e-5
            );
            // Either output alone, and both.
            assert_same!(both().0, scaled(), [slopes, a, b], 1e-5);
            assert_same!(both().1, sums(), [slopes, p, q], 1e-5);
            let joined = |(y, sums): (Tensor<3>, Tensor<2>)| y * sums.unsqueeze_dim(2);
            assert_same!(
                joined(both()),
                joined((scaled(), sums())),
                [slopes, a, b, p, q],
                1e-4
            );
        }
    }

    #[test]
    fn nothing_at_all() {
        for [samples, functions, features] in [[0, 2, 3], [2, 0, 3], [2, 3, 0]] {
            let slopes = tensor([samples, functions, features], 1);
            let side = || tensor([samples, features], 2);
            let (y, sums) = by_sign(slopes.clone(), [side(), side()], [side(), side()]);
            assert_eq!(y.dims(), slopes.dims());
            let sums: Vec<f32> = sums.into_data().try_to_vec().unwrap();
            assert_eq!(sums, vec![0.0; samples * functions]);
            let grads = y.sum().backward();
            assert_eq!(slopes.grad(&grads).unwrap().dims(), slopes.dims());
        }
    }

    #[test]
    fn views_and_doubles() {
        let slopes = tensor([5, 3, 20], 1);
        let (a, b) = (tensor([20, 5], 2), tensor([5, 20], 3));
        let sides = || [a.clone().transpose(), b.clone()];
        assert_same!(
            by_sign(slopes.clone(), sides(), sides()).0,
            composed(slopes.clone(), sides()),
            [slopes, a, b],
            1e-6
        );
        let double = || b.clone().cast(DType::F64);
        let slopes = slopes.cast(DType::F64);
        let (y, sums) = by_sign(slopes.clone(), [double(), double()], [double(), double()]);
        assert_eq!((y.dtype(), sums.dims()), (DType::F64, [5, 3]));
        assert_eq!(sum_by_sign(slopes, double(), double()).dims(), [5, 3]);
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let slopes = tensor([40, 10, 131], 1);
            let sides = [2, 3, 4, 5].map(|seed| tensor([40, 131], seed));
            let [a, b, p, q] = sides.clone();
            let (y, sums) = by_sign(slopes.clone(), [a, b], [p, q]);
            let loss = y.clone().square().sum() + sums.clone().square().sum();
            let grads = loss.backward();
            let all = [y.into_data(), sums.into_data()].into_iter();
            let all = all.chain([slopes.grad(&grads).unwrap().into_data()]);
            let all = all.chain(sides.map(|side| side.grad(&grads).unwrap().into_data()));
            all.flat_map(|data| data.try_to_vec::<f32>().unwrap())
                .collect()
        });
    }

    #[test]
    #[should_panic(expected = "a number a feature of [1, 2, 3]")]
    fn unequal_shapes() {
        sum_by_sign(tensor([1, 2, 3], 1), tensor([1, 3], 2), tensor([1, 2], 2));
    }
}
