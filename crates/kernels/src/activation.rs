//! Element-wise activations.

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// An element-wise function `y = f(x)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`.
    #[default]
    Identity,
    /// `max(0, x)`.
    Relu,
    /// `x Φ(x)`, with the normal distribution's `Φ(x) = ½ (1 + erf(x/√2))`.
    Gelu,
    /// `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))`, as GPT-2 has it.
    GeluTanh,
    /// `x σ(x)`.
    Silu,
    /// `σ(x) = 1 / (1 + e^−x)`.
    Sigmoid,
    /// `tanh x`.
    Tanh,
    /// `ln(1 + e^x)`.
    Softplus,
    /// `e^x`.
    Exp,
}

/// `f(x)`, element by element.
pub fn activate<const D: usize>(x: Tensor<D>, f: Activation) -> Tensor<D> {
    composed(x, f)
}

/// The same from Burn's primitives.
pub(crate) fn composed<const D: usize>(x: Tensor<D>, f: Activation) -> Tensor<D> {
    match f {
        Activation::Identity => x,
        Activation::Relu => activation::relu(x),
        Activation::Gelu => activation::gelu(x),
        Activation::GeluTanh => activation::gelu_approximate(x),
        Activation::Silu => activation::silu(x),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Softplus => activation::softplus(x, 1.0),
        Activation::Exp => x.exp(),
    }
}
