//! Mini-batches that depend on the seed and the epoch alone.

use crate::draw::Draw;
use crate::error::DataError;

/// What happens to rows left over when the batch size does not divide the number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LastBatch {
    /// They are a smaller batch of their own.
    #[default]
    Keep,
    /// They are left out of this epoch (another epoch leaves out others).
    Drop,
}

/// The rows `0..rows` in random order, cut into batches of `size`.
///
/// The order is a function of `rows`, `seed` and `epoch` and of nothing else: a run that is resumed at the start of an
/// epoch sees the batches an undisturbed run sees.
///
/// # Errors
/// `size` is 0, `rows` is 0, or the only batch would be dropped.
pub fn batches(
    rows: usize,
    size: usize,
    seed: u64,
    epoch: u64,
    last: LastBatch,
) -> Result<Vec<Vec<usize>>, DataError> {
    if rows == 0 {
        return Err(DataError::setting("rows", rows, "at least 1"));
    }
    if size == 0 || (last == LastBatch::Drop && size > rows) {
        let expected = match last {
            LastBatch::Keep => "at least 1".to_owned(),
            LastBatch::Drop => format!("1 to {rows}, the number of rows"),
        };
        return Err(DataError::setting("batch", size, expected));
    }
    let order = Draw::new(b"offprint batches", seed, epoch).permutation(rows);
    let kept = match last {
        LastBatch::Keep => rows,
        LastBatch::Drop => rows - rows % size,
    };
    Ok(order[..kept].chunks(size).map(<[usize]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order comes from a second implementation in Python.
    #[test]
    fn known_answer() {
        assert_eq!(
            batches(10, 4, 5, 2, LastBatch::Keep).unwrap(),
            [vec![6, 3, 7, 0], vec![4, 9, 2, 8], vec![5, 1]]
        );
        assert_eq!(
            batches(10, 4, 5, 2, LastBatch::Drop).unwrap(),
            [vec![6, 3, 7, 0], vec![4, 9, 2, 8]]
        );
    }

    #[test]
    fn an_epoch_visits_every_row_once_in_an_order_of_its_own() {
        let of = |seed, epoch| batches(103, 10, seed, epoch, LastBatch::Keep).unwrap();
        for epoch in 0..5 {
            let mut rows = of(1, epoch).concat();
            rows.sort_unstable();
            assert_eq!(rows, (0..103).collect::<Vec<_>>());
        }
        assert_ne!(of(1, 0), of(1, 1));
        assert_ne!(of(1, 0), of(2, 0));
        assert_ne!(of(1, 2), of(2, 1));
    }

    #[test]
    fn refuses_empty_batches() {
        let refused = |rows, size, last| batches(rows, size, 0, 0, last).unwrap_err().to_string();
        assert_eq!(
            refused(5, 0, LastBatch::Keep),
            "batch = 0, expected at least 1"
        );
        assert_eq!(
            refused(5, 6, LastBatch::Drop),
            "batch = 6, expected 1 to 5, the number of rows"
        );
        assert_eq!(
            refused(0, 6, LastBatch::Keep),
            "rows = 0, expected at least 1"
        );
        assert_eq!(
            batches(5, usize::MAX, 0, 0, LastBatch::Keep).unwrap().len(),
            1
        );
    }
}
