//! Memory of large arrays, used again.
//!
//! A fresh large block costs the system a page fault for every 4 KiB, which takes longer than most kernels do. Blocks
//! that an array gives back are therefore kept, up to the largest amount that was ever needed at once: the process never
//! holds more than its live arrays would have taken at their peak.

use burn::tensor::Bytes;
use cubecl_environment::bytes::{
    AccessError, AccessPolicy, AllocationController, AllocationProperty,
};
use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A cache line of numbers; blocks are whole lines, so that no vector load crosses two.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; WIDTH]);

const WIDTH: usize = 16;

/// Lines below which a block is not worth keeping: the allocator has such blocks at hand.
const KEPT: usize = 256;

type Block = Vec<Line>;

/// Blocks given back, by their number of lines.
struct Pool {
    idle: BTreeMap<usize, Vec<Block>>,
    idle_lines: usize,
    used_lines: usize,
    most_used_lines: usize,
    taken: u64,
    fresh: u64,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    idle: BTreeMap::new(),
    idle_lines: 0,
    used_lines: 0,
    most_used_lines: 0,
    taken: 0,
    fresh: 0,
});

fn pool() -> MutexGuard<'static, Pool> {
    // The counts are changed together with the blocks, never across a call that can panic.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many arrays the kernels have asked for, and for how many of them no kept block would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocations {
    /// Arrays of at least 16 KiB.
    pub taken: u64,
    /// Those whose memory came from the system.
    pub fresh: u64,
    /// Largest number of bytes that such arrays have held at once.
    pub most_bytes: usize,
}

/// What the kernels of this process have allocated so far: a measure of work that no clock disturbs.
pub fn allocations() -> Allocations {
    let pool = pool();
    Allocations {
        taken: pool.taken,
        fresh: pool.fresh,
        most_bytes: pool.most_used_lines * size_of::<Line>(),
    }
}

/// Lines of the block for this many: rounded up by at most an eighth, so that arrays of similar size share blocks.
fn class(lines: usize) -> usize {
    lines.next_multiple_of((lines.next_power_of_two() / 16).max(1))
}

impl Pool {
    fn take(&mut self, lines: usize) -> Option<Block> {
        self.taken += 1;
        self.used_lines += lines;
        self.most_used_lines = self.most_used_lines.max(self.used_lines);
        let block = self.idle.get_mut(&lines).and_then(Vec::pop);
        match &block {
            Some(_) => self.idle_lines -= lines,
            None => {
                self.fresh += 1;
                self.shrink();
            }
        }
        block
    }

    fn give(&mut self, block: Block) {
        self.used_lines -= block.len();
        self.idle_lines += block.len();
        self.idle.entry(block.len()).or_default().push(block);
    }

    /// Frees idle blocks until all blocks together are no more than were ever in use at once: the smallest one that is
    /// enough, so that a large one is not given up for a small one's sake, or the largest.
    fn shrink(&mut self) {
        loop {
            let excess = (self.used_lines + self.idle_lines).saturating_sub(self.most_used_lines);
            if excess == 0 {
                return;
            }
            let enough = self.idle.range(excess..).next();
            let Some((&lines, _)) = enough.or_else(|| self.idle.iter().next_back()) else {
                return;
            };
            match self.idle.get_mut(&lines).and_then(Vec::pop) {
                Some(_) => self.idle_lines -= lines,
                None => drop(self.idle.remove(&lines)),
            }
        }
    }
}

/// An array of numbers on the way to become a tensor. Its first contents are whatever the block last held.
pub(crate) struct Buffer {
    block: Block,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` numbers, to be overwritten.
    pub fn new(len: usize) -> Self {
        let lines = class(len.div_ceil(WIDTH));
        let kept = (lines >= KEPT).then(|| pool().take(lines)).flatten();
        let block = kept.unwrap_or_else(|| vec![Line([0.0; WIDTH]); lines]);
        Self { block, len }
    }

    /// A buffer of `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let mut buffer = Self::new(len);
        buffer.fill(0.0);
        buffer
    }

    /// The buffer as the storage of a tensor.
    pub fn into_bytes(self) -> Bytes {
        let len = self.len * size_of::<f32>();
        // SAFETY: every number of a block has been written, at the latest when the block was made.
        unsafe { Bytes::from_controller(Box::new(self), len) }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: the block holds at least `len` numbers, line after line without a gap.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as for `deref`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_mut_ptr().cast(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.block.len() >= KEPT {
            pool().give(std::mem::take(&mut self.block));
        }
    }
}

impl AllocationController for Buffer {
    fn alloc_align(&self) -> usize {
        align_of::<Line>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let (start, len) = (self.block.as_ptr(), self.block.len() * size_of::<Line>());
        // SAFETY: these are the bytes of the block.
        Ok(unsafe { std::slice::from_raw_parts(start.cast(), len) })
    }

    unsafe fn memory_mut(
        &mut self,
        _: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let (start, len) = (
            self.block.as_mut_ptr(),
            self.block.len() * size_of::<Line>(),
        );
        // SAFETY: these are the bytes of the block, and the caller writes initialized ones only.
        Ok(unsafe { std::slice::from_raw_parts_mut(start.cast(), len) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_given_back_is_used_again() {
        // A size that no other test asks for.
        let len = 1_234_567;
        let first = Buffer::new(len);
        let place = first.as_ptr();
        drop(first);
        let second = Buffer::new(len - 1000);
        assert_eq!((second.as_ptr(), second.len()), (place, len - 1000));
        assert_eq!(place.align_offset(64), 0);
        assert!(Buffer::zeroed(len).iter().all(|x| *x == 0.0));
    }

    #[test]
    fn classes_waste_at_most_an_eighth() {
        for lines in 1..5000 {
            let class = super::class(lines);
            assert!(
                class >= lines && class <= lines + lines / 8,
                "{lines} {class}"
            );
        }
    }

    #[test]
    fn holds_no_more_than_was_needed_at_once() {
        let mut pool = Pool {
            idle: BTreeMap::new(),
            idle_lines: 0,
            used_lines: 0,
            most_used_lines: 0,
            taken: 0,
            fresh: 0,
        };
        for lines in [100, 90, 80, 70] {
            let block = pool
                .take(lines)
                .unwrap_or_else(|| vec![Line([0.0; WIDTH]); lines]);
            pool.give(block);
            assert!(pool.used_lines + pool.idle_lines <= pool.most_used_lines);
        }
        assert_eq!((pool.most_used_lines, pool.fresh), (100, 4));
        assert!(pool.take(70).is_some());
    }
}
