//! Exponential, logarithm and what is made of them, without branches or calls, so that loops over them become vector code.
//!
//! Unless said otherwise a function takes every 32-bit float: its result is rounded gradually down to zero, infinities give
//! the limit, and what is not a number stays so. An error of one ulp is one unit in the last place of the true value. The
//! polynomials are minimax fits.

use std::f32::consts::LOG2_E;

/// Adding and subtracting 1.5 · 2²³ rounds to an integer, which the low bits of the sum then hold.
const ROUND: f32 = 12_582_912.0;

/// ln 2 in two parts, the first short enough that its product with an exponent is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// `Σ c_i x^i`, the highest power first.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for coefficient in &coefficients[1..] {
        sum = sum.mul_add(x, *coefficient);
    }
    sum
}

/// The power of two whose exponent the low bits of `shifted` hold; zero for -127.
#[inline(always)]
fn power_of_two(shifted: f32) -> f32 {
    f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

/// `e^x` within 1.6 ulp.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Beyond these limits the result is zero or infinite. Written so that what is not a number stays so.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    // e^x = s² e^r with |r| <= ln 2: the square reaches the smallest and the largest numbers.
    let shifted = x.mul_add(LOG2_E / 2.0, ROUND);
    let exponent = shifted - ROUND;
    let r = exponent.mul_add(-2.0 * LN_2_HIGH, x);
    let r = exponent.mul_add(-2.0 * LN_2_LOW, r);
    let s = power_of_two(shifted);
    // (e^r − 1 − r) / r², within 1.5e-8 of e^r.
    let q = polynomial(
        r,
        [
            1.962_735e-4,
            1.410_541_9e-3,
            8.335_982e-3,
            4.166_120_3e-2,
            0.166_666_16,
            0.500_000_36,
        ],
    );
    (r * r).mul_add(q, r).mul_add(s, s) * s
}

/// `e^x` within 1.2 ulp for `x <= 0`, and zero from -87.7 down: what [`exp`] gives for less work where tiny weights do not
/// count.
#[inline(always)]
pub(crate) fn exp_weight(x: f32) -> f32 {
    // The exponent of -88 is the one that stands for zero.
    let x = if x < -88.0 { -88.0 } else { x };
    let shifted = x.mul_add(LOG2_E, ROUND);
    let exponent = shifted - ROUND;
    let r = exponent.mul_add(-LN_2_HIGH, x);
    let r = exponent.mul_add(-LN_2_LOW, r);
    let s = power_of_two(shifted);
    // (e^r − 1 − r) / r², within 3.3e-9 of e^r for |r| <= ½ ln 2.
    let q = polynomial(
        r,
        [
            1.381_872_8e-3,
            8.368_719e-3,
            4.166_829_2e-2,
            0.166_665_21,
            0.499_999_94,
        ],
    );
    (r * r).mul_add(q, r).mul_add(s, s)
}

/// `ln x` within 1 ulp for positive normal `x`; not a number for `x <= 0`.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // Splits x = m · 2^e with √½ <= m < √2.
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let bits = x.to_bits().wrapping_sub(SQRT_HALF);
    let exponent = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(SQRT_HALF)) - 1.0;
    let p = polynomial(
        m,
        [
            7.037_683_6e-2,
            -0.115_146_1,
            0.116_769_984,
            -0.124_201_41,
            0.142_493_23,
            -0.166_680_57,
            0.200_007_15,
            -0.249_999_94,
            0.333_333_3,
        ],
    );
    let square = m * m;
    let y = exponent.mul_add(LN_2_LOW, p * square * m);
    let y = square.mul_add(-0.5, y);
    let y = exponent.mul_add(LN_2_HIGH, m + y);
    if x > 0.0 { y } else { f32::NAN }
}

/// `1 / x` within 0.6 ulp for `1 <= x <= 2`: multiplications, where a division would stop the vector unit for longer than
/// the exponential that it follows.
#[inline(always)]
fn reciprocal(x: f32) -> f32 {
    // Within 1.8e-3 of it, which the third-order step below takes to the third power.
    let y = polynomial(x, [-0.221_837_1, 1.331_022_6, -2.939_341_5, 2.828_423]);
    let e = x.mul_add(-y, 1.0);
    y.mul_add(e.mul_add(e, e), y)
}

/// `σ(−a)` and `σ(a)` within 3.5 ulp for `a >= 0`, where `σ(x) = 1 / (1 + e^−x)`; the first is zero from 87.7 on.
#[inline(always)]
pub(crate) fn sigmoids(a: f32) -> (f32, f32) {
    let t = exp_weight(-a);
    let above = reciprocal(1.0 + t);
    (t * above, above)
}

