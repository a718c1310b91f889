use super::*;
use crate::blocks::NormPlace;
use crate::channel_mixer::{ExpertsConfig, GateKind};
use crate::error::BackbonesError;
use crate::testing::{assert_all_learn, device};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::TensorData;
use offprint_kernels::CrossEntropy;
use offprint_layers::{Quantizer, TokenMixer};

fn gpt2() -> GptConfig {
    GptConfig::gpt2(11, 8, 2, 12, 3)
}

fn llama() -> GptConfig {
    GptConfig::llama(11, 8, 2, 16, 4, 2)
}

/// The two models, and one with each of the other token mixers.
fn models() -> Vec<GptConfig> {
    let mixers = [
        TokenMixer::Gla,
        TokenMixer::Retention,
        TokenMixer::LinearAttention,
        TokenMixer::Mamba,
    ];
    let mixed = mixers.map(|token_mixer| GptConfig {
        positions: Positions::None,
        blocks: BlocksConfig {
            token_mixer,
            kv_heads: None,
            ..llama().blocks
        },
        ..llama()
    });
    [gpt2(), llama()].into_iter().chain(mixed).collect()
}

/// Reproducible tokens below 11.
fn tokens(batch: usize, length: usize) -> Tensor<2, Int> {
    let values: Vec<i64> = (0..batch * length)
        .map(|i| (i * i + 3) as i64 % 11)
        .collect();
    Tensor::from_data(TensorData::new(values, [batch, length]), &device())
}

fn difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
    (a.inner() - b.inner()).abs().max().into_scalar::<f32>()
}

fn loss(gpt: &Gpt, context: Context) -> Tensor<1> {
    let text = tokens(2, 7);
    let targets = text.clone().narrow(1, 1, 6).reshape([12]);
    let output = gpt.forward(text.narrow(1, 0, 6), context).unwrap();
    output.loss(targets, CrossEntropy::default())
}

#[test]
fn every_parameter_learns() {
    for config in models() {
        let gpt = config.init(&device()).unwrap();
        assert_all_learn(&gpt, &loss(&gpt, Context::training(0)).backward());
    }
}

#[test]
fn a_future_token_changes_nothing_before_it() {
    for config in models() {
        let gpt = config.init(&device()).unwrap();
        let text = tokens(1, 8);
        let logits = |text| gpt.forward(text, Context::EVALUATION).unwrap().output;
        let whole = logits(text.clone());
        let other = Tensor::cat(vec![text.clone().narrow(1, 0, 5), tokens(1, 3)], 1);
        let changed = logits(other);
        let before = |logits: &Tensor<3>| logits.clone().narrow(1, 0, 5);
        assert_eq!(difference(before(&whole), before(&changed)), 0.0);
        assert!(difference(whole.narrow(1, 5, 3), changed.narrow(1, 5, 3)) > 1e-4);
    }
}

#[test]
fn cached_and_uncached_logits_agree() {
    for config in models() {
        let gpt = config.init(&device()).unwrap();
        let text = tokens(2, 8);
        let whole = gpt
            .forward(text.clone(), Context::EVALUATION)
            .unwrap()
            .output;
        let mut state = gpt.state();
        for (first, length) in [(0, 4), (4, 1), (5, 1), (6, 2)] {
            let next = gpt
                .next(text.clone().narrow(1, first, length), &mut state)
                .unwrap();
            let last = first + length;
            assert_eq!(state.position(), last);
            let expected = whole.clone().narrow(1, last - 1, 1).reshape([2, 11]);
            assert!(difference(next, expected) < 1e-6);
        }
        let error = gpt.next(text.narrow(1, 0, 1), &mut state).unwrap_err();
        assert_eq!(
            error.to_string(),
            "position 8 is beyond the context of 8 positions"
        );
        assert_eq!(state.position(), 8);
    }
}

#[test]
fn greedy_generation_takes_the_likeliest_token() {
    let gpt = llama().init(&device()).unwrap();
    let config = GenerateConfig {
        sampling: Sampling::GREEDY,
        ..GenerateConfig::new(5)
    };
    let generated: Vec<usize> = gpt
        .generate([3, 1], &config)
        .unwrap()
        .collect::<Result<_>>()
        .unwrap();
    assert_eq!(generated.len(), 5);
    let mut text = vec![3_i64, 1];
    for token in &generated {
        let shape = [1, text.len()];
        let input = Tensor::from_data(TensorData::new(text.clone(), shape), &device());
        let logits = gpt.forward(input, Context::EVALUATION).unwrap().output;
        let last = logits.narrow(1, text.len() - 1, 1).argmax(2);
        assert_eq!(last.into_scalar::<i64>(), *token as i64);
        text.push(*token as i64);
    }
}

