//! Cross-entropy of class logits, with the softmax in the same pass.

use crate::lanes::{LANES, load, sum};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, unary};
use crate::parallel::{PIECE, cuts};
use crate::simd::vectorized;
use crate::softmax::{add_logarithms, log_sums, softmax_rows};
use burn::tensor::{DType, Int, Tensor, activation};

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
/// If the shapes do not fit together, a target is out of range, or the label smoothing is not in `0..1`.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use offprint_kernels::{CrossEntropy, cross_entropy};
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_data([[0.0, 0.0]], &device);
/// let targets = Tensor::<1, Int>::from_data([1], &device);
/// let loss = cross_entropy(logits, targets, CrossEntropy::default()).into_scalar::<f32>();
/// assert!((loss - std::f32::consts::LN_2).abs() < 1e-6);
/// ```
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
    let smoothing = options.label_smoothing;
    assert!(
        (0.0..1.0).contains(&smoothing),
        "label smoothing of {smoothing}, allowed is 0..1"
    );
    let labels: Vec<Option<usize>> = targets
        .clone()
        .into_data()
        .iter::<i64>()
        .map(|target| label(target, classes, options.ignored))
        .collect();
    if !runs_on(&logits, &[DType::F32]) {
        return composed(logits, targets, options);
    }
    let kernel = Rows {
        count: labels.iter().flatten().count().max(1) as f32,
        labels,
        classes,
        smoothing,
    };
    unary(kernel, logits)
}

/// The class of a row, none if the row is ignored.
fn label(target: i64, classes: usize, ignored: Option<i64>) -> Option<usize> {
    if Some(target) == ignored {
        return None;
    }
    let class = usize::try_from(target)
        .ok()
        .filter(|class| *class < classes);
    assert!(
        class.is_some(),
        "target {target} of cross-entropy, allowed is 0..{classes}"
    );
    class
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
    // Of the logits' type, which may be f64.
    let counts = counts.float().cast(losses.dtype());
    let total = counts.clone().sum().clamp_min(1.0);
    (losses * counts).sum() / total
}

#[derive(Debug)]
struct Rows {
    labels: Vec<Option<usize>>,
    classes: usize,
    smoothing: f32,
    /// Rows that are not ignored, at least one.
    count: f32,
}

impl Rows {
    /// Share of each class in the target.
    fn spread(&self) -> f32 {
        self.smoothing / self.classes as f32
    }

    /// Loss of a row with the given log-sum-exp.
    #[inline(always)]
    fn loss(&self, x: &[f32], label: Option<usize>, log_sum: f32) -> f32 {
        let Some(label) = label else {
            return 0.0;
        };
        let mut loss = log_sum - (1.0 - self.smoothing) * x[label];
        if self.smoothing > 0.0 {
            let sum = if x.len() < LANES {
                x.iter().sum()
            } else {
                sum(
                    x.len(),
                    #[inline(always)]
                    |start| load(x, start),
                )
            };
            loss -= self.spread() * sum;
        }
        loss
    }

    /// The losses of some rows.
    fn losses(&self, x: &[f32], labels: &[Option<usize>], losses: &mut [f32]) {
        let mut spare = vec![0.0; if self.classes < LANES { x.len() } else { 0 }];
        vectorized(
            #[inline(always)]
            || {
                log_sums(x, &mut spare, self.classes, losses);
                let rows = x.chunks_exact(self.classes).zip(labels);
                for ((x, label), loss) in rows.zip(losses) {
                    *loss = self.loss(x, *label, *loss);
                }
            },
        );
    }

    /// The losses of some rows, and the gradients `(p − target) / count`.
    fn gradients(&self, x: &[f32], labels: &[Option<usize>], losses: &mut [f32], dx: &mut [f32]) {
        let row = |row: usize| row * self.classes..(row + 1) * self.classes;
        let scale = 1.0 / self.count;
        let mut sums = vec![0.0; losses.len()];
        vectorized(
            #[inline(always)]
            || {
                softmax_rows(
                    x,
                    dx,
                    self.classes,
                    scale,
                    #[inline(always)]
                    |i, m, sum| (losses[i], sums[i]) = (m, sum),
                );
                add_logarithms(losses, &sums);
                for (i, label) in labels.iter().enumerate() {
                    let dx = &mut dx[row(i)];
                    losses[i] = self.loss(&x[row(i)], *label, losses[i]);
                    let Some(label) = label else {
                        dx.fill(0.0);
                        continue;
                    };
                    for dx in &mut *dx {
                        *dx = if *dx < LEAST { 0.0 } else { *dx };
                    }
                    if self.smoothing > 0.0 {
                        let spread = scale * self.spread();
                        for dx in &mut *dx {
                            *dx -= spread;
                        }
                    }
                    dx[*label] -= scale * (1.0 - self.smoothing);
                }
            },
        );
    }
}

