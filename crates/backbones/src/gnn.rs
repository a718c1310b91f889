//! Message-passing networks on graphs.

use crate::error::{Result, check, check_sizes};
use crate::graph::{Adjacency, Graph};
use crate::mlp::{dropout, no_norm, relu};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_kernels::{Activation, activate, sparse_product};
use offprint_layers::{
    Context, Dropout, Init, Linear, LinearConfig, Norm, NormConfig, NormKind, Quantizer,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The aggregation slot: what a layer makes of a node and its neighbors `N(i)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// `h_i' = Σ_{j ∈ N(i) ∪ i} h_j W / √(d_i d_j) + b`, with the degrees `d` counting the node itself. Kipf and Welling,
    /// "Semi-Supervised Classification with Graph Convolutional Networks", ICLR 2017, equation 2.
    #[default]
    Gcn,
    /// `h_i' = f(((1 + ε) h_i + Σ_{j ∈ N(i)} h_j) W₁ + b₁) W₂ + b₂`, `ε` learned. Xu, Hu, Leskovec and Jegelka, "How
    /// Powerful are Graph Neural Networks?", ICLR 2019, equation 4.1.
    Gin,
    /// `h_i' = h_i W₁ + mean_{j ∈ N(i)} h_j W₂ + b`. Hamilton, Ying and Leskovec, "Inductive Representation Learning on
    /// Large Graphs", NeurIPS 2017, algorithm 1 with the mean, without its normalization.
    Sage,
}

/// What is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readout {
    /// One row a node.
    #[default]
    Nodes,
    /// One row a graph, from the mean over its nodes.
    Mean,
    /// One row a graph, from the sum over its nodes.
    Sum,
}

/// Configuration of a [`Gnn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GnnConfig {
    /// Features of a node.
    pub input: usize,
    /// Width of the answer.
    pub output: usize,
    /// Features of a node behind each layer.
    #[serde(default = "hidden")]
    pub hidden: Vec<usize>,
    /// What a layer makes of a node and its neighbors.
    #[serde(default)]
    pub aggregation: Aggregation,
    /// What is answered.
    #[serde(default)]
    pub readout: Readout,
    /// `f`.
    #[serde(default = "relu")]
    pub activation: Activation,
    /// The norm behind each layer.
    #[serde(default = "no_norm")]
    pub norm: NormKind,
    /// Probability that a hidden feature is dropped in training.
    #[serde(default)]
    pub dropout: f32,
    /// What the weights go through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

fn hidden() -> Vec<usize> {
    vec![64, 64]
}

