//! Stochastic gradient descent with momentum.

use super::{PIECE, elements, writable, zeros};
use crate::op::{array, runs_on, tensor};
use crate::parallel::{SHARED, pieces};
use crate::simd::vectorized;
use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{DType, Device, Tensor};
use rayon::prelude::*;

/// Stochastic gradient descent with momentum, as PyTorch computes it:
///
/// `g ← g + λ w`, `b ← μ b + g` (at first `b = g`), `w ← w − lr b`, or `w ← w − lr (g + μ b)` if `nesterov`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sgd {
    /// μ in `0..1`; 0 is plain descent.
    pub momentum: f32,
    /// λ, at least 0.
    pub weight_decay: f32,
    /// Looks one step ahead.
    pub nesterov: bool,
}

/// What [`Sgd`] remembers of a parameter.
#[derive(Clone, Debug)]
pub struct SgdState<const D: usize> {
    /// `b`.
    pub velocity: Tensor<D>,
}

// By hand, since Burn's derive names crates that only Burn itself depends on.
impl<const D: usize> RecordState for SgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "velocity", self.velocity.to_data());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let velocity = Tensor::from_data(src.take_tensor(prefix, "velocity")?, device);
        Some(Self { velocity })
    }
}

impl Optimizer for Sgd {
    type State<const D: usize> = SgdState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<SgdState<D>>,
    ) -> (Tensor<D>, Option<SgdState<D>>) {
        if !runs_on(&parameter, &[DType::F32]) {
            let (parameter, state) = composed(self, lr, parameter, gradient, state);
            return (parameter, Some(state));
        }
        let gradient = array(gradient);
        let mut parameter = writable(parameter);
        let (w, g) = (elements(&mut parameter), gradient.f32());
        let lr = lr as f32;
        if self.momentum == 0.0 {
            pieces(w, PIECE, |start, w| {
                self.plain(lr, w, &g[start..][..w.len()])
            });
            return (tensor(parameter), None);
        }
        // Momentum counts from the second step on.
        let momentum = if state.is_some() { self.momentum } else { 0.0 };
        let mut velocity = match state {
            Some(state) => writable(state.velocity),
            None => zeros(&gradient),
        };
        let b = elements(&mut velocity);
        if g.len() < SHARED {
            self.run(lr, momentum, w, b, g);
        } else {
            let pieces = (
                w.par_chunks_mut(PIECE),
                b.par_chunks_mut(PIECE),
                g.par_chunks(PIECE),
            );
            pieces
                .into_par_iter()
                .with_min_len(SHARED / 2 / PIECE)
                .for_each(|(w, b, g)| self.run(lr, momentum, w, b, g));
        }
        let velocity = tensor(velocity);
        (tensor(parameter), Some(SgdState { velocity }))
    }

    fn to_device<const D: usize>(mut state: SgdState<D>, device: &Device) -> SgdState<D> {
        state.velocity = state.velocity.to_device(device);
        state
    }
}

impl Sgd {
    /// One step of a run of elements without momentum.
    fn plain(&self, lr: f32, w: &mut [f32], g: &[f32]) {
        let decay = self.weight_decay;
        vectorized(
            #[inline(always)]
            || {
                for (w, g) in w.iter_mut().zip(g) {
                    *w -= lr * (g + decay * *w);
                }
            },
        );
    }

    /// One step of a run of elements.
    fn run(&self, lr: f32, momentum: f32, w: &mut [f32], b: &mut [f32], g: &[f32]) {
        let decay = self.weight_decay;
        let (own, along) = match self.nesterov {
            true => (lr, lr * self.momentum),
            false => (0.0, lr),
        };
        vectorized(
            #[inline(always)]
            || {
                for ((w, b), g) in w.iter_mut().zip(b).zip(g) {
                    let g = g + decay * *w;
                    *b = momentum * *b + g;
                    *w -= own * g + along * *b;
                }
            },
        );
    }
}

/// The same from Burn's primitives.
fn composed<const D: usize>(
    sgd: &Sgd,
    lr: LearningRate,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<SgdState<D>>,
) -> (Tensor<D>, SgdState<D>) {
    let gradient = gradient + parameter.clone() * sgd.weight_decay;
    let velocity = match state {
        Some(state) => state.velocity * sgd.momentum + gradient.clone(),
        None => gradient.clone(),
    };
    let step = match sgd.nesterov {
        true => gradient + velocity.clone() * sgd.momentum,
        false => velocity.clone(),
    };
    (parameter - step * lr, SgdState { velocity })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::tests::assert_same_steps;

    #[test]
    fn steps_equal_the_composition() {
        for (momentum, nesterov) in [(0.8, false), (0.8, true), (0.0, false)] {
            let sgd = Sgd {
                momentum,
                weight_decay: 0.1,
                nesterov,
            };
            assert_same_steps(&sgd, |lr, w, g, state| composed(&sgd, lr, w, g, state));
        }
    }

    #[test]
    fn steps_equal_those_of_pytorch() {
        // torch.optim.SGD([1, -2, 0.5], lr=0.1, momentum=0.9, weight_decay=0.2), three steps with the gradients
        // [0.5, -1, 0], [1, 1, 0], [-0.25, 3, 1e-4], in float64; then with nesterov.
        for (nesterov, expected) in PYTORCH {
            let sgd = Sgd {
                momentum: 0.9,
                weight_decay: 0.2,
                nesterov,
            };
            let device = Device::flex();
            let mut parameter = Tensor::<1>::from_data([1.0f32, -2.0, 0.5], &device);
            let mut state = None;
            for gradient in [[0.5f32, -1.0, 0.0], [1.0, 1.0, 0.0], [-0.25, 3.0, 1e-4]] {
                let gradient = Tensor::<1>::from_data(gradient, &device);
                (parameter, state) = sgd.step(0.1, parameter, gradient, state);
            }
            let parameter = parameter.into_data().try_to_vec::<f32>().unwrap();
            for (actual, expected) in parameter.iter().zip(expected) {
                assert!((actual - expected).abs() < 1e-6, "{actual} {expected}");
            }
        }
    }

    const PYTORCH: [(bool, [f32; 3]); 2] = [
        (false, [0.594_992, -2.003_984, 0.444_846]),
        (true, [0.466_459_15, -2.199_258_3, 0.422_245_16]),
    ];
}
