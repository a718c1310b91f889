//! Vectors of adjacent numbers, as wide as the processor has them, for loops that hold many sums in registers.
//!
//! The innermost loops here hold sixteen sums in registers. Loops over arrays leave it to the compiler whether it finds
//! that out, and it changes its mind with the code around them (measured: between a quarter and all of the processor's
//! speed); vector types leave it no choice.

use crate::simd::vectorized;
use std::array::from_fn;
use std::fmt::Debug;

/// Proof that the processor has vectors of a certain width, and the arithmetic on them.
///
/// Its methods become instructions only inside [`vectorized`].
pub(crate) trait Lanes: Copy + Debug + Send + Sync {
    type Vector: Copy;

    /// Numbers in a vector.
    const COUNT: usize;

    /// The same number in every lane.
    fn splat(self, value: f32) -> Self::Vector;

    /// As many numbers as there are lanes.
    ///
    /// # Safety
    /// There are.
    unsafe fn load_from(self, from: *const f32) -> Self::Vector;

    /// The numbers from index `at` on.
    #[inline(always)]
    fn load(self, from: &[f32], at: usize) -> Self::Vector {
        let from = &from[at..at + Self::COUNT];
        // SAFETY: the slice has as many elements as the vector.
        unsafe { self.load_from(from.as_ptr()) }
    }

    /// Writes the vector to the indices from `at` on.
    fn store(self, vector: Self::Vector, to: &mut [f32], at: usize);

    /// `a · b + c`, rounded once.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// `a + b`.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a - b`.
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a · b`.
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a / b`.
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// The vector without signs.
    fn abs(self, vector: Self::Vector) -> Self::Vector;

    /// The lanes by turns, `a[0], b[0], a[1], b[1], …`, in two vectors.
    fn zip(self, a: Self::Vector, b: Self::Vector) -> [Self::Vector; 2];

    /// What [`Lanes::zip`] was given.
    fn unzip(self, a: Self::Vector, b: Self::Vector) -> [Self::Vector; 2];

    /// The vector with zeros in place of negative numbers.
    fn rectify(self, vector: Self::Vector) -> Self::Vector;

    /// The lanes of `vector` for which `mask` is positive, and zeros.
    fn keep(self, vector: Self::Vector, mask: Self::Vector) -> Self::Vector;

    /// The first lanes of a vector, and zeros.
    fn first(self, vector: Self::Vector, count: usize) -> Self::Vector;

    /// As many of the first lanes as there are numbers, and zeros.
    fn load_some(self, from: &[f32]) -> Self::Vector;

    /// Writes as many of the first lanes as there is room for.
    fn store_some(self, vector: Self::Vector, to: &mut [f32]);

