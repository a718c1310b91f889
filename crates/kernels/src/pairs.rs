//! Which rows of a batch go to which expert.

use std::ops::Range;

/// The (row, expert) pairs that a sparse mixture evaluates, sorted by expert and then by row.
///
/// ```
/// use offprint_kernels::Pairs;
/// // Two rows, three experts: row 0 uses experts 0 and 2, row 1 uses expert 2.
/// let pairs = Pairs::from_weights(&[0.4, 0.0, 0.6, 0.0, 0.0, 1.0], 3);
/// assert_eq!(pairs.rows(), [0, 0, 1]);
/// assert_eq!(pairs.segment(2), 1..3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    batch: usize,
    rows: Vec<usize>,
    offsets: Vec<usize>,
}

impl Pairs {
    /// The pairs with a weight other than zero, given row-major weights `[batch, experts]`.
    ///
    /// # Panics
    /// If `experts` is zero or does not divide the number of weights.
    pub fn from_weights(weights: &[f32], experts: usize) -> Self {
        Self::union(&[weights], experts)
    }

    /// The pairs with a weight other than zero in at least one of several weightings of the same batch.
    ///
    /// # Panics
    /// As [`Pairs::from_weights`], and if the weightings differ in size or there is none.
    pub fn union(weightings: &[&[f32]], experts: usize) -> Self {
        let elements = weightings[0].len();
        assert!(
            experts > 0 && elements.is_multiple_of(experts),
            "experts of a batch"
        );
        assert!(weightings.iter().all(|weights| weights.len() == elements));
        let batch = elements / experts;
        let (mut rows, mut offsets) = (vec![], vec![0]);
        for expert in 0..experts {
            rows.extend((0..batch).filter(|row| {
                weightings
                    .iter()
                    .any(|weights| weights[row * experts + expert] != 0.0)
            }));
            offsets.push(rows.len());
        }
        Self {
            batch,
            rows,
            offsets,
        }
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row goes to any expert.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of rows in the batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Number of experts.
    pub fn experts(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The row of each pair.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The pairs of one expert.
    ///
    /// # Panics
    /// If there is no such expert.
    pub fn segment(&self, expert: usize) -> Range<usize> {
        self.offsets[expert]..self.offsets[expert + 1]
    }

    /// The segments of all experts in order.
    pub fn segments(&self) -> impl Iterator<Item = Range<usize>> {
        self.offsets.windows(2).map(|ends| ends[0]..ends[1])
    }

    /// Cuts a slice of `width` elements a pair into one slice an expert.
    pub(crate) fn split<'a>(&self, values: &'a [f32], width: usize) -> Vec<&'a [f32]> {
        self.segments()
            .map(|segment| &values[segment.start * width..segment.end * width])
            .collect()
    }

    /// As [`Pairs::split`], for writing.
    pub(crate) fn split_mut<'a>(
        &self,
        mut values: &'a mut [f32],
        width: usize,
    ) -> Vec<&'a mut [f32]> {
        let mut slices = Vec::with_capacity(self.experts());
        for segment in self.segments() {
            let (head, tail) = values.split_at_mut(segment.len() * width);
            slices.push(head);
            values = tail;
        }
        slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn union_of_two_tasks() {
        let pairs = Pairs::union(&[&[1.0, 0.0, 0.0, 0.0], &[0.0, 0.0, 0.5, 0.5]], 2);
        assert_eq!(pairs.rows(), [0, 1, 1]);
        assert_eq!(pairs.segments().collect::<Vec<_>>(), [0..2, 2..3]);
        assert_eq!((pairs.batch(), pairs.experts(), pairs.len()), (2, 2, 3));
    }

    #[test]
    fn no_rows_and_no_pairs() {
        let pairs = Pairs::from_weights(&[], 3);
        assert_eq!(
            (pairs.batch(), pairs.experts(), pairs.is_empty()),
            (0, 3, true)
        );
        assert!(Pairs::from_weights(&[0.0; 6], 3).is_empty());
    }

    #[test]
    fn a_weight_that_is_not_a_number_is_kept() {
        assert_eq!(Pairs::from_weights(&[f32::NAN, 0.0], 2).rows(), [0]);
    }
}
