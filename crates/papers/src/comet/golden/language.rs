//! Neurons by importance, experts made of them, and distillation.

use super::{device, explain, gradient, outputs, tracked};
use burn::tensor::{Device, Int, Tensor, TensorData};
use offprint_backbones::{FeedForwardExperts, Trace};
use offprint_experts::{ExpertLayer, NeuronImportance, NeuronSplit, Pairs, ranking};
use offprint_kernels::{combine, gather};
use offprint_lab::{
    Error, Result,
    golden::{Array, Case, Outputs},
};
use offprint_language::distillation::{Distillation, hidden_distance, symmetric_kl};
use offprint_layers::{FeedForward, FeedForwardConfig};
use std::sync::Arc;

/// A case says what is wrong in the words of the room that refused it.
fn refused(error: impl ToString) -> Error {
    Error::input(error.to_string())
}

/// The network of a case.
fn network(case: &Case, device: &Device) -> Result<FeedForward> {
    let up = case.tensor::<2>("param.w1", device)?;
    let [width, hidden] = up.dims();
    let config = FeedForwardConfig::new(width, hidden, case.config("activation")?);
    let mut network = config.init(device).map_err(refused)?;
    let bias = |name: &str| case.tensor::<1>(name, device);
    let (up_bias, down_bias) = (bias("param.b1")?, bias("param.b2")?);
    let down = case.tensor::<2>("param.w2", device)?;
    network.up.weight = network.up.weight.map(|_| up.require_grad());
    network.up.bias = network.up.bias.map(|b| b.map(|_| up_bias.require_grad()));
    network.down.weight = network.down.weight.map(|_| down.require_grad());
    network.down.bias = network
        .down
        .bias
        .map(|b| b.map(|_| down_bias.require_grad()));
    Ok(network)
}

pub(super) fn importance(case: &Case) -> Result<Outputs> {
    let device = device();
    let network = network(case, &device)?;
    let x = case.tensor::<3>("in.x", &device)?;
    let cotangent = case.tensor::<3>("in.cotangent", &device)?;
    let mut importance = NeuronImportance::new(network.neurons());
    for sample in 0..x.dims()[0] {
        let y = network.forward(x.clone().narrow(0, sample, 1));
        let loss = (y * cotangent.clone().narrow(0, sample, 1)).sum();
        let gradients = loss.backward();
        let (up, down) = (network.up.weight.val(), network.down.weight.val());
        let (of_up, of_down) = (gradient(&up, &gradients), gradient(&down, &gradients));
        importance.add(up, of_up, down, of_down).map_err(explain)?;
    }
    let ranking = importance.ranking().map_err(explain)?;
    Ok(outputs([
        ("out.importance", Array::row(importance.values().to_vec())),
        (
            "out.ranking",
            Array::row(ranking.into_iter().map(|neuron| neuron as f64).collect()),
        ),
    ]))
}

pub(super) fn split(case: &Case) -> Result<Outputs> {
    let split = NeuronSplit {
        experts: case.config("experts")?,
        share: case.config("share")?,
        width: case.config("width")?,
    };
    let ranking = ranking(&case.array("in.importance")?.values).map_err(explain)?;
    let neurons = split.deal(&ranking).map_err(explain)?;
    let widest = neurons.iter().map(Vec::len).max().unwrap_or(0);
    // The file fills shorter lists up with −1.
    let filled = neurons.iter().flat_map(|own| {
        let numbers = own.iter().map(|&neuron| neuron as f64);
        numbers.chain(std::iter::repeat_n(-1.0, widest - own.len()))
    });
    let array = Array::new([neurons.len(), widest], filled.collect());
    Ok(outputs([("out.neurons", array)]))
}

pub(super) fn layer(case: &Case) -> Result<Outputs> {
    let device = device();
    let network = network(case, &device)?;
    let lists = case.array("in.neurons")?;
    let neurons: Vec<Vec<usize>> = lists
        .values
        .chunks_exact(lists.shape[1].max(1))
        .map(|own| {
            let own = own.iter().filter(|&&neuron| neuron >= 0.0);
            own.map(|&neuron| neuron as usize).collect()
        })
        .collect();
    let experts = FeedForwardExperts::from_network(&network, &neurons).map_err(refused)?;
    let x = tracked::<2>(case, "in.x", &device)?;
    let weights = tracked::<2>(case, "in.weights", &device)?;
    let given: Vec<f32> = weights.to_data().iter::<f32>().collect();
    let pairs = Arc::new(Pairs::from_weights(&given, neurons.len()));
    let h = experts
        .evaluate(gather(x.clone(), &pairs), &pairs)
        .map_err(explain)?;
    let y = combine(h, weights.clone(), &pairs);
    let loss = (y.clone() * case.tensor("in.cotangent", &device)?).sum();
    let gradients = loss.backward();
    Ok(outputs([
        ("out.y", y.into()),
        ("out.loss", loss.into()),
        ("grad.x", gradient(&x, &gradients).into()),
        ("grad.weights", gradient(&weights, &gradients).into()),
        ("grad.up", gradient(&experts.up.val(), &gradients).into()),
        (
            "grad.up_bias",
            gradient(&experts.up_bias.val(), &gradients).into(),
        ),
        (
            "grad.down",
            gradient(&experts.down.val(), &gradients).into(),
        ),
        (
            "grad.down_bias",
            gradient(&experts.down_bias.val(), &gradients).into(),
        ),
    ]))
}

pub(super) fn distillation(case: &Case) -> Result<Outputs> {
    let device = device();
    let layers = |hidden: Tensor<4>| -> Vec<Tensor<3>> {
        let count = hidden.dims()[0];
        let layer = |index| hidden.clone().narrow(0, index, 1).squeeze_dim(0);
        (0..count).map(layer).collect()
    };
    let logits = tracked::<2>(case, "in.student_logits", &device)?;
    let hidden = tracked::<4>(case, "in.student_hidden", &device)?;
    let trace = |output, hidden| Trace {
        output,
        penalty: None,
        hidden,
        evaluated: 0,
    };
    let student = trace(logits.clone(), layers(hidden.clone()));
    let teacher = trace(
        case.tensor("in.teacher_logits", &device)?,
        layers(case.tensor("in.teacher_hidden", &device)?),
    );
    let present = match case.tensors.get("in.present") {
        Some(mask) => {
            let rows: Vec<i64> = mask.values.iter().map(|&value| value as i64).collect();
            let shape = [mask.shape[0], mask.shape[1]];
            let data = TensorData::new(rows, shape);
            Some(Tensor::<2, Int>::from_data(data, &device).equal_elem(1))
        }
        None => None,
    };
    let weights = Distillation {
        logits: case.config("logits")?,
        hidden: case.config("hidden")?,
    };
    let loss = weights
        .loss(&student, &teacher, present.clone())
        .map_err(refused)?;
    let kl = symmetric_kl(student.output, teacher.output).map_err(refused)?;
    let distance = hidden_distance(&student.hidden, &teacher.hidden, present).map_err(refused)?;
    let gradients = loss.backward();
    Ok(outputs([
        ("out.kl", kl.into()),
        ("out.hidden", distance.into()),
        ("out.loss", loss.into()),
        ("grad.student_logits", gradient(&logits, &gradients).into()),
        ("grad.student_hidden", gradient(&hidden, &gradients).into()),
    ]))
}
