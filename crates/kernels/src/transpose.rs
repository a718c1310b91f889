//! Rows become columns.

use crate::lanes::{LANES, Lanes, load};

/// Rows of `width` numbers that begin `stride` apart.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    pub values: &'a [f32],
    pub stride: usize,
    pub width: usize,
}

impl<'a> Lines<'a> {
    #[inline(always)]
    pub fn line(self, index: usize) -> &'a [f32] {
        &self.values[index * self.stride..][..self.width]
    }
}

/// Side of the squares that are transposed in registers.
const SIDE: usize = 8;

/// Writes up to [`LANES`] rows as columns: `out[j * stride + i] = row(i)[j]`, zeros for the columns from `count` on.
#[inline]
pub fn columns(rows: Lines<'_>, count: usize, out: &mut [f32], stride: usize) {
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if count == LANES && is_x86_feature_detected!("avx") {
        done = rows.width / SIDE * SIDE;
        for (i, j) in (0..LANES)
            .step_by(SIDE)
            .flat_map(|i| (0..done).step_by(SIDE).map(move |j| (i, j)))
        {
            let from = &rows.values[i * rows.stride + j..];
            // SAFETY: the processor has AVX.
            unsafe { square(from, rows.stride, &mut out[j * stride + i..], stride) };
        }
    }
    for j in done..rows.width {
        for (i, x) in out[j * stride..][..LANES].iter_mut().enumerate() {
            *x = if i < count { rows.line(i)[j] } else { 0.0 };
        }
    }
}

/// Transposes a square of [`SIDE`] rows. Left to itself, the compiler gathers single numbers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
fn square(from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
    use std::arch::x86_64::*;
    let row = |i: usize| -> &[f32; SIDE] {
        from[i * from_stride..]
            .first_chunk()
            .expect("a row of a square")
    };
    // SAFETY: each pointer leads to as many numbers as are read.
    let [a, b, c, d, e, f, g, h] = unsafe {
        [
            _mm256_loadu_ps(row(0).as_ptr()),
            _mm256_loadu_ps(row(1).as_ptr()),
            _mm256_loadu_ps(row(2).as_ptr()),
            _mm256_loadu_ps(row(3).as_ptr()),
            _mm256_loadu_ps(row(4).as_ptr()),
            _mm256_loadu_ps(row(5).as_ptr()),
            _mm256_loadu_ps(row(6).as_ptr()),
            _mm256_loadu_ps(row(7).as_ptr()),
        ]
    };
    // Pairs of rows, then quadruples, then halves: the digits are the columns in each half.
    let (ab_01, ab_23) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    let (cd_01, cd_23) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    let (ef_01, ef_23) = (_mm256_unpacklo_ps(e, f), _mm256_unpackhi_ps(e, f));
    let (gh_01, gh_23) = (_mm256_unpacklo_ps(g, h), _mm256_unpackhi_ps(g, h));
    const LOW: i32 = 0b01_00_01_00;
    const HIGH: i32 = 0b11_10_11_10;
    let upper = [
        _mm256_shuffle_ps::<LOW>(ab_01, cd_01),
        _mm256_shuffle_ps::<HIGH>(ab_01, cd_01),
        _mm256_shuffle_ps::<LOW>(ab_23, cd_23),
        _mm256_shuffle_ps::<HIGH>(ab_23, cd_23),
    ];
    let lower = [
        _mm256_shuffle_ps::<LOW>(ef_01, gh_01),
        _mm256_shuffle_ps::<HIGH>(ef_01, gh_01),
        _mm256_shuffle_ps::<LOW>(ef_23, gh_23),
        _mm256_shuffle_ps::<HIGH>(ef_23, gh_23),
    ];
    for (j, (upper, lower)) in upper.into_iter().zip(lower).enumerate() {
        for (half, column) in [
            _mm256_permute2f128_ps::<0x20>(upper, lower),
            _mm256_permute2f128_ps::<0x31>(upper, lower),
        ]
        .into_iter()
        .enumerate()
        {
            let to: &mut [f32; SIDE] = to[(j + 4 * half) * to_stride..]
                .first_chunk_mut()
                .expect("a row of a square");
            // SAFETY: the pointer leads to as many numbers as are written.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), column) };
        }
    }
}

/// Inner products of the rows of `x` with those of `y`, one a lane, of up to [`LANES`] rows.
#[inline(always)]
pub fn dots(x: Lines<'_>, y: Lines<'_>, count: usize) -> Lanes {
    let whole = x.width / LANES * LANES;
    let mut sums = [0.0; LANES * SIDE];
    for (i, sums) in sums.chunks_exact_mut(SIDE).enumerate().take(count) {
        let (x, y) = (x.line(i), y.line(i));
        let mut sum = [0.0; LANES];
        for start in (0..whole).step_by(LANES) {
            let (x, y) = (load(x, start), load(y, start));
            for lane in 0..LANES {
                sum[lane] = x[lane].mul_add(y[lane], sum[lane]);
            }
        }
        for lane in 0..SIDE {
            sums[lane] = sum[lane] + sum[lane + SIDE];
        }
        for (index, (x, y)) in x[whole..].iter().zip(&y[whole..]).enumerate() {
            sums[index % SIDE] += x * y;
        }
    }
    let sums = Lines {
        values: &sums,
        stride: SIDE,
        width: SIDE,
    };
    let mut turned = [0.0; LANES * SIDE];
    columns(sums, LANES, &mut turned, LANES);
    let mut total = [0.0; LANES];
    for line in turned.chunks_exact(LANES) {
        let x = load(line, 0);
        for lane in 0..LANES {
            total[lane] += x[lane];
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;

    #[test]
    fn columns_equal_single_numbers() {
        for (count, width, stride) in [
            (16, 16, 16),
            (16, 37, 18),
            (16, 5, 16),
            (3, 33, 20),
            (1, 1, 16),
        ] {
            let values = random(16 * 50, width as u64);
            let rows = Lines {
                values: &values,
                stride: 50,
                width,
            };
            let mut out = vec![9.0; width * stride];
            columns(rows, count, &mut out, stride);
            for (i, j) in (0..LANES).flat_map(|i| (0..width).map(move |j| (i, j))) {
                let expected = if i < count { values[i * 50 + j] } else { 0.0 };
                assert_eq!(out[j * stride + i], expected);
            }
        }
    }

    #[test]
    fn inner_products_equal_the_sum() {
        for (count, width) in [(16, 64), (5, 7), (1, 40)] {
            let (x, y) = (random(16 * 70, 1), random(64, 2));
            let lines = |values, stride| Lines {
                values,
                stride,
                width,
            };
            let products = dots(lines(&x, 70), lines(&y, 0), count);
            for (i, product) in products.iter().enumerate().take(count) {
                let expected: f32 = (0..width).map(|t| x[i * 70 + t] * y[t]).sum();
                assert!((product - expected).abs() < 1e-5);
            }
        }
    }
}
