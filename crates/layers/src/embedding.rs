//! Embedding of tokens, and the head that shares its table.

use crate::error::{Result, check_sizes};
use crate::init::Init;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use offprint_kernels::{Activation, embedding, linear, matmul};
use serde::{Deserialize, Serialize};

/// Configuration of an [`Embedding`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingConfig {
    /// Number of rows of the table.
    pub entries: usize,
    /// Width of a row.
    pub width: usize,
    /// Initial values, by default those of PyTorch, `N(0, 1)`.
    #[serde(default = "standard")]
    pub init: Init,
}

fn standard() -> Init {
    Init::Normal { deviation: 1.0 }
}

/// A table of vectors: `y_i = weight[index_i]`.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[entries, width]`.
    pub weight: Param<Tensor<2>>,
}

impl EmbeddingConfig {
    /// A table started like PyTorch's.
    pub fn new(entries: usize, width: usize) -> Self {
        Self {
            entries,
            width,
            init: standard(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a size is 0 or the initial values are out of range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("entries", self.entries), ("width", self.width)])?;
        self.init.validate()
    }

    /// A table with initial values.
    ///
    /// # Errors
    /// As [`EmbeddingConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Embedding> {
        self.validate()?;
        let shape = [self.entries, self.width];
        Ok(Embedding {
            weight: self.init.weight(shape, self.width, device),
        })
    }
}

impl Embedding {
    /// The rows of these indices.
    ///
    /// # Shapes
    /// * `indices`: `[batch, length]`, in `0..entries`
    /// * result: `[batch, length, width]`
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn forward(&self, indices: Tensor<2, Int>) -> Tensor<3> {
        embedding(self.weight.val(), indices)
    }

    /// The rows `first..first + length`, for learned positions.
    ///
    /// # Shapes
    /// * result: `[1, length, width]`
    ///
    /// # Panics
    /// If the table has fewer rows.
    pub fn rows(&self, first: usize, length: usize) -> Tensor<3> {
        self.weight.val().narrow(0, first, length).unsqueeze()
    }

    /// `x weightᵀ`: the logits of a head tied to this table (Press and Wolf, "Using the Output Embedding to Improve
    /// Language Models", 2017).
    ///
    /// # Shapes
    /// * `x`: `[batch, length, width]`
    /// * result: `[batch, length, entries]`
    pub fn logits(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, length, width] = x.dims();
        let [entries, _] = self.weight.dims();
        let rows = batch * length;
        // A kernel copies a transposed factor: take the product or its transpose, whichever copies less.
        if rows * (entries + width) < entries * width {
            let x = x.reshape([rows, width]).transpose();
            let logits = matmul(self.weight.val(), x).transpose();
            return logits.reshape([batch, length, entries]);
        }
        linear(x, self.weight.val().transpose(), None, Activation::Identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, assert_values, device, tensor};

    /// Expected by hand.
    #[test]
    fn rows_and_logits() {
        let device = device();
        let table = Embedding {
            weight: Param::from_data([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], &device),
        };
        let indices = Tensor::from_data([[2, 0]], &device);
        assert_values(table.forward(indices), &[5.0, 6.0, 1.0, 2.0]);
        assert_values(table.rows(1, 2), &[3.0, 4.0, 5.0, 6.0]);
        let x = Tensor::from_data([[[1.0, -1.0]], [[0.0, 2.0]]], &device);
        assert_values(table.logits(x), &[-1.0, -1.0, -1.0, 4.0, 8.0, 12.0]);
    }

    #[test]
    fn both_products_agree() {
        let table = Embedding {
            weight: Param::from_tensor(tensor([50, 40], 1)),
        };
        let x = tensor([1, 30, 40], 2);
        let all = table.logits(x.clone());
        let row = table.logits(x.narrow(1, 7, 1));
        let error = (all.narrow(1, 7, 1) - row.clone()).abs().max();
        assert!(error.into_scalar::<f32>() < 1e-5);
        assert_all_learn(&table, &row.sum().backward());
    }
}
