//! Element-wise activations.

use crate::in_place::rewritten;
use crate::math::{self, NORMAL_LIMIT, normal_tail, positive, sigmoids};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, unary};
use crate::parallel::pieces;
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor, activation};
use serde::{Deserialize, Serialize};

/// An element-wise function `y = f(x)`.
///
/// Each takes every number: infinities give the limit, and what is not a number stays so. The errors given are in units in
/// the last place of the true value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`.
    #[default]
    Identity,
    /// `max(0, x)`, exactly.
    Relu,
    /// `x Φ(x)`, with the normal distribution's `Φ(x) = ½ (1 + erf(x/√2))`. Within 3e-7 of `x`.
    Gelu,
    /// `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))`, as GPT-2 has it. Within 5 ulp for `x >= -1`; to the left, where `y`
    /// nears zero, within 3e-7 (1 + x²) of its size.
    GeluTanh,
    /// `x σ(x)`. Within 4 ulp, and zero from -88 down.
    Silu,
    /// `σ(x) = 1 / (1 + e^−x)`. Within 4 ulp, and zero from -87.7 down.
    Sigmoid,
    /// `tanh x`. Within 3 ulp.
    Tanh,
    /// `ln(1 + e^x)`. Within 4 ulp.
    Softplus,
    /// `e^x`. Within 2 ulp.
    Exp,
}

/// `f(x)`, element by element.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::{Activation, activate};
/// let x = Tensor::<1>::from_data([-1.0, 0.0, 2.0], &Device::flex());
/// let y = activate(x, Activation::Relu);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.0, 2.0]);
/// ```
pub fn activate<const D: usize>(x: Tensor<D>, f: Activation) -> Tensor<D> {
    if f == Activation::Identity {
        return x;
    }
    if !runs_on(&x, &[DType::F32]) {
        return composed(x, f);
    }
    unary(f, x)
}

/// The same from Burn's primitives.
pub(crate) fn composed<const D: usize>(x: Tensor<D>, f: Activation) -> Tensor<D> {
    match f {
        Activation::Identity => x,
        Activation::Relu => activation::relu(x),
        Activation::Gelu => activation::gelu(x),
        Activation::GeluTanh => activation::gelu_approximate(x),
        Activation::Silu => activation::silu(x),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Softplus => activation::softplus(x, 1.0),
        Activation::Exp => x.exp(),
    }
}

impl Activation {
    /// Whether [`slopes`] wants the output `y` rather than the input `x`.
    pub(crate) fn reads_output(self) -> bool {
        match self {
            Self::Identity | Self::Relu | Self::Sigmoid | Self::Tanh | Self::Exp => true,
            Self::Gelu | Self::GeluTanh | Self::Silu | Self::Softplus => false,
        }
    }
}

/// Numbers that are handled at a time: they fit the first-level cache with what is read besides.
const PIECE: usize = 1024;

impl Kernel for Activation {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let x = inputs[0].f32();
        let mut y = Buffer::new(x.len());
        pieces(&mut y, PIECE, |start, y| {
            values(*self, &x[start..][..y.len()], y);
        });
        (Array::from_buffer(y, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let kept = if self.reads_output() {
            &pass.saved[0]
        } else {
            &pass.inputs[0]
        };
        let dx = rewritten(pass.dy, PIECE, |start, dy| {
            slopes(*self, dy, &kept.f32()[start..][..dy.len()]);
        });
        vec![Some(dx)]
    }

    fn reads(&self) -> Reads {
        if self.reads_output() {
            Reads::OUTPUT
        } else {
            Reads::INPUTS
        }
    }
}

/// Calls `$run` with the arguments and the function of one number that `$f` stands for.
macro_rules! with_function {
    ($f:expr, $run:ident($($argument:expr),*)) => {
        match $f {
            Activation::Identity => $run($($argument,)* |x| x),
            Activation::Relu => $run($($argument,)* positive),
            Activation::Gelu => $run($($argument,)* gelu),
            Activation::GeluTanh => $run($($argument,)* gelu_tanh),
            Activation::Silu => $run($($argument,)* silu),
            Activation::Sigmoid => $run($($argument,)* math::sigmoid),
            Activation::Tanh => $run($($argument,)* math::tanh),
            Activation::Softplus => $run($($argument,)* math::softplus),
            Activation::Exp => $run($($argument,)* math::exp),
        }
    };
}

/// `y = f(x)` of slices of one length.
pub(crate) fn values(f: Activation, x: &[f32], y: &mut [f32]) {
    #[inline(always)]
    fn run(x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = f(*x);
        }
    }
    vectorized(
        #[inline(always)]
        || with_function!(f, run(x, y)),
    );
}

