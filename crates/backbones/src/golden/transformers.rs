//! Cases of the transformers: a checkpoint in Hugging Face's form, and what its model computes.

use super::vision::device;
use crate::checkpoint::{
    Pretrained, Stored, Tensors, from_tensors, gpt_tensors, load_gguf, vit_tensors,
};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Int, Tensor};
use offprint_kernels::{CrossEntropy, log_softmax};
use offprint_lab::{
    Error, Result,
    golden::{Array, Case, Method, Outputs},
};
use offprint_layers::Context;

/// A `model_type` of Hugging Face is a kind of case; so is a checkpoint in a GGUF file.
pub(super) const METHODS: [Method; 4] = [
    method("gpt2", evaluate),
    method("llama", evaluate),
    method("vit", evaluate),
    method("gguf", gguf),
];

const fn method(kind: &'static str, evaluate: fn(&Case) -> Result<Outputs>) -> Method {
    Method { kind, evaluate }
}

fn evaluate(case: &Case) -> Result<Outputs> {
    let targets: Tensor<1, Int> = case.ints("in.targets", &device())?;
    let parameters = case.tensors.iter().filter_map(|(name, array)| {
        let stored = Stored {
            shape: array.shape.clone(),
            values: array.values.iter().map(|value| *value as f32).collect(),
        };
        Some((name.strip_prefix("param.")?.to_string(), stored))
    });
    let model = from_tensors(&case.config, parameters.collect(), &device()).map_err(explain)?;
    let mut outputs = Outputs::default();
    let gradients = match model {
        Pretrained::Gpt(config, gpt) => {
            let tokens = case.ints("in.tokens", &device())?;
            let output = gpt.forward(tokens, Context::EVALUATION).map_err(explain)?;
            outputs.put("out.logits", output.output.clone());
            let loss = output.loss(targets, CrossEntropy::default());
            outputs.put("out.loss", loss.clone());
            let slopes = gpt.map(&mut Slopes(&loss.backward()));
            gpt_tensors(&config, &slopes).map_err(explain)?.1
        }
        Pretrained::Vit(config, vit) => {
            let pictures = case.tensor("in.pictures", &device())?;
            let output = vit
                .forward(pictures, Context::EVALUATION)
                .map_err(explain)?;
            outputs.put("out.logits", output.output.clone());
            let loss = output.loss(targets, CrossEntropy::default());
            outputs.put("out.loss", loss.clone());
            let slopes = vit.map(&mut Slopes(&loss.backward()));
            vit_tensors(&config, &slopes).map_err(explain)?.1
        }
    };
    put(&mut outputs, gradients);
    Ok(outputs)
}

/// Some of the logits at each position of a text, and the logarithm of the sum of the exponentials of all.
fn gguf(case: &Case) -> Result<Outputs> {
    let missing = || Error::input("the case names no data_file");
    let file = case.file.as_ref().ok_or_else(missing)?;
    let device = Device::default();
    let (_, gpt) = load_gguf(file, &device).map_err(explain)?;
    let output = gpt
        .forward(case.ints("in.tokens", &device)?, Context::EVALUATION)
        .map_err(explain)?;
    let [_, length, vocabulary] = output.output.dims();
    let logits = output.output.reshape([length, vocabulary]);
    let first = logits.clone().narrow(1, 0, 1);
    let sums = first - log_softmax(logits.clone()).narrow(1, 0, 1);
    let mut outputs = Outputs::default();
    outputs.put(
        "out.logits",
        logits.select(1, case.ints("in.ids", &device)?),
    );
    outputs.put("out.logsumexp", sums.reshape([length]));
    Ok(outputs)
}

fn put(outputs: &mut Outputs, gradients: Tensors) {
    for (name, Stored { shape, values }) in gradients {
        let values = values.into_iter().map(f64::from).collect();
        outputs.put(&format!("grad.{name}"), Array::new(shape, values));
    }
}

/// Puts its gradient in the place of each parameter.
struct Slopes<'a>(&'a Gradients);

impl ModuleMapper for Slopes<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = param.val();
        let zeros = || Tensor::zeros(value.dims(), &value.device().inner());
        Param::from_tensor(value.grad(self.0).unwrap_or_else(zeros))
    }
}

fn explain(error: impl std::fmt::Display) -> Error {
    Error::input(error.to_string())
}
