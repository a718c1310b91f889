//! What the transformers make of a batch.

use burn::tensor::{Int, Tensor};
use offprint_kernels::{CrossEntropy, cross_entropy};

/// What a backbone makes of a batch.
#[derive(Clone, Debug)]
pub struct Output<const D: usize> {
    /// Logits or features.
    pub output: Tensor<D>,
    /// Penalty of the gates of mixtures of experts, `[1]`, to add to the loss in training.
    pub penalty: Option<Tensor<1>>,
}

impl<const D: usize> Output<D> {
    /// Mean cross-entropy of the logits along the last axis, plus the penalty.
    ///
    /// # Shapes
    /// * `targets`: one for each row of logits, in order
    /// * result: `[1]`
    ///
    /// # Panics
    /// If there are not as many targets as rows, or one is out of range and not ignored.
    pub fn loss(self, targets: Tensor<1, Int>, options: CrossEntropy) -> Tensor<1> {
        let shape = self.output.dims();
        let rows = shape[..D - 1].iter().product();
        let logits = self.output.reshape([rows, shape[D - 1]]);
        let loss = cross_entropy(logits, targets, options);
        match self.penalty {
            Some(penalty) => loss + penalty,
            None => loss,
        }
    }
}
