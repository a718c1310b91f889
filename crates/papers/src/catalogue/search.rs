//! Ranked search over the catalogue.

use super::catalogue;
use offprint_lab::{nearest::nearest_name, paper::Paper};

/// A paper that a search found.
#[derive(Clone, Copy)]
pub struct Hit {
    /// The paper.
    pub paper: &'static Paper,
    /// How many of the query's words it holds.
    pub words: usize,
    /// Relevance among hits with as many words; above 0.
    pub score: f64,
}

/// How much a word found in each section of a card is worth. Title and slug say what a paper is about,
/// the summary also names what it is compared with.
const NAME: f64 = 8.0;
const FIELD: f64 = 3.0;
const NUMBERS: f64 = 2.0;
const PART: f64 = 1.5;
const SUMMARY: f64 = 1.0;

/// What a word is worth that only starts a longer one, `quant` in `quantization`.
const PREFIX: f64 = 0.5;

/// The papers that hold any of the words, those that hold all of them first, then by relevance, then by slug.
///
/// Searched are title, slug, field, year, arXiv id, `6 authors`, summary and, of a paper that runs,
/// the promises and items of its parts. Case, punctuation and a plural `s` do not matter; a word also
/// matches the start of a longer one, a number only itself.
///
/// The score is Σ over words of ln(N / papers with the word) · Σ over sections of the card of
/// weight · n / (n + 1), with n the matches there and N the papers. So a word that every paper holds,
/// the `authors` of `6 authors`, finds nothing by itself.
pub fn search(words: &[&str]) -> Vec<Hit> {
    let mut query: Vec<String> = words.iter().flat_map(|word| tokens(word)).collect();
    query.sort_unstable();
    query.dedup();

    let cards: Vec<_> = catalogue().iter().map(card).collect();
    let mut hits: Vec<Hit> = catalogue()
        .iter()
        .map(|paper| Hit {
            paper,
            words: 0,
            score: 0.0,
        })
        .collect();
    for word in &query {
        let found: Vec<f64> = cards.iter().map(|card| relevance(card, word)).collect();
        let papers = found.iter().filter(|&&relevance| relevance > 0.0).count();
        let rarity = (cards.len() as f64 / papers.max(1) as f64).ln();
        for (hit, relevance) in hits.iter_mut().zip(found) {
            hit.words += usize::from(relevance > 0.0);
            hit.score += rarity * relevance;
        }
    }
    hits.retain(|hit| hit.score > 0.0);
    hits.sort_by(|a, b| {
        let by_words = b.words.cmp(&a.words);
        by_words
            .then(b.score.total_cmp(&a.score))
            .then(a.paper.slug.cmp(b.paper.slug))
    });
    hits
}

/// The slug that a mistyped one most likely means.
pub fn nearest(slug: &str) -> Option<&'static str> {
    nearest_name(slug, catalogue().iter().map(|paper| paper.slug))
}

/// The words of a paper's card by section, each with its weight.
fn card(paper: &Paper) -> Vec<(f64, Vec<String>)> {
    let numbers = format!(
        "{} authors {} {}",
        paper.authors,
        &paper.date[..4],
        paper.arxiv.unwrap_or_default()
    );
    // A word of the title that the slug repeats is not twice as much about the paper.
    let mut name = [tokens(paper.title), tokens(paper.slug)].concat();
    name.sort_unstable();
    name.dedup();
    let mut card = vec![
        (NAME, name),
        (FIELD, tokens(&format!("{:?}", paper.field))),
        (NUMBERS, tokens(&numbers)),
        (SUMMARY, tokens(paper.summary)),
    ];
    if let Some(work) = paper.work {
        let parts = work.parts.iter().flat_map(|part| [part.promise, part.item]);
        card.push((PART, parts.flat_map(tokens).collect()));
    }
    card
}

/// Σ weight · n / (n + 1) over the sections of a card, with n the matches there, a start counting as
/// [`PREFIX`].
fn relevance(card: &[(f64, Vec<String>)], word: &str) -> f64 {
    let number = word.bytes().all(|byte| byte.is_ascii_digit());
    card.iter()
        .map(|(weight, text)| {
            let matches: f64 = text
                .iter()
                .map(|other| match other.strip_prefix(word) {
                    Some("") => 1.0,
                    Some(_) if !number => PREFIX,
                    _ => 0.0,
                })
                .sum();
            weight * matches / (matches + 1.0)
        })
        .sum()
}

