use burn::tensor::Tensor;

use super::{Sizes, both, bytes, device, normal, run};
use offprint_kernels::{Activation, Dropout, activate, dropout, mean, sum, variance};
use offprint_lab::bench::{Bench, Group, Work};

const ELEMENTS: Group = Group::new("elements");
const REDUCTIONS: Group = Group::new("reductions");

const COUNTS: [Sizes; 3] = [
    &[("elements", 16_384)],
    &[("elements", 1_048_576)],
    &[("elements", 16_777_216)],
];
const CUBES: [Sizes; 3] = [
    &[("outer", 8), ("length", 64), ("inner", 32)],
    &[("outer", 16), ("length", 256), ("inner", 256)],
    &[("outer", 16), ("length", 1024), ("inner", 1024)],
];

pub(super) fn benches() -> Vec<Bench> {
    macro_rules! activation {
        ($name:literal, $f:ident) => {
            both!(
                ELEMENTS,
                $name,
                Some(0.7),
                COUNTS,
                elements_work,
                |b, back| activation(b, back, Activation::$f)
            )
        };
    }
    macro_rules! reduction {
        ($name:literal, $f:expr) => {
            both!(REDUCTIONS, $name, None, CUBES, cubes_work, |b, back| {
                reduction(b, back, $f)
            })
        };
    }
    [
        activation!("gelu", Gelu),
        activation!("gelu-tanh", GeluTanh),
        activation!("silu", Silu),
        activation!("relu", Relu),
        activation!("sigmoid", Sigmoid),
        activation!("tanh", Tanh),
        activation!("softplus", Softplus),
        activation!("exp", Exp),
        both!(ELEMENTS, "dropout", Some(0.7), COUNTS, elements_work, drops),
        reduction!("sum", sum),
        reduction!("mean", mean),
        reduction!("var", |x, axis| variance(x, axis, 1)),
    ]
    .concat()
}

/// Input and output; backward the gradients of both and what the derivative reads.
fn elements_work(bench: &Bench, both: bool) -> Work {
    let count = bench.size("elements") as f64;
    bytes(2.0 * count, 3.0 * count)(both)
}

fn cubes_work(bench: &Bench, both: bool) -> Work {
    let [outer, length, inner] = ["outer", "length", "inner"].map(|name| bench.size(name) as f64);
    bytes(outer * length * inner, outer * length * inner)(both)
}

fn activation(bench: &Bench, backward: bool, f: Activation) -> Box<dyn FnMut()> {
    let x = normal([bench.size("elements")], &device(backward));
    run(backward, move || activate(x.clone(), f))
}

fn drops(bench: &Bench, backward: bool) -> Box<dyn FnMut()> {
    let x = normal([bench.size("elements")], &device(backward));
    let mut seed = 0;
    run(backward, move || {
        seed += 1;
        dropout(
            x.clone(),
            Dropout {
                probability: 0.1,
                seed,
            },
        )
    })
}

fn reduction(
    bench: &Bench,
    backward: bool,
    f: fn(Tensor<3>, usize) -> Tensor<3>,
) -> Box<dyn FnMut()> {
    let shape = ["outer", "length", "inner"].map(|name| bench.size(name));
    let x = normal(shape, &device(backward));
    run(backward, move || f(x.clone(), 1))
}
