//! Initial values, schedule and regularizers.

use super::network::{gradient, rows};
use crate::explain::explain;
use offprint_certify::{
    bounds::Interval,
    training::{EpsilonSchedule, ibp_deviation, relu_balance, tightness},
};
use offprint_lab::{
    Result,
    golden::{Array, Case, Outputs},
};

pub(super) fn init(case: &Case) -> Result<Outputs> {
    let fan_in = case.array("in.fan_in")?;
    let deviations = fan_in.values.iter().map(|&n| ibp_deviation(n as usize));
    let mut outputs = Outputs::default();
    let array = Array::new(fan_in.shape.clone(), deviations.collect());
    outputs.put("out.std", array);
    Ok(outputs)
}

pub(super) fn schedule(case: &Case) -> Result<Outputs> {
    let schedule = EpsilonSchedule {
        start_step: case.config::<f64>("start_step")? as u64,
        end_step: case.config::<f64>("end_step")? as u64,
        max_eps: case.config("max_eps")?,
        beta: case.config("beta")?,
        mid: case.config("mid")?,
    };
    schedule.validate().map_err(explain)?;
    let steps = case.array("in.step")?;
    let radii = steps.values.iter().map(|&step| schedule.at(step as u64));
    let mut outputs = Outputs::default();
    outputs.put("out.eps", Array::new(steps.shape.clone(), radii.collect()));
    Ok(outputs)
}

pub(super) fn regularizers(case: &Case) -> Result<Outputs> {
    let tolerance = case.config("tol")?;
    let input = Interval::new(rows(case, "in.input_lower")?, rows(case, "in.input_upper")?);
    let input = input.map_err(explain)?;
    let mut ends = Vec::new();
    while case.has(&format!("in.lower.{}", ends.len())) {
        let number = ends.len();
        ends.push([
            rows(case, &format!("in.lower.{number}"))?.require_grad(),
            rows(case, &format!("in.upper.{number}"))?.require_grad(),
        ]);
    }
    let layers: Vec<Interval> = ends
        .iter()
        .map(|[lower, upper]| Interval::new(lower.clone(), upper.clone()))
        .collect::<std::result::Result<_, _>>()
        .map_err(explain)?;
    let tight = tightness(&input, &layers, tolerance);
    let balance = relu_balance(&layers, tolerance);
    let loss = tight.clone() + balance.clone();
    let mut outputs = Outputs::default();
    outputs.put("out.tightness", tight);
    outputs.put("out.relu", balance);
    outputs.put("out.loss", loss.clone());
    let gradients = loss.backward();
    for (number, [lower, upper]) in ends.iter().enumerate() {
        for (side, tensor) in [("lower", lower), ("upper", upper)] {
            let array = Array {
                shape: case.array(&format!("in.{side}.{number}"))?.shape.clone(),
                ..gradient(tensor, &gradients).into()
            };
            outputs.put(&format!("grad.{side}.{number}"), array);
        }
    }
    Ok(outputs)
}
