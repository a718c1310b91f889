//! The other side: a script in another process that does the same work.

use super::Bench;
use crate::error::{Error, Result};
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// Where a suite's script is, in the repository.
pub fn script(suite: &str) -> PathBuf {
    Path::new("bench/peers").join(format!("{suite}.py"))
}

/// A peer's process, which answers a JSON line for each that it reads: `bench/peers/peer.py` tells the protocol.
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
            // The scripts' folder is the repository's: no compiled copies there.
            .env("PYTHONDONTWRITEBYTECODE", "1")
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

    /// Mean seconds of `reps` runs in a row.
    ///
    /// # Errors
    /// The peer has ended, or does not know the bench.
    pub fn seconds(&mut self, bench: &Bench, threads: usize, reps: usize) -> Result<f64> {
        let answer = self.ask(bench, threads, ("reps", json!(reps)))?;
        answer["seconds"]
            .as_f64()
            .ok_or_else(|| refused(bench, "time", &answer))
    }

    /// Peak memory of a run in MiB, where the peer's system tells; to be asked before any time is.
    ///
    /// # Errors
    /// As for [`Peer::seconds`].
    pub fn mib(&mut self, bench: &Bench, threads: usize) -> Result<Option<f64>> {
        let answer = self.ask(bench, threads, ("memory", json!(true)))?;
        match answer.get("mib") {
            Some(Value::Null) => Ok(None),
            mib => mib
                .and_then(Value::as_f64)
                .map(Some)
                .ok_or_else(|| refused(bench, "memory", &answer)),
        }
    }

    fn ask(&mut self, bench: &Bench, threads: usize, option: (&str, Value)) -> Result<Value> {
        let mut request = Map::new();
        request.insert("bench".into(), json!(bench.name));
        request.insert("threads".into(), json!(threads));
        request.insert(option.0.into(), option.1);
        for (name, size) in bench.sizes {
            request.insert((*name).into(), json!(size));
        }
        let gone = || {
            Error::run("the peer has ended")
                .help("its last words, if any, are above; does it import torch?")
        };
        writeln!(self.input, "{}", Value::Object(request)).map_err(|_| gone())?;
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) | Err(_) => Err(gone()),
            Ok(_) => Ok(serde_json::from_str(&line).unwrap_or(Value::String(line))),
        }
    }
}

fn refused(bench: &Bench, what: &str, answer: &Value) -> Error {
    let words = answer["error"].as_str().map(String::from);
    let words = words.unwrap_or_else(|| answer.to_string());
    Error::run(format!(
        "the peer has no {what} for {}: {words}",
        bench.label()
    ))
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
