//! No point of a box leaves a bound; initial values, objectives, files and errors of networks.

use burn::tensor::{Device, Distribution, Tensor};
use offprint_certify::attack::{Pgd, pgd};
use offprint_certify::bounds::{Interval, Rounding, crown_ibp, interval_forward, margins};
use offprint_certify::graph::{
    Layer, LayerConfig, Network, NetworkConfig, read_safetensors, write_safetensors,
};
use offprint_certify::training::{
    EpsilonSchedule, Method, Objective, ibp_deviation, ibp_init, relu_states, xavier_init,
};

fn device() -> Device {
    Device::flex().autodiff()
}

/// Networks of all layers, batch norms with statistics of their own.
fn networks(device: &Device) -> Vec<Network> {
    let pooled = NetworkConfig {
        input: vec![2, 8, 8],
        layers: vec![
            LayerConfig::conv(4, 1),
            LayerConfig::BatchNorm,
            LayerConfig::MaxPool {
                kernel: 2,
                stride: 2,
            },
            LayerConfig::Relu,
            LayerConfig::AvgPool {
                kernel: 3,
                stride: 1,
            },
            LayerConfig::Flatten,
            LayerConfig::linear(5),
        ],
    };
    let configs = [
        NetworkConfig::cnn([2, 8, 8], 4, 12, 5, true),
        NetworkConfig::cnn7([2, 8, 8], 2, 10, 5, false),
        NetworkConfig::residual([2, 8, 8], 4, 5, true),
        pooled,
    ];
    device.seed(3);
    let networks = configs.into_iter().map(|config| {
        let network = config.init(device).unwrap();
        for _ in 0..20 {
            let x = Tensor::<2>::random([32, 128], Distribution::Uniform(0.0, 1.0), device);
            let (_, statistics) = network.forward_training(x).unwrap();
            network.update(&statistics);
        }
        network
    });
    networks.collect()
}

/// Points of a box, the corners among them twice as often.
fn points(low: &Tensor<2>, high: &Tensor<2>, count: usize, device: &Device) -> Tensor<2> {
    let [_, features] = low.dims();
    let t = Tensor::random([count, features], Distribution::Uniform(-1.0, 2.0), device);
    let t: Tensor<2> = t.clamp(0.0, 1.0);
    let (low, high) = (low.clone(), high.clone());
    let inside = low.clone() + (high.clone() - low.clone()) * t;
    // Rounded, an end could lie outside of the box by a unit in the last place.
    let (low, high) = (
        low.expand([count, features]),
        high.expand([count, features]),
    );
    inside.max_pair(low).min_pair(high)
}

fn least(x: Tensor<2>) -> f32 {
    x.min().into_scalar::<f32>()
}

/// A million random points over four networks, and in each a thousand that attacks end at: with outward rounding no logit
/// and no margin passes its bound, by not one unit in the last place.
#[test]
fn no_point_leaves_a_bound() {
    const COUNT: usize = 250_000;
    const CHUNK: usize = 12_500;
    let plain = Device::flex();
    for network in networks(&device()) {
        let frozen = burn::module::Module::valid(&network);
        plain.seed(5);
        let x = Tensor::<2>::random([1, 128], Distribution::Uniform(0.0, 1.0), &plain);
        let label = 2;
        let input = Interval::around(x.clone(), 0.05, Some([0.0, 1.0])).unwrap();
        let bounds = interval_forward(&frozen, &input, None, Rounding::Outward).unwrap();
        let output = bounds.output();
        let by_interval = margins(&frozen, &bounds, &[label]).unwrap();
        let by_crown = crown_ibp(&frozen, &bounds, &[label], None).unwrap();
        let check = |points: Tensor<2>| {
            let [count, _] = points.dims();
            let y = frozen.forward(points).unwrap();
            let all = |x: Tensor<2>| x.expand([count, 5]);
            assert!(least(y.clone() - all(output.lower())) >= 0.0);
            assert!(least(all(output.upper()) - y.clone()) >= 0.0);
            let margin = y.clone().narrow(1, label, 1).expand([count, 5]) - y;
            assert!(least(margin.clone() - all(by_interval.clone())) >= 0.0);
            assert!(least(margin - all(by_crown.clone())) >= 0.0);
        };
        let (low, high) = (
            (x.clone() - 0.05).clamp(0.0, 1.0),
            (x.clone() + 0.05).clamp(0.0, 1.0),
        );
        for _ in 0..COUNT / CHUNK {
            check(points(&low, &high, CHUNK, &plain));
        }
        let attack = Pgd {
            eps: 0.05,
            steps: 10,
            step_size: 0.01,
            clip: Some([0.0, 1.0]),
        };
        let x = Tensor::from_inner(x.expand([200, 128]));
        let start = Tensor::random([200, 128], Distribution::Uniform(-0.05, 0.05), &device());
        for labels in 0..5 {
            let found = pgd(&network, x.clone(), &[labels; 200], start.clone(), &attack).unwrap();
            check(
                found
                    .inner()
                    .max_pair(low.clone().expand([200, 128]))
                    .min_pair(high.clone().expand([200, 128])),
            );
        }
    }
}

