//! Slopes that meet one number where they are positive and another where they are negative: bounds of a linear function.

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, ternary};
use crate::parallel::cuts;
use crate::vector::{Lanes, Width, Work};
use burn::tensor::{DType, Tensor};
use std::array::from_fn;

/// `max(s, 0) · positive + min(s, 0) · negative`, element by element: the slopes of a function before a layer whose values
/// lie between two lines, from those behind it.
///
/// One pass over the slopes, and one more for all gradients; from primitives it is five and seven.
///
/// # Shapes
/// * `slopes`: `[samples, functions, features]`
/// * `positive`, `negative`: `[samples, features]`, the same for every function
/// * result: as `slopes`
///
/// # Panics
/// If the shapes do not fit together.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::scale_by_sign;
/// let device = Device::flex();
/// let slopes = Tensor::<3>::from_data([[[2.0, -2.0]]], &device);
/// let (positive, negative) = (Tensor::full([1, 2], 0.5, &device), Tensor::full([1, 2], 3.0, &device));
/// let y = scale_by_sign(slopes, positive, negative);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [1.0, -6.0]);
/// ```
pub fn scale_by_sign(slopes: Tensor<3>, positive: Tensor<2>, negative: Tensor<2>) -> Tensor<3> {
    let sizes = Sizes::new(&slopes, &positive, &negative);
    if !runs_on(&slopes, &[DType::F32]) {
        return composed(slopes, positive, negative);
    }
    ternary(Scale(sizes), slopes, positive, negative)
}

/// `Σ max(s, 0) · positive + min(s, 0) · negative` over the features: with the bounds of a box it is the least value of a
/// linear function there.
///
/// One pass over the slopes, and one more for all gradients.
///
/// # Shapes
/// * `slopes`, `positive`, `negative`: as of [`scale_by_sign`]
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
    let sizes = Sizes::new(&slopes, &positive, &negative);
    if !runs_on(&slopes, &[DType::F32]) {
        let sums = composed(slopes, positive, negative).sum_dim(2);
        return sums.reshape([sizes.samples, sizes.functions]);
    }
    ternary(Sum(sizes), slopes, positive, negative)
}

