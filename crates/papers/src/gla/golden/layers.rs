//! The layers: gated linear attention, retention, Mamba.

use super::{contracted, device, gradient, parameter, tracked};
use crate::explain::explain;
use burn::{
    module::Param,
    tensor::{Device, Gradients, Tensor},
};
use offprint_lab::{
    Error, Result,
    golden::{Array, Case, Outputs},
};
use offprint_layers::{
    GatedLinearAttentionConfig, Heads, HeadsConfig, Linear, MambaConfig, RetentionConfig, Rotary,
};

/// Sizes that a case names, for an input of that width.
fn heads(case: &Case, width: usize) -> Result<HeadsConfig> {
    let heads = HeadsConfig::new(
        width,
        case.config("heads")?,
        case.config("expand_k")?,
        case.config("expand_v")?,
    );
    Ok(HeadsConfig {
        norm_epsilon: case.config("norm_eps")?,
        ..heads
    })
}

/// Puts a case's weight in the place of a layer's.
fn weight(case: &Case, name: &str, linear: &mut Linear, device: &Device) -> Result<()> {
    let weight = parameter(case, &format!("param.{name}"), device)?;
    let (given, expected) = (weight.dims(), linear.weight.dims());
    if given != expected {
        let message = format!("param.{name} has shape {given:?}, expected {expected:?}");
        return Err(Error::input(message));
    }
    linear.weight = weight;
    Ok(())
}

/// The projections of a linear attention by the names of the cases.
fn projections(heads: &mut Heads) -> [(&'static str, &mut Linear); 5] {
    [
        ("q_proj", &mut heads.q),
        ("k_proj", &mut heads.k),
        ("v_proj", &mut heads.v),
        ("g_proj", &mut heads.gate),
        ("o_proj", &mut heads.output),
    ]
}

fn load_heads(case: &Case, heads: &mut Heads, device: &Device) -> Result<()> {
    for (name, linear) in projections(heads) {
        weight(case, name, linear, device)?;
    }
    heads.norm.weight = parameter(case, "param.norm", device)?;
    Ok(())
}

fn put_heads(outputs: &mut Outputs, heads: &mut Heads, gradients: &Gradients) {
    for (name, linear) in projections(heads) {
        let slope = gradient(&linear.weight.val(), gradients);
        outputs.put(&format!("grad.{name}"), slope);
    }
    outputs.put("grad.norm", gradient(&heads.norm.weight.val(), gradients));
}

/// Result, loss, gradient of the input, and the gradients for the rest.
fn begin(case: &Case, x: &Tensor<3>, y: Tensor<3>) -> Result<(Outputs, Gradients)> {
    let loss = contracted(case, "in.cotangent", &y)?;
    let mut outputs = Outputs::default();
    outputs.put("out.y", y);
    let value = f64::from(loss.clone().into_scalar::<f32>());
    outputs.put("out.loss", Array::scalar(value));
    let gradients = loss.backward();
    outputs.put("grad.x", gradient(x, &gradients));
    Ok((outputs, gradients))
}

pub(super) fn gated(case: &Case) -> Result<Outputs> {
    let device = device();
    let x = tracked::<3>(case, "in.x", &device)?;
    let config = GatedLinearAttentionConfig {
        heads: heads(case, x.dims()[2])?,
        gate_rank: case.config("gate_rank")?,
        gate_logit_normalizer: case.config("gate_logit_normalizer")?,
    };
    let mut layer = config.init(&device).map_err(explain)?;
    load_heads(case, &mut layer.heads, &device)?;
    weight(case, "gate_down", &mut layer.forget_down, &device)?;
    weight(case, "gate_up", &mut layer.forget_up, &device)?;
    let bias = parameter::<1>(case, "param.gate_bias", &device)?;
    layer.forget_up.bias = Some(bias.clone());
    let y = layer.forward(x.clone());
    let (mut outputs, gradients) = begin(case, &x, y)?;
    put_heads(&mut outputs, &mut layer.heads, &gradients);
    let [down, up] = [&layer.forget_down, &layer.forget_up].map(|linear| linear.weight.val());
    outputs.put("grad.gate_down", gradient(&down, &gradients));
    outputs.put("grad.gate_up", gradient(&up, &gradients));
    outputs.put("grad.gate_bias", gradient(&bias.val(), &gradients));
    Ok(outputs)
}

pub(super) fn retention(case: &Case) -> Result<Outputs> {
    let device = device();
    let x = tracked::<3>(case, "in.x", &device)?;
    let config = RetentionConfig {
        heads: heads(case, x.dims()[2])?,
        rotary: Some(Rotary {
            base: case.config("rotary_base")?,
        }),
    };
    let mut layer = config.init(&device).map_err(explain)?;
    load_heads(case, &mut layer.heads, &device)?;
    let y = layer.forward(x.clone(), None);
    let (mut outputs, gradients) = begin(case, &x, y)?;
    put_heads(&mut outputs, &mut layer.heads, &gradients);
    Ok(outputs)
}

pub(super) fn mamba(case: &Case) -> Result<Outputs> {
    let device = device();
    let x = tracked::<3>(case, "in.x", &device)?;
    let config = MambaConfig {
        state: case.config("state")?,
        expand: case.config("expand")?,
        conv: case.config("conv")?,
        delta_rank: Some(case.config("delta_rank")?),
        ..MambaConfig::new(x.dims()[2])
    };
    let mut layer = config.init(&device).map_err(explain)?;
    weight(case, "in_proj", &mut layer.input, &device)?;
    weight(case, "x_proj", &mut layer.select, &device)?;
    weight(case, "delta_proj", &mut layer.delta, &device)?;
    weight(case, "out_proj", &mut layer.output, &device)?;
    let steps = parameter::<1>(case, "param.delta_bias", &device)?;
    layer.delta.bias = Some(steps.clone());
    // Cases hold the convolution by channel, `[channels, width]`.
    let conv = case.tensor::<2>("param.conv", &device)?.transpose();
    layer.conv_bias = parameter(case, "param.conv_bias", &device)?;
    layer.a_log = parameter(case, "param.a_log", &device)?;
    layer.skip = parameter(case, "param.skip", &device)?;
    layer.conv_weight = Param::from_tensor(conv.detach());
    let y = layer.forward(x.clone(), None);
    let (mut outputs, gradients) = begin(case, &x, y)?;
    for (name, linear) in [
        ("in_proj", &layer.input),
        ("x_proj", &layer.select),
        ("delta_proj", &layer.delta),
        ("out_proj", &layer.output),
    ] {
        let slope = gradient(&linear.weight.val(), &gradients);
        outputs.put(&format!("grad.{name}"), slope);
    }
    for (name, vector) in [
        ("delta_bias", &steps),
        ("conv_bias", &layer.conv_bias),
        ("skip", &layer.skip),
    ] {
        outputs.put(&format!("grad.{name}"), gradient(&vector.val(), &gradients));
    }
    outputs.put("grad.a_log", gradient(&layer.a_log.val(), &gradients));
    let conv = layer.conv_weight.val();
    let slope = conv.grad(&gradients).map(Tensor::transpose);
    let zero = || Tensor::zeros(conv.clone().transpose().dims(), &device.inner());
    outputs.put("grad.conv", slope.unwrap_or_else(zero));
    Ok(outputs)
}
