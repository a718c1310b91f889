//! Gates: weights, penalties and gradients.

use super::{contracted, device, explain, gradient, outputs, permutation, tracked};
use burn::module::Param;
use offprint_experts::{
    CometGateConfig, DSelectKConfig, Detail, Gate, GateInput, HashGate, SelectorParameters,
    SmoothStepConfig, SoftmaxGate, TopK, TreeParameters,
};
use offprint_lab::{
    Result,
    golden::{Case, Outputs},
};

pub(super) fn smooth_step(case: &Case) -> Result<Outputs> {
    let device = device();
    let step = SmoothStepConfig::new().with_gamma(case.config("gamma")?);
    let x = tracked::<1>(case, "in.x", &device)?;
    let y = step.init().map_err(explain)?.forward(x.clone());
    let loss = (y.clone() * case.tensor("in.cotangent", &device)?).sum();
    let gradients = loss.backward();
    Ok(outputs([
        ("out.y", y.into()),
        ("grad.x", gradient(&x, &gradients).into()),
    ]))
}

pub(super) fn comet_gate(case: &Case) -> Result<Outputs> {
    let device = device();
    let x = tracked::<2>(case, "in.x", &device)?;
    let (matrices, permutation) = permutation(case, &device)?;
    let gate = CometGateConfig::new(x.dims()[1], case.config("experts")?, case.config("k")?)
        .with_gamma(case.config("gamma")?)
        .with_entropy_reg(case.config("entropy_reg")?)
        .init_with(TreeParameters {
            split_weight: case.tensor("param.wz", &device)?,
            split_bias: case.tensor("param.bz", &device)?,
            leaf_weight: case.tensor("param.wo", &device)?,
            leaf_bias: case.tensor("param.bo", &device)?,
        })
        .map_err(explain)?;
    let input = GateInput::new(x.clone()).with_permutation(&permutation);
    let output = gate.weights(input).map_err(explain)?;
    let loss = contracted(case, &output.weights)? + output.regularization;
    let gradients = loss.backward();
    let parameters = gate
        .by_node(
            gradient(&gate.weight.val(), &gradients),
            gradient(&gate.bias.val(), &gradients),
        )
        .map_err(explain)?;
    let Detail::Tree { reach, entropy } = output.detail else {
        unreachable!("COMET tells of its trees")
    };
    Ok(outputs([
        ("out.weights", output.weights.into()),
        ("out.reach", reach.into()),
        ("out.entropy", entropy.into()),
        ("out.loss", loss.into()),
        ("grad.x", gradient(&x, &gradients).into()),
        ("grad.permutation", gradient(&matrices, &gradients).into()),
        ("grad.wz", parameters.split_weight.into()),
        ("grad.bz", parameters.split_bias.into()),
        ("grad.wo", parameters.leaf_weight.into()),
        ("grad.bo", parameters.leaf_bias.into()),
    ]))
}

pub(super) fn dselect_k(case: &Case) -> Result<Outputs> {
    let device = device();
    let is_static = case.config::<bool>("static")?;
    let (n, k): (usize, usize) = (case.config("experts")?, case.config("k")?);
    let (matrices, permutation) = permutation(case, &device)?;
    let (x, parameters) = if is_static {
        let z = case.tensor::<2>("param.z_logits", &device)?;
        let w = case.tensor::<1>("param.w_logits", &device)?;
        let [_, bits] = z.dims();
        let parameters = SelectorParameters {
            selector_weight: burn::tensor::Tensor::zeros([0, k * bits], &device),
            selector_bias: z.reshape([k * bits]),
            mixing_weight: burn::tensor::Tensor::zeros([0, k], &device),
            mixing_bias: w,
        };
        (None, parameters)
    } else {
        let parameters = SelectorParameters {
            selector_weight: case.tensor::<2>("param.wz", &device)?.transpose(),
            selector_bias: case.tensor("param.bz", &device)?,
            mixing_weight: case.tensor::<2>("param.ww", &device)?.transpose(),
            mixing_bias: case.tensor("param.bw", &device)?,
        };
        (Some(tracked::<2>(case, "in.x", &device)?), parameters)
    };
    let width = x.as_ref().map_or(0, |x| x.dims()[1]);
    let gate = DSelectKConfig::new(width, n, k)
        .with_gamma(case.config("gamma")?)
        .with_entropy_reg(case.config("entropy_reg")?)
        .with_zeta(case.config("zeta")?)
        .init_with(parameters)
        .map_err(explain)?;
    let input = GateInput {
        x: x.clone(),
        ..GateInput::default()
    }
    .with_permutation(&permutation);
    let output = gate.weights(input).map_err(explain)?;
    let loss = contracted(case, &output.weights)? + output.regularization;
    let gradients = loss.backward();
    let Detail::Selectors {
        selectors,
        entropy,
        reachable,
    } = output.detail
    else {
        unreachable!("DSelect-k tells of its selectors")
    };
    let selector_bias = gradient(&gate.selector_bias.val(), &gradients);
    let mixing_bias = gradient(&gate.mixing_bias.val(), &gradients);
    let mut found = outputs([
        ("out.weights", output.weights.into()),
        ("out.selectors", selectors.into()),
        ("out.entropy", entropy.into()),
        ("out.reachable_loss", reachable.into()),
        ("out.loss", loss.into()),
        ("grad.permutation", gradient(&matrices, &gradients).into()),
    ]);
    match x {
        Some(x) => {
            let selector = gradient(&gate.selector_weight.val(), &gradients);
            let mixing = gradient(&gate.mixing_weight.val(), &gradients);
            found.put("grad.x", gradient(&x, &gradients));
            found.put("grad.wz", selector.transpose());
            found.put("grad.bz", selector_bias);
            found.put("grad.ww", mixing.transpose());
            found.put("grad.bw", mixing_bias);
        }
        None => {
            let bits = selector_bias.dims()[0] / k;
            found.put("grad.z_logits", selector_bias.reshape([k, bits]));
            found.put("grad.w_logits", mixing_bias);
        }
    }
    Ok(found)
}

