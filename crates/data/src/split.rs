//! Training, validation and test rows by one fixed rule.
//!
//! The rule: rows are put in the order of one fixed permutation (it depends on the number of rows and on nothing else,
//! no seed); the first `test` share is the test set, the next `validation` share the validation set, the rest is for
//! training. [`Split::stratified`] applies the shares within each label. Each part keeps the permutation's order, so its
//! first rows are a random sample of it. Every study on every set uses this rule; a set's split never changes.

use std::collections::BTreeMap;

use crate::draw::Draw;
use crate::error::DataError;

/// The shares of the rows held out of training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// Share for validation, in `[0, 1)`.
    pub validation: f64,
    /// Share for test, in `[0, 1)`; the two sum to less than 1.
    pub test: f64,
}

/// One tenth for validation, two tenths for test.
impl Default for Shares {
    fn default() -> Self {
        Self {
            validation: 0.1,
            test: 0.2,
        }
    }
}

impl Shares {
    fn validate(self) -> Result<(), DataError> {
        for (what, share) in [
            ("validation share", self.validation),
            ("test share", self.test),
        ] {
            if !(0.0..1.0).contains(&share) {
                return Err(DataError::setting(what, share, "at least 0 and below 1"));
            }
        }
        if self.validation + self.test >= 1.0 {
            let sum = self.validation + self.test;
            let what = "validation share + test share";
            return Err(DataError::setting(what, sum, "below 1"));
        }
        Ok(())
    }

    /// Of `rows` rows, how many are for test, and how many for test or validation.
    fn cuts(self, rows: usize) -> (usize, usize) {
        let test = (rows as f64 * self.test).round() as usize;
        let validation = (rows as f64 * self.validation).round() as usize;
        (test, (test + validation).min(rows))
    }
}

/// Row numbers of three disjoint parts that together are all rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows to fit on.
    pub train: Vec<usize>,
    /// Rows to choose settings by.
    pub validation: Vec<usize>,
    /// Rows to report on, never to choose by.
    pub test: Vec<usize>,
}

impl Split {
    /// The split of `rows` rows.
    ///
    /// # Errors
    /// Shares out of range, or so few rows that a part with a share above 0 (or training) gets none.
    pub fn fixed(rows: usize, shares: Shares) -> Result<Self, DataError> {
        Self::stratified(&vec![(); rows], shares)
    }

    /// The split with the shares kept within each label (rounded to whole rows).
    ///
    /// # Errors
    /// As [`fixed`](Self::fixed).
    pub fn stratified<L: Ord>(labels: &[L], shares: Shares) -> Result<Self, DataError> {
        shares.validate()?;
        let mut counts = BTreeMap::new();
        for label in labels {
            *counts.entry(label).or_insert(0) += 1;
        }
        // Per label: rows left for test, rows left for test or validation.
        let mut left: BTreeMap<&L, (usize, usize)> = counts
            .into_iter()
            .map(|(label, count)| (label, shares.cuts(count)))
            .collect();
        let (mut train, mut validation, mut test) = (vec![], vec![], vec![]);
        for row in Draw::new(b"offprint split  ", 0, 0).permutation(labels.len()) {
            let (for_test, held_out) = left.entry(&labels[row]).or_default();
            if *for_test > 0 {
                *for_test -= 1;
                test.push(row);
            } else if *held_out > 0 {
                validation.push(row);
            } else {
                train.push(row);
            }
            *held_out = held_out.saturating_sub(1);
        }
        let empty = train.is_empty()
            || (shares.validation > 0.0 && validation.is_empty())
            || (shares.test > 0.0 && test.is_empty());
        if empty {
            let expected = "enough for every part of the split";
            return Err(DataError::setting("rows", labels.len(), expected));
        }
        Ok(Self {
            train,
            validation,
            test,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The permutation comes from a second implementation in Python.
    #[test]
    fn known_answer() {
        let split = Split::fixed(20, Shares::default()).unwrap();
        assert_eq!(split.test, [4, 0, 3, 8]);
        assert_eq!(split.validation, [10, 14]);
        assert_eq!(
            split.train,
            [5, 6, 13, 17, 7, 9, 11, 18, 2, 1, 15, 16, 12, 19]
        );
    }

    proptest! {
        #[test]
        fn parts_are_disjoint_and_complete(labels in prop::collection::vec(0u8..4, 1..300)) {
            if let Ok(split) = Split::stratified(&labels, Shares::default()) {
                let mut all = [split.train, split.validation, split.test].concat();
                all.sort_unstable();
                prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn strata_keep_their_shares() {
        let labels: Vec<u8> = (0..1000).map(|row| u8::from(row % 10 == 0)).collect();
        let split = Split::stratified(&labels, Shares::default()).unwrap();
        let rare = |rows: &[usize]| rows.iter().filter(|&&r| labels[r] == 1).count();
        assert_eq!((split.test.len(), rare(&split.test)), (200, 20));
        assert_eq!((split.validation.len(), rare(&split.validation)), (100, 10));
        assert_eq!((split.train.len(), rare(&split.train)), (700, 70));
    }

    #[test]
    fn refuses_bad_shares_and_too_few_rows() {
        let shares = |validation, test| Shares { validation, test };
        let refused = |rows, shares| Split::fixed(rows, shares).unwrap_err().to_string();
        assert_eq!(
            refused(10, shares(f64::NAN, 0.2)),
            "validation share = NaN, expected at least 0 and below 1"
        );
        assert!(refused(10, shares(0.1, -0.2)).starts_with("test share = -0.2"));
        assert!(refused(10, shares(0.5, 0.5)).ends_with("= 1, expected below 1"));
        assert!(refused(0, shares(0.1, 0.2)).starts_with("rows = 0"));
        assert!(refused(2, Shares::default()).starts_with("rows = 2"));
        assert!(Split::fixed(2, shares(0.0, 0.0)).is_ok());
    }
}
