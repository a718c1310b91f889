//! Training steps of the backbones: forward, cross-entropy, backward, AdamW; generation of text; and the time from the
//! start of the program to its first step.

use burn::{
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Distribution, Int, Tensor, TensorData},
};
use offprint_backbones::{
    Backbone, BackboneConfig, BlocksConfig, ConvnetConfig, GenerateConfig, GptConfig, Input,
    LenetConfig, MlpConfig, ResnetConfig, Sampling, VitConfig,
};
use offprint_kernels::{AdamW, CrossEntropy, cross_entropy};
use offprint_lab::bench::{Bars, Bench, Group, Work, alone::START_OPTION};
use offprint_layers::Context;
use std::process::Command;

const STEPS: Group = Group {
    name: "training steps",
    mean: Some(1.0),
};

const STEP_BARS: Bars = Bars {
    ratio: Some(1.2),
    memory: Some(1.0),
    ms: None,
};

/// The step whose end is the end of a start.
const FIRST_STEP: &str = "step-mlp";

/// The benches; names and sizes as the peer script knows them.
pub fn benches() -> Vec<Bench> {
    let step = |name, prepare| Bench {
        bars: STEP_BARS,
        ..Bench::new(name, STEPS, prepare)
    };
    vec![
        Bench {
            sizes: &[
                ("batch", 128),
                ("input", 784),
                ("hidden", 512),
                ("classes", 10),
            ],
            work: mlp_work,
            ..step(FIRST_STEP, mlp)
        },
        Bench {
            sizes: &[
                ("batch", 16),
                ("layers", 4),
                ("width", 128),
                ("heads", 4),
                ("length", 128),
                ("vocab", 256),
            ],
            work: gpt_work,
            ..step("step-gpt", gpt)
        },
        Bench {
            sizes: &[
                ("batch", 32),
                ("layers", 6),
                ("width", 192),
                ("heads", 3),
                ("side", 32),
                ("patch", 4),
                ("classes", 10),
            ],
            work: vit_work,
            ..step("step-vit", vit)
        },
        Bench {
            sizes: &[("batch", 64), ("side", 32), ("classes", 10)],
            work: convnet_work,
            ..step("step-convnet", convnet)
        },
        Bench {
            sizes: &[("batch", 64), ("depth", 20), ("side", 32), ("classes", 10)],
            work: resnet_work,
            ..step("step-resnet20", resnet)
        },
        Bench {
            sizes: &[("batch", 128), ("classes", 10)],
            work: lenet_work,
            ..step("step-lenet", lenet)
        },
        Bench {
            sizes: &[
                ("layers", 6),
                ("width", 256),
                ("heads", 8),
                ("context", 256),
                ("vocab", 256),
                ("prompt", 16),
                ("tokens", 128),
            ],
            bars: Bars::ratio(1.0),
            ..Bench::new("generate", Group::new("generation"), generate)
        },
        Bench {
            bars: Bars {
                ms: Some(100.0),
                ..Bars::NONE
            },
            in_process: false,
            ..Bench::new("startup", Group::new("start"), startup)
        },
    ]
}

/// Floating-point operations of a step whose forward pass takes so many multiply-adds, all but the first layer's twice
/// more backward, that one once more.
fn step_work(batch: usize, all: usize, first: usize) -> Work {
    Work::flops(2.0 * (batch * (3 * all - first)) as f64)
}

fn mlp_work(bench: &Bench) -> Work {
    let [batch, input, hidden, classes] =
        ["batch", "input", "hidden", "classes"].map(|name| bench.size(name));
    let first = input * hidden;
    step_work(batch, first + hidden * hidden + hidden * classes, first)
}

/// Multiply-adds of the blocks for one sequence, whose attention sees a share of `1/hidden` of the scores.
fn blocks_work(bench: &Bench, length: usize, hidden: usize) -> usize {
    let [layers, width] = ["layers", "width"].map(|name| bench.size(name));
    layers * (12 * width * width * length + 2 * length * length * width / hidden)
}

fn gpt_work(bench: &Bench) -> Work {
    let [batch, width, length, vocab] =
        ["batch", "width", "length", "vocab"].map(|name| bench.size(name));
    step_work(
        batch,
        blocks_work(bench, length, 2) + length * width * vocab,
        0,
    )
}

fn vit_work(bench: &Bench) -> Work {
    let [batch, width, side, patch] =
        ["batch", "width", "side", "patch"].map(|name| bench.size(name));
    let first = side * side * 3 * width;
    let length = (side / patch).pow(2) + 1;
    step_work(batch, first + blocks_work(bench, length, 1), first)
}

fn convnet_work(bench: &Bench) -> Work {
    let side = bench.size("side");
    let first = side * side * 27 * 32;
    let second = side * side / 4 * 9 * 32 * 64;
    step_work(bench.size("batch"), first + second, first)
}

fn resnet_work(bench: &Bench) -> Work {
    let [batch, depth, side] = ["batch", "depth", "side"].map(|name| bench.size(name));
    let first = side * side * 27 * 16;
    // A stage has a quarter of the places of the one before, and four times its weights.
    let layer = side * side * 9 * 16 * 16;
    // The first layer of a later stage has half the inputs.
    let all = first + (depth - 2) * layer - layer;
    step_work(batch, all, first)
}

