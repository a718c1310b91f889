//! Sparse evaluation is the dense mixture, in value and gradient, at the cost of the pairs.

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor, activation};
use offprint_experts::{
    AnyGate, CnnExpertsConfig, CometGateConfig, DSelectKConfig, ExpertLayer, Gate, GateConfig,
    GateInput, HashGateConfig, LocalSearchConfig, MixtureOfExperts, MlpConfig, MlpExperts,
    MlpExpertsConfig, MultiGate, Pairs, Permutation, Schedule, SoftmaxGateConfig, TopKConfig,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const BATCH: usize = 12;
const INPUT: usize = 5;
const EXPERTS: usize = 6;
const IDS: [usize; BATCH] = [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4];

fn device() -> Device {
    Device::flex().autodiff()
}

/// Seeds the backend's generator, which the tests of this process share, for as long as the guard lives.
fn seeded() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let guard = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    device().seed(1);
    guard
}

fn normal<const D: usize>(shape: [usize; D], deviation: f64) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, deviation), &device())
}

/// Every gate, with parameters of a size that makes many weights exactly zero where the gate can.
fn gates() -> Vec<AnyGate> {
    let comet = CometGateConfig::new(INPUT, EXPERTS, 2).with_gamma(0.5);
    let dselect = DSelectKConfig::new(INPUT, EXPERTS, 2).with_gamma(0.5);
    let configs = [
        GateConfig::Comet(comet),
        GateConfig::DSelectK(dselect),
        GateConfig::TopK(TopKConfig::new(INPUT, EXPERTS, 2)),
        GateConfig::Hash(HashGateConfig::new(7, EXPERTS)),
        GateConfig::Softmax(SoftmaxGateConfig::new(INPUT, EXPERTS)),
    ];
    let grown = |parameter: Param<Tensor<2>>| {
        let shape = parameter.dims();
        parameter.map(|_| normal(shape, 0.3).require_grad())
    };
    configs
        .into_iter()
        .map(|config| match config.init(&device()).unwrap() {
            AnyGate::Comet(mut gate) => {
                gate.weight = grown(gate.weight);
                AnyGate::Comet(gate)
            }
            AnyGate::DSelectK(mut gate) => {
                gate.selector_weight = grown(gate.selector_weight);
                AnyGate::DSelectK(gate)
            }
            gate => gate,
        })
        .collect()
}

fn mlp() -> MlpExperts {
    let mut experts = MlpExpertsConfig::new(EXPERTS, INPUT, vec![7, 3])
        .init(&device())
        .unwrap();
    experts.biases = experts
        .biases
        .into_iter()
        .map(|bias| {
            let shape = bias.dims();
            bias.map(|_| normal(shape, 0.1).require_grad())
        })
        .collect();
    experts
}

/// All experts on all rows, `[batch, n, width]`, by Burn's primitives.
fn dense(experts: &MlpExperts, x: Tensor<2>) -> Tensor<3> {
    let layer = |x: Tensor<3>, layer: usize| {
        let y =
            x.matmul(experts.weights[layer].val()) + experts.biases[layer].val().unsqueeze_dim(1);
        activation::relu(y)
    };
    let x = x.unsqueeze_dim::<3>(0).repeat_dim(0, EXPERTS);
    layer(layer(x, 0), 1).swap_dims(0, 1)
}

