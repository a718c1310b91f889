//! What the tests of several files need.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

pub use crate::backbone::parameters as count;

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
    Tensor::from_data(TensorData::new(values, shape), &device())
}

/// Asserts that every trained parameter got a gradient with an element other than zero.
pub fn assert_all_learn(module: &impl Module, grads: &Gradients) {
    struct Visitor<'a>(&'a Gradients, usize);
    impl ModuleVisitor for Visitor<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let value = parameter.val();
            // Running statistics are not trained.
            if !value.is_require_grad() {
                return;
            }
            let gradient = value.grad(self.0);
            let gradient =
                gradient.unwrap_or_else(|| panic!("parameter {} has no gradient", self.1));
            let largest = gradient.abs().max().into_scalar::<f32>();
            assert!(largest > 0.0, "gradient of parameter {} is zero", self.1);
            self.1 += 1;
        }
    }
    let mut visitor = Visitor(grads, 0);
    module.visit(&mut visitor);
    assert!(visitor.1 > 0, "no parameters");
}
