//! What experts are: functions of one width, each evaluated on its own rows only.

use crate::error::{ExpertsError, Result, check_experts};
use burn::module::Module;
use burn::tensor::Tensor;
use offprint_kernels::Pairs;
use std::sync::Arc;

/// The experts of a mixture.
pub trait ExpertLayer {
    /// Number of experts `n`.
    fn experts(&self) -> usize;

    /// Number of features `D` that every expert reads; `None` if unknown.
    fn input(&self) -> Option<usize>;

    /// What each pair's expert makes of its row, forward and backward at the cost of the pairs.
    ///
    /// # Shapes
    /// * `x`: `[pairs, D]`, sorted by expert as `pairs` says
    /// * result: `[pairs, width]`
    ///
    /// # Errors
    /// If the experts give vectors of unequal width.
    fn evaluate(&self, x: Tensor<2>, pairs: &Arc<Pairs>) -> Result<Tensor<2>>;
}

/// One expert as a module of its own.
pub trait Expert {
    /// # Shapes
    /// * `x`: `[rows, D]`, at least one row
    /// * result: `[rows, width]`
    fn forward(&self, x: Tensor<2>) -> Tensor<2>;
}

/// Experts of any kind, evaluated one after another; [`MlpExperts`](crate::MlpExperts) and
/// [`CnnExperts`](crate::CnnExperts) are faster for theirs.
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::{Expert, ExpertList, GateInput, MixtureOfExperts, TopKConfig};
///
/// #[derive(Module, Debug)]
/// struct Affine {
///     linear: Linear,
/// }
///
/// impl Expert for Affine {
///     fn forward(&self, x: Tensor<2>) -> Tensor<2> {
///         self.linear.forward(x)
///     }
/// }
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let experts = (0..4).map(|_| Affine { linear: LinearConfig::new(3, 2).init(&device) }).collect();
/// let gate = TopKConfig::new(3, 4, 1).init(&device)?;
/// let mixture = MixtureOfExperts::new(gate, ExpertList::new(experts)?)?;
/// let output = mixture.forward(Tensor::ones([5, 3], &device), GateInput::default())?;
/// assert_eq!(output.output.dims(), [5, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct ExpertList<E: Module> {
    /// The experts.
    pub experts: Vec<E>,
}

impl<E: Module> ExpertList<E> {
    /// A layer of these experts.
    ///
    /// # Errors
    /// If there are fewer than two.
    pub fn new(experts: Vec<E>) -> Result<Self> {
        check_experts(experts.len())?;
        Ok(Self { experts })
    }
}

impl<E: Module + Expert> ExpertLayer for ExpertList<E> {
    fn experts(&self) -> usize {
        self.experts.len()
    }

    fn input(&self) -> Option<usize> {
        None
    }

    fn evaluate(&self, x: Tensor<2>, pairs: &Arc<Pairs>) -> Result<Tensor<2>> {
        let mut outputs: Vec<Tensor<2>> = vec![];
        let mut first = None;
        for (expert, segment) in pairs.segments().enumerate() {
            if segment.is_empty() {
                continue;
            }
            let output = self.experts[expert].forward(x.clone().slice(segment));
            let (actual, (_, expected)) = (
                output.dims()[1],
                *first.get_or_insert((expert, output.dims()[1])),
            );
            if actual != expected {
                return Err(ExpertsError::UnequalWidth {
                    expert,
                    actual,
                    expected,
                });
            }
            outputs.push(output);
        }
        if outputs.is_empty() {
            // The width is known only from an expert: one row of zeros asks the first for it.
            let [_, input] = x.dims();
            let row = Tensor::zeros([1, input], &x.device());
            return Ok(self.experts[0].forward(row).slice(0..0));
        }
        Ok(Tensor::cat(outputs, 0))
    }
}
