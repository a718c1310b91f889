//! Cases of the vision and graph backbones: any of them by its configuration, its parameters by their paths.

use crate::backbone::{Backbone, Input};
use crate::config::{BackboneConfig, Kind};
use crate::graph::Graph;
use burn::module::{Module as _, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};
use offprint_lab::{
    Error, Result,
    golden::{Array, Case, Method, Outputs},
};
use offprint_layers::Context;
use std::sync::Arc;

/// A kind of backbone is a kind of case.
pub(super) const METHODS: [Method; 6] = [
    method(Kind::Mlp, |case| features(case, Kind::Mlp)),
    method(Kind::Lenet, |case| pictures(case, Kind::Lenet)),
    method(Kind::Convnet, |case| pictures(case, Kind::Convnet)),
    method(Kind::Resnet, |case| pictures(case, Kind::Resnet)),
    method(Kind::Unet, unet),
    method(Kind::Gnn, gnn),
];

const fn method(kind: Kind, evaluate: fn(&Case) -> Result<Outputs>) -> Method {
    Method {
        kind: kind.name(),
        evaluate,
    }
}

fn features(case: &Case, kind: Kind) -> Result<Outputs> {
    let backbone = backbone(case, kind)?;
    let x = case.tensor::<2>("in.x", &device())?.require_grad();
    run(
        case,
        &backbone,
        x,
        |x| Ok(Input::Features(x)),
        |y| Ok(y.into()),
    )
}

fn pictures(case: &Case, kind: Kind) -> Result<Outputs> {
    let backbone = backbone(case, kind)?;
    let x = case.tensor::<4>("in.x", &device())?.require_grad();
    run(
        case,
        &backbone,
        x,
        |x| Ok(Input::Images(x)),
        |y| Ok(y.into()),
    )
}

/// The file has `[batch, classes, height, width]`, an answer a pixel is `[batch · height · width, classes]`.
fn unet(case: &Case) -> Result<Outputs> {
    let backbone = backbone(case, Kind::Unet)?;
    let x = case.tensor::<4>("in.x", &device())?.require_grad();
    let [batch, _, height, width] = x.dims();
    let planes = |y: Tensor<2>| {
        let classes = y.dims()[1];
        let y = y
            .reshape([batch, height, width, classes])
            .permute([0, 3, 1, 2]);
        Ok(y.into())
    };
    run(case, &backbone, x, |x| Ok(Input::Images(x)), planes)
}

fn gnn(case: &Case) -> Result<Outputs> {
    let backbone = backbone(case, Kind::Gnn)?;
    let x = case.tensor::<2>("in.x", &device())?.require_grad();
    let sizes = case.config.get("graph").cloned().unwrap_or_default();
    let size = |name: &str| sizes[name].as_u64().unwrap_or(1) as usize;
    let edges = &case.array("in.edges")?.values;
    let edges = edges
        .chunks_exact(2)
        .map(|edge| (edge[0] as usize, edge[1] as usize));
    let graph = match size("graphs") {
        1 => Graph::new(size("nodes"), edges.collect()),
        graphs => {
            // The file lists the edges of all graphs; the first graph's come first.
            let first = edges
                .filter(|(source, _)| *source < size("nodes"))
                .collect();
            Graph::new(size("nodes"), first).map(|graph| graph.repeated(graphs))
        }
    };
    let graph = Arc::new(graph.map_err(explain)?);
    run(
        case,
        &backbone,
        x,
        |x| Ok(Input::Graphs(x, graph.clone())),
        |y| Ok(y.into()),
    )
}

