//! The theory's rates, computed: how far a function is from the straight lines between its values at m sensors, and how
//! much the answer of a system changes with it.

use crate::explain::explain;
use offprint_lab::Result;
use offprint_operators::{
    solvers::DynamicSystem,
    spaces::{
        Chebyshev, Domain, FunctionSpace, Functions, GaussianRandomFieldConfig, Interpolation,
        Method,
    },
};

/// Functions that a mean is over.
const FUNCTIONS: usize = 40;

/// Points at which the largest error of a function is looked for.
const POINTS: usize = 2001;

/// Numbers of sensors, all in the range where the rate holds.
const SENSORS: [usize; 4] = [33, 49, 73, 109];

/// The exponents of the report.
pub fn exponents(seed: u64) -> Result<Vec<(&'static str, f64)>> {
    let field = |length: f64| {
        GaussianRandomFieldConfig::new(length)
            .init()
            .map_err(explain)
    };
    let lengths = [0.8, 0.4, 0.2, 0.1];
    let fields = lengths.iter().map(|&length| field(length));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    // Terms and bound of the authors' `FiniteChebyshev(N=20, M=1)`; its steepest ends want more sensors.
    let series = Chebyshev::new(20, 1.0, Domain::unit()).map_err(explain)?;
    let by_sensors = |space: &dyn FunctionSpace, factor: usize| -> Result<f64> {
        let functions = space.draw(FUNCTIONS, seed);
        let mut points = Vec::new();
        for sensors in SENSORS.map(|sensors| sensors * factor) {
            points.push((
                (sensors as f64).ln(),
                distance(space, &functions, sensors)?.ln(),
            ));
        }
        Ok(slope(&points))
    };
    let mut by_length = Vec::new();
    for (length, field) in lengths.iter().zip(&fields) {
        let functions = field.draw(FUNCTIONS, seed);
        by_length.push((length.ln(), distance(field, &functions, SENSORS[3])?.ln()));
    }
    Ok(vec![
        ("theory_sensors", by_sensors(&fields[2], 1)?),
        ("theory_length", slope(&by_length)),
        ("theory_chebyshev", by_sensors(&series, 8)?),
        ("theory_output", output(&fields[2], seed)?),
    ])
}

/// The mean over functions of the largest distance to the straight lines between their values at equidistant sensors.
fn distance(space: &dyn FunctionSpace, functions: &Functions, sensors: usize) -> Result<f64> {
    let (grid, points) = (space.domain().grid(sensors), space.domain().grid(POINTS));
    let known = space.evaluate(functions, &grid).map_err(explain)?;
    let mut sum = 0.0;
    for (function, known) in functions.iter().zip(known.chunks_exact(sensors)) {
        let (u, lines) = (space.function(function), lines(&grid, known)?);
        let off = points.iter().map(|&x| (u(x) - lines.value(x)).abs());
        sum += off.fold(0.0, f64::max);
    }
    Ok(sum / functions.len() as f64)
}

fn lines(grid: &[f64], values: &[f64]) -> Result<Interpolation> {
    Interpolation::new(grid, values, Method::Linear).map_err(explain)
}

/// The exponent in m of how far the nonlinear system's answer moves when its input is replaced by those straight lines.
fn output(space: &dyn FunctionSpace, seed: u64) -> Result<f64> {
    let times = space.domain().grid(11);
    let functions = space.draw(FUNCTIONS, seed);
    let mut points = Vec::new();
    for sensors in SENSORS {
        let grid = space.domain().grid(sensors);
        let known = space.evaluate(&functions, &grid).map_err(explain)?;
        let (mut sum, mut count) = (0.0, 0);
        for (function, known) in functions.iter().zip(known.chunks_exact(sensors)) {
            let (u, lines) = (space.function(function), lines(&grid, known)?);
            let solve = |u: &dyn Fn(f64) -> f64| DynamicSystem::Nonlinear.solve(u, &times);
            // A solution that grows without bound is no evidence.
            if let (Ok(a), Ok(b)) = (solve(&u), solve(&|t| lines.value(t))) {
                let off = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
                sum += off.fold(0.0, f64::max);
                count += 1;
            }
        }
        points.push(((sensors as f64).ln(), (sum / f64::from(count)).ln()));
    }
    Ok(slope(&points))
}

/// The slope of the best straight line through points.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(px, py)| (px - x) * (py - y)).sum();
    let variance: f64 = points.iter().map(|(px, _)| (px - x).powi(2)).sum();
    covariance / variance
}
