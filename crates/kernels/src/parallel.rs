//! Work shared among threads in pieces whose size does not depend on how many threads there are.

use rayon::prelude::*;

/// Numbers that an element-wise kernel handles at a time: a piece fits the first-level cache with what it reads.
pub(crate) const PIECE: usize = 4096;

/// Elements from which element-wise work is shared; below, waking a thread costs more than it saves.
pub(crate) const SHARED: usize = 32_768;

/// Calls `work` with the index of the first element of each piece of `out`, and the piece.
pub(crate) fn pieces(out: &mut [f32], piece: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    let whole = out.len();
    if whole < SHARED {
        for (index, out) in out.chunks_mut(piece.max(1)).enumerate() {
            work(index * piece, out);
        }
    } else {
        // Rayon would otherwise split down to single pieces.
        let least = (SHARED / 2 / piece.max(1)).max(1);
        out.par_chunks_mut(piece.max(1))
            .with_min_len(least)
            .enumerate()
            .for_each(|(index, out)| work(index * piece, out));
    }
}
