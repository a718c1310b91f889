//! The folder of one trial.

use super::{Outcome, Point, TrialSpec, read_json, write_json};
use crate::{
    error::{Error, Result},
    table::Table,
};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// What stands in a trial's folder.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Nothing that can be used.
    Fresh,
    /// Begun by the same code with the same settings; goes on from its checkpoint, if it got that far.
    Begun,
    /// Finished by the same code with the same settings.
    Finished,
}

/// Folder of one trial.
#[derive(Clone, Debug)]
pub struct TrialFolder {
    path: PathBuf,
}

impl TrialFolder {
    /// The folder at a path, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What stands in it, seen from a trial that is wanted.
    pub fn state(&self, wanted: &TrialSpec) -> State {
        // An unreadable file is the trace of a foreign hand or a broken disk: the trial runs again.
        match self.spec() {
            Ok(Some(found)) if wanted.same_numbers(&found) => match self.outcome() {
                Ok(Some(_)) => State::Finished,
                _ => State::Begun,
            },
            _ => State::Fresh,
        }
    }

    /// Empties the folder and writes what the trial is.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn begin(&self, spec: &TrialSpec) -> Result<()> {
        self.remove()?;
        fs::create_dir_all(&self.path).map_err(|e| Error::io("make the folder", &self.path, e))?;
        write_json(&self.file("trial.json"), spec)
    }

    /// Removes the folder and all in it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &self.path, error))
            }
            _ => Ok(()),
        }
    }

    /// Removes the checkpoint, which a finished trial has no use for.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_checkpoint(&self) -> Result<()> {
        let path = self.file("checkpoint.safetensors");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// What the trial is, if it was begun.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn spec(&self) -> Result<Option<TrialSpec>> {
        read_json(&self.file("trial.json"))
    }

    /// How the trial ended, if it did.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn outcome(&self) -> Result<Option<Outcome>> {
        read_json(&self.file("outcome.json"))
    }

    /// The metrics over its steps.
    ///
    /// # Errors
    /// The file is damaged before its last line; a torn last line is that of a trial still running.
    pub fn metrics(&self) -> Result<Vec<Point>> {
        let path = self.file("metrics.jsonl");
        match fs::read(&path) {
            Ok(bytes) => parse_metrics(&bytes)
                .map_err(|error| Error::run(format!("{}: {error}", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Error::io("read", &path, error)),
        }
    }

    /// The tables it left, by name.
    ///
    /// # Errors
    /// A file is damaged.
    pub fn tables(&self) -> Result<BTreeMap<String, Table>> {
        let mut tables = BTreeMap::new();
        for name in self.artefacts("table-", ".json")? {
            let path = self.file(&format!("table-{name}.json"));
            if let Some(table) = read_json(&path)? {
                tables.insert(name, table);
            }
        }
        Ok(tables)
    }

    /// The pictures it left, as (name, PNG bytes).
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn images(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut images = BTreeMap::new();
        for name in self.artefacts("image-", ".png")? {
            let path = self.file(&format!("image-{name}.png"));
            let bytes = fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
            images.insert(name, bytes);
        }
        Ok(images)
    }

    fn artefacts(&self, prefix: &str, suffix: &str) -> Result<Vec<String>> {
        let entries =
            fs::read_dir(&self.path).map_err(|e| Error::io("read the folder", &self.path, e))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| Some(name.strip_prefix(prefix)?.strip_suffix(suffix)?.to_string()))
            .collect();
        names.sort();
        Ok(names)
    }
}

/// Lines of `metrics.jsonl`.
///
/// # Errors
/// A line before the last that is not a point; the message names it.
pub fn parse_metrics(bytes: &[u8]) -> std::result::Result<Vec<Point>, String> {
    let mut points = Vec::new();
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if !line.ends_with(b"\n") {
            break;
        }
        let point = serde_json::from_slice(line).map_err(|e| format!("line {}: {e}", index + 1))?;
        points.push(point);
    }
    Ok(points)
}
