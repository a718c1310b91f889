//! What can be wrong with a network, a box of inputs, or a file.

/// A value out of its range, parts that do not fit together, or a file that is not a network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CertifyError {
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
    /// A clip range that is empty.
    #[error("clip = {low} to {high}, but the first must be the smaller, both finite")]
    Clip { low: f64, high: f64 },
    /// Inputs of another shape than the network reads.
    #[error("the input has shape {actual:?} a sample, but the network reads {expected:?}")]
    Input {
        actual: Vec<usize>,
        expected: Vec<usize>,
    },
    /// A number of the input that is infinite or not a number.
    #[error("element {index} of the input is {value}, but it must be finite")]
    NotFinite { index: usize, value: f64 },
    /// Two bounds of which the lower is the greater.
    #[error("element {index} has lower bound {lower} above its upper bound {upper}")]
    Crossed {
        index: usize,
        lower: f64,
        upper: f64,
    },
    /// A label that is no class.
    #[error("label {label} of sample {row}, but the network has {classes} classes: 0 to {last}", last = classes - 1)]
    Label {
        row: usize,
        label: usize,
        classes: usize,
    },
    /// Another number of labels than of samples.
    #[error("{labels} labels for {samples} samples")]
    Labels { labels: usize, samples: usize },
    /// A layer that cannot read what the one before gives.
    #[error("{kind} \"{node}\" reads {expected}, but gets {actual:?}")]
    Layer {
        node: String,
        kind: &'static str,
        actual: Vec<usize>,
        expected: String,
    },
    /// A parameter of the wrong shape.
    #[error("\"{name}\" has shape {actual:?}, but it must be {expected}")]
    Parameter {
        name: String,
        actual: Vec<usize>,
        expected: String,
    },
    /// A parameter that is infinite or not a number.
    #[error("\"{name}\" holds {value} at element {index}, but it must be finite")]
    Value {
        name: String,
        index: usize,
        value: f64,
    },
    /// A variance below zero.
    #[error(
        "batch norm \"{node}\" has variance {value} in channel {channel}, but it must be at least 0"
    )]
    Variance {
        node: String,
        channel: usize,
        value: f64,
    },
    /// A network whose last layer is not linear.
    #[error(
        "the network ends with {kind} \"{node}\", but margins need a linear layer at the end: \
         the differences of its outputs are merged with its weight (after a ReLU, say, a class at 0 \
         could not be told from one below)"
    )]
    Ending { node: String, kind: &'static str },
    /// A network without layers.
    #[error("the network has no layers")]
    Empty,
    /// A file that is not what it says.
    #[error("{0}")]
    File(String),
}

/// Shorthand for results of this crate.
pub type Result<T, E = CertifyError> = std::result::Result<T, E>;

/// Checks a condition on a setting.
pub(crate) fn check(
    holds: bool,
    name: &'static str,
    value: impl ToString,
    allowed: impl Into<String>,
) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(CertifyError::Range {
            name,
            value: value.to_string(),
            allowed: allowed.into(),
        }),
    }
}

/// Checks that a setting is a finite number of at least zero.
pub(crate) fn check_not_negative(name: &'static str, value: f64) -> Result<()> {
    let holds = value >= 0.0 && value.is_finite();
    check(holds, name, value, "a finite number of at least 0")
}

/// Checks a range that inputs are clipped to.
pub(crate) fn check_clip(clip: Option<[f64; 2]>) -> Result<()> {
    match clip {
        Some([low, high]) if !(low < high && low.is_finite() && high.is_finite()) => {
            Err(CertifyError::Clip { low, high })
        }
        _ => Ok(()),
    }
}
