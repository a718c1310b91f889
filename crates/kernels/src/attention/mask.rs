//! Dropout of probabilities: which elements are kept depends on a seed and their index alone.

use super::layout::Sizes;
use super::scores::Place;
use super::tile::{LANES, Lanes};
use crate::Dropout;

/// Which probabilities are kept.
///
/// The number of element `(batch, head, query, key)` is a hash of the seed, of the row `(batch · heads + head) · queries +
/// query` and of the key: SplitMix64 (Steele et al., 2014) makes two words of seed and row, which enter the two rounds of
/// a 32-bit mixing of the key (Wellons, "Prospecting for hash functions", 2018).
#[derive(Clone, Copy, Debug)]
pub struct Mask {
    seed: u64,
    /// Numbers below this are dropped.
    threshold: u32,
    /// Factor of what is kept.
    factor: f32,
}

impl Mask {
    /// # Panics
    /// If the probability is not in `0..1`.
    pub fn new(dropout: Dropout) -> Self {
        let Dropout { probability, seed } = dropout;
        assert!(
            (0.0..1.0).contains(&probability),
            "dropout of {probability}, allowed is 0..1"
        );
        Self {
            seed,
            threshold: (f64::from(probability) * 2f64.powi(32)) as u32,
            factor: 1.0 / (1.0 - probability),
        }
    }

    /// The words of a row.
    #[inline(always)]
    fn words(&self, row: u64) -> [u32; 2] {
        let mut x = self
            .seed
            .wrapping_add(row.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        [x as u32, (x >> 32) as u32]
    }

    /// The factor of an element: zero if it is dropped.
    #[inline(always)]
    fn factor(&self, [low, high]: [u32; 2], key: u32) -> f32 {
        let mut x = key.wrapping_mul(0x9e37_79b1).wrapping_add(low);
        x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d) ^ high;
        x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
        x ^= x >> 16;
        if x < self.threshold { 0.0 } else { self.factor }
    }

    /// The masks of the queries of a place.
    #[inline(always)]
    pub fn queries(&self, sizes: Sizes, place: Place) -> QueryMasks {
        let first = (place.batch * sizes.heads + place.head) * sizes.queries + place.query;
        let mut words = [[0; LANES]; 2];
        for lane in 0..LANES {
            let [low, high] = self.words((first + lane) as u64);
            words[0][lane] = low;
            words[1][lane] = high;
        }
        QueryMasks { mask: *self, words }
    }

    /// The factors of all elements, `[batch, heads, queries, keys]`.
    pub fn all(&self, sizes: Sizes) -> Vec<f32> {
        let rows = (sizes.batch * sizes.heads * sizes.queries) as u64;
        let keys = sizes.keys as u32;
        (0..rows)
            .flat_map(|row| {
                let words = self.words(row);
                (0..keys).map(move |key| self.factor(words, key))
            })
            .collect()
    }
}

/// The masks of a vector of queries.
pub struct QueryMasks {
    mask: Mask,
    words: [[u32; LANES]; 2],
}

impl QueryMasks {
    /// The factors of a key.
    #[inline(always)]
    pub fn factors(&self, key: usize) -> Lanes {
        let mut factors = [0.0; LANES];
        for (lane, factor) in factors.iter_mut().enumerate() {
            let words = [self.words[0][lane], self.words[1][lane]];
            *factor = self.mask.factor(words, key as u32);
        }
        factors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(queries: usize, keys: usize) -> Sizes {
        Sizes {
            batch: 3,
            queries,
            keys,
            heads: 5,
            kv_heads: 5,
            dim: 1,
        }
    }

    fn dropped(probability: f32, seed: u64, sizes: Sizes) -> Vec<f64> {
        let factors = Mask::new(Dropout { probability, seed }).all(sizes);
        let kept = 1.0 / (1.0 - probability);
        assert!(factors.iter().all(|x| *x == 0.0 || *x == kept));
        factors
            .iter()
            .map(|x| f64::from(u8::from(*x == 0.0)))
            .collect()
    }

    /// How many standard deviations the mean of `n` independent draws is from `p`.
    fn deviation(draws: &[f64], p: f64) -> f64 {
        let n = draws.len() as f64;
        ((draws.iter().sum::<f64>() / n - p) / (p * (1.0 - p) / n).sqrt()).abs()
    }

    #[test]
    fn the_share_of_what_is_dropped() {
        for (seed, p) in [(0, 0.1), (1, 0.5), (u64::MAX, 0.9)] {
            assert!(deviation(&dropped(p as f32, seed, sizes(200, 200)), p) < 4.0);
        }
        assert!(dropped(0.0, 7, sizes(50, 50)).iter().all(|x| *x == 0.0));
    }

    #[test]
    fn neighbors_rows_columns_and_seeds_are_independent() {
        let (sizes, p) = (sizes(128, 128), 0.3);
        let (x, y) = (dropped(p as f32, 1, sizes), dropped(p as f32, 2, sizes));
        let both =
            |x: &[f64], y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(x, y)| x * y).collect() };
        // The next key, the next query, the next head, and the next seed.
        for shift in [1, 128, 128 * 128] {
            assert!(
                deviation(&both(&x, &x[shift..]), p * p) < 4.0,
                "shift {shift}"
            );
        }
        assert!(deviation(&both(&x, &y), p * p) < 4.0);
        // Rows and columns as a whole: a chi-squared number with as many degrees of freedom as there are.
        let rows: Vec<f64> = x
            .chunks_exact(128)
            .map(|row| deviation(row, p).powi(2))
            .collect();
        let columns: Vec<f64> = (0..128)
            .map(|key| {
                let column: Vec<f64> = x.iter().skip(key).step_by(128).copied().collect();
                deviation(&column, p).powi(2)
            })
            .collect();
        for squares in [rows, columns] {
            let (sum, freedom) = (squares.iter().sum::<f64>(), squares.len() as f64);
            assert!(
                (sum - freedom).abs() < 4.0 * (2.0 * freedom).sqrt(),
                "{sum} of {freedom}"
            );
        }
    }

    #[test]
    fn vectors_equal_single_elements() {
        let sizes = sizes(40, 9);
        let mask = Mask::new(Dropout {
            probability: 0.4,
            seed: 11,
        });
        let all = mask.all(sizes);
        let place = Place {
            batch: 2,
            head: 3,
            query: 16,
            live: 16,
            key: 0,
            keys: 9,
        };
        let queries = mask.queries(sizes, place);
        for key in 0..9 {
            for (lane, factor) in queries.factors(key).into_iter().enumerate() {
                assert_eq!(factor, all[((2 * 5 + 3) * 40 + 16 + lane) * 9 + key]);
            }
        }
    }
}
