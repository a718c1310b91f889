//! Rows of at least sixteen elements, in vectors: sums and maxima in an order that the length alone sets, and element-wise
//! writing.
//!
//! All functions are for code that runs under [`vectorized`](crate::simd::vectorized). They are written so that the
//! compiler finds the vectors: plain loops over arrays (the library's `map` and `from_fn` stay calls), and no vector that
//! comes from two branches.

use std::hint::black_box;

/// Numbers of a vector.
pub(crate) const LANES: usize = 16;

/// A vector.
pub(crate) type Lanes = [f32; LANES];

/// The sixteen elements from `start` on.
#[inline(always)]
pub(crate) fn load(x: &[f32], start: usize) -> Lanes {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&x[start..start + LANES]);
    lanes
}

/// Writes sixteen elements from `start` on.
#[inline(always)]
pub(crate) fn store(x: &mut [f32], start: usize, lanes: Lanes) {
    x[start..start + LANES].copy_from_slice(&lanes);
}

/// `f` of each lane.
#[inline(always)]
pub(crate) fn map(a: Lanes, f: impl Fn(f32) -> f32) -> Lanes {
    let mut out = a;
    for out in &mut out {
        *out = f(*out);
    }
    out
}

/// `f` of each lane of both.
#[inline(always)]
pub(crate) fn zip(a: Lanes, b: Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut out = a;
    for i in 0..LANES {
        out[i] = f(a[i], b[i]);
    }
    out
}

/// `f` of each lane of all three.
#[inline(always)]
pub(crate) fn zip3(a: Lanes, b: Lanes, c: Lanes, f: impl Fn(f32, f32, f32) -> f32) -> Lanes {
    let mut out = a;
    for i in 0..LANES {
        out[i] = f(a[i], b[i], c[i]);
    }
    out
}

/// Bits of lanes that are kept, then as many that are not.
const KEPT: [u32; 2 * LANES] = {
    let mut kept = [0; 2 * LANES];
    let mut i = 0;
    while i < LANES {
        kept[i] = u32::MAX;
        i += 1;
    }
    kept
};

/// The first `count` of the lanes, then `other`'s.
#[inline(always)]
pub(crate) fn first(count: usize, lanes: Lanes, other: Lanes) -> Lanes {
    // One load of bits takes the place of sixteen comparisons.
    let (kept, mut out) = (&KEPT[LANES - count..2 * LANES - count], lanes);
    for i in 0..LANES {
        let bits = lanes[i].to_bits() & kept[i] | other[i].to_bits() & !kept[i];
        out[i] = f32::from_bits(bits);
    }
    out
}

/// The sum of the lanes, in pairs.
#[inline(always)]
pub(crate) fn total(lanes: Lanes) -> f32 {
    across(lanes, |a, b| a + b)
}

/// The largest of the lanes; what is not a number does not count.
#[inline(always)]
pub(crate) fn largest(lanes: Lanes) -> f32 {
    across(lanes, larger)
}

#[inline(always)]
fn across(lanes: Lanes, f: impl Fn(f32, f32) -> f32) -> f32 {
    // Passed through memory as a whole: the compiler would otherwise split up the vectors that led here to suit the tree.
    let lanes = black_box(lanes);
    let mut halves = [0.0; 8];
    for i in 0..8 {
        halves[i] = f(lanes[i], lanes[i + 8]);
    }
    let mut quarters = [0.0; 4];
    for i in 0..4 {
        quarters[i] = f(halves[i], halves[i + 4]);
    }
    let [a, b, c, d] = quarters;
    f(f(a, c), f(b, d))
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Vectors that are folded side by side, so that one operation need not wait for the last.
const SIDE: usize = 4;

/// Folds the vectors that begin at 0, 16, … of `N` rows of one length. The last one begins where it ends with the row;
/// what it has in common with its predecessor is replaced by `neutral`.
#[inline(always)]
fn fold<const N: usize>(
    len: usize,
    neutral: f32,
    vectors: impl Fn(usize) -> [Lanes; N],
    f: impl Fn(f32, f32) -> f32,
) -> [Lanes; N] {
    let mut folds = [[[neutral; LANES]; N]; SIDE];
    let mut start = 0;
    while start + SIDE * LANES <= len {
        for (side, folds) in folds.iter_mut().enumerate() {
            let new = vectors(start + side * LANES);
            for n in 0..N {
                folds[n] = zip(folds[n], new[n], &f);
            }
        }
        start += SIDE * LANES;
    }
    while start + LANES <= len {
        let new = vectors(start);
        for n in 0..N {
            folds[0][n] = zip(folds[0][n], new[n], &f);
        }
        start += LANES;
    }
    if start < len {
        let last = len - LANES;
        let new = vectors(last);
        for n in 0..N {
            let new = first(start - last, [neutral; LANES], new[n]);
            folds[1][n] = zip(folds[1][n], new, &f);
        }
    }
    let [mut a, b, c, d] = folds;
    for n in 0..N {
        a[n] = zip(zip(a[n], b[n], &f), zip(c[n], d[n], &f), &f);
    }
    a
}

/// Sums of `len` terms each, given sixteen at a time by the place of the first.
#[inline(always)]
pub(crate) fn sums<const N: usize>(len: usize, terms: impl Fn(usize) -> [Lanes; N]) -> [f32; N] {
    let folds = fold(len, 0.0, terms, |a, b| a + b);
    let mut sums = [0.0; N];
    for n in 0..N {
        sums[n] = total(folds[n]);
    }
    sums
}

/// The sum of `len` terms, as [`sums`].
#[inline(always)]
pub(crate) fn sum(len: usize, terms: impl Fn(usize) -> Lanes) -> f32 {
    let [sum] = sums(
        len,
        #[inline(always)]
        |start| [terms(start)],
    );
    sum
}

/// The largest element; what is not a number does not count.
#[inline(always)]
pub(crate) fn maximum(x: &[f32]) -> f32 {
    let [lanes] = fold(
        x.len(),
        f32::NEG_INFINITY,
        #[inline(always)]
        |start| [load(x, start)],
        larger,
    );
    largest(lanes)
}

/// Writes all of `out`, sixteen elements at a time: `f` is given the place of the first and what is there.
#[inline(always)]
pub(crate) fn rewrite(out: &mut [f32], f: impl Fn(usize, Lanes) -> Lanes) {
    // The last vector may overlap its predecessor, so it is computed before that is written.
    let last = out.len() - LANES;
    let end = f(last, load(out, last));
    let mut start = 0;
    while start < last {
        store(out, start, f(start, load(out, start)));
        start += LANES;
    }
    store(out, last, end);
}
