//! What the tests of several files need.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};

/// The CPU with gradients.
pub fn device() -> Device {
    Device::flex().autodiff()
}

/// Reproducible values in `−1..1`, another series for each `salt`.
pub fn tensor<const D: usize>(shape: [usize; D], salt: usize) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|i| ((i * 37 + salt * 101) as f32 * 0.7).sin())
        .collect();
    Tensor::from_data(
        burn::tensor::TensorData::new(values, shape.to_vec()),
        &device(),
    )
}

/// The elements.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.inner().try_into_vec_as().unwrap()
}

/// Asserts that a tensor holds these values, within 2e-6 of the larger of 1 and the value.
pub fn assert_values<const D: usize>(tensor: Tensor<D>, expected: &[f64]) {
    let actual = values(tensor);
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        let error = (actual - expected).abs();
        assert!(
            error <= 2e-6 * expected.abs().max(1.0),
            "{actual}, expected {expected}"
        );
    }
}

/// Asserts that every parameter got a gradient with an element other than zero.
pub fn assert_all_learn(module: &impl Module, grads: &Gradients) {
    struct Visitor<'a>(&'a Gradients, usize);
    impl ModuleVisitor for Visitor<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let gradient = parameter
                .val()
                .grad(self.0)
                .unwrap_or_else(|| panic!("parameter {} got no gradient", self.1));
            let largest = gradient.abs().max().into_scalar::<f32>();
            assert!(largest > 0.0, "gradient of parameter {} is zero", self.1);
            self.1 += 1;
        }
    }
    let mut visitor = Visitor(grads, 0);
    module.visit(&mut visitor);
    assert!(visitor.1 > 0, "no parameters");
}
