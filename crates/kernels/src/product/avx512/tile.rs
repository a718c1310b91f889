//! The innermost loop of a product: a few rows by two vectors of columns, summed up in registers.

use super::pack::Factor;
use std::arch::x86_64::*;

/// Numbers of a vector.
pub(super) const LANES: usize = 16;

/// Columns of a tile.
pub(super) const WIDTH: usize = 2 * LANES;

/// Inner indices by which the second factor is fetched into the first-level cache ahead of its use.
const AHEAD: usize = 16;

/// Part of a product: rows of the first factor times a packed panel of the second.
pub(super) struct Tile<'a> {
    pub depth: usize,
    pub a: Factor<'a>,
    pub b: &'a [f32],
    pub to: *mut f32,
    pub stride: usize,
    pub width: usize,
    pub add: bool,
}

impl Tile<'_> {
    /// # Safety
    /// `to` must be valid for `rows` rows of `width` numbers, `stride` apart.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub unsafe fn run(self, rows: usize) {
        macro_rules! of_height {
            ($($height:literal)*) => {
                match (rows, self.a.across) {
                    // SAFETY: that of this function.
                    $(($height, false) => unsafe { self.sum::<$height, false>() },)*
                    $(($height, true) => unsafe { self.sum::<$height, true>() },)*
                    _ => unreachable!("a tile of {rows} rows"),
                }
            };
        }
        of_height!(1 2 3 4 5 6 7 8 9 10 11 12 13);
    }

    /// # Safety
    /// That of [`Tile::run`] for `R` rows.
    #[inline(never)] // A function of its own keeps the sums in registers, whatever the code around it.
    #[target_feature(enable = "avx512f")]
    unsafe fn sum<const R: usize, const ACROSS: bool>(self) {
        let stride = self.a.stride;
        assert!(self.b.len() >= self.depth * WIDTH);
        assert!(
            self.depth == 0
                || self.a.values.len()
                    >= if ACROSS {
                        (self.depth - 1) * stride + R
                    } else {
                        (R - 1) * stride + self.depth
                    }
        );
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        let (mut a, mut b) = (self.a.values.as_ptr(), self.b.as_ptr());
        let (row, inner) = if ACROSS { (1, stride) } else { (stride, 1) };
        for i in 0..R {
            prefetch(self.to.wrapping_add(i * self.stride));
            prefetch(self.to.wrapping_add(i * self.stride + LANES));
        }
        // SAFETY: `a` and `b` have `depth` inner indices, as asserted.
        unsafe {
            for _ in 0..self.depth / 4 {
                for t in 0..4 {
                    step(&mut sums, a.wrapping_add(t * inner), row, b.add(t * WIDTH));
                }
                a = a.wrapping_add(4 * inner);
                b = b.add(4 * WIDTH);
            }
            for _ in 0..self.depth % 4 {
                step(&mut sums, a, row, b);
                a = a.wrapping_add(inner);
                b = b.add(WIDTH);
            }
        }
        let columns = (1_u64 << self.width) - 1;
        for (i, sums) in sums.into_iter().enumerate() {
            for (half, mut sum) in sums.into_iter().enumerate() {
                let to = self.to.wrapping_add(i * self.stride + half * LANES);
                let columns = (columns >> (half * LANES)) as __mmask16;
                // SAFETY: row `i` has `width` columns.
                unsafe {
                    if self.add {
                        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(columns, to), sum);
                    }
                    _mm512_mask_storeu_ps(to, columns, sum);
                }
            }
        }
    }
}

/// Adds the products of one inner index.
///
/// # Safety
/// `a` must be valid for `R` elements, `row` apart, and `b` for [`WIDTH`].
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn step<const R: usize>(
    sums: &mut [[__m512; 2]; R],
    a: *const f32,
    row: usize,
    b: *const f32,
) {
    prefetch(b.wrapping_add(AHEAD * WIDTH));
    prefetch(b.wrapping_add(AHEAD * WIDTH + LANES));
    // SAFETY: that of this function.
    unsafe {
        let b = [_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(LANES))];
        for (i, sums) in sums.iter_mut().enumerate() {
            let x = _mm512_set1_ps(*a.add(i * row));
            sums[0] = _mm512_fmadd_ps(x, b[0], sums[0]);
            sums[1] = _mm512_fmadd_ps(x, b[1], sums[1]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch(at: *const f32) {
    _mm_prefetch::<_MM_HINT_T0>(at.cast());
}
