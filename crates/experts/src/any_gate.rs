//! Any of the gates, chosen at run time.

use crate::comet::{CometGate, CometGateConfig};
use crate::dselect_k::{DSelectK, DSelectKConfig};
use crate::error::Result;
use crate::gate::{Gate, GateInput, GateOutput};
use crate::hash::{HashGate, HashGateConfig};
use crate::top_k::{SoftmaxGate, SoftmaxGateConfig, TopK, TopKConfig};
use burn::config::Config;
use burn::module::Module;
use burn::tensor::Device;

/// Configuration of an [`AnyGate`].
#[derive(Config, Debug)]
pub enum GateConfig {
    /// See [`CometGate`].
    Comet(CometGateConfig),
    /// See [`DSelectK`].
    DSelectK(DSelectKConfig),
    /// See [`TopK`].
    TopK(TopKConfig),
    /// See [`HashGate`].
    Hash(HashGateConfig),
    /// See [`SoftmaxGate`].
    Softmax(SoftmaxGateConfig),
}

/// One of the gates, for programs that choose by a setting.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_experts::{Gate, GateConfig, GateInput, TopKConfig};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex();
/// let gate = GateConfig::TopK(TopKConfig::new(3, 4, 1)).init(&device)?;
/// assert_eq!(gate.weights(GateInput::new(Tensor::ones([2, 3], &device)))?.active(), 1.0);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub enum AnyGate {
    /// See [`CometGate`].
    Comet(CometGate),
    /// See [`DSelectK`].
    DSelectK(DSelectK),
    /// See [`TopK`].
    TopK(TopK),
    /// See [`HashGate`].
    Hash(HashGate),
    /// See [`SoftmaxGate`].
    Softmax(SoftmaxGate),
}

impl GateConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// Those of the gate's own configuration.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Comet(config) => config.validate(),
            Self::DSelectK(config) => config.validate(),
            Self::TopK(config) => config.validate(),
            Self::Hash(config) => config.validate(),
            Self::Softmax(config) => config.validate(),
        }
    }

    /// A gate with initial parameters.
    ///
    /// # Errors
    /// As [`GateConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<AnyGate> {
        Ok(match self {
            Self::Comet(config) => AnyGate::Comet(config.init(device)?),
            Self::DSelectK(config) => AnyGate::DSelectK(config.init(device)?),
            Self::TopK(config) => AnyGate::TopK(config.init(device)?),
            Self::Hash(config) => AnyGate::Hash(config.init(device)?),
            Self::Softmax(config) => AnyGate::Softmax(config.init(device)?),
        })
    }
}

impl AnyGate {
    fn gate(&self) -> &dyn Gate {
        match self {
            Self::Comet(gate) => gate,
            Self::DSelectK(gate) => gate,
            Self::TopK(gate) => gate,
            Self::Hash(gate) => gate,
            Self::Softmax(gate) => gate,
        }
    }
}

impl Gate for AnyGate {
    fn experts(&self) -> usize {
        self.gate().experts()
    }

    fn route(&self, input: GateInput<'_>) -> Result<GateOutput> {
        self.gate().route(input)
    }
}
