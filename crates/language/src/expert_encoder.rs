//! From a trained dense encoder to one of experts, or to a narrower dense one.

use crate::error::{LanguageError, Result};
use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor};
use offprint_backbones::{AnyChannelMixer, Encoder, FeedForwardExperts, Trace};
use offprint_experts::{
    ExpertsError, GateConfig, LocalSearch, LocalSearchConfig, MixtureOfExperts, NeuronImportance,
    NeuronSplit, Permutation,
};
use offprint_layers::{Context, FeedForward};

/// How the feed-forward networks of an encoder become experts.
#[derive(Clone, Debug)]
pub struct ExpertEncoderConfig {
    /// Which neurons go to which expert.
    pub split: NeuronSplit,
    /// What sends a token to experts, for each block anew; a hash gate has the vocabulary as ids.
    pub gate: GateConfig,
    /// Local search over permutations of the experts, for each block anew.
    pub search: Option<LocalSearchConfig>,
}

/// An encoder whose feed-forward networks are mixtures of experts made from those of a trained dense encoder.
///
/// Everything but the feed-forward networks is the dense encoder's. Where a gate puts all its weight on one expert, a token
/// costs as much as in a dense encoder of that expert's width.
///
/// Source: Ibrahim et al., "COMET: Learning Cardinality Constrained Mixture of Experts with Trees and Local Search",
/// KDD 2023, after Zuo et al., "MoEBERT", NAACL 2022.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use offprint_backbones::{BlocksConfig, EncoderConfig};
/// use offprint_experts::{CometGateConfig, GateConfig, LocalSearchConfig, NeuronSplit};
/// use offprint_kernels::{CrossEntropy, cross_entropy};
/// use offprint_language::distillation::Distillation;
/// use offprint_language::expert_encoder::{ExpertEncoder, ExpertEncoderConfig, importance};
/// use offprint_layers::Context;
/// # fn main() -> Result<(), offprint_language::LanguageError> {
/// let device = Device::flex().autodiff();
/// let config = EncoderConfig { classes: Some(2), ..EncoderConfig::new(50, 8, BlocksConfig::new(2, 12, 3)) };
/// let teacher = config.init(&device)?; // and trained
/// let tokens = Tensor::<2, Int>::from_data([[5, 6, 7], [8, 9, 4]], &device);
/// let labels = Tensor::<1, Int>::from_data([0, 1], &device);
///
/// // One backward pass a sample says which neurons matter.
/// let scores = importance(&teacher, 2, |sample| {
///     let logits = teacher.forward(tokens.clone().narrow(0, sample, 1), None, Context::EVALUATION)?.output;
///     Ok(cross_entropy(logits, labels.clone().narrow(0, sample, 1), CrossEntropy::default()))
/// })?;
/// let mut student = ExpertEncoder::from_dense(&teacher, &scores, &ExpertEncoderConfig {
///     split: NeuronSplit::new(4, 8),
///     gate: GateConfig::Comet(CometGateConfig::new(12, 4, 1)),
///     search: Some(LocalSearchConfig::new(4, 100)),
/// })?;
/// // Step 1: the task's loss, what the gates ask for, and the distance to the teacher.
/// let said = student.training(tokens.clone(), None, 1, Context::training(1))?;
/// let taught = teacher.trace(tokens.clone(), None, &[], Context::EVALUATION)?;
/// let distance = Distillation::default().loss(&said, &taught, None)?;
/// let loss = cross_entropy(said.output, labels, CrossEntropy::default()) + said.penalty.unwrap() + distance;
/// loss.backward(); // and a step of the optimizer
/// assert_eq!(student.trace(tokens, None)?.output.dims(), [2, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct ExpertEncoder {
    /// The encoder of experts.
    pub encoder: Encoder,
    /// The local search of each block; none without.
    pub searches: Vec<LocalSearch>,
}

