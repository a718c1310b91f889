//! The DSelect-k gate: `k` single-expert selectors by binary codes.

use crate::error::{Result, check_not_negative, check_positive, check_selected, check_shape};
use crate::gate::{Detail, Gate, GateInput, GateOutput};
use crate::init::draw;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};
use offprint_kernels::{Activation, entropy, linear, smooth_step};

/// Limit of the uniform distribution from which the selectors' mixing weights start.
const MIXING_LIMIT: f64 = 0.05;

/// Added before logarithm and division.
const EPSILON: f32 = 1e-6;

/// Configuration of a [`DSelectK`].
#[derive(Config, Debug)]
pub struct DSelectKConfig {
    /// Number of features `D`; 0 for the static form, whose weights do not depend on the input.
    pub input: usize,
    /// Number of experts `n`.
    pub experts: usize,
    /// Number of selectors.
    pub k: usize,
    /// Width `γ` of the smooth-step.
    #[config(default = 1.0)]
    pub gamma: f64,
    /// Coefficient of the selectors' entropy.
    #[config(default = 0.1)]
    pub entropy_reg: f64,
    /// Coefficient `ζ` of the penalty on codes that stand for no expert.
    #[config(default = 1.0)]
    pub zeta: f64,
}

/// DSelect-k gate: a mixture of `k` selectors, each of which selects one expert by the bits of its number.
///
/// With `m = ⌈log₂ n⌉` bits, `s_tb = S(z_tb)` for bit `b` of selector `t`, and `z = x W + c`:
///
/// `selector_tj = Π_b (s_tb if bit b of j is set else 1 - s_tb)`, the first bit being the highest,
///
/// `weights_j = Σ_t softmax(x V + d)_t Σ_i selector_ti R_t[i, j]`, with the permutation `R` of a local search, if any.
///
/// Weights sum to 1 if `n` is a power of two; else a selector may lose some to codes without an expert, which the penalty
/// `ζ Σ_rows Σ_t 1 / (1e-6 + Σ_j selector_tj)` discourages. The entropy penalty is
/// `λ · mean over rows of Σ_t Σ_j -selector_tj ln(selector_tj + 1e-6)`.
///
/// Source: Hazimeh et al., "DSelect-k: Differentiable Selection in the Mixture of Experts with Applications to Multi-Task
/// Learning", NeurIPS 2021; the penalties as in the code of COMET's authors.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::{DSelectKConfig, Gate, GateInput};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let gate = DSelectKConfig::new(3, 4, 2).init(&device)?;
/// let output = gate.weights(GateInput::new(Tensor::ones([5, 3], &device)))?;
/// assert_eq!(output.weights.dims(), [5, 4]);
/// // The static form needs no input.
/// let output = DSelectKConfig::new(0, 4, 2).init(&device)?.weights(GateInput::default())?;
/// assert_eq!(output.weights.dims(), [1, 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct DSelectK {
    /// `[D, k m]`, the bits of a selector together; `[0, k m]` in the static form.
    pub selector_weight: Param<Tensor<2>>,
    /// `[k m]`.
    pub selector_bias: Param<Tensor<1>>,
    /// `[D, k]`; `[0, k]` in the static form.
    pub mixing_weight: Param<Tensor<2>>,
    /// `[k]`.
    pub mixing_bias: Param<Tensor<1>>,
    /// Number of experts.
    pub experts: usize,
    /// Width of the smooth-step.
    pub gamma: f64,
    /// Coefficient of the selectors' entropy.
    pub entropy_reg: f64,
    /// Coefficient of the penalty on codes without an expert.
    pub zeta: f64,
}

/// The parameters of a [`DSelectK`]; `D = 0` in the static form.
#[derive(Clone, Debug)]
pub struct SelectorParameters {
    /// `[D, k m]`, the bits of a selector together.
    pub selector_weight: Tensor<2>,
    /// `[k m]`.
    pub selector_bias: Tensor<1>,
    /// `[D, k]`.
    pub mixing_weight: Tensor<2>,
    /// `[k]`.
    pub mixing_bias: Tensor<1>,
}

