//! Scratch memory that a thread keeps.

use crate::lanes::{LANES, Lanes};
use std::cell::RefCell;

thread_local! {
    /// One for each call inside another, the outermost last.
    static SCRATCH: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with this thread's scratch memory, cut into pieces of at least these lengths, each beginning with a cache
/// line. Their contents are arbitrary numbers.
pub fn with_scratch<const N: usize, R>(
    lengths: [usize; N],
    work: impl FnOnce([&mut [f32]; N]) -> R,
) -> R {
    let mut scratch = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
    let lengths = lengths.map(|length| length.next_multiple_of(LANES));
    let all = lengths.iter().sum::<usize>() + LANES;
    if scratch.len() < all {
        scratch = vec![0.0; all];
    }
    let skip = scratch.as_ptr().align_offset(size_of::<Lanes>());
    let mut rest = &mut scratch[skip..];
    let result = work(lengths.map(|length| {
        let (piece, others) = std::mem::take(&mut rest).split_at_mut(length);
        rest = others;
        piece
    }));
    SCRATCH.with_borrow_mut(|kept| kept.push(scratch));
    result
}

/// How many numbers this thread's scratch memory holds.
#[cfg(test)]
pub fn scratch_len() -> usize {
    SCRATCH.with_borrow(|kept| kept.iter().map(Vec::len).sum())
}
