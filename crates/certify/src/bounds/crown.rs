//! CROWN-IBP: margins bounded by linear functions of the input.

use super::margin::margins;
use super::relaxation::{avg_pool, max_pool, relu};
use super::{Bounds, Rounding};
use crate::error::Result;
use crate::graph::{Layer, Network, Statistics, affine, pictures};
use burn::module::Param;
use burn::tensor::{Int, Tensor, TensorData};
use offprint_kernels::{by_sign, conv_transpose2d, sum_by_sign};

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
    let options = (&input.center.device(), input.center.dtype());
    if classes == 1 {
        return Ok(Tensor::zeros([samples, 1], options));
    }
    let functions = classes - 1;
    let mut slopes: Vec<Option<Tensor<3>>> = vec![None; network.nodes.len() + 1];
    let rows = TensorData::new(differences(labels, classes), [samples, functions, classes]);
    slopes[network.nodes.len()] = Some(Tensor::from_data(rows, options));
    let mut merged = Merged::new(network, statistics);
    let mut constant = Tensor::<2>::zeros([samples, functions], options);
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
                let rows = slope.reshape([samples * functions, outputs]);
                let product = offprint_kernels::matmul(rows, weight.transpose());
                (product.reshape([samples, functions, features]), added)
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
                (before.reshape([samples, functions, features]), added)
            }
            // The ReLU behind it has left it nothing to do.
            Layer::BatchNorm(_) if merged.shifts[number] => (slope, None),
            Layer::BatchNorm(norm) => {
                let (scale, shift) = affine(norm, statistics.and_then(|s| s.of(number)));
                match merged.linear(value) {
                    Some(layer) => {
                        let added = shifted(&slope, shift);
                        merged.scales[layer] = Some(scale);
                        (slope, Some(added))
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
    let lower = with_labels(lower, labels);
    match bounds.rounding {
        Rounding::Nearest => Ok(lower),
        Rounding::Outward => Ok(lower - lost(network, bounds, labels)?),
    }
}

/// Rows of `logit[label] − logit[j]` for every class `j` but the label, one sample after another.
fn differences(labels: &[usize], classes: usize) -> Vec<f32> {
    let mut rows = Vec::with_capacity(labels.len() * classes * (classes - 1));
    for &label in labels {
        for other in (0..classes).filter(|&class| class != label) {
            rows.extend((0..classes).map(|class| match class {
                _ if class == label => 1.0,
                _ if class == other => -1.0,
                _ => 0.0,
            }));
        }
    }
    rows
}

/// Margins with the label's, which is 0, among them.
fn with_labels(lower: Tensor<2>, labels: &[usize]) -> Tensor<2> {
    let [samples, functions] = lower.dims();
    let (device, dtype) = (lower.device(), lower.dtype());
    let places = labels.iter().flat_map(|&label| {
        (0..=functions).map(move |class| match class {
            _ if class == label => functions as i64,
            _ => (class - usize::from(class > label)) as i64,
        })
    });
    let places = TensorData::new(places.collect(), [samples, functions + 1]);
    let places = Tensor::<2, Int>::from_data(places, &device);
    let zero = Tensor::zeros([samples, 1], (&device, dtype));
    Tensor::cat(vec![lower, zero], 1).gather(1, places)
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

    /// What the layers before a ReLU add to each channel of its input, which from now on is added; a batch norm's factors go
    /// to the layer before it.
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
                let layer = self.linear(before)?;
                let shift = match self.shift(before) {
                    Some(bias) => shift + scale.clone() * bias,
                    None => shift,
                };
                self.scales[layer] = Some(scale);
                shift
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
pub(super) fn spread(x: Tensor<1>, [samples, _, features]: [usize; 3]) -> Tensor<2> {
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

/// Slopes as pictures, `[samples · functions, …]`.
pub(super) fn as_pictures(slope: Tensor<3>, shape: &[usize]) -> Tensor<4> {
    let [samples, functions, features] = slope.dims();
    pictures(slope.reshape([samples * functions, features]), shape)
}
