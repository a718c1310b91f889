//! Bounds of networks, and attacks.

use super::network::{dtype, gradients, labels, network, optional, rows};
use crate::explain::explain;
use burn::tensor::{Int, Tensor};
use offprint_certify::{
    attack::{Pgd, pgd},
    bounds::{Bounds, Interval, Rounding, crown_ibp, interval_forward, margins, robust_loss},
    graph::Network,
};
use offprint_kernels::{CrossEntropy, cross_entropy};
use offprint_lab::{
    Result,
    golden::{Case, Outputs},
};

/// The boxes of all values of a case's network.
fn bounds(case: &Case, network: &Network) -> Result<Bounds> {
    let clip = optional(case, "clip")?;
    let input =
        Interval::around(rows(case, "in.x")?, case.config("eps")?, clip).map_err(explain)?;
    interval_forward(network, &input, None, Rounding::Nearest).map_err(explain)
}

pub(super) fn interval(case: &Case) -> Result<Outputs> {
    let (network, labels) = (network(case)?, labels(case)?);
    let bounds = bounds(case, &network)?;
    let lower = margins(&network, &bounds, &labels).map_err(explain)?;
    let loss = robust_loss(&network, lower.clone(), &labels).map_err(explain)?;
    let mut outputs = Outputs::default();
    outputs.put("out.lower", bounds.output().lower());
    outputs.put("out.upper", bounds.output().upper());
    outputs.put("out.margin_lower", lower);
    outputs.put("out.loss", loss.clone());
    gradients(&mut outputs, &network, &loss);
    Ok(outputs)
}

pub(super) fn crown(case: &Case) -> Result<Outputs> {
    let (network, labels) = (network(case)?, labels(case)?);
    let bounds = bounds(case, &network)?;
    let lower = crown_ibp(&network, &bounds, &labels, None).map_err(explain)?;
    let loss = robust_loss(&network, lower.clone(), &labels).map_err(explain)?;
    let mut outputs = Outputs::default();
    outputs.put("out.margin_lower", lower);
    outputs.put(
        "out.margin_lower_interval",
        margins(&network, &bounds, &labels).map_err(explain)?,
    );
    outputs.put("out.loss", loss.clone());
    gradients(&mut outputs, &network, &loss);
    Ok(outputs)
}

pub(super) fn graph(case: &Case) -> Result<Outputs> {
    let network = network(case)?;
    let bounds = bounds(case, &network)?;
    let (lower, upper) = (bounds.output().lower(), bounds.output().upper());
    let y = network.forward(rows(case, "in.x")?).map_err(explain)?;
    let cotangent = rows(case, "in.cotangent")?;
    let width = (upper.clone() - lower.clone()) * cotangent.clone().abs();
    let loss = width.sum() + (y.clone() * cotangent).sum();
    let mut outputs = Outputs::default();
    outputs.put("out.y", y);
    outputs.put("out.lower", lower);
    outputs.put("out.upper", upper);
    outputs.put("out.loss", loss.clone());
    gradients(&mut outputs, &network, &loss);
    Ok(outputs)
}

pub(super) fn attack(case: &Case) -> Result<Outputs> {
    let (network, labels) = (network(case)?, labels(case)?);
    let settings = Pgd {
        eps: case.config("eps")?,
        steps: case.config("steps")?,
        step_size: case.config("step_size")?,
        clip: optional(case, "clip")?,
    };
    let (x, start) = (rows(case, "in.x")?, rows(case, "in.start")?);
    let found = pgd(&network, x, &labels, start, &settings).map_err(explain)?;
    let logits = network.forward(found.clone()).map_err(explain)?;
    let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    let targets = Tensor::<1, Int>::from_data(targets.as_slice(), &logits.device());
    let loss = cross_entropy(logits.clone(), targets, CrossEntropy::default());
    debug_assert_eq!(logits.dtype(), dtype(case)?);
    let mut outputs = Outputs::default();
    let shape = case.array("in.x")?.shape.clone();
    let found = offprint_lab::golden::Array {
        shape,
        ..found.into()
    };
    outputs.put("out.x", found);
    outputs.put("out.logits", logits);
    outputs.put("out.loss", loss);
    Ok(outputs)
}
