use super::*;
use crate::blocks::{Biases, NormPlace};
use crate::testing::device;
use burn::tensor::Tensor;
use half::{bf16, f16};
use offprint_layers::{Activation, Context};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::json;

fn gpts() -> [GptConfig; 4] {
    let llama = GptConfig::llama(11, 8, 2, 12, 3, 1);
    let biased = GptConfig {
        tied: true,
        blocks: BlocksConfig {
            head_width: Some(6),
            bias: Biases::all(true),
            norm_epsilon: 1e-6,
            ..llama.blocks
        },
        ..llama
    };
    let gpt2 = GptConfig::gpt2(11, 8, 2, 12, 3);
    let untied = GptConfig {
        tied: false,
        blocks: BlocksConfig {
            hidden: Some(7),
            activation: Activation::Relu,
            dropout: 0.25,
            ..gpt2.blocks
        },
        ..gpt2
    };
    [gpt2, untied, llama, biased]
}

fn vit() -> VitConfig {
    VitConfig::new(2, [6, 9], 3, 4, BlocksConfig::new(2, 12, 3))
}

fn logits(gpt: &Gpt) -> Vec<f32> {
    let tokens = Tensor::from_data([[3, 1, 10, 4], [0, 2, 2, 5]], &device());
    let output = gpt.forward(tokens, Context::EVALUATION).unwrap().output;
    output.into_data().iter::<f32>().collect()
}

fn loaded(folder: &Path) -> (GptConfig, Gpt) {
    match load(folder, &device()).unwrap() {
        Pretrained::Gpt(config, gpt) => (config, gpt),
        Pretrained::Vit(..) => panic!("a vit"),
    }
}

#[test]
fn what_was_saved_is_loaded_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    for config in gpts() {
        let gpt = config.init(&device()).unwrap();
        save_gpt(folder.path(), &config, &gpt).unwrap();
        let (again, loaded) = loaded(folder.path());
        // What stands in the file though it is what would be without.
        let spelt = GptConfig {
            blocks: BlocksConfig {
                hidden: again.blocks.hidden.and(config.blocks.hidden),
                head_width: again.blocks.head_width.and(config.blocks.head_width),
                deviation: config.blocks.deviation,
                ..again.blocks
            },
            ..again
        };
        assert_eq!(spelt, config);
        assert!(logits(&loaded) == logits(&gpt));
        let ours = gpt_tensors(&config, &gpt).unwrap().1;
        assert!(gpt_tensors(&config, &loaded).unwrap().1 == ours);
    }
    let config = vit();
    let model = config.init(&device()).unwrap();
    save_vit(folder.path(), &config, &model).unwrap();
    let Pretrained::Vit(again, loaded) = load(folder.path(), &device()).unwrap() else {
        panic!("a gpt");
    };
    assert_eq!(again.size, [6, 9]);
    assert_eq!(again.classes, 4);
    let ours = vit_tensors(&config, &model).unwrap().1;
    assert!(vit_tensors(&config, &loaded).unwrap().1 == ours);
}

#[test]
fn all_differences_are_one_error() {
    let config = gpts()[2];
    let gpt = config.init(&device()).unwrap();
    let (settings, mut tensors) = gpt_tensors(&config, &gpt).unwrap();
    tensors.remove("model.norm.weight").unwrap();
    tensors
        .remove("model.layers.1.self_attn.k_proj.weight")
        .unwrap();
    tensors.get_mut("lm_head.weight").unwrap().shape = vec![12, 11];
    let extra = tensors["model.layers.0.input_layernorm.weight"].clone();
    tensors.insert("model.layers.2.input_layernorm.weight".into(), extra);
    let error = from_tensors(&settings, tensors, &device()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tensors do not fit the model: 2 missing, 1 not part of the model, 1 of another shape
  missing: model.layers.1.self_attn.k_proj.weight
  missing: model.norm.weight
  not part of the model: model.layers.2.input_layernorm.weight
  lm_head.weight has shape [12, 11], but [11, 12] is expected"
    );
}

#[test]
fn buffers_and_tied_heads_are_no_differences() {
    let config = gpts()[0];
    let gpt = config.init(&device()).unwrap();
    let (settings, mut tensors) = gpt_tensors(&config, &gpt).unwrap();
    let mask = Stored {
        shape: vec![1, 1, 8, 8],
        values: vec![1.0; 64],
    };
    tensors.insert("transformer.h.0.attn.bias".into(), mask);
    let table = tensors["transformer.wte.weight"].clone();
    tensors.insert("lm_head.weight".into(), table);
    from_tensors(&settings, tensors.clone(), &device()).unwrap();
    // The body alone.
    let body = tensors.into_iter().filter_map(|(name, stored)| {
        Some((name.strip_prefix("transformer.")?.to_string(), stored))
    });
    let Pretrained::Gpt(_, loaded) = from_tensors(&settings, body.collect(), &device()).unwrap()
    else {
        panic!("a vit");
    };
    assert!(logits(&loaded) == logits(&gpt));
}

