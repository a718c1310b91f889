use super::*;
use crate::testing::{assert_same, assert_same_for_any_threads, tensor};

/// Input, kernel, stride, padding.
const CASES: [([usize; 4], [[usize; 2]; 3]); 8] = [
    ([1, 1, 1, 1], [[1, 1], [1, 1], [0, 0]]),
    ([2, 3, 8, 8], [[2, 2], [2, 2], [0, 0]]),
    ([2, 3, 9, 71], [[2, 2], [2, 2], [0, 0]]),
    ([5, 7, 32, 64], [[2, 2], [2, 2], [0, 0]]),
    ([2, 3, 17, 16], [[3, 3], [2, 2], [1, 1]]),
    ([2, 3, 11, 13], [[3, 3], [1, 1], [1, 1]]),
    ([2, 3, 11, 13], [[5, 2], [1, 3], [2, 1]]),
    ([3, 4, 7, 5], [[7, 5], [1, 1], [0, 0]]),
];

#[test]
fn values_and_gradients_equal_the_composition() {
    for (shape, [kernel, stride, padding]) in CASES {
        let x = tensor(shape, 1);
        assert_same!(
            max_pool2d(x.clone(), kernel, stride, padding),
            composed_max(x.clone(), kernel, stride, padding),
            [x],
            1e-6
        );
        assert_same!(
            avg_pool2d(x.clone(), kernel, stride, padding),
            composed_avg(x.clone(), kernel, stride, padding),
            [x],
            1e-5
        );
        assert_same!(
            global_avg_pool2d(x.clone()),
            composed_global(x.clone()),
            [x],
            1e-5
        );
    }
}

#[test]
fn transposed_input() {
    let x = tensor([8, 3, 10, 2], 1);
    let view = || x.clone().permute([3, 1, 0, 2]);
    let sizes = ([2, 2], [2, 2], [0, 0]);
    assert_same!(
        max_pool2d(view(), sizes.0, sizes.1, sizes.2),
        composed_max(view(), sizes.0, sizes.1, sizes.2),
        [x],
        1e-6
    );
    assert_same!(
        global_avg_pool2d(view()),
        composed_global(view()),
        [x],
        1e-5
    );
}

#[test]
fn no_pictures() {
    let x = tensor([0, 3, 8, 8], 1);
    let y = max_pool2d(x.clone(), [2, 2], [2, 2], [0, 0]);
    assert_eq!(y.dims(), [0, 3, 4, 4]);
    assert_eq!(x.grad(&y.sum().backward()).unwrap().dims(), [0, 3, 8, 8]);
    assert_eq!(global_avg_pool2d(x).dims(), [0, 3]);
}

#[test]
fn the_first_of_equals_and_what_is_not_a_number_win() {
    let device = burn::tensor::Device::flex().autodiff();
    let nan = f32::NAN;
    let x = Tensor::<4>::from_data([[[[1.0, 1.0, 3.0, nan], [1.0, 1.0, 2.0, 9.0]]]], &device);
    for (kernel, stride) in [([2, 2], [2, 2]), ([2, 2], [1, 2])] {
        let x = x.clone().require_grad();
        let y = max_pool2d(x.clone(), kernel, stride, [0, 0]);
        let dx = x.grad(&y.clone().sum().backward()).unwrap();
        let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
        assert!(y[0] == 1.0 && y[1].is_nan());
        let dx: Vec<f32> = dx.into_data().try_to_vec().unwrap();
        assert_eq!(dx, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }
}

#[test]
fn is_the_same_for_any_number_of_threads() {
    for (shape, [kernel, stride, padding]) in CASES {
        assert_same_for_any_threads(|| {
            let x = tensor(shape, 1);
            let y = max_pool2d(x.clone(), kernel, stride, padding);
            let z = avg_pool2d(x.clone(), kernel, stride, padding);
            let grads = (y * z).sum().backward();
            x.grad(&grads).unwrap().into_data().try_to_vec().unwrap()
        });
    }
}

#[test]
#[should_panic(
    expected = "max_pool2d: kernel [4, 4] is larger than input [1, 1, 3, 8] with padding [0, 0]"
)]
fn kernel_larger_than_the_picture() {
    max_pool2d(tensor([1, 1, 3, 8], 1), [4, 4], [1, 1], [0, 0]);
}
