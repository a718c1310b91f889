//! GLA's golden cases: which library calls compute what a file holds.

mod layers;
mod recurrences;

use burn::{
    module::Param,
    tensor::{Device, Gradients, Tensor},
};
use offprint_lab::{
    Result,
    golden::{Array, Case, Method},
};

/// The kinds.
pub const METHODS: &[Method] = &[
    Method {
        kind: "recurrence",
        evaluate: recurrences::recurrence,
    },
    Method {
        kind: "retention",
        evaluate: recurrences::retention,
    },
    Method {
        kind: "linear-attention",
        evaluate: recurrences::linear_attention,
    },
    Method {
        kind: "selective-scan",
        evaluate: recurrences::selective_scan,
    },
    Method {
        kind: "layer",
        evaluate: layers::gated,
    },
    Method {
        kind: "retention-layer",
        evaluate: layers::retention,
    },
    Method {
        kind: "mamba-layer",
        evaluate: layers::mamba,
    },
];

fn device() -> Device {
    Device::default().autodiff()
}

/// A tensor of a case whose gradient is wanted.
fn tracked<const D: usize>(case: &Case, name: &str, device: &Device) -> Result<Tensor<D>> {
    Ok(case.tensor::<D>(name, device)?.require_grad())
}

/// The same, if the case has it.
fn optional<const D: usize>(case: &Case, name: &str, device: &Device) -> Result<Option<Tensor<D>>> {
    match case.has(name) {
        true => tracked(case, name, device).map(Some),
        false => Ok(None),
    }
}

/// A parameter of a layer.
fn parameter<const D: usize>(case: &Case, name: &str, device: &Device) -> Result<Param<Tensor<D>>> {
    Ok(Param::from_tensor(case.tensor::<D>(name, device)?))
}

/// A gradient, zero where the loss does not depend on the tensor.
fn gradient<const D: usize>(tensor: &Tensor<D>, gradients: &Gradients) -> Array {
    let zero = || Tensor::zeros(tensor.dims(), &tensor.device().inner());
    tensor.grad(gradients).unwrap_or_else(zero).into()
}

/// The sum of a tensor times its cotangent; nothing for a cotangent that the case has not.
fn contracted<const D: usize>(
    case: &Case,
    cotangent: &str,
    tensor: &Tensor<D>,
) -> Result<Tensor<1>> {
    if !case.has(cotangent) {
        return Ok(Tensor::zeros([1], &tensor.device()));
    }
    let cotangent = case.tensor::<D>(cotangent, &tensor.device())?;
    Ok((tensor.clone() * cotangent).sum())
}
