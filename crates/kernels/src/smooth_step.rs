//! Smooth-step: a cubic step that is exactly 0 and exactly 1 outside an interval.
//!
//! Source: Hazimeh et al., "The Tree Ensemble Layer", ICML 2020, equation 4.

use crate::op::{Array, Kernel, Pass, runs_on, unary};
use burn::tensor::{DType, Tensor};

/// `S(t) = -2 t³/γ³ + 3 t/(2γ) + 1/2` for `|t| < γ/2`, else 0 to the left and 1 to the right.
///
/// The slope outside the interval is exactly zero.
///
/// # Panics
/// If `gamma` is not a positive number.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let t = Tensor::<1>::from_data([-0.5, 0.0, 0.25, 7.0], &Device::flex());
/// let s = offprint_kernels::smooth_step(t, 1.0);
/// assert_eq!(s.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.5, 0.84375, 1.0]);
/// ```
pub fn smooth_step<const D: usize>(t: Tensor<D>, gamma: f32) -> Tensor<D> {
    assert!(gamma > 0.0, "width of a smooth-step");
    if !runs_on(&t, &[DType::F32]) {
        return composed(t, gamma);
    }
    unary(SmoothStep { gamma }, t)
}

/// The same from Burn's primitives.
pub(crate) fn composed<const D: usize>(t: Tensor<D>, gamma: f32) -> Tensor<D> {
    let (below, above) = (
        t.clone().lower_equal_elem(-gamma / 2.0),
        t.clone().greater_equal_elem(gamma / 2.0),
    );
    let u = t / gamma;
    let cubic = u.clone() * (-u.clone() * u * 2.0 + 1.5) + 0.5;
    cubic.mask_fill(below, 0.0).mask_fill(above, 1.0)
}

/// `S(t)` of one number.
#[inline(always)]
pub(crate) fn value(t: f32, gamma: f32) -> f32 {
    if t <= -gamma / 2.0 {
        0.0
    } else if t >= gamma / 2.0 {
        1.0
    } else {
        // In units of γ nothing overflows, however small γ is. Next to the ends rounding could leave [0, 1].
        let u = t / gamma;
        (u * (1.5 - 2.0 * u * u) + 0.5).clamp(0.0, 1.0)
    }
}

/// `S'(t)` of one number.
#[inline(always)]
pub(crate) fn slope(t: f32, gamma: f32) -> f32 {
    if t <= -gamma / 2.0 || t >= gamma / 2.0 {
        0.0
    } else {
        let u = t / gamma;
        (1.5 - 6.0 * u * u) / gamma
    }
}

#[derive(Debug)]
struct SmoothStep {
    gamma: f32,
}

impl Kernel for SmoothStep {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let s = inputs[0]
            .f32()
            .iter()
            .map(|t| value(*t, self.gamma))
            .collect();
        (Array::new(s, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let t = pass.inputs[0].f32().iter();
        let dt = t
            .zip(pass.dy.f32())
            .map(|(t, dy)| dy * slope(*t, self.gamma))
            .collect();
        vec![Some(Array::new(dt, pass.inputs[0].shape()))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (shape, gamma) in [([3, 5], 1.0), ([1, 1], 0.3), ([64, 33], 1.7), ([0, 4], 1.0)] {
            let t = tensor(shape, 1);
            let view = || t.clone().transpose();
            assert_same!(
                smooth_step(view(), gamma),
                composed(view(), gamma),
                [t],
                1e-5
            );
        }
    }

    #[test]
    fn flat_outside_even_for_a_tiny_width() {
        let t = Tensor::<1>::from_data([-1e-20, 1e-20, 1e30], &tensor::<1>([1], 0).device())
            .require_grad();
        let s = smooth_step(t.clone(), 1e-20);
        assert_eq!(
            s.clone().into_data().try_to_vec::<f32>().unwrap(),
            [0.0, 1.0, 1.0]
        );
        let dt = t.grad(&s.sum().backward()).unwrap();
        assert_eq!(dt.into_data().try_to_vec::<f32>().unwrap(), [0.0; 3]);
    }
}
