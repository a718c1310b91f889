//! CROWN-IBP: margins bounded by linear functions of the input.

use super::margin::{indices, margins};
use super::{Bounds, Interval, Rounding};
use crate::error::Result;
use crate::graph::{Layer, Network, Pool, Statistics, affine, pictures};
use burn::module::Param;
use burn::tensor::{IndexingUpdateOp, Tensor, module, ops::MaxPoolOptions};
use offprint_kernels::{Conv2d as Conv2dOptions, conv_transpose2d, scale_by_sign, sum_by_sign};

/// Lower bounds of `logit[label] − logit[j]` over the input box, by one backward pass of linear bounds whose ReLU
/// relaxations use the intervals of [`interval_forward`](super::interval_forward).
///
/// A ReLU with input bounds `l`, `u` (brought to `l ≤ 0 ≤ u` first) lies below `u (x − l) / (u − l)` and above `a x`, with
/// `a = 1` if `u / (u − l) > ½` and 0 else. Max pooling lies below the largest upper bound and above the element with the
/// largest lower bound. Slopes keep their gradient. Outward-rounded bounds take from each margin what the interval margins
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
                let added = (!merged.shifts[number]).then(|| shifted(&slope, shift));
                let slope = match merged.linear(value) {
                    Some(layer) => {
                        merged.scales[layer] = Some(scale);
                        slope
                    }
                    None => {
                        let scale = spread(scale, slope.dims());
                        scale_by_sign(slope, scale.clone(), scale)
                    }
                };
                (slope, added)
            }
            Layer::Relu(_) => {
                let (slope, added) = relu(slope, &bounds.values[value], merged.shift(value));
                (slope, Some(added))
            }
            Layer::MaxPool(pool) => {
                let (slope, added) = max_pool(pool, slope, &bounds.values[value], shape);
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
                let before = node.inputs[0];
                match self.linear(before).and_then(|_| self.shift(before)) {
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
    let slope = scale_by_sign(slope, below, above);
    // Below the upper line lies `above (x − l)`: a slope that is negative, and now holds `above`, adds `−l` times itself.
    let (positive, negative) = match shift {
        Some(shift) => {
            let shift = spread(shift, slope.dims());
            (shift.clone(), shift - lower)
        }
        None => (lower.zeros_like(), -lower),
    };
    let added = sum_by_sign(slope.clone(), positive, negative);
    (slope, added)
}

fn max_pool(
    pool: &Pool,
    slope: Tensor<3>,
    before: &Interval,
    shape: &[usize],
) -> (Tensor<3>, Tensor<2>) {
    let [samples, classes, _] = slope.dims();
    let window = pool.window;
    let options = MaxPoolOptions {
        kernel_size: window.kernel,
        stride: window.stride,
        padding: window.padding.map(|side| (side, side)),
        dilation: [1, 1],
        ceil_mode: false,
    };
    let upper = module::max_pool2d(pictures(before.upper(), shape), options.clone());
    let (_, chosen) = module::max_pool2d_with_indices(pictures(before.lower(), shape), options);
    let [_, channels, height, width] = chosen.dims();
    let (outputs, places) = (height * width, shape[1] * shape[2]);
    let upper = upper.reshape([samples, channels * outputs]);
    let added = sum_by_sign(slope.clone(), upper.zeros_like(), upper);
    // Each window's slope goes to the element that it chose.
    let chosen = chosen
        .reshape([samples, 1, channels, outputs])
        .repeat_dim(1, classes)
        .reshape([samples * classes, channels, outputs]);
    let positive = slope
        .clamp_min(0.0)
        .reshape([samples * classes, channels, outputs]);
    let options = (&positive.device(), positive.dtype());
    let nothing = Tensor::<3>::zeros([samples * classes, channels, places], options);
    let before = nothing.scatter(2, chosen, positive, IndexingUpdateOp::Add);
    (before.reshape([samples, classes, channels * places]), added)
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
