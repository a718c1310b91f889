//! CROWN-IBP: margins bounded by linear functions of the input.

use super::margin::{indices, margins};
use super::{Bounds, Interval, Rounding};
use crate::error::Result;
use crate::graph::{Layer, Network, Pool, Statistics, affine, pictures};
use burn::tensor::{IndexingUpdateOp, Tensor, module, ops::MaxPoolOptions};
use offprint_kernels::{Conv2d as Conv2dOptions, conv_transpose2d};
use offprint_layers::Conv2d;

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
    let mut constant = Tensor::<2>::zeros([samples, classes], options);
    for (number, node) in network.nodes.iter().enumerate().rev() {
        let Some(slope) = slopes[number + 1].take() else {
            continue;
        };
        let value = node.inputs[0];
        let shape = network.shape(value);
        let (before, added) = match &node.layer {
            Layer::Linear(layer) => {
                let [outputs] = [layer.weight.dims()[1]];
                let rows = slope.clone().reshape([samples * classes, outputs]);
                let product = offprint_kernels::matmul(rows, layer.weight.val().transpose());
                let added = layer.bias.as_ref().map(|bias| weighted(&slope, bias.val()));
                (back(product, samples, classes), added)
            }
            Layer::Conv2d(layer) => convolution(layer, slope, shape, &node.shape),
            Layer::BatchNorm(norm) => {
                let (scale, shift) = affine(norm, statistics.and_then(|s| s.of(number)));
                let places = shape.iter().product::<usize>() / shape[0];
                let spread = |x: Tensor<1>| {
                    let x = x.reshape([shape[0], 1]).repeat_dim(1, places);
                    x.reshape([1, 1, shape[0] * places])
                };
                let added = (slope.clone() * spread(shift)).sum_dim(2);
                (
                    slope * spread(scale),
                    Some(added.reshape([samples, classes])),
                )
            }
            Layer::Relu(_) => {
                let (slope, added) = relu(slope, &bounds.values[value]);
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
    let features = slope.dims()[2];
    let product = |slope: Tensor<3>, x: Tensor<2>| {
        let x = x.reshape([samples, features, 1]);
        offprint_kernels::matmul(slope, x).reshape([samples, classes])
    };
    let lower = product(slope.clone(), center) - product(slope.abs(), input.radius()) + constant;
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

/// Rows as `[samples, classes, features]`.
fn back(rows: Tensor<2>, samples: usize, classes: usize) -> Tensor<3> {
    let [_, features] = rows.dims();
    rows.reshape([samples, classes, features])
}

/// `Σ_i slope[…, i] x[i]`.
fn weighted(slope: &Tensor<3>, x: Tensor<1>) -> Tensor<2> {
    let [samples, classes, features] = slope.dims();
    let rows = slope.clone().reshape([samples * classes, features]);
    let product = offprint_kernels::matmul(rows, x.reshape([features, 1]));
    product.reshape([samples, classes])
}

/// Slopes as pictures, `[samples · classes, …]`.
fn as_pictures(slope: Tensor<3>, shape: &[usize]) -> Tensor<4> {
    let [samples, classes, features] = slope.dims();
    pictures(slope.reshape([samples * classes, features]), shape)
}

fn from_pictures(x: Tensor<4>, samples: usize, classes: usize) -> Tensor<3> {
    let [_, channels, height, width] = x.dims();
    x.reshape([samples, classes, channels * height * width])
}

fn convolution(
    layer: &Conv2d,
    slope: Tensor<3>,
    input: &[usize],
    output: &[usize],
) -> (Tensor<3>, Option<Tensor<2>>) {
    let [samples, classes, _] = slope.dims();
    let slope = as_pictures(slope, output);
    let added = layer.bias.as_ref().map(|bias| {
        let [rows, channels, height, width] = slope.dims();
        let sums = slope
            .clone()
            .reshape([rows, channels, height * width])
            .sum_dim(2);
        let sums = sums.reshape([samples, classes, channels]);
        weighted(&sums, bias.val())
    });
    let size = [input[1], input[2]];
    let before = conv_transpose2d(slope, layer.weight.val(), size, layer.options);
    (from_pictures(before, samples, classes), added)
}

fn relu(slope: Tensor<3>, before: &Interval) -> (Tensor<3>, Tensor<2>) {
    let [samples, features] = before.dims();
    let [_, classes, _] = slope.dims();
    let lower = before.lower().clamp_max(0.0);
    let upper = before.upper().clamp_min(0.0);
    let upper = upper.max_pair(lower.clone() + 1e-8);
    let above = upper.clone() / (upper - lower.clone());
    let below = above.clone().greater_elem(0.5).float().cast(above.dtype());
    let shift = -(above.clone() * lower);
    let positive = slope.clone().clamp_min(0.0);
    let negative = slope.clamp_max(0.0);
    let spread = |x: Tensor<2>| x.reshape([samples, 1, features]);
    let added = offprint_kernels::matmul(negative.clone(), shift.reshape([samples, features, 1]));
    (
        positive * spread(below) + negative * spread(above),
        added.reshape([samples, classes]),
    )
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
    let negative = slope.clone().clamp_max(0.0);
    let upper = upper.reshape([samples, channels * outputs, 1]);
    let added = offprint_kernels::matmul(negative, upper).reshape([samples, classes]);
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