    /// The sum of all lanes, by halves.
    #[inline(always)]
    fn total(self, vector: Self::Vector) -> f32 {
        let mut lanes = [0.0; MOST];
        self.store(vector, &mut lanes, 0);
        let eight: [f32; 8] = from_fn(|lane| lanes[lane] + lanes[lane + 8]);
        let four: [f32; 4] = from_fn(|lane| eight[lane] + eight[lane + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }
}

/// Lanes of the widest vectors.
const MOST: usize = 16;

/// Copies a line in pieces of eight: lines are too short for a call.
#[inline(always)]
pub(crate) fn copy(from: &[f32], to: &mut [f32]) {
    let ((from, rest), (to, end)) = (from.as_chunks::<8>(), to.as_chunks_mut::<8>());
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    for (to, from) in end.iter_mut().zip(rest) {
        *to = *from;
    }
}

/// Eight numbers in whatever the compiler makes of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

impl Lanes for Portable {
    type Vector = [f32; 8];
    const COUNT: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 8] {
        [value; 8]
    }
    #[inline(always)]
    unsafe fn load_from(self, from: *const f32) -> [f32; 8] {
        // SAFETY: the caller's.
        unsafe { from.cast::<[f32; 8]>().read() }
    }
    #[inline(always)]
    fn store(self, vector: [f32; 8], to: &mut [f32], at: usize) {
        to[at..at + 8].copy_from_slice(&vector);
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }
    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        from_fn(|lane| a[lane] + b[lane])
    }
    #[inline(always)]
    fn sub(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        from_fn(|lane| a[lane] - b[lane])
    }
    #[inline(always)]
    fn mul(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        from_fn(|lane| a[lane] * b[lane])
    }
    #[inline(always)]
    fn div(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        from_fn(|lane| a[lane] / b[lane])
    }
    #[inline(always)]
    fn abs(self, vector: [f32; 8]) -> [f32; 8] {
        vector.map(f32::abs)
    }
    #[inline(always)]
    fn zip(self, a: [f32; 8], b: [f32; 8]) -> [[f32; 8]; 2] {
        from_fn(|half| from_fn(|lane| [a, b][lane % 2][4 * half + lane / 2]))
    }
    #[inline(always)]
    fn unzip(self, a: [f32; 8], b: [f32; 8]) -> [[f32; 8]; 2] {
        from_fn(|side| from_fn(|lane| [a, b][lane / 4][2 * (lane % 4) + side]))
    }
    #[inline(always)]
    fn rectify(self, vector: [f32; 8]) -> [f32; 8] {
        vector.map(|value| if value < 0.0 { 0.0 } else { value })
    }
    #[inline(always)]
    fn keep(self, vector: [f32; 8], mask: [f32; 8]) -> [f32; 8] {
        from_fn(|lane| if mask[lane] > 0.0 { vector[lane] } else { 0.0 })
    }
    #[inline(always)]
    fn first(self, vector: [f32; 8], count: usize) -> [f32; 8] {
        from_fn(|lane| if lane < count { vector[lane] } else { 0.0 })
    }
    #[inline(always)]
    fn load_some(self, from: &[f32]) -> [f32; 8] {
        from_fn(|lane| from.get(lane).copied().unwrap_or(0.0))
    }
    #[inline(always)]
    fn store_some(self, vector: [f32; 8], to: &mut [f32]) {
        copy(&vector[..to.len()], to);
    }
}

/// Slices that are read at the same places, so that one check serves for a vector from each.
#[derive(Clone, Copy)]
pub(crate) struct Windows<'a, L: Lanes, const N: usize> {
    lanes: L,
    slices: [&'a [f32]; N],
    /// Places at which a vector can start in the shortest.
    places: usize,
}

impl<'a, L: Lanes, const N: usize> Windows<'a, L, N> {
    #[inline(always)]
    pub fn new(lanes: L, slices: [&'a [f32]; N]) -> Self {
        let shortest = slices.iter().map(|slice| slice.len()).min();
        Self {
            lanes,
            slices,
            places: (shortest.unwrap_or(0) + 1).saturating_sub(L::COUNT),
        }
    }

    /// The numbers of each slice from index `at` on.
    #[inline(always)]
    pub fn load(&self, at: usize) -> [L::Vector; N] {
        assert!(at < self.places, "a vector beyond a slice");
        // SAFETY: every slice has as many elements as a vector from there on.
        from_fn(|i| unsafe { self.lanes.load_from(self.slices[i].as_ptr().add(at)) })
    }
}

/// Something to do with vectors of whichever width.
pub(crate) trait Work {
    type Output;

