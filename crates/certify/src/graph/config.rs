//! A network by its configuration, with initial parameters.

use super::{Add, Flatten, Layer, Network, NetworkBuilder, Pool, Relu, Window};
use crate::error::{CertifyError, Result};
use burn::tensor::Device;
use offprint_layers::{Conv2dConfig, LinearConfig, Norm, NormConfig, NormKind};
use serde::{Deserialize, Serialize};

/// Configuration of a [`Network`]: a sequence of layers with residual branches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Shape of a sample: `[features]` or `[channels, height, width]`.
    pub input: Vec<usize>,
    /// The layers in order.
    pub layers: Vec<LayerConfig>,
}

/// Configuration of a layer. Layer `i` is named `<i>`, layer `j` of its branch `<i>.<j>`, of its shortcut
/// `<i>.shortcut.<j>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LayerConfig {
    /// A linear layer with a bias.
    Linear {
        /// Features it gives.
        outputs: usize,
    },
    /// A convolution with a square kernel and a bias.
    Conv2d {
        /// Channels it gives.
        outputs: usize,
        /// Height and width of a filter.
        kernel: usize,
        /// Step down and to the right.
        stride: usize,
        /// Zeros on each side.
        padding: usize,
    },
    /// Batch norm of each channel, or of each feature.
    BatchNorm,
    /// `max(0, x)`.
    Relu,
    /// Largest value of each square window.
    MaxPool {
        /// Height and width of a window.
        kernel: usize,
        /// Distance of windows.
        stride: usize,
    },
    /// Mean of each square window.
    AvgPool {
        /// Height and width of a window.
        kernel: usize,
        /// Distance of windows.
        stride: usize,
    },
    /// A picture as a row of features.
    Flatten,
    /// `branch(x) + shortcut(x)`; the shortcut is the identity if it has no layers.
    Residual {
        /// Layers of the branch.
        branch: Vec<LayerConfig>,
        /// Layers of the shortcut.
        #[serde(default)]
        shortcut: Vec<LayerConfig>,
    },
}

impl LayerConfig {
    /// A linear layer.
    pub fn linear(outputs: usize) -> Self {
        Self::Linear { outputs }
    }

    /// A convolution with a 3 × 3 kernel that keeps the size of a picture, or divides it by the stride.
    pub fn conv(outputs: usize, stride: usize) -> Self {
        Self::Conv2d {
            outputs,
            kernel: 3,
            stride,
            padding: 1,
        }
    }
}

impl NetworkConfig {
    /// Two convolutions of stride 2 with `width` and twice as many filters, then a hidden linear layer.
    pub fn cnn(input: [usize; 3], width: usize, hidden: usize, classes: usize, norm: bool) -> Self {
        let convolutions = [(width, 2), (2 * width, 2)];
        Self::feed_forward(input, &convolutions, hidden, classes, norm)
    }

    /// The paper's network of seven layers: five convolutions, the third of stride 2, and two linear layers; `width` is
    /// 64 and `hidden` 512 there.
    pub fn cnn7(
        input: [usize; 3],
        width: usize,
        hidden: usize,
        classes: usize,
        norm: bool,
    ) -> Self {
        let (one, two) = (width, 2 * width);
        let convolutions = [(one, 1), (one, 1), (two, 2), (two, 1), (two, 1)];
        Self::feed_forward(input, &convolutions, hidden, classes, norm)
    }

    /// A small residual network: a convolution, a block that keeps the size and one that halves it with a convolution in
    /// its shortcut, average pooling, a linear layer.
    pub fn residual(input: [usize; 3], width: usize, classes: usize, norm: bool) -> Self {
        let convolution = |outputs, stride| {
            let mut layers = vec![LayerConfig::conv(outputs, stride)];
            layers.extend(norm.then_some(LayerConfig::BatchNorm));
            layers
        };
        let mut layers = convolution(width, 2);
        layers.push(LayerConfig::Relu);
        for (outputs, stride) in [(width, 1), (2 * width, 2)] {
            let mut branch = convolution(outputs, stride);
            branch.push(LayerConfig::Relu);
            branch.extend(convolution(outputs, 1));
            let shortcut = match stride {
                1 => Vec::new(),
                _ => convolution(outputs, stride),
            };
            layers.push(LayerConfig::Residual { branch, shortcut });
            layers.push(LayerConfig::Relu);
        }
        layers.push(LayerConfig::AvgPool {
            kernel: 2,
            stride: 2,
        });
        layers.push(LayerConfig::Flatten);
        layers.push(LayerConfig::linear(classes));
        Self {
            input: input.to_vec(),
            layers,
        }
    }

