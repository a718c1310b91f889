//! Interval bound propagation.

use super::rounding::{self, Rounding};
use crate::error::{CertifyError, Result, check_clip, check_not_negative};
use crate::graph::{Layer, Network, Statistics, affine, pictures, planes, rows, scaled};
use burn::tensor::Tensor;
use offprint_kernels::{
    Activation, abs, add, avg_pool2d, batch_norm_inference, conv2d, interval_relu, linear,
    max_pool2d,
};
use offprint_layers::BatchNorm;

/// A box a sample: `center ± radius`, element by element.
#[derive(Clone, Debug)]
pub struct Interval {
    pub(super) center: Tensor<2>,
    pub(super) radius: Tensor<2>,
}

impl Interval {
    /// The box of these bounds, `[batch, features]`.
    ///
    /// # Errors
    /// A lower bound above its upper bound, or a bound that is not finite.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn new(lower: Tensor<2>, upper: Tensor<2>) -> Result<Self> {
        assert_eq!(lower.dims(), upper.dims(), "shapes of both bounds");
        let (low, high) = (lower.to_data(), upper.to_data());
        for (index, (lower, upper)) in low.iter::<f64>().zip(high.iter::<f64>()).enumerate() {
            if let Some(&value) = [lower, upper].iter().find(|value| !value.is_finite()) {
                return Err(CertifyError::NotFinite { index, value });
            }
            if lower > upper {
                return Err(CertifyError::Crossed {
                    index,
                    lower,
                    upper,
                });
            }
        }
        Ok(Self::between(lower, upper))
    }

    /// The box of half width `eps` around each row, within the range `clip`.
    ///
    /// # Errors
    /// `eps` below 0 or not finite, an empty range, an input that is not finite.
    pub fn around(x: Tensor<2>, eps: f64, clip: Option<[f64; 2]>) -> Result<Self> {
        check_not_negative("eps", eps)?;
        check_clip(clip)?;
        let values = x.to_data();
        if let Some((index, value)) =
            (values.iter::<f64>().enumerate()).find(|(_, x)| !x.is_finite())
        {
            return Err(CertifyError::NotFinite { index, value });
        }
        let clipped = |x: Tensor<2>| match clip {
            Some([low, high]) => x.clamp(low, high),
            None => x,
        };
        Ok(Self::between(clipped(x.clone() - eps), clipped(x + eps)))
    }

    /// The box of bounds that are known to be in order.
    pub(crate) fn between(lower: Tensor<2>, upper: Tensor<2>) -> Self {
        Self {
            center: (lower.clone() + upper.clone()) * 0.5,
            radius: (upper - lower) * 0.5,
        }
    }

    pub(crate) fn from_center(center: Tensor<2>, radius: Tensor<2>) -> Self {
        Self { center, radius }
    }

    /// `center − radius`, `[batch, features]`.
    pub fn lower(&self) -> Tensor<2> {
        self.center.clone() - self.radius.clone()
    }

    /// `center + radius`, `[batch, features]`.
    pub fn upper(&self) -> Tensor<2> {
        self.center.clone() + self.radius.clone()
    }

    /// Middle of the box.
    pub fn center(&self) -> Tensor<2> {
        self.center.clone()
    }

    /// Half width of the box, at least 0.
    pub fn radius(&self) -> Tensor<2> {
        self.radius.clone()
    }

    /// Number of samples and of features.
    pub fn dims(&self) -> [usize; 2] {
        self.center.dims()
    }
}

/// The box of every value of a network.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// By the numbers of the values: the input first, the output last.
    pub values: Vec<Interval>,
    /// How they were rounded.
    pub rounding: Rounding,
}

impl Bounds {
    /// The box of the logits.
    ///
    /// # Panics
    /// If there are no values, which [`interval_forward`] never gives.
    pub fn output(&self) -> &Interval {
        self.values.last().expect("the input at least")
    }
}

