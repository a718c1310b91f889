use super::{Sizes, at_scales, device, normal};
use burn::module::{Module, Param};
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::Tensor;
use offprint_kernels::{AdamW, Sgd, clip_grad_norm};
use offprint_lab::bench::{Bench, Group, Work};

const OPTIMIZERS: Group = Group::new("optimizers");

const PARAMETERS: [Sizes; 3] = [
    &[("tensors", 8), ("elements", 2048)],
    &[("tensors", 50), ("elements", 16_384)],
    &[("tensors", 16), ("elements", 1_048_576)],
];

pub(super) fn benches() -> Vec<Bench> {
    let bar = Some(0.7);
    [
        at_scales(
            OPTIMIZERS,
            "adamw",
            bar,
            PARAMETERS,
            |b| work(b, 7.0),
            |b| steps(b, AdamW::default()),
        ),
        at_scales(
            OPTIMIZERS,
            "sgd-momentum",
            bar,
            PARAMETERS,
            |b| work(b, 5.0),
            |b| {
                steps(
                    b,
                    Sgd {
                        momentum: 0.9,
                        ..Sgd::default()
                    },
                )
            },
        ),
        at_scales(
            OPTIMIZERS,
            "clip-grad-norm",
            bar,
            PARAMETERS,
            |b| work(b, 3.0),
            clip,
        ),
    ]
    .concat()
}

/// So many numbers read or written an element.
fn work(bench: &Bench, numbers: f64) -> Work {
    Work::bytes(4.0 * numbers * (bench.size("tensors") * bench.size("elements")) as f64)
}

/// A step with the same gradients each time.
fn steps<O: Optimizer>(bench: &Bench, optimizer: O) -> Box<dyn FnMut()> {
    let device = device(false);
    let shape = [bench.size("elements")];
    let gradients: Vec<Tensor<1>> = (0..bench.size("tensors"))
        .map(|_| normal(shape, &device))
        .collect();
    let mut states: Vec<_> = gradients
        .iter()
        .map(|_| Some((normal(shape, &device), None)))
        .collect();
    Box::new(move || {
        for (state, gradient) in states.iter_mut().zip(&gradients) {
            let (parameter, kept) = state.take().expect("put back below");
            *state = Some(optimizer.step(1e-3, parameter, gradient.clone(), kept));
        }
    })
}

#[derive(Module, Debug)]
struct Parameters {
    tensors: Vec<Param<Tensor<1>>>,
}

/// Of gradients that were clipped the first time: from then on their norm decides that nothing is to do, where PyTorch
/// multiplies by 1.
fn clip(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device(false);
    let shape = [bench.size("elements")];
    let module = Parameters {
        tensors: (0..bench.size("tensors"))
            .map(|_| Param::from_tensor(normal(shape, &device)))
            .collect(),
    };
    let mut gradients = GradientsParams::new();
    for tensor in &module.tensors {
        gradients.register(tensor.id, normal(shape, &device));
    }
    Box::new(move || {
        clip_grad_norm(&mut gradients, &module, 1.0);
    })
}
