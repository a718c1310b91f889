//! What the machine can do at most: arithmetic and memory bandwidth, measured.

use std::{hint::black_box, sync::Barrier, thread::scope, time::Instant};

/// Peaks of a number of threads together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// 10⁹ floating-point operations (`f32`, in fused multiply-adds that never leave the registers) a second.
    pub gflops: f64,
    /// 10⁹ bytes a second read and written by copying arrays that no cache holds.
    pub gbps: f64,
}

/// Runs of which the fastest counts.
const RUNS: usize = 25;

/// Multiply-adds of a chain.
const ROUNDS: usize = 400_000;

/// Bytes that all threads together copy.
const COPIED: usize = 256 << 20;

impl Machine {
    /// Measures for about a second.
    pub fn measure(threads: usize) -> Self {
        Self {
            gflops: arithmetic(threads) / 1e9,
            gbps: copying(threads, COPIED) / 1e9,
        }
    }
}

/// Operations a second.
fn arithmetic(threads: usize) -> f64 {
    let mut lanes = vec![0; threads];
    let seconds = fastest(&mut lanes, |lanes| *lanes = fused());
    (2 * ROUNDS * CHAINS * lanes.iter().sum::<usize>()) as f64 / seconds
}

/// Bytes read and written a second, by copying so many.
fn copying(threads: usize, bytes: usize) -> f64 {
    let piece = vec![1.0_f32; bytes / threads / size_of::<f32>()];
    let mut copies: Vec<_> = (0..threads)
        .map(|_| (piece.clone(), piece.clone()))
        .collect();
    let seconds = fastest(&mut copies, |(from, to)| {
        to.copy_from_slice(black_box(from));
        black_box(to);
    });
    (2 * size_of_val(&piece[..]) * threads) as f64 / seconds
}

/// Seconds that the slowest thread takes, one with each of the states, in the fastest of some runs.
fn fastest<T: Send>(states: &mut [T], work: impl Fn(&mut T) + Sync) -> f64 {
    let run = |states: &mut [T]| {
        let start = Barrier::new(states.len());
        let timed = |state: &mut T| {
            start.wait();
            let clock = Instant::now();
            work(state);
            clock.elapsed().as_secs_f64()
        };
        scope(|scope| {
            let threads = states.iter_mut().map(|state| scope.spawn(|| timed(state)));
            let threads: Vec<_> = threads.collect();
            let seconds = threads
                .into_iter()
                .map(|t| t.join().expect("it only computes"));
            seconds.fold(0.0, f64::max)
        })
    };
    (0..RUNS).map(|_| run(states)).fold(f64::INFINITY, f64::min)
}

/// Independent chains of multiply-adds: more than the latency of one times the number that start in a cycle, and few
/// enough for 16 registers.
const CHAINS: usize = 12;

/// Factor and summand of every step: numbers stay near 1, far from those that a processor is slow with.
const STEP: (f32, f32) = (0.999, 0.001);

/// Runs the chains in the widest registers that the machine has; returns how many numbers one holds.
fn fused() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_set1_ps};
        #[target_feature(enable = "avx512f")]
        fn widest() -> usize {
            let (a, b) = (_mm512_set1_ps(STEP.0), _mm512_set1_ps(STEP.1));
            chains(_mm512_set1_ps(1.0), |x| _mm512_fmadd_ps(x, a, b));
            16
        }
        #[target_feature(enable = "avx2,fma")]
        fn wide() -> usize {
            let (a, b) = (_mm256_set1_ps(STEP.0), _mm256_set1_ps(STEP.1));
            chains(_mm256_set1_ps(1.0), |x| _mm256_fmadd_ps(x, a, b));
            8
        }
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has what `widest` is compiled for.
            return unsafe { widest() };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has what `wide` is compiled for.
            return unsafe { wide() };
        }
    }
    // Not every processor has a fused multiply-add, and to imitate one is slow.
    chains([1.0_f32; 4], |x| x.map(|x| x * STEP.0 + STEP.1));
    4
}

#[inline(always)]
fn chains<V: Copy>(one: V, step: impl Fn(V) -> V) {
    let mut chains = [black_box(one); CHAINS];
    for _ in 0..ROUNDS {
        for chain in &mut chains {
            *chain = step(*chain);
        }
    }
    black_box(chains);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_computes_and_copies() {
        for threads in [1, 2] {
            for rate in [arithmetic(threads), copying(threads, 1 << 20)] {
                assert!(rate > 1e8 && rate < 1e13, "{rate} of {threads} threads");
            }
        }
    }
}
