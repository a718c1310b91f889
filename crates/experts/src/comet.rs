//! The COMET gate: sparse mixture weights by `k` soft binary trees.

use crate::error::{
    Result, check_not_negative, check_positive, check_selected, check_shape, check_sizes,
};
use crate::gate::{Detail, Gate, GateInput, GateOutput};
use crate::init::draw;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_kernels::{Activation, entropy, leaf_softmax, linear, tree_reach, tree_width};

/// Limit of the uniform distribution from which leaf weights start.
const LEAF_LIMIT: f64 = 0.05;

/// Added to a reach probability before its logarithm in the entropy.
const EPSILON: f32 = 1e-6;

/// Configuration of a [`CometGate`].
#[derive(Config, Debug)]
pub struct CometGateConfig {
    /// Number of features `D`.
    pub input: usize,
    /// Number of experts `n`, any from 2.
    pub experts: usize,
    /// Number of trees, which is the most experts a row uses once each tree reaches one leaf.
    pub k: usize,
    /// Width `γ` of the smooth-step; the authors try 0.001 to 10.
    #[config(default = 1.0)]
    pub gamma: f64,
    /// Coefficient `λ` of the entropy penalty; the authors try 0.05 to 10.
    #[config(default = 0.1)]
    pub entropy_reg: f64,
}

/// COMET gate: weights of at most `k` of `n` experts, differentiable everywhere.
///
/// Each of `k` trees routes a row softly to its `n` leaves, left with probability `S(z)`, right with `1 - S(z)`, where
/// `z = x·w + b` belongs to the split and the smooth-step `S` is exactly 0 or 1 outside an interval. With `P_tj` the
/// probability that tree `t` reaches expert `j`,
///
/// `g_tj = softmax over all t and j of (x·v_tj + c_tj + ln(P_tj + 1e-8))`, and exactly 0 where `P_tj = 0`,
///
/// `weights_j = Σ_t Σ_i g_ti R_t[i, j] / Σ weights`, with the permutation `R` of a local search, if there is one.
///
/// The entropy penalty `λ · mean over rows of Σ_t Σ_j -P_tj ln(P_tj + 1e-6)` makes each tree reach one leaf.
///
/// Splits start in `U(-γ/100, γ/100)`, leaves in `U(-0.05, 0.05)`, biases included.
///
/// Source: Ibrahim et al., "COMET: Learning Cardinality Constrained Mixture of Experts with Trees and Local Search",
/// KDD 2023, section 4.
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use offprint_experts::{CometGateConfig, Gate, GateInput};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// device.seed(1);
/// let gate = CometGateConfig::new(10, 6, 2).with_gamma(0.01).init(&device)?;
/// let x = Tensor::random([32, 10], Distribution::Normal(0.0, 100.0), &device);
/// let output = gate.weights(GateInput::new(x))?;
/// // Far from every split, each tree reaches one leaf.
/// assert!(output.active() <= 2.1);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct CometGate {
    /// `[D, k (2n - 1)]`: for each tree its splits in heap order, then its leaves in the order of experts.
    pub weight: Param<Tensor<2>>,
    /// `[k (2n - 1)]`, in the same order.
    pub bias: Param<Tensor<1>>,
    /// Number of experts.
    pub experts: usize,
    /// Number of trees.
    pub k: usize,
    /// Width of the smooth-step.
    pub gamma: f64,
    /// Coefficient of the entropy penalty.
    pub entropy_reg: f64,
}

/// The parameters of a [`CometGate`] node by node, as the authors' code keeps them; also their gradients.
#[derive(Clone, Debug)]
pub struct TreeParameters {
    /// Splits in heap order, `[n - 1, k, D]`.
    pub split_weight: Tensor<3>,
    /// Splits in heap order, `[n - 1, k]`.
    pub split_bias: Tensor<2>,
    /// Leaves in the order of experts, `[n, k, D]`.
    pub leaf_weight: Tensor<3>,
    /// Leaves in the order of experts, `[n, k]`.
    pub leaf_bias: Tensor<2>,
}

