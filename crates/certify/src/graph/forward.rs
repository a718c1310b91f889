//! What a network computes at a point.

use super::{Layer, Network};
use crate::error::Result;
use burn::tensor::Tensor;
use offprint_kernels::{
    Activation, activate, add, avg_pool2d, batch_norm_inference, conv2d, linear, max_pool2d,
};
use offprint_layers::BatchNorm;

/// Mean and biased variance of each channel over a batch, with their gradients.
#[derive(Clone, Debug)]
pub struct Moments {
    /// `[channels]`.
    pub mean: Tensor<1>,
    /// `[channels]`.
    pub variance: Tensor<1>,
    /// Elements that they were taken over.
    pub count: usize,
}

/// Moments of the batch norms of a network, by node; `None` for other layers.
#[derive(Clone, Debug, Default)]
pub struct Statistics(pub Vec<Option<Moments>>);

impl Statistics {
    /// Moments of a node, if it is a batch norm and they were taken.
    pub fn of(&self, node: usize) -> Option<&Moments> {
        self.0.get(node)?.as_ref()
    }
}

impl Network {
    /// Logits at points; batch norms use their running statistics.
    ///
    /// # Shapes
    /// * `x`: `[batch, …]`, a sample as the network reads it or flat
    /// * result: `[batch, classes]`
    ///
    /// # Errors
    /// The samples have another shape than the network reads.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<2>> {
        let x = self.rows(x)?;
        Ok(self.values(x, false).0.pop().expect("the input at least"))
    }

    /// Logits at points and the statistics of the batch that the batch norms used, with gradients through them.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn forward_training<const D: usize>(
        &self,
        x: Tensor<D>,
    ) -> Result<(Tensor<2>, Statistics)> {
        let x = self.rows(x)?;
        let (mut values, statistics) = self.values(x, true);
        Ok((values.pop().expect("the input at least"), statistics))
    }

    /// Moves the running statistics of the batch norms toward those of a batch.
    pub fn update(&self, statistics: &Statistics) {
        for (number, node) in self.nodes.iter().enumerate() {
            let (Layer::BatchNorm(norm), Some(moments)) = (&node.layer, statistics.of(number))
            else {
                continue;
            };
            // The running variance is unbiased, as in PyTorch.
            let count = moments.count as f64;
            let unbiased = moments.variance.clone() * (count / (count - 1.0).max(1.0));
            for (state, batch) in [
                (&norm.running_mean, moments.mean.clone()),
                (&norm.running_variance, unbiased),
            ] {
                let momentum = f64::from(norm.momentum);
                let old = state.value().detach();
                state.update((old * (1.0 - momentum) + batch.detach() * momentum).detach());
                // An update waits until it is asked for; whoever saves or evaluates the network next must see it.
                state.value_sync();
            }
        }
    }

    /// Every value, the input first.
    pub(crate) fn values(&self, x: Tensor<2>, training: bool) -> (Vec<Tensor<2>>, Statistics) {
        let mut values = vec![x];
        let mut statistics = Statistics(vec![None; self.nodes.len()]);
        for (number, node) in self.nodes.iter().enumerate() {
            let x = values[node.inputs[0]].clone();
            let shape = self.shape(node.inputs[0]);
            let y = match &node.layer {
                Layer::Linear(layer) => linear(
                    x,
                    layer.weight.val(),
                    layer.bias.as_ref().map(|bias| bias.val()),
                    Activation::Identity,
                ),
                Layer::Conv2d(layer) => rows(conv2d(
                    pictures(x, shape),
                    layer.weight.val(),
                    layer.bias.as_ref().map(|bias| bias.val()),
                    layer.options,
                    false,
                )),
                Layer::BatchNorm(norm) if training => {
                    let moments = moments(x.clone(), shape);
                    let y = scaled(x, shape, affine(norm, Some(&moments)));
                    statistics.0[number] = Some(moments);
                    y
                }
                Layer::BatchNorm(norm) => rows(batch_norm_inference(
                    planes(x, shape),
                    norm.weight.val(),
                    norm.bias.val(),
                    norm.running_mean.value(),
                    norm.running_variance.value(),
                    None,
                    false,
                    norm.epsilon,
                )),
                Layer::Relu(_) => activate(x, Activation::Relu),
                Layer::MaxPool(pool) => rows(max_pool2d(
                    pictures(x, shape),
                    pool.window.kernel,
                    pool.window.stride,
                    pool.window.padding,
                )),
                Layer::AvgPool(pool) => rows(avg_pool2d(
                    pictures(x, shape),
                    pool.window.kernel,
                    pool.window.stride,
                    pool.window.padding,
                )),
                Layer::Flatten(_) => x,
                Layer::Add(_) => add(x, values[node.inputs[1]].clone()),
            };
            values.push(y);
        }
        (values, statistics)
    }
}

/// Rows of features as pictures.
pub(crate) fn pictures(x: Tensor<2>, shape: &[usize]) -> Tensor<4> {
    let [rows, _] = x.dims();
    x.reshape([rows, shape[0], shape[1], shape[2]])
}

/// Rows of features as channels of places.
pub(crate) fn planes(x: Tensor<2>, shape: &[usize]) -> Tensor<3> {
    let [rows, features] = x.dims();
    x.reshape([rows, shape[0], features / shape[0]])
}

/// Anything as rows of features.
pub(crate) fn rows<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    let shape = x.dims();
    x.reshape([shape[0], shape[1..].iter().product()])
}

/// Mean and biased variance of each channel.
fn moments(x: Tensor<2>, shape: &[usize]) -> Moments {
    let channels = shape[0];
    let x = planes(x, shape).swap_dims(0, 1);
    let count = x.dims()[1] * x.dims()[2];
    let x = x.reshape([channels, count]);
    Moments {
        mean: offprint_kernels::mean(x.clone(), 1).reshape([channels]),
        variance: offprint_kernels::variance(x, 1, 0).reshape([channels]),
        count,
    }
}

/// Batch norm as `x · scale + shift` of each channel: with the statistics of a batch, or the running ones.
pub(crate) fn affine(norm: &BatchNorm, moments: Option<&Moments>) -> (Tensor<1>, Tensor<1>) {
    let (mean, variance) = match moments {
        Some(moments) => (moments.mean.clone(), moments.variance.clone()),
        None => (norm.running_mean.value(), norm.running_variance.value()),
    };
    let scale = norm.weight.val() / (variance + norm.epsilon).sqrt();
    let shift = norm.bias.val() - mean * scale.clone();
    (scale, shift)
}

/// `x · scale + shift` of each channel.
pub(crate) fn scaled(
    x: Tensor<2>,
    shape: &[usize],
    (scale, shift): (Tensor<1>, Tensor<1>),
) -> Tensor<2> {
    // Batch norm of mean 0 and variance 1 is such a product, in one pass and with its gradients in another.
    let (zeros, ones) = (shift.zeros_like(), scale.ones_like());
    rows(batch_norm_inference(
        planes(x, shape),
        scale,
        shift,
        zeros,
        ones,
        None,
        false,
        0.0,
    ))
}
