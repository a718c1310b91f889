//! The layers of branch and trunk.

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor};
use offprint_kernels::{Activation, activate, linear, matmul, sum};

/// `f(x W + b)`.
#[derive(Module, Debug)]
pub struct Dense {
    /// `[input, output]`.
    pub weight: Param<Tensor<2>>,
    /// `[output]`.
    pub bias: Param<Tensor<1>>,
}

/// `p` layers side by side, each with weights of its own.
#[derive(Module, Debug)]
pub struct StackedDense {
    /// `[p, input, output]`.
    pub weight: Param<Tensor<3>>,
    /// `[p, output]`.
    pub bias: Param<Tensor<2>>,
}

/// The branch network.
#[derive(Module, Debug)]
pub enum Branch {
    /// Unstacked: one network of `p` outputs.
    Dense(Vec<Dense>),
    /// Stacked: `p` networks of one output each.
    Stacked(Vec<StackedDense>),
}

/// Weights `N(0, 2/(input + output))` of a layer from `input` to `output` numbers (Glorot and Bengio 2010).
pub fn glorot_normal<const D: usize>(
    shape: [usize; D],
    input: usize,
    output: usize,
    device: &Device,
) -> Param<Tensor<D>> {
    let deviation = (2.0 / (input + output) as f64).sqrt();
    Param::from_tensor(Tensor::random(
        shape,
        Distribution::Normal(0.0, deviation),
        device,
    ))
}

impl Dense {
    pub(super) fn new(input: usize, output: usize, device: &Device) -> Self {
        Self {
            weight: glorot_normal([input, output], input, output, device),
            bias: Param::from_tensor(Tensor::zeros([output], device)),
        }
    }

    pub(super) fn forward(&self, x: Tensor<2>, f: Activation) -> Tensor<2> {
        linear(x, self.weight.val(), Some(self.bias.val()), f)
    }
}

impl StackedDense {
    pub(super) fn new(count: usize, input: usize, output: usize, device: &Device) -> Self {
        Self {
            weight: glorot_normal([count, input, output], input, output, device),
            bias: Param::from_tensor(Tensor::zeros([count, output], device)),
        }
    }

    /// All `p` layers on the same input: one wide layer. `[n, input] → [n, p, output]`.
    fn spread(&self, x: Tensor<2>, f: Activation) -> Tensor<3> {
        let [count, input, output] = self.weight.dims();
        let weight = self.weight.val().swap_dims(0, 1);
        let weight = weight.reshape([input, count * output]);
        let bias = self.bias.val().reshape([count * output]);
        let rows = x.dims()[0];
        linear(x, weight, Some(bias), f).reshape([rows, count, output])
    }

    /// Each layer on its own input: `[p, n, input] → [p, n, output]`.
    fn each(&self, x: Tensor<3>, f: Activation) -> Tensor<3> {
        let bias = self.bias.val().unsqueeze_dim(1);
        activate(matmul(x, self.weight.val()) + bias, f)
    }

    /// The last layer, of one output: `[n, p, input] → [n, p]`.
    fn end(&self, x: Tensor<3>) -> Tensor<2> {
        let [count, input, _] = self.weight.dims();
        let weight = self.weight.val().reshape([1, count, input]);
        let bias = self.bias.val().reshape([1, count]);
        sum(x * weight, 2).squeeze_dim::<2>(2) + bias
    }
}

impl Branch {
    /// Number of sensors.
    pub fn input(&self) -> usize {
        match self {
            Branch::Dense(layers) => layers[0].weight.dims()[0],
            Branch::Stacked(layers) => layers[0].weight.dims()[1],
        }
    }

    /// `[n, m] → [n, p]`: the activation between the layers, none after the last.
    pub(super) fn forward(&self, u: Tensor<2>, f: Activation) -> Tensor<2> {
        let none = Activation::Identity;
        match self {
            Branch::Dense(layers) => {
                let (last, before) = layers.split_last().expect("a network has a layer");
                let h = before.iter().fold(u, |h, layer| layer.forward(h, f));
                last.forward(h, none)
            }
            Branch::Stacked(layers) => match &layers[..] {
                [] => unreachable!("a network has a layer"),
                [only] => only.spread(u, none).squeeze_dim(2),
                [first, middle @ .., last] => {
                    let mut h = first.spread(u, f);
                    if !middle.is_empty() {
                        let apart = h.swap_dims(0, 1);
                        let through = middle.iter().fold(apart, |h, layer| layer.each(h, f));
                        h = through.swap_dims(0, 1);
                    }
                    last.end(h)
                }
            },
        }
    }
}
