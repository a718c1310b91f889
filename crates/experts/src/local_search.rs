//! Permutation-based local search: learns which expert stands where, for any gate.

use crate::assignment::assignment;
use crate::error::{
    ExpertsError, Result, check_experts, check_not_negative, check_positive, check_shape,
    check_sizes,
};
use crate::init::draw;
use crate::permutation::Permutation;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_kernels::{entropy, sinkhorn};

/// Limit of the uniform distribution from which log-weights start.
const LIMIT: f64 = 0.05;

/// Added before the logarithm in the entropy.
const EPSILON: f32 = 1e-6;

/// How soft the search is at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Temperature `τ`.
    pub tau: f64,
    /// Number of Sinkhorn iterations.
    pub iterations: usize,
    /// Whether the search is over.
    pub frozen: bool,
}

/// How the search cools down over its `N` steps: `log₁₀ τ` linearly from -3 to -7, the iterations from 20 to 150.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Number of steps `N`.
    pub steps: usize,
}

impl Schedule {
    /// The stage at a step. The authors increase their counter before they use it, so the first training step is step 1.
    ///
    /// ```
    /// use offprint_experts::Schedule;
    /// let stage = Schedule { steps: 10 }.at(3);
    /// assert_eq!((stage.iterations, stage.frozen), (59, false));
    /// assert!(Schedule { steps: 10 }.at(10).frozen);
    /// ```
    pub fn at(self, step: usize) -> Stage {
        let frozen = step >= self.steps;
        let part = if frozen {
            1.0
        } else {
            step as f64 / self.steps as f64
        };
        Stage {
            tau: 10f64.powf(-3.0 - 4.0 * part),
            // Truncated, as in the authors' code.
            iterations: (20.0 + 130.0 * part) as usize,
            frozen,
        }
    }
}

/// Configuration of a [`LocalSearch`].
#[derive(Config, Debug)]
pub struct LocalSearchConfig {
    /// Number of experts `n`.
    pub experts: usize,
    /// Number of training steps `N` of the search; the authors search for 1 to 10 epochs, or for 1 to 10 % of one.
    pub steps: usize,
    /// Number of permutations: 1 shared by all trees of a gate, or one for each.
    #[config(default = 1)]
    pub permutations: usize,
    /// Factor of the Gumbel noise on the log-weights; 0 in the authors' configurations.
    #[config(default = 0.0)]
    pub noise: f64,
    /// Coefficient of the entropy penalty.
    #[config(default = 1e-4)]
    pub entropy_reg: f64,
}

/// Local search over permutations of the experts, to escape a bad initialization.
///
/// In the first `N` training steps the permutation is soft and trained with the rest of the model: with log-weights `B`
/// and Gumbel noise `G`, `R = Sinkhorn((B + noise · G) / τ)`, truncated after some iterations, while `τ` falls. Then the
/// last soft permutation is replaced by the nearest hard one (Hungarian algorithm) for good. Evaluation always uses the
/// hard one. The same search may serve the gates of several tasks.
///
/// Source: Ibrahim et al., "COMET: Learning Cardinality Constrained Mixture of Experts with Trees and Local Search",
/// KDD 2023, section 5; schedule and penalty from the authors' code.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::{CometGateConfig, Gate, GateInput, LocalSearchConfig, Permutation};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let gate = CometGateConfig::new(3, 4, 2).init(&device)?;
/// let mut search = LocalSearchConfig::new(4, 10).init(&device)?;
/// for step in 1..=12 {
///     let permutation = search.permutation(step, None)?;
///     assert_eq!(matches!(permutation, Permutation::Soft(_)), step < 10);
///     let input = GateInput::new(Tensor::ones([8, 3], &device)).with_permutation(&permutation);
///     let output = gate.weights(input)?;
///     // loss + output.regularization + search.regularization(&permutation), a step of the optimizer …
/// }
/// let permutation = search.finish()?;
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct LocalSearch {
    /// `B`, `[permutations, n, n]`.
    pub log_weights: Param<Tensor<3>>,
    /// The last soft permutation, `[permutations, n, n]`; not trained, but part of the record.
    pub last: Param<Tensor<3>>,
    /// Number of steps.
    pub steps: usize,
    /// Factor of the Gumbel noise.
    pub noise: f64,
    /// Coefficient of the entropy penalty.
    pub entropy_reg: f64,
}

