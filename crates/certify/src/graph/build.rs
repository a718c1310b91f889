//! Networks put together node by node, each checked against what it reads.

use super::{Layer, Network, Node, Window};
use crate::error::{CertifyError, Result};

/// Features that a value may have: a file cannot ask for more memory than that a sample.
const LARGEST: usize = 1 << 26;

/// Builds a [`Network`]; each layer is checked when it is added.
#[derive(Debug)]
pub struct NetworkBuilder {
    nodes: Vec<Node>,
    input: Vec<usize>,
}

impl NetworkBuilder {
    /// A network of samples of this shape: `[features]` or `[channels, height, width]`.
    ///
    /// # Errors
    /// Another number of dimensions, or a dimension of 0.
    pub fn new(input: Vec<usize>) -> Result<Self> {
        if !(input.len() == 1 || input.len() == 3) || input.contains(&0) {
            return Err(CertifyError::Range {
                name: "input",
                value: format!("{input:?}"),
                allowed: "[features] or [channels, height, width], each at least 1".into(),
            });
        }
        Ok(Self {
            nodes: Vec::new(),
            input,
        })
    }

    /// Number of the value that was added last; 0, the input, at first.
    pub fn last(&self) -> usize {
        self.nodes.len()
    }

    /// Shape of a value.
    ///
    /// # Panics
    /// If there is no such value.
    pub fn shape(&self, value: usize) -> &[usize] {
        match value.checked_sub(1) {
            None => &self.input,
            Some(node) => &self.nodes[node].shape,
        }
    }

    /// Adds a layer that reads these values; returns the number of its own.
    ///
    /// # Errors
    /// It cannot read them, or a parameter has the wrong shape or a value that is not allowed.
    ///
    /// # Panics
    /// If there is no such value, or not two of them for an addition, one else.
    pub fn push(
        &mut self,
        name: impl Into<String>,
        inputs: Vec<usize>,
        layer: Layer,
    ) -> Result<usize> {
        let name = name.into();
        let wanted = if matches!(layer, Layer::Add(_)) { 2 } else { 1 };
        assert_eq!(inputs.len(), wanted, "values that {} reads", layer.kind());
        let shape = self.gives(&name, &inputs, &layer)?;
        let features = shape.iter().try_fold(1_usize, |all, &n| all.checked_mul(n));
        if features.is_none_or(|features| features > LARGEST) {
            return Err(CertifyError::Layer {
                node: name,
                kind: layer.kind(),
                actual: self.shape(inputs[0]).to_vec(),
                expected: format!("what gives at most {LARGEST} features, not {shape:?}"),
            });
        }
        check_numbers(&name, &layer)?;
        self.nodes.push(Node {
            name,
            inputs,
            shape,
            layer,
        });
        Ok(self.nodes.len())
    }

    /// The network.
    ///
    /// # Errors
    /// It has no layers.
    pub fn finish(self) -> Result<Network> {
        match self.nodes.is_empty() {
            true => Err(CertifyError::Empty),
            false => Ok(Network {
                nodes: self.nodes,
                input: self.input,
            }),
        }
    }

