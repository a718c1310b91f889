use super::{Sizes, at_scales, both, bytes, device, indices, normal, run, shuffled};
use burn::tensor::Tensor;
use offprint_kernels::{
    CrossEntropy, Order, argmax, batch_norm, batch_norm_inference, cross_entropy, embedding,
    gather_rows, layer_norm, log_softmax, rms_norm, scatter_add, softmax, sort, top_k,
};
use offprint_lab::bench::{Bench, Group, Work};

const SCORES: Group = Group::new("softmax, selection");
const NORMS: Group = Group::new("norms");
const LOOKUPS: Group = Group::new("lookups");

const TABLES: [Sizes; 3] = [
    &[("rows", 256), ("entries", 256), ("width", 64)],
    &[("rows", 4096), ("entries", 8192), ("width", 128)],
    &[("rows", 65_536), ("entries", 65_536), ("width", 256)],
];
const PICKS: [Sizes; 3] = [
    &[("rows", 128), ("picked", 256), ("width", 64)],
    &[("rows", 2048), ("picked", 4096), ("width", 256)],
    &[("rows", 32_768), ("picked", 65_536), ("width", 256)],
];
const SHEETS: [Sizes; 3] = [
    &[("rows", 64), ("columns", 256)],
    &[("rows", 4096), ("columns", 256)],
    &[("rows", 32_768), ("columns", 512)],
];
const TOPS: [Sizes; 3] = [
    &[("rows", 512), ("columns", 16), ("k", 4)],
    &[("rows", 4096), ("columns", 256), ("k", 2)],
    &[("rows", 32_768), ("columns", 512), ("k", 8)],
];
const STREAMS: [Sizes; 3] = [
    &[("rows", 128), ("width", 128)],
    &[("rows", 2048), ("width", 512)],
    &[("rows", 32_768), ("width", 512)],
];
const CHANNELS: [Sizes; 3] = [
    &[("batch", 4), ("channels", 16), ("side", 16)],
    &[("batch", 64), ("channels", 32), ("side", 32)],
    &[("batch", 256), ("channels", 64), ("side", 32)],
];

pub(super) fn benches() -> Vec<Bench> {
    let bar = Some(0.7);
    [
        both!(SCORES, "softmax", bar, SHEETS, sheet_work, |b, back| sheet(
            b, back, softmax
        )),
        both!(SCORES, "log-softmax", bar, SHEETS, sheet_work, |b, back| {
            sheet(b, back, log_softmax)
        }),
        both!(
            SCORES,
            "cross-entropy",
            bar,
            SHEETS,
            sheet_work,
            |b, back| losses(b, back, CrossEntropy::default())
        ),
        both!(
            SCORES,
            "label-smoothing",
            bar,
            SHEETS,
            sheet_work,
            |b, back| losses(
                b,
                back,
                CrossEntropy {
                    label_smoothing: 0.1,
                    ignored: Some(-100),
                }
            )
        ),
        both!(SCORES, "top-k", bar, TOPS, sheet_work, |b: &Bench, back| {
            let k = b.size("k");
            sheet(b, back, move |x| top_k(x, k).0)
        }),
        both!(SCORES, "sort", None, SHEETS, sheet_work, |b, back| sheet(
            b,
            back,
            |x| sort(x, Order::Ascending).0
        )),
        at_scales(
            SCORES,
            "argmax",
            bar,
            SHEETS,
            |b| sheet_work(b, false),
            |b| {
                let x = normal(["rows", "columns"].map(|name| b.size(name)), &device(false));
                Box::new(move || drop(argmax(x.clone())))
            },
        ),
        both!(NORMS, "layer-norm", bar, STREAMS, stream_work, |b, back| {
            stream(b, back, |x, w, b| layer_norm(x, w, Some(b), 1e-5))
        }),
        both!(NORMS, "rms-norm", bar, STREAMS, stream_work, |b, back| {
            stream(b, back, |x, w, _| rms_norm(x, w, 1e-6))
        }),
        both!(
            NORMS,
            "batch-norm",
            bar,
            CHANNELS,
            channel_work,
            |b, back| channels(b, back, |x, w, b| {
                batch_norm(x, w, b, None, false, 1e-5).0
            })
        ),
        both!(
            NORMS,
            "batch-norm-eval",
            bar,
            CHANNELS,
            channel_work,
            |b, back| channels(b, back, |x, w, b| {
                let (mean, variance) = (b.zeros_like().detach(), w.ones_like().detach());
                batch_norm_inference(x, w, b, mean, variance, None, false, 1e-5)
            })
        ),
        both!(LOOKUPS, "embedding", None, TABLES, table_work, table),
        both!(LOOKUPS, "gather", None, PICKS, picks_work, |b, back| picks(
            b, back, false
        )),
        both!(
            LOOKUPS,
            "scatter-add",
            None,
            PICKS,
            picks_work,
            |b, back| picks(b, back, true)
        ),
    ]
    .concat()
}