#[test]
fn generation_follows_its_seed_and_stops() {
    let gpt = gpt2().init(&device()).unwrap();
    let text = |seed| -> Vec<usize> {
        let config = GenerateConfig {
            seed,
            ..GenerateConfig::new(7)
        };
        gpt.generate([1, 2], &config)
            .unwrap()
            .collect::<Result<_>>()
            .unwrap()
    };
    assert_eq!(text(1), text(1));
    assert!((2..6).any(|seed| text(seed) != text(1)));
    let config = GenerateConfig {
        seed: 1,
        stop: Some(text(1)[2]),
        ..GenerateConfig::new(7)
    };
    let stopped = gpt.generate([1, 2], &config).unwrap().count();
    let first = text(1).iter().position(|t| *t == text(1)[2]).unwrap();
    assert_eq!(stopped, first + 1);
}

#[test]
fn generation_goes_on_from_a_state() {
    for config in models() {
        let gpt = config.init(&device()).unwrap().valid();
        let greedy = |tokens| GenerateConfig {
            sampling: Sampling::GREEDY,
            ..GenerateConfig::new(tokens)
        };
        let all = |generation: Generation| generation.collect::<Result<Vec<_>>>().unwrap();
        let whole = all(gpt.generate([3, 1, 4], &greedy(3)).unwrap());
        let mut state = gpt.state();
        let read = Tensor::from_data([[3, 1]], &device().inner());
        gpt.next(read, &mut state).unwrap();
        let kept = GptState::new(state.blocks().to_vec(), state.position());
        assert_eq!(
            all(gpt.generate_from(kept.clone(), [4], &greedy(3)).unwrap()),
            whole
        );
        let error = gpt.generate_from(kept, [4], &greedy(7)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "position 8 is beyond the context of 8 positions"
        );
    }
}

