//! Dropout.

use crate::context::Context;
use crate::error::{Result, check_dropout};
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Configuration of a [`Dropout`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropoutConfig {
    /// Probability that an element is dropped.
    pub probability: f32,
}

/// In training, sets elements to zero with a probability `p` and divides the others by `1 − p`; nothing at evaluation.
///
/// Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.
#[derive(Module, Debug)]
pub struct Dropout {
    /// Probability that an element is dropped.
    pub probability: f32,
}

impl DropoutConfig {
    /// Checks the probability.
    ///
    /// # Errors
    /// If it is not in `0..1`.
    pub fn validate(&self) -> Result<()> {
        check_dropout("probability", self.probability)
    }

    /// The layer.
    ///
    /// # Errors
    /// As [`DropoutConfig::validate`].
    pub fn init(&self) -> Result<Dropout> {
        self.validate()?;
        Ok(Dropout {
            probability: self.probability,
        })
    }
}

impl Dropout {
    /// Drops elements by the seed of the context, which must be this layer's own ([`Context::branch`]).
    pub fn forward<const D: usize>(&self, x: Tensor<D>, context: Context) -> Tensor<D> {
        match self.draw(context) {
            Some(options) => offprint_kernels::dropout(x, options),
            None => x,
        }
    }

    /// What a kernel drops in this context; `None` if nothing.
    pub fn draw(&self, context: Context) -> Option<offprint_kernels::Dropout> {
        (context.training && self.probability > 0.0).then_some(offprint_kernels::Dropout {
            probability: self.probability,
            seed: context.seed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device, values};

    #[test]
    fn follows_the_seed_and_rests_at_evaluation() {
        let layer = DropoutConfig { probability: 0.5 }.init().unwrap();
        let ones = || Tensor::<2>::ones([40, 50], &device());
        let drop = |seed| values(layer.forward(ones(), Context::training(seed)));
        assert!(drop(3) == drop(3) && drop(3) != drop(4));
        assert!(drop(3).iter().all(|y| *y == 0.0 || *y == 2.0));
        assert_eq!(
            values(layer.forward(ones(), Context::EVALUATION)),
            [1.0; 2000]
        );
    }

    #[test]
    fn probability_out_of_range() {
        for probability in [-0.1, 1.0, f32::NAN] {
            let error = DropoutConfig { probability }.validate().unwrap_err();
            let expected =
                format!("probability = {probability}, but it must be at least 0 and below 1");
            assert_eq!(error.to_string(), expected);
        }
    }
}
