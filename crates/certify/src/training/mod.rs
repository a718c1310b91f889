//! Training a network on its bounds: initial values, the growing radius, regularizers for the time in which it grows, and
//! the loss of a step.

mod init;
mod objective;
mod regularizers;
mod schedule;

pub use init::{ibp_deviation, ibp_init, xavier_init};
pub use objective::{Method, Objective, Step};
pub use regularizers::{ReluStates, relu_balance, relu_states, tightness};
pub use schedule::EpsilonSchedule;
