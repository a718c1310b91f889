//! COMET's heart and one training step, timed.

use super::study::{
    model::{ExpertBody, GateKind, Model, ModelConfig, Rows},
    task::Target,
};
use burn::{
    optim::{AdamConfig, GradientsParams},
    tensor::{Device, Distribution, Tensor},
};
use offprint_experts::{CometGateConfig, Gate, GateInput, sinkhorn};
use offprint_lab::bench::{Bars, Bench, Group};

const COMET: Group = Group::new("comet");

/// The benches; sizes as the peer script names them.
pub fn benches() -> Vec<Bench> {
    vec![
        Bench {
            sizes: &[("batch", 512), ("dim", 64), ("experts", 16), ("k", 4)],
            bars: Bars::ratio(0.5),
            ..Bench::new("gate", COMET, gate)
        },
        Bench {
            sizes: &[("experts", 16), ("iterations", 150)],
            bars: Bars::ratio(0.5),
            ..Bench::new("sinkhorn", COMET, permutation)
        },
        Bench {
            sizes: &[("batch", 512), ("dim", 1296), ("experts", 8), ("k", 2)],
            bars: STEP,
            ..Bench::new("step-mlp", COMET, step_mlp)
        },
        Bench {
            sizes: &[("batch", 128), ("dim", 1296), ("experts", 16), ("k", 4)],
            bars: STEP,
            ..Bench::new("step-cnn", COMET, step_cnn)
        },
    ]
}

/// Bars of a training step: no slower and no larger than the peer's.
const STEP: Bars = Bars {
    ratio: Some(1.0),
    memory: Some(1.0),
    ms: None,
};

fn device() -> Device {
    let device = Device::default().autodiff();
    device.seed(1);
    device
}

fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Gate, forward and backward.
fn gate(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device();
    let (batch, dim, n) = (
        bench.size("batch"),
        bench.size("dim"),
        bench.size("experts"),
    );
    let gate = CometGateConfig::new(dim, n, bench.size("k"))
        .init(&device)
        .expect("valid sizes");
    let (x, cotangent) = (normal([batch, dim], &device), normal([batch, n], &device));
    Box::new(move || {
        let output = gate
            .weights(GateInput::new(x.clone()))
            .expect("finite features");
        let loss = (output.weights * cotangent.clone()).sum() + output.regularization;
        let _ = loss.backward();
    })
}

/// Sinkhorn, forward and backward.
fn permutation(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device();
    let (n, iterations) = (bench.size("experts"), bench.size("iterations"));
    let log_weights = (normal([1, n, n], &device) * 0.05).require_grad();
    let cotangent = normal([1, n, n], &device);
    Box::new(move || {
        let soft = sinkhorn(log_weights.clone(), 0.01, iterations);
        let _ = (soft * cotangent.clone()).sum().backward();
    })
}

fn step_mlp(bench: &Bench) -> Box<dyn FnMut()> {
    step(bench, ExpertBody::Mlp(vec![50, 50]))
}

fn step_cnn(bench: &Bench) -> Box<dyn FnMut()> {
    let side = bench.size("dim").isqrt();
    step(bench, ExpertBody::Cnn([side, side]))
}

/// A whole training step of COMET on two tasks, from the state that training begins with: trees reach every expert, so
/// that sparsity saves nothing yet.
fn step(bench: &Bench, body: ExpertBody) -> Box<dyn FnMut()> {
    let device = device();
    let (batch, dim) = (bench.size("batch"), bench.size("dim"));
    let config = ModelConfig {
        gate: GateKind::Comet,
        experts: bench.size("experts"),
        k: bench.size("k"),
        gamma: 1.0,
        entropy_reg: 0.1,
        zeta: 0.0,
        noisy: false,
        search: None,
        ids: 0,
        hash_seed: 0,
        embedding: None,
        input: dim,
        body,
        dropout: 0.0,
        heads: vec![vec![50, 50, 10]; 2],
    };
    let mut model: Option<Model> = Some(config.init(&device).expect("valid sizes"));
    let mut optimizer = AdamConfig::new().init();
    let x = Tensor::random([batch, dim], Distribution::Uniform(0.0, 1.0), &device);
    let rows = Rows::features(x, Vec::new());
    let targets = vec![Target::Classes((0..batch).map(|row| row % 10).collect()); 2];
    Box::new(move || {
        let mut current = model.take().expect("put back below");
        let (loss, _) = current
            .training_loss(&rows, &targets, &[0.5, 0.5], 1)
            .expect("finite features");
        let gradients = GradientsParams::from_grads(loss.backward(), &current);
        // A step of size 0 costs the same and keeps the state that is timed.
        model = Some(optimizer.step(0.0, current, gradients));
    })
}
