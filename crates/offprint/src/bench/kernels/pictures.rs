use super::{Sizes, both, bytes, device, normal, run};
use offprint_kernels::{Conv2d, avg_pool2d, conv2d, max_pool2d};
use offprint_lab::bench::{Bench, Group, Work};

const CONVOLUTIONS: Group = Group::new("convolutions");
const POOLS: Group = Group::new("pools");

const DENSE: [Sizes; 3] = [
    &[("batch", 2), ("input", 8), ("output", 16), ("side", 16)],
    &[("batch", 64), ("input", 16), ("output", 16), ("side", 32)],
    &[("batch", 64), ("input", 64), ("output", 64), ("side", 32)],
];
const DEPTHWISE: [Sizes; 3] = [
    &[("batch", 2), ("channels", 16), ("side", 16)],
    &[("batch", 32), ("channels", 64), ("side", 32)],
    &[("batch", 128), ("channels", 128), ("side", 32)],
];

pub(super) fn benches() -> Vec<Bench> {
    let bar = Some(1.0);
    [
        both!(
            CONVOLUTIONS,
            "conv2d",
            bar,
            DENSE,
            |b, back| work(b, back, 3, 1, 1),
            |b, back| convolution(b, back, 3, 1, 1, 1)
        ),
        both!(
            CONVOLUTIONS,
            "conv2d-grouped",
            bar,
            DENSE,
            |b, back| work(b, back, 3, 1, 4),
            |b, back| convolution(b, back, 3, 1, 1, 4)
        ),
        both!(
            CONVOLUTIONS,
            "conv2d-depthwise",
            bar,
            DEPTHWISE,
            depthwise_work,
            depthwise
        ),
        both!(
            CONVOLUTIONS,
            "conv2d-1x1",
            bar,
            DENSE,
            |b, back| work(b, back, 1, 1, 1),
            |b, back| convolution(b, back, 1, 1, 1, 1)
        ),
        both!(
            CONVOLUTIONS,
            "conv2d-strided",
            bar,
            DENSE,
            |b, back| work(b, back, 3, 2, 1),
            |b, back| convolution(b, back, 3, 2, 1, 1)
        ),
        both!(
            CONVOLUTIONS,
            "conv2d-dilated",
            bar,
            DENSE,
            |b, back| work(b, back, 3, 1, 1),
            |b, back| convolution(b, back, 3, 1, 2, 1)
        ),
        both!(POOLS, "max-pool2d", bar, DEPTHWISE, pool_work, |b, back| {
            pool(b, back, max_pool2d)
        }),
        both!(POOLS, "avg-pool2d", bar, DEPTHWISE, pool_work, |b, back| {
            pool(b, back, avg_pool2d)
        }),
    ]
    .concat()
}

fn work(bench: &Bench, both: bool, kernel: usize, stride: usize, groups: usize) -> Work {
    let [batch, input, output, side] =
        ["batch", "input", "output", "side"].map(|name| bench.size(name));
    let places = batch * side.div_ceil(stride).pow(2);
    let passes = if both { 3.0 } else { 1.0 };
    Work::flops(passes * 2.0 * (places * output * input / groups * kernel * kernel) as f64)
}

fn depthwise_work(bench: &Bench, both: bool) -> Work {
    let [batch, channels, side] = ["batch", "channels", "side"].map(|name| bench.size(name));
    let passes = if both { 3.0 } else { 1.0 };
    Work::flops(passes * (18 * batch * channels * side * side) as f64)
}

fn pool_work(bench: &Bench, both: bool) -> Work {
    let [batch, channels, side] = ["batch", "channels", "side"].map(|name| bench.size(name));
    let count = (batch * channels * side * side) as f64;
    bytes(1.25 * count, 1.25 * count)(both)
}

/// Padded so that a stride of 1 keeps the side.
fn convolution(
    bench: &Bench,
    backward: bool,
    kernel: usize,
    stride: usize,
    dilation: usize,
    groups: usize,
) -> Box<dyn FnMut()> {
    let [batch, input, output, side] =
        ["batch", "input", "output", "side"].map(|name| bench.size(name));
    let device = device(backward);
    let x = normal([batch, input, side, side], &device);
    let weight = normal([output, input / groups, kernel, kernel], &device);
    let bias = normal([output], &device);
    let options = Conv2d {
        stride: [stride; 2],
        padding: [dilation * (kernel - 1) / 2; 2],
        dilation: [dilation; 2],
        groups,
    };
    run(backward, move || {
        conv2d(
            x.clone(),
            weight.clone(),
            Some(bias.clone()),
            options,
            false,
        )
    })
}

fn depthwise(bench: &Bench, backward: bool) -> Box<dyn FnMut()> {
    let [batch, channels, side] = ["batch", "channels", "side"].map(|name| bench.size(name));
    let device = device(backward);
    let x = normal([batch, channels, side, side], &device);
    let weight = normal([channels, 1, 3, 3], &device);
    let bias = normal([channels], &device);
    let options = Conv2d {
        padding: [1; 2],
        groups: channels,
        ..Conv2d::default()
    };
    run(backward, move || {
        conv2d(
            x.clone(),
            weight.clone(),
            Some(bias.clone()),
            options,
            false,
        )
    })
}

type Pool =
    fn(burn::tensor::Tensor<4>, [usize; 2], [usize; 2], [usize; 2]) -> burn::tensor::Tensor<4>;

fn pool(bench: &Bench, backward: bool, pool: Pool) -> Box<dyn FnMut()> {
    let [batch, channels, side] = ["batch", "channels", "side"].map(|name| bench.size(name));
    let x = normal([batch, channels, side, side], &device(backward));
    run(backward, move || pool(x.clone(), [2, 2], [2, 2], [0, 0]))
}
