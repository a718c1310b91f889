//! The messages of an ONNX model, as far as feed-forward networks need them.
//!
//! Source: `onnx.proto3` of <https://github.com/onnx/onnx>; numbers of fields as there.

use super::wire::{Fields, damaged};
use crate::error::{CertifyError, Result};
use std::collections::BTreeMap;

/// A graph of nodes.
#[derive(Debug, Default)]
pub struct Graph {
    pub nodes: Vec<Operator>,
    /// Parameters by name.
    pub initializers: BTreeMap<String, Constant>,
    pub inputs: Vec<Input>,
    pub outputs: Vec<String>,
}

/// A node.
#[derive(Debug, Default)]
pub struct Operator {
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub name: String,
    pub kind: String,
    pub domain: String,
    pub attributes: BTreeMap<String, Attribute>,
}

/// An attribute of a node; each kind of value that it does not have is empty.
#[derive(Debug, Default)]
pub struct Attribute {
    pub float: Option<f32>,
    pub integer: Option<i64>,
    pub text: Option<String>,
    pub integers: Vec<i64>,
}

/// A tensor of `f32`.
#[derive(Debug, Default)]
pub struct Constant {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// An input of the graph; `None` where a length is not given, as that of the batch.
#[derive(Debug, Default)]
pub struct Input {
    pub name: String,
    pub shape: Vec<Option<usize>>,
}

/// The graph of a model.
pub fn read(bytes: &[u8]) -> Result<Graph> {
    let mut graph = None;
    for field in Fields::of(bytes) {
        if let (7, value) = field? {
            graph = Some(self::graph(value.bytes()?)?);
        }
    }
    graph.ok_or_else(damaged)
}

fn graph(bytes: &[u8]) -> Result<Graph> {
    let mut graph = Graph::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, value) => graph.nodes.push(operator(value.bytes()?)?),
            (5, value) => {
                let (name, constant) = constant(value.bytes()?)?;
                graph.initializers.insert(name, constant);
            }
            (11, value) => graph.inputs.push(input(value.bytes()?)?),
            (12, value) => graph.outputs.push(input(value.bytes()?)?.name),
            (15, _) => {
                return Err(CertifyError::File(
                    "the model has sparse parameters, which are not read".into(),
                ));
            }
            _ => {}
        }
    }
    Ok(graph)
}

fn operator(bytes: &[u8]) -> Result<Operator> {
    let mut node = Operator::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, value) => node.inputs.push(value.text()?),
            (2, value) => node.outputs.push(value.text()?),
            (3, value) => node.name = value.text()?,
            (4, value) => node.kind = value.text()?,
            (5, value) => {
                let (name, attribute) = attribute(value.bytes()?)?;
                node.attributes.insert(name, attribute);
            }
            (7, value) => node.domain = value.text()?,
            _ => {}
        }
    }
    // Exporters may leave names out; a message needs one.
    if node.name.is_empty() {
        node.name = node.outputs.first().cloned().unwrap_or_default();
    }
    Ok(node)
}

fn attribute(bytes: &[u8]) -> Result<(String, Attribute)> {
    let (mut name, mut attribute) = (String::new(), Attribute::default());
    for field in Fields::of(bytes) {
        match field? {
            (1, value) => name = value.text()?,
            (2, value) => attribute.float = Some(value.float()?),
            (3, value) => attribute.integer = Some(value.integer()?),
            (4, value) => attribute.text = Some(value.text()?),
            (8, value) => value.integers(&mut attribute.integers)?,
            _ => {}
        }
    }
    Ok((name, attribute))
}

/// `TensorProto.DataType.FLOAT`.
const FLOAT: i64 = 1;

fn constant(bytes: &[u8]) -> Result<(String, Constant)> {
    let (mut name, mut kind, mut external) = (String::new(), 0, false);
    let (mut dims, mut floats, mut raw) = (Vec::new(), Vec::new(), None);
    for field in Fields::of(bytes) {
        match field? {
            (1, value) => value.integers(&mut dims)?,
            (2, value) => kind = value.integer()?,
            (4, value) => value.floats(&mut floats)?,
            (8, value) => name = value.text()?,
            (9, value) => raw = Some(value.bytes()?),
            (13, _) => external = true,
            (14, value) => external |= value.integer()? != 0,
            _ => {}
        }
    }
    let refuse = |message: String| Err(CertifyError::File(format!("\"{name}\" {message}")));
    if external {
        return refuse("is kept in another file; save the model with its parameters inside".into());
    }
    let shape: Option<Vec<usize>> = dims.iter().map(|&d| usize::try_from(d).ok()).collect();
    let Some(shape) = shape else {
        return refuse(format!("has shape {dims:?}"));
    };
    if kind != FLOAT {
        // Numbers of a reshaping, say; the node that reads them is named if it needs more.
        let values = Vec::new();
        return Ok((name, Constant { shape, values }));
    }
    if let Some(raw) = raw {
        let (chunks, []) = raw.as_chunks::<4>() else {
            return Err(damaged());
        };
        floats = chunks.iter().map(|&c| f32::from_le_bytes(c)).collect();
    }
    let promised = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
    if promised != Some(floats.len()) {
        return refuse(format!("has shape {shape:?}, but {} numbers", floats.len()));
    }
    let values = floats;
    Ok((name, Constant { shape, values }))
}

fn input(bytes: &[u8]) -> Result<Input> {
    let mut input = Input::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, value) => input.name = value.text()?,
            (2, value) => {
                // The type, of which tensors are the first kind; its second field is the shape.
                for (number, value) in inner(value.bytes()?, 1)? {
                    if number == 2 {
                        input.shape = shape(value)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(input)
}

/// The message fields of the message in a field.
fn inner(bytes: &[u8], wanted: u64) -> Result<Vec<(u64, &[u8])>> {
    let mut found = Vec::new();
    for field in Fields::of(bytes) {
        let (number, value) = field?;
        if number != wanted {
            continue;
        }
        for field in Fields::of(value.bytes()?) {
            if let (number, super::wire::Value::Bytes(bytes)) = field? {
                found.push((number, bytes));
            }
        }
    }
    Ok(found)
}

fn shape(bytes: &[u8]) -> Result<Vec<Option<usize>>> {
    let mut shape = Vec::new();
    for field in Fields::of(bytes) {
        let (1, value) = field? else { continue };
        let mut length = None;
        for field in Fields::of(value.bytes()?) {
            if let (1, value) = field? {
                length = usize::try_from(value.integer()?).ok();
            }
        }
        shape.push(length);
    }
    Ok(shape)
}