#[test]
fn sixteen_bits_and_several_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = gpts()[2];
    let gpt = config.init(&device()).unwrap();
    let (settings, tensors) = gpt_tensors(&config, &gpt).unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("config.json"), settings.to_string()).unwrap();
    let mut files = [Vec::new(), Vec::new()];
    let mut map = serde_json::Map::new();
    let mut rounded = Tensors::new();
    for (index, (name, stored)) in tensors.iter().enumerate() {
        let file = index % 2;
        map.insert(name.clone(), json!(format!("part-{file}.safetensors")));
        let (dtype, bytes, values): (_, Vec<u8>, Vec<f32>) = match file {
            0 => {
                let half = stored.values.iter().map(|x| f16::from_f32(*x));
                let values = half.clone().map(f16::to_f32).collect();
                (
                    Dtype::F16,
                    half.flat_map(f16::to_le_bytes).collect(),
                    values,
                )
            }
            _ => {
                let half = stored.values.iter().map(|x| bf16::from_f32(*x));
                let values = half.clone().map(bf16::to_f32).collect();
                (
                    Dtype::BF16,
                    half.flat_map(bf16::to_le_bytes).collect(),
                    values,
                )
            }
        };
        let shape = stored.shape.clone();
        files[file].push((name.clone(), dtype, shape.clone(), bytes));
        rounded.insert(name.clone(), Stored { shape, values });
    }
    for (index, file) in files.iter().enumerate() {
        let views = file.iter().map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        fs::write(path(&format!("part-{index}.safetensors")), bytes).unwrap();
    }
    let index = json!({ "weight_map": map });
    fs::write(path("model.safetensors.index.json"), index.to_string()).unwrap();
    let (_, loaded) = loaded(folder.path());
    assert!(gpt_tensors(&config, &loaded).unwrap().1 == rounded);
    let outside = json!({ "weight_map": { "x": "../part-0.safetensors" } });
    fs::write(path("model.safetensors.index.json"), outside.to_string()).unwrap();
    let error = load(folder.path(), &device()).unwrap_err().to_string();
    assert!(
        error.ends_with("../part-0.safetensors is not a file beside it"),
        "{error}"
    );
}

#[test]
fn what_is_wrong_is_said() {
    let gpt2 = json!({
        "model_type": "gpt2", "vocab_size": 11, "n_positions": 8, "n_embd": 12, "n_layer": 2, "n_head": 3
    });
    let with = |name: &str, value: Value| {
        let mut settings = gpt2.clone();
        settings[name] = value;
        settings
    };
    let llama = json!({
        "model_type": "llama", "vocab_size": 11, "max_position_embeddings": 8, "hidden_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20,
        "rope_parameters": { "rope_type": "llama3", "rope_theta": 500000.0 }
    });
    let huge = with("n_embd", json!(3_000_000_000_000_000_000_u64));
    for (settings, expected) in [
        (json!({}), "there is no model_type"),
        (
            json!({ "model_type": "bert" }),
            "model_type = bert, but it must be gpt2, llama or vit",
        ),
        (
            with("n_embd", json!("wide")),
            "n_embd = \"wide\", but it must be a whole number of at least 0",
        ),
        (
            with("n_head", json!(5)),
            "width = 12, but it must be a multiple of heads = 5",
        ),
        (
            with("scale_attn_weights", json!(false)),
            "scale_attn_weights = false, but it must be true",
        ),
        (
            with("activation_function", json!("mish")),
            "activation_function = mish, but it must be one of gelu_new, gelu_pytorch_tanh, gelu, relu, silu, swish, \
             sigmoid, tanh, linear",
        ),
        (llama, "rope_type = \"llama3\", but it must be \"default\""),
        (
            with("n_layer", json!(1_000_000_000)),
            "the model has 1728000000228 parameters in 1000000000 layers, but the file holds 0 numbers in 0 tensors",
        ),
    ] {
        let error = from_tensors(&settings, Tensors::new(), &device()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let error = from_tensors(&huge, Tensors::new(), &device()).unwrap_err();
    assert!(matches!(error, CheckpointError::Sizes { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let error = load(folder.path(), &device()).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read ") && error.ends_with("config.json"),
        "{error}"
    );
    fs::write(folder.path().join("config.json"), gpt2.to_string()).unwrap();
    fs::write(folder.path().join("model.safetensors"), b"none").unwrap();
    let error = load(folder.path(), &device()).unwrap_err().to_string();
    assert!(error.contains("model.safetensors: "), "{error}");
    let config = GptConfig {
        blocks: BlocksConfig {
            norm_place: NormPlace::After,
            ..gpts()[0].blocks
        },
        ..gpts()[0]
    };
    let gpt = config.init(&device()).unwrap();
    let error = save_gpt(folder.path(), &config, &gpt)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("to be saved as one"), "{error}");
}
