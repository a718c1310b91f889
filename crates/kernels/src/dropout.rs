//! Dropout whose mask depends on a seed and the element's index alone.

use crate::in_place::rewritten;
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, unary};
use crate::parallel::{PIECE, pieces};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor, TensorData};

/// Which elements are dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Probability that an element becomes zero, in `0..1`; the others are divided by its complement.
    pub probability: f32,
    /// Seed of the mask: the same seed drops the same elements, on any number of threads.
    pub seed: u64,
}

/// `y_i = 0` with the given probability, else `x_i / (1 − probability)`.
///
/// The mask is not kept for the gradient: it is a hash of the seed and the element's row-major index, and made again.
///
/// # Panics
/// If the probability is not in `0..1`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::{Dropout, dropout};
/// let x = Tensor::<1>::ones([1000], &Device::flex());
/// let y = dropout(x, Dropout { probability: 0.5, seed: 1 });
/// let y = y.into_data().try_to_vec::<f32>().unwrap();
/// assert!(y.iter().all(|y| *y == 0.0 || *y == 2.0));
/// ```
pub fn dropout<const D: usize>(x: Tensor<D>, dropout: Dropout) -> Tensor<D> {
    let Dropout { probability, .. } = dropout;
    assert!(
        (0.0..1.0).contains(&probability),
        "dropout of {probability}, allowed is 0..1"
    );
    if probability == 0.0 {
        return x;
    }
    if !runs_on(&x, &[DType::F32]) {
        return composed(x, dropout);
    }
    unary(dropout, x)
}

/// The same from Burn's primitives, the mask from the host.
fn composed<const D: usize>(x: Tensor<D>, dropout: Dropout) -> Tensor<D> {
    let mut factors = vec![1.0; x.shape().num_elements()];
    for (index, factors) in factors.chunks_mut(PIECE).enumerate() {
        dropout.mask(index * PIECE).apply(factors);
    }
    let factors = TensorData::new(factors, x.shape());
    let factors = Tensor::from_data(factors, (&x.device(), x.dtype()));
    x * factors
}

impl Dropout {
    /// The mask of the 2³² elements among which is number `start`.
    pub(crate) fn mask(&self, start: usize) -> Mask {
        // SplitMix64 of the seed and the block of 2³² elements.
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let block = start as u64 >> 32;
        let mut key = self
            .seed
            .wrapping_add(block.wrapping_add(1).wrapping_mul(GOLDEN));
        key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        key ^= key >> 31;
        Mask {
            keys: [key as u32, (key >> 32) as u32],
            start: start as u32,
            threshold: (f64::from(self.probability) * 2f64.powi(32)) as u32,
            scale: 1.0 / (1.0 - self.probability),
        }
    }
}

/// The mask of a piece of a tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask {
    keys: [u32; 2],
    start: u32,
    threshold: u32,
    scale: f32,
}

impl Mask {
    /// Zero if element `start + offset` is dropped, else what it is multiplied by.
    #[inline(always)]
    pub fn factor(&self, offset: u32) -> f32 {
        let [first, second] = self.keys;
        let hash = mix(mix(self.start.wrapping_add(offset) ^ first) ^ second);
        if hash < self.threshold {
            0.0
        } else {
            self.scale
        }
    }

    /// Multiplies the elements from `start` on by their factors.
    pub fn apply(&self, x: &mut [f32]) {
        vectorized(
            #[inline(always)]
            || {
                for (x, offset) in x.iter_mut().zip(0..) {
                    *x *= self.factor(offset);
                }
            },
        );
    }
}

/// A bijection of 32-bit words in which every bit of the result depends on every bit of `x`.
///
/// The constants are those of `lowbias32` (Wellons, "Prospecting for Hash Functions", 2018).
#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

impl Kernel for Dropout {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let x = inputs[0].f32();
        let mut y = Buffer::new(x.len());
        pieces(&mut y, PIECE, |start, y| {
            y.copy_from_slice(&x[start..][..y.len()]);
            self.mask(start).apply(y);
        });
        (Array::from_buffer(y, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let dx = rewritten(pass.dy, PIECE, |start, dy| self.mask(start).apply(dy));
        vec![Some(dx)]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, tensor};

    const HALF: Dropout = Dropout {
        probability: 0.5,
        seed: 7,
    };

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for shape in [[1, 1], [5, 7], [130, 129], [0, 3]] {
            for probability in [0.0, 0.1, 0.9] {
                let options = Dropout {
                    probability,
                    seed: 3,
                };
                let x = tensor(shape, 1);
                let view = || x.clone().transpose();
                assert_same!(
                    dropout(view(), options),
                    composed(view(), options),
                    [x],
                    1e-6
                );
            }
        }
    }

    fn dropped(options: Dropout, start: usize, count: usize) -> Vec<bool> {
        let mut factors = vec![1.0; count];
        options.mask(start).apply(&mut factors);
        factors.iter().map(|factor| *factor == 0.0).collect()
    }

    fn share(dropped: impl Iterator<Item = bool>) -> f64 {
        let (mut hits, mut count) = (0, 0);
        for dropped in dropped {
            hits += u32::from(dropped);
            count += 1;
        }
        f64::from(hits) / f64::from(count)
    }

    /// Five standard deviations of a share among so many.
    fn tolerance(probability: f64, count: usize) -> f64 {
        5.0 * (probability * (1.0 - probability) / count as f64).sqrt()
    }

    #[test]
    fn as_many_as_asked_for_whatever_the_seed() {
        let count = 100_000;
        for (seed, probability) in [(0, 0.1), (1, 0.5), (u64::MAX, 0.001), (1 << 32, 0.9)] {
            let options = Dropout { probability, seed };
            let expected = f64::from(probability);
            let share = share(dropped(options, 0, count).into_iter());
            assert!(
                (share - expected).abs() < tolerance(expected, count),
                "{seed} {share}"
            );
        }
    }

    #[test]
    fn neighbors_seeds_and_blocks_are_independent() {
        let count = 100_000;
        let first = dropped(HALF, 0, count + 64);
        let agree =
            |other: &[bool]| share(first.iter().zip(other).take(count).map(|(a, b)| a == b));
        let mut shares: Vec<f64> = (1..64).map(|lag| agree(&first[lag..])).collect();
        for seed in [6, 8, 7 + (1 << 32), 7 << 8] {
            shares.push(agree(&dropped(Dropout { seed, ..HALF }, 0, count)));
        }
        shares.push(agree(&dropped(HALF, 1 << 32, count)));
        for share in shares {
            assert!((share - 0.5).abs() < tolerance(0.5, count), "{share}");
        }
    }

    #[test]
    fn a_piece_has_the_mask_of_the_whole() {
        let whole = dropped(HALF, 0, 10_000);
        assert_eq!(dropped(HALF, 4_096, 5_904), whole[4_096..]);
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let y = dropout(tensor([300, 257], 1), HALF);
            y.into_data().try_to_vec().unwrap()
        });
    }

    #[test]
    #[should_panic(expected = "dropout of 1, allowed is 0..1")]
    fn everything_cannot_be_dropped() {
        let options = Dropout {
            probability: 1.0,
            ..HALF
        };
        dropout(tensor([2], 1), options);
    }
}