impl LocalSearchConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// If `experts < 2`, there are no steps or no permutations, or a coefficient is negative.
    pub fn validate(&self) -> Result<()> {
        check_experts(self.experts)?;
        check_sizes([("steps", self.steps), ("permutations", self.permutations)])?;
        check_not_negative("noise", self.noise)?;
        check_not_negative("entropy_reg", self.entropy_reg)
    }

    /// A search whose log-weights start in `U(-0.05, 0.05)`.
    ///
    /// # Errors
    /// As [`LocalSearchConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<LocalSearch> {
        self.validate()?;
        let shape = [self.permutations, self.experts, self.experts];
        self.init_with(draw(shape, LIMIT, device))
    }

    /// A search with the given log-weights, `[permutations, n, n]`, in 32 or 64 bits.
    ///
    /// # Errors
    /// As [`LocalSearchConfig::validate`], and if the log-weights have another shape.
    pub fn init_with(&self, log_weights: Tensor<3>) -> Result<LocalSearch> {
        self.validate()?;
        let shape = [self.permutations, self.experts, self.experts];
        check_shape("log_weights", log_weights.dims(), shape)?;
        Ok(LocalSearch {
            last: Param::from_tensor(log_weights.zeros_like().detach()).set_require_grad(false),
            log_weights: Param::from_tensor(log_weights.detach()),
            steps: self.steps,
            noise: self.noise,
            entropy_reg: self.entropy_reg,
        })
    }
}

impl LocalSearch {
    /// The permutation of training step `step`, counted from 1: soft before step `N`, hard from then on.
    ///
    /// `gumbel` is a standard Gumbel draw `[permutations, n, n]`, needed only if the search has noise.
    ///
    /// # Errors
    /// If the draw is missing or has another shape, or the log-weights have become infinite or not a number by step `N`.
    pub fn permutation(&mut self, step: usize, gumbel: Option<Tensor<3>>) -> Result<Permutation> {
        let stage = Schedule { steps: self.steps }.at(step);
        if stage.frozen {
            return self.hard();
        }
        let soft = self.soft(stage, gumbel)?;
        self.last = self.last.clone().map(|_| soft.clone().detach());
        Ok(Permutation::Soft(soft))
    }

    /// `Sinkhorn((B + noise · G) / τ)` at a stage.
    ///
    /// # Errors
    /// If the draw `G` is missing although there is noise, or has another shape, or `τ` is not positive.
    pub fn soft(&self, stage: Stage, gumbel: Option<Tensor<3>>) -> Result<Tensor<3>> {
        check_positive("tau", stage.tau)?;
        let mut log_weights = self.log_weights.val();
        if self.noise > 0.0 {
            let gumbel = gumbel.ok_or(ExpertsError::Missing {
                gate: "local search",
                input: "a Gumbel draw",
            })?;
            check_shape("gumbel", gumbel.dims(), log_weights.dims())?;
            log_weights = log_weights + gumbel * self.noise;
        }
        Ok(sinkhorn(log_weights, stage.tau, stage.iterations))
    }

    /// The hard permutation nearest to the last soft one, which is what evaluation uses; the identity before any step.
    ///
    /// # Errors
    /// If the last soft permutation is not finite.
    pub fn hard(&self) -> Result<Permutation> {
        nearest(self.last.val())
    }

    /// Ends the search.
    ///
    /// # Errors
    /// As [`LocalSearch::hard`].
    pub fn finish(self) -> Result<Permutation> {
        self.hard()
    }

    /// Entropy penalty `c · mean over matrices of (Σ -R ln(R + 1e-6) + the same of R with its rows normalized)`, `[1]`,
    /// that pulls a soft permutation to a hard one; zero for a hard one.
    pub fn regularization(&self, permutation: &Permutation) -> Tensor<1> {
        match permutation {
            Permutation::Soft(soft) => self.entropy(soft.clone()) * self.entropy_reg,
            Permutation::Hard(hard) => Tensor::zeros([1], &hard.device()),
        }
    }

    /// The penalty without its coefficient.
    pub fn entropy(&self, soft: Tensor<3>) -> Tensor<1> {
        let matrices = soft.dims()[0] as f64;
        // A truncated iteration may leave a row next to nothing; dividing by its sum would give no number.
        let rows = soft.clone() / soft.clone().sum_dim(2).clamp_min(1e-12);
        (entropy(soft, EPSILON) + entropy(rows, EPSILON)) / matrices
    }
}