impl CometGateConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// If there are no features, `experts < 2`, `k` is not in `1..=experts`, `gamma` is not positive or `entropy_reg` is
    /// negative.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("input", self.input)])?;
        check_selected(self.k, self.experts)?;
        check_positive("gamma", self.gamma)?;
        check_not_negative("entropy_reg", self.entropy_reg)
    }

    /// A gate with initial parameters.
    ///
    /// # Errors
    /// As [`CometGateConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<CometGate> {
        self.validate()?;
        let (n, k, split) = (self.experts, self.k, self.gamma / 100.0);
        self.init_with(TreeParameters {
            split_weight: draw([n - 1, k, self.input], split, device),
            split_bias: draw([n - 1, k], split, device),
            leaf_weight: draw([n, k, self.input], LEAF_LIMIT, device),
            leaf_bias: draw([n, k], LEAF_LIMIT, device),
        })
    }

    /// A gate with the given parameters.
    ///
    /// # Errors
    /// As [`CometGateConfig::validate`], and if the parameters do not have the configuration's shapes.
    pub fn init_with(&self, parameters: TreeParameters) -> Result<CometGate> {
        self.validate()?;
        let (n, k, input) = (self.experts, self.k, self.input);
        let TreeParameters {
            split_weight,
            split_bias,
            leaf_weight,
            leaf_bias,
        } = parameters;
        check_shape("split_weight", split_weight.dims(), [n - 1, k, input])?;
        check_shape("split_bias", split_bias.dims(), [n - 1, k])?;
        check_shape("leaf_weight", leaf_weight.dims(), [n, k, input])?;
        check_shape("leaf_bias", leaf_bias.dims(), [n, k])?;
        let width = tree_width(k, n);
        let weight = Tensor::cat(vec![split_weight, leaf_weight], 0).permute([2, 1, 0]);
        let bias = Tensor::cat(vec![split_bias, leaf_bias], 0).transpose();
        Ok(CometGate {
            weight: Param::from_tensor(weight.reshape([input, width]).detach()),
            bias: Param::from_tensor(bias.reshape([width]).detach()),
            experts: n,
            k,
            gamma: self.gamma,
            entropy_reg: self.entropy_reg,
        })
    }
}

impl CometGate {
    /// Sorts tensors in the layout of [`CometGate::weight`] and [`CometGate::bias`], such as their gradients, by node.
    ///
    /// # Errors
    /// If the tensors do not have that layout.
    pub fn by_node(&self, weight: Tensor<2>, bias: Tensor<1>) -> Result<TreeParameters> {
        let (n, k, [input, width]) = (self.experts, self.k, self.weight.dims());
        check_shape("weight", weight.dims(), [input, width])?;
        check_shape("bias", bias.dims(), [width])?;
        let weight = weight.reshape([input, k, 2 * n - 1]).permute([2, 1, 0]);
        let bias = bias.reshape([k, 2 * n - 1]).transpose();
        Ok(TreeParameters {
            split_weight: weight.clone().narrow(0, 0, n - 1),
            split_bias: bias.clone().narrow(0, 0, n - 1),
            leaf_weight: weight.narrow(0, n - 1, n),
            leaf_bias: bias.narrow(0, n - 1, n),
        })
    }
}

impl Gate for CometGate {
    fn experts(&self) -> usize {
        self.experts
    }

