//! What can be wrong with a layer's configuration.

/// A setting out of its range, or settings that do not fit together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LayersError {
    /// A size that must be at least one.
    #[error("{0} = 0, but it must be at least 1")]
    Zero(&'static str),
    /// A setting outside its range.
    #[error("{name} = {value}, but it must be {allowed}")]
    Range {
        name: &'static str,
        value: String,
        allowed: &'static str,
    },
    /// A size that must be a multiple of another.
    #[error("{name} = {value}, but it must be a multiple of {of} = {divisor}")]
    Multiple {
        name: &'static str,
        value: usize,
        of: &'static str,
        divisor: usize,
    },
    /// A neuron that the layer does not have.
    #[error("neuron {neuron} is outside the {neurons} neurons")]
    Neuron { neuron: usize, neurons: usize },
}

/// Shorthand for results of this crate.
pub type Result<T, E = LayersError> = std::result::Result<T, E>;

/// Checks that sizes are at least one.
pub(crate) fn check_sizes<const N: usize>(sizes: [(&'static str, usize); N]) -> Result<()> {
    match sizes.into_iter().find(|(_, size)| *size == 0) {
        Some((name, _)) => Err(LayersError::Zero(name)),
        None => Ok(()),
    }
}

/// Checks `value = multiple · divisor`, both at least one.
pub(crate) fn check_multiple(
    name: &'static str,
    value: usize,
    of: &'static str,
    divisor: usize,
) -> Result<()> {
    check_sizes([(name, value), (of, divisor)])?;
    if value.is_multiple_of(divisor) {
        return Ok(());
    }
    Err(LayersError::Multiple {
        name,
        value,
        of,
        divisor,
    })
}

/// Checks a condition on a setting.
pub(crate) fn check(
    holds: bool,
    name: &'static str,
    value: impl ToString,
    allowed: &'static str,
) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(LayersError::Range {
        name,
        value: value.to_string(),
        allowed,
    })
}

/// Checks a probability of dropout.
pub(crate) fn check_dropout(name: &'static str, value: f32) -> Result<()> {
    check(
        (0.0..1.0).contains(&value),
        name,
        value,
        "at least 0 and below 1",
    )
}

/// Checks a number that must be positive and finite.
pub(crate) fn check_positive(name: &'static str, value: f32) -> Result<()> {
    check(
        value > 0.0 && value.is_finite(),
        name,
        value,
        "a positive finite number",
    )
}
