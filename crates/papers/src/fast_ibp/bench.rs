//! Bounds with their gradients and training steps, timed.

use burn::{
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Distribution, Tensor},
};
use offprint_certify::{
    bounds::{Interval, Rounding, crown_ibp, interval_forward, margins, robust_loss},
    graph::{LayerConfig, Network, NetworkConfig},
    training::{Method, Objective, ibp_init},
};
use offprint_kernels::{AdamW, clip_grad_norm};
use offprint_lab::bench::{Bars, Bench, Group};

const FAST_IBP: Group = Group::new("fast-ibp");

/// Bars of a training step: no slower and no larger than the peer's.
const STEP: Bars = Bars {
    ratio: Some(1.0),
    memory: Some(1.0),
    ms: None,
};

type Sizes = &'static [(&'static str, u64)];

/// The study's network on MNIST: two convolutions of stride 2 and two linear layers.
const CNN: Sizes = &[("batch", 128), ("side", 28), ("width", 16), ("hidden", 100)];

/// Two hidden layers on MNIST.
const DENSE: Sizes = &[("batch", 128), ("side", 28), ("hidden", 512)];

/// The benches; sizes as the peer script names them.
pub fn benches() -> Vec<Bench> {
    let heart = |name, sizes, prepare| Bench {
        sizes,
        bars: Bars::ratio(0.5),
        ..Bench::new(name, FAST_IBP, prepare)
    };
    let whole = |name, prepare| Bench {
        sizes: CNN,
        bars: STEP,
        ..Bench::new(name, FAST_IBP, prepare)
    };
    vec![
        heart("interval-cnn", CNN, |bench| {
            bounds(bench, cnn(bench), false)
        }),
        heart("interval-dense", DENSE, |bench| {
            bounds(bench, dense(bench), false)
        }),
        heart("crown-ibp-cnn", CNN, |bench| {
            bounds(bench, cnn(bench), true)
        }),
        whole("step", |bench| step(bench, Method::Ibp)),
        whole("step-crown-ibp", |bench| step(bench, Method::CrownIbp)),
    ]
}

/// Radius of the balls.
const EPS: f64 = 0.1;

fn device() -> Device {
    let device = Device::default().autodiff();
    device.seed(1);
    device
}

fn cnn(bench: &Bench) -> NetworkConfig {
    let side = bench.size("side");
    let (width, hidden) = (bench.size("width"), bench.size("hidden"));
    NetworkConfig::cnn([1, side, side], width, hidden, 10, true)
}

fn dense(bench: &Bench) -> NetworkConfig {
    let hidden = LayerConfig::linear(bench.size("hidden"));
    NetworkConfig {
        input: vec![bench.size("side").pow(2)],
        layers: vec![
            hidden.clone(),
            LayerConfig::Relu,
            hidden,
            LayerConfig::Relu,
            LayerConfig::linear(10),
        ],
    }
}

/// A network with samples and labels.
fn prepared(bench: &Bench, config: &NetworkConfig) -> (Network, Tensor<2>, Vec<usize>) {
    let device = device();
    let network = ibp_init(config.init(&device).expect("valid sizes"));
    let shape = [bench.size("batch"), bench.size("side").pow(2)];
    let x = Tensor::random(shape, Distribution::Uniform(0.0, 1.0), &device);
    let labels = (0..shape[0]).map(|row| row % 10).collect();
    (network, x, labels)
}

/// The robust loss and its gradients; batch norms use their running statistics.
fn bounds(bench: &Bench, config: NetworkConfig, linear: bool) -> Box<dyn FnMut()> {
    let (network, x, labels) = prepared(bench, &config);
    let input = Interval::around(x, EPS, Some([0.0, 1.0])).expect("a valid radius");
    Box::new(move || {
        let bounds = interval_forward(&network, &input, None, Rounding::Nearest)
            .expect("the samples are the network's");
        let lower = match linear {
            true => crown_ibp(&network, &bounds, &labels, None),
            false => margins(&network, &bounds, &labels),
        };
        let lower = lower.expect("the labels are classes");
        let loss = robust_loss(&network, lower, &labels).expect("the labels are classes");
        let _ = loss.backward();
    })
}

/// A whole step of the paper's method while the radius grows: clean pass, bounds, regularizers, clipping and Adam.
fn step(bench: &Bench, method: Method) -> Box<dyn FnMut()> {
    let (network, x, labels) = prepared(bench, &cnn(bench));
    let objective = Objective {
        method,
        ..Objective::fast(EPS)
    };
    let mut network = Some(network);
    let mut optimizer = ModuleOptimizer::from(AdamW {
        weight_decay: 0.0,
        ..AdamW::default()
    });
    Box::new(move || {
        let current = network.take().expect("put back below");
        let none = || unreachable!("nothing is attacked");
        let done = objective
            .step(&current, x.clone(), &labels, 0.5 * EPS, none)
            .expect("the samples are the network's");
        let mut gradients = GradientsParams::from_grads(done.loss.backward(), &current);
        clip_grad_norm(&mut gradients, &current, 10.0);
        // A step of size 0 costs the same and keeps the state that is timed.
        let current = optimizer.step(0.0, current, gradients);
        current.update(&done.statistics);
        network = Some(current);
    })
}
