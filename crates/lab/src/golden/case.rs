//! One golden case as it stands in its file.

use crate::error::{Error, Result};
use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The two forms of a case file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Safetensors,
    Json,
}

impl Kind {
    /// The form, by the extension of the file.
    pub fn of(path: &Path) -> Self {
        match path.extension() {
            Some(extension) if extension == "json" => Kind::Json,
            _ => Kind::Safetensors,
        }
    }
}

/// A golden case.
///
/// As safetensors: metadata `method` (the slug), `kind`, `config` (JSON), `source`, `rtol`, `atol`; tensors `in.*`,
/// `param.*`, `out.*`, `grad.*` of type f32, f64 or i64. As JSON: an object `method`, `kind`, `config`, `source`, `in`,
/// `out`, and `rtol`, `atol` (0 where absent).
#[derive(Clone, Debug)]
pub struct Case {
    pub method: String,
    pub kind: String,
    pub config: Value,
    pub source: String,
    pub rtol: f64,
    pub atol: f64,
    /// Every tensor of the file, by its full name.
    pub tensors: BTreeMap<String, Array>,
    /// `in` of a JSON case.
    pub input: Value,
    /// `out` of a JSON case.
    pub output: Value,
    /// Where the file lies that the case [needs](Case::needs).
    pub file: Option<PathBuf>,
}

/// A tensor as plain numbers: f32 and i64 are exact in f64 as far as cases go (|i| < 2⁵³ is checked).
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Array {
    /// A scalar.
    pub fn scalar(value: f64) -> Self {
        Self {
            shape: Vec::new(),
            values: vec![value],
        }
    }

    /// One row of numbers.
    pub fn row(values: Vec<f64>) -> Self {
        Self {
            shape: vec![values.len()],
            values,
        }
    }

    /// Numbers in a shape, row by row.
    ///
    /// # Panics
    /// If the shape has another number of elements.
    pub fn new(shape: impl Into<Vec<usize>>, values: Vec<f64>) -> Self {
        let shape = shape.into();
        assert_eq!(
            shape.iter().product::<usize>(),
            values.len(),
            "elements of {shape:?}"
        );
        Self { shape, values }
    }
}

impl<const D: usize> From<Tensor<D>> for Array {
    fn from(tensor: Tensor<D>) -> Self {
        let shape = tensor.dims().to_vec();
        Self {
            shape,
            values: tensor.into_data().iter::<f64>().collect(),
        }
    }
}

impl<const D: usize> From<Tensor<D, Int>> for Array {
    fn from(tensor: Tensor<D, Int>) -> Self {
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().iter::<i64>().map(|i| i as f64).collect();
        Self { shape, values }
    }
}

/// What the library computed for a case.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// By the names of the file: `out.weights`, `grad.x`.
    pub arrays: BTreeMap<String, Array>,
    /// Of a JSON case.
    pub value: Value,
}

impl Outputs {
    /// Adds an array.
    pub fn put(&mut self, name: &str, array: impl Into<Array>) {
        self.arrays.insert(name.to_string(), array.into());
    }
}

impl Case {
    /// A case from the bytes of its file.
    ///
    /// # Errors
    /// A truncated file, a header that lies about sizes, a missing field, a type other than f32, f64 and i64, a value
    /// that is not finite.
    pub fn parse(bytes: &[u8], kind: Kind) -> Result<Self> {
        let case = match kind {
            Kind::Safetensors => Self::parse_safetensors(bytes)?,
            Kind::Json => Self::parse_json(bytes)?,
        };
        for (name, tolerance) in [("rtol", case.rtol), ("atol", case.atol)] {
            if !(0.0..=1.0).contains(&tolerance) {
                return Err(bad(format!("{name} = {tolerance}, but it must be 0 to 1")));
            }
        }
        Ok(case)
    }