/// `y = f(y)`.
pub(crate) fn apply(f: Activation, y: &mut [f32]) {
    #[inline(always)]
    fn run(y: &mut [f32], f: impl Fn(f32) -> f32) {
        for y in y {
            *y = f(*y);
        }
    }
    vectorized(
        #[inline(always)]
        || with_function!(f, run(y)),
    );
}

/// `dy = dy f'(x)`, given the output or the input of `f` as [`Activation::reads_output`] says.
pub(crate) fn slopes(f: Activation, dy: &mut [f32], output_or_input: &[f32]) {
    #[inline(always)]
    fn run(dy: &mut [f32], kept: &[f32], f: impl Fn(f32, f32) -> f32) {
        for (dy, kept) in dy.iter_mut().zip(kept) {
            *dy = f(*dy, *kept);
        }
    }
    vectorized(
        #[inline(always)]
        || match f {
            Activation::Identity => {}
            Activation::Relu => run(dy, output_or_input, |dy, y| if y <= 0.0 { 0.0 } else { dy }),
            Activation::Gelu => run(dy, output_or_input, |dy, x| dy * math::normal_slope(x)),
            Activation::GeluTanh => run(dy, output_or_input, |dy, x| dy * gelu_tanh_slope(x)),
            Activation::Silu => run(dy, output_or_input, |dy, x| dy * silu_slope(x)),
            Activation::Sigmoid => run(dy, output_or_input, |dy, y| dy * (y * (1.0 - y))),
            Activation::Tanh => run(dy, output_or_input, |dy, y| dy * y.mul_add(-y, 1.0)),
            Activation::Softplus => run(dy, output_or_input, |dy, x| dy * math::sigmoid(x)),
            Activation::Exp => run(dy, output_or_input, |dy, y| dy * y),
        },
    );
}

// GELU and SiLU are x F(x) with F(x) + F(−x) = 1, so that x F(x) = max(0, x) − |x| F(−|x|): precise on both sides, and the
// limits are right. Likewise the slope at x is 1 minus the slope at −x.

/// `|x|`, at most `limit`, from where on `F(−|x|)` is zero.
#[inline(always)]
fn magnitude(x: f32, limit: f32) -> f32 {
    let a = x.abs();
    if a > limit { limit } else { a }
}

/// The slope at `x`, given that at `−|x|`.
#[inline(always)]
fn reflected(x: f32, slope: f32) -> f32 {
    if x < 0.0 { slope } else { 1.0 - slope }
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    let a = magnitude(x, NORMAL_LIMIT);
    a.mul_add(-normal_tail(a), positive(x))
}

/// `2 √(2/π)`, the same times 0.044715, and from where the sigmoid of `−(c a + d a³)` is zero.
const TANH_LINEAR: f32 = 1.595_769;
const TANH_CUBIC: f32 = 0.071_354_82;
const TANH_LIMIT: f32 = 10.1;

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    let a = magnitude(x, TANH_LIMIT);
    let (below, _) = sigmoids(a * (a * a).mul_add(TANH_CUBIC, TANH_LINEAR));
    a.mul_add(-below, positive(x))
}

#[inline(always)]
fn gelu_tanh_slope(x: f32) -> f32 {
    let a = magnitude(x, TANH_LIMIT);
    let square = a * a;
    let (below, above) = sigmoids(a * square.mul_add(TANH_CUBIC, TANH_LINEAR));
    let inner = a * square.mul_add(3.0 * TANH_CUBIC, TANH_LINEAR);
    reflected(x, below * above.mul_add(-inner, 1.0))
}

/// From here on `σ(−a)` is zero.
const SIGMOID_LIMIT: f32 = 88.0;

#[inline(always)]
fn silu(x: f32) -> f32 {
    let a = magnitude(x, SIGMOID_LIMIT);
    let (below, _) = sigmoids(a);
    a.mul_add(-below, positive(x))
}

