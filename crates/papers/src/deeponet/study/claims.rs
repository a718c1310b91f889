//! What the paper claims, written before the runs.

use offprint_lab::claim::{
    Claim,
    Relation::{Above, AtMost, Below, Equals},
    Term::{Arm, Number},
};

/// The claims, in the order of the report. Errors are compared by their decimal logarithms, so that a seed counts by its
/// ratio; a margin of 0.1 is a quarter more or less.
pub(super) const CLAIMS: &[Claim] = &[
    Claim::new(
        "smaller-gap-than-fnn",
        "DeepONet reduces the generalization error against fully connected networks",
        "gap",
        (Arm("deeponet"), Below, Arm("fnn")),
    ),
    Claim::new(
        "antiderivative-beats-fnn",
        "the best DeepONet has a smaller test error than the best FNN: antiderivative",
        "test_antiderivative",
        (Arm("deeponet"), Below, Arm("fnn")),
    ),
    Claim::new(
        "nonlinear-beats-fnn",
        "the same: nonlinear system",
        "test_nonlinear",
        (Arm("deeponet"), Below, Arm("fnn")),
    ),
    Claim::new(
        "pendulum-beats-fnn",
        "the same: gravity pendulum",
        "test_pendulum",
        (Arm("deeponet"), Below, Arm("fnn")),
    ),
    Claim::new(
        "diffusion-reaction-beats-fnn",
        "the same: diffusion and reaction",
        "test_diffusion_reaction",
        (Arm("deeponet"), Below, Arm("fnn")),
    ),
    Claim::new(
        "beats-resnet",
        "DeepONet has a smaller test error than a residual network",
        "test",
        (Arm("deeponet"), Below, Arm("resnet")),
    ),
    Claim::new(
        "beats-seq2seq",
        "DeepONet has a smaller test error than a sequence-to-sequence model",
        "test",
        (Arm("deeponet"), Below, Arm("seq2seq")),
    ),
    Claim::new(
        "unstacked-beats-stacked",
        "unstacked DeepONets have a smaller test error than stacked ones",
        "test",
        (Arm("deeponet"), Below, Arm("stacked")),
    ),
    Claim::new(
        "bias-helps-unstacked",
        "the bias reduces the error of an unstacked DeepONet, or does no harm",
        "test",
        (Arm("deeponet"), AtMost, Arm("deeponet-no-bias")),
    )
    .with_margin(0.1),
    Claim::new(
        "bias-helps-stacked",
        "the bias reduces the error of a stacked DeepONet, or does no harm",
        "test",
        (Arm("stacked"), AtMost, Arm("stacked-no-bias")),
    )
    .with_margin(0.1),
    Claim::new(
        "sensors-help-at-first",
        "the error falls with the number of sensors, by half a decade or more",
        "sensor_drop",
        (Arm("sensors"), Above, Number(0.5)),
    ),
    Claim::new(
        "sensors-by-length-scale",
        "the number of sensors that is enough grows like 1 / length scale",
        "sensor_slope",
        (Arm("sensors"), Equals, Number(1.0)),
    )
    .with_margin(0.5),
    Claim::new(
        "sensors-then-flat",
        "beyond that number more sensors change little",
        "sensor_tail",
        (Arm("sensors"), Equals, Number(0.0)),
    )
    .with_margin(0.5),
    Claim::new(
        "theory-sensors",
        "interpolating a random field at m sensors errs like 1 / m^2",
        "theory_sensors",
        (Arm("sensors"), Equals, Number(-2.0)),
    )
    .with_margin(0.2),
    Claim::new(
        "theory-length",
        "and like 1 / length scale^2",
        "theory_length",
        (Arm("sensors"), Equals, Number(-2.0)),
    )
    .with_margin(0.2),
    Claim::new(
        "theory-chebyshev",
        "interpolating Chebyshev series errs like 1 / m^2",
        "theory_chebyshev",
        (Arm("sensors"), Equals, Number(-2.0)),
    )
    .with_margin(0.2),
    Claim::new(
        "theory-output",
        "the answer errs no slower than the interpolated input does",
        "theory_output",
        (Arm("sensors"), AtMost, Number(-2.0)),
    )
    .with_margin(0.2),
    Claim::new(
        "order-half-or-more",
        "the error falls at least like N^-1/2 in the number of training pairs",
        "order_large",
        (Arm("samples"), AtMost, Number(-0.5)),
    ),
    Claim::new(
        "exponential-at-first",
        "for small training sets it falls exponentially rather than by a power",
        "exponential",
        (Arm("samples"), Above, Number(0.0)),
    ),
];
