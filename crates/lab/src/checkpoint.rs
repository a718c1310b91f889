//! What a trial goes on from after an interruption.

use crate::error::{Error, Result};
use burn::{module::Module, optim::ModuleOptimizer, store::ModuleRecord, tensor::Bytes};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, HashMap};

/// The state of a trial after some steps: parts by name, each a string of bytes.
///
/// As a file it is a safetensors file whose tensors are the parts (`u8`) and whose metadata holds `step`,
/// `metrics` (length of `metrics.jsonl` at that step) and `seconds`.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The next step.
    pub step: u64,
    pub(crate) metrics_len: u64,
    pub(crate) seconds: f64,
    parts: BTreeMap<String, Vec<u8>>,
}

impl Checkpoint {
    /// A checkpoint from which the trial goes on with `step`.
    pub fn new(step: u64) -> Self {
        Self {
            step,
            metrics_len: 0,
            seconds: 0.0,
            parts: BTreeMap::new(),
        }
    }

    /// Adds the parameters of a module.
    ///
    /// # Errors
    /// The module cannot be serialized.
    pub fn with_module<M: Module>(self, name: &str, module: M) -> Result<Self> {
        let bytes = module
            .into_record()
            .into_bytes()
            .map_err(|e| broken(name, e))?;
        Ok(self.with_bytes(name, bytes.to_vec()))
    }

    /// Adds the state of an optimizer.
    ///
    /// # Errors
    /// The optimizer cannot be serialized.
    pub fn with_optimizer(self, name: &str, optimizer: &ModuleOptimizer) -> Result<Self> {
        let bytes = optimizer.into_bytes().map_err(|e| broken(name, e))?;
        Ok(self.with_bytes(name, bytes.to_vec()))
    }

    /// Adds a plain value.
    ///
    /// # Errors
    /// The value cannot be serialized.
    pub fn with_value<T: Serialize>(self, name: &str, value: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(value).map_err(|e| broken(name, e))?;
        Ok(self.with_bytes(name, bytes))
    }

    fn with_bytes(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.parts.insert(name.to_string(), bytes);
        self
    }

    /// The module with the parameters of the checkpoint.
    ///
    /// # Errors
    /// There is no such part, or it is not a record of this module.
    pub fn module<M: Module>(&self, name: &str, module: M) -> Result<M> {
        let bytes = Bytes::from_bytes_vec(self.part(name)?.to_vec());
        let record = ModuleRecord::from_bytes(bytes).map_err(|e| broken(name, e))?;
        Ok(module.load_record(record))
    }

    /// The optimizer with the state of the checkpoint.
    ///
    /// # Errors
    /// There is no such part, or it is not a record of this optimizer.
    pub fn optimizer(&self, name: &str, optimizer: ModuleOptimizer) -> Result<ModuleOptimizer> {
        let bytes = Bytes::from_bytes_vec(self.part(name)?.to_vec());
        optimizer.from_bytes(bytes).map_err(|e| broken(name, e))
    }

    /// A plain value.
    ///
    /// # Errors
    /// There is no such part, or it is of another type.
    pub fn value<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_slice(self.part(name)?).map_err(|e| broken(name, e))
    }

    fn part(&self, name: &str) -> Result<&[u8]> {
        let part = self.parts.get(name).map(Vec::as_slice);
        part.ok_or_else(|| Error::run(format!("the checkpoint has no part \"{name}\"")))
    }

    /// The checkpoint as a file's bytes.
    ///
    /// # Errors
    /// The parts cannot be serialized.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let metadata = HashMap::from([
            ("step".to_string(), self.step.to_string()),
            ("metrics".to_string(), self.metrics_len.to_string()),
            ("seconds".to_string(), self.seconds.to_string()),
        ]);
        let views = self.parts.iter().map(|(name, bytes)| {
            let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes);
            (name, view.expect("a part is as long as it is"))
        });
        safetensors::serialize(views, Some(metadata)).map_err(|e| broken("checkpoint", e))
    }

    /// A checkpoint from a file's bytes.
    ///
    /// # Errors
    /// The bytes are not a checkpoint.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| broken("checkpoint", e))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| broken("checkpoint", e))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let field = |name: &str| {
            let value = metadata.get(name).cloned();
            value.ok_or_else(|| Error::run(format!("the checkpoint has no \"{name}\"")))
        };
        let whole = |name: &str| field(name)?.parse::<u64>().map_err(|e| broken(name, e));
        Ok(Self {
            step: whole("step")?,
            metrics_len: whole("metrics")?,
            seconds: field("seconds")?
                .parse()
                .map_err(|e| broken("seconds", e))?,
            parts: file
                .iter()
                .map(|(name, view)| (name.to_string(), view.data().to_vec()))
                .collect(),
        })
    }
}

fn broken(part: &str, error: impl std::fmt::Display) -> Error {
    Error::run(format!(
        "the checkpoint is damaged: {part}: {error}; begin again with --fresh"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{
        nn::{Linear, LinearConfig},
        optim::{AdamConfig, GradientsParams},
        tensor::{Device, Tensor},
    };

    fn step(model: Linear, optimizer: &mut ModuleOptimizer, device: &Device) -> Linear {
        let x = Tensor::<2>::ones([4, 3], device);
        let loss = model.forward(x).powf_scalar(2.0).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        optimizer.step(0.1, model, gradients)
    }

    fn values(model: &Linear) -> Vec<f32> {
        model.weight.val().into_data().iter::<f32>().collect()
    }

    #[test]
    fn training_goes_on_bit_equal() {
        let device = Device::default().autodiff();
        device.seed(7);
        let mut optimizer = AdamConfig::new().init();
        let mut model = LinearConfig::new(3, 2).init(&device);
        for _ in 0..3 {
            model = step(model, &mut optimizer, &device);
        }
        let checkpoint = Checkpoint::new(3)
            .with_module("model", model.clone())
            .and_then(|c| c.with_optimizer("adam", &optimizer))
            .and_then(|c| c.with_value("best", &0.25))
            .unwrap();
        let bytes = checkpoint.to_bytes().unwrap();
        for _ in 0..3 {
            model = step(model, &mut optimizer, &device);
        }
        let restored = Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!(restored, checkpoint);
        let fresh = LinearConfig::new(3, 2).init(&device);
        let mut resumed = restored.module("model", fresh).unwrap();
        let mut optimizer = restored
            .optimizer("adam", AdamConfig::new().init())
            .unwrap();
        for _ in 0..3 {
            resumed = step(resumed, &mut optimizer, &device);
        }
        assert_eq!(values(&resumed), values(&model));
        assert_eq!(restored.value::<f64>("best").unwrap(), 0.25);
        assert!(restored.value::<f64>("worst").is_err());
    }

    #[test]
    fn damaged_bytes_are_errors() {
        let bytes = Checkpoint::new(3)
            .with_value("best", &1)
            .unwrap()
            .to_bytes()
            .unwrap();
        for cut in 0..bytes.len() {
            assert!(Checkpoint::from_bytes(&bytes[..cut]).is_err());
        }
    }
}