fn mixed(dense: Tensor<3>, weights: Tensor<2>) -> Tensor<2> {
    let [batch, _, width] = dense.dims();
    (dense * weights.unsqueeze_dim(2))
        .sum_dim(1)
        .reshape([batch, width])
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn assert_close(actual: &[f32], expected: &[f32], what: &str) {
    assert_eq!(actual.len(), expected.len());
    for (a, b) in actual.iter().zip(expected) {
        assert!(
            (a - b).abs() <= 2e-5 * b.abs().max(1.0),
            "{what}: {a}, expected {b}"
        );
    }
}

/// Gradients of every parameter of the gate, in a fixed order.
fn gate_gradients(gate: &AnyGate, grads: &burn::tensor::Gradients) -> Vec<f32> {
    let gradients: Vec<Option<Vec<f32>>> = match gate {
        AnyGate::Comet(gate) => vec![
            gate.weight.grad(grads).map(values),
            gate.bias.grad(grads).map(values),
        ],
        AnyGate::DSelectK(gate) => vec![
            gate.selector_weight.grad(grads).map(values),
            gate.mixing_weight.grad(grads).map(values),
        ],
        AnyGate::TopK(gate) => vec![gate.weight.grad(grads).map(values)],
        AnyGate::Softmax(gate) => vec![gate.weight.grad(grads).map(values)],
        AnyGate::Hash(_) => vec![],
    };
    gradients
        .into_iter()
        .flat_map(|gradient| gradient.expect("a gradient"))
        .collect()
}

#[test]
fn values_and_gradients_of_every_gate_with_and_without_local_search() {
    let _seeded = seeded();
    for gate in gates() {
        for searched in [false, true] {
            let search = LocalSearchConfig::new(EXPERTS, 100)
                .init(&device())
                .unwrap();
            // Soft at 1e-5: rows that are nearly one-hot, with many entries that are exactly zero. Once a backward pass, since
            // each uses up its graph.
            let soft = || {
                let stage = Schedule { steps: 100 }.at(50);
                Permutation::Soft(search.soft(stage, None).unwrap())
            };
            let permutations = [soft(), soft()];
            let model = MixtureOfExperts::new(gate.clone(), mlp()).unwrap();
            let x = normal([BATCH, INPUT], 1.0).require_grad();
            let mut routing = GateInput::default().with_ids(&IDS);
            if searched {
                routing = routing.with_permutation(&permutations[0]);
            }
            let cotangent = normal([BATCH, 3], 1.0);

            let output = model.forward(x.clone(), routing.clone()).unwrap();
            let nonzero = values(output.gate.weights.clone())
                .iter()
                .filter(|w| **w != 0.0)
                .count();
            assert_eq!(output.pairs.len(), nonzero);
            let sparse = values(output.output.clone());
            let grads =
                ((output.output * cotangent.clone()).sum() + output.gate.regularization).backward();
            let gathered = |grads: &burn::tensor::Gradients| {
                let mut all = gate_gradients(&model.gate, grads);
                for weight in &model.experts.weights {
                    all.extend(values(weight.grad(grads).unwrap()));
                }
                for bias in &model.experts.biases {
                    all.extend(values(bias.grad(grads).unwrap()));
                }
                all.extend(values(x.grad(grads).unwrap()));
                if searched {
                    all.extend(values(search.log_weights.grad(grads).unwrap()));
                }
                all
            };
            let sparse_gradients = gathered(&grads);

            let gate = model
                .gate
                .weights(GateInput {
                    x: Some(x.clone()),
                    permutation: searched.then_some(&permutations[1]),
                    ..routing
                })
                .unwrap();
            let output = mixed(dense(&model.experts, x.clone()), gate.weights);
            assert_close(&sparse, &values(output.clone()), "value");
            let grads = ((output * cotangent).sum() + gate.regularization).backward();
            assert_close(&sparse_gradients, &gathered(&grads), "gradient");
        }
    }
}

#[test]
fn an_expert_that_no_row_reaches_is_not_touched() {
    let _seeded = seeded();
    let gate = offprint_experts::HashGate::from_table(vec![0, 2, 0, 2], 3, &device()).unwrap();
    let mut experts = MlpExpertsConfig::new(3, 2, vec![4, 2])
        .init(&device())
        .unwrap();
    // Expert 1 would turn whatever it is multiplied with into NaN, even zero.
    experts.weights[0] = experts.weights[0].clone().map(|weight| {
        let poison = Tensor::full([1, 2, 4], f32::NAN, &device());
        weight
            .slice_assign([1..2, 0..2, 0..4], poison)
            .detach()
            .require_grad()
    });
    let model = MixtureOfExperts::new(gate, experts).unwrap();
    let x = normal([4, 2], 1.0).require_grad();
    let output = model
        .forward(x.clone(), GateInput::by_id(&[0, 1, 2, 3]))
        .unwrap();
    assert_eq!(output.pairs.len(), 4);
    assert!(
        values(output.output.clone())
            .iter()
            .all(|value| value.is_finite())
    );
    let grads = output.output.sum().backward();
    assert!(
        values(x.grad(&grads).unwrap())
            .iter()
            .all(|value| value.is_finite())
    );
    let gradient = values(model.experts.weights[0].grad(&grads).unwrap());
    assert!(gradient[8..16].iter().all(|value| *value == 0.0));
}

#[test]
fn tasks_share_the_evaluation_of_their_pairs() {
    let _seeded = seeded();
    let gates: Vec<_> = gates().into_iter().take(3).collect();
    let heads = (0..3)
        .map(|_| MlpConfig::new(3, vec![2]).init(&device()).unwrap())
        .collect();
    let bottom = MlpConfig::new(4, vec![INPUT])
        .with_relu_last(true)
        .init(&device())
        .unwrap();
    let model = MultiGate::new(Some(bottom), mlp(), gates, heads).unwrap();
    let x = normal([BATCH, 4], 1.0).require_grad();
    let cotangent = normal([BATCH, 2], 1.0);
    let output = model.forward(x.clone(), &[GateInput::default()]).unwrap();
    let union = (0..BATCH * EXPERTS)
        .filter(|at| {
            output
                .gates
                .iter()
                .any(|gate| values(gate.weights.clone())[*at] != 0.0)
        })
        .count();
    assert_eq!(output.pairs.len(), union);
    assert!(union < BATCH * EXPERTS);
    let loss = |tasks: Vec<Tensor<2>>, penalty: Tensor<1>| {
        tasks.into_iter().fold(penalty, |loss, task| {
            loss + (task * cotangent.clone()).sum()
        })
    };
    let sparse: Vec<f32> = output.tasks.iter().cloned().flat_map(values).collect();
    let grads = loss(output.tasks.clone(), output.regularization()).backward();
    let gathered = |grads: &burn::tensor::Gradients| {
        let mut all: Vec<f32> = model
            .gates
            .iter()
            .flat_map(|gate| gate_gradients(gate, grads))
            .collect();
        all.extend(values(
            model.bottom.as_ref().unwrap().weights[0]
                .grad(grads)
                .unwrap(),
        ));
        all.extend(values(model.experts.weights[0].grad(grads).unwrap()));
        all.extend(values(x.grad(grads).unwrap()));
        all
    };
    let sparse_gradients = gathered(&grads);

    let h = model.bottom.as_ref().unwrap().forward(x.clone());
    let all = dense(&model.experts, h.clone());
    let outputs: Vec<_> = model
        .gates
        .iter()
        .map(|gate| gate.route(GateInput::new(h.clone())).unwrap())
        .collect();
    let tasks: Vec<_> = outputs
        .iter()
        .zip(&model.heads)
        .map(|(gate, head)| head.forward(mixed(all.clone(), gate.weights.clone())))
        .collect();
    let penalty = outputs
        .into_iter()
        .map(|gate| gate.regularization)
        .reduce(|a, b| a + b)
        .unwrap();
    assert_close(
        &sparse,
        &tasks.iter().cloned().flat_map(values).collect::<Vec<_>>(),
        "value",
    );
    let grads = loss(tasks, penalty).backward();
    assert_close(&sparse_gradients, &gathered(&grads), "gradient");
}

#[test]
fn convolutional_experts_go_by_pairs_too() {
    let _seeded = seeded();
    let experts = CnnExpertsConfig::new(3, 14, 12)
        .with_filters(vec![4, 5])
        .with_kernel(3)
        .with_dense(vec![6])
        .init(&device())
        .unwrap();
    let x = normal([4, 14 * 12], 1.0);
    let all = Arc::new(Pairs::from_weights(&[1.0; 12], 3));
    let every = experts
        .evaluate(offprint_kernels::gather(x.clone(), &all), &all)
        .unwrap();
    // Row 2 with expert 1, and row 0 with expert 2.
    let some = Arc::new(Pairs::from_weights(
        &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        3,
    ));
    let two = experts
        .evaluate(offprint_kernels::gather(x, &some), &some)
        .unwrap();
    assert_eq!(two.dims(), [2, 6]);
    let expected = Tensor::cat(vec![every.clone().slice(6..7), every.slice(8..9)], 0);
    assert_close(&values(two), &values(expected), "value");
}

#[test]
fn an_empty_batch_goes_through() {
    let _seeded = seeded();
    let gate = CometGateConfig::new(INPUT, EXPERTS, 2)
        .init(&device())
        .unwrap();
    let model = MixtureOfExperts::new(gate, mlp()).unwrap();
    let output = model
        .forward(Tensor::zeros([0, INPUT], &device()), GateInput::default())
        .unwrap();
    assert_eq!(output.output.dims(), [0, 3]);
    assert_eq!(output.gate.active(), 0.0);
    assert_eq!(
        model.num_params(),
        2 * 11 * (INPUT + 1) + EXPERTS * (INPUT * 7 + 7 + 7 * 3 + 3)
    );
}
