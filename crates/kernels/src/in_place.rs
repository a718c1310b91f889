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

/// As [`rewritten`], while every `several` pieces also write `each` elements of `sums` of their own.
pub(crate) fn rewritten_with_sums(
    mut dy: Array,
    [piece, several]: [usize; 2],
    sums: &mut [f32],
    each: usize,
    work: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) -> Array {
    let (size, cut) = (dy.f32().len(), piece * several);
    let count = size.div_ceil(cut.max(1));
    let run = |out: &mut [f32], dy: Option<&[f32]>, sums: &mut [f32]| {
        cuts(
            [(out, cut), (sums, each)],
            count,
            size,
            |index, [out, sums]| {
                for (i, out) in out.chunks_mut(piece).enumerate() {
                    let start = index * cut + i * piece;
                    if let Some(dy) = dy {
                        out.copy_from_slice(&dy[start..][..out.len()]);
                    }
                    work(start, out, sums);
                }
            },
        );
    };
    if let Some(values) = dy.f32_mut() {
        run(values, None, sums);
        return dy;
    }
    let mut out = Buffer::new(size);
    run(&mut out, Some(dy.f32()), sums);
    Array::from_buffer(out, dy.shape())
}
