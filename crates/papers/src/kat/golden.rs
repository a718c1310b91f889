//! KAT's golden cases: which library calls compute what a file holds.

use crate::explain::explain;
use burn::{
    module::Param,
    tensor::{Device, Gradients, Tensor},
};
use offprint_backbones::{
    AnyChannelMixer,
    checkpoint::{Stored, Unsaid, from_timm},
};
use offprint_lab::{
    Error, Result,
    golden::{Array, Case, Method, Outputs},
};
use offprint_layers::{
    Activation, Context, Linear, Quantizer,
    kan::{BSplineKan, GroupRationalKan},
    rational::{Coefficients, Rational, activation_gain, fit_rational, second_moment, value_of},
};

/// The kinds.
pub const METHODS: &[Method] = &[
    Method {
        kind: "rational",
        evaluate: rational,
    },
    Method {
        kind: "gr-kan",
        evaluate: group_rational_kan,
    },
    Method {
        kind: "vit",
        evaluate: vit,
    },
    Method {
        kind: "gain",
        evaluate: gain,
    },
    Method {
        kind: "b-spline-kan",
        evaluate: b_spline_kan,
    },
    Method {
        kind: "fit",
        evaluate: fit,
    },
];

fn device() -> Device {
    Device::default().autodiff()
}

/// A parameter of a layer.
fn parameter<const D: usize>(case: &Case, name: &str) -> Result<Param<Tensor<D>>> {
    let name = format!("param.{name}");
    Ok(Param::from_tensor(case.tensor::<D>(&name, &device())?))
}

/// A gradient, zero where the loss does not depend on the tensor.
fn gradient<const D: usize>(tensor: &Tensor<D>, gradients: &Gradients) -> Tensor<D> {
    let zero = || Tensor::zeros(tensor.dims(), &tensor.device().inner());
    tensor.grad(gradients).unwrap_or_else(zero)
}

/// Result, loss, gradient of the input, and the gradients for the rest.
fn begin<const D: usize, const E: usize>(
    case: &Case,
    x: &Tensor<D>,
    y: Tensor<E>,
) -> Result<(Outputs, Gradients)> {
    let cotangent = case.tensor::<E>("in.cotangent", &device())?;
    if y.dims() != cotangent.dims() {
        let (given, expected) = (cotangent.dims(), y.dims());
        let message = format!("in.cotangent has shape {given:?}, expected {expected:?}");
        return Err(Error::input(message));
    }
    let loss = (y.clone() * cotangent).sum();
    let mut outputs = Outputs::default();
    outputs.put("out.y", y);
    let value = f64::from(loss.clone().into_scalar::<f32>());
    outputs.put("out.loss", Array::scalar(value));
    let gradients = loss.backward();
    outputs.put("grad.x", gradient(x, &gradients));
    Ok((outputs, gradients))
}

/// The functions of a case whose parameters end in `suffix`, for a number of channels.
fn functions(case: &Case, suffix: &str, channels: usize) -> Result<Rational> {
    let numerator = parameter::<2>(case, &format!("numerator{suffix}"))?;
    let denominator = parameter::<2>(case, &format!("denominator{suffix}"))?;
    let ([rows, terms], [groups, degree]) = (numerator.dims(), denominator.dims());
    let wanted: usize = case.config("groups")?;
    let fits = groups == wanted && groups > 0 && channels.is_multiple_of(groups);
    if !fits || (rows != 1 && rows != groups) {
        return Err(Error::input(format!(
            "numerator{suffix} has shape [{rows}, {terms}] and denominator{suffix} [{groups}, {degree}], but there are \
            {channels} channels in {wanted} groups"
        )));
    }
    Ok(Rational {
        numerator,
        denominator,
    })
}

fn put_functions(outputs: &mut Outputs, suffix: &str, f: &Rational, gradients: &Gradients) {
    for (name, table) in [("numerator", &f.numerator), ("denominator", &f.denominator)] {
        let slope = gradient(&table.val(), gradients);
        outputs.put(&format!("grad.{name}{suffix}"), slope);
    }
}