/// A box of width 0 is what the network computes, and a larger one holds a smaller.
#[test]
fn bounds_are_exact_at_a_point_and_grow() {
    let plain = Device::flex();
    for network in networks(&device()) {
        let network = burn::module::Module::valid(&network);
        let x = Tensor::<2>::random([3, 128], Distribution::Uniform(0.0, 1.0), &plain);
        let y = network.forward(x.clone()).unwrap();
        let mut before: Option<Interval> = None;
        for eps in [0.0, 0.01, 0.05] {
            let input = Interval::around(x.clone(), eps, None).unwrap();
            let bounds = interval_forward(&network, &input, None, Rounding::Nearest).unwrap();
            let output = bounds.output().clone();
            if eps == 0.0 {
                let error = (output.center() - y.clone())
                    .abs()
                    .max()
                    .into_scalar::<f32>();
                assert!(error < 1e-4, "{error}");
                assert!(output.radius().max().into_scalar::<f32>() < 1e-6);
                let lower = crown_ibp(&network, &bounds, &[0, 1, 2], None).unwrap();
                let exact = margins(&network, &bounds, &[0, 1, 2]).unwrap();
                let error = (lower - exact).abs().max().into_scalar::<f32>();
                assert!(error < 1e-4, "{error}");
            }
            if let Some(before) = before {
                assert!(least(before.lower() - output.lower()) >= -1e-5);
                assert!(least(output.upper() - before.upper()) >= -1e-5);
            }
            before = Some(output);
        }
    }
}

#[test]
fn initial_values_have_their_deviation() {
    let device = device();
    device.seed(1);
    let config = NetworkConfig::residual([3, 16, 16], 32, 10, false);
    let network = ibp_init(config.init(&device).unwrap());
    let deviation = |name: &str| {
        let node = network.nodes.iter().find(|node| node.name == name).unwrap();
        let Layer::Conv2d(conv) = &node.layer else {
            panic!("{name} is no convolution");
        };
        let [_, channels, height, width] = conv.weight.dims();
        let weight = conv.weight.val().inner();
        let count = weight.shape().num_elements() as f64;
        let found = weight.square().mean().into_scalar::<f32>().sqrt();
        let ratio = f64::from(found) / ibp_deviation(channels * height * width);
        // The relative standard error of a normal deviation found from `count` draws. Other tests of this process draw
        // from the same generator, so the draws differ from run to run: six errors hold in all but 2 of 10⁹.
        (ratio, 6.0 / (2.0 * count).sqrt())
    };
    for (name, expected) in [
        ("0", 1.0),
        ("2.0", 1.0),
        ("2.2", 1.0),
        ("4.0", 0.5),
        ("4.shortcut.0", 0.5),
    ] {
        let (ratio, margin) = deviation(name);
        let found = ratio / expected;
        assert!((found - 1.0).abs() < margin, "{name}: {found}");
    }
    let network = xavier_init(config.init(&device).unwrap());
    let Layer::Conv2d(conv) = &network.nodes[0].layer else {
        panic!("a convolution");
    };
    let largest = conv.weight.val().abs().max().into_scalar::<f32>();
    let limit = (6.0_f32 / (9.0 * 35.0)).sqrt();
    assert!(largest <= limit && largest > 0.95 * limit);
}

/// Every objective gives a finite loss whose gradient reaches the first layer.
#[test]
fn every_objective_learns() {
    let device = device();
    device.seed(2);
    let network = ibp_init(
        NetworkConfig::cnn([1, 8, 8], 2, 8, 3, true)
            .init(&device)
            .unwrap(),
    );
    let x = Tensor::<2>::random([6, 64], Distribution::Uniform(0.0, 1.0), &device);
    let schedule = EpsilonSchedule::new(1, 10, 0.1);
    for method in [Method::Standard, Method::Pgd, Method::Ibp, Method::CrownIbp] {
        for step in [0, 5, 10] {
            let objective = Objective {
                method,
                ..Objective::fast(0.1)
            };
            objective.validate().unwrap();
            let start = || Tensor::random([6, 64], Distribution::Uniform(-1.0, 1.0), &device);
            let labels = [0, 1, 2, 0, 1, 2];
            let step = objective
                .step(&network, x.clone(), &labels, schedule.at(step), start)
                .unwrap();
            assert!(step.loss.clone().into_scalar::<f32>().is_finite());
            let gradients = step.loss.backward();
            let Layer::Conv2d(conv) = &network.nodes[0].layer else {
                panic!("a convolution");
            };
            let gradient = conv.weight.val().grad(&gradients).unwrap();
            assert!(
                gradient.abs().max().into_scalar::<f32>() > 0.0,
                "{method:?}"
            );
            if let Some(bounds) = step.bounds {
                for states in relu_states(&network, &bounds) {
                    assert!((0.0..=1.0).contains(&states.imbalance()) && states.width > 0.0);
                }
            }
        }
    }
}

