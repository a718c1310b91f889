//! Words as tokens, for models that read whole texts.

use std::collections::{BTreeMap, HashMap};

/// The token that fills a text up.
pub const PADDING: usize = 0;
/// The token of every word outside the vocabulary.
pub const UNKNOWN: usize = 1;

/// The most frequent words of some texts as tokens; letter case is ignored, and what is no letter, digit or apostrophe
/// separates words.
///
/// ```
/// use offprint_language::words::Words;
/// let words = Words::of(["To be, or not to be", "that is the question"], 4);
/// assert_eq!(words.encode("To be!", 4), [3, 2, 0, 0]);
/// assert_eq!(words.encode("to wish, to be, to sleep", 4), [3, 1, 3, 2]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    tokens: HashMap<String, usize>,
}

impl Words {
    /// A vocabulary of at most `size` tokens, the two for padding and unknown words included. Of words that are equally
    /// frequent, those first in the alphabet are kept.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>, size: usize) -> Self {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for word in texts.into_iter().flat_map(split) {
            *counts.entry(word).or_default() += 1;
        }
        let mut words: Vec<(String, usize)> = counts.into_iter().collect();
        words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        words.truncate(size.saturating_sub(2));
        let tokens = words.into_iter().zip(2..);
        Self {
            tokens: tokens.map(|((word, _), token)| (word, token)).collect(),
        }
    }

    /// Number of tokens.
    pub fn size(&self) -> usize {
        self.tokens.len() + 2
    }

    /// The tokens of the first `length` words, filled up to that length; a text without words is one unknown word.
    pub fn encode(&self, text: &str, length: usize) -> Vec<usize> {
        let known = |word: String| self.tokens.get(&word).copied().unwrap_or(UNKNOWN);
        let mut tokens: Vec<usize> = split(text).take(length).map(known).collect();
        if tokens.is_empty() && length > 0 {
            tokens.push(UNKNOWN);
        }
        tokens.resize(length, PADDING);
        tokens
    }
}

fn split(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '\''));
    let words = words.map(|word| word.trim_matches('\''));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_first_then_the_alphabet() {
        let words = Words::of(["b a c", "'a' don't", "c"], 5);
        assert_eq!(words.size(), 5);
        assert_eq!(words.encode("A c b don't", 5), [2, 3, 4, 1, 0]);
        assert_eq!(words.encode("... ,", 2), [UNKNOWN, PADDING]);
        assert_eq!(Words::of(["a"], 0).size(), 2);
    }
}
