//! Random draws that are the same on every machine and in every version of this crate.
//!
//! A stream is ChaCha8 (as `rand_chacha` documents it: reproducible) with a 32-byte key that spells out what the draw is
//! for: `seed` (8 bytes, little endian), `round` (8 bytes, little endian), a purpose (16 ASCII bytes). Different purposes,
//! seeds or rounds are different keys and so independent streams; nothing has to be remembered between two rounds.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

pub struct Draw(ChaCha8Rng);

impl Draw {
    pub fn new(purpose: &[u8; 16], seed: u64, round: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&round.to_le_bytes());
        key[16..].copy_from_slice(purpose);
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform on `0..bound` by Lemire's multiply-and-reject, which has no bias. `bound` must not be 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        let rejected = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(bound);
            if product as u64 >= rejected {
                return (product >> 64) as usize;
            }
        }
    }

    /// Fisher-Yates, from the last place down.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// The numbers `0..len` in random order.
    pub fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        self.shuffle(&mut order);
        order
    }

    /// `count` distinct numbers of `0..bound` in ascending order (Floyd's algorithm). `count` must not exceed `bound`.
    pub fn sample(&mut self, bound: usize, count: usize) -> Vec<usize> {
        let mut chosen = std::collections::BTreeSet::new();
        for top in bound - count..bound {
            let drawn = self.below(top + 1);
            if !chosen.insert(drawn) {
                chosen.insert(top);
            }
        }
        chosen.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSE: &[u8; 16] = b"known answers   ";

    /// The numbers come from a second implementation of ChaCha8, Lemire's method and both samplers, in Python.
    #[test]
    fn known_answers() {
        let mut draw = Draw::new(PURPOSE, 7, 3);
        let drawn: Vec<usize> = (0..8).map(|_| draw.below(1000)).collect();
        assert_eq!(drawn, [258, 382, 600, 717, 263, 619, 207, 493]);
        assert_eq!(
            Draw::new(PURPOSE, 7, 3).permutation(10),
            [7, 9, 6, 0, 8, 1, 5, 4, 3, 2]
        );
        assert_eq!(
            Draw::new(PURPOSE, 7, 3).sample(20, 6),
            [3, 5, 6, 10, 12, 19]
        );
    }

    #[test]
    fn purpose_seed_and_round_all_matter() {
        let of = |purpose, seed, round| Draw::new(purpose, seed, round).permutation(50);
        let base = of(PURPOSE, 7, 3);
        assert_eq!(base, of(PURPOSE, 7, 3));
        assert_ne!(base, of(PURPOSE, 8, 3));
        assert_ne!(base, of(PURPOSE, 7, 4));
        assert_ne!(base, of(b"another purpose ", 7, 3));
    }

    #[test]
    fn samples_are_distinct_uniform_and_complete() {
        assert_eq!(Draw::new(PURPOSE, 0, 0).sample(5, 5), [0, 1, 2, 3, 4]);
        assert!(Draw::new(PURPOSE, 0, 0).sample(5, 0).is_empty());
        let mut counts = [0u32; 10];
        for seed in 0..5000 {
            for number in Draw::new(PURPOSE, seed, 0).sample(10, 3) {
                counts[number] += 1;
            }
        }
        // Each is binomial(5000, 0.3): mean 1500, standard deviation 32; five deviations is 1 in 10^6.
        assert!(counts.iter().all(|&c| c.abs_diff(1500) < 162), "{counts:?}");
    }
}