/// The answer in training, its gradients, and the answer at evaluation after that.
fn run<const D: usize>(
    case: &Case,
    backbone: &Backbone,
    x: Tensor<D>,
    input: impl Fn(Tensor<D>) -> Result<Input>,
    shaped: impl Fn(Tensor<2>) -> Result<Array>,
) -> Result<Outputs> {
    let y = backbone
        .answer(input(x.clone())?, Context::training(0))
        .map_err(explain)?
        .output;
    // Both in the shape of the answer, whatever that of the file is.
    let cotangent = cotangent(case, &y)?;
    let loss = (y.clone() * cotangent).sum();
    let gradients = loss.backward();
    let evaluation = backbone
        .valid()
        .answer(input(x.clone().inner())?, Context::EVALUATION)
        .map_err(explain)?;
    let mut outputs = Outputs::default();
    outputs.put("out.y", shaped(y)?);
    outputs.put("out.evaluation", shaped(evaluation.output)?);
    outputs.put("out.loss", loss);
    if let Some(gradient) = x.grad(&gradients) {
        outputs.put("grad.x", gradient);
    }
    backbone.visit(&mut Slopes {
        gradients: &gradients,
        path: Vec::new(),
        outputs: &mut outputs,
    });
    Ok(outputs)
}

/// The cotangent as `[answers, outputs]`: of pictures the file has the classes before the places.
fn cotangent(case: &Case, y: &Tensor<2>) -> Result<Tensor<2>> {
    let device = y.device();
    match case.array("in.cotangent")?.shape.len() {
        4 => {
            let planes = case.tensor::<4>("in.cotangent", &device)?;
            Ok(planes.permute([0, 2, 3, 1]).reshape(y.dims()))
        }
        _ => case.tensor("in.cotangent", &device),
    }
}

/// The backbone of a case with the parameters of its file.
pub(super) fn backbone(case: &Case, kind: Kind) -> Result<Backbone> {
    let mut config = case.config.clone();
    if let Some(config) = config.as_object_mut() {
        config.remove("graph");
    }
    let config = BackboneConfig::from_value(kind, config)
        .map_err(|error| Error::input(format!("config: {error}")))?;
    let backbone = config.init(&device()).map_err(explain)?;
    let mut filler = Filler {
        case,
        path: Vec::new(),
        failure: None,
    };
    let backbone = backbone.map(&mut filler);
    match filler.failure {
        Some(failure) => Err(failure),
        None => Ok(backbone),
    }
}

pub(super) fn device() -> Device {
    Device::default().autodiff()
}

fn explain(error: crate::BackbonesError) -> Error {
    Error::input(error.to_string())
}

/// The names of the fields on the way to a parameter; an enum's variant has none.
fn enter(path: &mut Vec<String>, name: &str, container: &str) {
    if !container.starts_with("Enum:") {
        path.push(name.to_string());
    }
}

fn leave(path: &mut Vec<String>, container: &str) {
    if !container.starts_with("Enum:") {
        path.pop();
    }
}

/// Running statistics are no parameters.
fn is_parameter(path: &[String]) -> bool {
    path.last()
        .is_some_and(|name| !name.starts_with("running_"))
}

/// Takes parameters from a file.
struct Filler<'a> {
    case: &'a Case,
    path: Vec<String>,
    failure: Option<Error>,
}

impl ModuleMapper for Filler<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        enter(&mut self.path, name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        leave(&mut self.path, container);
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !is_parameter(&self.path) {
            return parameter;
        }
        let name = format!("param.{}", self.path.join("."));
        let shape = parameter.dims();
        let (id, old, mapper) = parameter.consume();
        let value = match self.case.tensor::<D>(&name, &old.device()) {
            Ok(value) if value.dims() == shape => value.require_grad(),
            Ok(value) => {
                let error = format!("{name} has shape {:?}, expected {shape:?}", value.dims());
                self.failure.get_or_insert(Error::input(error));
                old
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                old
            }
        };
        Param::from_mapped_value(id, value, mapper)
    }
}

/// Puts the gradient of each parameter under its path.
pub(super) struct Slopes<'a> {
    pub gradients: &'a Gradients,
    pub path: Vec<String>,
    pub outputs: &'a mut Outputs,
}

impl ModuleVisitor for Slopes<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        enter(&mut self.path, name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        leave(&mut self.path, container);
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if is_parameter(&self.path)
            && let Some(gradient) = parameter.val().grad(self.gradients)
        {
            let name = format!("grad.{}", self.path.join("."));
            self.outputs.put(&name, gradient);
        }
    }
}
