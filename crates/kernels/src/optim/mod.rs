//! Optimizers that read and write each parameter once.
//!
//! [`AdamW`] and [`Sgd`] are Burn optimizers: `ModuleOptimizer::from(AdamW::default())` steps a module, and their state
//! is recorded like that of Burn's own.

mod adamw;
mod clip;
mod sgd;

pub use adamw::{AdamW, AdamWState};
pub use clip::clip_grad_norm;
pub use sgd::{Sgd, SgdState};

use crate::memory::Buffer;
use crate::op::{Array, array};
use burn::tensor::Tensor;

/// Elements that a step handles at a time: four arrays of them fit the first-level cache.
const PIECE: usize = 2048;

/// A tensor's elements to be written over: its own where nothing else reads them, else a copy.
fn writable<const D: usize>(values: Tensor<D>) -> Array {
    let mut values = array(values);
    if values.f32_mut().is_some() {
        return values;
    }
    let mut copy = Buffer::new(values.f32().len());
    copy.copy_from_slice(values.f32());
    Array::from_buffer(copy, values.shape())
}

/// Zeros in the shape of an array.
fn zeros(like: &Array) -> Array {
    Array::from_buffer(Buffer::zeroed(like.f32().len()), like.shape())
}

/// The elements of an array that [`writable`] or [`zeros`] made.
fn elements(values: &mut Array) -> &mut [f32] {
    values.f32_mut().expect("nothing else reads it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;
    use burn::optim::Optimizer;
    use burn::tensor::{Device, TensorData};

    /// Steps of an optimizer as its kernels and as its composition take them, over sizes around a piece; each gives the
    /// parameter after four steps.
    pub fn assert_same_steps<O: Optimizer>(
        optimizer: &O,
        composed: impl Fn(f64, Tensor<1>, Tensor<1>, Option<O::State<1>>) -> (Tensor<1>, O::State<1>),
    ) {
        for count in [0, 1, 7, PIECE, PIECE + 1, 40_000] {
            let made = |seed| {
                let data = TensorData::new(random(count, seed), [count]);
                Tensor::<1>::from_data(data, &Device::flex())
            };
            let (mut ours, mut other) = ((made(1), None), (made(1), None));
            for step in 0..4 {
                let gradient = made(2 + step);
                ours = optimizer.step(0.05, ours.0, gradient.clone(), ours.1);
                let (parameter, state) = composed(0.05, other.0, gradient, other.1);
                other = (parameter, Some(state));
            }
            crate::testing::assert_close(ours.0, other.0, 1e-5);
        }
    }

    #[test]
    fn a_tensor_that_is_read_elsewhere_is_copied() {
        let kept = Tensor::<1>::from_data([1.0f32, 2.0], &Device::flex());
        elements(&mut writable(kept.clone()))[0] = 9.0;
        assert_eq!(kept.into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0]);
    }
}
