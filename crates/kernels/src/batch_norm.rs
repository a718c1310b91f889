//! Batch norm of channels.

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, quaternary, runs_on, ternary};
use crate::parallel::SHARED;
use crate::pool2d::sum;
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor, activation};
use rayon::prelude::*;
use std::array::from_fn;
use std::sync::{Arc, OnceLock};

/// `y = (x − mean) / √(variance + ε) · weight + bias`, mean and biased variance of each channel over all other axes; then
/// plus `residual`, then `max(0, y)` if `relu`. Also returns mean and variance, for the running statistics; no gradient
/// flows through these.
///
/// # Shapes
/// * `x`, `residual`: `[batch, channels, …]`
/// * `weight`, `bias`, mean, variance: `[channels]`
///
/// # Panics
/// If the shapes do not fit together or there is no element to take the mean of.
///
/// Source: Ioffe and Szegedy, Batch Normalization, arXiv:1502.03167, algorithm 1.
pub fn batch_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    residual: Option<Tensor<D>>,
    relu: bool,
    epsilon: f32,
) -> (Tensor<D>, Tensor<1>, Tensor<1>) {
    let shape = x.dims();
    check(
        &shape,
        &[weight.dims(), bias.dims()],
        residual.as_ref().map(Tensor::dims),
    );
    let (channels, elements) = (shape[1], shape.iter().product::<usize>());
    assert!(elements > 0, "batch_norm: input {shape:?} has no elements");
    if !runs_on(&x, &[DType::F32]) {
        return composed(x, weight, bias, residual, relu, epsilon);
    }
    let statistics = Arc::default();
    let device = x.device().inner();
    let kernel = BatchNorm {
        batch: shape[0],
        channels,
        plane: elements / (shape[0] * channels),
        shape: shape.to_vec(),
        relu,
        epsilon,
        training: true,
        statistics: Arc::clone(&statistics),
    };
    let y = match residual {
        Some(residual) => quaternary(kernel, x, weight, bias, residual),
        None => ternary(kernel, x, weight, bias),
    };
    let statistics: &Statistics = statistics.get().expect("the forward pass has set them");
    let give = |values: &[f32]| Tensor::from_data(values, &device);
    (y, give(&statistics.mean), give(&statistics.variance))
}

/// The same with given statistics, which are constants: no gradient flows to them.
///
/// # Panics
/// If the shapes do not fit together.
#[expect(
    clippy::too_many_arguments,
    reason = "the equation has so many symbols"
)]
pub fn batch_norm_inference<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    residual: Option<Tensor<D>>,
    relu: bool,
    epsilon: f32,
) -> Tensor<D> {
    let shape = x.dims();
    let parameters = [weight.dims(), bias.dims(), mean.dims(), variance.dims()];
    check(&shape, &parameters, residual.as_ref().map(Tensor::dims));
    let (mean, variance) = (mean.detach(), variance.detach());
    if !runs_on(&x, &[DType::F32]) {
        return composed_inference(x, weight, bias, [mean, variance], residual, relu, epsilon);
    }
    let (batch, channels) = (shape[0], shape[1]);
    let give = |tensor: Tensor<1>| crate::op::array(tensor).f32().to_vec();
    let statistics = OnceLock::from(Statistics {
        mean: give(mean),
        variance: give(variance),
    });
    let kernel = BatchNorm {
        batch,
        channels,
        plane: shape[2..].iter().product(),
        shape: shape.to_vec(),
        relu,
        epsilon,
        training: false,
        statistics: Arc::new(statistics),
    };
    match residual {
        Some(residual) => quaternary(kernel, x, weight, bias, residual),
        None => ternary(kernel, x, weight, bias),
    }
}

fn check<const D: usize>(x: &[usize; D], parameters: &[[usize; 1]], residual: Option<[usize; D]>) {
    assert!(D >= 2, "batch_norm: input {x:?} has no axis of channels");
    for parameter in parameters {
        assert!(
            *parameter == [x[1]],
            "batch_norm: input {x:?} has {} channels, a parameter has shape {parameter:?}",
            x[1]
        );
    }
    if let Some(residual) = residual {
        assert!(
            *x == residual,
            "batch_norm: input {x:?}, residual {residual:?}"
        );
    }
}

