//! CROWN-IBP: margins bounded by linear functions of the input.

use super::margin::{indices, margins};
use super::{Bounds, Interval, Rounding};
use crate::error::Result;
use crate::graph::{Layer, Network, Pool, Statistics, Window, affine, pictures};
use burn::module::Param;
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};
use offprint_kernels::{Conv2d as Conv2dOptions, by_sign, conv_transpose2d, sum_by_sign};

/// Lower bounds of `logit[label] − logit[j]` over the input box, by one backward pass of linear bounds whose ReLU
/// relaxations use the intervals of [`interval_forward`](super::interval_forward).
///
/// A ReLU with input bounds `l`, `u` (brought to `l ≤ 0 ≤ u` first) lies below `u (x − l) / (u − l)` and above `a x`, with
/// `a = 1` if `u / (u − l) > ½` and 0 else. Max pooling lies below the largest upper bound and above the element with the
/// largest lower bound, and is that element where no other can exceed it. Slopes keep their gradient. Outward-rounded bounds take from each margin what the interval margins
/// lose by rounding: the same sums, in another order.
///
/// # Shapes
/// * result: `[batch, classes]`; the label's entry is 0
///
/// # Errors
/// The network does not end with a linear layer, or the labels do not fit.
///
/// Source: Zhang et al., "Towards Stable and Efficient Training of Verifiably Robust Neural Networks", ICLR 2020; the
/// adaptive lower slope is that of Zhang et al., "Efficient Neural Network Robustness Certification with General Activation
/// Functions", 2018.
pub fn crown_ibp(
    network: &Network,
    bounds: &Bounds,
    labels: &[usize],
    statistics: Option<&Statistics>,
) -> Result<Tensor<2>> {
    network.check_ending()?;
    let input = &bounds.values[0];
    let [samples, _] = input.dims();
    network.check_labels(labels, samples)?;
    let classes = network.outputs();
    let center = input.center();
    // Rows of the differences: +1 at the label, −1 at class j.
    let targets = indices(labels, &center.device());
    let options = (&center.device(), center.dtype());
    let eye = Tensor::<2>::eye(classes, &center.device()).cast(center.dtype());
    let own = eye.clone().select(0, targets);
    let differences = own.reshape([samples, 1, classes]) - eye.reshape([1, classes, classes]);
    let mut slopes: Vec<Option<Tensor<3>>> = vec![None; network.nodes.len() + 1];
    slopes[network.nodes.len()] = Some(differences);
    let mut merged = Merged::new(network, statistics);
    let mut constant = Tensor::<2>::zeros([samples, classes], options);
    for (number, node) in network.nodes.iter().enumerate().rev() {
        let Some(slope) = slopes[number + 1].take() else {
            continue;
        };
        let value = node.inputs[0];
        let shape = network.shape(value);
        let features = shape.iter().product();
        let (before, added) = match &node.layer {
            Layer::Linear(layer) => {
                let bias = merged.bias(number, layer.bias.as_ref());
                let added = bias.map(|bias| shifted(&slope, bias));
                let weight = match merged.scales[number].take() {
                    Some(scale) => layer.weight.val() * scale.reshape([1, -1]),
                    None => layer.weight.val(),
                };
                let [_, outputs] = weight.dims();
                let rows = slope.reshape([samples * classes, outputs]);
                let product = offprint_kernels::matmul(rows, weight.transpose());
                (product.reshape([samples, classes, features]), added)
            }
            Layer::Conv2d(layer) => {
                let bias = merged.bias(number, layer.bias.as_ref());
                let added = bias.map(|bias| shifted(&slope, bias));
                let weight = match merged.scales[number].take() {
                    Some(scale) => layer.weight.val() * scale.reshape([-1, 1, 1, 1]),
                    None => layer.weight.val(),
                };
                let pictures = as_pictures(slope, &node.shape);
                let size = [shape[1], shape[2]];
                let before = conv_transpose2d(pictures, weight, size, layer.options);
                (before.reshape([samples, classes, features]), added)
            }
            Layer::BatchNorm(norm) => {
                let (scale, shift) = affine(norm, statistics.and_then(|s| s.of(number)));
                match merged.linear(value) {
                    Some(layer) => {
                        merged.scales[layer] = Some(scale);
                        let added = (!merged.shifts[number]).then(|| shifted(&slope, shift));
                        (slope, added)
                    }
                    None => {
                        let [scale, shift] = [scale, shift].map(|x| spread(x, slope.dims()));
                        let (scales, shifts) = ([scale.clone(), scale], [shift.clone(), shift]);
                        let (slope, added) = by_sign(slope, scales, shifts);
                        (slope, Some(added))
                    }
                }
            }
            Layer::Relu(_) => {
                let (slope, added) = relu(slope, &bounds.values[value], merged.shift(value));
                (slope, Some(added))
            }
            Layer::MaxPool(pool) => {
                let (slope, added) =
                    max_pool(pool, slope, &bounds.values[value], shape, &node.shape);
                (slope, Some(added))
            }
            Layer::AvgPool(pool) => (avg_pool(pool, slope, shape, &node.shape), None),
            Layer::Flatten(_) => (slope, None),
            Layer::Add(_) => {
                accumulate(&mut slopes[node.inputs[1]], slope.clone());
                (slope, None)
            }
        };
        if let Some(added) = added {
            constant = constant + added;
        }
        accumulate(&mut slopes[value], before);
    }
    let slope = slopes[0].take().expect("every value comes from the input");
    let lower = sum_by_sign(slope, input.lower(), input.upper()) + constant;
    match bounds.rounding {
        Rounding::Nearest => Ok(lower),
        Rounding::Outward => Ok(lower - lost(network, bounds, labels)?),
    }
}

