//! Neural operators: networks that map functions to functions, the spaces their inputs are drawn from, and the solvers
//! their answers are checked against.
//!
//! [`DeepONet`] reads a function at fixed sensors and answers at any query point. [`spaces`] draws functions: Gaussian
//! random fields, Chebyshev and power series. [`solvers`] computes what an operator gives: ordinary differential
//! equations, diffusion–reaction, advection, the Legendre transform, fractional derivatives; each says its order or
//! tolerance.
//!
//! Networks are Burn modules in `f32`; spaces and solvers work in `f64` on plain slices. Whatever takes values from a
//! user returns a [`Result`]. Initial values of networks follow `device.seed(..)`, draws of functions their own seed.
//!
//! ```
//! use offprint_operators::solvers::DynamicSystem;
//! use offprint_operators::spaces::{Chebyshev, Domain, FunctionSpace};
//! # fn main() -> Result<(), offprint_operators::OperatorsError> {
//! let space = Chebyshev::new(5, 1.0, Domain::unit())?;
//! let functions = space.draw(3, 0);
//! // What the pendulum does under the first of these torques.
//! let u = |t: f64| space.value(functions.get(0), t);
//! let states = DynamicSystem::Pendulum { k: 1.0 }.solve(u, &[0.5, 1.0])?;
//! assert_eq!(states.len(), 2 * 2);
//! # Ok(())
//! # }
//! ```

pub mod deeponet;
mod error;
pub mod solvers;
pub mod spaces;

pub use deeponet::{DeepONet, DeepONetConfig};
pub use error::{OperatorsError, Result, check_ascending};