/// The same from Burn's primitives.
fn composed<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    residual: Option<Tensor<D>>,
    relu: bool,
    epsilon: f32,
) -> (Tensor<D>, Tensor<1>, Tensor<1>) {
    let channels = x.dims()[1];
    let flat = x.clone().swap_dims(0, 1).reshape([channels as i32, -1]);
    let mean = flat.clone().mean_dim(1);
    let variance = (flat - mean.clone()).powi_scalar(2).mean_dim(1);
    let (mean, variance) = (mean.reshape([channels]), variance.reshape([channels]));
    let statistics = [mean.clone(), variance.clone()];
    let y = composed_inference(x, weight, bias, statistics, residual, relu, epsilon);
    (y, mean.detach(), variance.detach())
}

/// The same from Burn's primitives, `[mean, variance]` given.
fn composed_inference<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    [mean, variance]: [Tensor<1>; 2],
    residual: Option<Tensor<D>>,
    relu: bool,
    epsilon: f32,
) -> Tensor<D> {
    let mut shape = [1; D];
    shape[1] = x.dims()[1];
    let scale = weight / (variance + epsilon).sqrt();
    let y = (x - mean.reshape(shape)) * scale.reshape(shape) + bias.reshape(shape);
    let y = match residual {
        Some(residual) => y + residual,
        None => y,
    };
    if relu { activation::relu(y) } else { y }
}

#[derive(Debug)]
struct Statistics {
    mean: Vec<f32>,
    /// Biased.
    variance: Vec<f32>,
}

#[derive(Debug)]
struct BatchNorm {
    batch: usize,
    channels: usize,
    /// Elements of one channel of one element of the batch.
    plane: usize,
    shape: Vec<usize>,
    relu: bool,
    epsilon: f32,
    /// Whether the statistics are those of the input.
    training: bool,
    /// Set by the forward pass, when training.
    statistics: Arc<OnceLock<Statistics>>,
}

/// Elements of a channel that one task handles: with what it reads besides, they fit the second-level cache.
const PIECE: usize = 1 << 15;

/// One plane of an array that is read, and the same of some that are written.
type Planes<'a, const N: usize> = (usize, [&'a mut [f32]; N]);

impl BatchNorm {
    /// Planes of a channel that one task handles.
    fn piece(&self) -> usize {
        (PIECE / self.plane.max(1)).max(1)
    }

    /// Numbers of which a channel's mean is taken.
    fn count(&self) -> f64 {
        (self.batch * self.plane) as f64
    }

