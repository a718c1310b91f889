//! What a model remembers of a text: a matrix for each head of each block, in one file, however long the text was.

use super::generate::Reader;
use super::saved::{self, Saved};
use super::{out_of, print, required};
use burn::tensor::{Device, Tensor, TensorData};
use clap::ArgMatches;
use offprint_backbones::{Gpt, GptState};
use offprint_lab::{Error, Result, store::write_atomic};
use offprint_layers::{AnyTokenMixer, LinearAttentionState, MixerState};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::json;
use std::{collections::HashMap, fs, path::Path};

/// A state, and the last byte of the text, which it has not read: the model answers it first when it goes on.
pub struct Remembered {
    pub state: GptState,
    pub last: u8,
}

/// `offprint use gla state save`.
///
/// # Errors
/// The model, the text or a state to begin with cannot be read, or the file not be written.
pub fn save(matches: &ArgMatches) -> Result<()> {
    let (folder, out) = (required(matches, "model"), out_of(matches)?);
    let saved = saved::load(folder)?;
    let mut reader = Reader::new(&saved, matches.get_one("from"))?;
    let text = required(matches, "text");
    if text == Path::new("-") {
        reader.read_all(&mut std::io::stdin().lock(), "standard input")?;
    } else {
        let mut file = fs::File::open(text)
            .map_err(|e| Error::input(format!("cannot read {}: {e}", text.display())))?;
        reader.read_all(&mut file, &text.display().to_string())?;
    }
    let remembered = reader.remembered()?;
    let bytes = to_bytes(&remembered, &saved.fingerprint)?;
    write_atomic(out, &bytes)?;
    let read = remembered.state.position() + 1;
    let document = json!({ "file": out, "read": read, "bytes": bytes.len() });
    let text = format!(
        " read {read} bytes; their state takes {} bytes\n wrote {}\n",
        bytes.len(),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

fn to_bytes(remembered: &Remembered, fingerprint: &str) -> Result<Vec<u8>> {
    let mut tensors = Vec::new();
    for (index, block) in remembered.state.blocks().iter().enumerate() {
        if let MixerState::Linear(state) = block
            && let Some(matrix) = state.matrix()
        {
            let values = matrix.to_data();
            let bytes: Vec<u8> = values.iter::<f32>().flat_map(f32::to_le_bytes).collect();
            tensors.push((name(index), matrix.dims(), bytes));
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
        view.map(|view| (name.clone(), view))
    });
    let views: Vec<_> = views
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| Error::run(format!("state: {e}")))?;
    let metadata = HashMap::from([
        ("model".to_string(), fingerprint.to_string()),
        ("read".to_string(), remembered.state.position().to_string()),
        ("last".to_string(), remembered.last.to_string()),
    ]);
    safetensors::serialize(views, Some(metadata)).map_err(|e| Error::run(format!("state: {e}")))
}

fn name(block: usize) -> String {
    format!("block.{block}.state")
}

/// Reads a state for a model.
///
/// # Errors
/// The file cannot be read, is damaged, or is the state of another model.
pub fn load(path: &Path, saved: &Saved) -> Result<Remembered> {
    let bytes = fs::read(path).map_err(|error| {
        Error::input(format!("cannot read {}: {error}", path.display()))
            .help("a state is a file that offprint use gla state save wrote")
    })?;
    let bad = |message: String| Error::input(format!("{} is damaged: {message}", path.display()));
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(e.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| bad(e.to_string()))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let field = |name: &str| {
        let value = metadata.get(name).cloned();
        value.ok_or_else(|| bad(format!("it has no \"{name}\"")))
    };
    let of = field("model")?;
    if of != saved.fingerprint {
        let message = format!(
            "{} is the state of another model: {of}, but this one is {}",
            path.display(),
            saved.fingerprint
        );
        return Err(Error::input(message));
    }
    let read: usize = field("read")?
        .parse()
        .map_err(|_| bad("\"read\" is no count".into()))?;
    let last: u8 = field("last")?
        .parse()
        .map_err(|_| bad("\"last\" is no byte".into()))?;
    let mut blocks = Vec::new();
    for (index, expected) in shapes(&saved.gpt).into_iter().enumerate() {
        if read == 0 {
            blocks.push(MixerState::Linear(LinearAttentionState::default()));
            continue;
        }
        let name = name(index);
        let view = file
            .tensor(&name)
            .map_err(|e| bad(format!("{name}: {e}")))?;
        if view.dtype() != Dtype::F32 || view.shape() != expected {
            let (dtype, shape) = (view.dtype(), view.shape());
            let message = format!("{name} is {dtype:?} {shape:?}, expected F32 {expected:?}");
            return Err(bad(message));
        }
        let (chunks, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = chunks.iter().map(|b| f32::from_le_bytes(*b)).collect();
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(bad(format!("{name} holds {value}")));
        }
        let data = TensorData::new(values, expected);
        let matrix = Tensor::<4>::from_data(data, &Device::default());
        blocks.push(MixerState::Linear(LinearAttentionState::new(matrix, read)));
    }
    if file.len() > blocks.len() {
        return Err(bad(format!(
            "{} tensors, expected {}",
            file.len(),
            blocks.len()
        )));
    }
    Ok(Remembered {
        state: GptState::new(blocks, read),
        last,
    })
}

/// Shapes of the states of a model's blocks, for one text.
fn shapes(gpt: &Gpt) -> Vec<[usize; 4]> {
    let blocks = gpt.blocks.blocks.iter();
    blocks
        .filter_map(|block| match &block.token_mixer {
            AnyTokenMixer::Gla(mixer) => {
                let heads = &mixer.heads;
                let [[_, keys], [_, values]] = [&heads.k, &heads.v].map(|x| x.weight.dims());
                let count = heads.heads;
                Some([1, count, keys / count, values / count])
            }
            _ => None,
        })
        .collect()
}
