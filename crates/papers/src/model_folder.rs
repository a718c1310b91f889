//! A trained model as a folder: `model.safetensors` and `config.json`.

use burn::store::{ModuleSnapshot, SafetensorsStore};
use offprint_lab::{Error, Result, store::write_atomic};
use serde::Serialize;
use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

/// Writes a folder, complete or not at all, through a new store in memory.
///
/// # Errors
/// It is there already and not to be replaced, or cannot be written.
pub(crate) fn save(
    folder: &Path,
    model: &impl ModuleSnapshot,
    mut store: SafetensorsStore,
    config: &impl Serialize,
    overwrite: bool,
) -> Result<()> {
    if folder.exists() && !overwrite {
        return Err(taken(folder));
    }
    let weights = model
        .save_into(&mut store)
        .and_then(|()| store.get_bytes())
        .map_err(|error| Error::run(format!("model.safetensors: {error}")))?;
    let json = serde_json::to_vec_pretty(config)
        .map_err(|error| Error::run(format!("config.json: {error}")))?;
    let new = folder.with_added_extension("tmp");
    fs::create_dir_all(&new).map_err(|e| Error::io("make the folder", &new, e))?;
    write_atomic(&new.join("model.safetensors"), &weights)?;
    write_atomic(&new.join("config.json"), &json)?;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|e| Error::io("replace", folder, e))?;
    }
    fs::rename(&new, folder).map_err(|e| Error::io("write", folder, e))
}

/// The error of a file or folder that is there already.
pub(crate) fn taken(path: &Path) -> Error {
    Error::input(format!("{} is there already", path.display()))
        .help("choose another --out, or replace it with --overwrite")
}

/// The path and the bytes of a file in the folder of a paper's model.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read(folder: &Path, name: &str, slug: &str) -> Result<(PathBuf, Vec<u8>)> {
    let path = folder.join(name);
    let bytes = fs::read(&path).map_err(|error| {
        Error::input(format!("cannot read {}: {error}", path.display())).help(format!(
            "a model is a folder that offprint use {slug} train wrote"
        ))
    })?;
    Ok((path, bytes))
}

/// The error of a file that is not what was written.
pub(crate) fn damaged(path: &Path, error: impl Display) -> Error {
    Error::input(format!("{} is damaged: {error}", path.display()))
}

/// Gives a model the parameters of a file.
///
/// # Errors
/// The file is damaged, or holds other tensors than the model has.
pub(crate) fn fill(model: &mut impl ModuleSnapshot, path: &Path, bytes: Vec<u8>) -> Result<()> {
    let mut store = SafetensorsStore::from_bytes(Some(bytes));
    let applied = model.load_from(&mut store).map_err(|e| damaged(path, e))?;
    match applied.unused.is_empty() {
        true => Ok(()),
        false => {
            let unknown = format!("unknown tensors {}", applied.unused.join(", "));
            Err(damaged(path, unknown))
        }
    }
}
