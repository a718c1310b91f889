//! How much work a training step is, counted rather than timed: kernels run, arrays allocated, memory held at once.
//!
//! One test, since the counts are those of the whole process. A change of the counts is no mistake by itself; it must be
//! meant, and then the table here says so.

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use offprint_backbones::{
    Backbone, BackboneConfig, BlocksConfig, ConvnetConfig, GptConfig, Input, LenetConfig,
    MlpConfig, ResnetConfig, VitConfig,
};
use offprint_kernels::{AdamW, CrossEntropy, allocations, cross_entropy, operations};
use offprint_layers::Context;

/// Of one step: kernels forward and backward, large arrays asked for, and how many of them no kept memory would do for.
#[derive(Debug)]
struct Counts {
    forward: u64,
    backward: u64,
    arrays: u64,
    fresh: u64,
}

fn step(config: &BackboneConfig, input: &Input, answers: usize, classes: usize) -> Counts {
    let device = Device::flex().autodiff();
    device.seed(1);
    let mut model: Backbone = config.init(&device).unwrap();
    let mut optimizer = ModuleOptimizer::from(AdamW::default());
    let labels: Vec<i64> = (0..answers).map(|row| (row % classes) as i64).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [answers]), &device);
    let mut counts = None;
    // The third step finds the memory of the others.
    for _ in 0..3 {
        let (runs, arrays) = (operations(), allocations());
        let answer = model.answer(input.clone(), Context::training(1)).unwrap();
        let loss = cross_entropy(answer.output, labels.clone(), CrossEntropy::default());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-3, model, gradients);
        counts = Some(Counts {
            forward: operations().forward - runs.forward,
            backward: operations().backward - runs.backward,
            arrays: allocations().taken - arrays.taken,
            fresh: allocations().fresh - arrays.fresh,
        });
    }
    counts.unwrap()
}

fn pictures(rows: usize, channels: usize, side: usize) -> Input {
    Input::Images(Tensor::random(
        [rows, channels, side, side],
        Distribution::Normal(0.0, 1.0),
        &Device::flex().autodiff(),
    ))
}

fn tokens(rows: usize, length: usize) -> Input {
    let values: Vec<i64> = (0..rows * length).map(|i| (i * 37 % 256) as i64).collect();
    let data = TensorData::new(values, [rows, length]);
    Input::Tokens(Tensor::from_data(data, &Device::flex().autodiff()))
}

#[test]
fn work_of_a_training_step() {
    let features = Input::Features(Tensor::ones([128, 784], &Device::flex().autodiff()));
    let blocks = BlocksConfig::new(2, 96, 3);
    let counted = [
        (
            "mlp",
            step(
                &BackboneConfig::Mlp(MlpConfig::new(784, vec![512, 512], 10)),
                &features,
                128,
                10,
            ),
        ),
        (
            "gpt",
            step(
                &BackboneConfig::Gpt(GptConfig::gpt2(256, 64, 2, 128, 4)),
                &tokens(8, 64),
                512,
                256,
            ),
        ),
        (
            "llama",
            step(
                &BackboneConfig::Gpt(GptConfig::llama(256, 64, 2, 128, 4, 2)),
                &tokens(8, 64),
                512,
                256,
            ),
        ),
        (
            "vit",
            step(
                &BackboneConfig::Vit(VitConfig::new(3, [32, 32], 4, 10, blocks)),
                &pictures(8, 3, 32),
                8,
                10,
            ),
        ),
        (
            "convnet",
            step(
                &BackboneConfig::Convnet(ConvnetConfig::new(3, [32, 32], 10)),
                &pictures(16, 3, 32),
                16,
                10,
            ),
        ),
        (
            "resnet20",
            step(
                &BackboneConfig::Resnet(ResnetConfig::new(20, 3, 10)),
                &pictures(16, 3, 32),
                16,
                10,
            ),
        ),
        (
            "lenet",
            step(
                &BackboneConfig::Lenet(LenetConfig::new(1, [28, 28], 10)),
                &pictures(64, 1, 28),
                64,
                10,
            ),
        ),
    ];
    // Kernels forward and backward, arrays.
    let expected: [(&str, [u64; 3]); 7] = [
        ("mlp", [4, 4, 7]),
        ("gpt", [23, 23, 46]),
        ("llama", [26, 26, 55]),
        ("vit", [23, 23, 42]),
        ("convnet", [6, 6, 10]),
        ("resnet20", [45, 45, 105]),
        ("lenet", [8, 8, 14]),
    ];
    for ((name, counts), (known, expected)) in counted.iter().zip(expected) {
        assert_eq!(*name, known);
        let given = [counts.forward, counts.backward, counts.arrays];
        assert_eq!(given, expected, "{name}; all: {counted:#?}");
        // Most of them come from memory that an earlier step has left.
        assert!(counts.fresh < counts.arrays, "{name}: {counts:?}");
    }
}
