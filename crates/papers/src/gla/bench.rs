//! GLA's heart, Mamba's scan and one training step, timed; and heart and attention by the length of the sequence.

use burn::{
    optim::{GradientsParams, ModuleOptimizer},
    tensor::{Device, Distribution, Int, Tensor, TensorData},
};
use offprint_backbones::{
    Biases, BlocksConfig, ChannelMixer, GenerateConfig, GptConfig, Positions, Sampling,
};
use offprint_kernels::{
    AdamW, Attention, CrossEntropy, attention, backward_from,
    gated_recurrence::{Decay, Sequence, chunked},
    selective_scan,
};
use offprint_lab::bench::{Bars, Bench, Group, Work};
use offprint_layers::{Activation, Context, NormKind, TokenMixer};

const GLA: Group = Group::new("gla");
const LENGTHS: Group = Group::new("by length");

const STEP: Bars = Bars {
    ratio: Some(1.0),
    memory: Some(1.0),
    ms: None,
};

type Sizes = &'static [(&'static str, u64)];

/// The benches; sizes as the peer script names them.
pub fn benches() -> Vec<Bench> {
    let heart = |name, sizes, work, prepare| Bench {
        sizes,
        bars: Bars::ratio(0.5),
        work,
        ..Bench::new(name, GLA, prepare)
    };
    let mut benches = vec![
        heart(
            "recurrence",
            &[
                ("batch", 4),
                ("length", 1024),
                ("heads", 4),
                ("keys", 32),
                ("values", 64),
            ],
            |bench| recurrence_work(bench, 3.5),
            |bench| recurrence(bench, true),
        ),
        heart(
            "recurrence-wide",
            &[
                ("batch", 1),
                ("length", 2048),
                ("heads", 4),
                ("keys", 128),
                ("values", 256),
            ],
            |bench| recurrence_work(bench, 3.5),
            |bench| recurrence(bench, true),
        ),
        heart(
            "selective-scan",
            &[("batch", 2), ("length", 256), ("channels", 256), ("n", 16)],
            |_| Work::default(),
            scan,
        ),
        Bench {
            sizes: MODEL,
            bars: STEP,
            ..Bench::new("step", GLA, step)
        },
        Bench {
            sizes: &[
                ("tokens", 64),
                ("layers", 4),
                ("width", 128),
                ("heads", 4),
                ("vocab", 256),
            ],
            bars: Bars::ratio(1.0),
            ..Bench::new("generate", GLA, generate)
        },
    ];
    const BY_LENGTH: [(&str, &str, Sizes); 5] = [
        (
            "gla-1024",
            "attention-1024",
            &[
                ("batch", 1),
                ("length", 1024),
                ("heads", 2),
                ("keys", 64),
                ("values", 64),
            ],
        ),
        (
            "gla-4096",
            "attention-4096",
            &[
                ("batch", 1),
                ("length", 4096),
                ("heads", 2),
                ("keys", 64),
                ("values", 64),
            ],
        ),
        (
            "gla-8192",
            "attention-8192",
            &[
                ("batch", 1),
                ("length", 8192),
                ("heads", 2),
                ("keys", 64),
                ("values", 64),
            ],
        ),
        (
            "gla-16384",
            "attention-16384",
            &[
                ("batch", 1),
                ("length", 16384),
                ("heads", 2),
                ("keys", 64),
                ("values", 64),
            ],
        ),
        (
            "gla-32768",
            "attention-32768",
            &[
                ("batch", 1),
                ("length", 32768),
                ("heads", 2),
                ("keys", 64),
                ("values", 64),
            ],
        ),
    ];
    for (gla, softmax, sizes) in BY_LENGTH {
        benches.push(Bench {
            sizes,
            work: |bench| recurrence_work(bench, 1.0),
            ..Bench::new(gla, LENGTHS, |bench| recurrence(bench, false))
        });
        benches.push(Bench {
            sizes,
            work: causal_attention_work,
            ..Bench::new(softmax, LENGTHS, softmax_attention)
        });
    }
    benches
}

const MODEL: Sizes = &[
    ("batch", 16),
    ("layers", 4),
    ("width", 128),
    ("heads", 4),
    ("length", 128),
    ("vocab", 256),
];

/// Two products with the state and two within the chunk for each position forward; backward about two and a half times that.
fn recurrence_work(bench: &Bench, passes: f64) -> Work {
    let [batch, length, heads, keys, values] =
        ["batch", "length", "heads", "keys", "values"].map(|name| bench.size(name) as f64);
    let each = 4.0 * keys * values + 2.0 * 16.0 * (keys + values);
    Work::flops(passes * batch * length * heads * each)
}

/// Two products of half of all pairs of positions.
fn causal_attention_work(bench: &Bench) -> Work {
    let [batch, length, heads, dim] =
        ["batch", "length", "heads", "keys"].map(|name| bench.size(name) as f64);
    Work::flops(2.0 * batch * heads * length * length * dim)
}

