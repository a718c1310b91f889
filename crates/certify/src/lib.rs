//! Certified training: bounds of what a network can give over a box of inputs, and training on them.
//!
//! [`graph`] holds a verifiable network, [`bounds`] its interval and CROWN-IBP bounds, [`training`] the initial values,
//! regularizers, schedule and loss of certified training, [`attack`] projected gradient ascent.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use offprint_certify::bounds::{Interval, Rounding, interval_forward, margins};
//! use offprint_certify::graph::NetworkConfig;
//! use offprint_certify::training::ibp_init;
//! # fn main() -> Result<(), offprint_certify::CertifyError> {
//! let device = Device::flex();
//! let network = ibp_init(NetworkConfig::cnn([1, 8, 8], 2, 16, 3, true).init(&device)?);
//! let x = Tensor::<2>::full([5, 64], 0.5, &device);
//! let input = Interval::around(x, 0.01, Some([0.0, 1.0]))?;
//! let bounds = interval_forward(&network, &input, None, Rounding::Outward)?;
//! let margins = margins(&network, &bounds, &[0, 1, 2, 0, 1])?;
//! assert_eq!(margins.dims(), [5, 3]);
//! # Ok(())
//! # }
//! ```

pub mod attack;
pub mod bounds;
mod error;
pub mod graph;
mod onnx;
pub mod training;

pub use error::{CertifyError, Result};
pub use onnx::{OPERATORS, read_onnx};
