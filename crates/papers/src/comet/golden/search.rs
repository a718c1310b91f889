//! Local search in 64 bits, and the assignment.

use super::{device, explain, gradient, outputs};
use burn::tensor::{DType, Device, Tensor, TensorData};
use offprint_experts::{self as experts, LocalSearchConfig, Permutation, Schedule, Stage};
use offprint_lab::{
    Result,
    golden::{Array, Case, Outputs},
};

/// A tensor of the file in 64 bits.
fn double(case: &Case, name: &str, device: &Device) -> Result<Tensor<3>> {
    Ok(as_double(case.array(name)?, device))
}

fn as_double(array: &Array, device: &Device) -> Tensor<3> {
    let data = TensorData::new(array.values.clone(), array.shape.clone());
    Tensor::from_data(data, (device, DType::F64))
}

pub(super) fn permutation(case: &Case) -> Result<Outputs> {
    let device = device();
    let log_weights = double(case, "param.log_weights", &device)?;
    let [m, n, _] = log_weights.dims();
    let entropy_reg: f64 = case.config("entropy_reg")?;
    let mut search = LocalSearchConfig::new(n, 2)
        .with_permutations(m)
        .with_noise(case.config("noise_factor")?)
        .with_entropy_reg(entropy_reg)
        .init_with(log_weights)
        .map_err(explain)?;
    let stage = Stage {
        tau: case.config("tau")?,
        iterations: case.config("iterations")?,
        frozen: false,
    };
    let gumbel = double(case, "in.gumbel", &device)?;
    let soft = search.soft(stage, Some(gumbel)).map_err(explain)?;
    search.last = search.last.map(|_| soft.clone().detach());
    let entropy = search.entropy(soft.clone());
    let weighted = soft.clone() * double(case, "in.cotangent", &device)?;
    let loss = weighted.sum() + entropy.clone() * entropy_reg;
    let gradients = loss.backward();
    let hard = search.hard().map_err(explain)?.matrices();
    Ok(outputs([
        ("out.soft", soft.into()),
        ("out.hard", hard.into()),
        ("out.entropy", entropy.into()),
        ("out.loss", loss.into()),
        (
            "grad.log_weights",
            gradient(&search.log_weights.val(), &gradients).into(),
        ),
    ]))
}

pub(super) fn local_search(case: &Case) -> Result<Outputs> {
    let device = device();
    let log_weights = double(case, "param.log_weights", &device)?;
    let [m, n, _] = log_weights.dims();
    let steps: usize = case.config("learning_steps")?;
    let mut search = LocalSearchConfig::new(n, steps)
        .with_permutations(m)
        .with_noise(case.config("noise_factor")?)
        .with_entropy_reg(case.config("entropy_reg")?)
        .init_with(log_weights)
        .map_err(explain)?;
    let calls = case.array("in.step")?.values.clone();
    let (gumbel, cotangent) = (case.array("in.gumbel")?, case.array("in.cotangent")?);
    let slice = |array: &Array, call: usize| {
        let size = m * n * n;
        let values = array.values[call * size..(call + 1) * size].to_vec();
        as_double(&Array::new([m, n, n], values), &device)
    };
    let mut loss = as_double(&Array::new([1, 1, 1], vec![0.0]), &device).sum();
    let (mut found, mut permutations) = (Outputs::default(), Vec::new());
    let [mut tau, mut iterations, mut frozen, mut regularization] = [(); 4].map(|()| Vec::new());
    for (call, &step) in calls.iter().enumerate() {
        let stage = Schedule { steps }.at(step as usize);
        let permutation = search
            .permutation(step as usize, Some(slice(gumbel, call)))
            .map_err(explain)?;
        let matrices = match permutation {
            Permutation::Soft(matrices) => matrices,
            Permutation::Hard(matrices) => matrices.cast(DType::F64),
        };
        let penalty = search.entropy(matrices.clone()) * search.entropy_reg;
        loss = loss + (matrices.clone() * slice(cotangent, call)).sum() + penalty.clone();
        tau.push(stage.tau);
        iterations.push(stage.iterations as f64);
        frozen.push(f64::from(u8::from(stage.frozen)));
        regularization.extend(Array::from(penalty).values);
        permutations.extend(Array::from(matrices).values);
    }
    let gradients = loss.backward();
    let hard = search.hard().map_err(explain)?.matrices();
    found.put("out.tau", Array::row(tau));
    found.put("out.iterations", Array::row(iterations));
    found.put("out.frozen", Array::row(frozen));
    found.put("out.regularization", Array::row(regularization));
    found.put(
        "out.permutation",
        Array::new([calls.len(), m, n, n], permutations),
    );
    found.put("out.hard", hard);
    found.put("out.loss", loss);
    found.put(
        "grad.log_weights",
        gradient(&search.log_weights.val(), &gradients),
    );
    Ok(found)
}

pub(super) fn schedule(case: &Case) -> Result<Outputs> {
    let schedule = Schedule {
        steps: case.config("learning_steps")?,
    };
    let steps = case.array("in.step")?.values.iter();
    let stages: Vec<Stage> = steps.map(|&step| schedule.at(step as usize)).collect();
    let row = |value: fn(&Stage) -> f64| Array::row(stages.iter().map(value).collect());
    Ok(outputs([
        ("out.tau", row(|stage| stage.tau)),
        ("out.iterations", row(|stage| stage.iterations as f64)),
        ("out.frozen", row(|stage| f64::from(u8::from(stage.frozen)))),
    ]))
}

pub(super) fn assignment(case: &Case) -> Result<Outputs> {
    let n: usize = case.config("size")?;
    let cost = &case.array("in.cost")?.values;
    let columns = experts::assignment(cost, n).map_err(explain)?;
    let total = columns
        .iter()
        .enumerate()
        .map(|(row, column)| cost[row * n + column])
        .sum();
    Ok(outputs([
        (
            "out.columns",
            Array::row(columns.iter().map(|&column| column as f64).collect()),
        ),
        ("out.total", Array::scalar(total)),
    ]))
}
