//! Feed-forward networks as experts, new or made from the neurons of a trained network.

use crate::error::{Result, check};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_experts::{ExpertLayer, ExpertsError};
use offprint_kernels::{Pairs, grouped_linear};
use offprint_layers::{Activation, FeedForward, FeedForwardConfig, Quantizer};
use std::sync::Arc;

/// Feed-forward experts `f(x W_e + b_e) V_e + c_e`, each on its own rows by one grouped product a layer.
#[derive(Module, Debug)]
pub struct FeedForwardExperts {
    /// `[experts, width, hidden]`.
    pub up: Param<Tensor<3>>,
    /// `[experts, hidden]`.
    pub up_bias: Param<Tensor<2>>,
    /// `[experts, hidden, width]`.
    pub down: Param<Tensor<3>>,
    /// `[experts, width]`.
    pub down_bias: Param<Tensor<2>>,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

impl FeedForwardExperts {
    /// Each expert started like the network of a place in a backbone.
    pub(crate) fn new(experts: usize, place: &FeedForwardConfig, device: &Device) -> Self {
        let (width, hidden) = (place.width, place.hidden);
        Self {
            up: place.init.weight([experts, width, hidden], width, device),
            up_bias: Param::from_tensor(Tensor::zeros([experts, hidden], device)),
            down: place
                .output_init
                .weight([experts, hidden, width], hidden, device),
            down_bias: Param::from_tensor(Tensor::zeros([experts, width], device)),
            activation: place.activation,
        }
    }

    /// Experts made from the neurons of a trained network, expert `e` from `neurons[e]`: see
    /// [`NeuronSplit`](offprint_experts::NeuronSplit).
    ///
    /// Every expert has the whole output bias, so that a mixture whose weights sum to 1 adds it once; where each expert has
    /// all neurons, the mixture is the network. Experts with fewer neurons than the largest one are filled up with neurons
    /// of zero weight, which add nothing.
    ///
    /// ```
    /// use burn::tensor::{Device, Distribution, Tensor};
    /// use offprint_backbones::FeedForwardExperts;
    /// use offprint_experts::{CometGateConfig, GateInput, MixtureOfExperts, NeuronSplit};
    /// use offprint_layers::{Activation, FeedForwardConfig};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let device = Device::flex();
    /// let network = FeedForwardConfig::new(8, 32, Activation::Gelu).init(&device)?;
    /// // Ranked by importance; here as they stand.
    /// let ranking: Vec<usize> = (0..32).collect();
    /// let neurons = NeuronSplit::new(4, 8).deal(&ranking)?;
    /// let experts = FeedForwardExperts::from_network(&network, &neurons)?;
    /// let gate = CometGateConfig::new(8, 4, 1).init(&device)?;
    /// let x = Tensor::random([5, 8], Distribution::Normal(0.0, 1.0), &device);
    /// let mixed = MixtureOfExperts::new(gate, experts)?.forward(x, GateInput::default())?;
    /// assert_eq!(mixed.output.dims(), [5, 8]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Source: Zuo et al., "MoEBERT: from BERT to Mixture-of-Experts via Importance-Guided Adaptation", NAACL 2022.
    ///
    /// # Errors
    /// If there are fewer than two experts, one has no neuron or one that the network lacks, or the network is quantized.
    pub fn from_network(network: &FeedForward, neurons: &[Vec<usize>]) -> Result<Self> {
        if neurons.len() < 2 {
            return Err(ExpertsError::TooFewExperts(neurons.len()).into());
        }
        for quantizer in [network.up.quantizer, network.down.quantizer] {
            check(
                quantizer == Quantizer::None,
                "quantizer",
                format!("{quantizer:?}"),
                "none in a network that becomes experts, whose weights are not quantized",
            )?;
        }
        let widest = neurons.iter().map(Vec::len).max().unwrap_or(0);
        let [width, _] = network.up.weight.dims();
        let device = network.up.weight.val().device();
        let [mut up, mut up_bias, mut down, mut down_bias] = [(); 4].map(|()| Vec::new());
        for own in neurons {
            let part = network.part(own)?;
            let missing = widest - own.len();
            let rows = |rows: usize, columns: usize| Tensor::<2>::zeros([rows, columns], &device);
            let bias = |bias: Option<Param<Tensor<1>>>, size: usize| match bias {
                Some(bias) => bias.val().reshape([1, size]),
                None => rows(1, size),
            };
            let filled = |tensor: Tensor<2>, axis: usize, zeros: Tensor<2>| match missing {
                0 => tensor,
                _ => Tensor::cat(vec![tensor, zeros], axis),
            };
            up.push(filled(part.up.weight.val(), 1, rows(width, missing)));
            up_bias.push(filled(bias(part.up.bias, own.len()), 1, rows(1, missing)));
            down.push(filled(part.down.weight.val(), 0, rows(missing, width)));
            down_bias.push(bias(part.down.bias, width));
        }
        let stacked = |parts| Param::from_tensor(Tensor::stack::<3>(parts, 0).detach());
        let joined = |parts| Param::from_tensor(Tensor::cat(parts, 0).detach());
        Ok(Self {
            up: stacked(up),
            up_bias: joined(up_bias),
            down: stacked(down),
            down_bias: joined(down_bias),
            activation: network.activation,
        })
    }
}

impl ExpertLayer for FeedForwardExperts {
    fn experts(&self) -> usize {
        self.up.dims()[0]
    }

