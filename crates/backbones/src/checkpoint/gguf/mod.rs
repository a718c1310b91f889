//! GGUF files, the format of llama.cpp: a pure parse over bytes.
//!
//! Source: the specification in the repository `ggml-org/ggml`, `docs/gguf.md`, versions 2 and 3.

mod encoding;
mod error;
mod llama;
#[cfg(test)]
mod tests;

pub use encoding::Encoding;
pub use error::GgufError;
pub use llama::load_gguf;

use std::collections::BTreeMap;

type Result<T, E = GgufError> = std::result::Result<T, E>;

/// A GGUF file: its metadata and where its tensors lie.
///
/// ```
/// use offprint_backbones::checkpoint::{Gguf, GgufError};
/// let error = Gguf::parse(b"not a model").unwrap_err();
/// assert_eq!(error, GgufError::Magic("not ".into()));
/// ```
#[derive(Clone, Debug)]
pub struct Gguf<'a> {
    /// Version of the format.
    pub version: u32,
    /// Settings by name.
    pub metadata: BTreeMap<String, GgufValue>,
    /// The tensors by name.
    pub tensors: BTreeMap<String, GgufTensor<'a>>,
}

/// A tensor as it is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GgufTensor<'a> {
    /// Lengths of its axes, the last being the one whose elements are neighbors.
    pub shape: Vec<usize>,
    /// How its elements are encoded.
    pub encoding: Encoding,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl GgufTensor<'_> {
    /// The elements in row-major order.
    pub fn values(&self) -> Vec<f32> {
        self.encoding.decode(self.bytes)
    }
}

/// A setting.
#[derive(Clone, Debug, PartialEq)]
pub enum GgufValue {
    /// Any of the unsigned integers.
    Unsigned(u64),
    /// Any of the signed integers.
    Signed(i64),
    /// Either of the floats.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(String),
    /// Several of one type.
    Array(Vec<GgufValue>),
}

/// Arrays in arrays that are read at most; the specification allows any number.
const DEPTH: usize = 4;
/// Elements that a tensor has at most, so that no size overflows.
const ELEMENTS: u64 = 1 << 48;

impl<'a> Gguf<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// The bytes are no GGUF file of version 2 or 3, or a tensor is encoded in a way that is not read here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { bytes, at: 0 };
        let magic = reader.take("the magic", 4)?;
        if magic != b"GGUF" {
            return Err(GgufError::Magic(
                String::from_utf8_lossy(magic).into_owned(),
            ));
        }
        let version = reader.u32("the version")?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version(version));
        }
        let tensor_count = reader.u64("the number of tensors")?;
        let value_count = reader.u64("the number of settings")?;
        let mut metadata = BTreeMap::new();
        for _ in 0..value_count {
            let key = reader.name()?;
            let kind = reader.u32(&key)?;
            let value = reader.value(&key, kind, DEPTH)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(GgufError::Twice(key));
            }
        }
        let mut infos = Vec::new();
        for _ in 0..tensor_count {
            infos.push(reader.info()?);
        }
        let alignment = alignment(&metadata)?;
        let start = reader.at.next_multiple_of(alignment);
        let mut tensors = BTreeMap::new();
        for Info {
            name,
            shape,
            encoding,
            offset,
        } in infos
        {
            let size = encoding.size(shape.iter().product()) as u64;
            let first = offset.saturating_add(start as u64);
            let mut data = Reader {
                bytes,
                at: usize::try_from(first)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len()),
            };
            let bytes = data.take(&name, size)?;
            let tensor = GgufTensor {
                shape,
                encoding,
                bytes,
            };
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(GgufError::Twice(name));
            }
        }
        Ok(Self {
            version,
            metadata,
            tensors,
        })
    }
}

/// Bytes to which the data of tensors is aligned.
fn alignment(metadata: &BTreeMap<String, GgufValue>) -> Result<usize> {
    match metadata.get("general.alignment") {
        None => Ok(32),
        Some(GgufValue::Unsigned(alignment))
            if alignment.is_power_of_two() && (8..1 << 32).contains(alignment) =>
        {
            Ok(*alignment as usize)
        }
        Some(other) => Err(GgufError::Alignment(format!("{other:?}"))),
    }
}