/// The hard permutation that keeps the most weight of a soft one.
fn nearest(soft: Tensor<3>) -> Result<Permutation> {
    let ([_, n, _], device) = (soft.dims(), soft.device());
    let costs: Vec<f64> = soft
        .inner()
        .try_into_vec_as::<f64>()
        .expect("a float tensor can be read as 64-bit floats")
        .into_iter()
        .map(|weight| -weight)
        .collect();
    let columns: Vec<_> = costs
        .chunks_exact(n * n)
        .map(|costs| assignment(costs, n))
        .collect::<Result<_>>()?;
    Permutation::hard(&columns, &device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_values, device};
    use burn::tensor::{DType, TensorData};

    /// Closed form of the authors' schedule for ten steps.
    #[test]
    fn schedule() {
        let stages = [0, 1, 3, 5, 9, 10, 15].map(|step| Schedule { steps: 10 }.at(step));
        assert_eq!(
            stages.map(|stage| stage.iterations),
            [20, 33, 59, 85, 137, 150, 150]
        );
        assert_eq!(
            stages.map(|stage| stage.frozen),
            [false, false, false, false, false, true, true]
        );
        let expected = [
            1e-3,
            10f64.powf(-3.4),
            10f64.powf(-4.2),
            1e-5,
            10f64.powf(-6.6),
            1e-7,
            1e-7,
        ];
        for (stage, expected) in stages.iter().zip(expected) {
            assert!(
                (stage.tau / expected - 1.0).abs() < 1e-12,
                "{} {expected}",
                stage.tau
            );
        }
    }

    /// Expected values by PyTorch in 64 bits.
    #[test]
    fn soft_permutation_and_its_gradient() {
        let data = TensorData::new(
            vec![0.02, -0.01, 0.03, 0.0, 0.04, -0.02, 0.01, 0.02, 0.05],
            [1, 3, 3],
        );
        let log_weights = Tensor::from_data(data, (&device(), DType::F64));
        let search = LocalSearchConfig::new(3, 1).init_with(log_weights).unwrap();
        let stage = Stage {
            tau: 0.02,
            iterations: 5,
            frozen: false,
        };
        let soft = search.soft(stage, None).unwrap();
        assert_values(
            soft.clone(),
            &[
                0.5749014, 0.0631793, 0.3618217, 0.2092616, 0.7615554, 0.0293866, 0.2158369,
                0.1752653, 0.6087917,
            ],
        );
        let cotangent = TensorData::new(
            vec![1.0, 2.0, 3.0, 0.0, 1.0, 0.0, -1.0, 0.0, 2.0],
            [1, 3, 3],
        );
        let cotangent = Tensor::from_data(cotangent, (&device(), DType::F64));
        let grads = (soft * cotangent).sum().backward();
        assert_values(
            search.log_weights.grad(&grads).unwrap(),
            &[
                3.7190232, 0.4802165, -4.1992397, 0.5099929, 2.8788412, -3.3888342, -4.2529666,
                -3.2308352, 7.4838019,
            ],
        );
    }

    #[test]
    fn soft_until_the_last_step_then_hard_for_good() {
        let mut search = LocalSearchConfig::new(5, 4)
            .with_permutations(2)
            .init(&device())
            .unwrap();
        let identity = Permutation::hard(&[(0..5).collect(), (0..5).collect()], &device()).unwrap();
        let hard = |search: &LocalSearch| search.hard().unwrap().matrices().into_data();
        assert_eq!(hard(&search), identity.matrices().into_data());
        for step in 1..4 {
            let permutation = search.permutation(step, None).unwrap();
            assert!(matches!(permutation, Permutation::Soft(_)));
            let penalty = search.regularization(&permutation).into_scalar::<f32>();
            assert!(penalty.is_finite() && penalty >= -1e-6);
        }
        let last = hard(&search);
        for step in 4..7 {
            let permutation = search.permutation(step, None).unwrap();
            assert!(matches!(permutation, Permutation::Hard(_)));
            assert_eq!(permutation.matrices().into_data(), last);
            assert_eq!(
                search.regularization(&permutation).into_scalar::<f32>(),
                0.0
            );
        }
        assert_eq!(search.finish().unwrap().matrices().into_data(), last);
    }

    #[test]
    fn the_record_holds_the_last_soft_permutation() {
        let config = LocalSearchConfig::new(4, 10);
        let mut search = config.init(&device()).unwrap();
        search.permutation(1, None).unwrap();
        let loaded = config
            .init(&device())
            .unwrap()
            .load_record(search.clone().into_record());
        assert_eq!(loaded.last.val().into_data(), search.last.val().into_data());
        assert_eq!(
            loaded.hard().unwrap().matrices().into_data(),
            search.hard().unwrap().matrices().into_data()
        );
    }

    #[test]
    fn noise_moves_the_permutation() {
        let search = LocalSearchConfig::new(2, 5)
            .with_noise(1.0)
            .init(&device())
            .unwrap();
        let gumbel = Tensor::from_data([[[-3.0, 3.0], [3.0, -3.0]]], &device());
        let soft = search
            .soft(Schedule { steps: 5 }.at(1), Some(gumbel))
            .unwrap();
        assert_values(soft, &[0.0, 1.0, 1.0, 0.0]);
    }
}
