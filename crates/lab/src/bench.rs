//! Timed work, alone or beside a peer: interleaved runs, median and spread, ratio.

use crate::error::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

/// One piece of work that a paper times.
pub struct Bench {
    /// Name: of the heart, or `step-…` for a whole training step.
    pub name: &'static str,
    /// Shapes and sizes, for a reader and for the peer.
    pub sizes: &'static [(&'static str, u64)],
    /// Largest ratio to the peer's time that meets the bar.
    pub bar: f64,
    /// Prepares the work once and returns what runs it once.
    pub prepare: fn(&Bench) -> Box<dyn FnMut()>,
}

impl Bench {
    /// A size by name.
    ///
    /// # Panics
    /// If there is none: a mistake in the bench itself.
    pub fn size(&self, name: &str) -> usize {
        let size = self.sizes.iter().find(|(known, _)| *known == name);
        size.unwrap_or_else(|| panic!("bench {} has no size {name}", self.name))
            .1 as usize
    }
}

/// Times of one piece of work.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    pub name: String,
    pub sizes: String,
    pub threads: usize,
    pub ours_ms: Spread,
    pub peer_ms: Option<Spread>,
    /// Ours over the peer's, of the medians; above 1 ours is slower.
    pub ratio: Option<f64>,
    pub bar: f64,
}

/// A median with its range, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// Of at least one time in seconds.
    ///
    /// # Panics
    /// If there is none.
    pub fn of(seconds: &[f64]) -> Self {
        let mut sorted: Vec<f64> = seconds.iter().map(|s| s * 1e3).collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
            _ => sorted[middle],
        };
        Self {
            median,
            least: sorted[0],
            most: sorted[sorted.len() - 1],
        }
    }
}

/// Times each bench `repeats` times, a run of ours and a run of the peer's in turn.
///
/// # Errors
/// The peer cannot be started or does not know a bench.
pub fn time(
    benches: &[Bench],
    mut peer: Option<Peer>,
    threads: usize,
    repeats: usize,
    mut watch: impl FnMut(&Timing),
) -> Result<Vec<Timing>> {
    let mut timings = Vec::new();
    for bench in benches {
        let mut work = (bench.prepare)(bench);
        work();
        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        for _ in 0..repeats {
            let start = Instant::now();
            work();
            ours.push(start.elapsed().as_secs_f64());
            if let Some(peer) = &mut peer {
                theirs.push(peer.seconds(bench, threads)?);
            }
        }
        let ours_ms = Spread::of(&ours);
        let peer_ms = (!theirs.is_empty()).then(|| Spread::of(&theirs));
        let sizes: Vec<String> = bench
            .sizes
            .iter()
            .map(|(n, s)| format!("{n} {s}"))
            .collect();
        let timing = Timing {
            name: bench.name.into(),
            sizes: sizes.join(", "),
            threads,
            ours_ms,
            peer_ms,
            ratio: peer_ms.map(|peer| ours_ms.median / peer.median),
            bar: bench.bar,
        };
        watch(&timing);
        timings.push(timing);
    }
    Ok(timings)
}

/// A peer's process: a script that reads a JSON line `{"bench", "threads", sizes…}` and answers `{"seconds"}`.
pub struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a script with a Python interpreter.
    ///
    /// # Errors
    /// The interpreter or the script is not there.
    pub fn start(python: &Path, script: &Path) -> Result<Self> {
        if !script.is_file() {
            return Err(
                Error::input(format!("there is no peer script {}", script.display()))
                    .help("run offprint bench in the repository, where bench/peers is"),
            );
        }
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| {
                Error::input(format!("cannot start {}: {e}", python.display()))
                    .help("give a Python that imports torch: --peer path/to/python")
            })?;
        let input = child.stdin.take().expect("piped above");
        let output = BufReader::new(child.stdout.take().expect("piped above"));
        Ok(Self {
            child,
            input,
            output,
        })
    }

    fn seconds(&mut self, bench: &Bench, threads: usize) -> Result<f64> {
        let mut request = Map::new();
        request.insert("bench".into(), json!(bench.name));
        request.insert("threads".into(), json!(threads));
        for (name, size) in bench.sizes {
            request.insert((*name).into(), json!(size));
        }
        let gone = |e: std::io::Error| Error::run(format!("the peer is gone: {e}"));
        writeln!(self.input, "{}", Value::Object(request)).map_err(gone)?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(gone)?;
        let answer: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
        answer["seconds"].as_f64().ok_or_else(|| {
            let words = answer["error"].as_str().unwrap_or(line.trim());
            Error::run(format!("the peer has no time for {}: {words}", bench.name))
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