/// What outward rounding takes from interval margins.
fn lost(network: &Network, bounds: &Bounds, labels: &[usize]) -> Result<Tensor<2>> {
    let nearest = super::interval_forward(network, &bounds.values[0], None, Rounding::Nearest)?;
    let loose = margins(network, bounds, labels)?;
    let tight = margins(network, &nearest, labels)?;
    Ok((tight - loose).clamp_min(0.0))
}

fn accumulate(slope: &mut Option<Tensor<3>>, more: Tensor<3>) {
    *slope = Some(match slope.take() {
        Some(slope) => slope + more,
        None => more,
    });
}

/// What a layer leaves to another, so that fewer passes go over the slopes: a batch norm its factors to the linear layer or
/// convolution that alone it reads, and those layers what they add to the ReLU that alone reads them.
struct Merged<'a> {
    network: &'a Network,
    statistics: Option<&'a Statistics>,
    /// How many nodes read a value.
    readers: Vec<usize>,
    /// Factors of a node's outputs.
    scales: Vec<Option<Tensor<1>>>,
    /// Whether what a node adds has been added.
    shifts: Vec<bool>,
}

impl<'a> Merged<'a> {
    fn new(network: &'a Network, statistics: Option<&'a Statistics>) -> Self {
        let nodes = network.nodes.len();
        let mut readers = vec![0; nodes + 1];
        for value in network.nodes.iter().flat_map(|node| &node.inputs) {
            readers[*value] += 1;
        }
        Self {
            network,
            statistics,
            readers,
            scales: vec![None; nodes],
            shifts: vec![false; nodes],
        }
    }

    /// The node that gives a value, if only one reads it.
    fn sole(&self, value: usize) -> Option<usize> {
        value.checked_sub(1).filter(|_| self.readers[value] == 1)
    }

    /// The linear layer or convolution that gives a value which only one node reads.
    fn linear(&self, value: usize) -> Option<usize> {
        self.sole(value).filter(|&node| {
            let layer = &self.network.nodes[node].layer;
            matches!(layer, Layer::Linear(_) | Layer::Conv2d(_))
        })
    }

