//! The network of a case: `layers` of its config with its parameters.

use crate::explain::explain;
use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use offprint_certify::{
    CertifyError,
    graph::{Layer, LayerConfig, Network, NetworkConfig},
};
use offprint_lab::{
    Error, Result,
    golden::{Case, Outputs},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) fn device() -> Device {
    Device::default().autodiff()
}

/// A value of the config that need not be there.
pub(super) fn optional<T: DeserializeOwned>(case: &Case, name: &str) -> Result<Option<T>> {
    match case.config.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => case.config(name).map(Some),
    }
}

/// Numbers of a case as rows, of the type that the case computes in.
pub(super) fn rows(case: &Case, name: &str) -> Result<Tensor<2>> {
    let array = case.array(name)?;
    let rows = array.shape.first().copied().unwrap_or(0);
    let columns = array.shape.iter().skip(1).product();
    let data = TensorData::new(array.values.clone(), [rows, columns]);
    Ok(Tensor::from_data(data, (&device(), dtype(case)?)))
}

/// `float64` where the config says so.
pub(super) fn dtype(case: &Case) -> Result<DType> {
    match optional::<String>(case, "dtype")?.as_deref() {
        None | Some("float32") => Ok(DType::F32),
        Some("float64") => Ok(DType::F64),
        Some(other) => Err(Error::input(format!(
            "config dtype = \"{other}\", but it must be float32 or float64"
        ))),
    }
}

/// Labels of a case.
pub(super) fn labels(case: &Case) -> Result<Vec<usize>> {
    let values = &case.array("in.label")?.values;
    match values
        .iter()
        .find(|label| **label < 0.0 || label.fract() != 0.0)
    {
        Some(label) => Err(Error::input(format!("in.label holds {label}"))),
        None => Ok(values.iter().map(|&label| label as usize).collect()),
    }
}

/// The network that the config describes, with the parameters of the case.
pub(super) fn network(case: &Case) -> Result<Network> {
    let layers: Vec<Value> = case.config("layers")?;
    let config = NetworkConfig {
        input: case.array("in.x")?.shape.iter().skip(1).copied().collect(),
        layers: layers.iter().map(layer).collect::<Result<_>>()?,
    };
    let mut network = config.init(&device()).map_err(explain)?;
    if let Some(epsilon) = optional::<f32>(case, "bn_eps")? {
        for node in &mut network.nodes {
            if let Layer::BatchNorm(norm) = &mut node.layer {
                norm.epsilon = epsilon;
            }
        }
    }
    let parameters = |name: &str, shape: &[usize]| {
        let array = case.tensors.get(&format!("param.{name}"));
        let array =
            array.ok_or_else(|| CertifyError::File(format!("no tensor \"param.{name}\"")))?;
        match array.shape == shape {
            true => Ok(array.values.clone()),
            false => Err(CertifyError::Parameter {
                name: format!("param.{name}"),
                actual: array.shape.clone(),
                expected: format!("{shape:?}"),
            }),
        }
    };
    network
        .with_parameters(dtype(case)?, parameters)
        .map_err(explain)
}

/// A layer as the cases write it: a name, then its numbers.
fn layer(value: &Value) -> Result<LayerConfig> {
    let refuse = || Error::input(format!("config layers: {value} is no layer"));
    let parts = value.as_array().ok_or_else(refuse)?;
    let name = parts.first().and_then(Value::as_str).ok_or_else(refuse)?;
    let number = |place: usize| -> Result<usize> {
        let number = parts.get(place).and_then(Value::as_u64);
        number.map(|n| n as usize).ok_or_else(refuse)
    };
    Ok(match name {
        "linear" => LayerConfig::linear(number(1)?),
        "conv2d" => LayerConfig::Conv2d {
            outputs: number(1)?,
            kernel: number(2)?,
            stride: number(3)?,
            padding: number(4)?,
        },
        "batch_norm" => LayerConfig::BatchNorm,
        "relu" => LayerConfig::Relu,
        "flatten" => LayerConfig::Flatten,
        "max_pool" => LayerConfig::MaxPool {
            kernel: number(1)?,
            stride: number(2)?,
        },
        "avg_pool" => LayerConfig::AvgPool {
            kernel: number(1)?,
            stride: number(2)?,
        },
        "residual" => {
            let branch = |place: usize| match parts.get(place) {
                None => Ok(Vec::new()),
                Some(layers) => layers
                    .as_array()
                    .ok_or_else(refuse)?
                    .iter()
                    .map(layer)
                    .collect::<Result<Vec<_>>>(),
            };
            LayerConfig::Residual {
                branch: branch(1)?,
                shortcut: branch(2)?,
            }
        }
        _ => return Err(refuse()),
    })
}

/// A gradient, zero where the loss does not depend on the tensor.
pub(super) fn gradient<const D: usize>(tensor: &Tensor<D>, gradients: &Gradients) -> Tensor<D> {
    let zero = || tensor.clone().inner().zeros_like();
    tensor.grad(gradients).unwrap_or_else(zero)
}

/// The gradients of all trained parameters.
pub(super) fn gradients(outputs: &mut Outputs, network: &Network, loss: &Tensor<1>) {
    let gradients = loss.backward();
    for node in &network.nodes {
        let name = |part: &str| format!("grad.{}.{part}", node.name);
        match &node.layer {
            Layer::Linear(layer) => {
                outputs.put(&name("weight"), gradient(&layer.weight.val(), &gradients));
                if let Some(bias) = &layer.bias {
                    outputs.put(&name("bias"), gradient(&bias.val(), &gradients));
                }
            }
            Layer::Conv2d(layer) => {
                outputs.put(&name("weight"), gradient(&layer.weight.val(), &gradients));
                if let Some(bias) = &layer.bias {
                    outputs.put(&name("bias"), gradient(&bias.val(), &gradients));
                }
            }
            Layer::BatchNorm(norm) => {
                outputs.put(&name("gamma"), gradient(&norm.weight.val(), &gradients));
                outputs.put(&name("beta"), gradient(&norm.bias.val(), &gradients));
            }
            _ => {}
        }
    }
}
