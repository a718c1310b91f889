//! Gradients from a given one of the output.

use crate::op::{Array, Kernel, Pass, Reads, binary, runs_on};
use burn::tensor::{DType, Gradients, Tensor};

/// Gradients of `Σ y · cotangent` for a constant cotangent, without computing that sum: what PyTorch calls
/// `y.backward(cotangent)`.
///
/// # Panics
/// If the shapes differ, or `y` has no history.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<1>::from_data([3.0, 4.0], &Device::flex().autodiff()).require_grad();
/// let cotangent = Tensor::from_data([1.0, 10.0], &x.device());
/// let gradients = offprint_kernels::backward_from(x.clone() * x.clone(), cotangent);
/// let dx = x.grad(&gradients).unwrap().into_data();
/// assert_eq!(dx.try_to_vec::<f32>().unwrap(), [6.0, 80.0]);
/// ```
pub fn backward_from<const D: usize>(y: Tensor<D>, cotangent: Tensor<D>) -> Gradients {
    let (shape, given) = (y.dims(), cotangent.dims());
    assert_eq!(shape, given, "cotangent {given:?} of an output {shape:?}");
    let cotangent = cotangent.detach();
    if !runs_on(&y, &[DType::F32]) {
        return (y * cotangent).sum().backward();
    }
    let sum: Tensor<1> = binary(Pullback, y, cotangent);
    sum.backward()
}

#[derive(Debug)]
struct Pullback;

impl Kernel for Pullback {
    fn forward(&self, _: &[Array], _: bool) -> (Array, Vec<Array>) {
        // Nobody reads the sum.
        (Array::new(vec![0.0f32], [1]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        vec![Some(pass.inputs[1].clone()), None]
    }

    fn reads(&self) -> Reads {
        let mut reads = Reads::NOTHING;
        reads.inputs[1] = true;
        reads
    }
}
