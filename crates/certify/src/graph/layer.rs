//! The layers of a verifiable network.

use burn::module::Module;
use offprint_layers::{BatchNorm, Conv2d, Linear};
use serde::{Deserialize, Serialize};

/// What a node computes.
#[derive(Module, Debug)]
pub enum Layer {
    /// `x W + b`.
    Linear(Linear),
    /// Correlation with filters, plus a bias.
    Conv2d(Conv2d),
    /// `(x − mean) / √(variance + ε) · weight + bias` of each channel, or feature.
    BatchNorm(BatchNorm),
    /// `max(0, x)`.
    Relu(Relu),
    /// Largest value of each window.
    MaxPool(Pool),
    /// Mean of each window, padding counting as zeros.
    AvgPool(Pool),
    /// A picture as a row of features.
    Flatten(Flatten),
    /// Sum of two values: a residual connection.
    Add(Add),
}

/// `max(0, x)`.
#[derive(Module, Debug)]
pub struct Relu {}

/// A picture as a row of features.
#[derive(Module, Debug)]
pub struct Flatten {}

/// Sum of two values.
#[derive(Module, Debug)]
pub struct Add {}

/// Windows over a picture.
#[derive(Module, Debug)]
pub struct Pool {
    /// Size and distance of the windows.
    #[module(skip)]
    pub window: Window,
}

/// Size and distance of windows; lines first, then columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Size of a window.
    pub kernel: [usize; 2],
    /// Distance of windows.
    pub stride: [usize; 2],
    /// Lines above and below, columns left and right, that are added.
    pub padding: [usize; 2],
}

impl Layer {
    /// Its kind, as messages say it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Linear(_) => "linear layer",
            Self::Conv2d(_) => "convolution",
            Self::BatchNorm(_) => "batch norm",
            Self::Relu(_) => "ReLU",
            Self::MaxPool(_) => "max pooling",
            Self::AvgPool(_) => "average pooling",
            Self::Flatten(_) => "flatten",
            Self::Add(_) => "addition",
        }
    }
}
