//! The network of every arm, behind one call.

use super::{DeepONetSettings, task::TIMES};
use crate::explain::explain;
use burn::{
    module::{Module, Param},
    tensor::{Device, Int, Tensor},
};
use offprint_backbones::{Mlp, MlpConfig, ResidualMlp, ResidualMlpConfig, Seq2Seq, Seq2SeqConfig};
use offprint_lab::{Error, Result};
use offprint_layers::{Context, Linear};
use offprint_operators::{DeepONet, DeepONetConfig, deeponet::glorot_normal};

/// What a network is built from, but for the sizes that the data decides.
#[derive(Clone, Debug)]
pub enum Net {
    Operator {
        width: usize,
        stacked: bool,
        bias: bool,
    },
    Dense {
        hidden: usize,
        depth: usize,
    },
    Residual {
        hidden: usize,
        depth: usize,
    },
    Recurrent {
        hidden: usize,
    },
}

/// The network of an arm.
#[allow(clippy::large_enum_variant, reason = "a trial has one of them")]
#[derive(Module, Debug)]
pub enum Model {
    Operator(DeepONet),
    Dense(Mlp),
    Residual(ResidualMlp),
    Recurrent(Seq2Seq),
}

/// Functions, each with points of its own.
pub struct Batch {
    /// `[functions, sensors]`.
    pub u: Tensor<2>,
    /// `[functions, points, coordinates]`.
    pub y: Tensor<3>,
    /// Numbers of the points in the grid of times.
    pub index: Tensor<2, Int>,
}

impl Net {
    /// The network of an arm by its name.
    ///
    /// # Errors
    /// There is no such arm.
    pub fn of_arm(arm: &str, settings: &DeepONetSettings) -> Result<Self> {
        let &DeepONetSettings {
            width,
            hidden,
            depth,
            ..
        } = settings;
        let operator = |stacked, bias| Net::Operator {
            width,
            stacked,
            bias,
        };
        Ok(match arm {
            "deeponet" | "sensors" | "samples" => operator(false, true),
            "deeponet-no-bias" => operator(false, false),
            "stacked" => operator(true, true),
            "stacked-no-bias" => operator(true, false),
            "fnn" => Net::Dense { hidden, depth },
            "resnet" => Net::Residual { hidden, depth },
            "seq2seq" => Net::Recurrent { hidden },
            _ => {
                return Err(Error::input(format!(
                    "DeepONet's study has no arm \"{arm}\""
                )));
            }
        })
    }

    /// A network with initial parameters: Glorot normal, but for the recurrent one, which keeps PyTorch's as the authors'
    /// does.
    ///
    /// # Errors
    /// A size that the network refuses.
    pub fn init(&self, sensors: usize, query: usize, device: &Device) -> Result<Model> {
        let refused = |error: offprint_backbones::BackbonesError| Error::input(error.to_string());
        match *self {
            Net::Operator {
                width,
                stacked,
                bias,
            } => {
                let config = DeepONetConfig {
                    width,
                    branch: vec![width],
                    trunk: vec![width],
                    stacked,
                    bias,
                    ..DeepONetConfig::new(sensors, query)
                };
                Ok(Model::Operator(config.init(device).map_err(explain)?))
            }
            Net::Dense { hidden, depth } => {
                let config = MlpConfig::new(sensors + query, vec![hidden; depth], 1);
                let mut mlp = config.init(device).map_err(refused)?;
                mlp.layers.iter_mut().for_each(glorot);
                glorot(&mut mlp.head);
                Ok(Model::Dense(mlp))
            }
            Net::Residual { hidden, depth } => {
                let config = ResidualMlpConfig::new(sensors + query, hidden, depth, 1);
                let mut net = config.init(device).map_err(refused)?;
                net.blocks.iter_mut().flatten().for_each(glorot);
                [&mut net.first, &mut net.head].into_iter().for_each(glorot);
                Ok(Model::Residual(net))
            }
            Net::Recurrent { hidden } => {
                let config = Seq2SeqConfig {
                    input: 1,
                    hidden,
                    output: 1,
                    length_in: sensors,
                    length_out: TIMES,
                };
                Ok(Model::Recurrent(config.init(device).map_err(refused)?))
            }
        }
    }
}

/// Gives a layer Glorot's initial values.
fn glorot(layer: &mut Linear) {
    let ([input, output], device) = (layer.weight.dims(), layer.weight.device());
    layer.weight = glorot_normal([input, output], input, output, &device);
    if let Some(bias) = &mut layer.bias {
        *bias = Param::from_tensor(Tensor::zeros([output], &device));
    }
}

impl Model {
    /// The answer to each function at its points, `[functions, points]`.
    ///
    /// # Errors
    /// Widths that do not fit.
    pub fn forward(&self, batch: Batch) -> Result<Tensor<2>> {
        let Batch { u, y, index } = batch;
        let [functions, points, _] = y.dims();
        let rows = |u: Tensor<2>, y: Tensor<3>| {
            let sensors = u.dims()[1];
            let u = u.unsqueeze_dim::<3>(1).expand([functions, points, sensors]);
            let both = Tensor::cat(vec![u, y], 2);
            let width = both.dims()[2];
            both.reshape([functions * points, width])
        };
        Ok(match self {
            Model::Operator(net) => net.forward_each(u, y).map_err(explain)?,
            Model::Dense(net) => {
                let s = net.forward(rows(u, y), Context::EVALUATION);
                s.reshape([functions, points])
            }
            Model::Residual(net) => net.forward(rows(u, y)).reshape([functions, points]),
            Model::Recurrent(net) => {
                let s: Tensor<2> = net.forward(u.unsqueeze_dim(2)).squeeze_dim(2);
                s.gather(1, index)
            }
        })
    }
}
