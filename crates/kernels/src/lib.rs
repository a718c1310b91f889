//! Hand-written CPU kernels as Burn operations, one a file.
//!
//! A kernel is a plain function over slices and a Burn operation with its own backward pass. On the `flex` backend with
//! 32-bit floats it runs as written here; anywhere else the same function takes the way of Burn's primitives, which is
//! also what its tests compare it with. Results do not depend on the number of threads.

mod conv;
mod entropy;
mod grouped;
mod grouped_conv;
mod linear;
mod math;
mod op;
mod pairs;
mod product;
mod rows;
mod simd;
mod sinkhorn;
mod smooth_step;
#[cfg(test)]
mod testing;
mod top_k;
mod tree_gate;

pub use conv::ConvShape;
pub use entropy::entropy;
pub use grouped::grouped_linear;
pub use grouped_conv::grouped_conv;
pub use linear::linear;
pub use pairs::Pairs;
pub use product::{Matrix, product};
pub use rows::{combine, gather};
pub use sinkhorn::{normalize, sinkhorn};
pub use smooth_step::smooth_step;
pub use top_k::{top_k, top_k_softmax};
pub use tree_gate::{leaf_softmax, tree_reach, tree_width};