/// Gradients below it, 2⁻¹⁰⁰, are 0: no sum with the label's shows them, but products with them are subnormal numbers, on
/// which a processor takes a hundred times as long (measured: a step of CROWN-IBP, whose margins are in the hundreds, took
/// twice as long).
const LEAST: f32 = 7.888_609e-31;

impl Kernel for Rows {
    fn forward(&self, inputs: &[Array], training: bool) -> (Array, Vec<Array>) {
        let (x, rows) = (inputs[0].f32(), self.labels.len());
        let each = (PIECE / self.classes.max(1)).max(1);
        let (piece, count) = (each * self.classes, rows.div_ceil(each));
        let mut losses = vec![0.0; rows];
        // Where a gradient will be wanted it takes the exponentials that are at hand; the logits need not be kept.
        let mut gradient = Buffer::new(if training { x.len() } else { 0 });
        let outs = [(&mut losses[..], each), (&mut gradient[..], piece)];
        cuts(outs, count, x.len(), |index, [losses, dx]| {
            let labels = &self.labels[index * each..][..losses.len()];
            let x = &x[index * piece..][..losses.len() * self.classes];
            if training {
                self.gradients(x, labels, losses, dx);
            } else {
                self.losses(x, labels, losses);
            }
        });
        let sum: f64 = losses.iter().copied().map(f64::from).sum();
        let loss = Array::new(vec![(sum / f64::from(self.count)) as f32], [1]);
        let saved = training.then(|| Array::from_buffer(gradient, inputs[0].shape()));
        (loss, saved.into_iter().collect())
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (dy, gradient) = (pass.dy.f32()[0], &pass.saved[1]);
        if dy == 1.0 {
            return vec![Some(gradient.clone())];
        }
        let mut dx = Buffer::new(gradient.f32().len());
        crate::parallel::pieces(&mut dx, PIECE, |start, dx| {
            for (dx, gradient) in dx.iter_mut().zip(&gradient.f32()[start..]) {
                *dx = dy * gradient;
            }
        });
        vec![Some(Array::from_buffer(dx, gradient.shape()))]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, tensor};
    use burn::tensor::{Device, TensorData};

    fn targets(rows: usize, classes: usize) -> Tensor<1, Int> {
        let targets: Vec<i64> = (0..rows).map(|row| (row * 7 % classes) as i64).collect();
        Tensor::from_data(TensorData::new(targets, [rows]), &Device::flex().autodiff())
    }

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (rows, classes) in [(1, 1), (1, 10), (7, 5), (70, 16), (33, 50), (130, 257)] {
            for (label_smoothing, ignored) in [(0.0, None), (0.1, Some(0)), (0.9, Some(-100))] {
                let options = CrossEntropy {
                    label_smoothing,
                    ignored,
                };
                let x = tensor([classes, rows], 1);
                let logits = || x.clone().transpose() * 5.0;
                let targets = || targets(rows, classes);
                assert_same!(
                    cross_entropy(logits(), targets(), options),
                    composed(logits(), targets(), options),
                    [x],
                    1e-5
                );
                // The value without a gradient to come goes another way.
                let ours = cross_entropy(logits().inner(), targets().inner(), options);
                let expected = composed(logits().inner(), targets().inner(), options);
                crate::testing::assert_close(ours, expected, 1e-5);
            }
        }
    }

    #[test]
    fn no_row_counts() {
        let options = CrossEntropy {
            ignored: Some(0),
            ..CrossEntropy::default()
        };
        for rows in [0, 3] {
            let x = tensor([rows, 4], 1);
            let zeros = Tensor::zeros([rows], &Device::flex().autodiff());
            let loss = cross_entropy(x.clone(), zeros, options);
            let dx = x.grad(&loss.clone().backward()).unwrap();
            assert_eq!(loss.into_scalar::<f32>(), 0.0);
            assert_eq!(
                dx.into_data().try_to_vec::<f32>().unwrap(),
                vec![0.0; rows * 4]
            );
        }
    }

    #[test]
    fn a_hidden_class_costs_nothing() {
        let hidden = f32::NEG_INFINITY;
        let x = Tensor::<2>::from_data([[0.0, 0.0, hidden]], &Device::flex());
        let targets = Tensor::<1, Int>::from_data([1], &Device::flex());
        let loss = cross_entropy(x, targets, CrossEntropy::default()).into_scalar::<f32>();
        assert!((loss - std::f32::consts::LN_2).abs() < 1e-6);
    }

    #[test]
    #[should_panic(expected = "target 4 of cross-entropy, allowed is 0..4")]
    fn target_out_of_range() {
        let x = tensor([1, 4], 1);
        let targets = Tensor::<1, Int>::from_data([4], &x.device());
        cross_entropy(x, targets, CrossEntropy::default());
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let x = tensor([3_000, 50], 1);
            let loss = cross_entropy(x.clone(), targets(3_000, 50), CrossEntropy::default());
            let dx = x.grad(&loss.clone().backward()).unwrap();
            [loss.into_data(), dx.into_data()]
                .map(|data| data.try_to_vec().unwrap())
                .concat()
        });
    }
}
