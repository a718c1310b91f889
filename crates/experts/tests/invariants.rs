//! What the theory promises, for random parameters and inputs.

use burn::tensor::{Device, Tensor, TensorData};
use offprint_experts::{
    CometGateConfig, DSelectKConfig, Detail, Gate, GateInput, LocalSearchConfig, Permutation,
    Schedule, TopKConfig, TreeParameters, assignment,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn device() -> Device {
    Device::flex().autodiff()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &device())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// A gate of `n` experts and `k` trees on two features, a batch for it, and the width of its smooth-step.
fn gates() -> impl Strategy<Value = (usize, usize, f64, Vec<f32>, Vec<f32>)> {
    (2usize..12)
        .prop_flat_map(|n| (Just(n), 1..=n.min(4)))
        .prop_flat_map(|(n, k)| {
            let parameters = vec(-2f32..2.0, k * (2 * n - 1) * 3);
            (
                Just(n),
                Just(k),
                0.01f64..4.0,
                parameters,
                vec(-3f32..3.0, 2 * 5),
            )
        })
}

fn comet(n: usize, k: usize, gamma: f64, parameters: &[f32]) -> offprint_experts::CometGate {
    let mut rest = parameters.to_vec();
    let mut take = |count: usize| rest.split_off(rest.len() - count);
    CometGateConfig::new(2, n, k)
        .with_gamma(gamma)
        .init_with(TreeParameters {
            split_weight: tensor(take((n - 1) * k * 2), [n - 1, k, 2]),
            split_bias: tensor(take((n - 1) * k), [n - 1, k]),
            leaf_weight: tensor(take(n * k * 2), [n, k, 2]),
            leaf_bias: tensor(take(n * k), [n, k]),
        })
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn comet_weights_lie_on_the_simplex((n, k, gamma, parameters, x) in gates()) {
        let output = comet(n, k, gamma, &parameters).weights(GateInput::new(tensor(x, [5, 2]))).unwrap();
        let Detail::Tree { reach, .. } = output.detail else { unreachable!() };
        let (weights, reach) = (values(output.weights), values(reach));
        for (weights, reach) in weights.chunks(n).zip(reach.chunks(k * n)) {
            prop_assert!(weights.iter().all(|weight| *weight >= 0.0));
            prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            // Each tree distributes exactly one row over its leaves.
            for tree in reach.chunks(n) {
                prop_assert!((tree.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
            // An expert has a weight exactly where a tree reaches it, so trees that reach one leaf each use k at most.
            for (expert, weight) in weights.iter().enumerate() {
                let reached = reach.iter().skip(expert).step_by(n).any(|reach| *reach > 0.0);
                prop_assert!(reached || *weight == 0.0);
            }
            if reach.chunks(n).all(|tree| tree.iter().filter(|reach| **reach > 0.0).count() == 1) {
                prop_assert!(weights.iter().filter(|weight| **weight > 0.0).count() <= k);
            }
        }
    }

    #[test]
    fn splits_outside_the_interval_get_no_gradient((n, k, gamma, parameters, x) in gates()) {
        let gate = comet(n, k, gamma, &parameters);
        let x = tensor(x[..2].to_vec(), [1, 2]);
        let output = gate.weights(GateInput::new(x.clone())).unwrap();
        let cotangent = tensor((0..n).map(|expert| expert as f32).collect(), [1, n]);
        let grads = ((output.weights * cotangent).sum() + output.regularization).backward();
        let gradient = gate.by_node(gate.weight.grad(&grads).unwrap(), gate.bias.grad(&grads).unwrap()).unwrap();
        let z = values(x.matmul(gate.weight.val()) + gate.bias.val().unsqueeze());
        for (at, slope) in values(gradient.split_bias).into_iter().enumerate() {
            let (node, tree) = (at / k, at % k);
            let z = z[tree * (2 * n - 1) + node];
            prop_assert!(slope.is_finite());
            if f64::from(z.abs()) > gamma / 2.0 * 1.0001 {
                prop_assert_eq!(slope, 0.0);
            }
        }
    }

    #[test]
    fn dselect_weights_are_at_most_one_together((n, k, gamma, parameters, x) in gates()) {
        let mut gate = DSelectKConfig::new(2, n, k).with_gamma(gamma).init(&device()).unwrap();
        let shape = gate.selector_weight.dims();
        gate.selector_weight = gate.selector_weight.map(|_| tensor(parameters[..shape[0] * shape[1]].to_vec(), shape));
        let weights = values(gate.weights(GateInput::new(tensor(x, [5, 2]))).unwrap().weights);
        for weights in weights.chunks(n) {
            let sum: f32 = weights.iter().sum();
            prop_assert!(weights.iter().all(|weight| *weight >= 0.0) && sum <= 1.0 + 1e-5);
            prop_assert!(!n.is_power_of_two() || sum >= 1.0 - 1e-5);
        }
    }

    #[test]
    fn top_k_selects_k((n, k, _, parameters, x) in gates()) {
        let weight = tensor(parameters[..2 * n].to_vec(), [2, n]);
        let bias = tensor(vec![0.0; n], [n]);
        let gate = offprint_experts::TopK::from_parameters(weight, bias, None, k).unwrap();
        let output = gate.weights(GateInput::new(tensor(x, [5, 2]))).unwrap();
        let selected: Vec<i64> = output.detail.selected().unwrap().into_data().try_to_vec_as().unwrap();
        for (weights, selected) in values(output.weights).chunks(n).zip(selected.chunks(k)) {
            prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            let used: Vec<i64> = (0..n as i64).filter(|expert| weights[*expert as usize] > 0.0).collect();
            prop_assert!(used.iter().all(|expert| selected.contains(expert)) && selected.is_sorted());
        }
        prop_assert!(TopKConfig::new(2, n, k).validate().is_ok());
    }

    #[test]
    fn soft_permutations_have_columns_that_sum_to_one(
        (n, log_weights) in (2usize..9).prop_flat_map(|n| (Just(n), vec(-0.05f32..0.05, n * n))),
        step in 1usize..30,
    ) {
        let mut search = LocalSearchConfig::new(n, 30).init_with(tensor(log_weights, [1, n, n])).unwrap();
        let soft = search.permutation(step, None).unwrap().matrices();
        let columns = values(soft.clone().sum_dim(1));
        prop_assert!(columns.iter().all(|sum| (sum - 1.0).abs() < 1e-4), "{columns:?}");
        prop_assert!(values(soft).iter().all(|weight| (0.0..=1.0 + 1e-5).contains(weight)));
        let hard = search.hard().unwrap().matrices();
        for axis in [1, 2] {
            prop_assert_eq!(values(hard.clone().sum_dim(axis)), vec![1.0; n]);
        }
        prop_assert!(values(hard).iter().all(|weight| *weight == 0.0 || *weight == 1.0));
    }

    #[test]
    fn warm_soft_permutations_are_doubly_stochastic(log_weights in vec(-1f32..1.0, 25)) {
        let soft = offprint_experts::sinkhorn(tensor(log_weights, [1, 5, 5]), 1.0, 50);
        prop_assert!(Permutation::soft(soft.clone()).is_ok());
        prop_assert!(values(soft.sum_dim(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-5));
    }

    #[test]
    fn the_assignment_is_the_best_of_all(
        (n, cost) in (1usize..8).prop_flat_map(|n| (Just(n), vec((-20i32..20).prop_map(f64::from), n * n))),
    ) {
        let columns = assignment(&cost, n).unwrap();
        let total = |columns: &[usize]| -> f64 {
            columns.iter().enumerate().map(|(row, column)| cost[row * n + column]).sum()
        };
        let mut sorted = columns.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..n).collect::<Vec<_>>());
        prop_assert_eq!(total(&columns), cheapest(&cost, n, 0, &mut vec![false; n]));
    }

    #[test]
    fn the_search_cools_down(steps in 1usize..1000, step in 0usize..2000) {
        let (now, next) = (Schedule { steps }.at(step), Schedule { steps }.at(step + 1));
        prop_assert!(next.tau <= now.tau && next.iterations >= now.iterations);
        prop_assert!((1e-7 * 0.999..=1e-3 * 1.001).contains(&now.tau) && (20..=150).contains(&now.iterations));
        prop_assert_eq!(now.frozen, step >= steps);
    }
}

/// The least total cost of rows `row..` in the free columns, by trying all.
fn cheapest(cost: &[f64], n: usize, row: usize, taken: &mut Vec<bool>) -> f64 {
    if row == n {
        return 0.0;
    }
    let mut best = f64::INFINITY;
    for column in 0..n {
        if !taken[column] {
            taken[column] = true;
            best = best.min(cost[row * n + column] + cheapest(cost, n, row + 1, taken));
            taken[column] = false;
        }
    }
    best
}
