//! Named tensors, as a checkpoint holds them.

use super::error::{CheckpointError, Result};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A tensor in 32 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Lengths of its axes.
    pub shape: Vec<usize>,
    /// Its elements in row-major order.
    pub values: Vec<f32>,
}

/// Tensors by name.
pub type Tensors = BTreeMap<String, Stored>;

/// The file of a folder that holds all tensors.
pub(super) const WHOLE: &str = "model.safetensors";
/// The file of a folder that says which of several files holds which tensor.
const INDEX: &str = "model.safetensors.index.json";

/// The tensors of a folder in the layout of Hugging Face: one file, or several with an index.
pub(super) fn read_folder(folder: &Path) -> Result<Tensors> {
    let index = folder.join(INDEX);
    if !index.is_file() {
        return read_file(&folder.join(WHOLE));
    }
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, PathBuf>,
    }
    let text = fs::read(&index).map_err(|e| CheckpointError::io("read", &index, e))?;
    let index: Index =
        serde_json::from_slice(&text).map_err(|e| CheckpointError::format(&index, e))?;
    let files: BTreeSet<PathBuf> = index.weight_map.into_values().collect();
    let mut tensors = Tensors::new();
    for file in files {
        let inside = file
            .file_name()
            .is_some_and(|name| name == file.as_os_str());
        if !inside {
            let message = format!("{} is not a file beside it", file.display());
            return Err(CheckpointError::format(&folder.join(INDEX), message));
        }
        tensors.extend(read_file(&folder.join(file))?);
    }
    Ok(tensors)
}

fn read_file(path: &Path) -> Result<Tensors> {
    let bytes = fs::read(path).map_err(|e| CheckpointError::io("read", path, e))?;
    read(&bytes).map_err(|message| CheckpointError::format(path, message))
}

/// The tensors of a safetensors file: 32-bit floats, and the two 16-bit floats widened.
pub(super) fn read(bytes: &[u8]) -> Result<Tensors, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let mut tensors = Tensors::new();
    for (name, view) in file.iter() {
        let values = match view.dtype() {
            Dtype::F32 => floats(view.data(), f32::from_le_bytes),
            Dtype::F16 => floats(view.data(), |b| f16::from_le_bytes(b).to_f32()),
            Dtype::BF16 => floats(view.data(), |b| bf16::from_le_bytes(b).to_f32()),
            // Buffers that are no parameters, such as GPT-2's causal mask, are told apart by their names later.
            Dtype::BOOL | Dtype::U8 => view.data().iter().map(|b| f32::from(*b)).collect(),
            other => {
                return Err(format!(
                    "{name} is of type {other}, but it must be F32, F16 or BF16"
                ));
            }
        };
        let shape = view.shape().to_vec();
        tensors.insert(name.to_string(), Stored { shape, values });
    }
    Ok(tensors)
}

pub(super) fn floats<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| convert(*chunk)).collect()
}

/// Writes a safetensors file of these tensors, see [`to_bytes`].
pub(super) fn write(tensors: &Tensors, path: &Path) -> Result<()> {
    let file = to_bytes(tensors, []).map_err(|e| CheckpointError::format(path, e))?;
    write_bytes(path, &file)
}

/// A safetensors file of these tensors in 32 bits, as PyTorch's (`format: pt`), with more metadata.
pub(super) fn to_bytes<const N: usize>(
    tensors: &Tensors,
    metadata: [(String, String); N],
) -> Result<Vec<u8>, SafeTensorError> {
    let bytes: Vec<(&str, &[usize], Vec<u8>)> = tensors
        .iter()
        .map(|(name, stored)| {
            let bytes = stored.values.iter().flat_map(|value| value.to_le_bytes());
            (name.as_str(), &stored.shape[..], bytes.collect())
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
            view.map(|view| (*name, view))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let format = ("format".to_string(), "pt".to_string());
    let metadata = metadata.into_iter().chain([format]).collect();
    safetensors::serialize(views, Some(metadata))
}

/// Writes a file under a temporary name and renames it, so that an interruption leaves none that is half written.
pub(super) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, bytes).map_err(|e| CheckpointError::io("write", &partial, e))?;
    fs::rename(&partial, path).map_err(|e| CheckpointError::io("write", path, e))
}
