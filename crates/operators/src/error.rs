//! What can be wrong with an operator, a function or a solver.

/// A value out of its range, or inputs that do not fit together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OperatorsError {
    /// A size that must be at least one.
    #[error("{0} = 0, but it must be at least 1")]
    Zero(&'static str),
    /// A setting outside its range.
    #[error("{name} = {value}, but it must be {allowed}")]
    Range {
        name: &'static str,
        value: String,
        allowed: String,
    },
    /// Functions at another number of sensors than the network reads.
    #[error("u has {actual} values a function, but the network reads {expected} sensors")]
    Sensors { actual: usize, expected: usize },
    /// Query points of another dimension than the network reads.
    #[error("y has {actual} coordinates a point, but the network reads {expected}")]
    Query { actual: usize, expected: usize },
    /// As many functions as points where each function meets its own point.
    #[error(
        "{functions} functions meet {points} points, but they must be as many: \
         forward_cartesian evaluates every function at every point"
    )]
    Pairs { functions: usize, points: usize },
    /// A number that is infinite or not a number.
    #[error("{name}[{index}] = {value}, but it must be finite")]
    NotFinite {
        name: &'static str,
        index: usize,
        value: f64,
    },
    /// Points that must ascend.
    #[error(
        "{name}[{index}] = {value} follows {before}, but they must ascend without a repetition"
    )]
    Order {
        name: &'static str,
        index: usize,
        value: f64,
        before: f64,
    },
    /// A point outside the domain.
    #[error("{name}[{index}] = {value}, but the domain is {low} to {high}")]
    Outside {
        name: &'static str,
        index: usize,
        value: f64,
        low: f64,
        high: f64,
    },
    /// A list of the wrong length.
    #[error("{name} has {actual} numbers, but {expected} are expected")]
    Length {
        name: &'static str,
        actual: usize,
        expected: usize,
    },
    /// A covariance without a Cholesky factor.
    #[error(
        "the covariance of {points} points with length scale {length_scale} and jitter {jitter} is not positive definite \
         (row {row}): a larger jitter is needed, 1e-10 say"
    )]
    NotPositiveDefinite {
        points: usize,
        length_scale: f64,
        jitter: f64,
        row: usize,
    },
    /// A solution that leaves all bounds before the end.
    #[error("the solution of {system} grows without bound near t = {time}")]
    BlowUp { system: &'static str, time: f64 },
}

/// Shorthand for results of this crate.
pub type Result<T, E = OperatorsError> = std::result::Result<T, E>;

/// Checks that sizes are at least one.
pub(crate) fn check_sizes<const N: usize>(sizes: [(&'static str, usize); N]) -> Result<()> {
    match sizes.into_iter().find(|(_, size)| *size == 0) {
        Some((name, _)) => Err(OperatorsError::Zero(name)),
        None => Ok(()),
    }
}

/// Checks a condition on a setting.
pub(crate) fn check(
    holds: bool,
    name: &'static str,
    value: impl ToString,
    allowed: impl Into<String>,
) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(OperatorsError::Range {
            name,
            value: value.to_string(),
            allowed: allowed.into(),
        }),
    }
}

/// Checks that a setting is a positive finite number.
pub(crate) fn check_positive(name: &'static str, value: f64) -> Result<()> {
    let holds = value > 0.0 && value.is_finite();
    check(holds, name, value, "a positive finite number")
}

/// Checks that a setting is a finite number of at least zero.
pub(crate) fn check_not_negative(name: &'static str, value: f64) -> Result<()> {
    let holds = value >= 0.0 && value.is_finite();
    check(holds, name, value, "a finite number of at least 0")
}

/// Checks that every number is finite.
pub(crate) fn check_finite(name: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(OperatorsError::NotFinite {
            name,
            index,
            value: values[index],
        }),
        None => Ok(()),
    }
}

/// Checks the length of a list.
pub(crate) fn check_length(name: &'static str, actual: usize, expected: usize) -> Result<()> {
    match actual == expected {
        true => Ok(()),
        false => Err(OperatorsError::Length {
            name,
            actual,
            expected,
        }),
    }
}

/// Checks that points are finite and ascend: sensors, or the knots of an interpolation.
///
/// # Errors
/// Names the first point that does not.
pub fn check_ascending(name: &'static str, points: &[f64]) -> Result<()> {
    check_finite(name, points)?;
    match points.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(index) => Err(OperatorsError::Order {
            name,
            index: index + 1,
            value: points[index + 1],
            before: points[index],
        }),
        None => Ok(()),
    }
}

/// Checks that points lie in an interval.
pub(crate) fn check_inside(name: &'static str, points: &[f64], low: f64, high: f64) -> Result<()> {
    check_finite(name, points)?;
    match points.iter().position(|&x| x < low || x > high) {
        Some(index) => Err(OperatorsError::Outside {
            name,
            index,
            value: points[index],
            low,
            high,
        }),
        None => Ok(()),
    }
}