/// Boxes that hold every value of a network for every input in a box.
///
/// With center `m` and radius `r`: a linear layer or convolution gives `m W + b` and `r |W|`, batch norm `m s + t` and
/// `r |s|`; ReLU and max pooling are monotone, so that they act on both bounds; average pooling, flatten and addition are
/// linear with weights of at least 0. Batch norms use the running statistics, or, in training, the `statistics` of the
/// clean batch, with gradients through them.
///
/// # Shapes
/// * `input`: boxes of `[batch, features]`
///
/// # Errors
/// The boxes have another number of features than the network reads.
///
/// Source: Gowal et al., "On the Effectiveness of Interval Bound Propagation for Training Verifiably Robust Models", 2018.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_certify::bounds::{Interval, Rounding, interval_forward};
/// use offprint_certify::graph::{LayerConfig, NetworkConfig};
/// # fn main() -> Result<(), offprint_certify::CertifyError> {
/// let device = Device::flex();
/// let config = NetworkConfig {
///     input: vec![3],
///     layers: vec![LayerConfig::linear(5), LayerConfig::Relu, LayerConfig::linear(2)],
/// };
/// let network = config.init(&device)?;
/// let x = Tensor::<2>::from_data([[0.2, 0.5, 0.9]], &device);
/// let input = Interval::around(x.clone(), 0.1, Some([0.0, 1.0]))?;
/// let bounds = interval_forward(&network, &input, None, Rounding::Outward)?;
/// let y = network.forward(x)?;
/// let below = bounds.output().lower().lower_equal(y.clone()).all().into_scalar::<bool>();
/// let above = bounds.output().upper().greater_equal(y).all().into_scalar::<bool>();
/// assert!(below && above);
/// # Ok(())
/// # }
/// ```
pub fn interval_forward(
    network: &Network,
    input: &Interval,
    statistics: Option<&Statistics>,
    rounding: Rounding,
) -> Result<Bounds> {
    let expected: usize = network.input_shape().iter().product();
    let [_, actual] = input.dims();
    if actual != expected {
        return Err(CertifyError::Input {
            actual: vec![actual],
            expected: network.input_shape().to_vec(),
        });
    }
    let outward = rounding == Rounding::Outward;
    let first = match outward {
        true => rounding::settle(input.clone()),
        false => input.clone(),
    };
    let mut values = vec![first];
    for (number, node) in network.nodes.iter().enumerate() {
        let x = values[node.inputs[0]].clone();
        let shape = network.shape(node.inputs[0]);
        let allowance = match outward {
            true => rounding::allowance(&node.layer, &x, shape),
            false => None,
        };
        let mut y = match &node.layer {
            Layer::BatchNorm(norm) => {
                batch_norm(norm, x, shape, statistics.and_then(|s| s.of(number)))
            }
            Layer::Add(_) => {
                let other = &values[node.inputs[1]];
                Interval {
                    center: add(x.center, other.center.clone()),
                    radius: add(x.radius, other.radius.clone()),
                }
            }
            layer => step(layer, x, shape),
        };
        if let Some(allowance) = allowance {
            y.radius = y.radius + allowance;
        }
        values.push(match outward {
            true => rounding::settle(y),
            false => y,
        });
    }
    Ok(Bounds { values, rounding })
}

/// A layer of one input other than batch norm.
fn step(layer: &Layer, x: Interval, shape: &[usize]) -> Interval {
    let Interval { center, radius } = x;
    match layer {
        Layer::Linear(layer) => {
            let (weight, bias) = (layer.weight.val(), layer.bias.as_ref().map(|b| b.val()));
            let spread = abs(weight.clone());
            Interval {
                center: linear(center, weight, bias, Activation::Identity),
                radius: linear(radius, spread, None, Activation::Identity),
            }
        }
        Layer::Conv2d(layer) => {
            let (weight, bias) = (layer.weight.val(), layer.bias.as_ref().map(|b| b.val()));
            let spread = abs(weight.clone());
            let (center, radius) = (pictures(center, shape), pictures(radius, shape));
            Interval {
                center: rows(conv2d(center, weight, bias, layer.options, false)),
                radius: rows(conv2d(radius, spread, None, layer.options, false)),
            }
        }
        Layer::Relu(_) => {
            let (center, radius) = interval_relu(center, radius);
            Interval { center, radius }
        }
        Layer::MaxPool(pool) => {
            let window = pool.window;
            let pool = |x| {
                rows(max_pool2d(
                    pictures(x, shape),
                    window.kernel,
                    window.stride,
                    window.padding,
                ))
            };
            Interval::between(pool(center.clone() - radius.clone()), pool(center + radius))
        }
        Layer::AvgPool(pool) => {
            let window = pool.window;
            let pool = |x| {
                rows(avg_pool2d(
                    pictures(x, shape),
                    window.kernel,
                    window.stride,
                    window.padding,
                ))
            };
            Interval {
                center: pool(center),
                radius: pool(radius),
            }
        }
        Layer::Flatten(_) => Interval { center, radius },
        Layer::BatchNorm(_) | Layer::Add(_) => unreachable!("the caller does these"),
    }
}

fn batch_norm(
    norm: &BatchNorm,
    x: Interval,
    shape: &[usize],
    moments: Option<&crate::graph::Moments>,
) -> Interval {
    if moments.is_some() {
        let (scale, shift) = affine(norm, moments);
        let spread = (abs(scale.clone()), shift.zeros_like());
        return Interval {
            center: scaled(x.center, shape, (scale, shift)),
            radius: scaled(x.radius, shape, spread),
        };
    }
    let (mean, variance) = (norm.running_mean.value(), norm.running_variance.value());
    let (weight, bias) = (norm.weight.val(), norm.bias.val());
    let center = batch_norm_inference(
        planes(x.center, shape),
        weight.clone(),
        bias.clone(),
        mean.clone(),
        variance.clone(),
        None,
        false,
        norm.epsilon,
    );
    let radius = batch_norm_inference(
        planes(x.radius, shape),
        abs(weight),
        bias.zeros_like(),
        mean.zeros_like(),
        variance,
        None,
        false,
        norm.epsilon,
    );
    Interval {
        center: rows(center),
        radius: rows(radius),
    }
}
