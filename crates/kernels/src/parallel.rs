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

/// Cuts each of `outs` into `count` equal pieces (the last may be shorter), where `outs` are given with the length of
/// theirs, and calls `work` with the number of each cut and its pieces. `size` elements in all decide whether to share.
pub(crate) fn cuts<T: Send, const N: usize>(
    outs: [(&mut [T], usize); N],
    count: usize,
    size: usize,
    work: impl Fn(usize, [&mut [T]; N]) + Sync,
) {
    let mut rest = outs;
    let mut cut = || {
        rest.each_mut().map(|(out, length)| {
            let length = (*length).min(out.len());
            out.split_off_mut(..length).unwrap_or_default()
        })
    };
    if size < SHARED {
        (0..count).for_each(|index| work(index, cut()));
    } else {
        let cuts: Vec<_> = (0..count).map(|_| cut()).collect();
        let cuts = cuts.into_par_iter().enumerate();
        cuts.for_each(|(index, cut)| work(index, cut));
    }
}