fn rational(case: &Case) -> Result<Outputs> {
    match case.array("in.x")?.shape.len() {
        1 => rational_of::<1>(case),
        2 => rational_of::<2>(case),
        3 => rational_of::<3>(case),
        4 => rational_of::<4>(case),
        axes => Err(Error::input(format!(
            "in.x has {axes} axes, but 1 to 4 are expected"
        ))),
    }
}

fn rational_of<const D: usize>(case: &Case) -> Result<Outputs> {
    let x = case.tensor::<D>("in.x", &device())?.require_grad();
    let f = functions(case, "", x.dims()[D - 1])?;
    let (mut outputs, gradients) = begin(case, &x, f.forward(x.clone()))?;
    put_functions(&mut outputs, "", &f, &gradients);
    Ok(outputs)
}

fn group_rational_kan(case: &Case) -> Result<Outputs> {
    let x = case.tensor::<3>("in.x", &device())?.require_grad();
    let linear = |number: usize, input: usize| -> Result<Linear> {
        let weight = parameter::<2>(case, &format!("w{number}"))?;
        let bias = parameter::<1>(case, &format!("b{number}"))?;
        let ([rows, columns], [biases]) = (weight.dims(), bias.dims());
        if rows != input || columns != biases {
            return Err(Error::input(format!(
                "w{number} has shape [{rows}, {columns}] and b{number} [{biases}], but the input has width {input}"
            )));
        }
        Ok(Linear {
            weight,
            bias: Some(bias),
            quantizer: Quantizer::None,
        })
    };
    let width = x.dims()[2];
    let up = linear(1, width)?;
    let hidden = up.weight.dims()[1];
    let layer = GroupRationalKan {
        first: functions(case, "1", width)?,
        up,
        second: functions(case, "2", hidden)?,
        down: linear(2, hidden)?,
    };
    let (mut outputs, gradients) = begin(case, &x, layer.forward(x.clone()))?;
    for (suffix, f) in [("1", &layer.first), ("2", &layer.second)] {
        put_functions(&mut outputs, suffix, f, &gradients);
    }
    for (number, linear) in [(1, &layer.up), (2, &layer.down)] {
        let weight = gradient(&linear.weight.val(), &gradients);
        outputs.put(&format!("grad.w{number}"), weight);
        if let Some(bias) = &linear.bias {
            let bias = gradient(&bias.val(), &gradients);
            outputs.put(&format!("grad.b{number}"), bias);
        }
    }
    Ok(outputs)
}

/// A whole model by the names of its tensors in timm.
fn vit(case: &Case) -> Result<Outputs> {
    let parameters = case.tensors.iter().filter_map(|(name, array)| {
        let stored = Stored {
            shape: array.shape.clone(),
            values: array.values.iter().map(|value| *value as f32).collect(),
        };
        Some((name.strip_prefix("param.")?.to_string(), stored))
    });
    let unsaid = Unsaid {
        heads: Some(case.config("heads")?),
        size: Some(case.config("size")?),
        activation: case.config("activation")?,
    };
    let loaded = from_timm(parameters.collect(), &unsaid, &device());
    let (_, vit) = loaded.map_err(explain)?;
    let x = case.tensor::<4>("in.x", &device())?.require_grad();
    let y = vit.forward(x.clone(), Context::EVALUATION);
    let y = y.map_err(explain)?.output;
    let (mut outputs, gradients) = begin(case, &x, y)?;
    for (name, token) in [
        ("cls_token", &vit.class_token),
        ("pos_embed", &vit.positions),
    ] {
        outputs.put(&format!("grad.{name}"), gradient(&token.val(), &gradients));
    }
    if let Some(bias) = &vit.head.bias {
        outputs.put("grad.head.bias", gradient(&bias.val(), &gradients));
    }
    for (index, block) in vit.blocks.blocks.iter().enumerate() {
        let AnyChannelMixer::GrKan(kan) = &block.channel_mixer else {
            continue;
        };
        for (number, f) in [(1, &kan.first), (2, &kan.second)] {
            for (name, table) in [("numerator", &f.numerator), ("denominator", &f.denominator)] {
                let place = format!("grad.blocks.{index}.mlp.act{number}.weight_{name}");
                outputs.put(&place, gradient(&table.val(), &gradients));
            }
        }
    }
    Ok(outputs)
}

