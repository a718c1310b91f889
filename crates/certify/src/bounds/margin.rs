//! Margins: by how much the logit of the label beats the others.

use super::Bounds;
use super::rounding::{Rounding, gamma, roundoff};
use crate::error::Result;
use crate::graph::Network;
use burn::tensor::{Device, Int, Tensor};
use offprint_kernels::{CrossEntropy, abs, cross_entropy};

/// Lower bounds of `logit[label] − logit[j]` over a box, from the interval before the last layer.
///
/// The last linear layer is merged with the differences: `m (w_y − w_j) + b_y − b_j − r |w_y − w_j|`, which is tighter than
/// the difference of two logits' bounds. A sample is certified if all its margins but that of the label, which is 0, are
/// above 0.
///
/// # Shapes
/// * result: `[batch, classes]`
///
/// # Errors
/// The network does not end with a linear layer, or the labels do not fit.
pub fn margins(network: &Network, bounds: &Bounds, labels: &[usize]) -> Result<Tensor<2>> {
    let last = network.check_ending()?;
    let value = network.nodes.last().map_or(0, |node| node.inputs[0]);
    let before = &bounds.values[value];
    let [samples, features] = before.dims();
    network.check_labels(labels, samples)?;
    let classes = network.outputs();
    let device = before.center().device();
    let labels = indices(labels, &device);
    let weight = last.weight.val();
    // [batch, features, classes]
    let own = weight.clone().select(1, labels.clone()).transpose();
    let differences = own.reshape([samples, features, 1]) - weight.reshape([1, features, classes]);
    let spread = abs(differences.clone());
    let product = |x: Tensor<2>, weight: Tensor<3>| {
        let x = x.reshape([samples, 1, features]);
        offprint_kernels::matmul(x, weight).reshape([samples, classes])
    };
    let mut center = product(before.center(), differences);
    let mut shift = None;
    if let Some(bias) = &last.bias {
        let bias = bias.val();
        let own = bias.clone().select(0, labels).reshape([samples, 1]);
        let difference = own - bias.reshape([1, classes]);
        center = center + difference.clone();
        shift = Some(difference);
    }
    let radius = product(before.radius(), spread.clone());
    let lower = center.clone() - radius.clone();
    if bounds.rounding == Rounding::Nearest {
        return Ok(lower);
    }
    // As for a linear layer, whose logits are then subtracted.
    let dtype = lower.dtype();
    let mut sum = product(before.center().abs() + before.radius(), spread);
    if let Some(shift) = shift {
        sum = sum + shift.abs();
    }
    let logits = bounds.output().center().abs() + bounds.output().radius();
    let largest = logits.clone().max_dim(1) + logits;
    let lost = sum * (4.0 * gamma(features + 4, dtype))
        + largest * (8.0 * gamma(features + 4, dtype))
        + (center.abs() + radius) * (8.0 * roundoff(dtype));
    Ok(lower - lost)
}

/// Cross-entropy of the logits that are worst for the label: `−margins`, in which the label's is 0.
///
/// # Errors
/// The labels do not fit.
pub fn robust_loss(network: &Network, margins: Tensor<2>, labels: &[usize]) -> Result<Tensor<1>> {
    let [samples, _] = margins.dims();
    network.check_labels(labels, samples)?;
    let targets = indices(labels, &margins.device());
    Ok(cross_entropy(-margins, targets, CrossEntropy::default()))
}

/// Labels on a device.
pub(crate) fn indices(labels: &[usize], device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    Tensor::from_data(labels.as_slice(), device)
}
