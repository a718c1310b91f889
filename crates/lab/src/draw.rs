//! Random numbers that are a function of what they are for, so that a resumed run draws the same.

/// A number from two (SplitMix64's finalizer): near inputs do not give near outputs, so that seeds may be counted.
pub fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(b);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number of `0..bound`; its bias is at most `bound / 2⁶⁴`.
pub fn below(draw: u64, bound: usize) -> usize {
    ((u128::from(draw) * bound as u128) >> 64) as usize
}

/// Whether an event of this probability happens.
pub fn happens(draw: u64, probability: f64) -> bool {
    (draw as f64) < probability * 2_f64.powi(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64 as its authors publish it: the second output of the generator started with 0 is that of state 2γ.
    #[test]
    fn known_answers() {
        assert_eq!(mix(1, 0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(2, 0), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn draws_are_even() {
        let mut counts = [0_u32; 7];
        for index in 0..70_000 {
            counts[below(mix(3, index), 7)] += 1;
        }
        // Binomial(70000, 1/7): deviation 93, five of them.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 465),
            "{counts:?}"
        );
        let hits = (0..10_000)
            .filter(|&index| happens(mix(5, index), 0.15))
            .count();
        assert!(hits.abs_diff(1500) < 180, "{hits}");
    }
}
