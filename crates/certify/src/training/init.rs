//! Initial values of networks that are trained on bounds.

use crate::graph::{Layer, Network};
use burn::module::Param;
use burn::tensor::{Distribution, Tensor};

/// Standard deviation of the weights of a layer with `n` inputs an output: `√(2π) / n`, with which the radius of a box is the
/// same, in the mean, before and after the layer and its ReLU.
///
/// Source: Shi et al., "Fast Certified Robust Training with Short Warmup", NeurIPS 2021, section 4.1.
pub fn ibp_deviation(fan_in: usize) -> f64 {
    (2.0 * std::f64::consts::PI).sqrt() / fan_in as f64
}

/// Draws every weight but the last layer's from a normal distribution of [`ibp_deviation`]; halves those of layers that
/// read an addition, also through a ReLU, batch norm, pooling or flatten, because the addition doubles the radius. Biases
/// stay as they are.
///
/// The draws follow `device.seed(..)`.
///
/// ```
/// use burn::tensor::Device;
/// use offprint_certify::graph::NetworkConfig;
/// use offprint_certify::training::ibp_init;
/// # fn main() -> Result<(), offprint_certify::CertifyError> {
/// let device = Device::flex();
/// device.seed(1);
/// let network = ibp_init(NetworkConfig::cnn7([1, 28, 28], 4, 32, 10, true).init(&device)?);
/// assert_eq!(network.outputs(), 10);
/// # Ok(())
/// # }
/// ```
pub fn ibp_init(network: Network) -> Network {
    redrawn(network, |fan_in, _, added, last| {
        let halved = if added { 0.5 } else { 1.0 };
        (!last).then(|| Draw::Normal(ibp_deviation(fan_in) * halved))
    })
}

/// Draws every weight from a uniform distribution within `±√(6 / (n_in + n_out))`: what networks were started with before
/// they were trained on bounds. Biases become 0.
///
/// The draws follow `device.seed(..)`.
///
/// Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
pub fn xavier_init(network: Network) -> Network {
    let mut network = redrawn(network, |fan_in, fan_out, _, _| {
        Some(Draw::Uniform((6.0 / (fan_in + fan_out) as f64).sqrt()))
    });
    for node in &mut network.nodes {
        let bias = match &mut node.layer {
            Layer::Linear(layer) => &mut layer.bias,
            Layer::Conv2d(layer) => &mut layer.bias,
            _ => continue,
        };
        if let Some(bias) = bias {
            *bias = Param::from_tensor(Tensor::zeros(bias.dims(), &bias.device()));
        }
    }
    network
}

enum Draw {
    Normal(f64),
    Uniform(f64),
}

/// A network whose weights are drawn again where `draw(fan_in, fan_out, behind an addition, last)` says how.
fn redrawn(
    mut network: Network,
    draw: impl Fn(usize, usize, bool, bool) -> Option<Draw>,
) -> Network {
    let weighted = |layer: &Layer| matches!(layer, Layer::Linear(_) | Layer::Conv2d(_));
    let last = network.nodes.iter().rposition(|node| weighted(&node.layer));
    // Whether a value is an addition, perhaps with layers without weights behind it.
    let mut added = vec![false];
    for (number, node) in network.nodes.iter_mut().enumerate() {
        let behind = added[node.inputs[0]];
        added.push(match &node.layer {
            Layer::Add(_) => true,
            layer => behind && !weighted(layer),
        });
        let draw = |fan_in, fan_out| draw(fan_in, fan_out, behind, Some(number) == last);
        match &mut node.layer {
            Layer::Linear(layer) => {
                let [inputs, outputs] = layer.weight.dims();
                if let Some(draw) = draw(inputs, outputs) {
                    layer.weight = drawn(&layer.weight, &draw);
                }
            }
            Layer::Conv2d(layer) => {
                let [filters, channels, height, width] = layer.weight.dims();
                let taps = height * width;
                if let Some(draw) = draw(channels * taps, filters * taps) {
                    layer.weight = drawn(&layer.weight, &draw);
                }
            }
            _ => {}
        }
    }
    network
}

fn drawn<const D: usize>(like: &Param<Tensor<D>>, draw: &Draw) -> Param<Tensor<D>> {
    let (dims, device) = (like.dims(), like.device());
    let tensor = match draw {
        Draw::Normal(deviation) => {
            Tensor::random(dims, Distribution::Normal(0.0, 1.0), &device) * *deviation
        }
        Draw::Uniform(limit) => {
            Tensor::random(dims, Distribution::Uniform(-limit, *limit), &device)
        }
    };
    Param::from_tensor(tensor.detach())
}
