//! Whatever a user can get wrong is an error that names the value and what is allowed.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offprint_experts::{
    CnnExpertsConfig, CometGateConfig, DSelectKConfig, Expert, ExpertList, ExpertsError, Gate,
    GateConfig, GateInput, HashGate, HashGateConfig, LocalSearchConfig, MixtureOfExperts, Mlp,
    MlpConfig, MlpExperts, MlpExpertsConfig, MultiGate, Permutation, SmoothStepConfig,
    SoftmaxGateConfig, Stage, TopKConfig, assignment,
};

fn device() -> Device {
    Device::flex()
}

/// Asserts the message of an error.
fn says<T>(result: Result<T, ExpertsError>, message: &str) {
    match result {
        Err(error) => assert_eq!(error.to_string(), message),
        Ok(_) => panic!("no error, expected: {message}"),
    }
}

fn all_gates(experts: usize, k: usize) -> [GateConfig; 3] {
    [
        GateConfig::Comet(CometGateConfig::new(3, experts, k)),
        GateConfig::DSelectK(DSelectKConfig::new(3, experts, k)),
        GateConfig::TopK(TopKConfig::new(3, experts, k)),
    ]
}

#[test]
fn fewer_than_two_experts() {
    for n in [0, 1] {
        let message = format!("experts = {n}, but a gate needs at least 2");
        for config in all_gates(n, 1) {
            says(config.init(&device()), &message);
        }
        says(SoftmaxGateConfig::new(3, n).init(&device()), &message);
        says(HashGateConfig::new(3, n).init(&device()), &message);
        says(LocalSearchConfig::new(n, 5).init(&device()), &message);
        says(
            MlpExpertsConfig::new(n, 3, vec![2]).init(&device()),
            &message,
        );
        says(CnnExpertsConfig::new(n, 36, 36).init(&device()), &message);
    }
}

#[test]
fn k_is_zero_or_more_than_the_experts() {
    for k in [0, 5] {
        for config in all_gates(4, k) {
            let message = format!("k = {k}, but it must be between 1 and the number of experts, 4");
            says(config.init(&device()), &message);
        }
    }
}

