//! Short texts with a class each.

use std::path::Path;

use crate::delimited::records;
use crate::error::DataError;
use crate::{file, text};

/// Short texts and their classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabeledTexts {
    /// The texts.
    pub texts: Vec<String>,
    /// The class of each, below the number of classes.
    pub labels: Vec<usize>,
    /// Names of the classes.
    pub classes: Vec<&'static str>,
}

impl LabeledTexts {
    fn of(classes: Vec<&'static str>) -> Self {
        Self {
            texts: Vec::new(),
            labels: Vec::new(),
            classes,
        }
    }

    fn push(&mut self, text: String, label: usize) {
        self.texts.push(text);
        self.labels.push(label);
    }
}

/// The parts of the Bible by their last books; the books between stand in the order of the text.
const PARTS: [(&str, &str); 6] = [
    ("Law", "Deuteronomy"),
    ("History", "Esther"),
    ("Wisdom", "Song of Solomon"),
    ("Prophets", "Malachi"),
    ("Gospels and Acts", "Acts"),
    ("Letters and Revelation", "Revelation"),
];

/// The 31,102 verses of the King James Bible inside the library, each with the part of the Bible that its book is in: Law
/// (Genesis to Deuteronomy), History (to Esther), Wisdom (to Song of Solomon), Prophets (to Malachi), Gospels and Acts,
/// Letters and Revelation.
pub fn bible_parts() -> LabeledTexts {
    let mut verses = LabeledTexts::of(PARTS.iter().map(|(part, _)| *part).collect());
    let content = text::king_james();
    let (mut part, mut last_book_seen) = (0, false);
    for paragraph in content.split("\n\n") {
        let paragraph = paragraph.trim_matches('\n');
        // A heading is a line of its own: a book and a chapter.
        if !paragraph.starts_with(' ') {
            let book = paragraph
                .trim_end_matches(|c: char| c.is_ascii_digit())
                .trim_end();
            let is_last = PARTS[part].1 == book;
            if last_book_seen && !is_last {
                part += 1;
            }
            last_book_seen = PARTS[part].1 == book;
            continue;
        }
        for line in paragraph.lines() {
            let words = line.trim_start();
            let verse = words.trim_start_matches(|c: char| c.is_ascii_digit());
            match line.starts_with(' ') && verse.len() < words.len() {
                true => verses.push(verse.trim_start().into(), part),
                false => {
                    if let Some(before) = verses.texts.last_mut() {
                        before.push(' ');
                        before.push_str(line.trim());
                    }
                }
            }
        }
    }
    verses
}

/// Sentences of film reviews, negative or positive: `rt-polarity.neg` and `rt-polarity.pos`, a sentence a line, plain or
/// gzip, in the folder or in its `rt_polarity`. Bytes that are not UTF-8 are read as Latin-1, as in the published files.
///
/// Source: Pang and Lee, "Seeing stars", ACL 2005.
///
/// # Errors
/// A file is not there, cannot be read or has no sentence.
pub fn read_rt_polarity(folder: &Path) -> Result<LabeledTexts, DataError> {
    let slots: [&[&str]; 2] = [&["rt-polarity.neg[.gz]"], &["rt-polarity.pos[.gz]"]];
    let subfolders = ["rt_polarity", "rt-polaritydata"];
    let files = file::find("rt-polarity", folder, &subfolders, slots)?;
    let mut sentences = LabeledTexts::of(vec!["negative", "positive"]);
    for (label, path) in files.iter().enumerate() {
        let content = file::read(path, |bytes| {
            let content = match std::str::from_utf8(bytes) {
                Ok(content) => content.to_owned(),
                Err(_) => bytes.iter().copied().map(char::from).collect(),
            };
            text::parse(content.as_bytes())
        })?;
        for line in content
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            sentences.push(line.to_owned(), label);
        }
    }
    Ok(sentences)
}

/// Classes of AG News, in the order of their numbers.
const TOPICS: [&str; 4] = ["World", "Sports", "Business", "Sci/Tech"];

