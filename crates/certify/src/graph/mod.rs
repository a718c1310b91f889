//! A verifiable network: a graph of layers of which bounds can be computed.

mod build;
mod config;
mod file;
mod forward;
mod layer;

pub use build::NetworkBuilder;
pub use config::{LayerConfig, NetworkConfig};
pub use file::{read_safetensors, write_safetensors};
pub use forward::{Moments, Statistics};
pub(crate) use forward::{affine, pictures, planes, rows, scaled};
pub use layer::{Add, Flatten, Layer, Pool, Relu, Window};

use crate::error::{CertifyError, Result};
use burn::module::Module;
use burn::tensor::Tensor;

/// A network of linear, convolution, batch norm, ReLU, pooling, flatten and addition layers.
///
/// Values are numbered: 0 is the input, `i + 1` what `nodes[i]` gives, and a node reads values of smaller numbers only. The
/// last value is the output. Every value is held flat, `[batch, features]`, whatever its shape; pictures are row-major in
/// `[channels, height, width]`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_certify::graph::{LayerConfig, NetworkConfig};
/// # fn main() -> Result<(), offprint_certify::CertifyError> {
/// let device = Device::flex();
/// let config = NetworkConfig {
///     input: vec![3],
///     layers: vec![LayerConfig::linear(5), LayerConfig::Relu, LayerConfig::linear(2)],
/// };
/// let network = config.init(&device)?;
/// assert_eq!(network.forward(Tensor::<2>::zeros([4, 3], &device))?.dims(), [4, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Network {
    /// Layers, each after those it reads.
    pub nodes: Vec<Node>,
    #[module(skip)]
    input: Vec<usize>,
}

/// A layer with its place in the graph.
#[derive(Module, Debug)]
pub struct Node {
    /// Name in a file: its parameters are `<name>.weight`, `<name>.bias` and so on.
    #[module(skip)]
    pub name: String,
    /// Numbers of the values it reads: two for an addition, else one.
    #[module(skip)]
    pub inputs: Vec<usize>,
    /// Shape of what it gives, without the batch: `[features]` or `[channels, height, width]`.
    #[module(skip)]
    pub shape: Vec<usize>,
    /// What it computes.
    pub layer: Layer,
}

impl Network {
    /// Shape of a sample: `[features]` or `[channels, height, width]`.
    pub fn input_shape(&self) -> &[usize] {
        &self.input
    }

    /// Features of the output: the classes.
    pub fn outputs(&self) -> usize {
        self.shape(self.nodes.len()).iter().product()
    }

    /// Shape of a value, without the batch.
    ///
    /// # Panics
    /// If there is no such value.
    pub fn shape(&self, value: usize) -> &[usize] {
        match value.checked_sub(1) {
            None => &self.input,
            Some(node) => &self.nodes[node].shape,
        }
    }

    /// Numbers of the values that ReLUs read, with the ReLU's name.
    pub fn relu_inputs(&self) -> Vec<(usize, &str)> {
        let relus = self.nodes.iter().filter_map(|node| match node.layer {
            Layer::Relu(_) => Some((node.inputs[0], node.name.as_str())),
            _ => None,
        });
        relus.collect()
    }

    /// The samples of a tensor as rows.
    ///
    /// # Errors
    /// They have another shape than the network reads. A flat sample of as many features is read as well.
    pub fn rows<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<2>> {
        let shape = x.dims();
        let features = self.input.iter().product();
        let fits = D >= 2 && (shape[1..] == self.input[..] || shape[1..] == [features]);
        if !fits {
            return Err(CertifyError::Input {
                actual: shape.get(1..).unwrap_or_default().to_vec(),
                expected: self.input.clone(),
            });
        }
        Ok(x.reshape([shape[0], features]))
    }

    /// Checks that the last layer is linear, as margins need it.
    ///
    /// # Errors
    /// Names the last layer.
    pub fn check_ending(&self) -> Result<&offprint_layers::Linear> {
        let last = self.nodes.last().ok_or(CertifyError::Empty)?;
        match &last.layer {
            Layer::Linear(linear) => Ok(linear),
            other => Err(CertifyError::Ending {
                node: last.name.clone(),
                kind: other.kind(),
            }),
        }
    }

    /// Checks labels of samples.
    ///
    /// # Errors
    /// A label that is no class, or another number of labels than of samples.
    pub fn check_labels(&self, labels: &[usize], samples: usize) -> Result<()> {
        let classes = self.outputs();
        if labels.len() != samples {
            let labels = labels.len();
            return Err(CertifyError::Labels { labels, samples });
        }
        match labels.iter().position(|&label| label >= classes) {
            None => Ok(()),
            Some(row) => Err(CertifyError::Label {
                row,
                label: labels[row],
                classes,
            }),
        }
    }
}
