//! What the paper claims, written before the runs.

use offprint_lab::claim::{Claim, Relation, Term};

/// The claims, in the order of the report. Errors are compared by their decimal logarithms, so that a seed counts by its
/// ratio; a margin of 0.1 is a quarter more or less.
pub(super) const CLAIMS: &[Claim] = &[
    claim(
        "smaller-gap-than-fnn",
        "DeepONet reduces the generalization error against fully connected networks",
        "gap",
        "deeponet",
        "fnn",
    ),
    claim(
        "antiderivative-beats-fnn",
        "the best DeepONet has a smaller test error than the best FNN: antiderivative",
        "test_antiderivative",
        "deeponet",
        "fnn",
    ),
    claim(
        "nonlinear-beats-fnn",
        "the same: nonlinear system",
        "test_nonlinear",
        "deeponet",
        "fnn",
    ),
    claim(
        "pendulum-beats-fnn",
        "the same: gravity pendulum",
        "test_pendulum",
        "deeponet",
        "fnn",
    ),
    claim(
        "diffusion-reaction-beats-fnn",
        "the same: diffusion and reaction",
        "test_diffusion_reaction",
        "deeponet",
        "fnn",
    ),
    claim(
        "beats-resnet",
        "DeepONet has a smaller test error than a residual network",
        "test",
        "deeponet",
        "resnet",
    ),
    claim(
        "beats-seq2seq",
        "DeepONet has a smaller test error than a sequence-to-sequence model",
        "test",
        "deeponet",
        "seq2seq",
    ),
    claim(
        "unstacked-beats-stacked",
        "unstacked DeepONets have a smaller test error than stacked ones",
        "test",
        "deeponet",
        "stacked",
    ),
    Claim {
        relation: Relation::AtMost,
        margin: 0.1,
        ..claim(
            "bias-helps-unstacked",
            "the bias reduces the error of an unstacked DeepONet, or does no harm",
            "test",
            "deeponet",
            "deeponet-no-bias",
        )
    },
    Claim {
        relation: Relation::AtMost,
        margin: 0.1,
        ..claim(
            "bias-helps-stacked",
            "the bias reduces the error of a stacked DeepONet, or does no harm",
            "test",
            "stacked",
            "stacked-no-bias",
        )
    },
    number(
        "sensors-help-at-first",
        "the error falls with the number of sensors, by half a decade or more",
        "sensor_drop",
        "sensors",
        Relation::Above,
        0.5,
        0.0,
    ),
    number(
        "sensors-by-length-scale",
        "the number of sensors that is enough grows like 1 / length scale",
        "sensor_slope",
        "sensors",
        Relation::Equals,
        1.0,
        0.5,
    ),
    number(
        "sensors-then-flat",
        "beyond that number more sensors change little",
        "sensor_tail",
        "sensors",
        Relation::Equals,
        0.0,
        0.5,
    ),
    number(
        "theory-sensors",
        "interpolating a random field at m sensors errs like 1 / m^2",
        "theory_sensors",
        "sensors",
        Relation::Equals,
        -2.0,
        0.2,
    ),
    number(
        "theory-length",
        "and like 1 / length scale^2",
        "theory_length",
        "sensors",
        Relation::Equals,
        -2.0,
        0.2,
    ),
    number(
        "theory-chebyshev",
        "interpolating Chebyshev series errs like 1 / m^2",
        "theory_chebyshev",
        "sensors",
        Relation::Equals,
        -2.0,
        0.2,
    ),
    number(
        "theory-output",
        "the answer errs no slower than the interpolated input does",
        "theory_output",
        "sensors",
        Relation::AtMost,
        -2.0,
        0.2,
    ),
    number(
        "order-half-or-more",
        "the error falls at least like N^-1/2 in the number of training pairs",
        "order_large",
        "samples",
        Relation::AtMost,
        -0.5,
        0.0,
    ),
    number(
        "exponential-at-first",
        "for small training sets it falls exponentially rather than by a power",
        "exponential",
        "samples",
        Relation::Above,
        0.0,
        0.0,
    ),
];

/// `metric(left) < metric(right)`.
const fn claim(
    id: &'static str,
    says: &'static str,
    metric: &'static str,
    left: &'static str,
    right: &'static str,
) -> Claim {
    Claim {
        id,
        says,
        metric,
        left: Term::Arm(left),
        relation: Relation::Below,
        right: Term::Arm(right),
        margin: 0.0,
    }
}

/// `metric(arm) relation value ± margin`.
const fn number(
    id: &'static str,
    says: &'static str,
    metric: &'static str,
    arm: &'static str,
    relation: Relation,
    value: f64,
    margin: f64,
) -> Claim {
    Claim {
        relation,
        right: Term::Number(value),
        margin,
        ..claim(id, says, metric, arm, "")
    }
}