    /// Convolutions of `(filters, stride)`, a hidden linear layer and one for the classes; with batch norm, if so, before
    /// every ReLU.
    fn feed_forward(
        input: [usize; 3],
        convolutions: &[(usize, usize)],
        hidden: usize,
        classes: usize,
        norm: bool,
    ) -> Self {
        let activated = |layer| {
            let norm = norm.then_some(LayerConfig::BatchNorm);
            [Some(layer), norm, Some(LayerConfig::Relu)]
                .into_iter()
                .flatten()
        };
        let mut layers = Vec::new();
        for &(filters, stride) in convolutions {
            layers.extend(activated(LayerConfig::conv(filters, stride)));
        }
        layers.push(LayerConfig::Flatten);
        layers.extend(activated(LayerConfig::linear(hidden)));
        layers.push(LayerConfig::linear(classes));
        Self {
            input: input.to_vec(),
            layers,
        }
    }

    /// A network with PyTorch's initial values.
    ///
    /// # Errors
    /// A layer that cannot read what the one before gives, or a size of 0.
    pub fn init(&self, device: &Device) -> Result<Network> {
        let mut builder = NetworkBuilder::new(self.input.clone())?;
        sequence(&mut builder, &self.layers, 0, "", 0, device)?;
        builder.finish()
    }
}

/// Branches within branches that are read: a file cannot exhaust the stack.
const DEEPEST: usize = 16;

/// Adds layers that read `from` and then one another; returns the number of the last value.
fn sequence(
    builder: &mut NetworkBuilder,
    layers: &[LayerConfig],
    from: usize,
    prefix: &str,
    depth: usize,
    device: &Device,
) -> Result<usize> {
    if depth > DEEPEST {
        return Err(CertifyError::Range {
            name: "residual",
            value: format!("{depth} branches within one another"),
            allowed: format!("at most {DEEPEST}"),
        });
    }
    let mut value = from;
    for (number, layer) in layers.iter().enumerate() {
        let name = format!("{prefix}{number}");
        if let LayerConfig::Residual { branch, shortcut } = layer {
            let within = format!("{name}.");
            let end = sequence(builder, branch, value, &within, depth + 1, device)?;
            let within = format!("{name}.shortcut.");
            let short = sequence(builder, shortcut, value, &within, depth + 1, device)?;
            value = builder.push(name, vec![short, end], Layer::Add(Add {}))?;
        } else {
            let layer = init(layer, builder.shape(value), device)?;
            value = builder.push(name, vec![value], layer)?;
        }
    }
    Ok(value)
}

/// A layer with PyTorch's initial values for a value of this shape; what cannot read it is refused when it is added.
fn init(layer: &LayerConfig, shape: &[usize], device: &Device) -> Result<Layer> {
    let sizes = |sizes: &[(&'static str, usize)]| match sizes.iter().find(|(_, size)| *size == 0) {
        Some((name, _)) => Err(CertifyError::Zero(name)),
        None => Ok(()),
    };
    let bound = |size: usize, name: &'static str| {
        let holds = size <= 1 << 16;
        crate::error::check(holds, name, size, "at most 65536")
    };
    let pool = |kernel: usize, stride: usize| Pool {
        window: Window {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [0; 2],
        },
    };
    let refused = |error: offprint_layers::LayersError| CertifyError::File(error.to_string());
    Ok(match *layer {
        LayerConfig::Linear { outputs } => {
            sizes(&[("outputs", outputs)])?;
            bound(outputs, "outputs")?;
            let linear = LinearConfig::new(shape.iter().product(), outputs);
            Layer::Linear(linear.init(device).map_err(refused)?)
        }
        LayerConfig::Conv2d {
            outputs,
            kernel,
            stride,
            padding,
        } => {
            sizes(&[("outputs", outputs), ("kernel", kernel), ("stride", stride)])?;
            bound(outputs, "outputs")?;
            crate::error::check(kernel <= 64, "kernel", kernel, "at most 64")?;
            let conv = Conv2dConfig {
                stride: [stride; 2],
                padding: [padding; 2],
                ..Conv2dConfig::new([shape[0], outputs], kernel)
            };
            Layer::Conv2d(conv.init(device).map_err(refused)?)
        }
        LayerConfig::BatchNorm => {
            let norm = NormConfig::new(NormKind::Batch, shape[0]);
            match norm.init(device).map_err(refused)? {
                Norm::Batch(norm) => Layer::BatchNorm(norm),
                other => unreachable!("batch norm was asked for, not {other:?}"),
            }
        }
        LayerConfig::Relu => Layer::Relu(Relu {}),
        LayerConfig::MaxPool { kernel, stride } => Layer::MaxPool(pool(kernel, stride)),
        LayerConfig::AvgPool { kernel, stride } => Layer::AvgPool(pool(kernel, stride)),
        LayerConfig::Flatten => Layer::Flatten(Flatten {}),
        LayerConfig::Residual { .. } => unreachable!("sequences take residual branches apart"),
    })
}
