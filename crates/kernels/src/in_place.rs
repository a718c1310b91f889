//! Gradients written over the ones they are made from.

use crate::memory::Buffer;
use crate::op::Array;
use crate::parallel::{cuts, pieces};

/// Calls `work` with the index of the first element of each piece of `dy`, and the piece, which it turns into the result:
/// in the same memory if nothing else reads it.
pub(crate) fn rewritten(
    mut dy: Array,
    piece: usize,
    work: impl Fn(usize, &mut [f32]) + Sync,
) -> Array {
    if let Some(values) = dy.f32_mut() {
        pieces(values, piece, work);
        return dy;
    }
    let mut out = Buffer::new(dy.f32().len());
    pieces(&mut out, piece, |start, out| {
        out.copy_from_slice(&dy.f32()[start..][..out.len()]);
        work(start, out);
    });
    Array::from_buffer(out, dy.shape())
}

/// As [`rewritten`], while each piece also writes its own `each` elements of `sums`.
pub(crate) fn rewritten_with_sums(
    mut dy: Array,
    piece: usize,
    sums: &mut [f32],
    each: usize,
    work: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) -> Array {
    let size = dy.f32().len();
    let count = size.div_ceil(piece.max(1));
    if let Some(values) = dy.f32_mut() {
        cuts(
            [(values, piece), (sums, each)],
            count,
            size,
            |index, [values, sums]| {
                work(index * piece, values, sums);
            },
        );
        return dy;
    }
    let mut out = Buffer::new(size);
    cuts(
        [(&mut out, piece), (sums, each)],
        count,
        size,
        |index, [out, sums]| {
            out.copy_from_slice(&dy.f32()[index * piece..][..out.len()]);
            work(index * piece, out, sums);
        },
    );
    Array::from_buffer(out, dy.shape())
}
