//! DeepONet's hearts and one training step, timed.

use burn::{
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Distribution, Tensor},
};
use offprint_kernels::AdamW;
use offprint_lab::bench::{Bars, Bench, Group};
use offprint_operators::{
    DeepONet, DeepONetConfig,
    solvers::DynamicSystem,
    spaces::{FunctionSpace, GaussianRandomFieldConfig},
};

const DEEPONET: Group = Group::new("deeponet");

/// The benches; sizes as the peer script names them.
pub fn benches() -> Vec<Bench> {
    vec![
        Bench {
            sizes: &[
                ("functions", 1000),
                ("points", 10_000),
                ("sensors", 100),
                ("width", 40),
            ],
            bars: Bars::ratio(0.5),
            ..Bench::new("cartesian", DEEPONET, cartesian)
        },
        Bench {
            sizes: &[("batch", 10_000), ("sensors", 100), ("width", 40)],
            bars: STEP,
            ..Bench::new("step", DEEPONET, step)
        },
        Bench {
            sizes: &[("batch", 1000), ("sensors", 100), ("width", 40)],
            bars: STEP,
            ..Bench::new("step-stacked", DEEPONET, step_stacked)
        },
        Bench {
            sizes: &[("functions", 20), ("points", 100), ("grid", 1000)],
            // The issue asks for a twentieth of SciPy's time.
            bars: Bars::ratio(0.05),
            ..Bench::new("pendulum-data", DEEPONET, data)
        },
    ]
}

/// Bars of a training step: no slower and no larger than the peer's.
const STEP: Bars = Bars {
    ratio: Some(1.0),
    memory: Some(1.0),
    ms: None,
};

fn network(bench: &Bench, stacked: bool, device: &Device) -> DeepONet {
    let width = bench.size("width");
    device.seed(1);
    let config = DeepONetConfig {
        width,
        branch: vec![width],
        trunk: vec![width],
        stacked,
        ..DeepONetConfig::new(bench.size("sensors"), 1)
    };
    config.init(device).expect("valid sizes")
}

fn normal(shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Every function at every point, without gradients.
fn cartesian(bench: &Bench) -> Box<dyn FnMut()> {
    let device = Device::default();
    let net = network(bench, false, &device);
    let u = normal([bench.size("functions"), bench.size("sensors")], &device);
    let y = normal([bench.size("points"), 1], &device);
    Box::new(move || {
        let _ = net
            .forward_cartesian(u.clone(), y.clone())
            .expect("widths fit");
    })
}

fn step(bench: &Bench) -> Box<dyn FnMut()> {
    training_step(bench, false)
}

fn step_stacked(bench: &Bench) -> Box<dyn FnMut()> {
    training_step(bench, true)
}

/// A whole step of Adam on pairs of a function and a point.
fn training_step(bench: &Bench, stacked: bool) -> Box<dyn FnMut()> {
    let device = Device::default().autodiff();
    let mut net = Some(network(bench, stacked, &device));
    let mut optimizer = ModuleOptimizer::from(AdamW {
        weight_decay: 0.0,
        ..AdamW::default()
    });
    let batch = bench.size("batch");
    let u = normal([batch, bench.size("sensors")], &device);
    let y = normal([batch, 1], &device);
    let s: Tensor<1> = normal([batch, 1], &device).squeeze_dim(1);
    Box::new(move || {
        let current = net.take().expect("put back below");
        let found = current.forward(u.clone(), y.clone()).expect("widths fit");
        let loss = (found - s.clone()).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &current);
        // A step of size 0 costs the same and keeps the state that is timed.
        net = Some(optimizer.step(0.0, current, gradients));
    })
}

/// The pendulum's answers to functions of a random field: the peer solves to 1e-3, this to 1e-10 a step.
fn data(bench: &Bench) -> Box<dyn FnMut()> {
    let config = GaussianRandomFieldConfig {
        points: bench.size("grid"),
        ..GaussianRandomFieldConfig::new(0.2)
    };
    let field = config.init().expect("the paper's field");
    let functions = field.draw(bench.size("functions"), 1);
    let times = field.domain().grid(bench.size("points"));
    Box::new(move || {
        let _ = DynamicSystem::Pendulum { k: 1.0 }.solve_each(&field, &functions, &times);
    })
}