#[test]
fn every_combination_of_slots_trains() {
    let gates = [
        GateKind::TopK,
        GateKind::Softmax,
        GateKind::Comet,
        GateKind::DSelectK,
    ];
    let experts = gates.map(|gate| {
        ChannelMixer::Experts(ExpertsConfig {
            experts: 3,
            gate,
            k: 2,
        })
    });
    let channel_mixers = [ChannelMixer::Mlp, ChannelMixer::Gated]
        .into_iter()
        .chain(experts);
    let activations = [
        Activation::Identity,
        Activation::Relu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softplus,
        Activation::Exp,
    ];
    let norms = [
        NormKind::Layer,
        NormKind::Rms,
        NormKind::Batch,
        NormKind::None,
    ];
    let quantizers = [Quantizer::None, Quantizer::Uniform { bits: 4 }];
    let positions = [
        Positions::Learned,
        Positions::Rotary(Rotary { base: 100.0 }),
        Positions::None,
    ];
    let mut count = 0;
    for channel_mixer in channel_mixers {
        for activation in activations {
            for norm in norms {
                for quantizer in quantizers {
                    let place = [NormPlace::Before, NormPlace::After][count % 2];
                    let config = GptConfig {
                        positions: positions[count % 3],
                        tied: count % 2 == 0,
                        blocks: BlocksConfig {
                            channel_mixer,
                            activation,
                            norm,
                            norm_place: place,
                            quantizer,
                            dropout: 0.1,
                            attention_dropout: 0.1,
                            ..BlocksConfig::new(1, 8, 2)
                        },
                        ..gpt2()
                    };
                    let experts = matches!(channel_mixer, ChannelMixer::Experts(_));
                    if experts && quantizer != Quantizer::None {
                        let error = config.validate().unwrap_err().to_string();
                        assert!(
                            error.contains("none beside a mixture of experts"),
                            "{error}"
                        );
                        continue;
                    }
                    step(config);
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 2 * 9 * 4 * 2 + 4 * 9 * 4);
}

/// A step of training lowers the loss of its own batch, and nothing is lost on the way.
fn step(config: GptConfig) {
    let device = device();
    device.seed(3);
    let mut gpt = config.init(&device).unwrap();
    let value = |gpt: &Gpt| loss(gpt, Context::training(5)).into_scalar::<f32>();
    let before = value(&gpt);
    let grads = loss(&gpt, Context::training(5)).backward();
    let grads = GradientsParams::from_grads(grads, &gpt);
    gpt = SgdConfig::new().init().step(0.01, gpt, grads);
    let after = value(&gpt);
    assert!(after < before, "{before} to {after} by {config:?}");
}

#[test]
fn draws_follow_the_seed_of_the_context() {
    let mut config = gpt2();
    config.blocks.dropout = 0.3;
    config.blocks.attention_dropout = 0.3;
    let gpt = config.init(&device()).unwrap();
    let loss = |seed| loss(&gpt, Context::training(seed)).into_scalar::<f32>();
    assert_eq!(loss(4), loss(4));
    assert_ne!(loss(4), loss(5));
}

#[test]
fn from_toml() {
    let text = r#"
        vocabulary = 50257
        context = 1024
        [blocks]
        layers = 12
        width = 768
        heads = 12
        channel_mixer = { experts = { experts = 8, gate = "comet" } }
    "#;
    let config: GptConfig = toml::from_str(text).unwrap();
    let experts = ExpertsConfig {
        experts: 8,
        gate: GateKind::Comet,
        k: 2,
    };
    let mut expected = GptConfig::gpt2(50257, 1024, 12, 768, 12);
    expected.blocks.channel_mixer = ChannelMixer::Experts(experts);
    assert_eq!(config, expected);
    let again: GptConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
    assert_eq!(again, config);
    let error = toml::from_str::<GptConfig>(&text.replace("heads", "haeds")).unwrap_err();
    assert!(error.to_string().contains("unknown field `haeds`"));
}

#[test]
fn what_is_wrong_is_said() {
    let blocks = gpt2().blocks;
    let with = |blocks| GptConfig { blocks, ..gpt2() };
    for (config, expected) in [
        (
            with(BlocksConfig {
                layers: 0,
                ..blocks
            }),
            "layers = 0, but it must be at least 1",
        ),
        (
            with(BlocksConfig { heads: 5, ..blocks }),
            "width = 12, but it must be a multiple of heads = 5",
        ),
        (
            with(BlocksConfig {
                dropout: 1.0,
                ..blocks
            }),
            "dropout = 1, but it must be at least 0 and below 1",
        ),
        (
            with(BlocksConfig {
                norm_epsilon: 0.0,
                ..blocks
            }),
            "norm_epsilon = 0, but it must be a positive finite number",
        ),
        (
            with(BlocksConfig {
                deviation: f32::NAN,
                ..blocks
            }),
            "deviation = NaN, but it must be a finite number of at least 0",
        ),
        (
            GptConfig {
                context: 0,
                ..gpt2()
            },
            "context = 0, but it must be at least 1",
        ),
        (
            with(BlocksConfig {
                channel_mixer: ChannelMixer::Experts(ExpertsConfig {
                    experts: 3,
                    gate: GateKind::TopK,
                    k: 4,
                }),
                ..blocks
            }),
            "k = 4, but it must be between 1 and the number of experts, 3",
        ),
    ] {
        assert_eq!(config.init(&device()).unwrap_err().to_string(), expected);
    }
    let gpt = gpt2().init(&device()).unwrap();
    let forward = |text| gpt.forward(text, Context::EVALUATION).unwrap_err();
    let error = forward(tokens(1, 9));
    assert_eq!(
        error,
        BackbonesError::Position {
            position: 8,
            context: 8
        }
    );
    let error = forward(Tensor::from_data([[3, 11]], &device()));
    assert_eq!(
        error.to_string(),
        "token 11 is outside the vocabulary of 11 tokens"
    );
    let generate = |prompt: &[usize], tokens| {
        let config = GenerateConfig::new(tokens);
        gpt.generate(prompt, &config).unwrap_err().to_string()
    };
    assert_eq!(
        generate(&[], 3),
        "number of tokens of the prompt = 0, but it must be at least 1"
    );
    assert_eq!(
        generate(&[1, 2], 8),
        "position 8 is beyond the context of 8 positions"
    );
    assert_eq!(
        generate(&[12], 2),
        "token 12 is outside the vocabulary of 11 tokens"
    );
}
