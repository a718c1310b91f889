//! Mixtures end to end, and one convolutional expert.

use super::{device, explain, gradient, outputs, permutation, tracked};
use burn::{
    module::Param,
    tensor::{Device, Tensor},
};
use offprint_experts::{
    CnnExpertsConfig, CometGate, CometGateConfig, ExpertLayer, GateInput, Mlp, MlpExperts,
    MultiGate, Pairs, TreeParameters,
};
use offprint_lab::{
    Result,
    golden::{Case, Outputs},
};

/// Number of tasks.
const TASKS: usize = 2;

pub(super) fn mixture(case: &Case) -> Result<Outputs> {
    let device = device();
    let x = tracked::<2>(case, "in.x", &device)?;
    let (matrices, permutation) = permutation(case, &device)?;
    let experts = MlpExperts {
        weights: vec![
            parameter(case, "param.w1", &device)?,
            parameter(case, "param.w2", &device)?,
        ],
        biases: vec![
            parameter(case, "param.b1", &device)?,
            parameter(case, "param.b2", &device)?,
        ],
    };
    let width = experts.biases[1].dims()[1];
    let gates = (0..TASKS).map(|task| gate(case, task, x.dims()[1], &device));
    let heads = (0..TASKS).map(|_| identity(width, &device)).collect();
    let model = MultiGate::new(None, experts, gates.collect::<Result<_>>()?, heads);
    let model = model.map_err(explain)?;
    let routing = GateInput::default().with_permutation(&permutation);
    let output = model.forward(x.clone(), &[routing]).map_err(explain)?;
    let penalty = output.regularization();
    let tasks = Tensor::stack::<3>(output.tasks.clone(), 0);
    let loss = (tasks.clone() * case.tensor("in.cotangent", &device)?).sum() + penalty.clone();
    let gradients = loss.backward();
    let gate_weights: Vec<_> = output
        .gates
        .iter()
        .map(|gate| gate.weights.clone())
        .collect();
    let parameters: Vec<TreeParameters> = model
        .gates
        .iter()
        .map(|gate| {
            let weight = gradient(&gate.weight.val(), &gradients);
            gate.by_node(weight, gradient(&gate.bias.val(), &gradients))
                .map_err(explain)
        })
        .collect::<Result<_>>()?;
    let three = |part: fn(&TreeParameters) -> Tensor<3>| {
        Tensor::stack::<4>(parameters.iter().map(part).collect(), 0)
    };
    let two = |part: fn(&TreeParameters) -> Tensor<2>| {
        Tensor::stack::<3>(parameters.iter().map(part).collect(), 0)
    };
    let weight = |layer: usize| gradient(&model.experts.weights[layer].val(), &gradients);
    let bias = |layer: usize| gradient(&model.experts.biases[layer].val(), &gradients);
    let evaluated = offprint_lab::golden::Array::scalar(output.pairs.len() as f64);
    Ok(outputs([
        ("out.weights", Tensor::stack::<3>(gate_weights, 0).into()),
        ("out.outputs", tasks.into()),
        ("out.entropy", penalty.into()),
        ("out.evaluated", evaluated),
        ("out.loss", loss.into()),
        ("grad.x", gradient(&x, &gradients).into()),
        ("grad.permutation", gradient(&matrices, &gradients).into()),
        ("grad.wz", three(|p| p.split_weight.clone()).into()),
        ("grad.bz", two(|p| p.split_bias.clone()).into()),
        ("grad.wo", three(|p| p.leaf_weight.clone()).into()),
        ("grad.bo", two(|p| p.leaf_bias.clone()).into()),
        ("grad.w1", weight(0).into()),
        ("grad.b1", bias(0).into()),
        ("grad.w2", weight(1).into()),
        ("grad.b2", bias(1).into()),
    ]))
}

/// The gate of a task, whose parameters stand one after another in the file.
fn gate(case: &Case, task: usize, input: usize, device: &Device) -> Result<CometGate> {
    let three = |name: &str| -> Result<Tensor<3>> {
        Ok(case
            .tensor::<4>(name, device)?
            .narrow(0, task, 1)
            .squeeze_dim(0))
    };
    let two = |name: &str| -> Result<Tensor<2>> {
        Ok(case
            .tensor::<3>(name, device)?
            .narrow(0, task, 1)
            .squeeze_dim(0))
    };
    CometGateConfig::new(input, case.config("experts")?, case.config("k")?)
        .with_gamma(case.config("gamma")?)
        .with_entropy_reg(case.config("entropy_reg")?)
        .init_with(TreeParameters {
            split_weight: three("param.wz")?,
            split_bias: two("param.bz")?,
            leaf_weight: three("param.wo")?,
            leaf_bias: two("param.bo")?,
        })
        .map_err(explain)
}

