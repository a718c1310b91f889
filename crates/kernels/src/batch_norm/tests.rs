use super::*;
use crate::testing::{assert_close, assert_same, assert_same_for_any_threads, tensor};

const EPSILON: f32 = 1e-5;

fn parameters(channels: usize) -> [Tensor<1>; 2] {
    [tensor([channels], 2), tensor([channels], 3)]
}

#[test]
fn values_statistics_and_gradients_equal_the_composition() {
    for shape in [
        [2, 1, 1, 1],
        [3, 5, 1, 1],
        [1, 4, 3, 5],
        [7, 3, 5, 13],
        [40, 2, 32, 33],
    ] {
        let (x, residual) = (tensor(shape, 1), tensor(shape, 4));
        let [weight, bias] = parameters(shape[1]);
        for (relu, with) in [(false, false), (true, false), (false, true), (true, true)] {
            let r = || with.then(|| residual.clone());
            let (ours, mean, variance) =
                batch_norm(x.clone(), weight.clone(), bias.clone(), r(), relu, EPSILON);
            let (theirs, other_mean, other_variance) =
                composed(x.clone(), weight.clone(), bias.clone(), r(), relu, EPSILON);
            assert_close(mean, other_mean, 1e-6);
            assert_close(variance, other_variance, 1e-6);
            if with {
                assert_same!(ours, theirs, [x, weight, bias, residual], 1e-4);
            } else {
                assert_same!(ours, theirs, [x, weight, bias], 1e-4);
            }
        }
    }
}

#[test]
fn inference_equals_the_composition() {
    let shape = [3, 5, 7];
    let (x, residual) = (tensor(shape, 1), tensor(shape, 4));
    let [weight, bias] = parameters(5);
    for relu in [false, true] {
        let (mean, variance) = (tensor([5], 5), tensor([5], 6).abs());
        let (ours, theirs) = (
            batch_norm_inference(
                x.clone(),
                weight.clone(),
                bias.clone(),
                mean.clone(),
                variance.clone(),
                Some(residual.clone()),
                relu,
                EPSILON,
            ),
            composed_inference(
                x.clone(),
                weight.clone(),
                bias.clone(),
                [mean.detach(), variance.detach()],
                Some(residual.clone()),
                relu,
                EPSILON,
            ),
        );
        assert_same!(ours, theirs, [x, weight, bias, residual], 1e-4);
    }
}

#[test]
fn transposed_input_of_two_axes() {
    let (x, [weight, bias]) = (tensor([6, 9], 1), parameters(6));
    let run = || {
        batch_norm(
            x.clone().transpose(),
            weight.clone(),
            bias.clone(),
            None,
            true,
            EPSILON,
        )
    };
    let theirs = composed(
        x.clone().transpose(),
        weight.clone(),
        bias.clone(),
        None,
        true,
        EPSILON,
    );
    assert_same!(run().0, theirs.0, [x, weight, bias], 1e-4);
}

#[test]
fn a_large_mean_costs_no_precision() {
    let (x, [weight, bias]) = (tensor([4, 2, 64], 1), parameters(2));
    let (_, _, near) = batch_norm(
        x.clone(),
        weight.clone(),
        bias.clone(),
        None,
        false,
        EPSILON,
    );
    let (_, mean, far) = batch_norm(x + 1000.0, weight, bias, None, false, EPSILON);
    assert!(
        mean.into_data()
            .iter::<f32>()
            .all(|mean| (mean - 1000.0).abs() < 1.0)
    );
    assert_close(far, near, 1e-3);
}

#[test]
fn no_pictures() {
    let (x, [weight, bias]) = (tensor([0, 3, 2, 2], 1), parameters(3));
    let (mean, variance) = (tensor([3], 5), tensor([3], 6).abs());
    let y = batch_norm_inference(x, weight.clone(), bias, mean, variance, None, true, EPSILON);
    assert_eq!(y.dims(), [0, 3, 2, 2]);
    let dw = weight.grad(&y.sum().backward()).unwrap();
    assert_eq!(dw.into_data().try_to_vec::<f32>().unwrap(), [0.0; 3]);
}

#[test]
fn is_the_same_for_any_number_of_threads() {
    assert_same_for_any_threads(|| {
        let (x, [weight, bias]) = (tensor([80, 3, 32, 32], 1), parameters(3));
        let (y, ..) = batch_norm(x.clone(), weight.clone(), bias, None, true, EPSILON);
        let mut values: Vec<f32> = y.clone().into_data().try_to_vec().unwrap();
        let grads = y.powi_scalar(2).sum().backward();
        for gradient in [
            x.grad(&grads).unwrap().flatten(0, 3),
            weight.grad(&grads).unwrap(),
        ] {
            let gradient: Tensor<1> = gradient;
            values.extend(gradient.into_data().try_to_vec::<f32>().unwrap());
        }
        values
    });
}

#[test]
#[should_panic(expected = "batch_norm: input [2, 3, 4] has 3 channels, a parameter has shape [4]")]
fn parameters_of_another_size() {
    let [weight, bias] = parameters(4);
    batch_norm(tensor([2, 3, 4], 1), weight, bias, None, false, EPSILON);
}
