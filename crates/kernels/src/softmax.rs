//! Softmax and its logarithm along the last axis.

use burn::tensor::{Tensor, activation};

/// `y_i = e^{x_i} / Σ_j e^{x_j}` along the last axis.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::softmax(x, D - 1)
}

/// `y_i = x_i − ln Σ_j e^{x_j}` along the last axis.
pub fn log_softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::log_softmax(x, D - 1)
}
