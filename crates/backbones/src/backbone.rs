//! Any backbone as one module: what a trainer needs of it.

use crate::convnet::Convnet;
use crate::encoder::Encoder;
use crate::encoder_decoder::EncoderDecoder;
use crate::error::{Result, check};
use crate::gnn::Gnn;
use crate::gpt::Gpt;
use crate::graph::Graph;
use crate::lenet::Lenet;
use crate::mlp::Mlp;
use crate::output::Output;
use crate::resnet::Resnet;
use crate::unet::Unet;
use crate::vit::Vit;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Int, Tensor};
use offprint_layers::Context;
use std::sync::Arc;

/// Any of the backbones, made by [`BackboneConfig::init`](crate::BackboneConfig::init).
#[derive(Module, Debug)]
pub enum Backbone {
    /// See [`Mlp`].
    Mlp(Mlp),
    /// See [`Lenet`].
    Lenet(Lenet),
    /// See [`Convnet`].
    Convnet(Convnet),
    /// See [`Resnet`].
    Resnet(Resnet),
    /// See [`Unet`].
    Unet(Unet),
    /// See [`Gnn`].
    Gnn(Gnn),
    /// See [`Vit`].
    Vit(Vit),
    /// See [`Gpt`].
    Gpt(Gpt),
    /// See [`Encoder`].
    Encoder(Encoder),
    /// See [`EncoderDecoder`].
    EncoderDecoder(EncoderDecoder),
}

/// What a backbone is given.
#[derive(Clone, Debug)]
pub enum Input {
    /// `[rows, channels, height, width]`
    Images(Tensor<4>),
    /// `[rows, width]`
    Features(Tensor<2>),
    /// `[rows, length]`
    Tokens(Tensor<2, Int>),
    /// Two texts, `[rows, length]` each: what is known, and what is answered so far.
    Pair(Tensor<2, Int>, Tensor<2, Int>),
    /// Features of all nodes of a graph, `[nodes, width]`, and the nodes that are asked for.
    Nodes(Tensor<2>, Arc<Graph>, Tensor<1, Int>),
    /// Features of the nodes of several graphs side by side, `[nodes, width]`.
    Graphs(Tensor<2>, Arc<Graph>),
}

impl Backbone {
    /// The answers, one a row: for each row of a table, picture, graph or asked node, for each pixel of a U-Net's pictures
    /// (row by row), for each token of a text.
    ///
    /// # Shapes
    /// * output: `[answers, outputs]`
    ///
    /// # Errors
    /// If the backbone takes other inputs, or a transformer refuses the tokens or a gate the numbers.
    ///
    /// # Panics
    /// If inputs have other sizes than configured.
    pub fn answer(&self, input: Input, context: Context) -> Result<Output<2>> {
        let output = match (self, input) {
            (Self::Mlp(mlp), Input::Features(x)) => mlp.forward(x, context),
            (Self::Mlp(mlp), Input::Images(x)) => mlp.forward(x.flatten(1, 3), context),
            (Self::Lenet(lenet), Input::Images(x)) => lenet.forward(x, context),
            (Self::Convnet(convnet), Input::Images(x)) => convnet.forward(x, context),
            (Self::Resnet(resnet), Input::Images(x)) => resnet.forward(x, context),
            (Self::Unet(unet), Input::Images(x)) => {
                let y = unet.forward(x, context);
                let [rows, classes, height, width] = y.dims();
                y.permute([0, 2, 3, 1])
                    .reshape([rows * height * width, classes])
            }
            (Self::Gnn(gnn), Input::Nodes(x, graph, asked)) => {
                gnn.forward(x, &graph, context).select(0, asked)
            }
            (Self::Gnn(gnn), Input::Graphs(x, graph)) => gnn.forward(x, &graph, context),
            (Self::Vit(vit), Input::Images(x)) => return vit.forward(x, context),
            (Self::Gpt(gpt), Input::Tokens(tokens)) => {
                return Ok(rows(gpt.forward(tokens, context)?));
            }
            (Self::Encoder(encoder), Input::Tokens(tokens)) => {
                return encoder.forward(tokens, None, context);
            }
            (Self::EncoderDecoder(model), Input::Pair(known, begun)) => {
                return Ok(rows(model.forward(known, None, begun, context)?));
            }
            (_, input) => {
                check(false, "input", input.name(), "what the backbone takes")?;
                unreachable!("refused above")
            }
        };
        Ok(Output {
            output,
            penalty: None,
        })
    }
}

/// Answers to the positions of all rows, one below another.
fn rows(answer: Output<3>) -> Output<2> {
    Output {
        output: answer.output.flatten(0, 1),
        penalty: answer.penalty,
    }
}

impl Input {
    fn name(&self) -> &'static str {
        match self {
            Self::Images(_) => "pictures",
            Self::Features(_) => "features",
            Self::Tokens(_) => "tokens",
            Self::Pair(..) => "two texts",
            Self::Nodes(..) => "nodes of a graph",
            Self::Graphs(..) => "graphs",
        }
    }
}

/// Number of trained parameters of a module on a device with gradients: running statistics do not count.
pub fn parameters(module: &impl Module) -> usize {
    struct Counter(usize);
    impl ModuleVisitor for Counter {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let value = parameter.val();
            if value.is_require_grad() {
                self.0 += value.shape().num_elements();
            }
        }
    }
    let mut counter = Counter(0);
    module.visit(&mut counter);
    counter.0
}
