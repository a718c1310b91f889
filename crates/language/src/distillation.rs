//! Distillation: a student learns from what its teacher says, and from what it says on the way.

use crate::error::{LanguageError, Result};
use burn::tensor::{Bool, Tensor};
use offprint_backbones::Trace;
use offprint_kernels::{log_softmax, softmax};

/// Weights of the two parts of a distillation loss, both 1 by default as in COMET-BERT.
///
/// `logits · KL + hidden · H`, to be added to the loss of the task: see [`symmetric_kl`] and [`hidden_distance`].
///
/// Source: Zuo et al., "MoEBERT: from BERT to Mixture-of-Experts via Importance-Guided Adaptation", NAACL 2022;
/// both are equally weighted in the code of COMET-BERT.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distillation {
    /// Weight of the distance of the logits.
    pub logits: f32,
    /// Weight of the distance of the hidden layers.
    pub hidden: f32,
}

impl Default for Distillation {
    fn default() -> Self {
        Self {
            logits: 1.0,
            hidden: 1.0,
        }
    }
}

impl Distillation {
    /// Checks both weights.
    ///
    /// # Errors
    /// If one is negative or not finite.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [("logits", self.logits), ("hidden", self.hidden)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(LanguageError::Range {
                    name,
                    value: value.to_string(),
                    allowed: "a finite number of at least 0",
                });
            }
        }
        Ok(())
    }

    /// The loss of a student's pass, `[1]`. Nothing flows back to the teacher.
    ///
    /// # Shapes
    /// * `present`: `[batch, length]`, as of [`hidden_distance`]
    ///
    /// # Errors
    /// If the models differ in classes, depth or width, or a weight is out of range.
    pub fn loss(
        &self,
        student: &Trace,
        teacher: &Trace,
        present: Option<Tensor<2, Bool>>,
    ) -> Result<Tensor<1>> {
        self.validate()?;
        let logits = symmetric_kl(student.output.clone(), teacher.output.clone())?;
        let hidden = hidden_distance(&student.hidden, &teacher.hidden, present)?;
        Ok(logits * self.logits + hidden * self.hidden)
    }
}

/// `mean over rows of ½ Σ_c (p_c − q_c)(ln p_c − ln q_c)` with `p = softmax(student)`, `q = softmax(teacher)`: half the
/// sum of both Kullback–Leibler divergences, `[1]`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_language::distillation::symmetric_kl;
/// # fn main() -> Result<(), offprint_language::LanguageError> {
/// let logits = Tensor::<2>::from_data([[0.0, 1.0], [3.0, -1.0]], &Device::flex());
/// assert_eq!(symmetric_kl(logits.clone(), logits)?.into_scalar::<f32>(), 0.0);
/// # Ok(())
/// # }
/// ```
///
/// # Shapes
/// * `student`, `teacher`: `[batch, classes]`
///
/// # Errors
/// If the shapes differ.
pub fn symmetric_kl(student: Tensor<2>, teacher: Tensor<2>) -> Result<Tensor<1>> {
    same("logits of the student", student.dims(), teacher.dims())?;
    let (teacher, rows) = (teacher.detach(), student.dims()[0].max(1));
    let p = softmax(student.clone());
    let q = softmax(teacher.clone());
    // Of logarithms, not the logarithm of a probability that may have vanished.
    let ratio = log_softmax(student) - log_softmax(teacher);
    Ok(((p - q) * ratio).sum() * (0.5 / rows as f64))
}

/// `Σ over layers of mean (h − t)²`, the mean over the features of the tokens that are present, `[1]`.
///
/// Without `present` the mean is over every position, padding too, as in the authors' code.
///
/// # Shapes
/// * `student`, `teacher`: `[batch, length, width]` of each layer, the embeddings first
/// * `present`: `[batch, length]`, false for padding
///
/// # Errors
/// If the numbers of layers or the shapes differ.
pub fn hidden_distance(
    student: &[Tensor<3>],
    teacher: &[Tensor<3>],
    present: Option<Tensor<2, Bool>>,
) -> Result<Tensor<1>> {
    same("layers of the student", [student.len()], [teacher.len()])?;
    let mut sum: Option<Tensor<1>> = None;
    for (h, t) in student.iter().zip(teacher) {
        same("a layer of the student", h.dims(), t.dims())?;
        let [batch, length, width] = h.dims();
        let squares = (h.clone() - t.clone().detach()).powi_scalar(2);
        let mean = match &present {
            Some(present) => {
                same("present", present.dims(), [batch, length])?;
                let weights = present.clone().float();
                let count = weights.clone().sum().clamp_min(1.0) * width as f64;
                (squares * weights.unsqueeze_dim(2)).sum() / count
            }
            None => squares.mean(),
        };
        sum = Some(match sum {
            Some(sum) => sum + mean,
            None => mean,
        });
    }
    sum.ok_or(LanguageError::Empty("layers to compare"))
}

fn same<const D: usize>(
    name: &'static str,
    actual: [usize; D],
    expected: [usize; D],
) -> Result<()> {
    if actual == expected {
        return Ok(());
    }
    Err(LanguageError::Shape {
        name,
        actual: actual.to_vec(),
        expected: expected.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn device() -> Device {
        Device::flex().autodiff()
    }

    /// A probability that is zero in 32 bits makes neither the loss nor its gradient useless.
    #[test]
    fn far_logits_stay_finite() {
        let student = Tensor::<2>::from_data([[0.0, 300.0]], &device()).require_grad();
        let teacher = Tensor::<2>::from_data([[0.0, -300.0]], &device());
        let loss = symmetric_kl(student.clone(), teacher).unwrap();
        let gradients = loss.backward();
        // ½ (1 · 300 + 1 · 300)
        assert_eq!(loss.into_scalar::<f32>(), 300.0);
        let slope = student.grad(&gradients).unwrap().abs().max();
        assert!(slope.into_scalar::<f32>().is_finite());
    }

    #[test]
    fn padding_does_not_count_where_it_is_named() {
        let layer = |values| vec![Tensor::<3>::from_data(values, &device())];
        let student = layer([[[1.0, 2.0], [9.0, 9.0]]]);
        let teacher = layer([[[0.0, 0.0], [0.0, 0.0]]]);
        let present = Tensor::<2>::from_data([[1.0, 0.0]], &device()).greater_elem(0.5);
        let distance = |present| {
            let distance = hidden_distance(&student, &teacher, present).unwrap();
            distance.into_scalar::<f32>()
        };
        assert_eq!(distance(Some(present)), 2.5);
        assert_eq!(distance(None), 41.75);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let logits = |columns| Tensor::<2>::zeros([2, columns], &device());
        assert_eq!(
            symmetric_kl(logits(2), logits(3)).unwrap_err().to_string(),
            "logits of the student has shape [2, 2], but [2, 3] is expected"
        );
        let layer = Tensor::<3>::zeros([1, 2, 3], &device());
        assert!(hidden_distance(&[], &[layer], None).is_err());
        let negative = Distillation {
            hidden: -1.0,
            ..Distillation::default()
        };
        assert_eq!(
            negative.validate().unwrap_err().to_string(),
            "hidden = -1, but it must be a finite number of at least 0"
        );
    }
}
