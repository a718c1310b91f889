//! Reference solvers: what an operator gives, to a stated accuracy.
//!
//! | solver | method | accuracy |
//! |---|---|---|
//! | [`DynamicSystem`] | Dormand and Prince's pair of order 5 (4), adaptive | 1e-10 a step, relative and absolute; below 1e-8 in all for smooth inputs |
//! | [`DiffusionReaction`] | Crank–Nicolson with the source linearized, extrapolated (Richardson) | order 4, about 1e-5 at the default grid |
//! | [`advection`] | exact along characteristics | rounding |
//! | [`AdvectionDiffusion`] | Fourier series | spectral: rounding for profiles of few frequencies |
//! | [`legendre_transform`] | Gauss–Legendre | rounding for polynomials below degree `2 nodes − terms` |
//! | [`caputo`] | Gauss–Jacobi with the kernel as weight | rounding for polynomials up to degree `2 nodes` |
//!
//! Sources: the systems are those of Lu et al., arXiv:1910.03193, and of their repository (`src/system.py`,
//! `src/ADR_solver.py`, `src/CVC_solver.py`, `src/ADVD_solver.py`, `fractional/`); the methods are ours.

mod advection;
mod diffusion_reaction;
mod dynamic_system;
mod fractional;
mod legendre;
mod ode;
mod quadrature;

pub use advection::{AdvectionDiffusion, advection};
pub use diffusion_reaction::{DiffusionReaction, DiffusionReactionConfig, Field};
pub use dynamic_system::DynamicSystem;
pub use fractional::{Caputo, caputo};
pub use legendre::legendre_transform;
pub use ode::{Integrator, TOLERANCE};
pub use quadrature::Quadrature;
