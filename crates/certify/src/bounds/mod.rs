//! Bounds of what a network can give over a box of inputs.
//!
//! [`interval_forward`] carries a box through the layers; [`crown_ibp`] bounds the margins by linear functions of the input
//! whose ReLU relaxations come from those boxes. Both are differentiable, so that a network can be trained on them.

mod crown;
mod interval;
mod margin;
mod relaxation;
mod rounding;

pub use crown::crown_ibp;
pub use interval::{Bounds, Interval, interval_forward};
pub(crate) use margin::indices;
pub use margin::{margins, robust_loss};
pub use rounding::Rounding;