/// `σ(x) = 1 / (1 + e^−x)` within 3.5 ulp, and zero from -87.7 down.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    let (below, above) = sigmoids(x.abs());
    if x < 0.0 { below } else { above }
}

/// `tanh x` within 3 ulp.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    // tanh |x| = −m / (2 + m) with m = e^(−2|x|) − 1, which is exact for small x where the exponential itself is not.
    let a = -2.0 * x.abs();
    let a = if a < -40.0 { -40.0 } else { a };
    let shifted = a.mul_add(LOG2_E, ROUND);
    let exponent = shifted - ROUND;
    let r = exponent.mul_add(-LN_2_HIGH, a);
    let r = exponent.mul_add(-LN_2_LOW, r);
    let s = power_of_two(shifted);
    // (e^r − 1 − r) / r², within 1.4e-8 of e^r − 1 for |r| <= ½ ln 2.
    let q = polynomial(
        r,
        [
            1.387_023_4e-3,
            8.366_45e-3,
            4.166_744_3e-2,
            0.166_665_45,
            0.499_999_97,
        ],
    );
    let m = (r * r).mul_add(q, r).mul_add(s, s - 1.0);
    (m * reciprocal(2.0 + m)).copysign(x)
}

/// `ln(1 + e^x)` within 3.5 ulp.
#[inline(always)]
pub(crate) fn softplus(x: f32) -> f32 {
    let t = exp(-x.abs());
    // ln(1 + t) = 2 artanh(s/2) with s = t / (1 + t/2) <= 2/3.
    let s = t * reciprocal(t.mul_add(0.5, 1.0));
    let z = s * s;
    // (artanh(s/2)/(s/2) − 1) / s², within 4.6e-9 after multiplication by s².
    let q = polynomial(
        z,
        [
            5.475_645_3e-4,
            2.187_289_5e-3,
            1.250_680_7e-2,
            8.333_301_5e-2,
        ],
    );
    positive(x) + (s * z).mul_add(q, s)
}

