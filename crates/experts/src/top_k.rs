//! The noisy top-k gate of Shazeer et al., and the dense softmax gate.

use crate::error::{Result, check_experts, check_selected, check_shape, check_sizes};
use crate::gate::{Detail, Gate, GateInput, GateOutput};
use crate::init::{glorot, zeros};
use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};
use offprint_kernels::{Activation, linear, top_k_softmax};

/// Configuration of a [`TopK`].
#[derive(Config, Debug)]
pub struct TopKConfig {
    /// Number of features `D`.
    pub input: usize,
    /// Number of experts `n`.
    pub experts: usize,
    /// How many are selected.
    pub k: usize,
    /// Whether the gate learns how much noise each row gets in training.
    #[config(default = false)]
    pub noisy: bool,
}

/// Top-k gate: softmax over the `k` largest of the logits `x W + b + noise · softplus(x W_noise)`, zero elsewhere.
///
/// The noise is a standard normal draw that the caller gives in training and leaves out at evaluation. Of equal logits
/// the one of the lower expert is selected. A selected logit of exactly 0 is kept, which the code of COMET's authors
/// drops. With the permutations `R` of a local search, the weights are multiplied by their mean and divided by their sum.
///
/// Source: Shazeer et al., "Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer", ICLR 2017,
/// section 2.1.
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use offprint_experts::{Gate, GateInput, TopKConfig};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let gate = TopKConfig::new(3, 8, 2).with_noisy(true).init(&device)?;
/// let noise = Tensor::random([5, 8], Distribution::Normal(0.0, 1.0), &device);
/// let input = GateInput::new(Tensor::ones([5, 3], &device)).with_noise(noise);
/// let output = gate.weights(input)?;
/// assert_eq!(output.detail.selected().unwrap().dims(), [5, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct TopK {
    /// `[D, n]`.
    pub weight: Param<Tensor<2>>,
    /// `[n]`.
    pub bias: Param<Tensor<1>>,
    /// `[D, n]`, if the gate is noisy.
    pub noise_weight: Option<Param<Tensor<2>>>,
    /// How many experts are selected.
    pub k: usize,
}

impl TopKConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// If there are no features, `experts < 2`, or `k` is not in `1..=experts`.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("input", self.input)])?;
        check_selected(self.k, self.experts)
    }

    /// A gate with initial parameters: weights by Glorot's uniform distribution, bias zero.
    ///
    /// # Errors
    /// As [`TopKConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<TopK> {
        self.validate()?;
        let (input, n) = (self.input, self.experts);
        let weight = || glorot([input, n], input, n, device);
        Ok(TopK {
            weight: weight(),
            bias: zeros([n], device),
            noise_weight: self.noisy.then(weight),
            k: self.k,
        })
    }
}

impl TopK {
    /// A gate with the given parameters.
    ///
    /// # Shapes
    /// * `weight` and `noise_weight`: `[D, n]`
    /// * `bias`: `[n]`
    ///
    /// # Errors
    /// If the shapes do not fit together, `n < 2`, or `k` is not in `1..=n`.
    pub fn from_parameters(
        weight: Tensor<2>,
        bias: Tensor<1>,
        noise_weight: Option<Tensor<2>>,
        k: usize,
    ) -> Result<Self> {
        let [input, n] = weight.dims();
        TopKConfig::new(input, n, k).validate()?;
        check_shape("bias", bias.dims(), [n])?;
        if let Some(noise_weight) = &noise_weight {
            check_shape("noise_weight", noise_weight.dims(), [input, n])?;
        }
        Ok(Self {
            weight: Param::from_tensor(weight.detach()),
            bias: Param::from_tensor(bias.detach()),
            noise_weight: noise_weight.map(|weight| Param::from_tensor(weight.detach())),
            k,
        })
    }
}

impl Gate for TopK {
    fn experts(&self) -> usize {
        self.bias.dims()[0]
    }

