//! Multi-gate mixture of experts: several tasks share the experts, each with a gate and a head of its own.

use crate::error::{ExpertsError, Result, check_shape, check_sizes};
use crate::gate::{Gate, GateInput, GateOutput, check_finite, host};
use crate::layer::ExpertLayer;
use crate::mixture::{check_counts, check_input, per_row};
use crate::mlp::Mlp;
use burn::module::Module;
use burn::tensor::Tensor;
use offprint_kernels::{Pairs, combine, gather};
use std::sync::Arc;

/// Multi-gate mixture of experts: task `t` gets `head_t(Σ_j weights_tj f_j(bottom(x)))`.
///
/// An expert is evaluated once for a row that any task's gate sends to it. Gates and experts read the output of the
/// bottom, or `x` itself if there is none. The loss is the caller's: the weighted sum of the tasks' losses plus
/// [`MultiGateOutput::regularization`].
///
/// Source: Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts", KDD 2018.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::{CometGateConfig, GateInput, MlpConfig, MlpExpertsConfig, MultiGate};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let gate = || CometGateConfig::new(6, 8, 2).init(&device);
/// let head = |width| MlpConfig::new(4, vec![width]).init(&device);
/// let model = MultiGate::new(
///     Some(MlpConfig::new(3, vec![6]).with_relu_last(true).init(&device)?),
///     MlpExpertsConfig::new(8, 6, vec![4]).init(&device)?,
///     vec![gate()?, gate()?],
///     vec![head(1)?, head(10)?],
/// )?;
/// let output = model.forward(Tensor::ones([5, 3], &device), &[GateInput::default()])?;
/// assert_eq!(output.tasks[1].dims(), [5, 10]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct MultiGate<G: Module, E: Module> {
    /// What all experts and gates read through, if any.
    pub bottom: Option<Mlp>,
    /// The experts.
    pub experts: E,
    /// The gate of each task.
    pub gates: Vec<G>,
    /// The head of each task.
    pub heads: Vec<Mlp>,
}

/// What a multi-gate mixture makes of a batch.
#[derive(Clone, Debug)]
pub struct MultiGateOutput {
    /// Output of each task's head, `[batch, width]`.
    pub tasks: Vec<Tensor<2>>,
    /// What each task's gate said.
    pub gates: Vec<GateOutput>,
    /// The (row, expert) pairs that were evaluated, for all tasks together.
    pub pairs: Arc<Pairs>,
}

impl MultiGateOutput {
    /// Sum of the gates' penalties, `[1]`.
    pub fn regularization(&self) -> Tensor<1> {
        let penalties = self.gates.iter().map(|gate| gate.regularization.clone());
        penalties
            .reduce(|sum, penalty| sum + penalty)
            .unwrap_or_else(|| Tensor::zeros([1], &self.tasks[0].device()))
    }

    /// Mean number of experts that a task's gate uses for a row.
    pub fn active(&self) -> f64 {
        self.gates.iter().map(GateOutput::active).sum::<f64>() / self.gates.len() as f64
    }
}

impl<G: Module + Gate, E: Module + ExpertLayer> MultiGate<G, E> {
    /// A mixture with a gate and a head for each task.
    ///
    /// # Errors
    /// If there is no task, or gates, heads and experts differ in number.
    pub fn new(bottom: Option<Mlp>, experts: E, gates: Vec<G>, heads: Vec<Mlp>) -> Result<Self> {
        check_sizes([("gates", gates.len())])?;
        if gates.len() != heads.len() {
            return Err(tasks("gates", gates.len(), "heads", heads.len()));
        }
        for gate in &gates {
            check_counts(gate, &experts)?;
        }
        Ok(Self {
            bottom,
            experts,
            gates,
            heads,
        })
    }

    /// The output of every task.
    ///
    /// # Shapes
    /// * `x`: `[batch, D]`
    /// * `routing`: one for all tasks or one a task; where it has no features, gates route by what the experts read
    ///
    /// # Errors
    /// If an input does not fit, or a given feature is not finite.
    pub fn forward(&self, x: Tensor<2>, routing: &[GateInput<'_>]) -> Result<MultiGateOutput> {
        let (batch, count) = (x.dims()[0], self.gates.len());
        if routing.len() != 1 && routing.len() != count {
            return Err(tasks("routing", routing.len(), "gates", count));
        }
        check_finite(&x)?;
        let x = match &self.bottom {
            Some(bottom) => {
                check_shape("x", x.dims(), [batch, bottom.input()])?;
                bottom.forward(x)
            }
            None => x,
        };
        check_input(&x, &self.experts)?;
        let mut gates = Vec::with_capacity(count);
        for (gate, routing) in self.gates.iter().zip(routing.iter().cycle()) {
            if let Some(x) = &routing.x {
                check_finite(x)?;
            }
            // What a diverging bottom puts out is not the user's mistake: it goes on into the loss.
            gates.push(gate.route(GateInput {
                x: routing.x.clone().or_else(|| Some(x.clone())),
                ..routing.clone()
            })?);
        }
        let weights: Vec<_> = gates
            .iter()
            .map(|gate| per_row(gate, batch))
            .collect::<Result<_>>()?;
        let values: Vec<_> = weights
            .iter()
            .map(|weights| host(weights.clone()))
            .collect();
        let values: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
        let pairs = Arc::new(Pairs::union(&values, self.experts.experts()));
        let h = self.experts.evaluate(gather(x, &pairs), &pairs)?;
        let tasks = weights
            .into_iter()
            .zip(&self.heads)
            .map(|(weights, head)| {
                let mixed = combine(h.clone(), weights, &pairs);
                check_shape("output of the experts", mixed.dims(), [batch, head.input()])?;
                Ok(head.forward(mixed))
            })
            .collect::<Result<_>>()?;
        Ok(MultiGateOutput {
            tasks,
            gates,
            pairs,
        })
    }
}

fn tasks(
    left: &'static str,
    left_count: usize,
    right: &'static str,
    right_count: usize,
) -> ExpertsError {
    ExpertsError::Counts {
        what: "tasks",
        left,
        left_count,
        right,
        right_count,
    }
}