    fn parse_safetensors(bytes: &[u8]) -> Result<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(bad)?;
        let file = SafeTensors::deserialize(bytes).map_err(bad)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let field = |name: &str| {
            let value = metadata.get(name).cloned();
            value.ok_or_else(|| bad(format!("the metadata has no \"{name}\"")))
        };
        let tolerance = |name: &str| {
            let text = field(name)?;
            text.parse()
                .map_err(|_| bad(format!("{name} = \"{text}\", but it must be a number")))
        };
        let config = field("config")?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let known = ["in.", "param.", "out.", "grad."];
            if !known.iter().any(|prefix| name.starts_with(prefix)) {
                let message = format!("tensor \"{name}\" begins with none of {}", known.join(", "));
                return Err(bad(message));
            }
            tensors.insert(name.to_string(), array(name, &view)?);
        }
        Ok(Self {
            method: field("method")?,
            kind: field("kind")?,
            config: serde_json::from_str(&config).map_err(|e| bad(format!("config: {e}")))?,
            source: field("source")?,
            rtol: tolerance("rtol")?,
            atol: tolerance("atol")?,
            tensors,
            input: Value::Null,
            output: Value::Null,
            file: None,
        })
    }

    fn parse_json(bytes: &[u8]) -> Result<Self> {
        let mut value: Value = serde_json::from_slice(bytes).map_err(bad)?;
        let Some(map) = value.as_object_mut() else {
            return Err(bad("it is not a JSON object"));
        };
        let mut field = |name: &str| {
            let value = map.remove(name);
            value.ok_or_else(|| bad(format!("it has no \"{name}\"")))
        };
        let text = |name: &str, value: Value| match value {
            Value::String(text) => Ok(text),
            other => Err(bad(format!("{name} = {other}, but it must be a text"))),
        };
        let tolerance = |name: &str, value: Result<Value>| match value {
            Ok(Value::Number(number)) => Ok(number.as_f64().unwrap_or(f64::NAN)),
            Ok(other) => Err(bad(format!("{name} = {other}, but it must be a number"))),
            Err(_) => Ok(0.0),
        };
        Ok(Self {
            method: text("method", field("method")?)?,
            kind: text("kind", field("kind")?)?,
            config: field("config")?,
            source: text("source", field("source")?)?,
            rtol: tolerance("rtol", field("rtol"))?,
            atol: tolerance("atol", field("atol"))?,
            tensors: BTreeMap::new(),
            input: field("in")?,
            output: field("out")?,
            file: None,
        })
    }

    /// A value of the config.
    ///
    /// # Errors
    /// It is absent or of another type.
    pub fn config<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.config.get(name).cloned();
        let value = value.ok_or_else(|| bad(format!("config has no \"{name}\"")))?;
        serde_json::from_value(value).map_err(|e| bad(format!("config {name}: {e}")))
    }

    /// Whether the file has a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// A tensor of the file as plain numbers.
    ///
    /// # Errors
    /// It is absent.
    pub fn array(&self, name: &str) -> Result<&Array> {
        let array = self.tensors.get(name);
        array.ok_or_else(|| bad(format!("the file has no tensor \"{name}\"")))
    }

    /// Name of a file that is too large for the repository and that the case cannot do without: `data_file` of its config.
    ///
    /// # Errors
    /// It is no plain name of a file.
    pub fn needs(&self) -> Result<Option<&str>> {
        let Some(value) = self.config.get("data_file") else {
            return Ok(None);
        };
        let name = value.as_str().filter(|name| {
            Path::new(name)
                .file_name()
                .is_some_and(|file| file == *name)
        });
        name.map(Some).ok_or_else(|| {
            bad(format!(
                "data_file = {value}, but it must be the name of a file"
            ))
        })
    }

    /// A tensor of the file on a device, as f32.
    ///
    /// # Errors
    /// It is absent or has not `D` dimensions.
    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>> {
        let array = self.shaped::<D>(name)?;
        let values: Vec<f32> = array.values.iter().map(|&value| value as f32).collect();
        Ok(Tensor::from_data(
            TensorData::new(values, array.shape.clone()),
            device,
        ))
    }

    /// A tensor of whole numbers of the file on a device.
    ///
    /// # Errors
    /// It is absent, has not `D` dimensions, or holds a fraction.
    pub fn ints<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D, Int>> {
        let array = self.shaped::<D>(name)?;
        if let Some(value) = array.values.iter().find(|value| value.fract() != 0.0) {
            return Err(bad(format!("{name} holds {value}, expected whole numbers")));
        }
        let values: Vec<i64> = array.values.iter().map(|&value| value as i64).collect();
        Ok(Tensor::from_data(
            TensorData::new(values, array.shape.clone()),
            device,
        ))
    }

    fn shaped<const D: usize>(&self, name: &str) -> Result<&Array> {
        let array = self.array(name)?;
        if array.shape.len() != D {
            let shape = &array.shape;
            return Err(bad(format!(
                "{name} has shape {shape:?}, expected {D} dimensions"
            )));
        }
        Ok(array)
    }
}

fn array(name: &str, view: &TensorView) -> Result<Array> {
    let bytes = view.data();
    let values: Vec<f64> = match view.dtype() {
        Dtype::F32 => read(bytes, |b| f64::from(f32::from_le_bytes(b))),
        Dtype::F64 => read(bytes, f64::from_le_bytes),
        Dtype::I64 => {
            let whole: Vec<i64> = read(bytes, i64::from_le_bytes);
            if let Some(value) = whole.iter().find(|i| i.unsigned_abs() >= 1 << 53) {
                return Err(bad(format!(
                    "{name} holds {value}, but |i| < 2^53 is allowed"
                )));
            }
            whole.into_iter().map(|i| i as f64).collect()
        }
        other => {
            return Err(bad(format!(
                "{name} is of type {other:?}, expected F32, F64 or I64"
            )));
        }
    };
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(bad(format!(
            "{name} holds {} at element {index}",
            values[index]
        )));
    }
    Ok(Array {
        shape: view.shape().to_vec(),
        values,
    })
}

fn read<const N: usize, T>(bytes: &[u8], convert: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|&chunk| convert(chunk)).collect()
}

fn bad(message: impl std::fmt::Display) -> Error {
    Error::input(format!("golden case: {message}"))
}