fn sheet_work(bench: &Bench, both: bool) -> Work {
    let count = (bench.size("rows") * bench.size("columns")) as f64;
    bytes(2.0 * count, 3.0 * count)(both)
}

fn stream_work(bench: &Bench, both: bool) -> Work {
    let count = (bench.size("rows") * bench.size("width")) as f64;
    bytes(2.0 * count, 3.0 * count)(both)
}

fn channel_work(bench: &Bench, both: bool) -> Work {
    let side = bench.size("side");
    let count = (bench.size("batch") * bench.size("channels") * side * side) as f64;
    bytes(2.0 * count, 3.0 * count)(both)
}

fn table_work(bench: &Bench, both: bool) -> Work {
    let count = (bench.size("rows") * bench.size("width")) as f64;
    let table = (bench.size("entries") * bench.size("width")) as f64;
    bytes(2.0 * count, 2.0 * count + table)(both)
}

fn picks_work(bench: &Bench, both: bool) -> Work {
    let count = (bench.size("picked") * bench.size("width")) as f64;
    bytes(2.0 * count, 2.0 * count)(both)
}

fn sheet(
    bench: &Bench,
    backward: bool,
    f: impl Fn(Tensor<2>) -> Tensor<2> + 'static,
) -> Box<dyn FnMut()> {
    let x = normal(
        ["rows", "columns"].map(|name| bench.size(name)),
        &device(backward),
    );
    run(backward, move || f(x.clone()))
}

fn losses(bench: &Bench, backward: bool, options: CrossEntropy) -> Box<dyn FnMut()> {
    let device = device(backward);
    let [rows, columns] = ["rows", "columns"].map(|name| bench.size(name));
    let x = normal([rows, columns], &device);
    let mut targets = shuffled(rows, columns);
    if let Some(ignored) = options.ignored {
        targets
            .iter_mut()
            .step_by(16)
            .for_each(|target| *target = ignored);
    }
    let targets = indices(targets, [rows], &device);
    run(backward, move || {
        cross_entropy(x.clone(), targets.clone(), options)
    })
}

fn stream(
    bench: &Bench,
    backward: bool,
    f: fn(Tensor<2>, Tensor<1>, Tensor<1>) -> Tensor<2>,
) -> Box<dyn FnMut()> {
    let device = device(backward);
    let [rows, width] = ["rows", "width"].map(|name| bench.size(name));
    let x = normal([rows, width], &device);
    let (weight, bias) = (normal([width], &device), normal([width], &device));
    run(backward, move || f(x.clone(), weight.clone(), bias.clone()))
}

fn channels(
    bench: &Bench,
    backward: bool,
    f: fn(Tensor<4>, Tensor<1>, Tensor<1>) -> Tensor<4>,
) -> Box<dyn FnMut()> {
    let device = device(backward);
    let [batch, channels, side] = ["batch", "channels", "side"].map(|name| bench.size(name));
    let x = normal([batch, channels, side, side], &device);
    let (weight, bias) = (normal([channels], &device), normal([channels], &device));
    run(backward, move || f(x.clone(), weight.clone(), bias.clone()))
}

fn table(bench: &Bench, backward: bool) -> Box<dyn FnMut()> {
    let device = device(backward);
    let [rows, entries, width] = ["rows", "entries", "width"].map(|name| bench.size(name));
    let weight = normal([entries, width], &device);
    let ids = indices(shuffled(rows, entries), [1, rows], &device);
    run(backward, move || embedding(weight.clone(), ids.clone()))
}

fn picks(bench: &Bench, backward: bool, scatter: bool) -> Box<dyn FnMut()> {
    let [rows, picked, width] = ["rows", "picked", "width"].map(|name| bench.size(name));
    let places: Vec<usize> = shuffled(picked, rows)
        .into_iter()
        .map(|i| i as usize)
        .collect();
    let x = normal(
        [if scatter { picked } else { rows }, width],
        &device(backward),
    );
    run(backward, move || match scatter {
        true => scatter_add(x.clone(), &places, rows),
        false => gather_rows(x.clone(), &places),
    })
}
