//! Cases of encoder and encoder-decoder: their parameters by their paths.

use super::vision::{Slopes, backbone, device};
use crate::backbone::Backbone;
use crate::config::Kind;
use burn::module::Module as _;
use burn::tensor::Tensor;
use offprint_lab::{
    Error, Result,
    golden::{Case, Method, Outputs},
};
use offprint_layers::Context;

pub(super) const METHODS: [Method; 2] = [
    Method {
        kind: Kind::Encoder.name(),
        evaluate: |case| evaluate(case, Kind::Encoder),
    },
    Method {
        kind: Kind::EncoderDecoder.name(),
        evaluate: |case| evaluate(case, Kind::EncoderDecoder),
    },
];

fn evaluate(case: &Case, kind: Kind) -> Result<Outputs> {
    let device = device();
    let backbone = backbone(case, kind)?;
    let tokens = case.ints("in.tokens", &device)?;
    let present = case.ints::<2>("in.present", &device)?.equal_elem(1);
    let context = Context::training(0);
    let y: Tensor<2> = match &backbone {
        Backbone::EncoderDecoder(model) => {
            let target = case.ints("in.target", &device)?;
            let output = model.forward(tokens, Some(present), target, context);
            output.map_err(explain)?.output.flatten(0, 1)
        }
        Backbone::Encoder(model) => {
            let output = model.forward(tokens, Some(present), context);
            output.map_err(explain)?.output
        }
        _ => return Err(Error::input("a backbone that reads no tokens")),
    };
    let loss = (y.clone() * case.tensor("in.cotangent", &device)?).sum();
    let mut outputs = Outputs::default();
    outputs.put("out.y", y);
    outputs.put("out.loss", loss.clone());
    backbone.visit(&mut Slopes {
        gradients: &loss.backward(),
        path: Vec::new(),
        outputs: &mut outputs,
    });
    Ok(outputs)
}

fn explain(error: crate::BackbonesError) -> Error {
    Error::input(error.to_string())
}