    /// What the layers before a ReLU add to each channel of its input, which from now on is added.
    fn shift(&mut self, value: usize) -> Option<Tensor<1>> {
        let number = self.sole(value)?;
        let node = &self.network.nodes[number];
        let shift = match &node.layer {
            Layer::Linear(layer) => layer.bias.as_ref()?.val(),
            Layer::Conv2d(layer) => layer.bias.as_ref()?.val(),
            Layer::BatchNorm(norm) => {
                let (scale, shift) = affine(norm, self.statistics.and_then(|s| s.of(number)));
                // One that keeps its factors adds with them.
                let before = node.inputs[0];
                self.linear(before)?;
                match self.shift(before) {
                    Some(bias) => shift + scale * bias,
                    None => shift,
                }
            }
            _ => return None,
        };
        self.shifts[number] = true;
        Some(shift)
    }

    /// The bias of a node that has not been added, times the factors of its outputs.
    fn bias(&self, node: usize, bias: Option<&Param<Tensor<1>>>) -> Option<Tensor<1>> {
        let bias = bias.filter(|_| !self.shifts[node])?.val();
        Some(match self.scales[node].clone() {
            Some(scale) => bias * scale,
            None => bias,
        })
    }
}

/// A number a channel as one a feature of every sample, `[samples, features]`.
fn spread(x: Tensor<1>, [samples, _, features]: [usize; 3]) -> Tensor<2> {
    let [channels] = x.dims();
    let x = x.reshape([1, channels, 1]);
    x.expand([samples, channels, features / channels])
        .reshape([samples, features])
}

/// `Σ slope · x` over the features, with a number a channel.
fn shifted(slope: &Tensor<3>, x: Tensor<1>) -> Tensor<2> {
    let x = spread(x, slope.dims());
    sum_by_sign(slope.clone(), x.clone(), x)
}

/// Slopes as pictures, `[samples · classes, …]`.
fn as_pictures(slope: Tensor<3>, shape: &[usize]) -> Tensor<4> {
    let [samples, classes, features] = slope.dims();
    pictures(slope.reshape([samples * classes, features]), shape)
}

fn relu(slope: Tensor<3>, before: &Interval, shift: Option<Tensor<1>>) -> (Tensor<3>, Tensor<2>) {
    let lower = before.lower().clamp_max(0.0);
    let upper = before.upper().clamp_min(0.0);
    let upper = upper.max_pair(lower.clone() + 1e-8);
    let above = upper.clone() / (upper - lower.clone());
    let below = above.clone().greater_elem(0.5).float().cast(above.dtype());
    // Below the upper line lies `above (x − l)`.
    let offset = -(above.clone() * lower);
    let offsets = match shift {
        Some(shift) => {
            let shift = spread(shift, slope.dims());
            let upward = below.clone() * shift.clone();
            [upward, offset + above.clone() * shift]
        }
        None => [offset.zeros_like(), offset],
    };
    by_sign(slope, [below, above], offsets)
}

