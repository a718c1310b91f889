//! KAT's hearts and one training step, timed.

use burn::{
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Distribution, Int, Tensor, TensorData},
};
use offprint_backbones::{BlocksConfig, ChannelMixer, VitConfig};
use offprint_kernels::{AdamW, CrossEntropy, backward_from};
use offprint_lab::bench::{Bars, Bench, Group};
use offprint_layers::{
    Activation, Context, activate,
    kan::{BSplineKanConfig, GroupRationalKanConfig, GroupRationalOptions},
    rational::RationalConfig,
};

const KAT: Group = Group::new("kat");

type Sizes = &'static [(&'static str, u64)];

/// A hidden layer of the smallest ViT of the paper, on eight pictures.
const HIDDEN: Sizes = &[("rows", 1576), ("channels", 768), ("groups", 8)];

/// Within the caches.
const SMALL: Sizes = &[("rows", 544), ("channels", 192), ("groups", 8)];

/// The benches; sizes as the peer script names them.
pub fn benches() -> Vec<Bench> {
    let heart = |name, sizes, prepare| Bench {
        sizes,
        bars: Bars::ratio(0.33),
        ..Bench::new(name, KAT, prepare)
    };
    let other = |name, sizes, bar, prepare| Bench {
        sizes,
        bars: Bars::ratio(bar),
        ..Bench::new(name, KAT, prepare)
    };
    vec![
        heart("rational", HIDDEN, |bench| rational(bench, true)),
        heart("rational-forward", HIDDEN, |bench| rational(bench, false)),
        heart("rational-small", SMALL, |bench| rational(bench, true)),
        // The same work of ours, beside the form of the released code.
        heart("rational-released", HIDDEN, |bench| rational(bench, true)),
        // Ours has one and a half times its time.
        other("gelu", HIDDEN, 1.0, |bench| gelu(bench, true)),
        other("gelu-forward", HIDDEN, 1.0, |bench| gelu(bench, false)),
        other(
            "gr-kan",
            &[
                ("rows", 1088),
                ("width", 64),
                ("hidden", 256),
                ("groups", 8),
            ],
            0.5,
            group_rational_kan,
        ),
        other(
            "b-spline-kan",
            &[
                ("rows", 1088),
                ("input", 64),
                ("output", 64),
                ("grid", 5),
                ("order", 3),
            ],
            0.5,
            b_spline_kan,
        ),
        Bench {
            sizes: &[
                ("batch", 64),
                ("size", 28),
                ("patch", 7),
                ("layers", 4),
                ("width", 64),
                ("heads", 4),
                ("groups", 8),
            ],
            bars: Bars {
                ratio: Some(1.0),
                memory: Some(1.0),
                ms: None,
            },
            ..Bench::new("step", KAT, step)
        },
    ]
}

fn device(backward: bool) -> Device {
    let device = Device::default();
    let device = if backward { device.autodiff() } else { device };
    device.seed(1);
    device
}

fn normal(shape: [usize; 2], device: &Device) -> Tensor<2> {
    let x = Tensor::random(shape, Distribution::Normal(0.0, 1.0), device);
    match device.clone().is_autodiff() {
        true => x.require_grad(),
        false => x,
    }
}

/// Calls a layer, and its backward pass with a gradient of ones.
fn passes(
    shape: [usize; 2],
    output: usize,
    backward: bool,
    layer: impl Fn(Tensor<2>) -> Tensor<2> + 'static,
) -> Box<dyn FnMut()> {
    let device = device(backward);
    let x = normal(shape, &device);
    let cotangent = Tensor::ones([shape[0], output], &device.inner());
    Box::new(move || {
        let y = layer(x.clone());
        if backward {
            drop(backward_from(y, cotangent.clone()));
        }
    })
}

fn rational(bench: &Bench, backward: bool) -> Box<dyn FnMut()> {
    let [rows, channels, groups] = ["rows", "channels", "groups"].map(|name| bench.size(name));
    let config = RationalConfig {
        groups,
        init: Activation::Gelu,
        ..RationalConfig::new(channels)
    };
    let layer = config.init(&device(backward)).expect("valid sizes");
    passes([rows, channels], channels, backward, move |x| {
        layer.forward(x)
    })
}

fn gelu(bench: &Bench, backward: bool) -> Box<dyn FnMut()> {
    let [rows, channels] = ["rows", "channels"].map(|name| bench.size(name));
    let shape = [rows, channels];
    passes(shape, channels, backward, |x| activate(x, Activation::Gelu))
}

fn group_rational_kan(bench: &Bench) -> Box<dyn FnMut()> {
    let [rows, width, hidden, groups] =
        ["rows", "width", "hidden", "groups"].map(|name| bench.size(name));
    let mut config = GroupRationalKanConfig::new(width, hidden, Activation::Gelu);
    config.options.groups = groups;
    let layer = config.init(&device(true)).expect("valid sizes");
    passes([rows, width], width, true, move |x| layer.forward(x))
}

fn b_spline_kan(bench: &Bench) -> Box<dyn FnMut()> {
    let [rows, input, output] = ["rows", "input", "output"].map(|name| bench.size(name));
    let config = BSplineKanConfig {
        grid_size: bench.size("grid"),
        spline_order: bench.size("order"),
        ..BSplineKanConfig::new(input, output)
    };
    let layer = config.init(&device(true)).expect("valid sizes");
    passes([rows, input], output, true, move |x| layer.forward(x))
}

/// A whole training step of a KAT.
fn step(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device(true);
    let [batch, size, patch] = ["batch", "size", "patch"].map(|name| bench.size(name));
    let blocks = BlocksConfig {
        channel_mixer: ChannelMixer::GrKan(GroupRationalOptions {
            groups: bench.size("groups"),
            ..GroupRationalOptions::default()
        }),
        ..BlocksConfig::new(
            bench.size("layers"),
            bench.size("width"),
            bench.size("heads"),
        )
    };
    let vit = VitConfig::new(1, [size; 2], patch, 10, blocks).init(&device);
    let mut vit = Some(vit.expect("valid sizes"));
    let mut optimizer = ModuleOptimizer::from(AdamW::default());
    let shape = [batch, 1, size, size];
    let x = Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
    let classes: Vec<i64> = (0..batch as i64).map(|i| i % 10).collect();
    let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [batch]), &device);
    Box::new(move || {
        let current = vit.take().expect("put back below");
        let output = current
            .forward(x.clone(), Context::training(0))
            .expect("pictures of that size");
        let loss = output.loss(classes.clone(), CrossEntropy::default());
        let gradients = GradientsParams::from_grads(loss.backward(), &current);
        vit = Some(optimizer.step(1e-3, current, gradients));
    })
}