    /// # Shapes
    /// * `x`: `[batch, D]`
    /// * permutation: `[1 or k, n, n]`
    fn route(&self, input: GateInput<'_>) -> Result<GateOutput> {
        let x = input.features("COMET", self.weight.dims()[0])?;
        let (batch, k, n) = (x.dims()[0], self.k, self.experts);
        let projections = linear(
            x,
            self.weight.val(),
            Some(self.bias.val()),
            Activation::Identity,
        );
        let reach = tree_reach(projections.clone(), k, n, self.gamma as f32);
        let g = leaf_softmax(projections, reach.clone());
        let weights = match input.permutation {
            Some(permutation) => {
                let weights = permutation.mix(g)?;
                weights.clone() / weights.sum_dim(1)
            }
            None => g.sum_dim(1).reshape([batch, n]),
        };
        let entropy = entropy(reach.clone(), EPSILON) * (self.entropy_reg / batch.max(1) as f64);
        Ok(GateOutput {
            weights,
            regularization: entropy.clone(),
            detail: Detail::Tree { reach, entropy },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_values, device};

    /// Three experts, two trees; expected values by PyTorch in 64 bits.
    #[test]
    fn values_and_gradients_of_a_small_gate() {
        let device = device();
        let parameters = TreeParameters {
            split_weight: Tensor::from_data(
                [[[0.3, -0.2], [0.1, 0.4]], [[-0.5, 0.2], [0.25, 0.1]]],
                &device,
            ),
            split_bias: Tensor::from_data([[0.05, -0.1], [0.1, 0.2]], &device),
            leaf_weight: Tensor::from_data(
                [
                    [[0.2, 0.1], [-0.3, 0.2]],
                    [[0.4, -0.1], [0.1, 0.1]],
                    [[-0.2, 0.3], [0.5, -0.4]],
                ],
                &device,
            ),
            leaf_bias: Tensor::from_data([[0.1, -0.2], [0.0, 0.3], [0.2, 0.1]], &device),
        };
        let gate = CometGateConfig::new(2, 3, 2).init_with(parameters).unwrap();
        let x = Tensor::<2>::from_data([[1.0, 0.5], [-0.4, 2.0]], &device).require_grad();
        let output = gate.weights(GateInput::new(x.clone())).unwrap();
        let Detail::Tree { reach, entropy } = output.detail else {
            panic!("the detail of a tree gate");
        };
        assert_values(
            reach,
            &[
                0.08775, 0.756, 0.15625, 0.784, 0.0, 0.216, 0.002646, 0.0, 0.997354, 0.896, 0.104,
                0.0,
            ],
        );
        assert_values(entropy, &[0.0794474]);
        let weights = output.weights;
        assert_values(
            weights.clone(),
            &[
                0.291944, 0.481809, 0.2262471, 0.3250267, 0.0432799, 0.6316934,
            ],
        );
        let cotangent = Tensor::<2>::from_data([[1.0, -1.0, 2.0], [0.5, 3.0, -2.0]], &device);
        let grads = ((weights * cotangent).sum() + output.regularization).backward();
        assert_values(
            x.grad(&grads).unwrap(),
            &[-1.4321941, 0.1287656, -0.2154476, -0.2501358],
        );
        let gradient = gate
            .by_node(
                gate.weight.grad(&grads).unwrap(),
                gate.bias.grad(&grads).unwrap(),
            )
            .unwrap();
        assert_values(
            gradient.split_weight,
            &[
                -1.9519493, -0.4267319, -1.2681824, -0.6340912, 1.1196665, 0.5598333, 0.4715659,
                -2.3578297,
            ],
        );
        assert_values(
            gradient.split_bias,
            &[-1.6024312, -1.2681824, 1.1196665, -1.1789148],
        );
        assert_values(
            gradient.leaf_weight,
            &[
                0.0407272, 0.0231669, -0.0167063, 1.040719, -0.608346, -0.304173, -0.0687464,
                0.3437322, 0.4016433, -1.2291591, 0.2514283, 0.1257141,
            ],
        );
        assert_values(
            gradient.leaf_bias,
            &[
                0.0425111, 0.650885, -0.608346, 0.1718661, -0.5083445, 0.2514283,
            ],
        );
    }

    #[test]
    fn initial_ranges() {
        let gate = CometGateConfig::new(40, 5, 3)
            .with_gamma(2.0)
            .init(&device())
            .unwrap();
        let parts = gate.by_node(gate.weight.val(), gate.bias.val()).unwrap();
        let largest = |tensor: Tensor<3>| tensor.abs().max().into_scalar::<f32>();
        let (split, leaf) = (largest(parts.split_weight), largest(parts.leaf_weight));
        assert!(
            (0.018..=0.02).contains(&split) && (0.045..=0.05).contains(&leaf),
            "{split} {leaf}"
        );
    }
}
