//! What the theory of KAN layers promises, for numbers drawn at random.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use offprint_layers::kan::{BSplineKanConfig, GroupRationalKanConfig, GroupRationalOptions};
use offprint_layers::rational::{Rational, activation_gain, fit_rational};
use offprint_layers::{Activation, FeedForwardConfig};
use proptest::prelude::*;

fn matrix(values: Vec<f32>, columns: usize) -> Tensor<2> {
    let rows = values.len() / columns;
    Tensor::from_data(TensorData::new(values, [rows, columns]), &Device::flex())
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec().unwrap()
}

fn numbers(most: f32, count: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-most..most, count)
}

/// Functions of four groups with a numerator each.
fn rational(numerator: Vec<f32>, denominator: Vec<f32>) -> Rational {
    Rational {
        numerator: Param::from_tensor(matrix(numerator, 6)),
        denominator: Param::from_tensor(matrix(denominator, 4)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The denominator is at least one: no pole, and never more than the numerator.
    #[test]
    fn safe_functions_have_no_poles(
        x in numbers(30.0, 24),
        a in numbers(3.0, 24),
        b in numbers(3.0, 16),
    ) {
        let polynomial = rational(a.clone(), vec![0.0; 16]);
        let x = matrix(x, 8);
        let p = values(polynomial.forward(x.clone()));
        let y = values(rational(a, b).forward(x));
        for (y, p) in y.iter().zip(p) {
            prop_assert!(y.is_finite() && y.abs() <= p.abs() * 1.001 + 1e-3, "{y} of {p}");
        }
    }

    /// The kernel, the primitives and the formula in 64 bits are one function.
    #[test]
    fn values_are_those_of_the_coefficients(
        x in numbers(5.0, 16),
        a in numbers(2.0, 24),
        b in numbers(2.0, 16),
    ) {
        let f = rational(a, b);
        let y = values(f.forward(matrix(x.clone(), 8)));
        let functions = f.coefficients();
        for (index, (x, y)) in x.iter().zip(y).enumerate() {
            let expected = functions[index % 8 / 2].value(f64::from(*x));
            let off = (f64::from(y) - expected).abs();
            prop_assert!(off <= 1e-4 * expected.abs().max(1.0), "{y}, expected {expected}");
        }
    }

    /// Channels of a group may change places.
    #[test]
    fn groups_share_their_function(
        x in numbers(4.0, 32),
        a in numbers(2.0, 24),
        b in numbers(2.0, 16),
    ) {
        let f = rational(a, b);
        let swap = |x: Vec<f32>| -> Vec<f32> {
            x.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect()
        };
        let y = values(f.forward(matrix(x.clone(), 8)));
        let swapped = values(f.forward(matrix(swap(x), 8)));
        prop_assert_eq!(swap(y), swapped);
    }

    /// Splines of equal coefficients are a constant within the range: bases are a partition of one.
    #[test]
    fn bases_are_a_partition_of_one(
        x in numbers(1.4, 20),
        grid_size in 1_usize..9,
        spline_order in 1_usize..6,
    ) {
        let config = BSplineKanConfig {
            grid_size,
            spline_order,
            ..BSplineKanConfig::new(4, 3)
        };
        let layer = config.init(&Device::flex()).unwrap();
        let basis = values(layer.basis(matrix(x.clone(), 4)));
        for (x, bases) in x.iter().zip(basis.chunks(config.bases())) {
            let sum: f32 = bases.iter().sum();
            prop_assert!(bases.iter().all(|b| *b >= -1e-6), "{bases:?}");
            prop_assert!(bases.iter().filter(|b| b.abs() > 1e-6).count() <= spline_order + 1);
            match x.abs() < 0.999 {
                true => prop_assert!((sum - 1.0).abs() < 1e-4, "{x}: {sum}"),
                false => prop_assert!(sum < 1.0 + 1e-4, "{x}: {sum}"),
            }
        }
    }

    /// The gain is that of He et al.: of `c f` it is a `c`th of that of `f`.
    #[test]
    fn gains_undo_scales(scale in 0.1_f64..10.0, shift in -2.0_f64..2.0) {
        let f = |z: f64| (z + shift).max(0.0) + 0.1 * z;
        let gain = activation_gain(f).unwrap();
        let scaled = activation_gain(|z| scale * f(z)).unwrap();
        prop_assert!((scaled * scale / gain - 1.0).abs() < 1e-9);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// A swapped network is off by the error of the fit through the weights behind it, and by no more.
    #[test]
    fn a_swap_is_as_near_as_the_fit(x in numbers(2.0, 24), seed in 0_u64..1000) {
        let device = Device::flex();
        device.seed(seed);
        let network = FeedForwardConfig::new(8, 16, Activation::Gelu).init(&device).unwrap();
        let options = GroupRationalOptions { range: [-9.0, 9.0], ..GroupRationalOptions::default() };
        let (kan, error) =
            GroupRationalKanConfig::of_feed_forward(&network, options, &device).unwrap();
        let x = matrix(x, 8);
        let off = values((kan.forward(x.clone()) - network.forward(x)).abs());
        let bound = values(network.down.weight.val().abs().sum_dim(0));
        for (index, off) in off.iter().enumerate() {
            // Between the places that were compared a fit may be off a little more.
            let most = 1.05 * error * f64::from(bound[index % 8]) + 1e-4;
            prop_assert!(f64::from(*off) <= most, "{off}, at most {most}");
        }
    }

    /// More degrees never fit worse.
    #[test]
    fn higher_degrees_fit_no_worse(low in -6.0_f64..-1.0, high in 1.0_f64..6.0) {
        let silu = |x: f64| x / (1.0 + (-x).exp());
        let error = |degrees| fit_rational(silu, [low, high], degrees).unwrap().max_error;
        prop_assert!(error([7, 6]) <= 1.5 * error([5, 4]) + 1e-9);
        prop_assert!(error([5, 4]) <= 1.5 * error([3, 2]) + 1e-9);
    }
}
