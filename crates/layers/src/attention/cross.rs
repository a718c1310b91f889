//! Cross-attention.

use crate::context::Context;
use crate::dropout::Dropout;
use crate::linear::Linear;
use burn::module::Module;
use burn::tensor::Tensor;
use offprint_kernels::{Attention, attention};

/// Attention of queries made from one sequence to keys and values made from another, the memory.
///
/// Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.3.
#[derive(Module, Debug)]
pub struct CrossAttention {
    /// Queries, `[width, heads · head_width]`.
    pub q: Linear,
    /// Keys and values, `[width, 2 kv_heads · head_width]`.
    pub kv: Linear,
    /// `[heads · head_width, width]`.
    pub output: Linear,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Dropout of the probabilities.
    pub dropout: Dropout,
}

/// Keys and values of the memory, computed once and used for every position that is generated.
#[derive(Clone, Debug)]
pub struct Memory {
    /// `[batch, length, kv_heads, head_width]`.
    pub k: Tensor<4>,
    /// `[batch, length, kv_heads, head_width]`.
    pub v: Tensor<4>,
}

impl CrossAttention {
    /// Keys and values of a memory.
    ///
    /// # Shapes
    /// * `x`: `[batch, length, width]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn memory(&self, x: Tensor<3>) -> Memory {
        let kv = self.kv.forward(x);
        let [batch, length, width] = kv.dims();
        let kv = kv.reshape([
            batch,
            length,
            2 * self.kv_heads,
            width / (2 * self.kv_heads),
        ]);
        Memory {
            k: kv.clone().narrow(2, 0, self.kv_heads),
            v: kv.narrow(2, self.kv_heads, self.kv_heads),
        }
    }

    /// The attention of each position to the whole memory.
    ///
    /// # Shapes
    /// * `x`, result: `[batch, length, width]`
    /// * `bias`: `[batch or 1, heads or 1, length or 1, memory's length]`; see [`padding_bias`](crate::padding_bias)
    ///
    /// # Panics
    /// If the shapes do not fit together.
    pub fn forward(
        &self,
        x: Tensor<3>,
        memory: &Memory,
        bias: Option<&Tensor<4>>,
        context: Context,
    ) -> Tensor<3> {
        let q = self.q.forward(x);
        let [batch, length, width] = q.dims();
        let q = q.reshape([batch, length, self.heads, width / self.heads]);
        let options = Attention {
            causal: false,
            scale: None,
            dropout: self.dropout.draw(context),
        };
        let y = attention(
            q,
            memory.k.clone(),
            memory.v.clone(),
            bias.cloned(),
            &options,
        );
        self.output.forward(y.reshape([batch, length, width]))
    }
}

#[cfg(test)]
mod tests {
    use crate::attention::{Attend, AttentionConfig};
    use crate::context::Context;
    use crate::testing::{assert_all_learn, device, tensor};
    use burn::module::Param;

    /// With the same projections, attention to oneself is self-attention.
    #[test]
    fn of_a_sequence_to_itself() {
        let config = AttentionConfig {
            kv_heads: Some(1),
            ..AttentionConfig::new(8, 2)
        };
        let own = config.init(&device()).unwrap();
        let mut cross = config.init_cross(&device()).unwrap();
        let (weight, bias) = (own.qkv.weight.val(), own.qkv.bias.as_ref().unwrap().val());
        cross.q.weight = Param::from_tensor(weight.clone().narrow(1, 0, 8).detach());
        cross.kv.weight = Param::from_tensor(weight.narrow(1, 8, 8).detach());
        cross.q.bias = Some(Param::from_tensor(bias.clone().narrow(0, 0, 8).detach()));
        cross.kv.bias = Some(Param::from_tensor(bias.narrow(0, 8, 8).detach()));
        cross.output = own.output.clone();
        let x = tensor([2, 5, 8], 1);
        let y = cross.forward(
            x.clone(),
            &cross.memory(x.clone()),
            None,
            Context::EVALUATION,
        );
        let error = (y - own.forward(x, Attend::default())).abs().max();
        assert!(error.into_scalar::<f32>() < 1e-5);
    }

    #[test]
    fn every_parameter_learns() {
        let cross = AttentionConfig::new(8, 2).init_cross(&device()).unwrap();
        let memory = cross.memory(tensor([2, 7, 8], 1));
        let y = cross.forward(tensor([2, 3, 8], 2), &memory, None, Context::EVALUATION);
        assert_eq!(y.dims(), [2, 3, 8]);
        assert_all_learn(&cross, &(y * tensor([2, 3, 8], 3)).sum().backward());
    }
}
