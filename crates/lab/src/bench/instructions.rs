//! Instruction counts through valgrind's callgrind: a measure of speed that no other process disturbs.
//!
//! Counts are of one warmed-up run on one thread. valgrind tells a program of no AVX-512, so kernels that choose at run
//! time take their AVX2 form.

use super::{Bench, Scale, alone::COUNT_OPTION};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::Path,
    process::{Command, Stdio},
};

/// Instructions by bench.
pub type Counts = BTreeMap<String, u64>;

/// Counts by suite, as they are committed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Committed(pub BTreeMap<String, Counts>);

/// Per cent by which a count may differ.
pub const TOLERANCE: u64 = 5;

/// Floating-point operations from which a bench is not counted: valgrind takes minutes for it.
const LONG: f64 = 5e9;

/// Whether a bench is counted: once a name, at its smallest size, and only short ones, since valgrind is more than a hundred
/// times slower than the machine.
pub fn is_counted(bench: &Bench) -> bool {
    let short = (bench.work)(bench).flops.is_none_or(|flops| flops < LONG);
    bench.in_process && short && matches!(bench.scale, Scale::Only | Scale::Cached)
}

/// Whether there is a valgrind to call.
///
/// # Errors
/// There is one that does not start.
pub fn available() -> Result<bool> {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    match version {
        Ok(status) => Ok(status.success()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::run(format!("cannot start valgrind: {error}"))),
    }
}

/// Counts the instructions of one run of a bench, in a process of its own.
///
/// # Errors
/// The process fails or valgrind tells no count.
pub fn count(program: &Path, suite: &str, bench: &Bench) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*counted_run*")
        .arg(program)
        .args(["bench", suite, COUNT_OPTION, &bench.label()])
        .output()
        .map_err(|e| Error::run(format!("cannot start valgrind: {e}")))?;
    let words = String::from_utf8_lossy(&output.stderr);
    match collected(&words) {
        Some(count) if output.status.success() && count > 0 => Ok(count),
        _ => Err(Error::run(format!(
            "callgrind counted nothing of {}: {}",
            bench.label(),
            words.trim()
        ))),
    }
}

/// The count in callgrind's last words: `==1234== Collected : 126681`.
fn collected(words: &str) -> Option<u64> {
    let count = words
        .lines()
        .find_map(|line| line.split_once("Collected :"))?;
    count.1.trim().parse().ok()
}

/// What became of a count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// More than the tolerance above the committed count.
    More,
    /// More than the tolerance below it: the committed count is out of date.
    Fewer,
    /// Within the tolerance.
    Same,
    /// Not committed yet.
    New,
}

impl Change {
    /// Of a committed and a new count.
    pub fn of(committed: Option<u64>, now: u64) -> Self {
        let Some(committed) = committed else {
            return Self::New;
        };
        match 100 * now {
            now if now > (100 + TOLERANCE) * committed => Self::More,
            now if now < (100 - TOLERANCE) * committed => Self::Fewer,
            _ => Self::Same,
        }
    }
}

impl Committed {
    /// Reads a file; nothing is committed where there is none.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|e| Error::input(format!("{} is damaged: {e}", path.display()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::io("read", path, error)),
        }
    }

    /// A committed count.
    pub fn get(&self, suite: &str, bench: &str) -> Option<u64> {
        self.0.get(suite)?.get(bench).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_beyond_five_per_cent_count_in_both_directions() {
        for (committed, now, change) in [
            (Some(1000), 1050, Change::Same),
            (Some(1000), 1051, Change::More),
            (Some(1000), 950, Change::Same),
            (Some(1000), 949, Change::Fewer),
            (Some(0), 1, Change::More),
            (None, 1, Change::New),
        ] {
            assert_eq!(Change::of(committed, now), change, "{committed:?} {now}");
        }
    }

    #[test]
    fn finds_the_count_in_callgrinds_words() {
        let words =
            "==7== Events    : Ir\n==7== Collected : 126681\n==7==\n==7== I   refs:  126,681\n";
        assert_eq!(collected(words), Some(126_681));
        assert_eq!(collected("valgrind: no such tool"), None);
    }

    #[test]
    fn committed_counts_survive_a_file_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instructions.json");
        assert_eq!(Committed::read(&path).unwrap(), Committed::default());
        let counts = Counts::from([("linear/cached".into(), 7)]);
        let committed = Committed(BTreeMap::from([("kernels".into(), counts)]));
        std::fs::write(&path, serde_json::to_string(&committed).unwrap()).unwrap();
        assert_eq!(Committed::read(&path).unwrap(), committed);
        assert_eq!(committed.get("kernels", "linear/cached"), Some(7));
        assert_eq!(committed.get("kernels", "linear"), None);
        std::fs::write(&path, r#"{"kernels": {"linear": "many"}}"#).unwrap();
        let error = Committed::read(&path).unwrap_err().to_string();
        assert!(error.contains("instructions.json is damaged"), "{error}");
    }
}
