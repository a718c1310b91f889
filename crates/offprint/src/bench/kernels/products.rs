use super::{Sizes, both, device, normal, run};
use offprint_kernels::{Activation, Pairs, grouped_linear, linear, matmul};
use offprint_lab::bench::{Bench, Group, Work};
use std::sync::Arc;

const PRODUCTS: Group = Group::new("products");

const LAYER: [Sizes; 3] = [
    &[("rows", 128), ("input", 128), ("output", 128)],
    &[("rows", 2048), ("input", 512), ("output", 512)],
    &[("rows", 32768), ("input", 512), ("output", 512)],
];
const MATRICES: [Sizes; 3] = [
    &[("m", 128), ("k", 128), ("n", 128)],
    &[("m", 1024), ("k", 1024), ("n", 1024)],
    &[("m", 4096), ("k", 4096), ("n", 256)],
];
const BATCHES: [Sizes; 3] = [
    &[("batch", 4), ("m", 64), ("k", 32), ("n", 64)],
    &[("batch", 64), ("m", 128), ("k", 64), ("n", 128)],
    &[("batch", 1024), ("m", 128), ("k", 64), ("n", 128)],
];
const EXPERTS: [Sizes; 3] = [
    &[("rows", 256), ("experts", 8), ("input", 64), ("output", 64)],
    &[
        ("rows", 4096),
        ("experts", 16),
        ("input", 256),
        ("output", 256),
    ],
    &[
        ("rows", 32768),
        ("experts", 16),
        ("input", 512),
        ("output", 512),
    ],
];

pub(super) fn benches() -> Vec<Bench> {
    let bar = Some(1.0);
    [
        both!(PRODUCTS, "linear", bar, LAYER, layer_work, |b, back| layer(
            b,
            back,
            Activation::Identity
        )),
        both!(
            PRODUCTS,
            "linear-relu",
            bar,
            LAYER,
            layer_work,
            |b, back| layer(b, back, Activation::Relu)
        ),
        both!(
            PRODUCTS,
            "linear-gelu",
            bar,
            LAYER,
            layer_work,
            |b, back| layer(b, back, Activation::Gelu)
        ),
        both!(PRODUCTS, "matmul", bar, MATRICES, matrices_work, matrices),
        both!(
            PRODUCTS,
            "batched-matmul",
            bar,
            BATCHES,
            batches_work,
            batches
        ),
        both!(
            PRODUCTS,
            "grouped-linear",
            bar,
            EXPERTS,
            layer_work,
            experts
        ),
    ]
    .concat()
}

/// A product, and two more of its size backward.
fn work(both: bool, products: f64, [m, k, n]: [f64; 3]) -> Work {
    let passes = if both { 3.0 } else { 1.0 };
    let numbers = products * (m * k + k * n + m * n);
    Work::flops(passes * products * 2.0 * m * k * n).and_bytes(passes * 4.0 * numbers)
}

fn layer_work(bench: &Bench, both: bool) -> Work {
    work(
        both,
        1.0,
        ["rows", "input", "output"].map(|name| bench.size(name) as f64),
    )
}

fn matrices_work(bench: &Bench, both: bool) -> Work {
    work(
        both,
        1.0,
        ["m", "k", "n"].map(|name| bench.size(name) as f64),
    )
}

fn batches_work(bench: &Bench, both: bool) -> Work {
    work(
        both,
        bench.size("batch") as f64,
        ["m", "k", "n"].map(|name| bench.size(name) as f64),
    )
}

fn layer(bench: &Bench, backward: bool, f: Activation) -> Box<dyn FnMut()> {
    let device = device(backward);
    let [rows, input, output] = ["rows", "input", "output"].map(|name| bench.size(name));
    let x = normal([rows, input], &device);
    let weight = normal([input, output], &device);
    let bias = normal([output], &device);
    run(backward, move || {
        linear(x.clone(), weight.clone(), Some(bias.clone()), f)
    })
}

fn matrices(bench: &Bench, backward: bool) -> Box<dyn FnMut()> {
    let device = device(backward);
    let [m, k, n] = ["m", "k", "n"].map(|name| bench.size(name));
    let (a, b) = (normal([m, k], &device), normal([k, n], &device));
    run(backward, move || matmul(a.clone(), b.clone()))
}

fn batches(bench: &Bench, backward: bool) -> Box<dyn FnMut()> {
    let device = device(backward);
    let [batch, m, k, n] = ["batch", "m", "k", "n"].map(|name| bench.size(name));
    let (a, b) = (
        normal([batch, m, k], &device),
        normal([batch, k, n], &device),
    );
    run(backward, move || matmul(a.clone(), b.clone()))
}

/// Unequal numbers of rows an expert: by turns 3/2 and 1/2 of the mean.
fn experts(bench: &Bench, backward: bool) -> Box<dyn FnMut()> {
    let device = device(backward);
    let [rows, experts, input, output] =
        ["rows", "experts", "input", "output"].map(|name| bench.size(name));
    let mean = rows / experts;
    let counts = (0..experts).map(|e| {
        if e % 2 == 0 {
            mean + mean / 2
        } else {
            mean - mean / 2
        }
    });
    let expert_of = counts
        .enumerate()
        .flat_map(|(expert, count)| vec![expert; count]);
    let mut weights = vec![0.0; rows * experts];
    for (row, expert) in expert_of.enumerate() {
        weights[row * experts + expert] = 1.0;
    }
    let pairs = Arc::new(Pairs::from_weights(&weights, experts));
    let x = normal([rows, input], &device);
    let weight = normal([experts, input, output], &device);
    let bias = normal([experts, output], &device);
    run(backward, move || {
        grouped_linear(
            x.clone(),
            weight.clone(),
            bias.clone(),
            &pairs,
            Activation::Identity,
        )
    })
}
