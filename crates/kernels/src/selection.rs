//! The largest elements of rows, and their order, by integer keys that rank as the elements do.

use crate::lanes::LANES;
use crate::simd::vectorized;

/// An integer that is larger for a larger element. The zeros are equal; what is not a number is larger than any.
#[inline(always)]
pub(crate) fn key(x: f32) -> i32 {
    let bits = (x + 0.0).to_bits() as i32;
    let key = bits ^ ((bits >> 31) & i32::MAX);
    if x.is_nan() { i32::MAX } else { key }
}

/// Below the key of every element.
const LEAST: i32 = i32::MIN;

type Keys = [i32; LANES];

/// The keys of the sixteen elements from `start` on, [`LEAST`] beyond the end of the row.
#[inline(always)]
fn keys(row: &[f32], start: usize) -> Keys {
    let row = &row[start..];
    match row.first_chunk::<LANES>() {
        Some(lanes) => {
            let mut keys = [LEAST; LANES];
            for i in 0..LANES {
                keys[i] = key(lanes[i]);
            }
            keys
        }
        None => {
            let mut keys = [LEAST; LANES];
            for (key_of, x) in keys.iter_mut().zip(row) {
                *key_of = key(*x);
            }
            keys
        }
    }
}

#[inline(always)]
fn across(mut lanes: Keys, f: impl Fn(i32, i32) -> i32) -> i32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = f(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The first place of the largest of some vectors of keys.
#[inline(always)]
fn first_largest(vectors: impl Iterator<Item = Keys>) -> usize {
    let (mut best, mut at) = ([LEAST; LANES], [0; LANES]);
    for (vector, keys) in vectors.enumerate() {
        for i in 0..LANES {
            at[i] = if keys[i] > best[i] {
                vector as i32
            } else {
                at[i]
            };
            best[i] = if keys[i] > best[i] { keys[i] } else { best[i] };
        }
    }
    let most = across(best, i32::max);
    for i in 0..LANES {
        let place = at[i] * LANES as i32 + i as i32;
        at[i] = if best[i] == most { place } else { i32::MAX };
    }
    across(at, i32::min) as usize
}

/// Selecting one element after another is the fastest way up to here.
const FEW: usize = 32;

/// The places of the `k` largest elements of each row of `n`, largest first; of equal elements the earlier is larger.
pub(crate) fn largest_first(x: &[f32], n: usize, k: usize, places: &mut [u32]) {
    if k == 0 {
        return;
    }
    let rows = x.chunks_exact(n).zip(places.chunks_exact_mut(k));
    if k > FEW {
        let mut ranks = vec![];
        for (row, places) in rows {
            ranks.clear();
            ranks.extend((0..).zip(row).map(|(place, x)| rank(place, !key(*x))));
            if k < n {
                ranks.select_nth_unstable(k - 1);
            }
            ranks[..k].sort_unstable();
            for (place, rank) in places.iter_mut().zip(&ranks) {
                *place = *rank as u32;
            }
        }
        return;
    }
    let mut vectors = vec![[LEAST; LANES]; n.div_ceil(LANES)];
    vectorized(
        #[inline(always)]
        || {
            for (row, places) in rows {
                for (vector, start) in vectors.iter_mut().zip((0..n).step_by(LANES)) {
                    *vector = keys(row, start);
                }
                for place in places {
                    let first = first_largest(vectors.iter().copied());
                    *place = first as u32;
                    // Written as a whole vector, which the next load can be given at once.
                    let (vector, lane) = (&mut vectors[first / LANES], first % LANES);
                    for i in 0..LANES {
                        vector[i] = if i == lane { LEAST } else { vector[i] };
                    }
                }
            }
        },
    );
}

/// The place of the largest element of each row of `n`; of equal elements the earlier is larger.
pub(crate) fn argmax_of(x: &[f32], n: usize, places: &mut [i64]) {
    vectorized(
        #[inline(always)]
        || {
            for (row, place) in x.chunks_exact(n).zip(places) {
                let vectors = (0..n).step_by(LANES).map(|start| keys(row, start));
                *place = first_largest(vectors) as i64;
            }
        },
    );
}

/// A number that orders elements by key, and equal ones by place; its low half is the place.
#[inline(always)]
fn rank(place: u32, key: i32) -> u64 {
    u64::from(key as u32 ^ 0x8000_0000) << 32 | u64::from(place)
}

/// The places of all elements of each row of `n` in ascending or descending order; equal elements stay in order.
pub(crate) fn sorted(x: &[f32], n: usize, descending: bool, places: &mut [u32]) {
    let mut ranks = vec![];
    for (row, places) in x.chunks_exact(n).zip(places.chunks_exact_mut(n)) {
        ranks.clear();
        ranks.extend((0..).zip(row).map(|(place, x)| {
            let key = key(*x);
            rank(place, if descending { !key } else { key })
        }));
        ranks.sort_unstable();
        for (place, rank) in places.iter_mut().zip(&ranks) {
            *place = *rank as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;

    /// The places of a row in descending order, by comparing elements.
    fn reference(row: &[f32]) -> Vec<u32> {
        let mut places: Vec<u32> = (0..row.len() as u32).collect();
        let rank = |place: &u32| {
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
            let expected: Vec<u32> = x.chunks(n).flat_map(reference).collect();
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
            let mut first = [0; 2];
            argmax_of(&x, n, &mut first);
            assert_eq!(first, [0, n].map(|start| i64::from(expected[start])));
        }
    }

    #[test]
    fn ascending_order_keeps_ties() {
        let mut places = [0; 5];
        sorted(&[2.0, f32::NAN, 1.0, 2.0, 1.0], 5, false, &mut places);
        assert_eq!(places, [2, 4, 0, 3, 1]);
    }
}
