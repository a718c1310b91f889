//! What was measured of one bench.

use super::{Bench, Group, machine::Machine};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

/// Time and memory of one bench; of the peer only where there is one.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// Unique in its suite.
    pub name: String,
    pub suite: &'static str,
    #[serde(serialize_with = "name_of")]
    pub group: Group,
    pub sizes: Map<String, Value>,
    pub threads: usize,
    /// Median time of a run.
    pub ours_ms: f64,
    pub peer_ms: Option<f64>,
    /// Ours over the peer's; above 1 ours is slower.
    pub ratio: Option<f64>,
    /// Largest ratio that meets the bar.
    pub bar: Option<f64>,
    /// Longest time of ours that meets the bar.
    pub bar_ms: Option<f64>,
    /// Least and most.
    pub ours_range_ms: [f64; 2],
    pub peer_range_ms: Option<[f64; 2]>,
    /// Peak of anonymous memory, beyond what the process held before its inputs were made; only on Linux.
    pub ours_mib: Option<f64>,
    pub peer_mib: Option<f64>,
    /// Ours over the peer's.
    pub memory_ratio: Option<f64>,
    /// Largest memory ratio that meets the bar.
    pub memory_bar: Option<f64>,
    pub gflops: Option<f64>,
    pub gbps: Option<f64>,
    /// The larger of the shares of the machine's peak arithmetic and peak memory bandwidth; in a cache the latter may
    /// be above 1.
    pub share_of_peak: Option<f64>,
}

fn name_of<S: Serializer>(group: &Group, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(group.name)
}

/// Peak memory of one bench in MiB, where the system tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub ours: Option<f64>,
    pub peer: Option<f64>,
}

impl Timing {
    /// Of times a run in seconds, at least one of ours.
    ///
    /// # Panics
    /// If there is none of ours.
    pub fn new(
        suite: &'static str,
        bench: &Bench,
        threads: usize,
        [ours, peer]: [&[f64]; 2],
        memory: Memory,
        machine: Option<Machine>,
    ) -> Self {
        let ours = Spread::of(ours);
        let peer = (!peer.is_empty()).then(|| Spread::of(peer));
        let work = (bench.work)(bench);
        let rate = |amount: f64| amount / ours.median / 1e6;
        let (gflops, gbps) = (work.flops.map(rate), work.bytes.map(rate));
        let shares = machine.and_then(|machine| {
            let shares = [
                gflops.map(|rate| rate / machine.gflops),
                gbps.map(|rate| rate / machine.gbps),
            ];
            shares.into_iter().flatten().reduce(f64::max)
        });
        let sizes = bench.sizes.iter();
        Self {
            name: bench.label(),
            suite,
            group: bench.group,
            sizes: sizes.map(|(n, s)| ((*n).into(), json!(s))).collect(),
            threads,
            ours_ms: ours.median,
            peer_ms: peer.map(|peer| peer.median),
            ratio: peer.map(|peer| ours.median / peer.median),
            bar: bench.bars.ratio,
            bar_ms: bench.bars.ms,
            ours_range_ms: ours.range,
            peer_range_ms: peer.map(|peer| peer.range),
            ours_mib: memory.ours,
            peer_mib: memory.peer,
            memory_ratio: match (memory.ours, memory.peer) {
                (Some(ours), Some(peer)) if peer > 0.0 => Some(ours / peer),
                _ => None,
            },
            memory_bar: bench.bars.memory,
            gflops,
            gbps,
            share_of_peak: shares,
        }
    }

    /// Whether the time is above a bar.
    pub fn misses_time(&self) -> bool {
        above(self.ratio, self.bar) || above(Some(self.ours_ms), self.bar_ms)
    }

    /// Whether the memory is above its bar.
    pub fn misses_memory(&self) -> bool {
        above(self.memory_ratio, self.memory_bar)
    }

    /// The sizes as a reader sees them: `rows 128, width 64`.
    pub fn sizes(&self) -> String {
        let sizes = self
            .sizes
            .iter()
            .map(|(name, size)| format!("{name} {size}"));
        sizes.collect::<Vec<_>>().join(", ")
    }
}

/// Whether there is a value and a bar, and the value is above it.
pub(super) fn above(value: Option<f64>, bar: Option<f64>) -> bool {
    matches!((value, bar), (Some(value), Some(bar)) if value > bar)
}

/// A median with its range, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    median: f64,
    range: [f64; 2],
}

impl Spread {
    /// Of at least one time in seconds.
    fn of(seconds: &[f64]) -> Self {
        let mut sorted: Vec<f64> = seconds.iter().map(|s| s * 1e3).collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
            _ => sorted[middle],
        };
        let range = [sorted[0], sorted[sorted.len() - 1]];
        Self { median, range }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Bars, Scale, Work};

    const BENCH: Bench = Bench {
        scale: Scale::Cached,
        sizes: &[("rows", 3), ("width", 5)],
        bars: Bars {
            ratio: Some(0.5),
            ms: Some(3.0),
            memory: Some(1.0),
        },
        work: |bench| Work::flops(bench.size("rows") as f64 * 1e6).and_bytes(4e6),
        ..Bench::new("linear", Group::new("products"), |_| Box::new(|| ()))
    };

    #[test]
    fn medians_of_odd_and_even_counts() {
        let spread = |median, least, most| Spread {
            median,
            range: [least, most],
        };
        assert_eq!(Spread::of(&[0.25]), spread(250.0, 250.0, 250.0));
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), spread(2e3, 1e3, 3e3));
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 8.0]), spread(3e3, 1e3, 8e3));
    }

    #[test]
    fn json_has_plain_numbers_and_null_without_a_peer() {
        let machine = Machine {
            gflops: 100.0,
            gbps: 4.0,
        };
        let (times, peers) = ([0.002, 0.002, 0.009], [0.001, 0.005, 0.004]);
        let memory = Memory {
            ours: Some(3.0),
            peer: Some(2.0),
        };
        let timing = Timing::new(
            "kernels",
            &BENCH,
            2,
            [&times, &peers],
            memory,
            Some(machine),
        );
        let expected = json!({
            "name": "linear/cached", "suite": "kernels", "group": "products",
            "sizes": {"rows": 3, "width": 5}, "threads": 2,
            "ours_ms": 2.0, "peer_ms": 4.0, "ratio": 0.5, "bar": 0.5, "bar_ms": 3.0,
            "ours_range_ms": [2.0, 9.0], "peer_range_ms": [1.0, 5.0],
            "ours_mib": 3.0, "peer_mib": 2.0, "memory_ratio": 1.5, "memory_bar": 1.0,
            "gflops": 1.5, "gbps": 2.0, "share_of_peak": 0.5,
        });
        assert_eq!(serde_json::to_value(&timing).unwrap(), expected);
        assert!(!timing.misses_time() && timing.misses_memory());
        let alone = Timing::new(
            "kernels",
            &BENCH,
            2,
            [&[0.0031], &[]],
            Memory::default(),
            None,
        );
        let value = serde_json::to_value(&alone).unwrap();
        for name in ["peer_ms", "ratio", "ours_mib", "peer_mib", "share_of_peak"] {
            assert!(value[name].is_null(), "{name}");
        }
        assert!(alone.misses_time() && !alone.misses_memory());
    }
}
