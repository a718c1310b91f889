//! Sum of two tensors, as a residual connection takes it.

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, binary, runs_on};
use crate::parallel::{PIECE, pieces};
use burn::tensor::{DType, Tensor};

/// `a + b`, element by element.
///
/// # Panics
/// If the shapes differ.
pub fn add<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    assert_eq!(
        a.dims(),
        b.dims(),
        "add of {:?} and {:?}",
        a.dims(),
        b.dims()
    );
    if !runs_on(&a, &[DType::F32]) {
        return a + b;
    }
    binary(Add, a, b)
}

#[derive(Debug)]
struct Add;

impl Kernel for Add {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (a, b) = (inputs[0].f32(), inputs[1].f32());
        let mut sum = Buffer::new(a.len());
        pieces(&mut sum, PIECE, |start, sum| {
            let (a, b) = (&a[start..][..sum.len()], &b[start..][..sum.len()]);
            for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
                *sum = a + b;
            }
        });
        (Array::from_buffer(sum, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        vec![Some(pass.dy.clone()), Some(pass.dy)]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for shape in [[0, 3], [1, 1], [7, 5], [300, 129]] {
            let (a, b) = (tensor(shape, 1), tensor(shape, 2));
            assert_same!(
                add(a.clone(), b.clone()),
                a.clone() + b.clone(),
                [a, b],
                1e-6
            );
        }
    }

    #[test]
    fn a_tensor_and_its_own_transpose() {
        let a = tensor([6, 6], 1);
        assert_same!(
            add(a.clone(), a.clone().transpose()),
            a.clone() + a.clone().transpose(),
            [a],
            1e-6
        );
    }

    #[test]
    #[should_panic(expected = "add of [1, 2] and [2, 1]")]
    fn unequal_shapes() {
        add(tensor([1, 2], 1), tensor([2, 1], 2));
    }
}
