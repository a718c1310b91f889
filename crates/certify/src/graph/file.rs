//! Networks as safetensors: the parameters by `<layer>.<name>`, the configuration in the metadata field `network`.

use super::{Layer, Network, NetworkConfig};
use crate::error::{CertifyError, Result};
use burn::module::{Param, RunningState};
use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::{BTreeMap, HashMap};

/// Field of the metadata with the configuration.
const FIELD: &str = "network";

/// A parameter or a running statistic by its name, as little-endian `f32`.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// A network as the bytes of a file.
///
/// # Errors
/// The configuration is not that of the network.
pub fn write_safetensors(network: &Network, config: &NetworkConfig) -> Result<Vec<u8>> {
    let mut tensors = Tensors::new();
    for node in &network.nodes {
        let mut put = |part: &str, shape: Vec<usize>, data: TensorData| {
            let bytes = data.iter::<f32>().flat_map(f32::to_le_bytes).collect();
            tensors.insert(format!("{}.{part}", node.name), (shape, bytes));
        };
        match &node.layer {
            Layer::Linear(layer) => {
                put(
                    "weight",
                    layer.weight.dims().into(),
                    data(layer.weight.val()),
                );
                if let Some(bias) = &layer.bias {
                    put("bias", bias.dims().into(), data(bias.val()));
                }
            }
            Layer::Conv2d(layer) => {
                put(
                    "weight",
                    layer.weight.dims().into(),
                    data(layer.weight.val()),
                );
                if let Some(bias) = &layer.bias {
                    put("bias", bias.dims().into(), data(bias.val()));
                }
            }
            Layer::BatchNorm(norm) => {
                let channels = norm.weight.dims().to_vec();
                put("gamma", channels.clone(), data(norm.weight.val()));
                put("beta", channels.clone(), data(norm.bias.val()));
                put("mean", channels.clone(), data(norm.running_mean.value()));
                put("var", channels, data(norm.running_variance.value()));
            }
            _ => {}
        }
    }
    let json = serde_json::to_string(config).map_err(file)?;
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name, view.expect("a tensor is as long as its shape says"))
    });
    safetensors::serialize(views, Some(HashMap::from([(FIELD.into(), json)]))).map_err(file)
}

fn data<const D: usize>(tensor: Tensor<D>) -> TensorData {
    tensor.into_data()
}

fn file(error: impl std::fmt::Display) -> CertifyError {
    CertifyError::File(error.to_string())
}

/// A network and its configuration from the bytes of a file.
///
/// # Errors
/// A damaged file, one without a configuration, a tensor that is missing, unknown or of the wrong shape, values that are
/// not allowed.
pub fn read_safetensors(bytes: &[u8], device: &Device) -> Result<(Network, NetworkConfig)> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(file)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(file)?;
    let metadata = header.metadata().as_ref();
    let config = metadata.and_then(|fields| fields.get(FIELD)).ok_or_else(|| {
        let message = "the file's metadata has no \"network\", the configuration that offprint use fast-ibp train writes";
        CertifyError::File(message.into())
    })?;
    let config: NetworkConfig =
        serde_json::from_str(config).map_err(|e| file(format!("the configuration: {e}")))?;
    let held = tensors.iter().map(|(_, view)| view.data().len() as u64 / 4);
    let asked = parameters(&config);
    // A configuration that says more than the file holds would make it be allocated for nothing.
    if asked > held.sum::<u64>() {
        return Err(file(format!(
            "the configuration asks for {asked} numbers, more than the file holds"
        )));
    }
    let network = config.init(device)?;
    let mut left: Vec<String> = tensors.names().iter().map(ToString::to_string).collect();
    let network = fill(network, |name, shape| {
        left.retain(|other| other != name);
        let view = tensors
            .tensor(name)
            .map_err(|_| file(format!("the file has no tensor \"{name}\"")))?;
        if view.dtype() != Dtype::F32 {
            return Err(file(format!(
                "\"{name}\" is of type {:?}, but it must be F32",
                view.dtype()
            )));
        }
        if view.shape() != shape {
            return Err(CertifyError::Parameter {
                name: name.into(),
                actual: view.shape().to_vec(),
                expected: format!("{shape:?}"),
            });
        }
        let (chunks, _) = view.data().as_chunks::<4>();
        Ok(chunks
            .iter()
            .map(|&bytes| f64::from(f32::from_le_bytes(bytes)))
            .collect())
    })?;
    match left.first() {
        None => Ok((network, config)),
        Some(name) => Err(file(format!(
            "the file has a tensor \"{name}\" that no layer has"
        ))),
    }
}