impl ExpertEncoder {
    /// Experts from the neurons of each block, ranked by their importance there. Gates and searches start anew.
    ///
    /// # Errors
    /// If a block's channel mixer is no plain feed-forward network, the importances are not one a neuron of each block, or
    /// a setting does not fit the encoder or the others.
    pub fn from_dense(
        dense: &Encoder,
        importance: &[NeuronImportance],
        config: &ExpertEncoderConfig,
    ) -> Result<Self> {
        if let Some(search) = &config.search
            && search.experts != config.split.experts
        {
            return Err(ExpertsError::Counts {
                what: "experts",
                left: "the split",
                left_count: config.split.experts,
                right: "the local search",
                right_count: search.experts,
            }
            .into());
        }
        let device = dense.embedding.tokens.weight.val().device();
        let mut encoder = dense.clone();
        let mut searches = Vec::new();
        for (block, network) in ranked(dense, importance)?.into_iter().enumerate() {
            let (network, ranking) = network;
            let experts = FeedForwardExperts::from_network(network, &config.split.deal(&ranking)?)?;
            let mixture = MixtureOfExperts::new(config.gate.init(&device)?, experts)?;
            encoder.blocks.blocks[block].channel_mixer = AnyChannelMixer::Experts(mixture);
            if let Some(search) = &config.search {
                searches.push(search.init(&device)?);
            }
        }
        Ok(Self { encoder, searches })
    }

    /// The pass of training step `step`, counted from 1; its penalty is that of gates and searches together.
    ///
    /// # Shapes
    /// As of [`Encoder::trace`].
    ///
    /// # Errors
    /// As [`Encoder::trace`]; if a search has noise, which needs a draw that is not made here.
    pub fn training(
        &mut self,
        tokens: Tensor<2, Int>,
        present: Option<Tensor<2, Bool>>,
        step: usize,
        context: Context,
    ) -> Result<Trace> {
        let searches = self.searches.iter_mut();
        let permutations = searches.map(|search| search.permutation(step, None));
        let permutations = permutations.collect::<Result<Vec<Permutation>, _>>()?;
        let mut trace = self
            .encoder
            .trace(tokens, present, &permutations, context)?;
        for (search, permutation) in self.searches.iter().zip(&permutations) {
            let penalty = search.regularization(permutation);
            trace.penalty = Some(match trace.penalty {
                Some(sum) => sum + penalty,
                None => penalty,
            });
        }
        Ok(trace)
    }

    /// The pass of evaluation, with the hard permutations.
    ///
    /// # Shapes
    /// As of [`Encoder::trace`].
    ///
    /// # Errors
    /// As [`Encoder::trace`].
    pub fn trace(&self, tokens: Tensor<2, Int>, present: Option<Tensor<2, Bool>>) -> Result<Trace> {
        let hard = self.searches.iter().map(LocalSearch::hard);
        let hard = hard.collect::<Result<Vec<Permutation>, _>>()?;
        Ok(self
            .encoder
            .trace(tokens, present, &hard, Context::EVALUATION)?)
    }
}

/// The dense encoder with only the `width` most important neurons of each block.
///
/// # Errors
/// As [`ExpertEncoder::from_dense`], and if the width is 0 or above the number of neurons.
pub fn narrowed(dense: &Encoder, importance: &[NeuronImportance], width: usize) -> Result<Encoder> {
    let mut encoder = dense.clone();
    for (block, (network, ranking)) in ranked(dense, importance)?.into_iter().enumerate() {
        if width == 0 || width > ranking.len() {
            return Err(ExpertsError::Neurons {
                name: "width",
                value: width,
                low: 1,
                high: ranking.len(),
            }
            .into());
        }
        let part = network.part(&ranking[..width])?;
        encoder.blocks.blocks[block].channel_mixer = AnyChannelMixer::Mlp(part);
    }
    Ok(encoder)
}

