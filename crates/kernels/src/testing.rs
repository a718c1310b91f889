//! What the tests of several kernels need: random inputs, and the check of an operation against its composition of
//! Burn's primitives.

use burn::tensor::{Device, Tensor, TensorData};

/// Uniform numbers in [-1, 1) from a multiplicative congruential generator.
pub fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_769).wrapping_add(12_345);
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// A tensor of [`random`] numbers that gathers gradients.
pub fn tensor<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
    let values = random(shape.iter().product(), seed);
    Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff()).require_grad()
}

/// Asserts that `run` gives exactly the same numbers with one, two and three threads.
pub fn assert_same_for_any_threads(run: impl Fn() -> Vec<f32> + Sync) {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(&run)
    };
    let expected = with(1);
    assert!((2..4).all(|threads| with(threads) == expected));
}

/// Asserts that two tensors differ by at most `tolerance` (absolute or relative to the expected one).
pub fn assert_close<const D: usize>(actual: Tensor<D>, expected: Tensor<D>, tolerance: f32) {
    assert_eq!(actual.dims(), expected.dims());
    let actual: Vec<f32> = actual.into_data().try_to_vec().unwrap();
    let expected: Vec<f32> = expected.into_data().try_to_vec().unwrap();
    for (index, (a, b)) in actual.iter().zip(&expected).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * b.abs().max(1.0),
            "element {index}: {a}, expected {b}"
        );
    }
}

/// Asserts that `ours` and `composed` agree in value and, under a random cotangent, in the gradients of `inputs`.
macro_rules! assert_same {
    ($ours:expr, $composed:expr, [$($input:expr),+], $tolerance:expr) => {{
        let (ours, composed) = ($ours, $composed);
        $crate::testing::assert_close(ours.clone(), composed.clone(), $tolerance);
        let cotangent = burn::tensor::Tensor::from_data(
            burn::tensor::TensorData::new(
                $crate::testing::random(ours.shape().num_elements(), 4242),
                ours.shape(),
            ),
            &ours.device(),
        );
        let ours = (ours * cotangent.clone()).sum().backward();
        let composed = (composed * cotangent).sum().backward();
        $($crate::testing::assert_close(
            $input.grad(&ours).expect("a gradient"),
            $input.grad(&composed).expect("a gradient"),
            $tolerance,
        );)+
    }};
}
pub(crate) use assert_same;
