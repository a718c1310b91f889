//! Hand-written CPU kernels as Burn operations, one a file.
//!
//! A kernel is a plain function over slices and a Burn operation with its own backward pass. On the `flex` backend with
//! 32-bit floats it runs as written here; anywhere else the same function takes the way of Burn's primitives, which is
//! also what its tests compare it with. Results do not depend on the number of threads.

mod activation;
mod add;
mod attention;
mod batch_norm;
mod causal_conv;
mod conv;
mod conv2d;
mod cross_entropy;
mod dropout;
mod embedding;
mod entropy;
pub mod gated_recurrence;
mod grouped;
mod grouped_conv;
mod in_place;
mod lanes;
mod linear;
mod log_sigmoid;
mod math;
mod matmul;
mod memory;
mod norm;
mod op;
mod optim;
mod pairs;
mod parallel;
mod pool2d;
mod product;
mod pullback;
mod reduce;
mod rotary;
mod rows;
mod selection;
mod selective_scan;
mod simd;
mod sinkhorn;
mod smooth_step;
mod softmax;
mod sort;
mod sparse;
#[cfg(test)]
mod testing;
mod top_k;
mod tree_gate;
mod vector;

pub use activation::{Activation, activate};
pub use add::add;
pub use attention::{Attention, attention, attention_packed, padding_bias};
pub use batch_norm::{batch_norm, batch_norm_inference};
pub use causal_conv::causal_conv;
pub use conv::ConvShape;
pub use conv2d::{Conv2d, conv2d};
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use dropout::{Dropout, dropout};
pub use embedding::embedding;
pub use entropy::entropy;
pub use grouped::grouped_linear;
pub use grouped_conv::grouped_conv;
pub use linear::linear;
pub use log_sigmoid::log_sigmoid;
pub use matmul::matmul;
pub use memory::{Allocations, allocations};
pub use norm::{layer_norm, rms_norm};
pub use op::{Operations, operations};
pub use optim::{AdamW, AdamWState, Sgd, SgdState, clip_grad_norm};
pub use pairs::Pairs;
pub use pool2d::{avg_pool2d, global_avg_pool2d, max_pool2d};
pub use product::{Matrix, product};
pub use pullback::backward_from;
pub use reduce::{mean, sum, variance};
pub use rotary::{rotary, rotary_packed};
pub use rows::{combine, gather, gather_rows, scatter_add};
pub use selective_scan::{selective_scan, selective_scan_with_state};
pub use sinkhorn::{normalize, sinkhorn};
pub use smooth_step::smooth_step;
pub use softmax::{log_softmax, softmax};
pub use sort::{Order, sort};
pub use sparse::{Sparse, sparse_product};
pub use top_k::{argmax, largest, top_k, top_k_softmax};
pub use tree_gate::{leaf_softmax, tree_reach, tree_width};
