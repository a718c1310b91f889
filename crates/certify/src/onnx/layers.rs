//! Layers of a network from the nodes of an ONNX graph.

use super::model::{Constant, Graph, Operator};
use super::{OPERATORS, file};
use crate::error::Result;
use crate::graph::{Add, Flatten, Layer, NetworkBuilder, Pool, Relu, Window};
use burn::module::{Param, RunningState};
use burn::tensor::{Device, Tensor, TensorData};
use offprint_layers::{BatchNorm, Conv2d, Linear, Quantizer};
use std::collections::BTreeMap;

/// Adds a node's layer; returns the number of its value.
pub fn push(
    builder: &mut NetworkBuilder,
    node: &Operator,
    graph: &Graph,
    values: &BTreeMap<&str, usize>,
    device: &Device,
) -> Result<usize> {
    let node = Reader {
        node,
        graph,
        device,
    };
    let own = ["", "ai.onnx"].contains(&node.node.domain.as_str());
    if !own || !OPERATORS.contains(&node.node.kind.as_str()) {
        let known = OPERATORS.join(", ");
        return Err(node.refuse(format!("is not read; those that are: {known}")));
    }
    let layer = match node.node.kind.as_str() {
        "Gemm" => node.gemm()?,
        "Conv" => node.conv()?,
        "Relu" => Layer::Relu(Relu {}),
        "BatchNormalization" => node.batch_norm()?,
        "Flatten" => {
            node.only("axis", 1, 1)?;
            Layer::Flatten(Flatten {})
        }
        "Add" => Layer::Add(Add {}),
        "MaxPool" => {
            node.only("storage_order", 0, 0)?;
            Layer::MaxPool(node.pool()?)
        }
        _ => {
            let pool = node.pool()?;
            if pool.window.padding != [0, 0] {
                // Otherwise the mean at an edge is over fewer elements.
                node.only("count_include_pad", 0, 1)?;
            }
            Layer::AvgPool(pool)
        }
    };
    let reads = if matches!(layer, Layer::Add(_)) { 2 } else { 1 };
    let inputs = (0..reads).map(|place| {
        let name = node.input(place)?;
        values.get(name).copied().ok_or_else(|| {
            let constant = graph.initializers.contains_key(name);
            let what = if constant {
                "the constant"
            } else {
                "an unknown value"
            };
            node.refuse(format!(
                "reads {what} \"{name}\" where a value of the network is read"
            ))
        })
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    builder.push(node.node.name.clone(), inputs, layer)
}

struct Reader<'a> {
    node: &'a Operator,
    graph: &'a Graph,
    device: &'a Device,
}

impl<'a> Reader<'a> {
    /// The error of this node.
    fn refuse(&self, message: String) -> crate::error::CertifyError {
        file(format!(
            "{} \"{}\" {message}",
            self.node.kind, self.node.name
        ))
    }

    fn input(&self, place: usize) -> Result<&'a str> {
        let name = self.node.inputs.get(place).map(String::as_str);
        let name = name.filter(|name| !name.is_empty());
        name.ok_or_else(|| self.refuse(format!("has no input {}", place + 1)))
    }

    /// The parameter at an input, with as many axes.
    fn parameter(&self, place: usize, axes: usize) -> Result<&'a Constant> {
        let name = self.input(place)?;
        let constant = self.graph.initializers.get(name).ok_or_else(|| {
            self.refuse(format!(
                "reads \"{name}\", but it must be a parameter of the file"
            ))
        })?;
        let empty = constant.shape.contains(&0);
        if constant.values.is_empty() && !empty {
            return Err(self.refuse(format!("reads \"{name}\", but it must be of type FLOAT")));
        }
        if constant.shape.len() != axes || empty {
            return Err(self.refuse(format!(
                "reads \"{name}\" of shape {:?}, but it must have {axes} axes, none of length 0",
                constant.shape
            )));
        }
        Ok(constant)
    }

    /// The same as a vector, if the input is there.
    fn vector(&self, place: usize) -> Result<Option<Tensor<1>>> {
        match self.node.inputs.get(place) {
            None => Ok(None),
            Some(name) if name.is_empty() => Ok(None),
            Some(_) => {
                let constant = self.parameter(place, 1)?;
                Ok(Some(
                    self.tensor(constant.values.clone(), [constant.shape[0]]),
                ))
            }
        }
    }

    fn tensor<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), self.device)
    }

    /// Checks an integer attribute that may have one value only.
    fn only(&self, name: &str, default: i64, allowed: i64) -> Result<()> {
        let attribute = self.node.attributes.get(name);
        match attribute.and_then(|a| a.integer).unwrap_or(default) {
            value if value == allowed => Ok(()),
            value => Err(self.refuse(format!("has {name} = {value}, but {allowed} is read"))),
        }
    }

    fn float(&self, name: &str, default: f32) -> f32 {
        let attribute = self.node.attributes.get(name);
        attribute.and_then(|a| a.float).unwrap_or(default)
    }

    /// An attribute of as many lengths; `None` if it is not there.
    fn lengths<const N: usize>(&self, name: &str) -> Result<Option<[usize; N]>> {
        let Some(attribute) = self.node.attributes.get(name) else {
            return Ok(None);
        };
        let all = &attribute.integers;
        let lengths: Vec<usize> = all
            .iter()
            // A size that no picture has; sums of several must not overflow.
            .filter_map(|&length| usize::try_from(length).ok().filter(|&l| l <= 1 << 20))
            .collect();
        match lengths.try_into() {
            Ok(lengths) if all.len() == N => Ok(Some(lengths)),
            _ => Err(self.refuse(format!(
                "has {name} = {all:?}, but {N} numbers of at least 0 are read"
            ))),
        }
    }

    /// The same number of zeros on both sides of each axis.
    fn padding(&self) -> Result<[usize; 2]> {
        let automatic = self.node.attributes.get("auto_pad");
        match automatic.and_then(|a| a.text.as_deref()) {
            None | Some("NOTSET") => {}
            Some("VALID") => return Ok([0, 0]),
            Some(other) => {
                return Err(self.refuse(format!(
                    "has auto_pad = {other}, but NOTSET or VALID is read"
                )));
            }
        }
        match self.lengths::<4>("pads")?.unwrap_or_default() {
            [top, left, bottom, right] if (top, left) == (bottom, right) => Ok([top, left]),
            pads => Err(self.refuse(format!(
                "has pads = {pads:?}, but the same on both sides is read"
            ))),
        }
    }

    fn gemm(&self) -> Result<Layer> {
        self.only("transA", 0, 0)?;
        let weight = self.parameter(1, 2)?;
        let alpha = self.float("alpha", 1.0);
        let transposed = self.node.attributes.get("transB");
        let transposed = transposed.and_then(|a| a.integer).unwrap_or(0) != 0;
        let beta = self.float("beta", 1.0);
        if (alpha, beta) != (1.0, 1.0) {
            // A product would round, and the bounds would be those of another network.
            return Err(self.refuse(format!(
                "has alpha = {alpha} and beta = {beta}, but 1 and 1 are read"
            )));
        }
        let &[rows, columns] = &weight.shape[..] else {
            unreachable!("it was asked for two axes");
        };
        let matrix = self.tensor(weight.values.clone(), [rows, columns]);
        let matrix = if transposed {
            matrix.transpose()
        } else {
            matrix
        };
        Ok(Layer::Linear(Linear {
            weight: Param::from_tensor(matrix),
            bias: self.vector(2)?.map(Param::from_tensor),
            quantizer: Quantizer::None,
        }))
    }

    fn conv(&self) -> Result<Layer> {
        let weight = self.parameter(1, 4)?;
        let &[filters, channels, height, width] = &weight.shape[..] else {
            unreachable!("it was asked for four axes");
        };
        if let Some(kernel) = self.lengths::<2>("kernel_shape")?
            && kernel != [height, width]
        {
            return Err(self.refuse(format!(
                "has kernel_shape = {kernel:?}, but its weight has [{height}, {width}]"
            )));
        }
        let groups = self.node.attributes.get("group");
        let groups = groups.and_then(|a| a.integer).unwrap_or(1);
        let options = offprint_kernels::Conv2d {
            stride: self.lengths("strides")?.unwrap_or([1, 1]),
            padding: self.padding()?,
            dilation: self.lengths("dilations")?.unwrap_or([1, 1]),
            groups: usize::try_from(groups)
                .ok()
                .filter(|&groups| groups <= filters)
                .ok_or_else(|| self.refuse(format!("has group = {groups}")))?,
        };
        let weight = self.tensor(weight.values.clone(), [filters, channels, height, width]);
        Ok(Layer::Conv2d(Conv2d {
            weight: Param::from_tensor(weight),
            bias: self.vector(2)?.map(Param::from_tensor),
            options,
            quantizer: Quantizer::None,
        }))
    }

    fn batch_norm(&self) -> Result<Layer> {
        self.only("training_mode", 0, 0)?;
        let vector = |place| {
            let constant = self.parameter(place, 1)?;
            Ok(self.tensor(constant.values.clone(), [constant.shape[0]]))
        };
        let epsilon = self.float("epsilon", 1e-5);
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(self.refuse(format!("has epsilon = {epsilon}, but it must be above 0")));
        }
        Ok(Layer::BatchNorm(BatchNorm {
            weight: Param::from_tensor(vector(1)?),
            bias: Param::from_tensor(vector(2)?),
            running_mean: RunningState::new(vector(3)?),
            running_variance: RunningState::new(vector(4)?),
            momentum: 0.1,
            epsilon,
        }))
    }

    fn pool(&self) -> Result<Pool> {
        self.only("ceil_mode", 0, 0)?;
        let kernel = self.lengths("kernel_shape")?;
        let kernel = kernel.ok_or_else(|| self.refuse("has no kernel_shape".into()))?;
        if let Some(dilation) = self.lengths::<2>("dilations")?
            && dilation != [1, 1]
        {
            return Err(self.refuse(format!("has dilations = {dilation:?}, but [1, 1] is read")));
        }
        let window = Window {
            kernel,
            stride: self.lengths("strides")?.unwrap_or([1, 1]),
            padding: self.padding()?,
        };
        Ok(Pool { window })
    }
}
