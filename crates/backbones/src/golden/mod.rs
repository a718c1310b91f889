//! Golden cases of the backbones: which calls compute what a file holds.

mod sequences;
mod transformers;
mod vision;

use offprint_lab::golden::Method;

/// The kinds.
pub const METHODS: &[Method] = &{
    let [a, b, c, d, e, f] = vision::METHODS;
    let [g, h, i, j] = transformers::METHODS;
    let [k, l] = sequences::METHODS;
    [a, b, c, d, e, f, g, h, i, j, k, l]
};
