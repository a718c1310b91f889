//! What a gate is: from a batch to sparse mixture weights.

use crate::error::{ExpertsError, Result};
use crate::permutation::Permutation;
use burn::tensor::{Int, Tensor, TensorData};
use offprint_kernels::largest;

/// A weight below this counts as zero in the sparsity that gates report, as in the authors' metric.
pub const NEGLIGIBLE: f32 = 1e-5;

/// What a gate routes by. Random draws are inputs: a gate draws nothing itself.
#[derive(Clone, Debug, Default)]
pub struct GateInput<'a> {
    /// Routing features `[batch, D]`. In a mixture, `None` means the experts' own input.
    pub x: Option<Tensor<2>>,
    /// Id of each row, for gates that route by a table.
    pub ids: Option<&'a [usize]>,
    /// Standard normal draw `[batch, n]`, for gates with noise; `None` at evaluation.
    pub noise: Option<Tensor<2>>,
    /// Permutation of the experts, from a local search; `None` for the identity.
    pub permutation: Option<&'a Permutation>,
}

impl<'a> GateInput<'a> {
    /// Routing by the features `x`, `[batch, D]`.
    pub fn new(x: Tensor<2>) -> Self {
        Self {
            x: Some(x),
            ..Self::default()
        }
    }

    /// Routing by the id of each row.
    pub fn by_id(ids: &'a [usize]) -> Self {
        Self::default().with_ids(ids)
    }

    /// Adds the id of each row.
    pub fn with_ids(self, ids: &'a [usize]) -> Self {
        Self {
            ids: Some(ids),
            ..self
        }
    }

    /// Adds a standard normal draw, `[batch, n]`.
    pub fn with_noise(self, noise: Tensor<2>) -> Self {
        Self {
            noise: Some(noise),
            ..self
        }
    }

    /// Adds a permutation.
    pub fn with_permutation(self, permutation: &'a Permutation) -> Self {
        Self {
            permutation: Some(permutation),
            ..self
        }
    }

    /// The features, which must be there and have `width` columns.
    pub(crate) fn features(&self, gate: &'static str, width: usize) -> Result<Tensor<2>> {
        let input = "features x";
        let x = self
            .x
            .clone()
            .ok_or(ExpertsError::Missing { gate, input })?;
        let [batch, columns] = x.dims();
        crate::error::check_shape("x", [batch, columns], [batch, width])?;
        Ok(x)
    }
}

/// What a gate says about a batch.
#[derive(Clone, Debug)]
pub struct GateOutput {
    /// Mixture weights `[batch, n]`, not negative.
    pub weights: Tensor<2>,
    /// Penalty to add to the loss in training, `[1]`, its coefficients included.
    pub regularization: Tensor<1>,
    /// What the gate's own kind has to tell besides.
    pub detail: Detail,
}

/// Intermediate results by kind of gate.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one a batch, taken apart at once"
)]
pub enum Detail {
    /// Nothing besides the weights.
    Plain,
    /// COMET's trees.
    Tree {
        /// Probability that a tree reaches an expert, `[batch, k, n]`.
        reach: Tensor<3>,
        /// Entropy penalty, `[1]`.
        entropy: Tensor<1>,
    },
    /// DSelect-k's single-expert selectors.
    Selectors {
        /// Selectors before any permutation, `[batch, k, n]`.
        selectors: Tensor<3>,
        /// Entropy penalty, `[1]`.
        entropy: Tensor<1>,
        /// Penalty on codes that stand for no expert, `[1]`; zero if `n` is a power of two.
        reachable: Tensor<1>,
    },
    /// Top-k's logits.
    Logits {
        /// Logits with noise, `[batch, n]`.
        logits: Tensor<2>,
        /// How many are selected.
        k: usize,
    },
}

impl Detail {
    /// The experts that a top-k gate selected for each row, in ascending order, `[batch, k]`; `None` for other gates.
    pub fn selected(&self) -> Option<Tensor<2, Int>> {
        let Self::Logits { logits, k } = self else {
            return None;
        };
        let [batch, experts] = logits.dims();
        let values = host(logits.clone());
        let selected: Vec<i64> = values
            .chunks_exact(experts)
            .flat_map(|row| largest(row, *k))
            .map(|expert| expert as i64)
            .collect();
        let data = TensorData::new(selected, [batch, *k]);
        Some(Tensor::from_data(data, &logits.device()))
    }
}

impl GateOutput {
    /// The weights alone, without a penalty.
    pub(crate) fn plain(weights: Tensor<2>) -> Self {
        Self {
            regularization: Tensor::zeros([1], &weights.device()),
            weights,
            detail: Detail::Plain,
        }
    }

    /// Mean number of experts a row with a weight of at least [`NEGLIGIBLE`]; zero for an empty batch.
    pub fn active(&self) -> f64 {
        let batch = self.weights.dims()[0].max(1);
        let active = host(self.weights.clone());
        let active = active
            .iter()
            .filter(|weight| **weight >= NEGLIGIBLE)
            .count();
        active as f64 / batch as f64
    }
}

/// A rule that gives each row of a batch its mixture weights.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::{CometGateConfig, Gate, GateInput};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let gate = CometGateConfig::new(3, 5, 2).init(&device)?;
/// let x = Tensor::ones([4, 3], &device);
/// let output = gate.weights(GateInput::new(x))?;
/// assert_eq!(output.weights.dims(), [4, 5]);
/// # Ok(())
/// # }
/// ```
pub trait Gate {
    /// Number of experts `n`.
    fn experts(&self) -> usize;

    /// The mixture weights, without looking for infinite features: what is inside a model that may diverge calls this.
    ///
    /// # Errors
    /// If an input is missing or does not fit the gate.
    fn route(&self, input: GateInput<'_>) -> Result<GateOutput>;

    /// The mixture weights of user-given features.
    ///
    /// # Errors
    /// As [`Gate::route`], and if a feature is infinite or not a number.
    fn weights(&self, input: GateInput<'_>) -> Result<GateOutput> {
        if let Some(x) = &input.x {
            check_finite(x)?;
        }
        self.route(input)
    }
}

/// Checks that every element is finite.
pub(crate) fn check_finite(x: &Tensor<2>) -> Result<()> {
    // One fast pass: the sum is finite unless an element is not, or elements are so large that they overflow together.
    if x.clone().inner().sum().into_scalar::<f32>().is_finite() {
        return Ok(());
    }
    let columns = x.dims()[1].max(1);
    match host(x.clone())
        .iter()
        .enumerate()
        .find(|(_, value)| !value.is_finite())
    {
        Some((index, value)) => Err(ExpertsError::NotFinite {
            row: index / columns,
            column: index % columns,
            value: *value,
        }),
        None => Ok(()),
    }
}

/// The elements in row-major order as 32-bit floats.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .inner()
        .try_into_vec_as::<f32>()
        .expect("a float tensor can be read as 32-bit floats")
}
