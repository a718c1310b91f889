//! What can be wrong with a gate, its experts or their inputs.

/// A value out of its range, or inputs that do not fit together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExpertsError {
    /// A mixture needs something to choose from.
    #[error("experts = {0}, but a gate needs at least 2")]
    TooFewExperts(usize),
    /// At most `k` of `n` experts are selected.
    #[error("k = {k}, but it must be between 1 and the number of experts, {experts}")]
    Selected { k: usize, experts: usize },
    /// A setting that must be a positive, finite number.
    #[error("{name} = {value}, but it must be a positive finite number")]
    NotPositive { name: &'static str, value: f64 },
    /// A setting that must be a finite number of at least zero.
    #[error("{name} = {value}, but it must be a finite number of at least 0")]
    Negative { name: &'static str, value: f64 },
    /// A size that must be at least one.
    #[error("{0} = 0, but it must be at least 1")]
    Zero(&'static str),
    /// An input element that is infinite or not a number.
    #[error("x[{row}, {column}] = {value}, but inputs of a gate must be finite")]
    NotFinite {
        row: usize,
        column: usize,
        value: f32,
    },
    /// A tensor whose lengths are not those expected.
    #[error("{name} has shape {actual:?}, but {expected} is expected")]
    Shape {
        name: &'static str,
        actual: Vec<usize>,
        expected: String,
    },
    /// An input that a gate cannot do without.
    #[error("the {gate} gate needs {input}, which was not given")]
    Missing {
        gate: &'static str,
        input: &'static str,
    },
    /// A permutation's rows must be distributions.
    #[error("row {row} of permutation {matrix} sums to {sum}, but rows must sum to 1 within 0.001")]
    PermutationRow { matrix: usize, row: usize, sum: f32 },
    /// A hash gate knows the ids of its table only.
    #[error("id {id} is outside the table of {ids} ids")]
    UnknownId { id: usize, ids: usize },
    /// A table entry that is no expert.
    #[error(
        "id {id} is assigned to expert {expert}, but there are {experts} experts, counted from 0"
    )]
    UnknownExpert {
        id: usize,
        expert: usize,
        experts: usize,
    },
    /// All experts give vectors of one width.
    #[error("expert {expert} gives vectors of width {actual}, but expert 0 gives width {expected}")]
    UnequalWidth {
        expert: usize,
        actual: usize,
        expected: usize,
    },
    /// Nothing of an image is left after a convolution and its pool.
    #[error(
        "convolution {layer} gets images of {height}x{width}, too small for its {kernel}x{kernel} kernel and a 2x2 pool"
    )]
    ImageTooSmall {
        layer: usize,
        height: usize,
        width: usize,
        kernel: usize,
    },
    /// Costs of an assignment must be numbers that can be added up.
    #[error("cost[{row}, {column}] = {value}, but costs must be numbers between -1e150 and 1e150")]
    Cost {
        row: usize,
        column: usize,
        value: f64,
    },
    /// Neurons are ranked by numbers.
    #[error("the importance of neuron {neuron} is not a number")]
    Importance { neuron: usize },
    /// A ranking is a permutation of the neurons.
    #[error("the ranking names neuron {neuron}, but it must name each of 0..{neurons} once")]
    Ranking { neuron: usize, neurons: usize },
    /// A number of neurons or experts that the layer does not allow.
    #[error("{name} = {value}, but it must be {low} to {high}")]
    Neurons {
        name: &'static str,
        value: usize,
        low: usize,
        high: usize,
    },
    /// Parts that count different numbers of the same thing.
    #[error("{left} has {left_count} {what}, but {right} has {right_count}")]
    Counts {
        what: &'static str,
        left: &'static str,
        left_count: usize,
        right: &'static str,
        right_count: usize,
    },
}

/// Shorthand for results of this crate.
pub type Result<T, E = ExpertsError> = std::result::Result<T, E>;

/// Checks that `n` experts are enough to choose from.
pub(crate) fn check_experts(experts: usize) -> Result<()> {
    match experts {
        0 | 1 => Err(ExpertsError::TooFewExperts(experts)),
        _ => Ok(()),
    }
}

/// Checks `1 <= k <= n`.
pub(crate) fn check_selected(k: usize, experts: usize) -> Result<()> {
    check_experts(experts)?;
    if (1..=experts).contains(&k) {
        Ok(())
    } else {
        Err(ExpertsError::Selected { k, experts })
    }
}

/// Checks that a setting is a positive finite number.
pub(crate) fn check_positive(name: &'static str, value: f64) -> Result<()> {
    // Parameters are 32-bit floats: what underflows there would be a zero in the kernel.
    if value > 0.0 && (value as f32) > 0.0 && (value as f32).is_finite() {
        Ok(())
    } else {
        Err(ExpertsError::NotPositive { name, value })
    }
}

/// Checks that a setting is a finite number of at least zero.
pub(crate) fn check_not_negative(name: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(ExpertsError::Negative { name, value })
    }
}

/// Checks that sizes are at least one.
pub(crate) fn check_sizes<const N: usize>(sizes: [(&'static str, usize); N]) -> Result<()> {
    match sizes.into_iter().find(|(_, size)| *size == 0) {
        Some((name, _)) => Err(ExpertsError::Zero(name)),
        None => Ok(()),
    }
}

/// Checks the shape of a tensor.
pub(crate) fn check_shape<const D: usize>(
    name: &'static str,
    actual: [usize; D],
    expected: [usize; D],
) -> Result<()> {
    if actual == expected {
        Ok(())
    } else {
        Err(ExpertsError::Shape {
            name,
            actual: actual.to_vec(),
            expected: format!("{expected:?}"),
        })
    }
}
