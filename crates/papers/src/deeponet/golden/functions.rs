//! Spaces of functions.

use super::{coefficients, output};
use crate::explain::explain;
use offprint_lab::{
    Error, Result,
    golden::{Array, Case, Outputs},
};
use offprint_operators::spaces::{
    Chebyshev, Covariance, Domain, FunctionSpace, GaussianRandomField, GaussianRandomFieldConfig,
    Interpolation, Method, PowerSeries,
};

fn domain(case: &Case) -> Result<Domain> {
    Domain::new(case.config("T")?).map_err(explain)
}

pub(super) fn random_field(case: &Case) -> Result<Outputs> {
    let covariance: Covariance = case.config("kernel")?;
    let config = GaussianRandomFieldConfig {
        covariance,
        domain: domain(case)?,
        points: case.config("N")?,
        jitter: case.config("jitter")?,
        ..GaussianRandomFieldConfig::new(case.config("length_scale")?)
    };
    let field: GaussianRandomField = config.init().map_err(explain)?;
    let normal = case.array("in.normal")?;
    if normal.shape.last() != Some(&config.points) {
        let shape = &normal.shape;
        return Err(Error::input(format!(
            "in.normal has shape {shape:?}, but N is {}",
            config.points
        )));
    }
    let samples = field.from_normal(&normal.values).map_err(explain)?;
    let points = &case.array("in.points")?.values;
    let between = |method| -> Result<Vec<f64>> {
        let mut values = Vec::new();
        for sample in samples.iter() {
            let u = Interpolation::new(field.grid(), sample, method).map_err(explain)?;
            for &x in points {
                values.push(u.at(x).map_err(explain)?);
            }
        }
        Ok(values)
    };
    let (count, n) = (samples.len(), config.points);
    let mut outputs = output("out.linear", count, between(Method::Linear)?);
    let cubic = Array::new([count, points.len()], between(Method::Cubic)?);
    outputs.put("out.cubic", cubic);
    outputs.put(
        "out.sample",
        Array::new([count, n], samples.values().to_vec()),
    );
    outputs.put("out.covariance", Array::new([n, n], field.covariance()));
    Ok(outputs)
}

pub(super) fn chebyshev(case: &Case) -> Result<Outputs> {
    let functions = coefficients(case)?;
    let terms = functions.get(0).len();
    let space = Chebyshev::new(terms, 1.0, domain(case)?).map_err(explain)?;
    let points = &case.array("in.points")?.values;
    let values = space.evaluate(&functions, points).map_err(explain)?;
    Ok(output("out.u", functions.len(), values))
}

pub(super) fn power_series(case: &Case) -> Result<Outputs> {
    let functions = coefficients(case)?;
    let points = &case.array("in.points")?.values;
    let values = functions
        .iter()
        .flat_map(|u| points.iter().map(|&x| PowerSeries::sum(u, x)))
        .collect();
    Ok(output("out.u", functions.len(), values))
}
