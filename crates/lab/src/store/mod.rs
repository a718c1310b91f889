//! The run store: what a run leaves on disk, and how it survives a crash.
//!
//! ```text
//! runs/<slug>/<budget>/                one study: plan.json, and `lock`, held by the program that runs it
//! runs/<slug>/<budget>/<arm>/<seed>/   one trial (`tune-<index>` for a tuning trial)
//!     trial.json                       what it is: settings, seed, code version, revision, machine
//!     metrics.jsonl                    one line a metric and step, appended
//!     checkpoint.safetensors           where it goes on from; gone once it has finished
//!     outcome.json                     its final numbers; there is one if and only if it has finished
//!     table-<name>.json, image-<name>.png
//!     worker.log                       what its process wrote to standard error
//! ```
//!
//! Every file but `metrics.jsonl` and `worker.log` is written to a temporary name, synced and renamed, so that a
//! reader sees the old file or the new one. `metrics.jsonl` is cut back to the length that the checkpoint knows
//! when a trial goes on.

mod files;
mod folder;
mod lock;
pub mod number;

pub(crate) use files::read_json;
pub use files::{write_atomic, write_json};
pub use folder::{State, TrialFolder, parse_metrics};
pub use lock::Lock;

use crate::{
    error::{Error, Result},
    settings::SettingsMap,
    study::Budget,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Which run of an arm a trial is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Run {
    /// One of the seeds that the report compares.
    Seed(u64),
    /// One of the random trials that choose settings.
    Tune(u64),
}

impl Run {
    /// Name of the trial's folder.
    pub fn folder(self) -> String {
        match self {
            Run::Seed(seed) => seed.to_string(),
            Run::Tune(index) => format!("tune-{index}"),
        }
    }

    /// The seed of its random numbers. Tuning draws from seeds that no comparison uses.
    pub fn seed(self) -> u64 {
        match self {
            Run::Seed(seed) => seed,
            Run::Tune(index) => 1_000_000 + index,
        }
    }
}

/// What a trial is: everything its numbers depend on, and where they came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialSpec {
    pub slug: String,
    pub budget: Budget,
    pub arm: String,
    pub run: Run,
    pub settings: SettingsMap,
    /// Folder of the user's data, where the settings ask for some.
    pub data_dir: Option<PathBuf>,
    /// Fingerprint of the code that its numbers depend on.
    pub version: String,
    /// Git revision of the program.
    pub revision: String,
    pub machine: String,
}

impl TrialSpec {
    /// Whether a finished trial of `other` may stand for this one: the same numbers would come out.
    pub fn same_numbers(&self, other: &Self) -> bool {
        let key = |spec: &Self| {
            (
                spec.slug.clone(),
                spec.arm.clone(),
                spec.run,
                spec.data_dir.clone(),
                spec.version.clone(),
            )
        };
        key(self) == key(other) && self.settings == other.settings
    }
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Final numbers by name.
    #[serde(with = "number::map")]
    pub metrics: BTreeMap<String, f64>,
    /// Time of its process, over all its lives.
    pub seconds: f64,
}

/// A metric at a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    pub name: String,
    pub step: u64,
    #[serde(with = "number")]
    pub value: f64,
}

/// A folder of runs.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store in a folder, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of a study.
    pub fn study(&self, slug: &str, budget: Budget) -> PathBuf {
        self.root.join(slug).join(budget.name())
    }

    /// Folder of a trial.
    pub fn trial(&self, slug: &str, budget: Budget, arm: &str, run: Run) -> TrialFolder {
        TrialFolder::new(self.study(slug, budget).join(arm).join(run.folder()))
    }

    /// Takes the lock of a study; see [`Lock::take`].
    ///
    /// # Errors
    /// The folder cannot be made or written; `give_up` said so.
    pub fn lock(
        &self,
        slug: &str,
        budget: Budget,
        waiting: impl FnOnce(&str),
        give_up: impl Fn() -> bool,
    ) -> Result<Lock> {
        let folder = self.study(slug, budget);
        fs::create_dir_all(&folder).map_err(|e| Error::io("make the folder", &folder, e))?;
        Lock::take(&folder.join("lock"), waiting, give_up)
    }

    /// Names of the studies in the store, as (slug, budget).
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn studies(&self) -> Result<Vec<(String, Budget)>> {
        let mut studies = Vec::new();
        for slug in folders(&self.root)? {
            for budget in Budget::ALL {
                if self.study(&slug, budget).is_dir() {
                    studies.push((slug.clone(), budget));
                }
            }
        }
        Ok(studies)
    }

    /// Trials of a study, whatever their state, ordered by arm and run.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn trials(&self, slug: &str, budget: Budget) -> Result<Vec<(String, Run, TrialFolder)>> {
        let mut trials = Vec::new();
        let study = self.study(slug, budget);
        for arm in folders(&study)? {
            for name in folders(&study.join(&arm))? {
                let run = match name.strip_prefix("tune-") {
                    Some(index) => index.parse().map(Run::Tune),
                    None => name.parse().map(Run::Seed),
                };
                // A folder that is not ours is left alone.
                if let Ok(run) = run {
                    trials.push((arm.clone(), run, self.trial(slug, budget, &arm, run)));
                }
            }
        }
        trials.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        Ok(trials)
    }
}

/// Sorted names of the folders in a folder; none where there is no such folder.
fn folders(path: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read the folder", path, error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| Error::io("read the folder", path, e))?;
        if entry.path().is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests;
