use super::*;
use crate::testing::device;
use burn::tensor::{Tensor, TensorData};
use offprint_layers::Context;
use serde_json::Value;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(name)
}

fn bytes() -> Vec<u8> {
    std::fs::read(fixture("llama.gguf")).unwrap()
}

/// What `golden/make/backbones.py` computed by transformers and gguf.
fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("llama.json")).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

#[test]
fn every_encoding_is_decoded_as_gguf_decodes_it() {
    let bytes = bytes();
    let file = Gguf::parse(&bytes).unwrap();
    assert_eq!(file.version, 3);
    let tensors = llama::tensors(&file);
    let expected = expected();
    let weights = expected["first_40"].as_object().unwrap();
    let mut encodings = Vec::new();
    for (name, weights) in weights {
        let tensor = &file.tensors[name];
        encodings.push(tensor.encoding);
        let ours = &tensors[&llama::rename(name).0];
        for (ours, expected) in ours.values.iter().zip(numbers(weights)) {
            let ours = f64::from(*ours);
            assert!(
                (ours - expected).abs() <= 1e-6 * expected.abs(),
                "{name}: {ours}, expected {expected}"
            );
        }
    }
    for encoding in [
        Encoding::F32,
        Encoding::F16,
        Encoding::Bf16,
        Encoding::Q40,
        Encoding::Q41,
        Encoding::Q80,
    ] {
        assert!(encodings.contains(&encoding), "{encoding:?}");
    }
}

#[test]
fn logits_are_those_of_transformers() {
    let (config, gpt) = load_gguf(&fixture("llama.gguf"), &device()).unwrap();
    assert!(config.tied && config.blocks.kv_heads == Some(2));
    let expected = expected();
    let tokens: Vec<i64> = numbers(&expected["tokens"])
        .iter()
        .map(|x| *x as i64)
        .collect();
    let tokens = Tensor::from_data(TensorData::new(tokens, [2, 9]), &device());
    let output = gpt.forward(tokens, Context::EVALUATION).unwrap().output;
    let logits: Vec<f32> = output.into_data().iter::<f32>().collect();
    let expected = numbers(&expected["logits"]);
    assert_eq!(logits.len(), expected.len());
    for (ours, expected) in logits.iter().zip(expected) {
        assert!(
            (f64::from(*ours) - expected).abs() < 1e-5,
            "{ours}, expected {expected}"
        );
    }
}

#[test]
fn a_file_that_ends_too_early_is_an_error() {
    let bytes = bytes();
    for end in 0..bytes.len() {
        assert!(Gguf::parse(&bytes[..end]).is_err(), "{end} bytes");
    }
}

#[test]
fn a_wrong_byte_is_an_error_or_another_file() {
    let bytes = bytes();
    // The header; behind it lie weights, which may be anything.
    for at in 0..1500 {
        for value in [0, 1, 9, 127, 128, 255] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            if let Ok(file) = Gguf::parse(&bytes) {
                for tensor in file.tensors.values() {
                    assert_eq!(
                        tensor.values().len(),
                        tensor.shape.iter().product::<usize>()
                    );
                }
                let _ = llama::settings(&file);
            }
        }
    }
}

/// A header of one setting, and no tensors.
fn with_setting(kind: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(17_u64.to_le_bytes());
    bytes.extend(b"general.alignment");
    bytes.extend(kind.to_le_bytes());
    bytes.extend(value);
    bytes
}

#[test]
fn what_is_wrong_is_said() {
    let nested: Vec<u8> = (0..6)
        .flat_map(|_| [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        .collect();
    let endless = [&[0, 0, 0, 0][..], &[255; 8], &[1, 2, 3]].concat();
    for (bytes, expected) in [
        (
            b"GGUF\x01\0\0\0".to_vec(),
            "version 1, but 2 and 3 are read",
        ),
        (
            b"GGML\x01\0\0\0".to_vec(),
            "the file begins with \"GGML\", but a GGUF file begins with \"GGUF\"",
        ),
        (
            with_setting(13, &[]),
            "general.alignment is of type 13, but types are 0 to 12",
        ),
        (
            with_setting(9, &nested),
            "general.alignment is nested too deeply",
        ),
        (
            with_setting(4, &[3, 0, 0, 0]),
            "general.alignment = Unsigned(3), but it must be a power of two from 8 on",
        ),
        (
            with_setting(9, &endless),
            "general.alignment at byte 68 takes 1 bytes, but 0 are left",
        ),
        (
            with_setting(8, &[255; 8]),
            "general.alignment at byte 61 takes 18446744073709551615 bytes, but 0 are left",
        ),
    ] {
        assert_eq!(Gguf::parse(&bytes).unwrap_err().to_string(), expected);
    }
    // Q4_1 (3) of the projection of queries becomes Q2_K (10).
    let mut bytes = bytes();
    let name = b"blk.0.attn_q.weight";
    let at = bytes.windows(name.len()).position(|w| w == name).unwrap();
    bytes[at + name.len() + 4 + 16] = 10;
    assert_eq!(
        Gguf::parse(&bytes).unwrap_err().to_string(),
        "blk.0.attn_q.weight is encoded as type 10, but F32 (0), F16 (1), Q4_0 (2), Q4_1 (3), Q8_0 (8) and BF16 (30) are \
         read"
    );
}

#[test]
fn another_architecture_is_refused() {
    let mut bytes = bytes();
    let at = bytes.windows(5).position(|w| w == b"llama").unwrap();
    bytes[at..at + 5].copy_from_slice(b"mamba");
    let file = Gguf::parse(&bytes).unwrap();
    assert_eq!(
        llama::settings(&file).unwrap_err().to_string(),
        "general.architecture = mamba, but it must be llama"
    );
}