pub(super) fn topk_gate(case: &Case) -> Result<Outputs> {
    let device = device();
    let x = tracked::<2>(case, "in.x", &device)?;
    let (matrices, permutation) = permutation(case, &device)?;
    let gate = TopK::from_parameters(
        case.tensor::<2>("param.w", &device)?.transpose(),
        case.tensor("param.b", &device)?,
        Some(case.tensor::<2>("param.w_noise", &device)?.transpose()),
        case.config("k")?,
    )
    .map_err(explain)?;
    let input = GateInput::new(x.clone())
        .with_noise(case.tensor("in.noise", &device)?)
        .with_permutation(&permutation);
    let output = gate.weights(input).map_err(explain)?;
    let loss = contracted(case, &output.weights)?;
    let gradients = loss.backward();
    let noise = gate.noise_weight.as_ref().expect("given above").val();
    let mut found = outputs([
        ("out.weights", output.weights.into()),
        ("out.loss", loss.into()),
        ("grad.x", gradient(&x, &gradients).into()),
        ("grad.permutation", gradient(&matrices, &gradients).into()),
        (
            "grad.w",
            gradient(&gate.weight.val(), &gradients).transpose().into(),
        ),
        ("grad.b", gradient(&gate.bias.val(), &gradients).into()),
        (
            "grad.w_noise",
            gradient(&noise, &gradients).transpose().into(),
        ),
    ]);
    if let Some(selected) = output.detail.selected() {
        found.put("out.selected", selected);
    }
    Ok(found)
}

pub(super) fn softmax_gate(case: &Case) -> Result<Outputs> {
    let device = device();
    let x = tracked::<2>(case, "in.x", &device)?;
    let (matrices, permutation) = permutation(case, &device)?;
    let gate = SoftmaxGate {
        weight: Param::from_tensor(case.tensor::<2>("param.w", &device)?.transpose().detach()),
        bias: Param::from_tensor(case.tensor("param.b", &device)?),
    };
    let input = GateInput::new(x.clone()).with_permutation(&permutation);
    let output = gate.weights(input).map_err(explain)?;
    let loss = contracted(case, &output.weights)?;
    let gradients = loss.backward();
    Ok(outputs([
        ("out.weights", output.weights.into()),
        ("out.loss", loss.into()),
        ("grad.x", gradient(&x, &gradients).into()),
        ("grad.permutation", gradient(&matrices, &gradients).into()),
        (
            "grad.w",
            gradient(&gate.weight.val(), &gradients).transpose().into(),
        ),
        ("grad.b", gradient(&gate.bias.val(), &gradients).into()),
    ]))
}

pub(super) fn hash_gate(case: &Case) -> Result<Outputs> {
    let device = device();
    let (matrices, permutation) = permutation(case, &device)?;
    let numbers = |name: &str| -> Result<Vec<usize>> {
        Ok(case
            .array(name)?
            .values
            .iter()
            .map(|&value| value as usize)
            .collect())
    };
    let (ids, table) = (numbers("in.ids")?, numbers("in.table")?);
    let gate = HashGate::from_table(table, case.config("experts")?, &device).map_err(explain)?;
    let input = GateInput::by_id(&ids).with_permutation(&permutation);
    let output = gate.weights(input).map_err(explain)?;
    let loss = contracted(case, &output.weights)?;
    let gradients = loss.backward();
    Ok(outputs([
        ("out.weights", output.weights.into()),
        ("out.loss", loss.into()),
        ("grad.permutation", gradient(&matrices, &gradients).into()),
    ]))
}