/// Layers `h ← dropout(f(norm(aggregate(h))))`, the readout and one dense layer.
#[derive(Module, Debug)]
pub struct Gnn {
    /// In order.
    pub layers: Vec<MessageLayer>,
    /// Behind each layer.
    pub norms: Vec<Norm>,
    /// The layer of the answer.
    pub head: Linear,
    /// Behind each activation.
    pub dropout: Dropout,
    /// What is answered.
    #[module(skip)]
    pub readout: Readout,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

/// One layer, see [`Aggregation`].
#[derive(Module, Debug)]
pub struct MessageLayer {
    /// `W` or `W₁`.
    pub first: Linear,
    /// `W₂` of GIN and GraphSAGE.
    pub second: Option<Linear>,
    /// `ε` of GIN, `[1]`, zero at first.
    pub epsilon: Option<Param<Tensor<1>>>,
    /// What the layer makes of a node and its neighbors.
    #[module(skip)]
    pub aggregation: Aggregation,
    /// `f` within GIN.
    #[module(skip)]
    pub activation: Activation,
}

impl GnnConfig {
    /// GCN with ReLU, and neither norm nor dropout, that answers nodes.
    pub fn new(input: usize, hidden: Vec<usize>, output: usize) -> Self {
        Self {
            input,
            output,
            hidden,
            aggregation: Aggregation::default(),
            readout: Readout::default(),
            activation: relu(),
            norm: no_norm(),
            dropout: 0.0,
            quantizer: Quantizer::default(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a width is 0, there is no layer, or dropout or quantizer are out of range.
    pub fn validate(&self) -> Result<()> {
        let hidden = self.hidden.iter().copied().min();
        check(
            hidden.is_some(),
            "hidden",
            "[]",
            "at least one width: a network without a layer sees no neighbors",
        )?;
        check_sizes([
            ("input", self.input),
            ("hidden", hidden.unwrap_or_default()),
            ("output", self.output),
        ])?;
        dropout(self.dropout)?;
        Ok(self.quantizer.validate()?)
    }

    /// A network with initial parameters.
    ///
    /// # Errors
    /// As [`GnnConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Gnn> {
        self.validate()?;
        let inputs = std::iter::once(&self.input).chain(&self.hidden);
        let layers = inputs.zip(&self.hidden);
        let norms = self.hidden.iter();
        let last = self.hidden[self.hidden.len() - 1];
        Ok(Gnn {
            layers: layers
                .map(|(&input, &output)| self.layer(input, output, device))
                .collect::<Result<_>>()?,
            norms: norms
                .map(|&width| Ok(NormConfig::new(self.norm, width).init(device)?))
                .collect::<Result<_>>()?,
            head: self.linear(last, self.output, true, device)?,
            dropout: dropout(self.dropout)?,
            readout: self.readout,
            activation: self.activation,
        })
    }

    fn layer(&self, input: usize, output: usize, device: &Device) -> Result<MessageLayer> {
        let second = match self.aggregation {
            Aggregation::Gcn => None,
            Aggregation::Gin => Some(self.linear(output, output, true, device)?),
            // One bias is enough for the sum of both products.
            Aggregation::Sage => Some(self.linear(input, output, false, device)?),
        };
        let epsilon = (self.aggregation == Aggregation::Gin)
            .then(|| Param::from_tensor(Tensor::zeros([1], device)));
        Ok(MessageLayer {
            first: self.linear(input, output, true, device)?,
            second,
            epsilon,
            aggregation: self.aggregation,
            activation: self.activation,
        })
    }

    fn linear(&self, input: usize, output: usize, bias: bool, device: &Device) -> Result<Linear> {
        let config = LinearConfig {
            bias,
            init: Init::He,
            quantizer: self.quantizer,
            ..LinearConfig::new(input, output)
        };
        Ok(config.init(device)?)
    }
}

impl Gnn {
    /// The answer to each node, or each graph.
    ///
    /// # Shapes
    /// * `x`: `[nodes, input]`
    /// * result: `[nodes, output]`, or `[graphs, output]`
    ///
    /// # Panics
    /// If `x` is not a row of `input` features for each node of the graph.
    pub fn forward(&self, x: Tensor<2>, graph: &Graph, context: Context) -> Tensor<2> {
        let mut h = x;
        for (index, (layer, norm)) in self.layers.iter().zip(&self.norms).enumerate() {
            h = norm.forward(layer.forward(h, graph), context);
            h = activate(h, self.activation);
            h = self.dropout.forward(h, context.branch(index as u64));
        }
        let h = match self.readout {
            Readout::Nodes => h,
            readout => sparse_product(&Arc::new(graph.readout(readout == Readout::Mean)), h),
        };
        self.head.forward(h)
    }
}

impl MessageLayer {
    /// The features of each node with those of its neighbors.
    ///
    /// # Shapes
    /// * `x`: `[nodes, input]`
    /// * result: `[nodes, output]`
    ///
    /// # Panics
    /// If `x` is not a row of `input` features for each node of the graph.
    pub fn forward(&self, x: Tensor<2>, graph: &Graph) -> Tensor<2> {
        let gathered = |adjacency, x| sparse_product(graph.matrix(adjacency), x);
        match (self.aggregation, &self.second, &self.epsilon) {
            (Aggregation::Gin, Some(second), Some(epsilon)) => {
                let own = x.clone() * (epsilon.val() + 1.0).unsqueeze();
                let h = own + gathered(Adjacency::Sum, x);
                second.forward(self.first.activated(h, self.activation))
            }
            (Aggregation::Sage, Some(second), _) => {
                let mean = gathered(Adjacency::Mean, x.clone());
                self.first.forward(x) + second.forward(mean)
            }
            _ => {
                // The product first: its rows are usually shorter than the input's. The bias is not spread.
                let weight = self.first.quantizer.quantize(self.first.weight.val(), 1);
                let h = offprint_kernels::linear(x, weight, None, Activation::Identity);
                let h = gathered(Adjacency::Normalized, h);
                match &self.first.bias {
                    Some(bias) => h + bias.val().unsqueeze(),
                    None => h,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, count, device, tensor};

    const ALL: [Aggregation; 3] = [Aggregation::Gcn, Aggregation::Gin, Aggregation::Sage];

    #[test]
    fn every_parameter_learns_with_every_slot() {
        let graphs = Graph::undirected(5, &[(0, 1), (1, 2), (2, 3), (0, 4)]);
        let graphs = graphs.unwrap().repeated(3);
        for aggregation in ALL {
            for (readout, norm, rows) in [
                (Readout::Nodes, NormKind::Batch, 15),
                (Readout::Mean, NormKind::None, 3),
                (Readout::Sum, NormKind::Layer, 3),
            ] {
                let config = GnnConfig {
                    aggregation,
                    readout,
                    norm,
                    dropout: 0.1,
                    activation: Activation::Gelu,
                    ..GnnConfig::new(4, vec![8, 6], 2)
                };
                let gnn = config.init(&device()).unwrap();
                let y = gnn.forward(tensor([15, 4], 1), &graphs, Context::training(5));
                assert_eq!(y.dims(), [rows, 2]);
                assert_all_learn(&gnn, &(y * tensor([rows, 2], 2)).sum().backward());
            }
        }
    }

    /// As torch_geometric's layers count, with the head of 64·3 + 3.
    #[test]
    fn parameters() {
        let count_of = |aggregation| {
            let config = GnnConfig {
                aggregation,
                ..GnnConfig::new(10, vec![64], 3)
            };
            count(&config.init(&device()).unwrap()) - 195
        };
        assert_eq!(ALL.map(count_of), [704, 704 + 4160 + 1, 704 + 640]);
    }

    /// Names of nodes mean nothing: nodes in another order give the same rows in that order.
    #[test]
    fn the_order_of_nodes_does_not_matter() {
        let edges = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)];
        let turned = edges.map(|(a, b)| (3 - a, 3 - b));
        let (graph, other) = (
            Graph::undirected(4, &edges).unwrap(),
            Graph::undirected(4, &turned).unwrap(),
        );
        let x: Tensor<2> = tensor([4, 3], 1);
        for aggregation in ALL {
            let config = GnnConfig {
                aggregation,
                ..GnnConfig::new(3, vec![5], 2)
            };
            let gnn = config.init(&device()).unwrap();
            let y = gnn.forward(x.clone(), &graph, Context::EVALUATION);
            let z = gnn.forward(x.clone().flip([0]), &other, Context::EVALUATION);
            let error = (y - z.flip([0])).abs().max().into_scalar::<f32>();
            assert!(error < 1e-5, "{aggregation:?}: {error}");
        }
    }

    #[test]
    fn settings_out_of_range() {
        let error = GnnConfig::new(3, vec![], 2)
            .validate()
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("hidden = [], but it must be at least one width"),
            "{error}"
        );
        assert!(GnnConfig::new(3, vec![4, 0], 2).validate().is_err());
    }
}
