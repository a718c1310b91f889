//! Networks from ONNX files compute what onnxruntime does; what is not read is named.
//!
//! The models are the fuzz target's corpus, made with Python's onnx and PyTorch; the outputs in `fixtures` are
//! onnxruntime's.

use burn::tensor::{Device, Tensor, TensorData};
use offprint_certify::bounds::{Interval, Rounding, interval_forward};
use offprint_certify::{graph::Network, read_onnx};
use safetensors::SafeTensors;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn model(name: &str) -> Vec<u8> {
    let corpus = folder("../../fuzz/corpus/onnx");
    std::fs::read(corpus.join(format!("{name}.onnx"))).unwrap()
}

fn read(name: &str) -> Result<Network, String> {
    read_onnx(&model(name), &Device::flex()).map_err(|error| error.to_string())
}

/// A tensor of a fixture, as rows.
fn rows(file: &[u8], name: &str) -> Tensor<2> {
    let tensors = SafeTensors::deserialize(file).unwrap();
    let view = tensors.tensor(name).unwrap();
    let (chunks, _) = view.data().as_chunks::<4>();
    let values: Vec<f32> = chunks.iter().map(|&c| f32::from_le_bytes(c)).collect();
    let count = view.shape()[0];
    let shape = [count, values.len() / count];
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

#[test]
fn outputs_are_those_of_onnxruntime_and_lie_in_their_bounds() {
    for name in ["pooled", "residual", "torch"] {
        let network = read(&format!("good-{name}")).unwrap();
        let file =
            std::fs::read(folder("tests/fixtures").join(format!("{name}.safetensors"))).unwrap();
        let (x, known) = (rows(&file, "x"), rows(&file, "y"));
        let y = network.forward(x.clone()).unwrap();
        let scale = known.clone().abs().max().into_scalar::<f32>();
        let error = (y - known.clone()).abs().max().into_scalar::<f32>();
        assert!(error <= 2e-6 * scale, "{name}: {error} of {scale}");
        // Another program's rounding is within what rounding outward allows.
        let point = Interval::around(x, 0.0, None).unwrap();
        let bounds = interval_forward(&network, &point, None, Rounding::Outward).unwrap();
        let least = |x: Tensor<2>| x.min().into_scalar::<f32>();
        assert!(least(known.clone() - bounds.output().lower()) >= 0.0);
        assert!(least(bounds.output().upper() - known) >= 0.0);
    }
    let names = |name: &str| -> Vec<String> {
        let network = read(name).unwrap();
        network.nodes.into_iter().map(|node| node.name).collect()
    };
    // A node that the output does not depend on is left out, one without a name is called by its value.
    assert!(!names("good-pooled").contains(&"dead".to_string()));
    assert_eq!(names("good-residual")[5], "g");
}

#[test]
fn what_is_not_read_is_named() {
    let all = "Gemm, Conv, Relu, BatchNormalization, Flatten, Add, MaxPool, AveragePool";
    for (name, message) in [
        (
            "sigmoid",
            &format!("Sigmoid \"squash\" is not read; those that are: {all}")[..],
        ),
        (
            "double",
            "Gemm \"fc\" reads \"w\", but it must be of type FLOAT",
        ),
        (
            "alpha",
            "Gemm \"fc\" has alpha = 0.5 and beta = 1, but 1 and 1 are read",
        ),
        (
            "nan",
            "\"fc.weight\" holds NaN at element 0, but it must be finite",
        ),
        (
            "shape",
            "linear layer \"fc\" reads [5] (a picture is flattened first), but gets [2]",
        ),
        (
            "missing",
            "Gemm \"fc\" reads \"b\", but it must be a parameter of the file",
        ),
        (
            "constant",
            "Add \"shift\" reads the constant \"b\" where a value of the network is read",
        ),
        (
            "variance",
            "batch norm \"norm\" has variance -1 in channel 1, but it must be at least 0",
        ),
        (
            "pads",
            "Conv \"conv\" has pads = [0, 0, 1, 1], but the same on both sides is read",
        ),
        (
            "same",
            "Conv \"conv\" has auto_pad = SAME_UPPER, but NOTSET or VALID is read",
        ),
        ("inputs", "the model has 2 inputs, but one is read"),
        (
            "axes",
            "input \"x\" has shape [?, ?], but [batch, features] or [batch, channels, height, width] is read, \
             with numbers for all but the batch",
        ),
        ("ceil", "MaxPool \"pool\" has ceil_mode = 1, but 0 is read"),
    ] {
        assert_eq!(read(&format!("bad-{name}")).unwrap_err(), message);
    }
    // A network that ends in a ReLU has bounds, but no margins.
    let error = read("good-relu-end").unwrap().check_ending().unwrap_err();
    assert!(error.to_string().contains("ends with ReLU \"last\""));
}

/// Files read or fail as their names say; neither a cut nor a changed byte makes the reader panic.
#[test]
fn the_corpus_reads_or_fails_as_its_names_say() {
    let mut files = 0;
    for entry in std::fs::read_dir(folder("../../fuzz/corpus/onnx")).unwrap() {
        let path = entry.unwrap().path();
        let (whole, device) = (std::fs::read(&path).unwrap(), Device::flex());
        let name = path.file_name().unwrap().to_string_lossy();
        assert_eq!(
            read_onnx(&whole, &device).is_ok(),
            name.starts_with("good-"),
            "{name}"
        );
        for place in (0..whole.len()).step_by(3) {
            let _ = read_onnx(&whole[..place], &device);
            let mut changed = whole.clone();
            for value in [0, 0x7f, 0xff] {
                changed[place] = value;
                let _ = read_onnx(&changed, &device);
            }
        }
        files += 1;
    }
    assert!(files >= 18, "{files} files of the corpus");
}
