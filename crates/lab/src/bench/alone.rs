//! A bench in a process of its own: its peak memory, its instructions, its start.

use super::{Bench, time::WARM_UP};
use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// The option of `offprint bench SUITE` for the peak memory of one bench.
pub const MEMORY_OPTION: &str = "--memory-of";
/// The option for a run under callgrind.
pub const COUNT_OPTION: &str = "--count-of";
/// The option for one run, from nothing.
pub const START_OPTION: &str = "--start-of";

/// Peak memory of a bench in MiB, from a process started for it; absent where the system does not tell.
///
/// # Errors
/// The process cannot be started or fails.
pub fn memory_of(
    program: &Path,
    suite: &str,
    bench: &Bench,
    threads: usize,
) -> Result<Option<f64>> {
    let output = Command::new(program)
        .args(["bench", suite, MEMORY_OPTION, &bench.label()])
        .args(["--threads", &threads.to_string()])
        .output()
        .map_err(|e| Error::run(format!("cannot start {}: {e}", program.display())))?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match answer.get("mib") {
        Some(mib) => Ok(mib.as_f64()),
        None => Err(Error::run(format!(
            "the process for the memory of {} failed: {}",
            bench.label(),
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}

/// What the process of [`memory_of`] prints: the most anonymous memory that a warmed-up run holds at once, less what
/// there was before its inputs were made.
///
/// Anonymous memory is data. The pages of the program itself and of its libraries are left out, because they differ
/// between the two sides whatever the work.
pub fn memory(bench: &Bench) -> Value {
    let before = Resident::now();
    let mut work = (bench.prepare)(bench);
    for _ in 0..WARM_UP {
        work();
    }
    let counts = Resident::forget_peak();
    work();
    let mib = match (before, Resident::now()) {
        (Some(before), Some(after)) if counts => {
            let kib = after.peak - after.file - before.anonymous;
            Some(kib / 1024.0)
        }
        _ => None,
    };
    json!({ "mib": mib })
}

/// Warms up once and runs once, in a function that callgrind knows by its name.
pub fn count(bench: &Bench) {
    let mut work = (bench.prepare)(bench);
    work();
    counted_run(&mut work);
}

/// The only part of a process whose instructions are counted.
#[inline(never)]
fn counted_run(work: &mut dyn FnMut()) {
    work();
}

/// Resident memory of this process in KiB.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Resident {
    /// Most at once, of all kinds.
    peak: f64,
    /// Pages of files: the program and its libraries.
    file: f64,
    /// Data.
    anonymous: f64,
}

impl Resident {
    fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse().ok()
        };
        Some(Self {
            peak: field("VmHWM:")?,
            file: field("RssFile:")?,
            anonymous: field("RssAnon:")?,
        })
    }

    /// Lets the peak start again from what is resident now; tells whether the system did.
    fn forget_peak() -> bool {
        std::fs::write("/proc/self/clear_refs", "5").is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Group;

    #[test]
    fn reads_the_status_of_a_process() {
        let status = "Name:\toffprint\nVmHWM:\t    2296 kB\nRssAnon:\t 100 kB\nRssFile:\t 20 kB\n";
        let resident = Resident {
            peak: 2296.0,
            file: 20.0,
            anonymous: 100.0,
        };
        assert_eq!(Resident::parse(status), Some(resident));
        assert_eq!(Resident::parse("VmHWM: many kB\nRssAnon: 1 kB"), None);
    }

    /// Other tests of this process allocate a little meanwhile, so the array is large.
    #[cfg(target_os = "linux")]
    #[test]
    fn finds_an_array_that_lives_only_in_the_work() {
        let bench = Bench::new("array", Group::new("test"), |_| {
            Box::new(|| {
                std::hint::black_box(vec![1_u8; 256 << 20]);
            })
        });
        let mib = memory(&bench)["mib"].as_f64().unwrap();
        assert!((240.0..400.0).contains(&mib), "{mib}");
    }
}