/// `max(0, x)`, but what is not a number stays so.
#[inline(always)]
pub(crate) fn positive(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// From here on [`normal_tail`] is zero.
pub(crate) const NORMAL_LIMIT: f32 = 5.5;

/// The normal distribution below `−a`, `Φ(−a)`, within 2e-7 of it, for `0 <= a <= NORMAL_LIMIT`.
#[inline(always)]
pub(crate) fn normal_tail(a: f32) -> f32 {
    // (Φ(a) − ½) / a as a quotient of polynomials in a².
    let z = a * a;
    let p = polynomial(
        z,
        [
            2.274_942_4e-8,
            6.352_126_5e-6,
            1.688_26e-4,
            4.677_262_6e-3,
            3.385_267e-2,
            0.398_942_23,
        ],
    );
    let q = polynomial(
        z,
        [
            1.197_506_3e-6,
            7.364_764e-5,
            1.884_446_5e-3,
            2.864_588_6e-2,
            0.251_521_97,
            1.0,
        ],
    );
    let tail = 0.5 - a * p / q;
    if tail < 0.0 { 0.0 } else { tail }
}

/// The derivative of `x Φ(x)`, which is `Φ(x) + x φ(x)` with the normal density `φ`, within 5e-7.
#[inline(always)]
pub(crate) fn normal_slope(x: f32) -> f32 {
    // From 6 on it is 1, to 32 bits.
    let x = if x > 6.0 { 6.0 } else { x };
    let x = if x < -6.0 { -6.0 } else { x };
    // Less ½ it is odd: x times a quotient of polynomials in x².
    let z = x * x;
    let p = polynomial(
        z,
        [
            1.908_851_2e-7,
            3.585_056e-5,
            2.418_361_9e-5,
            1.420_917_6e-2,
            -3.074_348e-2,
            0.797_884_5,
        ],
    );
    let q = polynomial(
        z,
        [
            8.887_477e-6,
            1.935_195_6e-4,
            3.528_762_4e-3,
            4.106_468_3e-2,
            0.294_805_65,
            1.0,
        ],
    );
    0.5 + x * p / q
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Numbers of both signs and all sizes, down to the smallest, and the awkward ones.
    pub(crate) fn numbers() -> impl Iterator<Item = f32> {
        let positive = (0..0x7f80_0000).step_by(4_001).map(f32::from_bits);
        let dense = (0..=2_000).map(|step| step as f32 * 0.01);
        let all = positive.chain(dense).chain([f32::MAX]);
        all.flat_map(|x| [x, -x])
    }

    /// Asserts that `f` is within so many units in the last place of `expected` on some numbers.
    pub(crate) fn assert_ulp(
        f: impl Fn(f32) -> f32,
        expected: impl Fn(f64) -> f64,
        numbers: impl Iterator<Item = f32>,
        limit: f64,
    ) {
        for x in numbers {
            let (y, expected) = (f(x), expected(f64::from(x)));
            let nearest = expected as f32;
            if y == nearest {
                continue;
            }
            let exponent = (nearest.abs().to_bits() >> 23).clamp(1, 254);
            let ulp = 2f64.powi(exponent as i32 - 150);
            let error = (f64::from(y) - expected).abs() / ulp;
            assert!(
                error <= limit,
                "f({x:e}) = {y:e}, not {expected:e}: {error} ulp"
            );
        }
    }

    /// `Φ(x)` and `φ(x)`.
    pub(crate) fn normal_64(x: f64) -> (f64, f64) {
        let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let a = x.abs().min(40.0);
        let tail = if a < 3.0 {
            // ½ − φ(a) (a + a³/3 + a⁵/15 + …)
            let (mut term, mut sum) = (a, a);
            for n in 1..100 {
                term *= a * a / f64::from(2 * n + 1);
                sum += term;
            }
            0.5 - density * sum
        } else {
            // The continued fraction of Laplace.
            density / (a + (1..200).rev().fold(0.0, |f, k| f64::from(k) / (a + f)))
        };
        (if x < 0.0 { tail } else { 1.0 - tail }, density)
    }

    /// Asserts that `f` is this close to `expected` on some numbers.
    pub(crate) fn assert_near(
        f: impl Fn(f32) -> f32,
        expected: impl Fn(f64) -> f64,
        numbers: impl Iterator<Item = f32>,
        limit: impl Fn(f64) -> f64,
    ) {
        for x in numbers {
            let (y, x) = (f64::from(f(x)), f64::from(x));
            let expected = expected(x);
            let error = (y - expected).abs();
            assert!(
                error <= limit(x),
                "f({x:e}) = {y:e}, not {expected:e}: {error:e}"
            );
        }
    }

    fn sigmoid_64(x: f64) -> f64 {
        if x < 0.0 {
            x.exp() / (1.0 + x.exp())
        } else {
            1.0 / (1.0 + (-x).exp())
        }
    }

    #[test]
    fn errors_are_within_what_is_stated() {
        assert_ulp(exp, f64::exp, numbers(), 1.6);
        let weights = || numbers().filter(|x| (-87.3..=0.0).contains(x));
        assert_ulp(exp_weight, f64::exp, weights(), 1.2);
        let normal = || numbers().filter(|x| *x >= f32::MIN_POSITIVE);
        assert_ulp(ln, f64::ln, normal(), 1.0);
        let reached = || numbers().filter(|x| *x > -87.3);
        assert_ulp(sigmoid, sigmoid_64, reached(), 3.5);
        let far = || reached().map(f32::abs).filter(|x| *x < 87.3);
        assert_ulp(|a| sigmoids(a).0, |a| sigmoid_64(-a), far(), 3.5);
        assert_ulp(tanh, f64::tanh, numbers(), 3.0);
        let softplus_64 = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        assert_ulp(softplus, softplus_64, numbers(), 3.5);
        let places = || numbers().map(|x| x.abs().min(NORMAL_LIMIT));
        assert_near(normal_tail, |a| normal_64(-a).0, places(), |_| 2e-7);
        let slope = |x| {
            let (below, density) = normal_64(x);
            below + x * density
        };
        assert_near(normal_slope, slope, numbers(), |_| 5e-7);
    }

    #[test]
    fn limits() {
        let infinity = f32::INFINITY;
        assert_eq!(
            [exp(0.0), exp(-infinity), exp(infinity)],
            [1.0, 0.0, infinity]
        );
        assert_eq!(
            [exp_weight(0.0), exp_weight(-88.0), exp_weight(-infinity)],
            [1.0, 0.0, 0.0]
        );
        assert_eq!([sigmoid(-infinity), sigmoid(infinity)], [0.0, 1.0]);
        assert_eq!([tanh(-infinity), tanh(infinity)], [-1.0, 1.0]);
        assert_eq!([softplus(-infinity), softplus(infinity)], [0.0, infinity]);
        assert_eq!(normal_tail(NORMAL_LIMIT), 0.0);
        assert_eq!((normal_slope(0.0), sigmoids(88.0).0), (0.5, 0.0));
        assert_eq!((ln(1.0), positive(-infinity)), (0.0, 0.0));
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for f in [
            exp,
            exp_weight,
            ln,
            sigmoid,
            tanh,
            softplus,
            positive,
            normal_slope,
        ] {
            assert!(f(f32::NAN).is_nan());
        }
        assert!(normal_tail(f32::NAN).is_nan() && sigmoids(f32::NAN).0.is_nan());
        assert!(ln(-1.0).is_nan() && ln(0.0).is_nan());
    }
}