/// Each window lies above the element with the largest lower bound, and below the largest upper bound; where no other
/// element can exceed the former, the window is that element.
fn max_pool(
    pool: &Pool,
    slope: Tensor<3>,
    before: &Interval,
    input: &[usize],
    output: &[usize],
) -> (Tensor<3>, Tensor<2>) {
    let [samples, classes, _] = slope.dims();
    let (channels, places) = (input[0], input[1] * input[2]);
    let (planes, windows) = (samples * channels, output[1] * output[2]);
    let choices = choices(pool.window, before, input, output);
    let device = slope.device();
    let index = |places: Vec<i64>| {
        let data = TensorData::new(places, [planes, windows]);
        Tensor::<2, Int>::from_data(data, &device)
    };
    let (chosen, largest) = (index(choices.chosen), index(choices.largest));
    let upper = before.upper().reshape([planes, places]).gather(1, largest);
    let upper = upper.reshape([samples, channels * windows]);
    let alone = TensorData::new(choices.alone, [samples, channels * windows]);
    let alone = Tensor::<2>::from_data(alone, (&device, upper.dtype()));
    let below = upper * (alone.ones_like() - alone.clone());
    let factors = [alone.ones_like(), alone];
    let (slope, added) = by_sign(slope, factors, [below.zeros_like(), below]);
    // Each window's slope goes to the element that it chose.
    let chosen = chosen
        .reshape([samples, 1, channels, windows])
        .repeat_dim(1, classes)
        .reshape([samples * classes, channels, windows]);
    let slope = slope.reshape([samples * classes, channels, windows]);
    let nothing = Tensor::<3>::zeros(
        [samples * classes, channels, places],
        (&device, slope.dtype()),
    );
    let before = nothing.scatter(2, chosen, slope, IndexingUpdateOp::Add);
    (before.reshape([samples, classes, channels * places]), added)
}

/// Of each window: places in the plane, and marks.
struct Choices {
    /// The element with the largest lower bound.
    chosen: Vec<i64>,
    /// The element with the largest upper bound.
    largest: Vec<i64>,
    /// 1 where no other's upper bound is above the chosen one's lower bound, 0 elsewhere.
    alone: Vec<f32>,
}

fn choices(window: Window, before: &Interval, input: &[usize], output: &[usize]) -> Choices {
    let (lower, upper) = (before.lower().into_data(), before.upper().into_data());
    let [lower, upper] = [lower, upper].map(|data| data.iter::<f64>().collect::<Vec<_>>());
    let (height, width) = (input[1], input[2]);
    let (mut chosen, mut largest, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    let reach = |axis: usize, at: usize, size: usize| {
        let first = (at * window.stride[axis]) as isize - window.padding[axis] as isize;
        let end = first + window.kernel[axis] as isize;
        first.max(0) as usize..(end.max(0) as usize).min(size)
    };
    for (lower, upper) in lower
        .chunks_exact(height * width)
        .zip(upper.chunks_exact(height * width))
    {
        for i in 0..output[1] {
            for j in 0..output[2] {
                let lines = reach(0, i, height);
                let cells = || {
                    let columns = reach(1, j, width);
                    lines.clone().flat_map(move |line| {
                        columns.clone().map(move |column| line * width + column)
                    })
                };
                // The first of equal ones, as pooling itself.
                let best = |bound: &[f64]| {
                    cells()
                        .reduce(|best, cell| {
                            if bound[cell] > bound[best] {
                                cell
                            } else {
                                best
                            }
                        })
                        .unwrap_or(0)
                };
                let (most, top) = (best(lower), best(upper));
                chosen.push(most as i64);
                largest.push(top as i64);
                let beaten = cells().all(|cell| cell == most || upper[cell] <= lower[most]);
                alone.push(f32::from(u8::from(beaten)));
            }
        }
    }
    Choices {
        chosen,
        largest,
        alone,
    }
}

fn avg_pool(pool: &Pool, slope: Tensor<3>, input: &[usize], output: &[usize]) -> Tensor<3> {
    let [samples, classes, _] = slope.dims();
    let window = pool.window;
    // Each channel by itself: channels are samples.
    let [rows, channels] = [samples * classes, input[0]];
    let slope = as_pictures(slope, output).reshape([rows * channels, 1, output[1], output[2]]);
    let [height, width] = window.kernel;
    let share = 1.0 / (height * width) as f64;
    let weight = Tensor::<4>::full(
        [1, 1, height, width],
        share,
        (&slope.device(), slope.dtype()),
    );
    let options = Conv2dOptions {
        stride: window.stride,
        padding: window.padding,
        ..Conv2dOptions::default()
    };
    let before = conv_transpose2d(slope, weight, [input[1], input[2]], options);
    before.reshape([samples, classes, channels * input[1] * input[2]])
}
