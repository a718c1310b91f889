use super::{Sizes, both, device, normal, run};
use burn::tensor::{Tensor, TensorData};
use offprint_kernels::{Attention, Dropout, attention};
use offprint_lab::bench::{Bench, Group, Work};

const ATTENTION: Group = Group::new("attention");

const SELF: [Sizes; 3] = [
    &[("batch", 1), ("heads", 4), ("queries", 64), ("dim", 32)],
    &[("batch", 16), ("heads", 4), ("queries", 128), ("dim", 32)],
    &[("batch", 1), ("heads", 8), ("queries", 2048), ("dim", 64)],
];
const CROSS: [Sizes; 3] = [
    &[
        ("batch", 1),
        ("heads", 4),
        ("queries", 32),
        ("keys", 96),
        ("dim", 32),
    ],
    &[
        ("batch", 16),
        ("heads", 4),
        ("queries", 64),
        ("keys", 192),
        ("dim", 32),
    ],
    &[
        ("batch", 1),
        ("heads", 8),
        ("queries", 1024),
        ("keys", 4096),
        ("dim", 64),
    ],
];
const GROUPED: [Sizes; 3] = [
    &[
        ("batch", 1),
        ("heads", 4),
        ("kv_heads", 2),
        ("queries", 64),
        ("dim", 32),
    ],
    &[
        ("batch", 16),
        ("heads", 8),
        ("kv_heads", 2),
        ("queries", 128),
        ("dim", 32),
    ],
    &[
        ("batch", 1),
        ("heads", 8),
        ("kv_heads", 2),
        ("queries", 2048),
        ("dim", 64),
    ],
];

pub(super) fn benches() -> Vec<Bench> {
    const FULL: Attention = Attention {
        causal: false,
        scale: None,
        dropout: None,
    };
    const CAUSAL: Attention = Attention {
        causal: true,
        ..FULL
    };
    const DROPPING: Attention = Attention {
        dropout: Some(Dropout {
            probability: 0.1,
            seed: 1,
        }),
        ..CAUSAL
    };
    let bar = Some(1.0);
    [
        both!(
            ATTENTION,
            "attention",
            bar,
            SELF,
            |b, back| work(b, back, 1.0),
            |b, back| heads(b, back, FULL, false)
        ),
        both!(
            ATTENTION,
            "attention-causal",
            bar,
            SELF,
            |b, back| work(b, back, 0.5),
            |b, back| heads(b, back, CAUSAL, false)
        ),
        both!(
            ATTENTION,
            "attention-masked",
            bar,
            SELF,
            |b, back| work(b, back, 1.0),
            |b, back| heads(b, back, FULL, true)
        ),
        both!(
            ATTENTION,
            "attention-cross",
            bar,
            CROSS,
            |b, back| work(b, back, 1.0),
            |b, back| heads(b, back, FULL, false)
        ),
        both!(
            ATTENTION,
            "attention-grouped",
            bar,
            GROUPED,
            |b, back| work(b, back, 0.5),
            |b, back| heads(b, back, CAUSAL, false)
        ),
        both!(
            ATTENTION,
            "attention-dropout",
            bar,
            SELF,
            |b, back| work(b, back, 0.5),
            |b, back| heads(b, back, DROPPING, false)
        ),
    ]
    .concat()
}

fn optional(bench: &Bench, name: &str, otherwise: &str) -> usize {
    let given = bench.sizes.iter().any(|(known, _)| *known == name);
    bench.size(if given { name } else { otherwise })
}

/// Two products forward, five backward, over the share of the scores that is seen.
fn work(bench: &Bench, both: bool, seen: f64) -> Work {
    let [batch, heads, queries, dim] =
        ["batch", "heads", "queries", "dim"].map(|name| bench.size(name) as f64);
    let keys = optional(bench, "keys", "queries") as f64;
    let products = if both { 7.0 } else { 2.0 };
    Work::flops(products * seen * 2.0 * batch * heads * queries * keys * dim)
}

/// `masked` lets each query see three keys of four.
fn heads(bench: &Bench, backward: bool, options: Attention, masked: bool) -> Box<dyn FnMut()> {
    let device = device(backward);
    let [batch, heads, queries, dim] =
        ["batch", "heads", "queries", "dim"].map(|name| bench.size(name));
    let keys = optional(bench, "keys", "queries");
    let kv_heads = optional(bench, "kv_heads", "heads");
    let q = normal([batch, queries, heads, dim], &device);
    let k = normal([batch, keys, kv_heads, dim], &device);
    let v = normal([batch, keys, kv_heads, dim], &device);
    let bias = masked.then(|| {
        let hidden = |i: usize| if i % 4 == 3 { f32::NEG_INFINITY } else { 0.0 };
        let values: Vec<f32> = (0..batch * queries * keys).map(hidden).collect();
        Tensor::from_data(TensorData::new(values, [batch, 1, queries, keys]), &device)
    });
    run(backward, move || {
        attention(q.clone(), k.clone(), v.clone(), bias.clone(), &options)
    })
}
