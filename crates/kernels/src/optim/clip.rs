//! Clipping of the norm of all gradients together.

use super::{elements, writable};
use crate::op::{array, runs_on, tensor};
use crate::simd::vectorized;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

/// Scales all gradients of a module by `max_norm / norm` where their common Euclidean norm exceeds `max_norm`, and
/// returns that norm (before scaling).
///
/// The norm is summed in `f64` in a fixed order. Where it is not finite the gradients stay as they are, so that the
/// caller can see and report it.
pub fn clip_grad_norm<M: Module>(
    gradients: &mut GradientsParams,
    module: &M,
    max_norm: f64,
) -> f64 {
    let mut squares = Squares {
        gradients,
        sum: 0.0,
    };
    module.visit(&mut squares);
    let norm = squares.sum.sqrt();
    if norm.is_finite() && norm > max_norm {
        let factor = (max_norm / norm) as f32;
        module.visit(&mut Scale { gradients, factor });
    }
    norm
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: f64,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get::<D>(parameter.id) else {
            return;
        };
        self.sum += if runs_on(&gradient, &[DType::F32]) {
            squares(array(gradient).f32())
        } else {
            let sum = gradient.square().sum().into_data();
            sum.iter::<f64>().next().unwrap_or(0.0)
        };
    }
}

/// Numbers whose squares are summed at a time.
const PIECE: usize = 16_384;

fn squares(values: &[f32]) -> f64 {
    let pieces: Vec<f64> = values
        .par_chunks(PIECE)
        .with_min_len(2)
        .map(piece)
        .collect();
    pieces.iter().sum()
}

fn piece(values: &[f32]) -> f64 {
    vectorized(
        #[inline(always)]
        || {
            let (lines, rest) = values.as_chunks::<16>();
            let mut sums = [0.0f64; 16];
            for line in lines {
                for (sum, value) in sums.iter_mut().zip(line) {
                    *sum += f64::from(*value) * f64::from(*value);
                }
            }
            let rest = rest.iter().map(|x| f64::from(*x) * f64::from(*x));
            sums.iter().sum::<f64>() + rest.sum::<f64>()
        },
    )
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f32,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(parameter.id) else {
            return;
        };
        let scaled = if runs_on(&gradient, &[DType::F32]) {
            let mut values = writable(gradient);
            let factor = self.factor;
            crate::parallel::pieces(
                elements(&mut values),
                crate::parallel::PIECE,
                |_, values| {
                    values.iter_mut().for_each(|value| *value *= factor);
                },
            );
            tensor(values)
        } else {
            gradient * self.factor
        };
        self.gradients.register(parameter.id, scaled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{random, tensor as tracked};

    #[derive(Module, Debug)]
    struct Two {
        a: Param<Tensor<2>>,
        b: Param<Tensor<1>>,
    }

    #[test]
    fn all_gradients_are_scaled_by_the_same_factor() {
        let module = Two {
            a: Param::from_tensor(tracked([3, 4], 1)),
            b: Param::from_tensor(tracked([5], 2)),
        };
        let gradients = || {
            let loss = (module.a.val() * 2.0).sum() + (module.b.val() * 3.0).sum();
            GradientsParams::from_grads(loss.backward(), &module)
        };
        // √(12 · 4 + 5 · 9) = √93
        let mut clipped = gradients();
        let norm = clip_grad_norm(&mut clipped, &module, 1.0);
        assert!((norm - 93f64.sqrt()).abs() < 1e-6, "{norm}");
        let a = clipped.get::<2>(module.a.id).unwrap().into_data();
        let expected = 2.0 / 93f32.sqrt();
        assert!(a.iter::<f32>().all(|x| (x - expected).abs() < 1e-6));
        let mut whole = gradients();
        assert_eq!(clip_grad_norm(&mut whole, &module, 10.0), norm);
        let b = whole.get::<1>(module.b.id).unwrap().into_data();
        assert!(b.iter::<f32>().all(|x| x == 3.0));
    }

    #[test]
    fn the_norm_is_the_same_for_any_number_of_threads() {
        let values = random(100_003, 5);
        crate::testing::assert_same_for_any_threads(|| vec![squares(&values) as f32]);
        let exact: f64 = values.iter().map(|x| f64::from(*x).powi(2)).sum();
        assert!((squares(&values) - exact).abs() < 1e-9 * exact);
    }
}