/// [`scale_by_sign`] from Burn's primitives.
fn composed(slopes: Tensor<3>, positive: Tensor<2>, negative: Tensor<2>) -> Tensor<3> {
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
    fn new(slopes: &Tensor<3>, positive: &Tensor<2>, negative: &Tensor<2>) -> Self {
        let [samples, functions, features] = slopes.dims();
        for values in [positive, negative] {
            let (dims, slopes) = (values.dims(), slopes.dims());
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
    fn sample<'a>(&self, inputs: &'a [Array], index: usize) -> Sample<'a> {
        let (slopes, features) = (self.slopes(), self.features);
        Sample {
            slopes: &inputs[0].f32()[index * slopes..][..slopes],
            sides: [1, 2].map(|side| &inputs[side].f32()[index * features..][..features]),
        }
    }

    /// Gradients, from one of the result that has `each` numbers a sample.
    fn backward(
        &self,
        pass: &Pass<'_>,
        each: usize,
        work: impl Fn(Gradients<'_>) + Sync,
    ) -> Vec<Option<Array>> {
        let mut ds = Buffer::new(self.samples * self.slopes());
        let mut sides = [(); 2].map(|()| Buffer::new(self.samples * self.features));
        let [up, down] = &mut sides;
        let size = ds.len();
        let parts = [
            (&mut ds[..], self.slopes()),
            (&mut up[..], self.features),
            (&mut down[..], self.features),
        ];
        let dy = pass.dy.f32();
        cuts(parts, self.samples, size, |index, [ds, up, down]| {
            work(Gradients {
                sample: self.sample(pass.inputs, index),
                dy: &dy[index * each..][..each],
                ds,
                sides: [up, down],
            });
        });
        let all = std::iter::once(ds).chain(sides).enumerate();
        all.map(|(input, gradient)| {
            let shape = pass.inputs[input].shape();
            pass.wanted[input].then(|| Array::from_buffer(gradient, shape))
        })
        .collect()
    }
}

/// The slopes of a sample, and what positive and negative ones meet.
struct Sample<'a> {
    slopes: &'a [f32],
    sides: [&'a [f32]; 2],
}

/// Gradients of a sample: given `dy`, wanted `ds` and `sides`.
struct Gradients<'a> {
    sample: Sample<'a>,
    dy: &'a [f32],
    ds: &'a mut [f32],
    sides: [&'a mut [f32]; 2],
}

/// Vectors of features whose numbers are in registers for all functions.
const VECTORS: usize = 4;

/// Where the vectors of a block that starts at feature `from` lie.
#[inline(always)]
fn vectors<L: Lanes>(from: usize, features: usize) -> [std::ops::Range<usize>; VECTORS] {
    from_fn(|v| {
        let start = (from + v * L::COUNT).min(features);
        start..(start + L::COUNT).min(features)
    })
}

/// `s⁺ · a + s⁻ · b`, rounded once more than either.
#[inline(always)]
fn meet<L: Lanes>(lanes: L, s: L::Vector, a: L::Vector, b: L::Vector) -> L::Vector {
    let up = lanes.rectify(s);
    lanes.mul_add(up, a, lanes.mul(lanes.sub(s, up), b))
}

/// `a` where `s` is positive, and `b` elsewhere.
#[inline(always)]
fn choose<L: Lanes>(lanes: L, s: L::Vector, a: L::Vector, b: L::Vector) -> L::Vector {
    lanes.add(lanes.keep(a, s), lanes.sub(b, lanes.keep(b, s)))
}

#[derive(Debug)]
struct Scale(Sizes);

impl Kernel for Scale {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let sizes = self.0;
        let mut y = Buffer::new(sizes.samples * sizes.slopes());
        let size = y.len();
        let width = Width::widest();
        cuts(
            [(&mut y[..], sizes.slopes())],
            sizes.samples,
            size,
            |index, [y]| {
                width.run(ScaleForward(sizes.sample(inputs, index), y));
            },
        );
        (Array::from_buffer(y, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let width = Width::widest();
        let each = self.0.slopes();
        self.0.backward(&pass, each, |gradients| {
            width.run(Backward::<true>(gradients))
        })
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}

struct ScaleForward<'a>(Sample<'a>, &'a mut [f32]);

impl Work for ScaleForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self(Sample { slopes, sides }, y) = self;
        let features = sides[0].len();
        for from in (0..features).step_by(VECTORS * L::COUNT) {
            let places = vectors::<L>(from, features);
            let [a, b] = sides.map(|side| places.clone().map(|at| lanes.load_some(&side[at])));
            let rows = slopes.chunks_exact(features);
            for (s, y) in rows.zip(y.chunks_exact_mut(features)) {
                for v in 0..VECTORS {
                    let at = places[v].clone();
                    let s = lanes.load_some(&s[at.clone()]);
                    lanes.store_some(meet(lanes, s, a[v], b[v]), &mut y[at]);
                }
            }
        }
    }
}

#[derive(Debug)]
struct Sum(Sizes);

impl Kernel for Sum {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let sizes = self.0;
        let mut y = Buffer::new(sizes.samples * sizes.functions);
        let size = sizes.samples * sizes.slopes();
        let width = Width::widest();
        cuts(
            [(&mut y[..], sizes.functions)],
            sizes.samples,
            size,
            |index, [y]| {
                width.run(SumForward(sizes.sample(inputs, index), y));
            },
        );
        (
            Array::from_buffer(y, [sizes.samples, sizes.functions]),
            vec![],
        )
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let width = Width::widest();
        let each = self.0.functions;
        self.0.backward(&pass, each, |gradients| {
            width.run(Backward::<false>(gradients))
        })
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}

struct SumForward<'a>(Sample<'a>, &'a mut [f32]);

impl Work for SumForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self(Sample { slopes, sides }, y) = self;
        let features = sides[0].len();
        y.fill(0.0);
        for from in (0..features).step_by(VECTORS * L::COUNT) {
            let places = vectors::<L>(from, features);
            let [a, b] = sides.map(|side| places.clone().map(|at| lanes.load_some(&side[at])));
            for (s, y) in slopes.chunks_exact(features).zip(&mut *y) {
                let met: [L::Vector; VECTORS] = from_fn(|v| {
                    let s = lanes.load_some(&s[places[v].clone()]);
                    meet(lanes, s, a[v], b[v])
                });
                let sum = lanes.add(lanes.add(met[0], met[1]), lanes.add(met[2], met[3]));
                *y += lanes.total(sum);
            }
        }
    }
}

