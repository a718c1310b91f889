//! Gradients of bounds against central differences in `f64`: intervals and CROWN-IBP through every layer.

use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};
use offprint_certify::bounds::{
    Interval, Rounding, crown_ibp, interval_forward, margins, robust_loss,
};
use offprint_certify::graph::{Layer, LayerConfig, Network, NetworkConfig};
use std::collections::BTreeMap;

type Parameters = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

fn configs() -> Vec<NetworkConfig> {
    let pool = |kernel, stride| LayerConfig::MaxPool { kernel, stride };
    let pooled = NetworkConfig {
        input: vec![2, 6, 5],
        layers: vec![
            LayerConfig::conv(3, 1),
            LayerConfig::BatchNorm,
            pool(2, 2),
            LayerConfig::Relu,
            LayerConfig::AvgPool {
                kernel: 2,
                stride: 1,
            },
            LayerConfig::Flatten,
            LayerConfig::linear(3),
        ],
    };
    let residual = NetworkConfig {
        input: vec![1, 5, 5],
        layers: vec![
            LayerConfig::conv(2, 2),
            LayerConfig::Relu,
            LayerConfig::Residual {
                branch: vec![LayerConfig::conv(2, 1), LayerConfig::BatchNorm],
                shortcut: vec![LayerConfig::conv(2, 1)],
            },
            LayerConfig::Relu,
            LayerConfig::Residual {
                branch: vec![LayerConfig::conv(2, 1), LayerConfig::Relu],
                shortcut: vec![],
            },
            LayerConfig::Flatten,
            LayerConfig::linear(4),
        ],
    };
    vec![pooled, residual]
}

/// A network in `f64` with these parameters.
fn network(config: &NetworkConfig, parameters: &Parameters) -> Network {
    let device = Device::flex().autodiff();
    let network = config.init(&device).unwrap();
    network
        .with_parameters(DType::F64, |name, _| Ok(parameters[name].1.clone()))
        .unwrap()
}

fn drawn(config: &NetworkConfig) -> Parameters {
    let device = Device::flex().autodiff();
    device.seed(4);
    let mut parameters = Parameters::new();
    let network = config.init(&device).unwrap();
    network
        .with_parameters(DType::F64, |name, shape| {
            let count: usize = shape.iter().product();
            let drawn = Tensor::<1>::random([count], Distribution::Normal(0.0, 0.5), &device);
            let mut values: Vec<f64> = drawn.into_data().iter().collect();
            if name.ends_with("var") {
                values.iter_mut().for_each(|v| *v = v.abs() + 0.5);
            }
            parameters.insert(name.into(), (shape.to_vec(), values.clone()));
            Ok(values)
        })
        .unwrap();
    parameters
}

fn loss(network: &Network, x: &[f64], crown: bool) -> Tensor<1> {
    let device = Device::flex().autodiff();
    let features: usize = network.input_shape().iter().product();
    let samples = x.len() / features;
    let labels: Vec<usize> = (0..samples).collect();
    let data = TensorData::new(x.to_vec(), [samples, features]);
    let x = Tensor::<2>::from_data(data, (&device, DType::F64));
    let input = Interval::around(x, 0.03, Some([0.0, 1.0])).unwrap();
    let bounds = interval_forward(network, &input, None, Rounding::Nearest).unwrap();
    let lower = match crown {
        true => crown_ibp(network, &bounds, &labels, None).unwrap(),
        false => margins(network, &bounds, &labels).unwrap(),
    };
    robust_loss(network, lower, &labels).unwrap()
}

#[test]
fn gradients_are_those_of_central_differences() {
    for config in configs() {
        let parameters = drawn(&config);
        let features: usize = config.input.iter().product();
        let x: Vec<f64> = (0..2 * features)
            .map(|i| (i as f64 * 0.37).sin().abs())
            .collect();
        for crown in [false, true] {
            let network = network(&config, &parameters);
            let gradients = loss(&network, &x, crown).backward();
            let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
            for node in &network.nodes {
                let name = |part: &str| format!("{}.{part}", node.name);
                let mut put = |part, gradient: Option<TensorData>| {
                    let gradient = gradient.unwrap_or_else(|| panic!("no gradient of {part}"));
                    found.insert(name(part), gradient.iter().collect());
                };
                match &node.layer {
                    Layer::Linear(layer) => {
                        put(
                            "weight",
                            layer.weight.val().grad(&gradients).map(Tensor::into_data),
                        );
                        let bias = layer.bias.as_ref().unwrap();
                        put("bias", bias.val().grad(&gradients).map(Tensor::into_data));
                    }
                    Layer::Conv2d(layer) => {
                        put(
                            "weight",
                            layer.weight.val().grad(&gradients).map(Tensor::into_data),
                        );
                        let bias = layer.bias.as_ref().unwrap();
                        put("bias", bias.val().grad(&gradients).map(Tensor::into_data));
                    }
                    Layer::BatchNorm(norm) => {
                        put(
                            "gamma",
                            norm.weight.val().grad(&gradients).map(Tensor::into_data),
                        );
                        put(
                            "beta",
                            norm.bias.val().grad(&gradients).map(Tensor::into_data),
                        );
                    }
                    _ => {}
                }
            }
            for (name, gradient) in &found {
                let largest = gradient.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
                for place in (0..gradient.len()).step_by(gradient.len().div_ceil(4)) {
                    let at = |moved: f64| {
                        let mut parameters = parameters.clone();
                        parameters.get_mut(name).unwrap().1[place] += moved;
                        let network = self::network(&config, &parameters);
                        loss(&network, &x, crown).into_scalar::<f64>()
                    };
                    let step = 1e-6;
                    let difference = (at(step) - at(-step)) / (2.0 * step);
                    let error = (difference - gradient[place]).abs();
                    assert!(
                        error <= 1e-6 * largest.max(1e-2),
                        "{name}[{place}], crown {crown}: {difference} by differences, {} found",
                        gradient[place]
                    );
                }
            }
        }
    }
}
