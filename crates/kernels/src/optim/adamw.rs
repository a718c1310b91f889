//! Adam with decoupled weight decay.

use super::{PIECE, elements, writable, zeros};
use crate::op::{runs_on, tensor};
use crate::parallel::SHARED;
use crate::simd::vectorized;
use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{DType, Device, Tensor};
use rayon::prelude::*;

/// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101), as PyTorch computes it:
///
/// `m ← β₁ m + (1−β₁) g`, `v ← β₂ v + (1−β₂) g²`,
/// `w ← (1 − lr λ) w − lr/(1−β₁ᵗ) · m / (√(v/(1−β₂ᵗ)) + ε)`.
///
/// With `weight_decay` 0 it is Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Decay rates β₁, β₂ of the moments, each in `0..1`.
    pub betas: [f32; 2],
    /// ε, positive.
    pub epsilon: f32,
    /// λ, at least 0.
    pub weight_decay: f32,
}

impl Default for AdamW {
    /// β 0.9 and 0.999, ε 1e-8, λ 0.01, as in PyTorch.
    fn default() -> Self {
        Self {
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.01,
        }
    }
}

/// What [`AdamW`] remembers of a parameter.
#[derive(Clone, Debug)]
pub struct AdamWState<const D: usize> {
    /// Steps taken.
    pub steps: usize,
    /// `m`.
    pub first: Tensor<D>,
    /// `v`.
    pub second: Tensor<D>,
}

// By hand, since Burn's derive names crates that only Burn itself depends on.
impl<const D: usize> RecordState for AdamWState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "steps", self.steps.into());
        out.push_tensor(prefix, "first", self.first.to_data());
        out.push_tensor(prefix, "second", self.second.to_data());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self {
            steps: src.take_scalar(prefix, "steps")?.try_into().ok()?,
            first: Tensor::from_data(src.take_tensor(prefix, "first")?, device),
            second: Tensor::from_data(src.take_tensor(prefix, "second")?, device),
        })
    }
}

/// The numbers of one step that are the same for all elements.
#[derive(Clone, Copy)]
struct Factors {
    keep: f32,
    betas: [f32; 2],
    /// `lr / (1 − β₁ᵗ)`.
    rate: f32,
    /// `1 / √(1 − β₂ᵗ)`.
    scale: f32,
    epsilon: f32,
}

impl AdamW {
    fn factors(&self, lr: LearningRate, steps: usize) -> Factors {
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(steps as f64);
        Factors {
            keep: (1.0 - lr * f64::from(self.weight_decay)) as f32,
            betas: self.betas,
            rate: (lr / correction(self.betas[0])) as f32,
            scale: (1.0 / correction(self.betas[1]).sqrt()) as f32,
            epsilon: self.epsilon,
        }
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        if !runs_on(&parameter, &[DType::F32]) {
            let (parameter, state) = composed(self, lr, parameter, gradient, state);
            return (parameter, Some(state));
        }
        let gradient = crate::op::array(gradient);
        let (steps, mut first, mut second) = match state {
            Some(state) => (
                state.steps + 1,
                writable(state.first),
                writable(state.second),
            ),
            None => (1, zeros(&gradient), zeros(&gradient)),
        };
        let mut parameter = writable(parameter);
        let factors = self.factors(lr, steps);
        let count = gradient.f32().len();
        let (w, m, v, g) = (
            elements(&mut parameter),
            elements(&mut first),
            elements(&mut second),
            gradient.f32(),
        );
        if count < SHARED {
            step(factors, w, m, v, g);
        } else {
            let pieces = (
                w.par_chunks_mut(PIECE),
                m.par_chunks_mut(PIECE),
                v.par_chunks_mut(PIECE),
                g.par_chunks(PIECE),
            );
            pieces
                .into_par_iter()
                .with_min_len(SHARED / 2 / PIECE)
                .for_each(|(w, m, v, g)| step(factors, w, m, v, g));
        }
        let state = AdamWState {
            steps,
            first: tensor(first),
            second: tensor(second),
        };
        (tensor(parameter), Some(state))
    }

    fn to_device<const D: usize>(mut state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        state.first = state.first.to_device(device);
        state.second = state.second.to_device(device);
        state
    }
}

/// One step of a run of elements.
fn step(factors: Factors, w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
    let Factors {
        keep,
        betas: [b1, b2],
        rate,
        scale,
        epsilon,
    } = factors;
    vectorized(
        #[inline(always)]
        || {
            for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
                *m = b1 * *m + (1.0 - b1) * g;
                *v = b2 * *v + (1.0 - b2) * g * g;
                *w = keep * *w - rate * *m / (v.sqrt() * scale + epsilon);
            }
        },
    );
}

/// The same from Burn's primitives.
fn composed<const D: usize>(
    adam: &AdamW,
    lr: LearningRate,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<AdamWState<D>>,
) -> (Tensor<D>, AdamWState<D>) {
    let [b1, b2] = adam.betas;
    let state = state.unwrap_or_else(|| AdamWState {
        steps: 0,
        first: gradient.zeros_like(),
        second: gradient.zeros_like(),
    });
    let state = AdamWState {
        steps: state.steps + 1,
        first: state.first * b1 + gradient.clone() * (1.0 - b1),
        second: state.second * b2 + gradient.square() * (1.0 - b2),
    };
    let Factors {
        keep, rate, scale, ..
    } = adam.factors(lr, state.steps);
    let spread = state.second.clone().sqrt() * scale + adam.epsilon;
    let parameter = parameter * keep - state.first.clone() / spread * rate;
    (parameter, state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::tests::assert_same_steps;

    #[test]
    fn steps_equal_the_composition() {
        let adam = AdamW {
            weight_decay: 0.3,
            ..AdamW::default()
        };
        assert_same_steps(&adam, |lr, w, g, state| composed(&adam, lr, w, g, state));
    }

    #[test]
    fn steps_equal_those_of_pytorch() {
        // torch.optim.AdamW([1, -2, 0.5], lr=0.1, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.2), three steps with the
        // gradients [0.5, -1, 0], [1, 1, 0], [-0.25, 3, 1e-4], in float64.
        let adam = AdamW {
            betas: [0.9, 0.99],
            epsilon: 1e-6,
            weight_decay: 0.2,
        };
        let device = Device::flex();
        let mut parameter = Tensor::<1>::from_data([1.0f32, -2.0, 0.5], &device);
        let mut state = None;
        for gradient in [[0.5f32, -1.0, 0.0], [1.0, 1.0, 0.0], [-0.25, 3.0, 1e-4]] {
            let gradient = Tensor::<1>::from_data(gradient, &device);
            (parameter, state) = adam.step(0.1, parameter, gradient, state);
        }
        let expected = [0.691_793_27, -1.850_831_3, 0.408_079_4];
        let parameter = parameter.into_data().try_to_vec::<f32>().unwrap();
        for (actual, expected) in parameter.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-6, "{actual} {expected}");
        }
    }
}
