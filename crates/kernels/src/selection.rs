//! The largest elements of rows, and their order, by integer keys that rank as the elements do.

use crate::lanes::LANES;
use crate::simd::vectorized;
use std::hint::black_box;

/// An integer that is larger for a larger element. The zeros are equal; what is not a number is larger than any.
#[inline(always)]
fn key(x: f32) -> i32 {
    const NOT_A_NUMBER: i32 = f32::INFINITY.to_bits() as i32 + 1;
    let bits = (x + 0.0).to_bits() as i32;
    let key = bits ^ ((bits >> 31) & i32::MAX);
    if x.is_nan() { NOT_A_NUMBER } else { key }
}

/// Below the key of every element, and below its complement.
const LEAST: i32 = i32::MIN;

type Keys = [i32; LANES];

/// Elements of rows that are handled sixteen rows at a time, a row in each lane.
const NARROW: usize = 32;

/// Selecting one element after another is the fastest way up to here.
const FEW: usize = 32;

/// The places of the `k` largest elements of each row of `n`, largest first; of equal elements the earlier is larger.
pub(crate) fn largest_first(x: &[f32], n: usize, k: usize, places: &mut [i32]) {
    if n <= NARROW {
        return narrow(x, n, k, false, places);
    }
    if k > FEW {
        return by_rank(x, n, k, true, places);
    }
    let mut vectors = vec![[LEAST; LANES]; n.div_ceil(LANES)];
    let rows = x.chunks_exact(n).zip(places.chunks_exact_mut(k.max(1)));
    vectorized(
        #[inline(always)]
        || {
            for (row, places) in rows {
                for (key_of, x) in vectors.as_flattened_mut().iter_mut().zip(row) {
                    *key_of = key(*x);
                }
                for place in places {
                    let first = first_largest(&vectors);
                    *place = first as i32;
                    vectors[first / LANES][first % LANES] = LEAST;
                }
            }
        },
    );
}

/// The places of all elements of each row of `n` in ascending or descending order; equal elements stay in order.
pub(crate) fn sorted(x: &[f32], n: usize, descending: bool, places: &mut [i32]) {
    if n <= NARROW {
        narrow(x, n, n, !descending, places);
    } else {
        by_rank(x, n, n, descending, places);
    }
}

/// The first place of the largest of some vectors of keys.
#[inline(always)]
fn first_largest(vectors: &[Keys]) -> usize {
    let (mut best, mut at) = ([LEAST; LANES], [0; LANES]);
    for (vector, keys) in (0..).zip(vectors) {
        for i in 0..LANES {
            at[i] = if keys[i] > best[i] { vector } else { at[i] };
            best[i] = best[i].max(keys[i]);
        }
    }
    // Passed through memory as in `lanes`.
    let (best, mut at) = black_box((best, at));
    let most = across(best, i32::max);
    for i in 0..LANES {
        let place = at[i] * LANES as i32 + i as i32;
        at[i] = if best[i] == most { place } else { i32::MAX };
    }
    across(black_box(at), i32::min) as usize
}

#[inline(always)]
fn across(lanes: Keys, f: impl Fn(i32, i32) -> i32) -> i32 {
    let mut halves = [0; 8];
    for i in 0..8 {
        halves[i] = f(lanes[i], lanes[i + 8]);
    }
    let mut quarters = [0; 4];
    for i in 0..4 {
        quarters[i] = f(halves[i], halves[i + 4]);
    }
    let [a, b, c, d] = quarters;
    f(f(a, c), f(b, d))
}