    fn input(&self) -> Option<usize> {
        Some(self.up.dims()[1])
    }

    fn evaluate(&self, x: Tensor<2>, pairs: &Arc<Pairs>) -> Result<Tensor<2>, ExpertsError> {
        let (weight, bias) = (self.up.val(), self.up_bias.val());
        let h = grouped_linear(x, weight, bias, pairs, self.activation);
        let (weight, bias) = (self.down.val(), self.down_bias.val());
        Ok(grouped_linear(h, weight, bias, pairs, Activation::Identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::device;
    use burn::tensor::Distribution;
    use offprint_experts::{CometGateConfig, GateInput, HashGate, MixtureOfExperts, NeuronSplit};

    fn network(hidden: usize) -> FeedForward {
        let config = FeedForwardConfig::new(6, hidden, Activation::Gelu);
        config.init(&device()).unwrap()
    }

    fn rows() -> Tensor<2> {
        Tensor::random([9, 6], Distribution::Normal(0.0, 1.0), &device())
    }

    fn distance(a: Tensor<2>, b: Tensor<2>) -> f32 {
        (a - b).abs().max().into_scalar::<f32>()
    }

    #[test]
    fn experts_that_share_every_neuron_are_the_network() {
        let network = network(10);
        let ranking: Vec<usize> = (0..10).rev().collect();
        let neurons = NeuronSplit::new(3, 10).deal(&ranking).unwrap();
        let experts = FeedForwardExperts::from_network(&network, &neurons).unwrap();
        let gate = CometGateConfig::new(6, 3, 2).init(&device()).unwrap();
        let mixture = MixtureOfExperts::new(gate, experts).unwrap();
        let x = rows();
        let mixed = mixture.forward(x.clone(), GateInput::default()).unwrap();
        assert!(distance(mixed.output, network.forward(x)) < 1e-5);
    }

    /// Seven neurons for three experts: one has three of them, the others two.
    #[test]
    fn each_expert_is_the_network_of_its_neurons() {
        let network = network(7);
        let ranking: Vec<usize> = (0..7).collect();
        let neurons = NeuronSplit::new(3, 0).deal(&ranking).unwrap();
        let experts = FeedForwardExperts::from_network(&network, &neurons).unwrap();
        let table = vec![0, 1, 2, 2, 1, 0, 0, 2, 1];
        let gate = HashGate::from_table(table.clone(), 3, &device()).unwrap();
        let mixture = MixtureOfExperts::new(gate, experts).unwrap();
        let (x, ids) = (rows(), (0..9).collect::<Vec<_>>());
        let mixed = mixture.forward(x.clone(), GateInput::by_id(&ids)).unwrap();
        for (row, &expert) in table.iter().enumerate() {
            let part = network.part(&neurons[expert]).unwrap();
            let expected = part.forward(x.clone().narrow(0, row, 1));
            assert!(distance(mixed.output.clone().narrow(0, row, 1), expected) < 1e-5);
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let error = |network: &FeedForward, neurons: &[Vec<usize>]| {
            let experts = FeedForwardExperts::from_network(network, neurons);
            experts.unwrap_err().to_string()
        };
        let plain = network(4);
        assert_eq!(
            error(&plain, &[vec![0]]),
            "experts = 1, but a gate needs at least 2"
        );
        assert_eq!(
            error(&plain, &[vec![0], vec![4]]),
            "neuron 4 is outside the 4 neurons"
        );
        let quantized = FeedForwardConfig {
            quantizer: Quantizer::Uniform { bits: 4 },
            ..FeedForwardConfig::new(6, 4, Activation::Gelu)
        };
        let quantized = quantized.init(&device()).unwrap();
        assert!(error(&quantized, &[vec![0], vec![1]]).contains("not quantized"));
    }
}
