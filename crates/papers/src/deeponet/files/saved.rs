//! A trained model as a folder: `model.safetensors` and `config.json`.

use super::arrays::Matrix;
use crate::model_folder::{self, damaged, fill};
use burn::{
    store::SafetensorsStore,
    tensor::{Device, Tensor, TensorData},
};
use offprint_data::arrays::Array;
use offprint_lab::{Error, Result};
use offprint_operators::{DeepONet, DeepONetConfig, check_ascending};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Everything beside the parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub model: DeepONetConfig,
    /// Of all sensor values together, so that a function keeps its shape.
    pub functions: Scale,
    /// Of each coordinate of a point.
    pub points: Vec<Scale>,
    pub values: Scale,
    /// Where the sensors are, if the user said so.
    pub sensors: Option<Vec<f64>>,
}

/// Numbers that are brought to mean 0 and deviation 1, and the range they were in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    pub mean: f64,
    pub deviation: f64,
    pub low: f64,
    pub high: f64,
}

impl Scale {
    /// The scale of every `step`-th number of a matrix from the `first` on.
    ///
    /// # Errors
    /// Their squares overflow.
    pub fn of(matrix: &Matrix, first: usize, step: usize) -> Result<Self> {
        let values = matrix.values.iter().copied().skip(first).step_by(step);
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let variance = values.clone().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let deviation = variance.sqrt();
        let scale = Self {
            mean,
            // Numbers that are all the same are only moved.
            deviation: if deviation > 0.0 { deviation } else { 1.0 },
            low: values.clone().fold(f64::INFINITY, f64::min),
            high: values.fold(f64::NEG_INFINITY, f64::max),
        };
        scale.check().map(|()| scale).map_err(|_| {
            let (low, high) = (scale.low, scale.high);
            let largest = if -low > high { low } else { high };
            Error::input(format!(
                "{}: {largest:e} is too large to be squared",
                matrix.name
            ))
            .help("give the numbers in another unit")
        })
    }

    pub fn apply(&self, value: f64) -> f32 {
        ((value - self.mean) / self.deviation) as f32
    }

    pub fn undo(&self, value: f32) -> f64 {
        f64::from(value) * self.deviation + self.mean
    }

    fn check(&self) -> std::result::Result<(), String> {
        let finite = [self.mean, self.deviation, self.low, self.high];
        match finite.iter().all(|x| x.is_finite()) && self.deviation > 0.0 {
            true => Ok(()),
            false => Err(format!("a scale is {self:?}")),
        }
    }
}

impl Config {
    /// Functions as the network reads them, `[functions, sensors]`.
    ///
    /// # Errors
    /// They have another number of values than the network reads, or one is out of all proportion.
    pub fn functions(&self, functions: &Matrix, device: &Device) -> Result<Tensor<2>> {
        if functions.columns != self.model.sensors {
            return Err(Error::input(format!(
                "{} has {} values a function, but the model reads {} sensors",
                functions.name, functions.columns, self.model.sensors
            )));
        }
        let scales = std::iter::repeat(&self.functions);
        scaled(functions, scales, device)
    }

    /// Points as the network reads them, `[points, coordinates]`.
    ///
    /// # Errors
    /// They have another number of coordinates than the network reads, or one is out of all proportion.
    pub fn points(&self, points: &Matrix, device: &Device) -> Result<Tensor<2>> {
        if points.columns != self.model.query {
            return Err(Error::input(format!(
                "{} has {} coordinates a point, but the model reads {}",
                points.name, points.columns, self.model.query
            )));
        }
        scaled(points, self.points.iter().cycle(), device)
    }

    /// A network's answers in the values' own unit.
    ///
    /// # Errors
    /// One is not a finite number, which is the fault of the parameters in the folder.
    pub fn answers(&self, folder: &Path, shape: Vec<usize>, found: TensorData) -> Result<Array> {
        let values = found.iter::<f32>().map(|s| self.values.undo(s)).collect();
        let explain = |error| Error::input(format!("{}: in its answer, {error}", folder.display()));
        Array::new(shape, values).map_err(explain)
    }

    /// How many points lie outside the box of those trained on.
    pub fn outside(&self, points: &Matrix) -> usize {
        let rows = points.values.chunks_exact(points.columns);
        let beyond = |row: &&[f64]| {
            let mut pairs = row.iter().zip(&self.points);
            pairs.any(|(y, scale)| *y < scale.low || *y > scale.high)
        };
        rows.filter(beyond).count()
    }

    fn check(&self) -> std::result::Result<(), String> {
        self.model.validate().map_err(|error| error.to_string())?;
        if self.points.len() != self.model.query {
            return Err(format!(
                "it scales {} coordinates, but the model reads {}",
                self.points.len(),
                self.model.query
            ));
        }
        for scale in self.points.iter().chain([&self.functions, &self.values]) {
            scale.check()?;
        }
        let Some(sensors) = &self.sensors else {
            return Ok(());
        };
        check_ascending("sensor", sensors).map_err(|error| error.to_string())?;
        match sensors.len() == self.model.sensors {
            true => Ok(()),
            false => Err("it has not a place a sensor".into()),
        }
    }
}

/// What no scaled number may exceed in size, lest sums of products of such numbers overflow.
const FAR: f32 = 1e15;

/// A matrix as the network reads it.
fn scaled<'a>(
    matrix: &Matrix,
    scales: impl Iterator<Item = &'a Scale>,
    device: &Device,
) -> Result<Tensor<2>> {
    let (rows, columns) = (matrix.rows, matrix.columns);
    let values = matrix.values.iter().zip(scales).enumerate();
    let values = values.map(|(at, (&value, scale))| {
        let scaled = scale.apply(value);
        if scaled.abs() <= FAR {
            return Ok(scaled);
        }
        let (row, column) = (at / columns, at % columns);
        Err(Error::input(format!(
            "{}: element [{row}, {column}] is {value:e}, out of all proportion to what was trained on",
            matrix.name
        ))
        .help(format!("that were {} to {}", scale.low, scale.high)))
    });
    Ok(tensor(
        values.collect::<Result<_>>()?,
        rows,
        columns,
        device,
    ))
}

/// Numbers on a device.
pub fn tensor(values: Vec<f32>, rows: usize, columns: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

/// Writes a folder, complete or not at all.
///
/// # Errors
/// It is there already and not to be replaced, or cannot be written.
pub fn save(folder: &Path, model: &DeepONet, config: &Config, overwrite: bool) -> Result<()> {
    let store = SafetensorsStore::from_bytes(None);
    model_folder::save(folder, model, store, config, overwrite)
}

/// Reads a folder.
///
/// # Errors
/// A file is missing or damaged, or the two do not fit together.
pub fn load(folder: &Path) -> Result<(DeepONet, Config)> {
    let read = |name| model_folder::read(folder, name, "deeponet");
    let (path, bytes) = read("config.json")?;
    let config: Config = serde_json::from_slice(&bytes).map_err(|e| damaged(&path, e))?;
    config.check().map_err(|e| damaged(&path, e))?;
    let (path, bytes) = read("model.safetensors")?;
    // A file that says it holds more than it does would make the network be allocated for nothing.
    let held = bytes.len() as u64 / 4;
    if config.model.parameters() > held {
        return Err(damaged(&path, "it is too short for config.json"));
    }
    let mut model = config
        .model
        .init(&Device::default())
        .map_err(|e| damaged(&path, e))?;
    fill(&mut model, &path, bytes)?;
    Ok((model, config))
}