/// The importance of the neurons of each block, over `samples` losses `[1]` of one sample each.
///
/// # Errors
/// If a block's channel mixer is no plain feed-forward network, or a loss fails.
pub fn importance(
    encoder: &Encoder,
    samples: usize,
    mut loss: impl FnMut(usize) -> Result<Tensor<1>>,
) -> Result<Vec<NeuronImportance>> {
    let networks = networks(encoder)?;
    let mut sums: Vec<NeuronImportance> = networks
        .iter()
        .map(|network| NeuronImportance::new(network.neurons()))
        .collect();
    for sample in 0..samples {
        let gradients = loss(sample)?.backward();
        for (sum, network) in sums.iter_mut().zip(&networks) {
            let (up, down) = (network.up.weight.val(), network.down.weight.val());
            // A network that the loss does not reach has no gradient.
            if let (Some(of_up), Some(of_down)) = (up.grad(&gradients), down.grad(&gradients)) {
                sum.add(up, of_up, down, of_down)?;
            }
        }
    }
    Ok(sums)
}

/// The feed-forward network of each block.
fn networks(encoder: &Encoder) -> Result<Vec<&FeedForward>> {
    let blocks = encoder.blocks.blocks.iter().enumerate();
    let networks = blocks.map(|(block, of)| match &of.channel_mixer {
        AnyChannelMixer::Mlp(network) => Ok(network),
        _ => Err(LanguageError::Mixer { block }),
    });
    networks.collect()
}

