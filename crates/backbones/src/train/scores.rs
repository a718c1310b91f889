//! What a backbone is worth on held-out rows.

use super::data::{Data, Phase, Target};
use super::texts::IGNORED;
use crate::{
    backbone::Backbone,
    config::{BackboneConfig, Kind, Rows},
};
use burn::tensor::{Device, Int, Tensor};
use offprint_kernels::{CrossEntropy, cross_entropy};
use offprint_lab::{
    Error, Result,
    study::{Better, Metric},
};
use offprint_layers::Context;
use std::collections::BTreeMap;

const LOSS: Metric = Metric::new(
    "loss",
    "test loss",
    Better::Lower,
    "mean cross-entropy in nats on test rows, or mean squared error of standardized numbers",
);
const ACCURACY: Metric = Metric::new(
    "accuracy",
    "accuracy",
    Better::Higher,
    "share of test answers whose likeliest class is right",
);
const IOU: Metric = Metric::new(
    "iou",
    "mean IoU",
    Better::Higher,
    "intersection over union of each class's test pixels, mean over the classes that occur",
);
const RMSE: Metric = Metric::new(
    "rmse",
    "RMSE",
    Better::Lower,
    "root mean squared error on test rows, in the target's own unit",
);
const BITS: Metric = Metric::new(
    "bits_per_byte",
    "bits/byte",
    Better::Lower,
    "test loss in bits: what a byte of the test text costs when the model compresses it",
);
const PERPLEXITY: Metric = Metric::new(
    "perplexity",
    "perplexity",
    Better::Lower,
    "e to the test loss: as good as guessing among so many tokens",
);
const VALIDATION: Metric = Metric::new(
    "validation",
    "valid. loss",
    Better::Lower,
    "the same loss on validation rows",
);
const PARAMETERS: Metric = Metric::new(
    "parameters",
    "parameters",
    Better::Neither,
    "number of trained parameters",
);
const STEP: Metric = Metric::new(
    "step_ms",
    "ms/step",
    Better::Lower,
    "mean time of a training step, in milliseconds",
);

/// What trials report at their end, of every kind; a report shows those that some trial has.
pub const METRICS: &[Metric] = &[
    LOSS, ACCURACY, IOU, RMSE, BITS, PERPLEXITY, VALIDATION, PARAMETERS, STEP,
];

/// Mean loss of a batch.
pub fn loss(answer: Tensor<2>, target: &Target, label_smoothing: f32) -> Tensor<1> {
    match target {
        Target::Classes(classes) => {
            let options = CrossEntropy {
                label_smoothing,
                ignored: Some(IGNORED),
            };
            cross_entropy(answer, classes.clone(), options)
        }
        Target::Values(values) => (answer - values.clone()).powi_scalar(2).mean(),
    }
}

/// Sums over rows.
#[derive(Default)]
struct Tally {
    answers: usize,
    loss: f64,
    right: usize,
    /// Of each class: answers that are of it and were said to be, that are of it, that were said to be.
    classes: Vec<[usize; 3]>,
}

/// Scores a backbone on some rows, by the names of [`METRICS`] as far as they apply.
///
/// The backbone must be on a device without gradients: see [`valid`](burn::module::Module::valid).
///
/// # Errors
/// A gate is given a number that is not finite.
pub fn score(
    backbone: &Backbone,
    config: &BackboneConfig,
    data: &Data,
    rows: &[usize],
    batch: usize,
    device: &Device,
) -> Result<BTreeMap<&'static str, f64>> {
    let mut tally = Tally::default();
    for rows in rows.chunks(batch) {
        let (input, target) = data.batch(rows, Phase::Evaluation, device);
        let answer = backbone
            .answer(input, Context::EVALUATION)
            .map_err(|error| Error::run(error.to_string()))?;
        tally.add(answer.output, &target, data.problem.outputs);
    }
    let mean = tally.loss / tally.answers as f64;
    let mut scores = BTreeMap::from([(LOSS.name, mean)]);
    if let Some(deviation) = data.deviation() {
        scores.insert(RMSE.name, mean.sqrt() * deviation);
        return Ok(scores);
    }
    scores.insert(ACCURACY.name, tally.right as f64 / tally.answers as f64);
    if let Rows::Tokens { .. } = data.problem.rows {
        scores.insert(PERPLEXITY.name, mean.exp());
        // Of a masked language model the hidden bytes cost little because the others are known.
        if config.kind() != Kind::Encoder {
            scores.insert(BITS.name, mean / std::f64::consts::LN_2);
        }
    }
    if config.kind() == Kind::Unet {
        let shares = tally.classes.iter().filter(|[_, are, said]| are + said > 0);
        let shares: Vec<f64> = shares
            .map(|[both, are, said]| *both as f64 / (are + said - both) as f64)
            .collect();
        scores.insert(IOU.name, shares.iter().sum::<f64>() / shares.len() as f64);
    }
    Ok(scores)
}

impl Tally {
    fn add(&mut self, answer: Tensor<2>, target: &Target, outputs: usize) {
        let mean = loss(answer.clone(), target, 0.0);
        let mean = f64::from(mean.into_scalar::<f32>());
        let count = match target {
            Target::Values(values) => values.dims()[0],
            Target::Classes(classes) => self.compare(answer, classes.clone(), outputs),
        };
        self.answers += count;
        self.loss += mean * count as f64;
    }

    /// Compares the likeliest classes with the right ones and returns how many count.
    fn compare(&mut self, answer: Tensor<2>, classes: Tensor<1, Int>, outputs: usize) -> usize {
        self.classes.resize(outputs, [0; 3]);
        let said = answer.argmax(1).into_data();
        let right = classes.into_data();
        let mut count = 0;
        for (said, right) in said.iter::<i64>().zip(right.iter::<i64>()) {
            if right == IGNORED {
                continue;
            }
            count += 1;
            self.classes[right as usize][1] += 1;
            self.classes[said as usize][2] += 1;
            if said == right {
                self.right += 1;
                self.classes[right as usize][0] += 1;
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected by hand: two of three counted answers are right.
    #[test]
    fn tallies_leave_out_what_is_ignored() {
        let device = Device::flex();
        let answer = Tensor::from_data([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 9.0]], &device);
        let classes = Tensor::from_ints([0, 1, 1, IGNORED as i32], &device);
        let mut tally = Tally::default();
        tally.add(answer, &Target::Classes(classes), 2);
        assert_eq!((tally.answers, tally.right), (3, 2));
        assert_eq!(tally.classes, [[1, 1, 2], [1, 2, 1]]);
        let expected = [
            (-2.0_f64).exp().ln_1p(),
            (-1.0_f64).exp().ln_1p(),
            3.0_f64.exp().ln_1p(),
        ];
        assert!((tally.loss - expected.iter().sum::<f64>()).abs() < 1e-5);
    }
}
