//! Offprint: published learning methods as parts, commands and verdicts.
//!
//! This crate is the facade of the library, a room a module, and the `offprint` program. A method is a part for your own
//! Burn model:
//!
//! ```
//! use offprint::experts::{CometGateConfig, Gate, GateInput};
//! use burn::tensor::{Device, Distribution, Tensor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Device::default();
//! let gate = CometGateConfig::new(16, 8, 2).init(&device)?;
//! let x = Tensor::random([4, 16], Distribution::Default, &device);
//! let output = gate.weights(GateInput::new(x))?;
//! assert_eq!(output.weights.dims(), [4, 8]);
//! # Ok(())
//! # }
//! ```

pub use offprint_backbones as backbones;
pub use offprint_certify as certify;
pub use offprint_data as data;
pub use offprint_experts as experts;
pub use offprint_kernels as kernels;
pub use offprint_lab as lab;
pub use offprint_language as language;
pub use offprint_layers as layers;
pub use offprint_operators as operators;
pub use offprint_papers as papers;