/// The places of the first `k` elements of rows of at most [`NARROW`], largest or, if `ascending`, smallest first.
fn narrow(x: &[f32], n: usize, k: usize, ascending: bool, places: &mut [i32]) {
    /// Rows side by side: loops over so many stay loops, which become vector code.
    const ROWS: usize = 64;
    let flip = if ascending { -1 } else { 0 };
    let (n, k) = (n.max(1), k.max(1));
    let (mut flat, mut columns) = ([0; ROWS * NARROW], [[0; ROWS]; NARROW]);
    let columns = &mut columns[..n];
    vectorized(
        #[inline(always)]
        || {
            for (x, places) in x.chunks(ROWS * n).zip(places.chunks_mut(ROWS * k)) {
                for (key_of, x) in flat.iter_mut().zip(x) {
                    *key_of = key(*x) ^ flip;
                }
                for (row, keys) in flat[..x.len()].chunks_exact(n).enumerate() {
                    for (column, key) in columns.iter_mut().zip(keys) {
                        column[row] = *key;
                    }
                }
                for slot in 0..k {
                    let (mut best, mut at) = ([LEAST; ROWS], [0; ROWS]);
                    for (place, column) in (0..).zip(columns.iter()) {
                        for i in 0..ROWS {
                            at[i] = if column[i] > best[i] { place } else { at[i] };
                            best[i] = best[i].max(column[i]);
                        }
                    }
                    for (place, column) in (0..).zip(columns.iter_mut()) {
                        for i in 0..ROWS {
                            column[i] = if at[i] == place { LEAST } else { column[i] };
                        }
                    }
                    for (places, at) in places.chunks_exact_mut(k).zip(at) {
                        places[slot] = at;
                    }
                }
            }
        },
    );
}

/// The places of the first `k` elements of each row of `n`, by sorting numbers that stand for element and place.
fn by_rank(x: &[f32], n: usize, k: usize, descending: bool, places: &mut [i32]) {
    let flip = if descending { -1 } else { 0 };
    let mut ranks = vec![];
    for (row, places) in x.chunks_exact(n).zip(places.chunks_exact_mut(k)) {
        ranks.clear();
        ranks.extend((0..).zip(row).map(|(place, x): (u32, _)| {
            let key = (key(*x) ^ flip) as u32 ^ 0x8000_0000;
            u64::from(key) << 32 | u64::from(place)
        }));
        if k < n {
            ranks.select_nth_unstable(k - 1);
        }
        ranks[..k].sort_unstable();
        for (place, rank) in places.iter_mut().zip(&ranks) {
            *place = *rank as i32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;

    /// The places of a row in descending order, by comparing elements.
    fn reference(row: &[f32]) -> Vec<i32> {
        let mut places: Vec<i32> = (0..row.len() as i32).collect();
        let rank = |place: &i32| {
            let x = row[*place as usize];
            (x.is_nan(), if x.is_nan() { 0.0 } else { x })
        };
        places.sort_by(|a, b| rank(b).partial_cmp(&rank(a)).unwrap());
        places
    }

    /// Rows with ties, zeros of both signs, infinities and what is not a number.
    fn row(n: usize, seed: u64) -> Vec<f32> {
        let awkward = [
            0.0,
            -0.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            -f32::NAN,
        ];
        random(n, seed)
            .iter()
            .map(|x| (x * 20.0).round())
            .enumerate()
            .map(|(i, x)| if i % 5 == 4 { awkward[i / 5 % 6] } else { x })
            .collect()
    }

    #[test]
    fn equal_a_comparing_sort() {
        for n in [1, 2, 15, 16, 17, 31, 32, 33, 100, 300] {
            let x = [row(n, 1), row(n, 2)].concat();
            let expected: Vec<i32> = x.chunks(n).flat_map(reference).collect();
            for k in [1, 2, n / 2, FEW, FEW + 1, n] {
                let k = k.clamp(1, n);
                let mut places = vec![0; 2 * k];
                largest_first(&x, n, k, &mut places);
                let expected = expected.chunks(n).flat_map(|row| &row[..k]).copied();
                assert_eq!(places, expected.collect::<Vec<_>>(), "{n} {k}");
            }
            let mut places = vec![0; 2 * n];
            sorted(&x, n, true, &mut places);
            assert_eq!(places, expected);
        }
    }

    #[test]
    fn ascending_order_keeps_ties() {
        let mut places = [0; 5];
        sorted(&[2.0, f32::NAN, 1.0, 2.0, 1.0], 5, false, &mut places);
        assert_eq!(places, [2, 4, 0, 3, 1]);
    }
}
