//! COMET's golden cases: which library calls compute what a file holds.

mod gates;
mod language;
mod mixtures;
mod search;

use crate::explain::explain;
use burn::tensor::{Device, Tensor};
use offprint_experts::Permutation;
use offprint_lab::{
    Result,
    golden::{Array, Case, Method, Outputs},
};

/// The kinds.
pub const METHODS: &[Method] = &[
    Method {
        kind: "smooth-step",
        evaluate: gates::smooth_step,
    },
    Method {
        kind: "comet-gate",
        evaluate: gates::comet_gate,
    },
    Method {
        kind: "dselect-k",
        evaluate: gates::dselect_k,
    },
    Method {
        kind: "topk-gate",
        evaluate: gates::topk_gate,
    },
    Method {
        kind: "softmax-gate",
        evaluate: gates::softmax_gate,
    },
    Method {
        kind: "hash-gate",
        evaluate: gates::hash_gate,
    },
    Method {
        kind: "mixture",
        evaluate: mixtures::mixture,
    },
    Method {
        kind: "conv-expert",
        evaluate: mixtures::conv_expert,
    },
    Method {
        kind: "permutation",
        evaluate: search::permutation,
    },
    Method {
        kind: "local-search",
        evaluate: search::local_search,
    },
    Method {
        kind: "schedule",
        evaluate: search::schedule,
    },
    Method {
        kind: "assignment",
        evaluate: search::assignment,
    },
    Method {
        kind: "neuron-importance",
        evaluate: language::importance,
    },
    Method {
        kind: "neuron-split",
        evaluate: language::split,
    },
    Method {
        kind: "expert-layer",
        evaluate: language::layer,
    },
    Method {
        kind: "distillation",
        evaluate: language::distillation,
    },
];

fn device() -> Device {
    Device::default().autodiff()
}

/// An input whose gradient is wanted.
fn tracked<const D: usize>(case: &Case, name: &str, device: &Device) -> Result<Tensor<D>> {
    Ok(case.tensor::<D>(name, device)?.require_grad())
}

/// The permutation of a case, whose gradient is wanted.
fn permutation(case: &Case, device: &Device) -> Result<(Tensor<3>, Permutation)> {
    let matrices = tracked(case, "in.permutation", device)?;
    Ok((matrices.clone(), Permutation::Soft(matrices)))
}

/// A gradient, zero where the loss does not depend on the tensor.
fn gradient<const D: usize>(tensor: &Tensor<D>, gradients: &burn::tensor::Gradients) -> Tensor<D> {
    let zero = || Tensor::zeros(tensor.dims(), &tensor.device().inner());
    tensor.grad(gradients).unwrap_or_else(zero)
}

/// The sum of weights times cotangents.
fn contracted(case: &Case, weights: &Tensor<2>) -> Result<Tensor<1>> {
    let cotangent = case.tensor::<2>("in.cotangent", &weights.device())?;
    Ok((weights.clone() * cotangent).sum())
}

/// Outputs by name.
fn outputs(named: impl IntoIterator<Item = (&'static str, Array)>) -> Outputs {
    let mut outputs = Outputs::default();
    for (name, array) in named {
        outputs.put(name, array);
    }
    outputs
}
