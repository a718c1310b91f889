//! Times benches, a turn of ours and a turn of the peer's.

use super::{
    Bench, Suite, alone,
    machine::Machine,
    peer::{Peer, script},
    timing::{Memory, Timing},
};
use crate::error::Result;
use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

/// Untimed runs before the first that counts.
pub(super) const WARM_UP: usize = 3;

/// Seconds that a turn lasts at least: short runs are repeated in it.
const TURN: f64 = 0.005;

/// Runs a turn at most.
const MOST_REPS: f64 = 10_000.0;

/// Runs of at least as many seconds are long: what a turn finds in the caches does not matter to them.
const LONG: f64 = 0.1;

/// The peer's threads look for more work for a few milliseconds, in a loop, before they sleep.
const PAUSE: Duration = Duration::from_millis(10);

/// How to time.
pub struct Options<'a> {
    /// This program, to be started for the memory of a bench.
    pub program: &'a Path,
    /// The peer's interpreter.
    pub peer: Option<&'a Path>,
    /// Threads of each side.
    pub threads: usize,
    /// Turns of each side, at least 1.
    pub repeats: usize,
    /// What the machine can do.
    pub machine: Option<Machine>,
}

/// What a caller sees of the work.
pub enum Progress<'a> {
    /// The memory of all benches is measured, before any is timed.
    Memory,
    /// One bench is done.
    Timed(&'a Timing),
}

/// Measures the memory of both sides in processes of their own, then times each bench in `repeats` turns, one of ours
/// and one of the peer's by turns.
///
/// # Errors
/// The peer cannot be started, ends, or does not know a bench or its sizes; which is found before anything is timed.
pub fn time(
    suite: &Suite,
    options: &Options<'_>,
    mut watch: impl FnMut(Progress<'_>),
) -> Result<Vec<Timing>> {
    watch(Progress::Memory);
    let memories = memories(suite, options)?;
    let mut peer = start(suite, options)?;
    let mut timings = Vec::new();
    for (bench, memory) in suite.benches.iter().zip(memories) {
        let [ours, theirs] = turns(bench, &mut peer, options)?;
        let times = [&ours[..], &theirs[..]];
        let (threads, machine) = (options.threads, options.machine);
        let timing = Timing::new(suite.name, bench, threads, times, memory, machine);
        watch(Progress::Timed(&timing));
        timings.push(timing);
    }
    Ok(timings)
}

fn start(suite: &Suite, options: &Options<'_>) -> Result<Option<Peer>> {
    let peer = options
        .peer
        .map(|python| Peer::start(python, &script(suite.name)));
    peer.transpose()
}

fn memories(suite: &Suite, options: &Options<'_>) -> Result<Vec<Memory>> {
    let mut peer = start(suite, options)?;
    let memory = |bench: &Bench| {
        if !bench.in_process {
            return Ok(Memory::default());
        }
        let threads = options.threads;
        let peer = peer.as_mut().map(|peer| peer.mib(bench, threads));
        Ok(Memory {
            peer: peer.transpose()?.flatten(),
            ours: alone::memory_of(options.program, suite.name, bench, threads)?,
        })
    };
    suite.benches.iter().map(memory).collect()
}

/// Seconds a run, of ours and of the peer's, a number a turn.
fn turns(bench: &Bench, peer: &mut Option<Peer>, options: &Options<'_>) -> Result<[Vec<f64>; 2]> {
    let mut work = (bench.prepare)(bench);
    for _ in 0..WARM_UP {
        work();
    }
    let once = seconds(&mut work, 1);
    let reps = (TURN / once).ceil().clamp(1.0, MOST_REPS) as usize;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.repeats {
        if once < LONG {
            seconds(&mut work, reps);
        }
        ours.push(seconds(&mut work, reps));
        if let Some(peer) = peer {
            theirs.push(peer.seconds(bench, options.threads, reps)?);
            sleep(PAUSE);
        }
    }
    Ok([ours, theirs])
}

/// Mean seconds of `reps` runs in a row.
fn seconds(work: &mut dyn FnMut(), reps: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..reps {
        work();
    }
    start.elapsed().as_secs_f64() / reps as f64
}