#[inline(always)]
fn silu_slope(x: f32) -> f32 {
    let a = magnitude(x, SIGMOID_LIMIT);
    let (below, above) = sigmoids(a);
    reflected(x, below * above.mul_add(-a, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::tests::{assert_near, assert_ulp, normal_64, numbers};
    use crate::testing::{assert_same, assert_same_for_any_threads, random, tensor};

    const ALL: [Activation; 9] = [
        Activation::Identity,
        Activation::Relu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softplus,
        Activation::Exp,
    ];

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for f in ALL {
            for (shape, scale) in [
                ([1, 1], 1.0),
                ([7, 5], 9.0),
                ([130, 129], 3.0),
                ([0, 3], 1.0),
            ] {
                let x = tensor(shape, 1);
                let view = || x.clone().transpose() * scale;
                assert_same!(activate(view(), f), composed(view(), f), [x], 2e-5);
            }
        }
    }

    #[test]
    fn sliced_input() {
        let x = tensor([6, 9], 1);
        let view = || x.clone().slice([1..5, 2..8]);
        assert_same!(
            activate(view(), Activation::Silu),
            composed(view(), Activation::Silu),
            [x],
            1e-5
        );
    }

    #[test]
    fn errors_are_within_what_is_stated() {
        let gelu_64 = |x: f64| x * normal_64(x).0;
        let sizable = || numbers().filter(|x| x.abs() > f32::MIN_POSITIVE);
        assert_near(gelu, gelu_64, sizable(), |x| 3e-7 * x.abs());
        let silu_64 = |x: f64| x / (1.0 + (-x).exp());
        assert_ulp(silu, silu_64, numbers().filter(|x| *x > -87.3), 4.0);
        let gelu_tanh_64 = |x: f64| {
            let inner = 2.0 * (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
            if x < -40.0 {
                0.0
            } else {
                x / (1.0 + (-inner).exp())
            }
        };
        assert_ulp(
            gelu_tanh,
            gelu_tanh_64,
            numbers().filter(|x| *x >= -1.0),
            5.0,
        );
        let left = || numbers().filter(|x| (-8.0..-1.0).contains(x));
        let limit = |x: f64| 3e-7 * (1.0 + x * x) * gelu_tanh_64(x).abs();
        assert_near(gelu_tanh, gelu_tanh_64, left(), limit);
    }

    #[test]
    fn limits() {
        for f in ALL {
            let mut y = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN];
            apply(f, &mut y);
            let left = match f {
                Activation::Identity => f32::NEG_INFINITY,
                Activation::Tanh => -1.0,
                _ => 0.0,
            };
            let right = match f {
                Activation::Sigmoid | Activation::Tanh => 1.0,
                _ => f32::INFINITY,
            };
            assert_eq!(y[..2], [left, right], "{f:?}");
            assert!(y[2].is_nan(), "{f:?}");
        }
    }

    #[test]
    fn slopes_are_those_of_the_values() {
        for f in ALL {
            let x: Vec<f32> = random(500, 5).iter().map(|x| 6.0 * x).collect();
            let moved = |by: f32| {
                let mut y: Vec<f32> = x.iter().map(|x| x + by).collect();
                apply(f, &mut y);
                y
            };
            let kept = if f.reads_output() {
                moved(0.0)
            } else {
                x.clone()
            };
            let mut slope = vec![1.0; x.len()];
            slopes(f, &mut slope, &kept);
            let step = 1.0 / 64.0;
            for ((slope, after), before) in slope.iter().zip(moved(step)).zip(moved(-step)) {
                let expected = (after - before) / (2.0 * step);
                let size = expected.abs().max(1.0);
                // The kink of the rectifier is between some of the pairs.
                let kink = f == Activation::Relu && expected > 0.0 && expected < 1.0;
                assert!(
                    kink || (slope - expected).abs() < 1e-3 * size,
                    "{f:?} {slope} {expected}"
                );
            }
        }
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let x = tensor([300, 257], 1);
            let y = activate(x.clone(), Activation::Gelu);
            let grads = y.clone().sum().backward();
            let dx = x.grad(&grads).unwrap().into_data();
            [y.into_data(), dx]
                .map(|data| data.try_to_vec().unwrap())
                .concat()
        });
    }
}
