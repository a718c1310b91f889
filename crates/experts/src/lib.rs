//! Sparse mixtures of experts: gates, local search over permutations of the experts, and expert layers that are evaluated
//! only where a gate sends a row.
//!
//! A [`Gate`] turns features into mixture weights: [`CometGate`], [`DSelectK`], [`TopK`], [`HashGate`], [`SoftmaxGate`],
//! or [`AnyGate`] of them. [`LocalSearch`] gives any of them a [`Permutation`] of the experts. [`MixtureOfExperts`] and
//! [`MultiGate`] put a gate before an [`ExpertLayer`]. [`NeuronImportance`] and [`NeuronSplit`] say which neurons of a trained
//! feed-forward layer go to which expert.
//!
//! Whatever takes values from a user returns a [`Result`]; `validate()` of a configuration says what is wrong with it
//! before anything is allocated. Random draws are inputs, initial values follow `device.seed(..)`.

mod any_gate;
mod assignment;
mod cnn;
mod comet;
mod dselect_k;
mod error;
mod gate;
mod hash;
mod init;
mod layer;
mod local_search;
mod mixture;
mod mlp;
mod multi_gate;
mod permutation;
mod smooth_step;
mod split;
#[cfg(test)]
mod testing;
mod top_k;

pub use any_gate::{AnyGate, GateConfig};
pub use assignment::assignment;
pub use cnn::{CnnExperts, CnnExpertsConfig};
pub use comet::{CometGate, CometGateConfig, TreeParameters};
pub use dselect_k::{DSelectK, DSelectKConfig, SelectorParameters};
pub use error::{ExpertsError, Result};
pub use gate::{Detail, Gate, GateInput, GateOutput, NEGLIGIBLE};
pub use hash::{HashGate, HashGateConfig};
pub use layer::{Expert, ExpertLayer, ExpertList};
pub use local_search::{LocalSearch, LocalSearchConfig, Schedule, Stage};
pub use mixture::{MixtureOfExperts, MixtureOutput};
pub use mlp::{Mlp, MlpConfig, MlpExperts, MlpExpertsConfig};
pub use multi_gate::{MultiGate, MultiGateOutput};
pub use offprint_kernels::{Pairs, sinkhorn};
pub use permutation::Permutation;
pub use smooth_step::{SmoothStep, SmoothStepConfig};
pub use split::{NeuronImportance, NeuronSplit, ranking};
pub use top_k::{SoftmaxGate, SoftmaxGateConfig, TopK, TopKConfig};