/// Gradients of a sample, where that of the result is one number a function, or one a slope if `WHOLE`.
struct Backward<'a, const WHOLE: bool>(Gradients<'a>);

impl<const WHOLE: bool> Work for Backward<'_, WHOLE> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Gradients {
            sample: Sample { slopes, sides },
            dy,
            ds,
            sides: gradients,
        } = self.0;
        let features = sides[0].len();
        for from in (0..features).step_by(VECTORS * L::COUNT) {
            let places = vectors::<L>(from, features);
            let [a, b] = sides.map(|side| places.clone().map(|at| lanes.load_some(&side[at])));
            let [mut da, mut db] = [[lanes.splat(0.0); VECTORS]; 2];
            let rows = slopes.chunks_exact(features);
            for (row, (s, ds)) in rows.zip(ds.chunks_exact_mut(features)).enumerate() {
                for v in 0..VECTORS {
                    let at = places[v].clone();
                    let dy = match WHOLE {
                        true => lanes.load_some(&dy[row * features..][at.clone()]),
                        false => lanes.splat(dy[row]),
                    };
                    let s = lanes.load_some(&s[at.clone()]);
                    let up = lanes.rectify(s);
                    da[v] = lanes.mul_add(dy, up, da[v]);
                    db[v] = lanes.mul_add(dy, lanes.sub(s, up), db[v]);
                    let slope = lanes.mul(dy, choose(lanes, s, a[v], b[v]));
                    lanes.store_some(slope, &mut ds[at]);
                }
            }
            for (v, at) in places.into_iter().enumerate() {
                lanes.store_some(da[v], &mut gradients[0][at.clone()]);
                lanes.store_some(db[v], &mut gradients[1][at]);
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
            let (a, b) = (
                tensor([samples, features], 2),
                tensor([samples, features], 3),
            );
            let reference = || composed(slopes.clone(), a.clone(), b.clone());
            assert_same!(
                scale_by_sign(slopes.clone(), a.clone(), b.clone()),
                reference(),
                [slopes, a, b],
                1e-6
            );
            let sums = reference().sum_dim(2).reshape([samples, functions]);
            assert_same!(
                sum_by_sign(slopes.clone(), a.clone(), b.clone()),
                sums,
                [slopes, a, b],
                1e-5
            );
        }
    }

    #[test]
    fn nothing_at_all() {
        for [samples, functions, features] in [[0, 2, 3], [2, 0, 3], [2, 3, 0]] {
            let slopes = tensor([samples, functions, features], 1);
            let side = tensor([samples, features], 2);
            let y = scale_by_sign(slopes.clone(), side.clone(), side.clone());
            assert_eq!(y.dims(), slopes.dims());
            let sums = sum_by_sign(slopes.clone(), side.clone(), side.clone());
            let sums: Vec<f32> = sums.clone().into_data().try_to_vec().unwrap();
            assert_eq!(sums, vec![0.0; samples * functions]);
            let grads = y.sum().backward();
            assert_eq!(side.grad(&grads).unwrap().dims(), [samples, features]);
        }
    }

    #[test]
    fn views_and_doubles() {
        let slopes = tensor([5, 3, 20], 1);
        let (a, b) = (tensor([20, 5], 2), tensor([5, 20], 3));
        assert_same!(
            scale_by_sign(slopes.clone(), a.clone().transpose(), b.clone()),
            composed(slopes.clone(), a.clone().transpose(), b.clone()),
            [slopes, a, b],
            1e-6
        );
        let double = |x: &Tensor<2>| x.clone().cast(DType::F64);
        let sums = sum_by_sign(slopes.cast(DType::F64), double(&b), double(&b));
        assert_eq!((sums.dims(), sums.dtype()), ([5, 3], DType::F64));
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let slopes = tensor([40, 10, 131], 1);
            let (a, b) = (tensor([40, 131], 2), tensor([40, 131], 3));
            let scaled = scale_by_sign(slopes.clone(), a.clone(), b.clone());
            let sums = sum_by_sign(slopes.clone(), a.clone(), b.clone());
            let loss = scaled.clone().square().sum() + sums.clone().square().sum();
            let grads = loss.backward();
            let all = [scaled.into_data(), sums.into_data()].into_iter();
            let sides = [a, b].map(|side| side.grad(&grads).unwrap().into_data());
            let all = all
                .chain([slopes.grad(&grads).unwrap().into_data()])
                .chain(sides);
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