/// What the header says of a tensor.
struct Info {
    name: String,
    shape: Vec<usize>,
    encoding: Encoding,
    offset: u64,
}

/// A place in the bytes.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, what: &str, count: u64) -> Result<&'a [u8]> {
        let left = &self.bytes[self.at..];
        let count_here = usize::try_from(count)
            .ok()
            .filter(|count| *count <= left.len());
        let Some(count) = count_here else {
            return Err(GgufError::Truncated {
                what: what.to_string(),
                at: self.at,
                needed: count,
                left: left.len(),
            });
        };
        self.at += count;
        Ok(&left[..count])
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let bytes = self.take(what, N as u64)?;
        Ok(std::array::from_fn(|i| bytes[i]))
    }

    fn u32(&mut self, what: &str) -> Result<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    fn text(&mut self, what: &str) -> Result<&'a [u8]> {
        let length = self.u64(what)?;
        self.take(what, length)
    }

    fn name(&mut self) -> Result<String> {
        let at = self.at;
        let text = self.text("a name")?;
        String::from_utf8(text.to_vec()).map_err(|_| GgufError::Name(at))
    }

    fn value(&mut self, key: &str, kind: u32, depth: usize) -> Result<GgufValue> {
        Ok(match kind {
            0 => GgufValue::Unsigned(u64::from(self.array::<1>(key)?[0])),
            1 => GgufValue::Signed(i64::from(i8::from_le_bytes(self.array(key)?))),
            2 => GgufValue::Unsigned(u64::from(u16::from_le_bytes(self.array(key)?))),
            3 => GgufValue::Signed(i64::from(i16::from_le_bytes(self.array(key)?))),
            4 => GgufValue::Unsigned(u64::from(self.u32(key)?)),
            5 => GgufValue::Signed(i64::from(i32::from_le_bytes(self.array(key)?))),
            6 => GgufValue::Float(f64::from(f32::from_le_bytes(self.array(key)?))),
            7 => GgufValue::Bool(self.array::<1>(key)?[0] != 0),
            // Tokens of a vocabulary may be pieces of characters.
            8 => GgufValue::Text(String::from_utf8_lossy(self.text(key)?).into_owned()),
            9 => {
                let Some(depth) = depth.checked_sub(1) else {
                    return Err(GgufError::Depth(key.to_string()));
                };
                let kind = self.u32(key)?;
                let count = self.u64(key)?;
                // Not collected into a vector of that capacity: the count may say anything.
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(key, kind, depth)?);
                }
                GgufValue::Array(values)
            }
            10 => GgufValue::Unsigned(self.u64(key)?),
            11 => GgufValue::Signed(i64::from_le_bytes(self.array(key)?)),
            12 => GgufValue::Float(f64::from_le_bytes(self.array(key)?)),
            kind => {
                let key = key.to_string();
                return Err(GgufError::Kind { key, kind });
            }
        })
    }

    fn info(&mut self) -> Result<Info> {
        let name = self.name()?;
        let axes = self.u32(&name)?;
        let mut lengths = Vec::new();
        for _ in 0..axes.min(5) {
            lengths.push(self.u64(&name)?);
        }
        let elements = lengths.iter().try_fold(1_u64, |n, length| {
            n.checked_mul(*length).filter(|n| *n <= ELEMENTS)
        });
        if axes > 4 || elements.is_none() {
            return Err(GgufError::Shape {
                tensor: name,
                axes,
                shape: lengths,
            });
        }
        let number = self.u32(&name)?;
        let Some(encoding) = Encoding::of(number) else {
            return Err(GgufError::Encoding {
                tensor: name,
                encoding: number,
            });
        };
        // The format begins with the axis whose elements are neighbors.
        let shape: Vec<usize> = lengths
            .iter()
            .rev()
            .map(|length| *length as usize)
            .collect();
        let row = shape.last().copied().unwrap_or(1);
        if !row.is_multiple_of(encoding.block()) {
            return Err(GgufError::Block {
                tensor: name,
                row,
                block: encoding.block(),
            });
        }
        let offset = self.u64(&name)?;
        Ok(Info {
            name,
            shape,
            encoding,
            offset,
        })
    }
}
