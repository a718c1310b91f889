//! Feed-forward networks from ONNX files.

mod layers;
mod model;
mod wire;

use crate::error::{CertifyError, Result};
use crate::graph::{Network, NetworkBuilder};
use burn::tensor::Device;
use model::{Graph, Input, Operator};
use std::collections::{BTreeMap, BTreeSet};

/// The operators that are read.
pub const OPERATORS: [&str; 8] = [
    "Gemm",
    "Conv",
    "Relu",
    "BatchNormalization",
    "Flatten",
    "Add",
    "MaxPool",
    "AveragePool",
];

/// The network of an ONNX model whose nodes are all of [`OPERATORS`], with parameters of `f32` inside the file.
///
/// The model has one input, `[batch, features]` or `[batch, channels, height, width]`, and one output. Nodes that the
/// output does not depend on are left out. Node names are kept, so that a message names them.
///
/// # Errors
/// A damaged file; an operator that is not read, by its node's name; an attribute that has no counterpart here; parameters
/// that are missing, of another type or shape, or not finite; shapes that do not fit together.
pub fn read_onnx(bytes: &[u8], device: &Device) -> Result<Network> {
    let graph = model::read(bytes)?;
    let input = only_input(&graph)?;
    let mut builder = NetworkBuilder::new(sample(input)?)?;
    let [output] = &graph.outputs[..] else {
        let count = graph.outputs.len();
        return Err(file(format!(
            "the model has {count} outputs, but one is read"
        )));
    };
    let mut values = BTreeMap::from([(input.name.as_str(), 0)]);
    for node in needed(&graph, output) {
        let value = layers::push(&mut builder, node, &graph, &values, device)?;
        if let Some(name) = node.outputs.first() {
            values.insert(name, value);
        }
    }
    match values.get(output.as_str()) {
        Some(&value) if value == builder.last() => builder.finish(),
        _ => Err(file(format!("no node gives the output \"{output}\""))),
    }
}

fn file(message: String) -> CertifyError {
    CertifyError::File(message)
}

/// The input that is no parameter.
fn only_input(graph: &Graph) -> Result<&Input> {
    let inputs = graph.inputs.iter();
    let inputs: Vec<_> = inputs
        .filter(|input| !graph.initializers.contains_key(&input.name))
        .collect();
    match inputs[..] {
        [input] => Ok(input),
        _ => Err(file(format!(
            "the model has {} inputs, but one is read",
            inputs.len()
        ))),
    }
}

/// The shape of a sample: all lengths but the batch's.
fn sample(input: &Input) -> Result<Vec<usize>> {
    let refuse = || {
        let name = &input.name;
        let lengths = input.shape.iter();
        let lengths: Vec<String> = lengths
            .map(|length| length.map_or("?".into(), |length| length.to_string()))
            .collect();
        file(format!(
            "input \"{name}\" has shape [{}], but [batch, features] or [batch, channels, height, width] is read, \
             with numbers for all but the batch",
            lengths.join(", ")
        ))
    };
    match input.shape.split_first() {
        Some((_, rest)) if rest.len() == 1 || rest.len() == 3 => {
            let shape: Option<Vec<usize>> = rest.iter().copied().collect();
            shape.ok_or_else(refuse)
        }
        _ => Err(refuse()),
    }
}

/// The nodes that a value depends on, in order.
fn needed<'a>(graph: &'a Graph, output: &'a str) -> Vec<&'a Operator> {
    let mut wanted = BTreeSet::from([output]);
    let mut nodes = Vec::new();
    // ONNX asks for an order in which every node comes after those it reads.
    for node in graph.nodes.iter().rev() {
        if node
            .outputs
            .iter()
            .any(|name| wanted.contains(name.as_str()))
        {
            wanted.extend(node.inputs.iter().map(String::as_str));
            nodes.push(node);
        }
    }
    nodes.reverse();
    nodes
}