/// Number of bits that tell `experts` apart: `⌈log₂ n⌉`.
fn bits(experts: usize) -> usize {
    experts.next_power_of_two().trailing_zeros() as usize
}

impl DSelectKConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// If `experts < 2`, `k` is not in `1..=experts`, `gamma` is not positive or a coefficient is negative.
    pub fn validate(&self) -> Result<()> {
        check_selected(self.k, self.experts)?;
        check_positive("gamma", self.gamma)?;
        check_not_negative("entropy_reg", self.entropy_reg)?;
        check_not_negative("zeta", self.zeta)
    }

    /// A gate with initial parameters: selectors in `U(-γ/100, γ/100)`, mixing in `U(-0.05, 0.05)`.
    ///
    /// # Errors
    /// As [`DSelectKConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<DSelectK> {
        self.validate()?;
        let (width, limit) = (self.k * bits(self.experts), self.gamma / 100.0);
        self.init_with(SelectorParameters {
            selector_weight: draw([self.input, width], limit, device),
            selector_bias: draw([width], limit, device),
            mixing_weight: draw([self.input, self.k], MIXING_LIMIT, device),
            mixing_bias: draw([self.k], MIXING_LIMIT, device),
        })
    }

    /// A gate with the given parameters.
    ///
    /// # Errors
    /// As [`DSelectKConfig::validate`], and if the parameters do not have the configuration's shapes.
    pub fn init_with(&self, parameters: SelectorParameters) -> Result<DSelectK> {
        self.validate()?;
        let width = self.k * bits(self.experts);
        let p = parameters;
        check_shape(
            "selector_weight",
            p.selector_weight.dims(),
            [self.input, width],
        )?;
        check_shape("selector_bias", p.selector_bias.dims(), [width])?;
        check_shape(
            "mixing_weight",
            p.mixing_weight.dims(),
            [self.input, self.k],
        )?;
        check_shape("mixing_bias", p.mixing_bias.dims(), [self.k])?;
        Ok(DSelectK {
            selector_weight: Param::from_tensor(p.selector_weight.detach()),
            selector_bias: Param::from_tensor(p.selector_bias.detach()),
            mixing_weight: Param::from_tensor(p.mixing_weight.detach()),
            mixing_bias: Param::from_tensor(p.mixing_bias.detach()),
            experts: self.experts,
            gamma: self.gamma,
            entropy_reg: self.entropy_reg,
            zeta: self.zeta,
        })
    }
}

impl DSelectK {
    /// Selector logits `[batch, k m]` and mixing logits `[batch, k]`; one row in the static form without features.
    fn logits(&self, input: &GateInput<'_>) -> Result<(Tensor<2>, Tensor<2>)> {
        let width = self.selector_weight.dims()[0];
        let (selector, mixing) = (self.selector_bias.val(), self.mixing_bias.val());
        if width == 0 {
            let batch = input.x.as_ref().map_or(1, |x| x.dims()[0]);
            let repeat = |bias: Tensor<1>| bias.unsqueeze::<2>().repeat_dim(0, batch);
            return Ok((repeat(selector), repeat(mixing)));
        }
        let x = input.features("DSelect-k", width)?;
        Ok((
            linear(
                x.clone(),
                self.selector_weight.val(),
                Some(selector),
                Activation::Identity,
            ),
            linear(
                x,
                self.mixing_weight.val(),
                Some(mixing),
                Activation::Identity,
            ),
        ))
    }

    /// The selectors `[batch, k, n]` of the smooth-steps `[batch, k, m]`.
    fn selectors(&self, s: Tensor<3>) -> Tensor<3> {
        let [batch, k, bits] = s.dims();
        let mut codes = Tensor::ones([batch, k, 1], &s.device());
        for bit in 0..bits {
            let s = s.clone().narrow(2, bit, 1);
            // Each code read so far goes on with a 0 and with a 1.
            let pair = vec![codes.clone() * (-s.clone() + 1.0), codes * s];
            codes = Tensor::stack::<4>(pair, 3).reshape([batch, k, 2 << bit]);
        }
        codes.narrow(2, 0, self.experts)
    }
}

