//! Batch norm of channels.

mod planes;
#[cfg(test)]
mod tests;

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, quaternary, runs_on, ternary};
use crate::parallel::SHARED;
use crate::vector::Width;
use burn::tensor::{DType, Tensor, activation};
use planes::{Gradients, Normalize, Planes, Slopes, Squares, Sum, Terms, Total};
use rayon::prelude::*;
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

impl BatchNorm {
    /// Planes of a channel that one task handles.
    fn piece(&self) -> usize {
        (PIECE / self.plane.max(1)).max(1)
    }

    /// Numbers of which a channel's mean is taken.
    fn count(&self) -> f64 {
        (self.batch * self.plane) as f64
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

    /// Sums of two terms over a channel, in an order that does not depend on the number of threads.
    fn sums<T: Terms, const N: usize>(&self, planes: &[Planes<'_, N>], terms: T) -> [f64; 2] {
        let parts: Vec<_> = planes
            .par_chunks(self.piece())
            .map(|planes| {
                let plane = self.plane;
                Width::widest().run(Sum {
                    planes,
                    plane,
                    terms,
                })
            })
            .collect();
        let add = |a: [f64; 2], b: [f32; 2]| [a[0] + f64::from(b[0]), a[1] + f64::from(b[1])];
        parts.into_iter().fold([0.0; 2], add)
    }

    /// Mean and biased variance of a channel, one after the other.
    fn measure<const N: usize>(&self, x: &[f32], planes: &[Planes<'_, N>]) -> [f32; 2] {
        let [total, _] = self.sums(planes, Total(x));
        let mean = (total / self.count()) as f32;
        let [squares, _] = self.sums(planes, Squares(x, mean));
        [mean, (squares / self.count()) as f32]
    }
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
            planes.par_chunks_mut(self.piece()).for_each(|planes| {
                Width::widest().run(Normalize {
                    planes,
                    x,
                    mean,
                    scale: weight[channel] / (variance + self.epsilon).sqrt(),
                    bias: bias[channel],
                    residual,
                    relu: self.relu,
                });
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
        let room = |wanted: bool| Buffer::new(if wanted { x.len() } else { 0 });
        let mut dx = room(pass.wanted[0]);
        // Without a ReLU it is `dy`.
        let wants_residual = pass.wanted.get(3) == Some(&true);
        let mut counting = room(wants_residual && self.relu);
        let totals = self.each_channel([&mut dx, &mut counting], |channel, planes| {
            let inverse = 1.0 / (given.variance[channel] + self.epsilon).sqrt();
            let slopes = Slopes {
                x,
                mean: given.mean[channel],
                dy: pass.dy.f32(),
                mask: self.relu.then(|| pass.saved[0].f32()),
            };
            let [total, moment] = self.sums(planes, slopes);
            // dx = scale · (dy − mean of dy − x̂ · mean of dy x̂), where x̂ = (x − mean) · inverse.
            let [shift, slope] = match self.training {
                true => [total / self.count(), moment / self.count()].map(|mean| mean as f32),
                false => [0.0; 2],
            };
            planes.par_chunks_mut(self.piece()).for_each(|planes| {
                Width::widest().run(Gradients {
                    planes,
                    slopes,
                    scale: weight[channel] * inverse,
                    shift,
                    slope: slope * inverse * inverse,
                });
            });
            [total as f32, moment as f32 * inverse]
        });
        let parameter = |which: usize| {
            let values: Vec<f32> = totals.iter().map(|totals| totals[which]).collect();
            Array::new(values, [self.channels])
        };
        let mut gradients = vec![
            pass.wanted[0].then(|| Array::from_buffer(dx, self.shape.clone())),
            pass.wanted[1].then(|| parameter(1)),
            pass.wanted[2].then(|| parameter(0)),
        ];
        if wants_residual {
            gradients.push(Some(match self.relu {
                true => Array::from_buffer(counting, self.shape.clone()),
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
