//! Recurrent encoder and decoder with a learned mixing of time between them.

use crate::error::{Result, check_sizes};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offprint_kernels::{Activation, linear, softmax};
use offprint_layers::{Gru, GruConfig, Linear, LinearConfig};
use serde::{Deserialize, Serialize};

/// Configuration of a [`Seq2Seq`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seq2SeqConfig {
    /// Width of an element of the input sequence.
    pub input: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Width of an element of the output sequence.
    pub output: usize,
    /// Length of the input sequence.
    pub length_in: usize,
    /// Length of the output sequence.
    pub length_out: usize,
}

/// A GRU reads the input; each step of the output gets a weighted mean of its states, the weights a softmax of learned
/// numbers that do not depend on the input; a second GRU reads these; a linear layer gives the output.
///
/// Source: the sequence-to-sequence baseline of Lu et al., arXiv:1910.03193 (`seq2seq/learner/nn/seq2seq.py`).
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_backbones::Seq2SeqConfig;
/// # fn main() -> Result<(), offprint_backbones::BackbonesError> {
/// let device = Device::flex();
/// let net = Seq2SeqConfig { input: 1, hidden: 5, output: 1, length_in: 20, length_out: 30 }.init(&device)?;
/// assert_eq!(net.forward(Tensor::ones([2, 20, 1], &device)).dims(), [2, 30, 1]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Seq2Seq {
    /// Reads the input.
    pub encoder: Gru,
    /// Logits of the mixing weights, `[length_out, length_in]`; they start at zero, a plain mean.
    pub mixing: Param<Tensor<2>>,
    /// Reads the mixed states.
    pub decoder: Gru,
    /// From a state to the output.
    pub head: Linear,
}

impl Seq2SeqConfig {
    /// Checks every size.
    ///
    /// # Errors
    /// If one is 0.
    pub fn validate(&self) -> Result<()> {
        check_sizes([
            ("input", self.input),
            ("hidden", self.hidden),
            ("output", self.output),
            ("length_in", self.length_in),
            ("length_out", self.length_out),
        ])
    }

    /// A network with initial parameters.
    ///
    /// # Errors
    /// As [`Seq2SeqConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Seq2Seq> {
        self.validate()?;
        let mixing = Tensor::zeros([self.length_out, self.length_in], device);
        Ok(Seq2Seq {
            encoder: GruConfig::new(self.input, self.hidden).init(device)?,
            mixing: Param::from_tensor(mixing),
            decoder: GruConfig::new(self.hidden, self.hidden).init(device)?,
            head: LinearConfig::new(self.hidden, self.output).init(device)?,
        })
    }
}

impl Seq2Seq {
    /// The output sequence.
    ///
    /// # Shapes
    /// * `x`: `[batch, length_in, input]`
    /// * result: `[batch, length_out, output]`
    ///
    /// # Panics
    /// If `x` has another length or width.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let states = self.encoder.forward(x).swap_dims(1, 2);
        let weights = softmax(self.mixing.val()).transpose();
        let mixed = linear(states, weights, None, Activation::Identity);
        self.head
            .forward(self.decoder.forward(mixed.swap_dims(1, 2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, device, tensor};

    fn config() -> Seq2SeqConfig {
        Seq2SeqConfig {
            input: 1,
            hidden: 4,
            output: 2,
            length_in: 6,
            length_out: 5,
        }
    }

    #[test]
    fn every_parameter_learns() {
        let net = config().init(&device()).unwrap();
        let y = net.forward(tensor([3, 6, 1], 1));
        assert_eq!(y.dims(), [3, 5, 2]);
        assert_all_learn(&net, &(y * tensor([3, 5, 2], 2)).sum().backward());
    }

    #[test]
    fn settings_out_of_range() {
        let error = Seq2SeqConfig {
            length_out: 0,
            ..config()
        }
        .validate();
        assert_eq!(
            error.unwrap_err().to_string(),
            "length_out = 0, but it must be at least 1"
        );
    }
}