/// A bound from below on the parameters that a configuration asks for, computed without allocating any.
fn parameters(config: &NetworkConfig) -> u64 {
    use super::LayerConfig as Of;
    fn of(layer: &Of) -> u64 {
        match layer {
            Of::Linear { outputs } => *outputs as u64,
            Of::Conv2d {
                outputs, kernel, ..
            } => (*outputs as u64).saturating_mul((*kernel as u64).saturating_pow(2)),
            Of::Residual { branch, shortcut } => branch
                .iter()
                .chain(shortcut)
                .map(of)
                .fold(0, u64::saturating_add),
            _ => 0,
        }
    }
    config.layers.iter().map(of).fold(0, u64::saturating_add)
}

impl Network {
    /// The network with other parameters: `value` gives the numbers of each by name and shape. They are of the type that
    /// `dtype` says, so that a network can be held in `f64`.
    ///
    /// # Errors
    /// What `value` refuses, or values that are not allowed.
    pub fn with_parameters(
        self,
        dtype: DType,
        value: impl FnMut(&str, &[usize]) -> Result<Vec<f64>>,
    ) -> Result<Self> {
        fill_as(self, dtype, value)
    }
}

fn fill(
    network: Network,
    value: impl FnMut(&str, &[usize]) -> Result<Vec<f64>>,
) -> Result<Network> {
    fill_as(network, DType::F32, value)
}

fn fill_as(
    network: Network,
    dtype: DType,
    mut value: impl FnMut(&str, &[usize]) -> Result<Vec<f64>>,
) -> Result<Network> {
    let mut builder = super::NetworkBuilder::new(network.input_shape().to_vec())?;
    for node in network.nodes {
        let name = &node.name;
        let layer = match node.layer {
            Layer::Linear(mut layer) => {
                layer.weight = param(&mut value, name, "weight", layer.weight.val(), dtype)?;
                layer.bias = match layer.bias {
                    Some(bias) => Some(param(&mut value, name, "bias", bias.val(), dtype)?),
                    None => None,
                };
                Layer::Linear(layer)
            }
            Layer::Conv2d(mut layer) => {
                layer.weight = param(&mut value, name, "weight", layer.weight.val(), dtype)?;
                layer.bias = match layer.bias {
                    Some(bias) => Some(param(&mut value, name, "bias", bias.val(), dtype)?),
                    None => None,
                };
                Layer::Conv2d(layer)
            }
            Layer::BatchNorm(mut norm) => {
                norm.weight = param(&mut value, name, "gamma", norm.weight.val(), dtype)?;
                norm.bias = param(&mut value, name, "beta", norm.bias.val(), dtype)?;
                let mean = param(&mut value, name, "mean", norm.running_mean.value(), dtype)?;
                norm.running_mean = RunningState::new(mean.val().detach());
                let variance = norm.running_variance.value();
                let variance = param(&mut value, name, "var", variance, dtype)?;
                norm.running_variance = RunningState::new(variance.val().detach());
                Layer::BatchNorm(norm)
            }
            other => other,
        };
        builder.push(node.name, node.inputs, layer)?;
    }
    builder.finish()
}

/// A parameter like another, with other numbers.
fn param<const D: usize>(
    value: &mut impl FnMut(&str, &[usize]) -> Result<Vec<f64>>,
    node: &str,
    part: &str,
    like: Tensor<D>,
    dtype: DType,
) -> Result<Param<Tensor<D>>> {
    let (shape, name) = (like.dims(), format!("{node}.{part}"));
    let numbers = value(&name, &shape)?;
    let expected = shape.iter().product::<usize>();
    if numbers.len() != expected {
        return Err(CertifyError::Parameter {
            name,
            actual: vec![numbers.len()],
            expected: format!("{expected} numbers"),
        });
    }
    let tensor = Tensor::from_data(TensorData::new(numbers, shape), (&like.device(), dtype));
    Ok(Param::from_tensor(tensor))
}
