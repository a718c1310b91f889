//! What operators give: systems, transforms, derivatives.

use super::{coefficients, output};
use crate::explain::explain;
use offprint_lab::{
    Error, Result,
    golden::{Array, Case, Outputs},
};
use offprint_operators::{
    solvers::{
        AdvectionDiffusion, Caputo, DiffusionReactionConfig, DynamicSystem, advection as transport,
        legendre_transform,
    },
    spaces::Chebyshev,
};

/// A value of the config, or the usual one.
fn optional(case: &Case, name: &str, usual: f64) -> Result<f64> {
    match case.config.get(name) {
        Some(_) => case.config(name),
        None => Ok(usual),
    }
}

pub(super) fn dynamic_system(case: &Case) -> Result<Outputs> {
    let end: f64 = case.config("T")?;
    let system = match case.config::<String>("system")?.as_str() {
        "antiderivative" => DynamicSystem::Antiderivative,
        "nonlinear" => DynamicSystem::Nonlinear,
        "pendulum" => DynamicSystem::Pendulum {
            k: optional(case, "k", 1.0)?,
        },
        other => {
            let known = ["antiderivative", "nonlinear", "pendulum"];
            return Err(Error::unknown("system", other, known, ""));
        }
    };
    let (functions, times) = (coefficients(case)?, &case.array("in.times")?.values);
    let mut values = Vec::new();
    for c in functions.iter() {
        let u = |t: f64| Chebyshev::sum(c, 2.0 * t / end - 1.0);
        values.extend(system.solve(u, times).map_err(explain)?);
    }
    let mut outputs = Outputs::default();
    let shape = [functions.len(), times.len(), system.states()];
    outputs.put("out.s", Array::new(shape, values));
    Ok(outputs)
}

/// What the operators' room says.
type Solved = offprint_operators::Result<Vec<f64>>;

/// Values of each function at the points (x, t) of a case.
fn at_points(case: &Case, solve: impl Fn(&[f64], &[(f64, f64)]) -> Solved) -> Result<Outputs> {
    let (x, t) = (&case.array("in.x")?.values, &case.array("in.t")?.values);
    let points: Vec<_> = x.iter().copied().zip(t.iter().copied()).collect();
    let functions = coefficients(case)?;
    let mut values = Vec::new();
    for c in functions.iter() {
        values.extend(solve(c, &points).map_err(explain)?);
    }
    Ok(output("out.s", functions.len(), values))
}

pub(super) fn diffusion_reaction(case: &Case) -> Result<Outputs> {
    let config = DiffusionReactionConfig {
        diffusion: case.config("D")?,
        reaction: case.config("k")?,
        end: case.config("T")?,
        ..DiffusionReactionConfig::default()
    };
    let solver = config.init().map_err(explain)?;
    at_points(case, |c, points| {
        let field = solver.solve(|x| Chebyshev::sum(c, 2.0 * x - 1.0))?;
        points.iter().map(|&(x, t)| field.at(x, t)).collect()
    })
}

/// `V(sin² πx)` with V a Chebyshev sum on `[0, 1]`.
fn periodic(c: &[f64], x: f64) -> f64 {
    let sine = (std::f64::consts::PI * x).sin();
    Chebyshev::sum(c, 2.0 * sine * sine - 1.0)
}

pub(super) fn advection(case: &Case) -> Result<Outputs> {
    at_points(case, |c, points| {
        let at = |&(x, t): &(f64, f64)| transport(|x| periodic(c, x), x, t);
        points.iter().map(at).collect()
    })
}

pub(super) fn advection_diffusion(case: &Case) -> Result<Outputs> {
    let diffusion = case.config("D")?;
    at_points(case, |c, points| {
        let solution = AdvectionDiffusion::new(|x| periodic(c, x), diffusion, 64)?;
        points.iter().map(|&(x, t)| solution.at(x, t)).collect()
    })
}

pub(super) fn legendre(case: &Case) -> Result<Outputs> {
    let (functions, terms) = (coefficients(case)?, case.config("terms")?);
    let mut values = Vec::new();
    for c in functions.iter() {
        values.extend(legendre_transform(|x| Chebyshev::sum(c, x), terms).map_err(explain)?);
    }
    Ok(output("out.j", functions.len(), values))
}

pub(super) fn caputo(case: &Case) -> Result<Outputs> {
    let functions = coefficients(case)?;
    let derivative = Caputo::new(case.config("alpha")?, -1.0, 64).map_err(explain)?;
    let points = &case.array("in.points")?.values;
    let mut values = Vec::new();
    for c in functions.iter() {
        for &y in points {
            values.push(
                derivative
                    .at(|x| legendre_slope(c, x), y)
                    .map_err(explain)?,
            );
        }
    }
    Ok(output("out.s", functions.len(), values))
}

/// `Σ_k c_k P_k'(x)`, by `P'_{k+1} = P'_{k−1} + (2 k + 1) P_k`.
fn legendre_slope(c: &[f64], x: f64) -> f64 {
    let (mut before, mut now) = (0.0, 1.0);
    let (mut slope_before, mut slope) = (0.0, 0.0);
    let mut sum = 0.0;
    for (k, c) in c.iter().enumerate() {
        sum += c * slope;
        let n = k as f64;
        (slope_before, slope) = (slope, slope_before + (2.0 * n + 1.0) * now);
        (before, now) = (now, ((2.0 * n + 1.0) * x * now - n * before) / (n + 1.0));
    }
    sum
}
