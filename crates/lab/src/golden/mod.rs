//! Golden cases: numbers from outside Rust that the library must reproduce.
//!
//! A case is a file `golden/<slug>/<kind>-<n>.safetensors`, or `.json` for methods without tensors; see [`Case`].

mod case;
mod compare;

pub use case::{Array, Case, Kind, Outputs};
pub use compare::{Largest, compare};

use crate::{
    error::{Error, Result},
    paper::Paper,
};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Evaluates the cases of one kind with the library.
#[derive(Clone, Copy)]
pub struct Method {
    /// Kind of the cases, as in their file names.
    pub kind: &'static str,
    /// Calls the library with a case's inputs, parameters and config; returns what it computes under the names
    /// `out.*` and `grad.*`.
    pub evaluate: fn(&Case) -> Result<Outputs>,
}

/// Whose cases: a paper's, or those of a room of the library.
#[derive(Clone, Copy)]
pub struct Owner {
    /// Folder of the cases, and `method` in them.
    pub slug: &'static str,
    /// What evaluates them; `None` for a paper that is planned.
    pub methods: Option<&'static [Method]>,
}

impl From<&Paper> for Owner {
    fn from(paper: &Paper) -> Self {
        Self {
            slug: paper.slug,
            methods: paper.work.map(|work| work.golden),
        }
    }
}

/// How one case went.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The file.
    pub path: PathBuf,
    /// Slug of the owner, where the file says.
    pub slug: String,
    /// Kind, where the file says.
    pub kind: String,
    /// Largest error, where there was something to compare.
    pub largest: Option<Largest>,
    /// Why it failed; `None` if it passed.
    pub failure: Option<String>,
    /// The file that was not there, so that the case was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
}

/// Verifies every case below a folder, in the order of the file names.
///
/// With `only`, cases of other owners are left out by the name of their folder; without the file in `data_dir` that a case
/// needs, that case is left out.
///
/// # Errors
/// The folder cannot be read, or holds no case.
pub fn verify(
    root: &Path,
    only: Option<&str>,
    owners: &[Owner],
    data_dir: Option<&Path>,
    mut watch: impl FnMut(&Verification),
) -> Result<Vec<Verification>> {
    let folder = match only {
        Some(slug) => root.join(slug),
        None => root.to_path_buf(),
    };
    let mut files = Vec::new();
    collect(&folder, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Err(Error::input(format!("no golden case below {}", folder.display()))
            .help("cases are files <slug>/<kind>-<n>.safetensors or .json; choose a folder with --golden DIR"));
    }
    Ok(files
        .into_iter()
        .map(|path| {
            let verification = verify_file(path, owners, data_dir);
            watch(&verification);
            verification
        })
        .collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let fail = |e| Error::io("read the folder", folder, e);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let is_case = path
            .extension()
            .is_some_and(|extension| extension == "safetensors" || extension == "json");
        if path.is_dir() {
            collect(&path, files)?;
        } else if is_case {
            files.push(path);
        }
    }
    Ok(())
}

fn verify_file(path: PathBuf, owners: &[Owner], data_dir: Option<&Path>) -> Verification {
    let mut verification = Verification {
        path,
        slug: String::new(),
        kind: String::new(),
        largest: None,
        failure: None,
        needs: None,
    };
    verification.failure = check(&mut verification, owners, data_dir)
        .err()
        .map(|error| error.to_string());
    verification
}

fn check(verification: &mut Verification, owners: &[Owner], data_dir: Option<&Path>) -> Result<()> {
    let path = &verification.path;
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let mut case = Case::parse(&bytes, Kind::of(path))?;
    verification.slug.clone_from(&case.method);
    verification.kind.clone_from(&case.kind);
    let owner = owners.iter().find(|owner| owner.slug == case.method);
    let owner = owner
        .ok_or_else(|| Error::unknown("method", &case.method, owners.iter().map(|o| o.slug), ""))?;
    let methods = owner.methods.ok_or_else(|| {
        Error::run(format!(
            "{} is planned: nothing evaluates its cases yet",
            owner.slug
        ))
    })?;
    let method = methods.iter().find(|method| method.kind == case.kind);
    let method = method
        .ok_or_else(|| Error::unknown("kind", &case.kind, methods.iter().map(|m| m.kind), ""))?;
    let needs = case.needs()?.map(str::to_string);
    if let Some(name) = &needs {
        let file = data_dir.map(|folder| folder.join(name));
        case.file = file.filter(|file| file.is_file());
    }
    if needs.is_some() && case.file.is_none() {
        verification.needs = needs;
        return Ok(());
    }
    let outputs = (method.evaluate)(&case)?;
    let (largest, failure) = compare(&case, &outputs);
    verification.largest = largest;
    failure.map_or(Ok(()), |message| Err(Error::run(message)))
}
