//! Multi-query associative recall: pairs of keys and values, then some of the keys again; what was the value?
//!
//! `k₁ v₁ k₂ v₂ … ` and then, among blanks, every key once more in random order. A model with a memory of fixed size can hold
//! so many pairs and no more. Source: Arora et al., "Zoology: Measuring and Improving Recall in Efficient Language Models",
//! 2023, section 4; there the queries' distances follow a power law and the places between hold random tokens, here the
//! places of the queries are uniform and the rest is blank.

use crate::draw::Draw;
use crate::error::DataError;

/// Longest sequence.
const LONGEST: usize = 1 << 20;

/// Sizes of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mqar {
    /// Number of different keys, and of different values.
    pub symbols: usize,
    /// Pairs of a sequence.
    pub pairs: usize,
    /// Tokens of a sequence; at least three a pair.
    pub length: usize,
}

/// One sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    /// 0 for a blank, then the keys, then the values.
    pub tokens: Vec<usize>,
    /// Where a key is asked for, and the token of its value.
    pub answers: Vec<(usize, usize)>,
}

impl Mqar {
    /// Checks the sizes.
    ///
    /// # Errors
    /// If there is no pair, there are more pairs than symbols, or the sequence is too short or longer than 2²⁰.
    pub fn validate(&self) -> Result<(), DataError> {
        if self.pairs == 0 || self.pairs > self.symbols {
            let expected = format!("1 to {}, the number of symbols", self.symbols);
            return Err(DataError::setting("pairs", self.pairs, expected));
        }
        let least = self.pairs.saturating_mul(3);
        if self.length < least || self.length > LONGEST {
            let expected = format!("{least} to {LONGEST}, three a pair at least");
            return Err(DataError::setting("length", self.length, expected));
        }
        Ok(())
    }

    /// Number of tokens: a blank, the keys, the values.
    pub fn vocabulary(&self) -> usize {
        1 + 2 * self.symbols
    }

    /// A sequence, a function of the sizes and these two numbers.
    ///
    /// # Errors
    /// As [`Mqar::validate`].
    ///
    /// ```
    /// use offprint_data::mqar::Mqar;
    /// let task = Mqar { symbols: 8, pairs: 2, length: 12 };
    /// let recall = task.sequence(0, 0)?;
    /// assert_eq!((recall.tokens.len(), recall.answers.len()), (12, 2));
    /// # Ok::<(), offprint_data::DataError>(())
    /// ```
    pub fn sequence(&self, seed: u64, number: u64) -> Result<Recall, DataError> {
        self.validate()?;
        let mut draw = Draw::new(b"offprint mqar   ", seed, number);
        let mut symbols = draw.permutation(self.symbols);
        symbols.truncate(self.pairs);
        let pairs: Vec<(usize, usize)> = symbols
            .into_iter()
            .map(|key| (1 + key, 1 + self.symbols + draw.below(self.symbols)))
            .collect();
        let mut tokens = vec![0; self.length];
        for (place, (key, value)) in tokens.chunks_exact_mut(2).zip(&pairs) {
            place.copy_from_slice(&[*key, *value]);
        }
        let first = 2 * self.pairs;
        let places = draw.sample(self.length - first, self.pairs);
        let asked = draw.permutation(self.pairs);
        let answers = places.into_iter().zip(asked).map(|(place, index)| {
            let (key, value) = pairs[index];
            tokens[first + place] = key;
            (first + place, value)
        });
        let answers = answers.collect();
        Ok(Recall { tokens, answers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn every_key_is_asked_once_and_has_its_value(
            symbols in 1_usize..20,
            share in 0.01..1.0_f64,
            more in 0_usize..20,
            number in 0_u64..1000,
        ) {
            let pairs = ((symbols as f64 * share) as usize).max(1);
            let task = Mqar { symbols, pairs, length: 3 * pairs + more };
            let recall = task.sequence(3, number).unwrap();
            let known: BTreeMap<usize, usize> =
                recall.tokens[..2 * pairs].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            prop_assert_eq!(known.len(), pairs);
            prop_assert!(recall.tokens.iter().all(|token| *token < task.vocabulary()));
            let mut asked = Vec::new();
            for (place, answer) in &recall.answers {
                let key = recall.tokens[*place];
                prop_assert_eq!(known.get(&key), Some(answer));
                asked.push(key);
            }
            asked.sort_unstable();
            prop_assert!(asked.iter().eq(known.keys()));
            let blanks = recall.tokens.iter().filter(|token| **token == 0).count();
            prop_assert_eq!(blanks, more);
            prop_assert_eq!(task.sequence(3, number).unwrap(), recall);
        }
    }

    #[test]
    fn sizes_that_cannot_be() {
        let message = |symbols, pairs, length| {
            let task = Mqar {
                symbols,
                pairs,
                length,
            };
            task.sequence(0, 0).unwrap_err().to_string()
        };
        assert_eq!(
            message(4, 0, 9),
            "pairs = 0, expected 1 to 4, the number of symbols"
        );
        assert_eq!(
            message(4, 5, 99),
            "pairs = 5, expected 1 to 4, the number of symbols"
        );
        assert_eq!(
            message(4, 3, 8),
            "length = 8, expected 9 to 1048576, three a pair at least"
        );
    }
}