    /// Shape of what a layer gives.
    fn gives(&self, name: &str, inputs: &[usize], layer: &Layer) -> Result<Vec<usize>> {
        let shape = self.shape(inputs[0]);
        let refuse = |expected: String| {
            Err(CertifyError::Layer {
                node: name.into(),
                kind: layer.kind(),
                actual: shape.to_vec(),
                expected,
            })
        };
        let parameter = |part: &str, actual: &[usize], expected: String| {
            Err(CertifyError::Parameter {
                name: format!("{name}.{part}"),
                actual: actual.to_vec(),
                expected,
            })
        };
        match layer {
            Layer::Linear(linear) => {
                let [features, outputs] = linear.weight.dims();
                if shape != [features] {
                    return refuse(format!("[{features}] (a picture is flattened first)"));
                }
                match linear.bias.as_ref().map(|bias| bias.dims()) {
                    Some(bias) if bias != [outputs] => {
                        parameter("bias", &bias, format!("[{outputs}]"))
                    }
                    _ if outputs == 0 => parameter("weight", &[features, 0], "not empty".into()),
                    _ => Ok(vec![outputs]),
                }
            }
            Layer::Conv2d(conv) => {
                let [filters, inner, height, width] = conv.weight.dims();
                let options = conv.options;
                let channels = inner * options.groups;
                let reach = [0, 1].map(|axis| {
                    let kernel = [height, width][axis];
                    options.dilation[axis].saturating_mul(kernel.saturating_sub(1)) + 1
                });
                let steps = options.stride.iter().chain(&options.dilation);
                if filters == 0 || channels == 0 || height == 0 || width == 0 {
                    let dims = conv.weight.dims();
                    return parameter("weight", &dims, "not empty".into());
                }
                if options.groups == 0
                    || !filters.is_multiple_of(options.groups)
                    || steps.into_iter().any(|&step| step == 0)
                {
                    let dims = conv.weight.dims();
                    return parameter("weight", &dims, format!("filters for {options:?}"));
                }
                if let Some(bias) = conv.bias.as_ref().map(|bias| bias.dims())
                    && bias != [filters]
                {
                    return parameter("bias", &bias, format!("[{filters}]"));
                }
                let &[given, rows, columns] = shape else {
                    return refuse(format!("[{channels}, height, width]"));
                };
                if given != channels {
                    return refuse(format!("[{channels}, height, width]"));
                }
                match slide([rows, columns], reach, options.stride, options.padding) {
                    Some([rows, columns]) => Ok(vec![filters, rows, columns]),
                    None => refuse(format!("pictures of at least {reach:?} with their padding")),
                }
            }
            Layer::BatchNorm(norm) => {
                let [channels] = norm.weight.dims();
                let others = [
                    ("beta", norm.bias.dims()),
                    ("mean", norm.running_mean.value().dims()),
                    ("var", norm.running_variance.value().dims()),
                ];
                for (part, dims) in others {
                    if dims != [channels] {
                        return parameter(part, &dims, format!("[{channels}]"));
                    }
                }
                match shape[0] == channels {
                    true => Ok(shape.to_vec()),
                    false => refuse(format!("{channels} channels")),
                }
            }
            Layer::Relu(_) => Ok(shape.to_vec()),
            Layer::Flatten(_) => Ok(vec![shape.iter().product()]),
            Layer::MaxPool(pool) | Layer::AvgPool(pool) => {
                let Window {
                    kernel,
                    stride,
                    padding,
                } = pool.window;
                let &[channels, rows, columns] = shape else {
                    return refuse("[channels, height, width]".into());
                };
                let possible = kernel.iter().chain(&stride).all(|&size| size > 0)
                    && padding
                        .iter()
                        .zip(kernel)
                        .all(|(pad, size)| 2 * pad <= size);
                match slide([rows, columns], kernel, stride, padding) {
                    Some([rows, columns]) if possible => Ok(vec![channels, rows, columns]),
                    _ => refuse(format!(
                        "pictures of at least {kernel:?}, padded by half of that at most"
                    )),
                }
            }
            Layer::Add(_) => {
                let other = self.shape(inputs[1]);
                match shape == other {
                    true => Ok(shape.to_vec()),
                    false => refuse(format!("two values of shape {other:?}")),
                }
            }
        }
    }
}

/// Places where a window fits.
fn slide(
    size: [usize; 2],
    reach: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Option<[usize; 2]> {
    let place = |axis: usize| {
        let padded = padding[axis].checked_mul(2)?.checked_add(size[axis])?;
        let room = padded.checked_sub(reach[axis])?;
        Some(room.checked_div(stride[axis])? + 1)
    };
    Some([place(0)?, place(1)?])
}

/// Checks that parameters are finite and variances not negative.
fn check_numbers(name: &str, layer: &Layer) -> Result<()> {
    let parts: Vec<(&str, Vec<f64>)> = match layer {
        Layer::Linear(linear) => vec![
            ("weight", numbers(linear.weight.val())),
            ("bias", optional(linear.bias.as_ref())),
        ],
        Layer::Conv2d(conv) => vec![
            ("weight", numbers(conv.weight.val())),
            ("bias", optional(conv.bias.as_ref())),
        ],
        Layer::BatchNorm(norm) => {
            let variance = numbers(norm.running_variance.value());
            if let Some(channel) = variance.iter().position(|&value| value < 0.0) {
                return Err(CertifyError::Variance {
                    node: name.into(),
                    channel,
                    value: variance[channel],
                });
            }
            vec![
                ("gamma", numbers(norm.weight.val())),
                ("beta", numbers(norm.bias.val())),
                ("mean", numbers(norm.running_mean.value())),
                ("var", variance),
            ]
        }
        _ => Vec::new(),
    };
    for (part, values) in parts {
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(CertifyError::Value {
                name: format!("{name}.{part}"),
                index,
                value: values[index],
            });
        }
    }
    Ok(())
}

fn numbers<const D: usize>(tensor: burn::tensor::Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn optional(bias: Option<&burn::module::Param<burn::tensor::Tensor<1>>>) -> Vec<f64> {
    bias.map_or_else(Vec::new, |bias| numbers(bias.val()))
}
