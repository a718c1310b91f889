//! Cross-entropy of class logits, with the softmax in the same pass.

use burn::tensor::{Int, Tensor, activation};

/// How [`cross_entropy`] weighs classes and rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    /// Share `s` of the target that is spread evenly over all classes, in `0..1`.
    pub label_smoothing: f32,
    /// Rows with this target count nothing.
    pub ignored: Option<i64>,
}

/// Mean over the rows that count of `−(1−s) ln p_target − s/n Σ_j ln p_j`, with `p = softmax(logits)`; zero if none
/// counts.
///
/// # Shapes
/// * `logits`: `[rows, classes]`
/// * `targets`: `[rows]`, in `0..classes` or the ignored target
/// * result: `[1]`
///
/// # Panics
/// If the shapes do not fit together or a target is out of range.
pub fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    options: CrossEntropy,
) -> Tensor<1> {
    let [rows, classes] = logits.dims();
    assert_eq!(
        targets.dims(),
        [rows],
        "targets of cross-entropy for logits {:?}",
        [rows, classes]
    );
    composed(logits, targets, options)
}

/// The same from Burn's primitives.
fn composed(logits: Tensor<2>, targets: Tensor<1, Int>, options: CrossEntropy) -> Tensor<1> {
    let [rows, classes] = logits.dims();
    let counts = match options.ignored {
        Some(ignored) => targets.clone().not_equal_elem(ignored),
        None => targets.clone().equal(targets.clone()),
    };
    let targets = targets.mask_fill(counts.clone().bool_not(), 0);
    let log = activation::log_softmax(logits, 1);
    let s = options.label_smoothing;
    let hit = log.clone().gather(1, targets.reshape([rows, 1]));
    let spread = log.sum_dim(1) * (s / classes as f32);
    let losses = (hit * (1.0 - s) + spread).neg().reshape([rows]);
    let counts = counts.float();
    let total = counts.clone().sum().clamp_min(1.0);
    (losses * counts).sum() / total
}
