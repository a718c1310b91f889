//! Every kernel at three sizes, forward and with its backward pass.

mod attention;
mod elements;
mod optimizers;
mod pictures;
mod products;
mod rows;

use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use offprint_kernels::backward_from;
use offprint_lab::bench::{Bars, Bench, Group, Scale, Work};

/// The benches; names and sizes as the peer script knows them.
pub fn benches() -> Vec<Bench> {
    [
        products::benches(),
        rows::benches(),
        elements::benches(),
        attention::benches(),
        pictures::benches(),
        optimizers::benches(),
    ]
    .concat()
}

type Sizes = &'static [(&'static str, u64)];

/// A kernel forward, and forward and backward, at sizes in the cache, as in a training step, and beyond all caches.
macro_rules! both {
    ($group:expr, $name:literal, $bar:expr, $sizes:expr, $work:expr, $build:expr) => {
        [
            $crate::bench::kernels::at_scales(
                $group,
                $name,
                $bar,
                $sizes,
                |bench| ($work)(bench, false),
                |bench| ($build)(bench, false),
            ),
            $crate::bench::kernels::at_scales(
                $group,
                concat!($name, "-backward"),
                $bar,
                $sizes,
                |bench| ($work)(bench, true),
                |bench| ($build)(bench, true),
            ),
        ]
        .concat()
    };
}
use both;

fn at_scales(
    group: Group,
    name: &'static str,
    bar: Option<f64>,
    sizes: [Sizes; 3],
    work: fn(&Bench) -> Work,
    prepare: fn(&Bench) -> Box<dyn FnMut()>,
) -> Vec<Bench> {
    let scales = [Scale::Cached, Scale::Typical, Scale::Memory];
    let bench = Bench {
        bars: bar.map_or(Bars::NONE, Bars::ratio),
        work,
        ..Bench::new(name, group, prepare)
    };
    scales
        .into_iter()
        .zip(sizes)
        .map(|(scale, sizes)| Bench {
            scale,
            sizes,
            ..bench
        })
        .collect()
}

/// The device, which records where there is a backward pass.
fn device(backward: bool) -> Device {
    let device = Device::flex();
    device.seed(1);
    if backward { device.autodiff() } else { device }
}

/// A leaf of random numbers.
fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = Tensor::random(shape, Distribution::Normal(0.0, 1.0), device);
    if device.is_autodiff() {
        values.require_grad()
    } else {
        values
    }
}

/// Numbers below `end` without an order.
fn shuffled(count: usize, end: usize) -> Vec<i64> {
    // A prime step visits all places before it repeats one.
    (0..count).map(|i| (i * 7_919 % end) as i64).collect()
}

fn indices<const D: usize>(values: Vec<i64>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Runs what gives an output, and with its backward pass the gradients of the sum of the output.
fn run<const D: usize>(
    backward: bool,
    mut output: impl FnMut() -> Tensor<D> + 'static,
) -> Box<dyn FnMut()> {
    if !backward {
        return Box::new(move || drop(output()));
    }
    let ones = output().detach().ones_like();
    Box::new(move || drop(backward_from(output(), ones.clone())))
}

/// Bytes of reading and writing so many numbers, and with the backward pass so many more.
fn bytes(forward: f64, backward: f64) -> impl Fn(bool) -> Work {
    move |both| {
        let numbers = forward + if both { backward } else { 0.0 };
        Work::bytes(4.0 * numbers)
    }
}
