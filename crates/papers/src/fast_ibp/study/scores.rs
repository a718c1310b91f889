//! What a trained network is worth: clean, attacked and verified error.

use super::{sets::Part, settings::FastIbpSettings};
use crate::explain::explain;
use burn::{
    module::Module,
    tensor::{Device, Distribution, Tensor},
};
pub use offprint_certify::attack::Pgd;
use offprint_certify::{
    attack::pgd,
    bounds::{Bounds, Interval, Rounding, crown_ibp, interval_forward, margins},
    graph::Network,
};
use offprint_lab::Result;

/// Pictures whose bounds are computed at a time.
const CHUNK: usize = 250;

/// How a margin is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Intervals,
    /// The larger of CROWN-IBP's margins and the intervals'.
    Crown,
}

/// The range of a pixel.
const CLIP: Option<[f64; 2]> = Some([0.0, 1.0]);

/// Whether each picture keeps its label in the whole box, proved with outward rounding.
pub fn certified(
    network: &Network,
    part: &Part,
    eps: f64,
    by: By,
    device: &Device,
) -> Result<Vec<bool>> {
    let all: Vec<usize> = (0..part.len()).collect();
    let mut certified = Vec::with_capacity(all.len());
    for rows in all.chunks(CHUNK) {
        let (x, labels) = part.select(rows, device);
        let input = Interval::around(x, eps, CLIP).map_err(explain)?;
        let bounds: Bounds =
            interval_forward(network, &input, None, Rounding::Outward).map_err(explain)?;
        let mut lower = margins(network, &bounds, &labels).map_err(explain)?;
        if by == By::Crown {
            let linear = crown_ibp(network, &bounds, &labels, None).map_err(explain)?;
            lower = lower.max_pair(linear);
        }
        let [_, classes] = lower.dims();
        let lower: Vec<f32> = lower.into_data().iter().collect();
        let rows = lower.chunks(classes).zip(&labels);
        certified.extend(rows.map(|(margins, &label)| {
            let mut others = margins.iter().enumerate().filter(|(j, _)| *j != label);
            // Not a number is no certificate.
            others.all(|(_, &margin)| margin > 0.0)
        }));
    }
    Ok(certified)
}

/// The share of the pictures that are not proved right.
pub fn verified_error(
    network: &Network,
    part: &Part,
    eps: f64,
    by: By,
    device: &Device,
) -> Result<f64> {
    let certified = certified(network, part, eps, by, device)?;
    Ok(error(&certified))
}

/// The share that is false.
pub fn error(right: &[bool]) -> f64 {
    right.iter().filter(|right| !**right).count() as f64 / right.len() as f64
}

/// Whether each picture gets its label.
pub fn right(network: &Network, part: &Part, device: &Device) -> Result<Vec<bool>> {
    let all: Vec<usize> = (0..part.len()).collect();
    let mut right = Vec::with_capacity(all.len());
    for rows in all.chunks(CHUNK) {
        let (x, labels) = part.select(rows, device);
        let logits = network.forward(x).map_err(explain)?;
        right.extend(named_rightly(logits, &labels));
    }
    Ok(right)
}

/// Whether the label's logit is the largest; not a number is wrong.
fn named_rightly(logits: Tensor<2>, labels: &[usize]) -> Vec<bool> {
    let [_, classes] = logits.dims();
    let logits: Vec<f32> = logits.into_data().iter().collect();
    let rows = logits.chunks(classes).zip(labels);
    rows.map(|(logits, &label)| {
        let mut others = logits.iter().enumerate().filter(|(j, _)| *j != label);
        others.all(|(_, &other)| logits[label] > other)
    })
    .collect()
}

/// The share of the pictures that are wrong, or that an attack makes wrong; those in `safe` are known to withstand any.
pub fn attacked_error(
    network: &Network,
    part: &Part,
    attack: &Pgd,
    safe: &[bool],
    device: &Device,
) -> Result<f64> {
    let right = right(&network.valid(), part, &device.clone().inner())?;
    let open: Vec<usize> = (0..part.len())
        .filter(|&row| right[row] && !safe[row])
        .collect();
    let mut wrong = right.iter().filter(|right| !**right).count();
    for rows in open.chunks(CHUNK) {
        let (x, labels) = part.select(rows, device);
        let range = Distribution::Uniform(-attack.eps, attack.eps);
        let start = Tensor::random(x.dims(), range, device);
        let found = pgd(network, x, &labels, start, attack).map_err(explain)?;
        let logits = network.valid().forward(found.inner()).map_err(explain)?;
        let right = named_rightly(logits, &labels);
        wrong += right.iter().filter(|right| !**right).count();
    }
    Ok(wrong as f64 / part.len() as f64)
}

/// The attack that tests: from a random start, with steps that reach the whole ball.
pub fn attack(settings: &FastIbpSettings) -> Pgd {
    Pgd {
        eps: settings.eps,
        steps: settings.test_steps,
        step_size: 2.5 * settings.eps / settings.test_steps as f64,
        clip: CLIP,
    }
}

/// The attack that the released code tests with, whatever the radius.
pub fn released_attack(settings: &FastIbpSettings) -> Pgd {
    Pgd {
        eps: settings.eps,
        steps: 10,
        step_size: 2.0 / 255.0,
        clip: CLIP,
    }
}