    /// Does it. To be `#[inline(always)]`, see [`vectorized`].
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// The vectors for a certain task.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Width {
    #[cfg(target_arch = "x86_64")]
    Sixteen(x86::Sixteen),
    #[cfg(target_arch = "x86_64")]
    Eight(x86::Eight),
    Portable(Portable),
}

impl Width {
    /// The widest vectors that leave no more over at the ends of lines of these lengths than narrower ones.
    pub fn of(lengths: impl Iterator<Item = usize> + Clone) -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let places = |lanes: usize| -> usize {
                let lengths = lengths.clone();
                lengths.map(|length| length.next_multiple_of(lanes)).sum()
            };
            if places(16) <= places(8)
                && let Some(sixteen) = x86::Sixteen::detect()
            {
                return Self::Sixteen(sixteen);
            }
            if let Some(eight) = x86::Eight::detect() {
                return Self::Eight(eight);
            }
        }
        Self::Portable(Portable)
    }

    /// The widest vectors.
    pub fn widest() -> Self {
        Self::of(std::iter::empty())
    }

    /// Numbers in a vector.
    pub fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Sixteen(_) => 16,
            _ => 8,
        }
    }

    /// Does some work with such vectors.
    pub fn run<W: Work>(self, work: W) -> W::Output {
        vectorized(
            #[inline(always)]
            || match self {
                #[cfg(target_arch = "x86_64")]
                Self::Sixteen(lanes) => work.run(lanes),
                #[cfg(target_arch = "x86_64")]
                Self::Eight(lanes) => work.run(lanes),
                Self::Portable(lanes) => work.run(lanes),
            },
        )
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    macro_rules! lanes {
        ($(#[$doc:meta])* $name:ident, $vector:ty, $count:literal, [$($feature:tt),+],
         $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $abs:ident, $max:ident, $zip:ident, $unzip:ident, $keep:ident,
         $only:ident, $first:ident, $load_some:ident, $store_some:ident) => {
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct $name(());

            impl $name {
                /// The proof, if the processor has such vectors.
                #[inline]
                pub fn detect() -> Option<Self> {
                    ($(is_x86_feature_detected!($feature))&&+).then_some(Self(()))
                }
            }

            // SAFETY of every instruction: a value of this type exists only where the processor has been asked for it.
            impl Lanes for $name {
                type Vector = $vector;
                const COUNT: usize = $count;

                #[inline(always)]
                fn splat(self, value: f32) -> $vector {
                    unsafe { $splat(value) }
                }
                #[inline(always)]
                unsafe fn load_from(self, from: *const f32) -> $vector {
                    // SAFETY: the caller's.
                    unsafe { $load(from) }
                }
                #[inline(always)]
                fn store(self, vector: $vector, to: &mut [f32], at: usize) {
                    let to = &mut to[at..at + $count];
                    // SAFETY: the slice has as many elements as the vector.
                    unsafe { $store(to.as_mut_ptr(), vector) }
                }
                #[inline(always)]
                fn mul_add(self, a: $vector, b: $vector, c: $vector) -> $vector {
                    unsafe { $fma(a, b, c) }
                }
                #[inline(always)]
                fn add(self, a: $vector, b: $vector) -> $vector {
                    unsafe { $add(a, b) }
                }
                #[inline(always)]
                fn sub(self, a: $vector, b: $vector) -> $vector {
                    unsafe { $sub(a, b) }
                }
                #[inline(always)]
                fn mul(self, a: $vector, b: $vector) -> $vector {
                    unsafe { $mul(a, b) }
                }
                #[inline(always)]
                fn div(self, a: $vector, b: $vector) -> $vector {
                    unsafe { $div(a, b) }
                }
                #[inline(always)]
                fn abs(self, vector: $vector) -> $vector {
                    unsafe { $abs(vector) }
                }
                #[inline(always)]
                fn zip(self, a: $vector, b: $vector) -> [$vector; 2] {
                    unsafe { $zip(a, b) }
                }
                #[inline(always)]
                fn unzip(self, a: $vector, b: $vector) -> [$vector; 2] {
                    unsafe { $unzip(a, b) }
                }
                #[inline(always)]
                fn rectify(self, vector: $vector) -> $vector {
                    // In this order a value that is not a number is passed on.
                    unsafe { $max($splat(0.0), vector) }
                }
                #[inline(always)]
                fn keep(self, vector: $vector, mask: $vector) -> $vector {
                    unsafe { $keep(vector, mask) }
                }
                #[inline(always)]
                fn first(self, vector: $vector, count: usize) -> $vector {
                    unsafe { $only($first(count), vector) }
                }
                #[inline(always)]
                fn load_some(self, from: &[f32]) -> $vector {
                    if from.len() == $count {
                        return self.load(from, 0);
                    }
                    // SAFETY: the lanes of the mask are elements of the slice; no others are read.
                    unsafe { $load_some($first(from.len()), from.as_ptr()) }
                }
                #[inline(always)]
                fn store_some(self, vector: $vector, to: &mut [f32]) {
                    if to.len() == $count {
                        return self.store(vector, to, 0);
                    }
                    let to = &mut to[..];
                    // SAFETY: the lanes of the mask are elements of the slice; no others are written.
                    unsafe { $store_some(to.as_mut_ptr(), $first(to.len()), vector) }
                }
            }
        };
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn zip_sixteen(a: __m512, b: __m512) -> [__m512; 2] {
        let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
        [
            _mm512_permutex2var_ps(a, low, b),
            _mm512_permutex2var_ps(a, high, b),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn unzip_sixteen(a: __m512, b: __m512) -> [__m512; 2] {
        let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
        [
            _mm512_permutex2var_ps(a, even, b),
            _mm512_permutex2var_ps(a, odd, b),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn unzip_eight(a: __m256, b: __m256) -> [__m256; 2] {
        let low = _mm256_permute2f128_ps::<0x20>(a, b);
        let high = _mm256_permute2f128_ps::<0x31>(a, b);
        let (even, odd) = (
            _mm256_shuffle_ps::<0b10_00_10_00>(low, high),
            _mm256_shuffle_ps::<0b11_01_11_01>(low, high),
        );
        [even, odd]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn zip_eight(a: __m256, b: __m256) -> [__m256; 2] {
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        [
            _mm256_permute2f128_ps::<0x20>(low, high),
            _mm256_permute2f128_ps::<0x31>(low, high),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn keep_sixteen(vector: __m512, mask: __m512) -> __m512 {
        let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(mask, _mm512_setzero_ps());
        _mm512_maskz_mov_ps(positive, vector)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn keep_eight(vector: __m256, mask: __m256) -> __m256 {
        _mm256_and_ps(
            _mm256_cmp_ps::<_CMP_GT_OQ>(mask, _mm256_setzero_ps()),
            vector,
        )
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn abs_eight(vector: __m256) -> __m256 {
        _mm256_andnot_ps(_mm256_set1_ps(-0.0), vector)
    }

    /// The mask of the first `count` lanes, all of them if there are fewer.
    #[inline(always)]
    fn first_of_sixteen(count: usize) -> __mmask16 {
        ((1_u32 << count.min(16)) - 1) as __mmask16
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn first_of_eight(count: usize) -> __m256i {
        let count = _mm256_set1_epi32(count.min(8) as i32);
        _mm256_cmpgt_epi32(count, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn only_eight(mask: __m256i, vector: __m256) -> __m256 {
        _mm256_and_ps(_mm256_castsi256_ps(mask), vector)
    }

    /// # Safety
    /// The lanes of the mask can be read.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load_some_eight(mask: __m256i, from: *const f32) -> __m256 {
        // SAFETY: as the caller says.
        unsafe { _mm256_maskload_ps(from, mask) }
    }

    lanes!(
        /// AVX-512.
        Sixteen, __m512, 16, ["avx512f", "avx512vl", "avx512dq", "avx512bw", "fma"],
        _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps, _mm512_div_ps,
        _mm512_abs_ps, _mm512_max_ps,
        zip_sixteen, unzip_sixteen, keep_sixteen,
        _mm512_maskz_mov_ps, first_of_sixteen, _mm512_maskz_loadu_ps, _mm512_mask_storeu_ps
    );
    lanes!(
        /// AVX2.
        Eight, __m256, 8, ["avx2", "fma"],
        _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps, _mm256_div_ps,
        abs_eight, _mm256_max_ps,
        zip_eight, unzip_eight, keep_eight,
        only_eight, first_of_eight, load_some_eight, _mm256_maskstore_ps
    );
}