fn lenet_work(bench: &Bench) -> Work {
    let first = 28 * 28 * 25 * 6;
    let dense = 400 * 120 + 120 * 84 + 84 * 10;
    step_work(
        bench.size("batch"),
        first + 100 * 25 * 6 * 16 + dense,
        first,
    )
}

fn device() -> Device {
    let device = Device::flex().autodiff();
    device.seed(1);
    device
}

fn pictures(rows: usize, channels: usize, side: usize, device: &Device) -> Input {
    let shape = [rows, channels, side, side];
    Input::Images(Tensor::random(
        shape,
        Distribution::Normal(0.0, 1.0),
        device,
    ))
}

/// A training step of a backbone on one batch, with labels that go through all classes.
fn step(
    config: BackboneConfig,
    device: &Device,
    input: Input,
    answers: usize,
    classes: usize,
) -> Box<dyn FnMut()> {
    let mut model: Option<Backbone> = Some(config.init(device).expect("valid sizes"));
    let mut optimizer = ModuleOptimizer::from(AdamW::default());
    let labels: Vec<i64> = (0..answers).map(|row| (row % classes) as i64).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [answers]), device);
    Box::new(move || {
        let current = model.take().expect("put back below");
        let answer = current
            .answer(input.clone(), Context::training(1))
            .expect("inputs that it takes");
        let loss = cross_entropy(answer.output, labels.clone(), CrossEntropy::default());
        let gradients = GradientsParams::from_grads(loss.backward(), &current);
        model = Some(optimizer.step(1e-3, current, gradients));
    })
}

fn mlp(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device();
    let [batch, input, hidden, classes] =
        ["batch", "input", "hidden", "classes"].map(|name| bench.size(name));
    let config = BackboneConfig::Mlp(MlpConfig::new(input, vec![hidden, hidden], classes));
    let x = Tensor::random([batch, input], Distribution::Uniform(0.0, 1.0), &device);
    step(config, &device, Input::Features(x), batch, classes)
}

fn gpt(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device();
    let [batch, layers, width, heads, length, vocab] =
        ["batch", "layers", "width", "heads", "length", "vocab"].map(|name| bench.size(name));
    let config = BackboneConfig::Gpt(GptConfig::gpt2(vocab, length, layers, width, heads));
    let tokens: Vec<i64> = (0..batch * length)
        .map(|i| (i * 7_919 % vocab) as i64)
        .collect();
    let tokens = Tensor::from_data(TensorData::new(tokens, [batch, length]), &device);
    step(
        config,
        &device,
        Input::Tokens(tokens),
        batch * length,
        vocab,
    )
}

fn vit(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device();
    let [batch, layers, width, heads, side, patch, classes] = [
        "batch", "layers", "width", "heads", "side", "patch", "classes",
    ]
    .map(|name| bench.size(name));
    let blocks = BlocksConfig::new(layers, width, heads);
    let config = BackboneConfig::Vit(VitConfig::new(3, [side, side], patch, classes, blocks));
    let x = pictures(batch, 3, side, &device);
    step(config, &device, x, batch, classes)
}

fn convnet(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device();
    let [batch, side, classes] = ["batch", "side", "classes"].map(|name| bench.size(name));
    let config = BackboneConfig::Convnet(ConvnetConfig::new(3, [side, side], classes));
    let x = pictures(batch, 3, side, &device);
    step(config, &device, x, batch, classes)
}

fn resnet(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device();
    let [batch, depth, side, classes] =
        ["batch", "depth", "side", "classes"].map(|name| bench.size(name));
    let config = BackboneConfig::Resnet(ResnetConfig::new(depth, 3, classes));
    let x = pictures(batch, 3, side, &device);
    step(config, &device, x, batch, classes)
}

fn lenet(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device();
    let [batch, classes] = ["batch", "classes"].map(|name| bench.size(name));
    let config = BackboneConfig::Lenet(LenetConfig::new(1, [28, 28], classes));
    let x = pictures(batch, 1, 28, &device);
    step(config, &device, x, batch, classes)
}

/// Text with a key–value cache, the likeliest token each time.
fn generate(bench: &Bench) -> Box<dyn FnMut()> {
    let [layers, width, heads, context, vocab, prompt, tokens] = [
        "layers", "width", "heads", "context", "vocab", "prompt", "tokens",
    ]
    .map(|name| bench.size(name));
    let device = Device::flex();
    device.seed(1);
    let gpt = GptConfig::gpt2(vocab, context, layers, width, heads);
    let gpt = gpt.init(&device).expect("valid sizes");
    let prompt: Vec<usize> = (0..prompt).map(|i| i * 7_919 % vocab).collect();
    let config = GenerateConfig {
        sampling: Sampling::GREEDY,
        ..GenerateConfig::new(tokens)
    };
    Box::new(move || {
        let text = gpt
            .generate(prompt.clone(), &config)
            .expect("a valid prompt");
        assert_eq!(text.filter(Result::is_ok).count(), config.tokens);
    })
}

/// Starts this program in another process, for its first training step.
fn startup(_: &Bench) -> Box<dyn FnMut()> {
    let program = std::env::current_exe().expect("this program runs from a file");
    let threads = rayon::current_num_threads().to_string();
    Box::new(move || {
        let status = Command::new(&program)
            .args(["bench", "backbones", START_OPTION, FIRST_STEP])
            .args(["--threads", &threads])
            .status()
            .expect("the program that runs can be started again");
        assert!(status.success(), "the first step ended with {status}");
    })
}
