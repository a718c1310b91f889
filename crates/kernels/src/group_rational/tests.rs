use super::*;
use crate::testing::{assert_close, assert_same, assert_same_for_any_threads, random, tensor};
use burn::tensor::TensorData;

/// Channels, groups, rows of the numerator, terms and degree, with every kind of remainder.
const SIZES: [[usize; 5]; 10] = [
    [1, 1, 1, 6, 4],
    [16, 8, 1, 6, 4],
    [64, 8, 8, 6, 4],
    [128, 8, 1, 6, 4],
    [35, 5, 5, 6, 4],
    [33, 33, 1, 6, 4],
    [12, 4, 4, 2, 1],
    [6, 1, 1, 4, 2],
    [48, 2, 2, 8, 6],
    [10, 2, 1, 10, 9],
];

#[test]
fn values_and_gradients_equal_the_composition() {
    for [channels, groups, rows, terms, degree] in SIZES {
        for count in [1, 7, 1100] {
            let x = tensor([count, 1, channels], 1);
            let a = tensor([rows, terms], 2);
            let b = tensor([groups, degree], 3);
            let scaled = || x.clone() * 3.0;
            assert_same!(
                group_rational(scaled(), a.clone(), b.clone()),
                composed(scaled(), a.clone(), b.clone()),
                [x, a, b],
                2e-3
            );
        }
    }
}

#[test]
fn zeros_have_no_sign() {
    let device = burn::tensor::Device::flex().autodiff();
    let x = Tensor::<2>::from_data([[0.0, -0.0, 1.0]], &device).require_grad();
    let a = Tensor::<2>::from_data([[1.0, 2.0, 0.0]], &device).require_grad();
    let b = Tensor::<2>::from_data([[3.0], [-3.0], [0.0]], &device).require_grad();
    let grads = group_rational(x.clone(), a, b.clone()).sum().backward();
    let dx = x.grad(&grads).unwrap().into_data();
    assert_eq!(dx.try_to_vec::<f32>().unwrap(), [2.0, 2.0, 2.0]);
    let db = b.grad(&grads).unwrap().into_data();
    assert_eq!(db.try_to_vec::<f32>().unwrap(), [0.0, 0.0, 0.0]);
}

#[test]
fn no_rows_and_no_channels() {
    for shape in [[0, 8], [3, 0]] {
        let (a, b) = (tensor([1, 6], 1), tensor([4, 4], 2));
        assert_eq!(group_rational(tensor(shape, 3), a, b).dims(), shape);
    }
}

#[test]
fn transposed_and_sliced_input() {
    let x = tensor([9, 20], 1);
    let (a, b) = (tensor([1, 6], 2), tensor([2, 4], 3));
    let view = || x.clone().transpose().slice([3..9, 1..9]);
    assert_same!(
        group_rational(view(), a.clone(), b.clone()),
        composed(view(), a.clone(), b.clone()),
        [x, a, b],
        1e-4
    );
}

#[test]
fn what_is_not_a_number_stays_so() {
    let device = burn::tensor::Device::flex();
    let x = Tensor::<1>::from_data([f32::NAN, 1.0], &device);
    let (a, b) = (tensor([1, 6], 2).inner(), tensor([1, 4], 3).inner());
    let y = group_rational(x, a, b).into_data().try_to_vec::<f32>();
    let y = y.unwrap();
    assert!(y[0].is_nan() && y[1].is_finite());
}

#[test]
fn one_group_of_equal_functions_is_as_many_groups() {
    let x = tensor([40, 48], 1);
    let (a, b) = (tensor([1, 6], 2), tensor([1, 4], 3));
    let repeated = b.clone().repeat_dim(0, 6);
    let one = group_rational(x.clone(), a.clone(), b);
    assert_close(one, group_rational(x, a, repeated), 1e-6);
}

#[test]
fn the_same_for_any_number_of_threads() {
    for channels in [24, 64] {
        let kernel = Rational {
            channels,
            groups: 4,
            rows: 1,
            terms: 6,
            degree: 4,
        };
        let count = 70_000 / channels * channels;
        let inputs = [
            Array::new(random(count, 1), [count / channels, channels]),
            Array::new(random(6, 2), [1, 6]),
            Array::new(random(16, 3), [4, 4]),
        ];
        assert_same_for_any_threads(|| {
            let (y, _) = kernel.forward(&inputs, true);
            let mut all = y.f32().to_vec();
            let slopes = kernel.backward(Pass {
                inputs: &inputs,
                saved: &[],
                dy: y,
                wanted: &[true; 3],
            });
            for slope in slopes.into_iter().flatten() {
                all.extend(slope.f32());
            }
            all
        });
    }
}

/// Central differences in 64 bits of the formula.
#[test]
fn slopes_are_those_of_the_values() {
    let value = |x: f64, a: &[f64], b: &[f64]| {
        let power = |i: usize| x.abs().powi(i as i32 + 1);
        let p = a.iter().rev().fold(0.0, |p, a| p * x + a);
        p / b
            .iter()
            .enumerate()
            .fold(1.0, |q, (i, b)| q + b.abs() * power(i))
    };
    let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let (xs, a, b) = (random(8, 1), random(6, 2), random(4, 3));
    let device = burn::tensor::Device::flex().autodiff();
    let x = Tensor::<1>::from_data(TensorData::new(xs.clone(), [8]), &device).require_grad();
    let given = |values: &[f32]| {
        let data = TensorData::new(values.to_vec(), [1, values.len()]);
        Tensor::<2>::from_data(data, &device).require_grad()
    };
    let (a_tensor, b_tensor) = (given(&a), given(&b));
    let y = group_rational(x.clone(), a_tensor.clone(), b_tensor.clone());
    let grads = y.sum().backward();
    let (xs, a, b) = (wide(&xs), wide(&a), wide(&b));
    let sum = |x: &[f64], a: &[f64], b: &[f64]| x.iter().map(|x| value(*x, a, b)).sum::<f64>();
    let check = |slopes: Vec<f64>, at: &dyn Fn(usize, f64) -> f64| {
        for (i, slope) in slopes.into_iter().enumerate() {
            let expected = (at(i, 1e-5) - at(i, -1e-5)) / 2e-5;
            assert!(
                (slope - expected).abs() < 1e-4,
                "{slope}, expected {expected}"
            );
        }
    };
    let moved = |values: &[f64], i: usize, by: f64| {
        let mut values = values.to_vec();
        values[i] += by;
        values
    };
    let slopes = x.grad(&grads).unwrap().try_into_vec_as().unwrap();
    check(slopes, &|i, by| sum(&moved(&xs, i, by), &a, &b));
    let slopes = a_tensor.grad(&grads).unwrap().try_into_vec_as().unwrap();
    check(slopes, &|i, by| sum(&xs, &moved(&a, i, by), &b));
    let slopes = b_tensor.grad(&grads).unwrap().try_into_vec_as().unwrap();
    check(slopes, &|i, by| sum(&xs, &a, &moved(&b, i, by)));
}