/// The feed-forward network of each block with its neurons from the most important one on.
fn ranked<'a>(
    encoder: &'a Encoder,
    importance: &[NeuronImportance],
) -> Result<Vec<(&'a FeedForward, Vec<usize>)>> {
    let networks = networks(encoder)?;
    let counts: Vec<usize> = importance.iter().map(|of| of.values().len()).collect();
    let expected: Vec<usize> = networks.iter().map(|network| network.neurons()).collect();
    if counts != expected {
        return Err(LanguageError::Shape {
            name: "importance",
            actual: counts,
            expected,
        });
    }
    let rankings = importance.iter().map(NeuronImportance::ranking);
    let rankings = rankings.collect::<Result<Vec<_>, _>>()?;
    Ok(networks.into_iter().zip(rankings).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use offprint_backbones::{BlocksConfig, EncoderConfig};
    use offprint_experts::{CometGateConfig, HashGateConfig};
    use offprint_kernels::{CrossEntropy, cross_entropy};

    fn device() -> Device {
        Device::flex().autodiff()
    }

    fn teacher() -> Encoder {
        let blocks = BlocksConfig {
            hidden: Some(10),
            deviation: 0.3,
            ..BlocksConfig::new(2, 12, 3)
        };
        let config = EncoderConfig {
            classes: Some(3),
            ..EncoderConfig::new(20, 8, blocks)
        };
        config.init(&device()).unwrap()
    }

    fn tokens() -> Tensor<2, Int> {
        Tensor::from_data([[3, 4, 5, 1], [7, 19, 2, 0]], &device())
    }

    fn scores(teacher: &Encoder) -> Vec<NeuronImportance> {
        importance(teacher, 2, |sample| {
            let tokens = tokens().narrow(0, sample, 1);
            let logits = teacher.forward(tokens, None, Context::EVALUATION)?.output;
            let label = Tensor::from_data([sample as i64], &device());
            Ok(cross_entropy(logits, label, CrossEntropy::default()))
        })
        .unwrap()
    }

    fn config(share: usize, gate: GateConfig) -> ExpertEncoderConfig {
        ExpertEncoderConfig {
            split: NeuronSplit::new(3, share),
            gate,
            search: None,
        }
    }

    fn comet() -> GateConfig {
        GateConfig::Comet(CometGateConfig::new(12, 3, 1))
    }

    fn distance(a: &Trace, b: &Trace) -> f32 {
        let hidden = a.hidden.iter().zip(&b.hidden);
        let hidden = hidden.map(|(a, b)| (a.clone() - b.clone()).abs().max().into_scalar::<f32>());
        let output = (a.output.clone() - b.output.clone()).abs().max();
        hidden.fold(output.into_scalar::<f32>(), f32::max)
    }

    #[test]
    fn experts_with_every_neuron_say_what_the_teacher_says() {
        let teacher = teacher();
        let taught = teacher
            .trace(tokens(), None, &[], Context::EVALUATION)
            .unwrap();
        assert_eq!((taught.hidden.len(), taught.evaluated), (3, 0));
        let hash = GateConfig::Hash(HashGateConfig::new(20, 3));
        for gate in [comet(), hash] {
            let mut config = config(10, gate);
            config.search = Some(LocalSearchConfig::new(3, 5));
            let mut student =
                ExpertEncoder::from_dense(&teacher, &scores(&teacher), &config).unwrap();
            let said = student.trace(tokens(), None).unwrap();
            assert!(
                distance(&said, &taught) < 1e-4,
                "{}",
                distance(&said, &taught)
            );
            // Eight tokens, two blocks, one to three experts.
            assert!((16..=48).contains(&said.evaluated), "{}", said.evaluated);
            let soft = student
                .training(tokens(), None, 1, Context::EVALUATION)
                .unwrap();
            assert!(distance(&soft, &taught) < 1e-4);
        }
    }

    /// A hash gate sends each token to one expert; that expert is the teacher's network of its neurons.
    #[test]
    fn one_expert_a_token_is_a_narrow_encoder() {
        let teacher = teacher();
        let scores = scores(&teacher);
        let gate = GateConfig::Hash(HashGateConfig::new(20, 3));
        let mut config = config(4, gate);
        config.split.width = Some(4);
        let student = ExpertEncoder::from_dense(&teacher, &scores, &config).unwrap();
        let narrow = narrowed(&teacher, &scores, 4).unwrap();
        let said = student.trace(tokens(), None).unwrap();
        let narrow = narrow
            .trace(tokens(), None, &[], Context::EVALUATION)
            .unwrap();
        assert!(distance(&said, &narrow) < 1e-4);
        assert_eq!(said.evaluated, 16);
    }

    #[test]
    fn neurons_without_effect_are_the_least_important() {
        let mut teacher = teacher();
        let AnyChannelMixer::Mlp(network) = &mut teacher.blocks.blocks[0].channel_mixer else {
            panic!("the default")
        };
        network.down.weight = network.down.weight.clone().map(|weight| {
            let weight = weight.inner();
            let zeros = Tensor::zeros([1, 12], &weight.device());
            Tensor::from_inner(weight.slice_assign([3..4, 0..12], zeros)).require_grad()
        });
        let scores = scores(&teacher);
        assert_eq!(scores[0].values()[3], 0.0);
        assert_eq!(scores[0].ranking().unwrap()[9], 3);
        assert!(scores[1].values().iter().all(|&value| value > 0.0));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let teacher = teacher();
        let scores = scores(&teacher);
        let error = |importance: &[NeuronImportance], config: &ExpertEncoderConfig| {
            let student = ExpertEncoder::from_dense(&teacher, importance, config);
            student.unwrap_err().to_string()
        };
        assert_eq!(
            error(&scores[..1], &config(1, comet())),
            "importance has shape [10], but [10, 10] is expected"
        );
        assert_eq!(
            error(&scores, &config(11, comet())),
            "share = 11, but it must be 0 to 10"
        );
        let other = GateConfig::Comet(CometGateConfig::new(12, 4, 1));
        assert_eq!(
            error(&scores, &config(1, other)),
            "the gate has 4 experts, but the layer has 3"
        );
        let mut searched = config(1, comet());
        searched.search = Some(LocalSearchConfig::new(4, 5));
        assert_eq!(
            error(&scores, &searched),
            "the split has 3 experts, but the local search has 4"
        );
        assert_eq!(
            narrowed(&teacher, &scores, 11).unwrap_err().to_string(),
            "width = 11, but it must be 1 to 10"
        );
        let student = ExpertEncoder::from_dense(&teacher, &scores, &config(1, comet())).unwrap();
        let again = narrowed(&student.encoder, &scores, 2).unwrap_err();
        assert_eq!(
            again.to_string(),
            "block 0 has another channel mixer than a plain feed-forward network"
        );
    }
}