/// A head that changes nothing: the case looks at what reaches the heads.
fn identity(width: usize, device: &Device) -> Mlp {
    Mlp {
        weights: vec![Param::from_tensor(Tensor::eye(width, device))],
        biases: vec![Param::from_tensor(Tensor::zeros([width], device))],
        relu_last: false,
    }
}

fn parameter<const D: usize>(case: &Case, name: &str, device: &Device) -> Result<Param<Tensor<D>>> {
    Ok(Param::from_tensor(case.tensor(name, device)?))
}

/// One expert: the first of two, to which every row goes.
pub(super) fn conv_expert(case: &Case) -> Result<Outputs> {
    let device = device();
    let pixels = tracked::<4>(case, "in.x", &device)?;
    let [batch, _, height, width] = pixels.dims();
    let mut experts = CnnExpertsConfig::new(2, height, width)
        .init(&device)
        .map_err(explain)?;
    let first = |name: &str| -> Result<Tensor<5>> {
        let kernel = case.tensor::<4>(name, &device)?;
        Ok(Tensor::stack(vec![kernel.clone(), kernel.zeros_like()], 0))
    };
    let rows = |name: &str| -> Result<Tensor<2>> {
        let bias = case.tensor::<1>(name, &device)?;
        Ok(Tensor::stack(vec![bias.clone(), bias.zeros_like()], 0))
    };
    let dense = |name: &str| -> Result<Tensor<3>> {
        let weight = case.tensor::<2>(name, &device)?;
        Ok(Tensor::stack(vec![weight.clone(), weight.zeros_like()], 0))
    };
    experts.kernels = vec![
        Param::from_tensor(first("param.conv1_w")?),
        Param::from_tensor(first("param.conv2_w")?),
    ];
    experts.biases = vec![
        Param::from_tensor(rows("param.conv1_b")?),
        Param::from_tensor(rows("param.conv2_b")?),
    ];
    experts.dense.weights = vec![
        Param::from_tensor(dense("param.dense1_w")?),
        Param::from_tensor(dense("param.dense2_w")?),
    ];
    experts.dense.biases = vec![
        Param::from_tensor(rows("param.dense1_b")?),
        Param::from_tensor(rows("param.dense2_b")?),
    ];
    let to_first = [1.0, 0.0].repeat(batch);
    let pairs = Pairs::union(&[&to_first], 2).into();
    let x = pixels.clone().reshape([batch, height * width]);
    let y = experts.evaluate(x, &pairs).map_err(explain)?;
    let loss = (y.clone() * case.tensor("in.cotangent", &device)?).sum();
    let gradients = loss.backward();
    let kernel = |layer: usize| -> Tensor<4> {
        gradient(&experts.kernels[layer].val(), &gradients)
            .narrow(0, 0, 1)
            .squeeze_dim(0)
    };
    let weight = |layer: usize| -> Tensor<2> {
        gradient(&experts.dense.weights[layer].val(), &gradients)
            .narrow(0, 0, 1)
            .squeeze_dim(0)
    };
    let bias = |bias: &Param<Tensor<2>>| -> Tensor<1> {
        gradient(&bias.val(), &gradients)
            .narrow(0, 0, 1)
            .squeeze_dim(0)
    };
    Ok(outputs([
        ("out.y", y.into()),
        ("out.loss", loss.into()),
        ("grad.x", gradient(&pixels, &gradients).into()),
        ("grad.conv1_w", kernel(0).into()),
        ("grad.conv1_b", bias(&experts.biases[0]).into()),
        ("grad.conv2_w", kernel(1).into()),
        ("grad.conv2_b", bias(&experts.biases[1]).into()),
        ("grad.dense1_w", weight(0).into()),
        ("grad.dense1_b", bias(&experts.dense.biases[0]).into()),
        ("grad.dense2_w", weight(1).into()),
        ("grad.dense2_b", bias(&experts.dense.biases[1]).into()),
    ]))
}
