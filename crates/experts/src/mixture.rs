//! A sparse mixture of experts under one gate.

use crate::error::{ExpertsError, Result, check_shape};
use crate::gate::{Gate, GateInput, GateOutput, check_finite, host};
use crate::layer::ExpertLayer;
use burn::module::Module;
use burn::tensor::Tensor;
use offprint_kernels::{Pairs, combine, gather};
use std::sync::Arc;

/// Mixture of experts `y = Σ_j weights_j f_j(x)`, in which only experts with a weight other than zero are evaluated.
///
/// The gradient with respect to a weight of exactly zero is taken as zero. Every gate of this crate multiplies that
/// gradient by zero, so nothing is lost: parameters get the gradients of the dense sum.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::{CometGateConfig, GateInput, MixtureOfExperts, MlpExpertsConfig};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let gate = CometGateConfig::new(3, 8, 2).init(&device)?;
/// let experts = MlpExpertsConfig::new(8, 3, vec![16, 4]).init(&device)?;
/// let mixture = MixtureOfExperts::new(gate, experts)?;
/// let output = mixture.forward(Tensor::ones([5, 3], &device), GateInput::default())?;
/// assert_eq!(output.output.dims(), [5, 4]);
/// println!("{} of 40 pairs evaluated", output.pairs.len());
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct MixtureOfExperts<G: Module, E: Module> {
    /// Says how much of which expert.
    pub gate: G,
    /// The experts.
    pub experts: E,
}

/// What a mixture makes of a batch.
#[derive(Clone, Debug)]
pub struct MixtureOutput {
    /// The weighted sums, `[batch, width]`.
    pub output: Tensor<2>,
    /// What the gate said.
    pub gate: GateOutput,
    /// The (row, expert) pairs that were evaluated, and will be again backward; their number is the cost.
    pub pairs: Arc<Pairs>,
}

impl<G: Module + Gate, E: Module + ExpertLayer> MixtureOfExperts<G, E> {
    /// A mixture of these experts under this gate.
    ///
    /// # Errors
    /// If the gate and the experts differ in number.
    pub fn new(gate: G, experts: E) -> Result<Self> {
        check_counts(&gate, &experts)?;
        Ok(Self { gate, experts })
    }

    /// The weighted sum of the experts for each row.
    ///
    /// # Shapes
    /// * `x`: `[batch, D]`; also what the gate routes by unless `routing` has features of its own
    /// * result: `[batch, width]`
    ///
    /// # Errors
    /// If an input does not fit the gate or the experts, or a given feature is not finite.
    pub fn forward(&self, x: Tensor<2>, routing: GateInput<'_>) -> Result<MixtureOutput> {
        check_input(&x, &self.experts)?;
        check_finite(&x)?;
        let gate = self.gate.weights(GateInput {
            x: routing.x.or_else(|| Some(x.clone())),
            ..routing
        })?;
        let weights = per_row(&gate, x.dims()[0])?;
        let pairs = Arc::new(Pairs::from_weights(
            &host(weights.clone()),
            self.gate.experts(),
        ));
        let h = self.experts.evaluate(gather(x, &pairs), &pairs)?;
        Ok(MixtureOutput {
            output: combine(h, weights, &pairs),
            gate,
            pairs,
        })
    }
}

/// The gate's weights with a row for each of the batch: a gate without an input gives one for all.
pub(crate) fn per_row(gate: &GateOutput, batch: usize) -> Result<Tensor<2>> {
    let [rows, experts] = gate.weights.dims();
    if rows == 1 && batch != 1 {
        return Ok(gate.weights.clone().repeat_dim(0, batch));
    }
    check_shape("weights", [rows, experts], [batch, experts])?;
    Ok(gate.weights.clone())
}

/// Checks that gate and experts count the same.
pub(crate) fn check_counts(gate: &impl Gate, experts: &impl ExpertLayer) -> Result<()> {
    if gate.experts() == experts.experts() {
        return Ok(());
    }
    Err(ExpertsError::Counts {
        what: "experts",
        left: "the gate",
        left_count: gate.experts(),
        right: "the layer",
        right_count: experts.experts(),
    })
}

/// Checks that the experts can read the input.
pub(crate) fn check_input(x: &Tensor<2>, experts: &impl ExpertLayer) -> Result<()> {
    let [batch, width] = x.dims();
    check_shape(
        "x",
        [batch, width],
        [batch, experts.input().unwrap_or(width)],
    )
}