/// The rows of a matrix of a case.
fn rows(case: &Case, name: &str) -> Result<Vec<Vec<f64>>> {
    let array = case.array(name)?;
    let length = array.shape.last().copied().unwrap_or(0).max(1);
    Ok(array.values.chunks(length).map(<[f64]>::to_vec).collect())
}

fn gain(case: &Case) -> Result<Outputs> {
    let numerators = rows(case, "in.numerator")?;
    let denominators = rows(case, "in.denominator")?;
    if numerators.len() != denominators.len() {
        return Err(Error::input(format!(
            "{} numerators, but {} denominators",
            numerators.len(),
            denominators.len()
        )));
    }
    let (mut moments, mut gains) = (Vec::new(), Vec::new());
    for (numerator, denominator) in numerators.into_iter().zip(denominators) {
        let f = Coefficients {
            numerator,
            denominator,
        };
        moments.push(second_moment(|x| f.value(x)));
        gains.push(activation_gain(|x| f.value(x)).map_err(explain)?);
    }
    let mut outputs = Outputs::default();
    outputs.put("out.second_moment", Array::row(moments));
    outputs.put("out.gain", Array::row(gains));
    Ok(outputs)
}

fn b_spline_kan(case: &Case) -> Result<Outputs> {
    let x = case.tensor::<2>("in.x", &device())?.require_grad();
    let knots = case.tensor::<2>("in.grid", &device())?;
    let order: usize = case.config("spline_order")?;
    // Cases hold the weights by output; a leaf of ours holds them as the layer does.
    let [base, scale] = ["param.base", "param.scale"].map(|name| {
        let weight = case.tensor::<2>(name, &device());
        weight.map(|weight| Param::from_tensor(weight.transpose().detach()))
    });
    let (base, scale) = (base?, scale?);
    let spline = case.tensor::<3>("param.spline", &device())?;
    let spline = Param::from_tensor(spline.permute([1, 2, 0]).detach());
    let [inputs, bases, outputs] = spline.dims();
    let matrix = [inputs, outputs];
    if x.dims()[1] != inputs || base.dims() != matrix || scale.dims() != matrix {
        return Err(Error::input(format!(
            "in.x, param.base and param.scale do not fit {inputs} inputs and {outputs} outputs"
        )));
    }
    if knots.dims() != [inputs, bases + order + 1] {
        return Err(Error::input(format!(
            "in.grid has shape {:?}, but order {order} and {bases} bases need [{inputs}, {}]",
            knots.dims(),
            bases + order + 1
        )));
    }
    let layer = BSplineKan {
        base,
        spline,
        scale,
        knots: Param::from_tensor(knots).set_require_grad(false),
    };
    let (mut found, gradients) = begin(case, &x, layer.forward(x.clone()))?;
    found.put("out.basis", layer.basis(x.detach()));
    for (name, weight) in [("base", &layer.base), ("scale", &layer.scale)] {
        let slope = gradient(&weight.val(), &gradients).transpose();
        found.put(&format!("grad.{name}"), slope);
    }
    let slope = gradient(&layer.spline.val(), &gradients).permute([2, 0, 1]);
    found.put("grad.spline", slope);
    Ok(found)
}

fn fit(case: &Case) -> Result<Outputs> {
    let f: Activation = case.config("function")?;
    let fit = fit_rational(
        |x| value_of(f, x),
        case.config("range")?,
        case.config("degrees")?,
    );
    let fit = fit.map_err(explain)?;
    let places = &case.array("in.x")?.values;
    let values = places.iter().map(|x| fit.coefficients.value(*x)).collect();
    let mut outputs = Outputs::default();
    outputs.put("out.y", Array::row(values));
    outputs.put("out.max_error", Array::scalar(fit.max_error));
    Ok(outputs)
}
