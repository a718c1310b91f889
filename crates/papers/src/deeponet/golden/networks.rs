//! DeepONet and the paper's baselines, with gradients.

use crate::explain::explain;
use burn::module::Param;
use burn::tensor::{Device, Gradients, Tensor};
use offprint_backbones::{BackbonesError, ResidualMlpConfig, Seq2SeqConfig};
use offprint_lab::{
    Error, Result,
    golden::{Case, Outputs},
};
use offprint_layers::Linear;
use offprint_operators::{
    DeepONetConfig,
    deeponet::{Branch, Dense, StackedDense},
};

fn device() -> Device {
    Device::default().autodiff()
}

/// A gradient, zero where the loss does not depend on the tensor.
fn gradient<const D: usize>(tensor: &Tensor<D>, gradients: &Gradients) -> Tensor<D> {
    let zero = || Tensor::zeros(tensor.dims(), &tensor.device().inner());
    tensor.grad(gradients).unwrap_or_else(zero)
}

/// A parameter of a case.
fn parameter<const D: usize>(
    case: &Case,
    name: &str,
    wanted: [usize; D],
) -> Result<Param<Tensor<D>>> {
    let name = format!("param.{name}");
    let value = case.tensor::<D>(&name, &device())?;
    if value.dims() != wanted {
        let actual = value.dims();
        return Err(Error::input(format!(
            "{name} has shape {actual:?}, but the config says {wanted:?}"
        )));
    }
    Ok(Param::from_tensor(value))
}

pub(super) fn forward(case: &Case) -> Result<Outputs> {
    let config = DeepONetConfig {
        sensors: case.config("sensors")?,
        query: case.config("d_query")?,
        width: case.config("width")?,
        branch: case.config("branch")?,
        trunk: case.config("trunk")?,
        activation: case.config("activation")?,
        stacked: case.config("stacked")?,
        bias: case.config("bias")?,
    };
    let device = device();
    let mut net = config.init(&device).map_err(explain)?;
    match &mut net.branch {
        Branch::Dense(layers) => {
            for (i, layer) in layers.iter_mut().enumerate() {
                *layer = Dense {
                    weight: parameter(case, &format!("branch.{i}.weight"), layer.weight.dims())?,
                    bias: parameter(case, &format!("branch.{i}.bias"), layer.bias.dims())?,
                };
            }
        }
        Branch::Stacked(layers) => {
            for (i, layer) in layers.iter_mut().enumerate() {
                *layer = StackedDense {
                    weight: parameter(case, &format!("branch.{i}.weight"), layer.weight.dims())?,
                    bias: parameter(case, &format!("branch.{i}.bias"), layer.bias.dims())?,
                };
            }
        }
    }
    for (i, layer) in net.trunk.iter_mut().enumerate() {
        *layer = Dense {
            weight: parameter(case, &format!("trunk.{i}.weight"), layer.weight.dims())?,
            bias: parameter(case, &format!("trunk.{i}.bias"), layer.bias.dims())?,
        };
    }
    if let Some(bias) = &mut net.bias {
        *bias = parameter(case, "bias", [1])?;
    }
    let u = case.tensor::<2>("in.u", &device)?.require_grad();
    let y = case.tensor::<2>("in.y", &device)?.require_grad();
    let mut outputs = Outputs::default();
    let loss = if case.config("cartesian")? {
        let s = net
            .forward_cartesian(u.clone(), y.clone())
            .map_err(explain)?;
        outputs.put("out.s", s.clone());
        (s * case.tensor::<2>("in.cotangent", &device)?).sum()
    } else {
        let s = net.forward(u.clone(), y.clone()).map_err(explain)?;
        outputs.put("out.s", s.clone());
        (s * case.tensor::<1>("in.cotangent", &device)?).sum()
    };
    outputs.put("out.loss", loss.clone());
    let gradients = loss.backward();
    outputs.put("grad.u", gradient(&u, &gradients));
    outputs.put("grad.y", gradient(&y, &gradients));
    match &net.branch {
        Branch::Dense(layers) => {
            for (i, layer) in layers.iter().enumerate() {
                dense(&mut outputs, &format!("branch.{i}"), layer, &gradients);
            }
        }
        Branch::Stacked(layers) => {
            for (i, layer) in layers.iter().enumerate() {
                let name = format!("grad.branch.{i}");
                outputs.put(
                    &format!("{name}.weight"),
                    gradient(&layer.weight.val(), &gradients),
                );
                outputs.put(
                    &format!("{name}.bias"),
                    gradient(&layer.bias.val(), &gradients),
                );
            }
        }
    }
    for (i, layer) in net.trunk.iter().enumerate() {
        dense(&mut outputs, &format!("trunk.{i}"), layer, &gradients);
    }
    if let Some(bias) = &net.bias {
        outputs.put("grad.bias", gradient(&bias.val(), &gradients));
    }
    Ok(outputs)
}

