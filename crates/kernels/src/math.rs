//! Exponential and logarithm without branches or calls, so that loops over them become vector code.

/// `e^x` within 2 units in the last place for `-87 <= x <= 88`; smaller `x` counts as -87, larger is not supported.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 · 2²³ rounds to an integer, which the low bits of the sum then hold.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first short enough that its product with an exponent is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Written so that what is not a number stays so.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let exponent = shifted - ROUND;
    let r = x - exponent * LN_2_HIGH - exponent * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        p = p * r + coefficient;
    }
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    (p * r * r + r + 1.0) * scale
}

/// `ln x` within 2 units in the last place for positive normal `x`; not a number for `x <= 0`.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // Splits x = m · 2^e with √½ <= m < √2.
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let bits = x.to_bits().wrapping_sub(SQRT_HALF);
    let exponent = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(SQRT_HALF)) - 1.0;
    let mut p = 7.037_683_6e-2;
    for coefficient in [
        -0.115_146_1,
        0.116_769_984,
        -0.124_201_41,
        0.142_493_23,
        -0.166_680_57,
        0.200_007_15,
        -0.249_999_94,
        0.333_333_3,
    ] {
        p = p * m + coefficient;
    }
    let square = m * m;
    let y = p * square * m + exponent * -2.121_944_4e-4 - 0.5 * square;
    let y = m + y + exponent * 0.693_359_4;
    if x > 0.0 { y } else { f32::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_the_standard_library() {
        for step in -870_000..=880_000 {
            let x = step as f32 * 1e-4;
            let expected = f64::from(x).exp();
            assert!(
                (f64::from(exp(x)) / expected - 1.0).abs() < 2.4e-7,
                "exp({x}) = {}",
                exp(x)
            );
            let x = exp(x);
            let expected = f64::from(x).ln();
            let error = (f64::from(ln(x)) - expected).abs();
            assert!(
                error <= 2.4e-7 * expected.abs().max(1e-2),
                "ln({x}) = {}",
                ln(x)
            );
        }
        assert_eq!((exp(0.0), ln(1.0)), (1.0, 0.0));
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        assert!(
            exp(f32::NAN).is_nan()
                && ln(f32::NAN).is_nan()
                && ln(-1.0).is_nan()
                && ln(0.0).is_nan()
        );
        assert_eq!(exp(f32::NEG_INFINITY), exp(-87.0));
    }
}