#[test]
fn files_come_back_and_damaged_ones_are_refused() {
    let device = device();
    let config = NetworkConfig::residual([2, 8, 8], 4, 5, true);
    let network = config.init(&device).unwrap();
    let bytes = write_safetensors(&network, &config).unwrap();
    let (again, known) = read_safetensors(&bytes, &device).unwrap();
    assert_eq!(known, config);
    let x = Tensor::<2>::ones([1, 128], &device);
    let values = |network: &Network| -> Vec<f32> {
        network
            .forward(x.clone())
            .unwrap()
            .into_data()
            .iter()
            .collect()
    };
    assert_eq!(values(&network), values(&again));
    for end in [0, 7, 100, bytes.len() - 1] {
        assert!(read_safetensors(&bytes[..end], &device).is_err());
    }
    let plain = NetworkConfig {
        input: vec![2],
        layers: vec![LayerConfig::linear(2)],
    };
    let bytes = write_safetensors(&network, &plain).unwrap();
    let error = read_safetensors(&bytes, &device).unwrap_err().to_string();
    assert!(error.contains("\"0.weight\" has shape"), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    let device = device();
    let config = |layers: Vec<LayerConfig>| NetworkConfig {
        input: vec![1, 4, 4],
        layers,
    };
    let refused = |layers| config(layers).init(&device).unwrap_err().to_string();
    assert_eq!(refused(vec![]), "the network has no layers");
    assert!(refused(vec![LayerConfig::linear(3)]).contains("a picture is flattened first"));
    assert!(
        refused(vec![LayerConfig::Flatten, LayerConfig::conv(2, 1)])
            .starts_with("convolution \"1\" reads")
    );
    assert_eq!(
        refused(vec![LayerConfig::Flatten, LayerConfig::linear(0)]),
        "outputs = 0, but it must be at least 1"
    );
    let branch = vec![LayerConfig::conv(2, 1)];
    let residual = LayerConfig::Residual {
        branch,
        shortcut: vec![],
    };
    assert!(refused(vec![residual]).starts_with("addition \"0\" reads two values of shape"));

    let open = config(vec![LayerConfig::Flatten, LayerConfig::Relu])
        .init(&device)
        .unwrap();
    let x = Tensor::<2>::zeros([1, 16], &device);
    let input = |eps, clip| Interval::around(x.clone(), eps, clip);
    let bounds =
        interval_forward(&open, &input(0.1, None).unwrap(), None, Rounding::Nearest).unwrap();
    let error = margins(&open, &bounds, &[0]).unwrap_err().to_string();
    assert!(
        error.starts_with("the network ends with ReLU \"1\", but"),
        "{error}"
    );
    assert!(crown_ibp(&open, &bounds, &[0], None).is_err());
    assert_eq!(
        input(-0.1, None).unwrap_err().to_string(),
        "eps = -0.1, but it must be a finite number of at least 0"
    );
    assert!(
        input(f64::NAN, None)
            .unwrap_err()
            .to_string()
            .starts_with("eps = NaN")
    );
    assert!(
        input(0.1, Some([1.0, 0.0]))
            .unwrap_err()
            .to_string()
            .starts_with("clip = 1 to 0")
    );

    let closed = config(vec![LayerConfig::Flatten, LayerConfig::linear(3)])
        .init(&device)
        .unwrap();
    let bounds =
        interval_forward(&closed, &input(0.1, None).unwrap(), None, Rounding::Nearest).unwrap();
    let error = margins(&closed, &bounds, &[3]).unwrap_err().to_string();
    assert_eq!(
        error,
        "label 3 of sample 0, but the network has 3 classes: 0 to 2"
    );
    assert_eq!(
        margins(&closed, &bounds, &[0, 1]).unwrap_err().to_string(),
        "2 labels for 1 samples"
    );
    let error = closed
        .forward(Tensor::<2>::zeros([1, 5], &device))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "the input has shape [5] a sample, but the network reads [1, 4, 4]"
    );

    let norm = config(vec![
        LayerConfig::BatchNorm,
        LayerConfig::Flatten,
        LayerConfig::linear(2),
    ]);
    let negative =
        norm.init(&device)
            .unwrap()
            .with_parameters(burn::tensor::DType::F32, |name, shape| {
                let value = if name.ends_with("var") { -1.0 } else { 0.5 };
                Ok(vec![value; shape.iter().product()])
            });
    let error = negative.unwrap_err().to_string();
    assert_eq!(
        error,
        "batch norm \"0\" has variance -1 in channel 0, but it must be at least 0"
    );
}