fn dense(outputs: &mut Outputs, name: &str, layer: &Dense, gradients: &Gradients) {
    outputs.put(
        &format!("grad.{name}.weight"),
        gradient(&layer.weight.val(), gradients),
    );
    outputs.put(
        &format!("grad.{name}.bias"),
        gradient(&layer.bias.val(), gradients),
    );
}

/// The error of a backbone as the lab's.
fn refused(error: BackbonesError) -> Error {
    Error::input(error.to_string())
}

/// Gives a linear layer the parameters of a case.
fn fill(case: &Case, name: &str, layer: &mut Linear) -> Result<()> {
    layer.weight = parameter(case, &format!("{name}.weight"), layer.weight.dims())?;
    if let Some(bias) = &mut layer.bias {
        *bias = parameter(case, &format!("{name}.bias"), bias.dims())?;
    }
    Ok(())
}

/// The gradients of a linear layer.
fn linear(outputs: &mut Outputs, name: &str, layer: &Linear, gradients: &Gradients) {
    outputs.put(
        &format!("grad.{name}.weight"),
        gradient(&layer.weight.val(), gradients),
    );
    if let Some(bias) = &layer.bias {
        outputs.put(
            &format!("grad.{name}.bias"),
            gradient(&bias.val(), gradients),
        );
    }
}

pub(super) fn seq2seq(case: &Case) -> Result<Outputs> {
    let config = Seq2SeqConfig {
        input: case.config("input")?,
        hidden: case.config("hidden")?,
        output: case.config("output")?,
        length_in: case.config("length_in")?,
        length_out: case.config("length_out")?,
    };
    let device = device();
    let mut net = config.init(&device).map_err(refused)?;
    net.mixing = parameter(case, "mixing", net.mixing.dims())?;
    for (name, layer) in [
        ("encoder.input", &mut net.encoder.input),
        ("encoder.recurrent", &mut net.encoder.recurrent),
        ("decoder.input", &mut net.decoder.input),
        ("decoder.recurrent", &mut net.decoder.recurrent),
        ("head", &mut net.head),
    ] {
        fill(case, name, layer)?;
    }
    let u = case.tensor::<3>("in.u", &device)?.require_grad();
    let s = net.forward(u.clone());
    let mut outputs = Outputs::default();
    let loss = (s.clone() * case.tensor::<3>("in.cotangent", &device)?).sum();
    outputs.put("out.s", s);
    outputs.put("out.loss", loss.clone());
    let gradients = loss.backward();
    outputs.put("grad.u", gradient(&u, &gradients));
    outputs.put("grad.mixing", gradient(&net.mixing.val(), &gradients));
    for (name, layer) in [
        ("encoder.input", &net.encoder.input),
        ("encoder.recurrent", &net.encoder.recurrent),
        ("decoder.input", &net.decoder.input),
        ("decoder.recurrent", &net.decoder.recurrent),
        ("head", &net.head),
    ] {
        linear(&mut outputs, name, layer, &gradients);
    }
    Ok(outputs)
}

pub(super) fn residual_mlp(case: &Case) -> Result<Outputs> {
    let config = ResidualMlpConfig {
        activation: case.config("activation")?,
        ..ResidualMlpConfig::new(
            case.config("input")?,
            case.config("width")?,
            case.config("blocks")?,
            case.config("output")?,
        )
    };
    let device = device();
    let mut net = config.init(&device).map_err(refused)?;
    fill(case, "first", &mut net.first)?;
    fill(case, "head", &mut net.head)?;
    for (i, block) in net.blocks.iter_mut().enumerate() {
        for (j, layer) in block.iter_mut().enumerate() {
            fill(case, &format!("blocks.{i}.{j}"), layer)?;
        }
    }
    let x = case.tensor::<2>("in.x", &device)?.require_grad();
    let y = net.forward(x.clone());
    let mut outputs = Outputs::default();
    let loss = (y.clone() * case.tensor::<2>("in.cotangent", &device)?).sum();
    outputs.put("out.y", y);
    outputs.put("out.loss", loss.clone());
    let gradients = loss.backward();
    outputs.put("grad.x", gradient(&x, &gradients));
    linear(&mut outputs, "first", &net.first, &gradients);
    linear(&mut outputs, "head", &net.head, &gradients);
    for (i, block) in net.blocks.iter().enumerate() {
        for (j, layer) in block.iter().enumerate() {
            linear(&mut outputs, &format!("blocks.{i}.{j}"), layer, &gradients);
        }
    }
    Ok(outputs)
}