impl Gate for DSelectK {
    fn experts(&self) -> usize {
        self.experts
    }

    /// # Shapes
    /// * `x`: `[batch, D]`; any width or none in the static form
    /// * permutation: `[1 or k, n, n]`
    fn route(&self, input: GateInput<'_>) -> Result<GateOutput> {
        let (z, mixing) = self.logits(&input)?;
        let ([batch, k], n) = (mixing.dims(), self.experts);
        let bits = bits(n);
        let selectors = self.selectors(smooth_step(z.reshape([batch, k, bits]), self.gamma as f32));
        let mixed = selectors.clone() * activation::softmax(mixing, 1).unsqueeze_dim(2);
        let weights = match input.permutation {
            Some(permutation) => permutation.mix(mixed)?,
            None => mixed.sum_dim(1).reshape([batch, n]),
        };
        let rows = batch.max(1) as f64;
        let entropy = entropy(selectors.clone(), EPSILON) * (self.entropy_reg / rows);
        let reachable = if n.is_power_of_two() {
            Tensor::zeros([1], &weights.device())
        } else {
            (selectors.clone().sum_dim(2) + EPSILON).recip().sum() * self.zeta
        };
        Ok(GateOutput {
            weights,
            regularization: entropy.clone() + reachable.clone(),
            detail: Detail::Selectors {
                selectors,
                entropy,
                reachable,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_values, device};

    /// Three experts, one selector; expected values by PyTorch in 64 bits.
    #[test]
    fn values_and_gradients_of_a_small_gate() {
        let device = device();
        let parameters = SelectorParameters {
            selector_weight: Tensor::from_data([[0.3, -0.2]], &device),
            selector_bias: Tensor::from_data([0.1, 0.05], &device),
            mixing_weight: Tensor::from_data([[0.7]], &device),
            mixing_bias: Tensor::from_data([0.2], &device),
        };
        let gate = DSelectKConfig::new(1, 3, 1).init_with(parameters).unwrap();
        let x = Tensor::<2>::from_data([[1.0], [-0.5]], &device);
        let output = gate.weights(GateInput::new(x)).unwrap();
        let selectors = [
            0.020111, 0.007889, 0.698139, 0.1619358, 0.4128142, 0.1198142,
        ];
        assert_values(output.weights.clone(), &selectors);
        let Detail::Selectors {
            entropy,
            reachable,
            selectors: before,
        } = output.detail
        else {
            panic!("the detail of a DSelect-k gate");
        };
        assert_values(before, &selectors);
        assert_values(entropy, &[0.0640951]);
        assert_values(reachable, &[2.8168946]);
        let cotangent = Tensor::<2>::from_data([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0]], &device);
        let grads = ((output.weights * cotangent).sum() + output.regularization).backward();
        assert_values(
            gate.selector_weight.grad(&grads).unwrap(),
            &[-3.0574619, 4.8176798],
        );
        assert_values(
            gate.selector_bias.grad(&grads).unwrap(),
            &[3.4465108, 2.1413348],
        );
    }

    #[test]
    fn bits_that_tell_experts_apart() {
        assert_eq!([2, 3, 4, 5, 8, 9].map(bits), [1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn the_static_form_repeats_its_row() {
        let gate = DSelectKConfig::new(0, 4, 2).init(&device()).unwrap();
        let one = gate.weights(GateInput::default()).unwrap().weights;
        let x = Tensor::ones([3, 7], &device());
        let three = gate.weights(GateInput::new(x)).unwrap().weights;
        let row: Vec<f64> = one.into_data().try_to_vec_as().unwrap();
        assert_values(three, &row.repeat(3));
    }
}