    /// The plane of an array that starts at `start`.
    fn of<'a>(&self, values: &'a [f32], start: usize) -> &'a [f32] {
        &values[start..][..self.plane]
    }

    /// Calls `work` with every channel and its planes of each of `out`, those without elements having none, and gives
    /// what it returns.
    fn each_channel<const N: usize, R: Send>(
        &self,
        out: [&mut [f32]; N],
        work: impl Fn(usize, &mut [Planes<'_, N>]) -> R + Sync,
    ) -> Vec<R> {
        let mut channels: Vec<_> = (0..self.channels)
            .map(|_| Vec::with_capacity(self.batch))
            .collect();
        let mut out = out.map(|out| out.chunks_exact_mut(self.plane.max(1)));
        for index in 0..self.batch * self.channels {
            let planes = out.each_mut().map(|out| out.next().unwrap_or_default());
            channels[index % self.channels].push((index * self.plane, planes));
        }
        let elements = self.batch * self.channels * self.plane;
        let least = if elements < SHARED { self.channels } else { 1 };
        channels
            .par_iter_mut()
            .with_min_len(least)
            .enumerate()
            .map(|(channel, planes)| work(channel, planes))
            .collect()
    }

    /// Sums of `terms(start)` over a channel's planes, in an order that does not depend on the number of threads.
    fn sums<const N: usize>(
        &self,
        planes: &[Planes<'_, N>],
        terms: impl Fn(usize) -> [f32; 2] + Sync,
    ) -> [f64; 2] {
        let add = |a: [f64; 2], b: [f64; 2]| [a[0] + b[0], a[1] + b[1]];
        let parts: Vec<_> = planes
            .par_chunks(self.piece())
            .map(|planes| {
                let terms = planes.iter().map(|(start, _)| terms(*start).map(f64::from));
                terms.fold([0.0; 2], add)
            })
            .collect();
        parts.into_iter().fold([0.0; 2], add)
    }

    /// Mean and biased variance of a channel, one after the other.
    fn measure<const N: usize>(&self, x: &[f32], planes: &[Planes<'_, N>]) -> [f32; 2] {
        let [total, _] = self.sums(planes, |start| {
            vectorized(
                #[inline(always)]
                || [sum(self.of(x, start)), 0.0],
            )
        });
        let mean = (total / self.count()) as f32;
        let [squares, _] = self.sums(planes, |start| {
            vectorized(
                #[inline(always)]
                || sums([self.of(x, start)], |[x]| [(x - mean) * (x - mean), 0.0]),
            )
        });
        [mean, (squares / self.count()) as f32]
    }

    /// Sums of `dy` and of `dy · (x − mean)` over a channel, `dy` counting only where the output is positive if `relu`.
    fn slopes<const N: usize>(
        &self,
        [x, dy, y]: [&[f32]; 3],
        mean: f32,
        planes: &[Planes<'_, N>],
    ) -> [f64; 2] {
        self.sums(planes, |start| {
            let (x, dy) = (self.of(x, start), self.of(dy, start));
            let terms = |x: f32, dy: f32| [dy, dy * (x - mean)];
            vectorized(
                #[inline(always)]
                || match self.relu {
                    true => sums([x, dy, self.of(y, start)], |[x, dy, y]| {
                        terms(x, keep(dy, y))
                    }),
                    false => sums([x, dy], |[x, dy]| terms(x, dy)),
                },
            )
        })
    }
}

/// `dy` where the rectified output is positive.
#[inline(always)]
fn keep(dy: f32, y: f32) -> f32 {
    if y > 0.0 { dy } else { 0.0 }
}

/// Sums of two terms over the places of some slices of the same length, in lanes.
#[inline(always)]
fn sums<const N: usize>(values: [&[f32]; N], terms: impl Fn([f32; N]) -> [f32; 2]) -> [f32; 2] {
    const LANES: usize = 32;
    let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
    let whole: [&[[f32; LANES]]; N] = values.map(|values| values.as_chunks().0);
    for index in 0..whole[0].len() {
        let rows: [&[f32; LANES]; N] = from_fn(|n| &whole[n][index]);
        for lane in 0..LANES {
            let [a, b] = terms(from_fn(|n| rows[n][lane]));
            first[lane] += a;
            second[lane] += b;
        }
    }
    for index in whole[0].len() * LANES..values[0].len() {
        let [a, b] = terms(from_fn(|n| values[n][index]));
        first[index % LANES] += a;
        second[index % LANES] += b;
    }
    [sum(&first), sum(&second)]
}

impl Kernel for BatchNorm {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let [x, weight, bias] = [0, 1, 2].map(|index| inputs[index].f32());
        let residual = inputs.get(3).map(Array::f32);
        let mut y = Buffer::new(x.len());
        let given = self.statistics.get();
        let measured = self.each_channel([&mut y], |channel, planes| {
            let [mean, variance] = match given {
                Some(given) => [given.mean[channel], given.variance[channel]],
                None => self.measure(x, planes),
            };
            let scale = weight[channel] / (variance + self.epsilon).sqrt();
            let line = |x: f32| (x - mean).mul_add(scale, bias[channel]);
            let cut = |y: f32| if self.relu && y < 0.0 { 0.0 } else { y };
            planes.par_chunks_mut(self.piece()).for_each(|planes| {
                for (start, [y]) in planes {
                    let x = self.of(x, *start);
                    vectorized(
                        #[inline(always)]
                        || match residual {
                            Some(residual) => {
                                let inputs = x.iter().zip(self.of(residual, *start));
                                for (y, (x, residual)) in y.iter_mut().zip(inputs) {
                                    *y = cut(line(*x) + residual);
                                }
                            }
                            None => {
                                for (y, x) in y.iter_mut().zip(x) {
                                    *y = cut(line(*x));
                                }
                            }
                        },
                    );
                }
            });
            [mean, variance]
        });
        self.statistics.get_or_init(|| Statistics {
            mean: measured.iter().map(|[mean, _]| *mean).collect(),
            variance: measured.iter().map(|[_, variance]| *variance).collect(),
        });
        (Array::from_buffer(y, self.shape.clone()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let given = self
            .statistics
            .get()
            .expect("the forward pass has set them");
        let [x, weight] = [0, 1].map(|index| pass.inputs[index].f32());
        let (dy, y) = (pass.dy.f32(), pass.saved[0].f32());
        let room = |wanted: bool| Buffer::new(if wanted { x.len() } else { 0 });
        let mut dx = room(pass.wanted[0]);
        // Without a ReLU it is `dy`.
        let wants_residual = pass.wanted.get(3) == Some(&true);
        let mut masked = room(wants_residual && self.relu);
        let slopes = self.each_channel([&mut dx, &mut masked], |channel, planes| {
            let (mean, variance) = (given.mean[channel], given.variance[channel]);
            let inverse = 1.0 / (variance + self.epsilon).sqrt();
            let [total, moment] = self.slopes([x, dy, y], mean, planes);
            // dx = scale · (dy − mean of dy − x̂ · mean of dy x̂), where x̂ = (x − mean) · inverse.
            let scale = weight[channel] * inverse;
            let [shift, slope] = match self.training {
                true => [total / self.count(), moment / self.count()].map(|mean| mean as f32),
                false => [0.0; 2],
            };
            let slope = slope * inverse * inverse;
            let dx_of = |x: f32, dy: f32| scale * (dy - shift - (x - mean) * slope);
            planes.par_chunks_mut(self.piece()).for_each(|planes| {
                for (start, [dx, masked]) in planes {
                    let (x, dy) = (self.of(x, *start), self.of(dy, *start));
                    vectorized(
                        #[inline(always)]
                        || {
                            if !self.relu {
                                for (dx, (x, dy)) in dx.iter_mut().zip(x.iter().zip(dy)) {
                                    *dx = dx_of(*x, *dy);
                                }
                                return;
                            }
                            let y = self.of(y, *start);
                            for (dx, (x, (dy, y))) in
                                dx.iter_mut().zip(x.iter().zip(dy.iter().zip(y)))
                            {
                                *dx = dx_of(*x, keep(*dy, *y));
                            }
                            for (masked, (dy, y)) in masked.iter_mut().zip(dy.iter().zip(y)) {
                                *masked = keep(*dy, *y);
                            }
                        },
                    );
                }
            });
            [total as f32, moment as f32 * inverse]
        });
        let parameter = |which: usize| {
            let values: Vec<f32> = slopes.iter().map(|slopes| slopes[which]).collect();
            Array::new(values, [self.channels])
        };
        let mut gradients = vec![
            pass.wanted[0].then(|| Array::from_buffer(dx, self.shape.clone())),
            pass.wanted[1].then(|| parameter(1)),
            pass.wanted[2].then(|| parameter(0)),
        ];
        if wants_residual {
            gradients.push(Some(match self.relu {
                true => Array::from_buffer(masked, self.shape.clone()),
                false => pass.dy.clone(),
            }));
        }
        gradients
    }

    fn reads(&self) -> Reads {
        Reads {
            output: self.relu,
            ..Reads::first(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_same, assert_same_for_any_threads, tensor};

    const EPSILON: f32 = 1e-5;

    fn parameters(channels: usize) -> [Tensor<1>; 2] {
        [tensor([channels], 2), tensor([channels], 3)]
    }

    #[test]
    fn values_statistics_and_gradients_equal_the_composition() {
        for shape in [
            [2, 1, 1, 1],
            [3, 5, 1, 1],
            [1, 4, 3, 5],
            [7, 3, 5, 13],
            [40, 2, 32, 33],
        ] {
            let (x, residual) = (tensor(shape, 1), tensor(shape, 4));
            let [weight, bias] = parameters(shape[1]);
            for (relu, with) in [(false, false), (true, false), (false, true), (true, true)] {
                let r = || with.then(|| residual.clone());
                let (ours, mean, variance) =
                    batch_norm(x.clone(), weight.clone(), bias.clone(), r(), relu, EPSILON);
                let (theirs, other_mean, other_variance) =
                    composed(x.clone(), weight.clone(), bias.clone(), r(), relu, EPSILON);
                assert_close(mean, other_mean, 1e-6);
                assert_close(variance, other_variance, 1e-6);
                if with {
                    assert_same!(ours, theirs, [x, weight, bias, residual], 1e-4);
                } else {
                    assert_same!(ours, theirs, [x, weight, bias], 1e-4);
                }
            }
        }
    }

    #[test]
    fn inference_equals_the_composition() {
        let shape = [3, 5, 7];
        let (x, residual) = (tensor(shape, 1), tensor(shape, 4));
        let [weight, bias] = parameters(5);
        for relu in [false, true] {
            let (mean, variance) = (tensor([5], 5), tensor([5], 6).abs());
            let (ours, theirs) = (
                batch_norm_inference(
                    x.clone(),
                    weight.clone(),
                    bias.clone(),
                    mean.clone(),
                    variance.clone(),
                    Some(residual.clone()),
                    relu,
                    EPSILON,
                ),
                composed_inference(
                    x.clone(),
                    weight.clone(),
                    bias.clone(),
                    [mean.detach(), variance.detach()],
                    Some(residual.clone()),
                    relu,
                    EPSILON,
                ),
            );
            assert_same!(ours, theirs, [x, weight, bias, residual], 1e-4);
        }
    }

    #[test]
    fn transposed_input_of_two_axes() {
        let (x, [weight, bias]) = (tensor([6, 9], 1), parameters(6));
        let run = || {
            batch_norm(
                x.clone().transpose(),
                weight.clone(),
                bias.clone(),
                None,
                true,
                EPSILON,
            )
        };
        let theirs = composed(
            x.clone().transpose(),
            weight.clone(),
            bias.clone(),
            None,
            true,
            EPSILON,
        );
        assert_same!(run().0, theirs.0, [x, weight, bias], 1e-4);
    }

    #[test]
    fn a_large_mean_costs_no_precision() {
        let (x, [weight, bias]) = (tensor([4, 2, 64], 1), parameters(2));
        let (_, _, near) = batch_norm(
            x.clone(),
            weight.clone(),
            bias.clone(),
            None,
            false,
            EPSILON,
        );
        let (_, mean, far) = batch_norm(x + 1000.0, weight, bias, None, false, EPSILON);
        assert!(
            mean.into_data()
                .iter::<f32>()
                .all(|mean| (mean - 1000.0).abs() < 1.0)
        );
        assert_close(far, near, 1e-3);
    }

    #[test]
    fn no_pictures() {
        let (x, [weight, bias]) = (tensor([0, 3, 2, 2], 1), parameters(3));
        let (mean, variance) = (tensor([3], 5), tensor([3], 6).abs());
        let y = batch_norm_inference(x, weight.clone(), bias, mean, variance, None, true, EPSILON);
        assert_eq!(y.dims(), [0, 3, 2, 2]);
        let dw = weight.grad(&y.sum().backward()).unwrap();
        assert_eq!(dw.into_data().try_to_vec::<f32>().unwrap(), [0.0; 3]);
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let (x, [weight, bias]) = (tensor([80, 3, 32, 32], 1), parameters(3));
            let (y, ..) = batch_norm(x.clone(), weight.clone(), bias, None, true, EPSILON);
            let mut values: Vec<f32> = y.clone().into_data().try_to_vec().unwrap();
            let grads = y.powi_scalar(2).sum().backward();
            for gradient in [
                x.grad(&grads).unwrap().flatten(0, 3),
                weight.grad(&grads).unwrap(),
            ] {
                let gradient: Tensor<1> = gradient;
                values.extend(gradient.into_data().try_to_vec::<f32>().unwrap());
            }
            values
        });
    }

    #[test]
    #[should_panic(
        expected = "batch_norm: input [2, 3, 4] has 3 channels, a parameter has shape [4]"
    )]
    fn parameters_of_another_size() {
        let [weight, bias] = parameters(4);
        batch_norm(tensor([2, 3, 4], 1), weight, bias, None, false, EPSILON);
    }
}