#[test]
fn a_width_that_is_not_positive() {
    for (gamma, shown) in [
        (0.0, "0"),
        (-1.0, "-1"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
    ] {
        let message = format!("gamma = {shown}, but it must be a positive finite number");
        says(SmoothStepConfig::new().with_gamma(gamma).init(), &message);
        says(
            CometGateConfig::new(3, 4, 1)
                .with_gamma(gamma)
                .init(&device()),
            &message,
        );
        says(
            DSelectKConfig::new(3, 4, 1)
                .with_gamma(gamma)
                .init(&device()),
            &message,
        );
    }
    // Positive in 64 bits, zero in 32.
    assert!(SmoothStepConfig::new().with_gamma(1e-60).init().is_err());
}

#[test]
fn a_negative_coefficient() {
    let message = "entropy_reg = -0.5, but it must be a finite number of at least 0";
    says(
        CometGateConfig::new(3, 4, 1)
            .with_entropy_reg(-0.5)
            .init(&device()),
        message,
    );
    says(
        LocalSearchConfig::new(4, 1)
            .with_entropy_reg(-0.5)
            .init(&device()),
        message,
    );
    assert!(
        DSelectKConfig::new(3, 4, 1)
            .with_zeta(f64::NAN)
            .init(&device())
            .is_err()
    );
}

#[test]
fn a_feature_that_is_not_finite() {
    let gate = CometGateConfig::new(2, 4, 1).init(&device()).unwrap();
    for (value, shown) in [
        (f32::NAN, "NaN"),
        (f32::INFINITY, "inf"),
        (f32::NEG_INFINITY, "-inf"),
    ] {
        let x = || Tensor::<2>::from_data([[1.0, 2.0], [3.0, value]], &device());
        let message = format!("x[1, 1] = {shown}, but inputs of a gate must be finite");
        says(gate.weights(GateInput::new(x())), &message);
        let experts = MlpExpertsConfig::new(4, 2, vec![2])
            .init(&device())
            .unwrap();
        says(
            MixtureOfExperts::new(gate.clone(), experts)
                .unwrap()
                .forward(x(), GateInput::default()),
            &message,
        );
    }
    // Finite, though the sum overflows.
    let x = Tensor::<2>::from_data([[3e38, 3e38]], &device());
    assert!(gate.weights(GateInput::new(x)).is_ok());
}

#[test]
fn features_of_another_width_or_none() {
    let gate = CometGateConfig::new(2, 4, 1).init(&device()).unwrap();
    says(
        gate.weights(GateInput::new(Tensor::ones([5, 3], &device()))),
        "x has shape [5, 3], but [5, 2] is expected",
    );
    says(
        gate.weights(GateInput::default()),
        "the COMET gate needs features x, which was not given",
    );
}

#[test]
fn a_permutation_of_another_shape() {
    let gate = CometGateConfig::new(2, 4, 2).init(&device()).unwrap();
    let input = |permutation| {
        gate.weights(GateInput::new(Tensor::ones([3, 2], &device())).with_permutation(permutation))
            .map(drop)
    };
    let three = Permutation::hard(&[vec![0, 1, 2]], &device()).unwrap();
    says(
        input(&three),
        "permutation has shape [1, 3, 3], but [2, 4, 4] is expected",
    );
    let identity: Vec<usize> = (0..4).collect();
    let thrice =
        Permutation::hard(&[identity.clone(), identity.clone(), identity], &device()).unwrap();
    says(
        input(&thrice),
        "permutation has shape [3, 4, 4], but [2, 4, 4] is expected",
    );
    says(
        Permutation::soft(Tensor::ones([1, 2, 3], &device())),
        "permutation has shape [1, 2, 3], but [1, 2, 2] is expected",
    );
    assert!(Permutation::soft(Tensor::ones([0, 2, 2], &device())).is_err());
    assert!(Permutation::hard(&[], &device()).is_err());
    says(
        Permutation::hard(&[vec![0, 0]], &device()),
        "permutation has shape [0, 0], but each of 0..2 once is expected",
    );
    let top_k = TopKConfig::new(2, 4, 2).init(&device()).unwrap();
    let input = GateInput::new(Tensor::ones([3, 2], &device())).with_permutation(&three);
    says(
        top_k.weights(input),
        "permutation has shape [1, 3, 3], but [1, 4, 4] is expected",
    );
}

#[test]
fn a_permutation_whose_rows_do_not_sum_to_one() {
    let matrix = |value: f32| Tensor::<3>::from_data([[[1.0, 0.0], [0.0, value]]], &device());
    assert!(Permutation::soft(matrix(1.0005)).is_ok());
    says(
        Permutation::soft(matrix(1.5)),
        "row 1 of permutation 0 sums to 1.5, but rows must sum to 1 within 0.001",
    );
    assert!(Permutation::soft(matrix(f32::NAN)).is_err());
}

#[test]
fn a_search_without_steps_or_temperature() {
    says(
        LocalSearchConfig::new(4, 0).init(&device()),
        "steps = 0, but it must be at least 1",
    );
    says(
        LocalSearchConfig::new(4, 5)
            .with_permutations(0)
            .init(&device()),
        "permutations = 0, but it must be at least 1",
    );
    let search = LocalSearchConfig::new(4, 5).init(&device()).unwrap();
    for (tau, shown) in [(0.0, "0"), (-1.0, "-1"), (f64::NAN, "NaN")] {
        let stage = Stage {
            tau,
            iterations: 1,
            frozen: false,
        };
        says(
            search.soft(stage, None),
            &format!("tau = {shown}, but it must be a positive finite number"),
        );
    }
    let mut noisy = LocalSearchConfig::new(4, 5)
        .with_noise(0.1)
        .init(&device())
        .unwrap();
    says(
        noisy.permutation(1, None),
        "the local search gate needs a Gumbel draw, which was not given",
    );
    says(
        noisy.permutation(1, Some(Tensor::ones([1, 3, 3], &device()))),
        "gumbel has shape [1, 3, 3], but [1, 4, 4] is expected",
    );
}

#[test]
fn a_search_that_has_diverged() {
    let log_weights = Tensor::full([1, 3, 3], f32::NAN, &device());
    let mut search = LocalSearchConfig::new(3, 2).init_with(log_weights).unwrap();
    assert!(search.permutation(1, None).is_ok());
    says(
        search.permutation(2, None),
        "cost[0, 0] = NaN, but costs must be numbers between -1e150 and 1e150",
    );
}

#[test]
fn an_id_outside_the_table() {
    let gate = HashGate::from_table(vec![0, 1], 2, &device()).unwrap();
    says(
        gate.weights(GateInput::by_id(&[1, 2])),
        "id 2 is outside the table of 2 ids",
    );
    says(
        gate.weights(GateInput::default()),
        "the hash gate needs the id of each row, which was not given",
    );
    says(
        HashGate::from_table(vec![0, 7], 2, &device()),
        "id 1 is assigned to expert 7, but there are 2 experts, counted from 0",
    );
    says(
        HashGateConfig::new(0, 4).init(&device()),
        "ids = 0, but it must be at least 1",
    );
}

#[test]
fn experts_of_unequal_width() {
    let layer = |width: usize| {
        vec![(
            Tensor::ones([3, width], &device()),
            Tensor::ones([width], &device()),
        )]
    };
    says(
        MlpExperts::from_experts(vec![layer(4), layer(4), layer(5)]),
        "expert 2 gives vectors of width 5, but expert 0 gives width 4",
    );
    says(
        MlpExperts::from_experts(vec![layer(4), vec![]]),
        "expert 0 has 1 layers, but another expert has 0",
    );

    #[derive(Module, Debug)]
    struct One {
        layers: Mlp,
    }
    impl Expert for One {
        fn forward(&self, x: Tensor<2>) -> Tensor<2> {
            self.layers.forward(x)
        }
    }
    let one = |width| One {
        layers: MlpConfig::new(3, vec![width]).init(&device()).unwrap(),
    };
    let gate = SoftmaxGateConfig::new(3, 2).init(&device()).unwrap();
    let mixture =
        MixtureOfExperts::new(gate, ExpertList::new(vec![one(2), one(3)]).unwrap()).unwrap();
    says(
        mixture.forward(Tensor::ones([4, 3], &device()), GateInput::default()),
        "expert 1 gives vectors of width 3, but expert 0 gives width 2",
    );
}

#[test]
fn costs_that_are_not_numbers() {
    says(
        assignment(&[0.0, 1.0, f64::NAN, 2.0], 2),
        "cost[1, 0] = NaN, but costs must be numbers between -1e150 and 1e150",
    );
    assert!(assignment(&[f64::INFINITY], 1).is_err());
    assert!(assignment(&[1e300], 1).is_err());
    says(
        assignment(&[0.0; 3], 2),
        "cost has shape [3], but [4] is expected",
    );
}

#[test]
fn images_too_small_for_their_kernels() {
    says(
        CnnExpertsConfig::new(2, 12, 36).init(&device()),
        "convolution 1 gets images of 4x16, too small for its 5x5 kernel and a 2x2 pool",
    );
    assert!(
        CnnExpertsConfig::new(2, 36, 36)
            .with_kernel(0)
            .validate()
            .is_err()
    );
    assert!(
        CnnExpertsConfig::new(2, 36, 36)
            .with_dense(vec![])
            .validate()
            .is_err()
    );
    assert!(
        CnnExpertsConfig::new(2, 36, 36)
            .with_filters(vec![3, 0])
            .validate()
            .is_err()
    );
}

#[test]
fn parts_that_do_not_fit_together() {
    let gate = |n| SoftmaxGateConfig::new(3, n).init(&device()).unwrap();
    let experts = || {
        MlpExpertsConfig::new(4, 3, vec![2])
            .init(&device())
            .unwrap()
    };
    let head = |input| MlpConfig::new(input, vec![1]).init(&device()).unwrap();
    says(
        MixtureOfExperts::new(gate(5), experts()),
        "the gate has 5 experts, but the layer has 4",
    );
    says(
        MultiGate::new(None, experts(), vec![gate(4)], vec![]),
        "gates has 1 tasks, but heads has 0",
    );
    let model = MultiGate::new(None, experts(), vec![gate(4)], vec![head(7)]).unwrap();
    says(
        model.forward(Tensor::ones([5, 3], &device()), &[GateInput::default()]),
        "output of the experts has shape [5, 2], but [5, 7] is expected",
    );
    assert!(model.forward(Tensor::ones([5, 3], &device()), &[]).is_err());
    assert!(
        model
            .forward(Tensor::ones([5, 9], &device()), &[GateInput::default()])
            .is_err()
    );
    assert!(MlpConfig::new(3, vec![]).init(&device()).is_err());
    assert!(MlpConfig::new(3, vec![2, 0]).init(&device()).is_err());
}