    /// # Shapes
    /// * `x`: `[batch, D]`
    /// * noise: `[batch, n]`; without effect if the gate is not noisy
    /// * permutation: `[any, n, n]`
    fn route(&self, input: GateInput<'_>) -> Result<GateOutput> {
        let [width, n] = self.weight.dims();
        let x = input.features("top-k", width)?;
        let mut logits = linear(
            x.clone(),
            self.weight.val(),
            Some(self.bias.val()),
            Activation::Identity,
        );
        if let (Some(weight), Some(noise)) = (&self.noise_weight, input.noise) {
            check_shape("noise", noise.dims(), [x.dims()[0], n])?;
            let deviation =
                activation::softplus(linear(x, weight.val(), None, Activation::Identity), 1.0);
            logits = logits + noise * deviation;
        }
        let mut weights = top_k_softmax(logits.clone(), self.k);
        if let Some(permutation) = input.permutation {
            weights = permutation.renormalized(weights)?;
        }
        Ok(GateOutput {
            detail: Detail::Logits { logits, k: self.k },
            ..GateOutput::plain(weights)
        })
    }
}

/// Configuration of a [`SoftmaxGate`].
#[derive(Config, Debug)]
pub struct SoftmaxGateConfig {
    /// Number of features `D`.
    pub input: usize,
    /// Number of experts `n`.
    pub experts: usize,
}

/// Dense gate: `softmax(x W + b)` over all experts.
///
/// Source: Jordan and Jacobs, "Hierarchical Mixtures of Experts and the EM Algorithm", 1994.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::{Gate, GateInput, SoftmaxGateConfig};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let gate = SoftmaxGateConfig::new(3, 4).init(&device)?;
/// let output = gate.weights(GateInput::new(Tensor::ones([2, 3], &device)))?;
/// assert_eq!(output.active(), 4.0);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct SoftmaxGate {
    /// `[D, n]`.
    pub weight: Param<Tensor<2>>,
    /// `[n]`.
    pub bias: Param<Tensor<1>>,
}

impl SoftmaxGateConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// If there are no features or `experts < 2`.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("input", self.input)])?;
        check_experts(self.experts)
    }

    /// A gate with initial parameters: weights by Glorot's uniform distribution, bias zero.
    ///
    /// # Errors
    /// As [`SoftmaxGateConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<SoftmaxGate> {
        self.validate()?;
        let (input, n) = (self.input, self.experts);
        Ok(SoftmaxGate {
            weight: glorot([input, n], input, n, device),
            bias: zeros([n], device),
        })
    }
}

impl Gate for SoftmaxGate {
    fn experts(&self) -> usize {
        self.bias.dims()[0]
    }

    /// # Shapes
    /// * `x`: `[batch, D]`
    /// * permutation: `[any, n, n]`
    fn route(&self, input: GateInput<'_>) -> Result<GateOutput> {
        let x = input.features("softmax", self.weight.dims()[0])?;
        let logits = linear(
            x,
            self.weight.val(),
            Some(self.bias.val()),
            Activation::Identity,
        );
        let weights = activation::softmax(logits, 1);
        Ok(GateOutput::plain(match input.permutation {
            Some(permutation) => permutation.renormalized(weights)?,
            None => weights,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_values, device};

    /// Expected values by PyTorch in 64 bits.
    #[test]
    fn noise_decides_who_is_selected() {
        let device = device();
        let gate = TopK::from_parameters(
            Tensor::from_data([[0.5, -0.25, 1.0, 0.0]], &device),
            Tensor::zeros([4], &device),
            Some(Tensor::from_data([[0.1, 0.2, 0.3, -0.4]], &device)),
            2,
        )
        .unwrap();
        let input = GateInput::new(Tensor::ones([1, 1], &device));
        let quiet = gate.weights(input.clone()).unwrap();
        let selected = quiet.detail.selected().unwrap().into_data();
        assert_eq!(selected.try_to_vec_as::<i64>().unwrap(), [0, 2]);
        let noise = Tensor::from_data([[0.0, 1.0, -1.0, 2.0]], &device);
        let noisy = gate.weights(input.with_noise(noise)).unwrap();
        let Detail::Logits { logits, .. } = noisy.detail else {
            panic!("the detail of a top-k gate");
        };
        assert_values(logits, &[0.5, 0.5481389, 0.1456448, 1.0260305]);
        assert_values(noisy.weights, &[0.0, 0.3827501, 0.0, 0.6172499]);
    }

    #[test]
    fn a_logit_of_exactly_zero_is_kept() {
        let device = device();
        let weight = Tensor::from_data([[0.0, -1.0, -1.0]], &device);
        let gate = TopK::from_parameters(weight, Tensor::zeros([3], &device), None, 1).unwrap();
        let output = gate
            .weights(GateInput::new(Tensor::ones([1, 1], &device)))
            .unwrap();
        assert_values(output.weights, &[1.0, 0.0, 0.0]);
    }
}