fn device(backward: bool) -> Device {
    let device = Device::default();
    let device = if backward { device.autodiff() } else { device };
    device.seed(1);
    device
}

fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let x = Tensor::random(shape, Distribution::Normal(0.0, 1.0), device);
    match device.clone().is_autodiff() {
        true => x.require_grad(),
        false => x,
    }
}

fn recurrence(bench: &Bench, backward: bool) -> Box<dyn FnMut()> {
    let device = device(backward);
    let [batch, length, heads, keys, values] =
        ["batch", "length", "heads", "keys", "values"].map(|name| bench.size(name));
    let key = || normal([batch, length, heads, keys], &device);
    let (q, k) = (key(), key());
    let v = normal([batch, length, heads, values], &device);
    // As a gate is at first: about 0.96 at each position.
    let ends = Distribution::Uniform(-0.1, 0.0);
    let decay = Tensor::random([batch, length, heads, keys], ends, &device);
    let decay = if backward {
        decay.require_grad()
    } else {
        decay
    };
    let cotangent = Tensor::ones([batch, length, heads, values], &device.clone().inner());
    Box::new(move || {
        let decay = Decay::Channels(decay.clone());
        let o = chunked(Sequence::new(q.clone(), k.clone(), v.clone(), decay));
        if backward {
            drop(backward_from(o, cotangent.clone()));
        }
    })
}

fn softmax_attention(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device(false);
    let [batch, length, heads, dim] =
        ["batch", "length", "heads", "keys"].map(|name| bench.size(name));
    let x = || normal([batch, length, heads, dim], &device);
    let (q, k, v) = (x(), x(), x());
    let options = Attention {
        causal: true,
        ..Attention::default()
    };
    Box::new(move || drop(attention(q.clone(), k.clone(), v.clone(), None, &options)))
}

fn scan(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device(true);
    let [batch, length, channels, n] =
        ["batch", "length", "channels", "n"].map(|name| bench.size(name));
    let u = normal([batch, length, channels], &device);
    let steps = Distribution::Uniform(0.001, 0.1);
    let delta = Tensor::random([batch, length, channels], steps, &device).require_grad();
    let a = Tensor::random([channels, n], Distribution::Uniform(-16.0, -1.0), &device);
    let a = a.require_grad();
    let row = || normal([batch, length, n], &device);
    let (b, c) = (row(), row());
    let cotangent = Tensor::ones([batch, length, channels], &device.clone().inner());
    Box::new(move || {
        let (u, delta, a) = (u.clone(), delta.clone(), a.clone());
        let y = selective_scan(u, delta, a, b.clone(), c.clone(), None);
        drop(backward_from(y, cotangent.clone()));
    })
}

fn model(bench: &Bench) -> GptConfig {
    let width = bench.size("width");
    GptConfig {
        vocabulary: bench.size("vocab"),
        context: 1 << 20,
        positions: Positions::None,
        tied: true,
        blocks: BlocksConfig {
            hidden: Some((width * 8).div_ceil(3).next_multiple_of(8)),
            token_mixer: TokenMixer::Gla,
            channel_mixer: ChannelMixer::Gated,
            activation: Activation::Silu,
            norm: NormKind::Rms,
            bias: Biases::all(false),
            deviation: super::study::deviation(width),
            ..BlocksConfig::new(bench.size("layers"), width, bench.size("heads"))
        },
    }
}

fn tokens(rows: usize, length: usize, device: &Device) -> Tensor<2, Int> {
    let tokens = (0..rows * length).map(|i| (i * i % 251) as i64).collect();
    Tensor::from_data(TensorData::new::<i64, _>(tokens, [rows, length]), device)
}

/// A whole training step of a GLA Transformer.
fn step(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device(true);
    let (batch, length) = (bench.size("batch"), bench.size("length"));
    let mut gpt = Some(model(bench).init(&device).expect("valid sizes"));
    let mut optimizer = ModuleOptimizer::from(AdamW::default());
    let x = tokens(batch, length, &device);
    let targets = tokens(1, batch * length, &device).reshape([batch * length]);
    Box::new(move || {
        let current = gpt.take().expect("put back below");
        let output = current
            .forward(x.clone(), Context::training(0))
            .expect("tokens of the vocabulary");
        let loss = output.loss(targets.clone(), CrossEntropy::default());
        let gradients = GradientsParams::from_grads(loss.backward(), &current);
        gpt = Some(optimizer.step(1e-3, current, gradients));
    })
}

/// Tokens one after the other, in constant memory.
fn generate(bench: &Bench) -> Box<dyn FnMut()> {
    let device = device(false);
    let gpt = model(bench).init(&device).expect("valid sizes");
    let config = GenerateConfig {
        sampling: Sampling::GREEDY,
        ..GenerateConfig::new(bench.size("tokens"))
    };
    Box::new(move || {
        let tokens = gpt.generate([1], &config).expect("valid settings");
        assert_eq!(tokens.filter_map(Result::ok).count(), config.tokens);
    })
}