/// News of four topics: `test.csv`, and `train.csv` where it is there too, plain or gzip, in the folder or in its
/// `agnews_test` or `ag_news_csv`. Columns: class from 1 to 4, title, description; no header. A text is title and
/// description.
///
/// Source: Zhang et al., "Character-level Convolutional Networks for Text Classification", NeurIPS 2015.
///
/// # Errors
/// `test.csv` is not there, or a row has a class outside 1 to 4 or not three columns.
pub fn read_ag_news(folder: &Path) -> Result<LabeledTexts, DataError> {
    let subfolders = ["agnews_test", "ag_news_csv"];
    let [test] = file::find("AG News", folder, &subfolders, [&["test.csv[.gz]"]])?;
    let mut news = LabeledTexts::of(TOPICS.to_vec());
    let beside = test.parent().unwrap_or(folder);
    let train = file::find("AG News", beside, &[], [&["train.csv[.gz]"]]);
    for path in train.into_iter().flatten().chain([test]) {
        file::read(&path, |bytes| {
            records(&text::parse(bytes)?, b',', |line, row| {
                let refused = |what, value: &str, expected| {
                    DataError::format(what, format!("\"{value}\""), expected).at_line(line)
                };
                let number = row.get(0).unwrap_or_default();
                let class = number
                    .parse()
                    .ok()
                    .filter(|class| (1..=TOPICS.len()).contains(class));
                let class = class.ok_or_else(|| refused("class", number, "1, 2, 3 or 4"))?;
                let (Some(title), Some(description), 3) = (row.get(1), row.get(2), row.len())
                else {
                    let count = row.len().to_string();
                    return Err(refused(
                        "number of columns",
                        &count,
                        "class, title, description",
                    ));
                };
                news.push(format!("{title} {description}"), class - 1);
                Ok(())
            })
        })?;
    }
    Ok(news)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::write;

    /// Verses of the Bible by part, counted by a script over the chapters and verses of the text.
    #[test]
    fn every_verse_has_its_part() {
        let verses = bible_parts();
        assert_eq!(verses.texts.len(), 31_102);
        let count = |part| verses.labels.iter().filter(|&&label| label == part).count();
        let counts: Vec<usize> = (0..6).map(count).collect();
        assert_eq!(counts, [5852, 7018, 4785, 5490, 4786, 3171]);
        assert_eq!(
            verses.texts[0],
            "In the beginning God created the heaven and the earth."
        );
        assert!(verses.texts[1].ends_with("upon the face of the waters."));
        let first_of = |part| {
            let first = verses.labels.iter().position(|&label| label == part);
            &verses.texts[first.unwrap()]
        };
        assert!(first_of(1).starts_with("Now after the death of Moses"));
        assert!(first_of(4).starts_with("The book of the generation of Jesus Christ"));
        assert!(
            verses
                .texts
                .last()
                .unwrap()
                .starts_with("The grace of our Lord")
        );
    }

    #[test]
    fn reads_film_reviews_in_latin_1() {
        let folder = tempfile::tempdir().unwrap();
        let missing = read_rt_polarity(folder.path()).unwrap_err().to_string();
        assert!(missing.contains("looked for rt-polarity.neg[.gz], rt-polarity.pos[.gz]"));
        write(
            folder.path().join("rt-polarity.neg"),
            b"dull\n\nclich\xe9\n",
        )
        .unwrap();
        write(folder.path().join("rt-polarity.pos"), b"fine\n").unwrap();
        let reviews = read_rt_polarity(folder.path()).unwrap();
        assert_eq!(reviews.texts, ["dull", "clich\u{e9}", "fine"]);
        assert_eq!(reviews.labels, [0, 0, 1]);
        write(folder.path().join("rt-polarity.pos"), b" \n").unwrap();
        let empty = read_rt_polarity(folder.path()).unwrap_err().to_string();
        assert!(
            empty.contains("rt-polarity.pos") && empty.contains("empty"),
            "{empty}"
        );
    }

    #[test]
    fn reads_news() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.csv");
        let read = || read_ag_news(folder.path());
        assert!(read().unwrap_err().to_string().contains("test.csv[.gz]"));
        write(
            &path,
            "\"3\",\"Up\",\"Shares, up\"\n\"1\",\"War\",\"and peace\"\n",
        )
        .unwrap();
        let news = read().unwrap();
        assert_eq!(news.texts, ["Up Shares, up", "War and peace"]);
        assert_eq!(news.labels, [2, 0]);
        write(folder.path().join("train.csv"), "2,Goal,late\n").unwrap();
        assert_eq!(read().unwrap().labels, [1, 2, 0]);
        write(&path, "1,a,b\n5,a,b\n").unwrap();
        let error = read().unwrap_err().to_string();
        assert!(
            error.contains("line 2: class is \"5\", expected 1, 2, 3 or 4"),
            "{error}"
        );
        write(&path, "1,a\n").unwrap();
        let error = read().unwrap_err().to_string();
        assert!(error.contains("number of columns is \"2\""), "{error}");
    }
}
