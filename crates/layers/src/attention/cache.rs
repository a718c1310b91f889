//! Keys and values of earlier positions.

use burn::tensor::Tensor;

/// Keys and values that an attention has seen, so that generation computes each once.
#[derive(Clone, Debug, Default)]
pub struct KeyValueCache {
    /// `[batch, length, kv_heads, head_width]` each.
    entries: Option<(Tensor<4>, Tensor<4>)>,
}

impl KeyValueCache {
    /// Number of positions seen.
    pub fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, |(k, _)| k.dims()[1])
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds keys and values of the positions that follow; gives those of all positions.
    ///
    /// # Shapes
    /// * `k`, `v`: `[batch, new, kv_heads, head_width]`
    /// * result: `[batch, length, kv_heads, head_width]` each
    ///
    /// # Panics
    /// If the sizes are not those of the entries before.
    pub fn append(&mut self, k: Tensor<4>, v: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let (k, v) = match self.entries.take() {
            Some((old_k, old_v)) => (
                Tensor::cat(vec![old_k, k], 1),
                Tensor::cat(vec![old_v, v], 1),
            ),
            None => (k, v),
        };
        self.entries = Some((k.clone(), v.clone()));
        (k, v)
    }
}