/// Words in lower case, without punctuation and without a plural `s`.
fn tokens(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let word = word.to_lowercase();
            match word.strip_suffix('s') {
                Some(singular) if singular.len() > 2 && !singular.ends_with('s') => singular.into(),
                _ => word,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slugs(words: &[&str]) -> Vec<&'static str> {
        search(words).iter().map(|hit| hit.paper.slug).collect()
    }

    #[test]
    fn the_paper_that_is_meant_comes_first() {
        for (query, slug) in [
            ("tree gate", "comet"),
            ("linear attention", "gla"),
            ("gaussian temperature", "temperature-moe"),
            ("binary weights", "biper"),
            ("certified interval bounds", "ibp-tightness"),
            ("spiking hebbian", "hlop"),
            ("smt puzzles", "puzzleclone"),
            ("multigrid operator", "mgno"),
            ("branch trunk", "deeponet"),
            ("transistor sizing reinforcement", "l2dc"),
            ("2306.02824", "comet"),
            ("comet", "comet"),
        ] {
            let words: Vec<_> = query.split(' ').collect();
            assert_eq!(slugs(&words).first(), Some(&slug), "{query}");
        }
    }

    #[test]
    fn case_punctuation_plural_and_grouping_do_not_matter() {
        let plain = slugs(&["tree", "gate"]);
        for words in [
            &["Trees", "GATES"][..],
            &["tree gate"],
            &["tree-gate,"],
            &["gate", "tree", "tree"],
        ] {
            assert_eq!(slugs(words), plain, "{words:?}");
        }
    }

    #[test]
    fn the_start_of_a_word_is_enough_but_not_of_a_number() {
        let mut first = slugs(&["kolmog"])[..3].to_vec();
        first.sort_unstable();
        assert_eq!(first, ["af-kan", "karat", "kat"]);
        assert!(slugs(&["23"]).is_empty());
    }

    #[test]
    fn all_words_come_before_some() {
        let hits = search(&["continual", "spiking", "learning"]);
        assert_eq!(hits[0].words, 3);
        assert!(hits.is_sorted_by_key(|hit| std::cmp::Reverse(hit.words)));
        assert!(hits.last().is_some_and(|hit| hit.words == 1));
        for pair in hits
            .windows(2)
            .filter(|pair| pair[0].words == pair[1].words)
        {
            assert!(pair[0].score >= pair[1].score);
        }
    }

    #[test]
    fn finds_by_field_year_and_number_of_authors() {
        let quantize = catalogue()
            .iter()
            .filter(|paper| format!("{:?}", paper.field) == "Quantize");
        let found = slugs(&["quantize"]);
        for paper in quantize {
            assert!(found.contains(&paper.slug), "{}", paper.slug);
        }
        assert_eq!(slugs(&["26", "authors"]), ["granite-fc"]);
        for hit in search(&["6 authors"]) {
            assert_eq!(hit.paper.authors, 6, "{}", hit.paper.slug);
        }
        let both = search(&["expert", "2023"]);
        assert!(both[0].words == 2 && both[0].paper.date.starts_with("2023"));
    }

    #[test]
    fn finds_the_parts_of_a_paper_that_runs() {
        for paper in catalogue() {
            for part in paper.work.map_or(&[][..], |work| work.parts) {
                let words: Vec<_> = part.item.split("::").collect();
                assert!(
                    slugs(&words).contains(&paper.slug),
                    "{}: {}",
                    paper.slug,
                    part.item
                );
            }
        }
    }

    #[test]
    fn nothing_to_look_for_finds_nothing() {
        for words in [
            &[][..],
            &[""],
            &["  ", "--", "…"],
            &["zyzzyva"],
            &["authors"],
        ] {
            assert!(search(words).is_empty(), "{words:?}");
        }
    }

    #[test]
    fn a_mistyped_slug_gets_the_one_that_was_meant() {
        for (typed, meant) in [
            ("comett", Some("comet")),
            ("COMET", Some("comet")),
            ("ocmet", Some("comet")),
            ("gal", Some("gla")),
            ("evo-moe", Some("evomoe")),
            ("fastibp", Some("fast-ibp")),
            ("puzzle", Some("puzzleclone")),
            ("transformer-xl", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed), meant, "{typed}");
        }
    }
}
