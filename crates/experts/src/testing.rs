//! What the tests of several files need.

use burn::tensor::{Device, Tensor};

/// The CPU with gradients.
pub fn device() -> Device {
    Device::flex().autodiff()
}

/// Asserts that a tensor holds these values, within 2e-6 of the larger of 1 and the value.
pub fn assert_values<const D: usize>(tensor: Tensor<D>, expected: &[f64]) {
    let actual: Vec<f64> = tensor.inner().try_into_vec_as().unwrap();
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        let error = (actual - expected).abs();
        assert!(
            error <= 2e-6 * expected.abs().max(1.0),
            "{actual}, expected {expected}"
        );
    }
}
