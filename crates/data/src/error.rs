//! The one error of this crate: where in which file, what was held, what is allowed.

use std::fmt;
use std::path::Path;

/// What is wrong, and where. Displays as one sentence, for example
/// `TABLE.csv line 214: column "price" holds "n/a", expected a number`; [`help`](Self::help) says what to do about it.
#[derive(Debug, thiserror::Error)]
pub struct DataError {
    /// The file, when the bytes came from one.
    pub file: Option<String>,
    /// The line, counted from 1, in text formats.
    pub line: Option<u64>,
    /// What is wrong.
    pub fault: Box<Fault>,
}

/// The kinds of fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The operating system would not read the file.
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
    /// A folder holds no file of a set.
    #[error("no {set}: looked for {}{}", looked_for.join(", "), also_in(subfolders))]
    NotFound {
        /// The set, as in the catalogue.
        set: &'static str,
        /// The names of the files that are missing; `[.gz]` is optional.
        looked_for: Vec<String>,
        /// The subfolders in which all of the set's files were looked for as well.
        subfolders: Vec<&'static str>,
    },
    /// Nothing, or nothing but a header.
    #[error("{held}, expected {expected}")]
    Empty {
        /// What there is.
        held: &'static str,
        /// What is allowed.
        expected: &'static str,
    },
    /// The bytes are not in this format.
    #[error("{field} is {value}, expected {expected}")]
    Format {
        /// The part of the format: `magic number`, `dimension 2`, `byte 17`.
        field: String,
        /// What it is.
        value: String,
        /// What is allowed.
        expected: String,
    },
    /// A gzip stream is damaged or too large.
    #[error("cannot be unpacked: {0}")]
    Gzip(String),
    /// A line has more or fewer fields than it should.
    #[error("{held} fields, expected {expected}")]
    Fields {
        /// The number of fields on the line.
        held: u64,
        /// The number of fields that is allowed.
        expected: u64,
    },
    /// A cell of a table does not hold what its column requires.
    #[error("column {column:?} holds {value:?}, expected {expected}")]
    Cell {
        /// The column's name.
        column: String,
        /// The cell's text.
        value: String,
        /// What is allowed.
        expected: String,
    },
    /// A column that was asked for does not exist.
    #[error("no column {name:?}, expected {}", one_of(known))]
    UnknownColumn {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A header that cannot be used.
    #[error("the header {problem}")]
    Header {
        /// What is wrong with it.
        problem: String,
    },
    /// A setting or an argument out of its range.
    #[error("{what} = {value}, expected {expected}")]
    Setting {
        /// The setting's name.
        what: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: String,
    },
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file} line {line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        self.fault.fmt(f)
    }
}

impl From<Fault> for DataError {
    fn from(fault: Fault) -> Self {
        Self {
            file: None,
            line: None,
            fault: Box::new(fault),
        }
    }
}

impl DataError {
    pub(crate) fn format(
        field: impl Into<String>,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Fault::Format {
            field: field.into(),
            value: value.to_string(),
            expected: expected.into(),
        }
        .into()
    }

    pub(crate) fn cell(column: &str, value: &str, expected: impl Into<String>) -> Self {
        Fault::Cell {
            column: shortened(column),
            value: shortened(value),
            expected: expected.into(),
        }
        .into()
    }

    pub(crate) fn setting(
        what: &'static str,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Fault::Setting {
            what,
            value: value.to_string(),
            expected: expected.into(),
        }
        .into()
    }

    pub(crate) fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// Names the file the bytes came from, unless one is named already.
    pub fn in_file(mut self, path: &Path) -> Self {
        self.file.get_or_insert_with(|| path.display().to_string());
        self
    }

    /// What the person can do about it, where there is something to do.
    pub fn help(&self) -> Option<String> {
        match &*self.fault {
            Fault::Cell { column, value, .. } if value.is_empty() => Some(format!(
                "fill the cell, or drop the column with --ignore {}",
                shell_word(column)
            )),
            Fault::Cell {
                column,
                value,
                expected,
            } if expected.contains("number") => Some(format!(
                "mark missing values with --missing {}, or drop the column with --ignore {}",
                shell_word(value),
                shell_word(column)
            )),
            Fault::UnknownColumn { name, known } => {
                nearest(name, known).map(|near| format!("did you mean {near}?"))
            }
            Fault::NotFound { .. } => Some(
                "--data-dir names the folder that holds the files, packed (.gz) or not".to_owned(),
            ),
            Fault::Gzip(_) => {
                Some("unpack the file with gunzip to see where it breaks off".to_owned())
            }
            Fault::Header { .. } => {
                Some("the first line must name every column, each name once".to_owned())
            }
            _ => None,
        }
    }
}

fn also_in(subfolders: &[&'static str]) -> String {
    if subfolders.is_empty() {
        String::new()
    } else {
        format!(" (also in its folders {})", subfolders.join(", "))
    }
}

/// A cell's text as a message shows it: a megabyte in one cell is a fault too, and must not flood the terminal.
pub(crate) fn shortened(value: &str) -> String {
    const LONGEST: usize = 60;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// Names as a message lists them.
pub(crate) fn one_of(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| shortened(name))
        .collect();
    match names.len().saturating_sub(SHOWN) {
        0 => format!("one of {}", shown.join(", ")),
        more => format!("one of {} and {more} more", shown.join(", ")),
    }
}

fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The known name closest to `name` by edit distance, if it is close enough to be a slip of the finger.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    known
        .iter()
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, ignoring case.
fn edits(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_file_line_column_value_and_remedy() {
        let error = DataError::cell("price", "n/a", "a number")
            .at_line(214)
            .in_file(Path::new("TABLE.csv"));
        assert_eq!(
            error.to_string(),
            r#"TABLE.csv line 214: column "price" holds "n/a", expected a number"#
        );
        assert_eq!(
            error.help().unwrap(),
            "mark missing values with --missing n/a, or drop the column with --ignore price"
        );
        let quoted = DataError::cell("unit price", "it's", "a number");
        let help = quoted.help().unwrap();
        assert!(help.contains(r"--missing 'it'\''s', or"), "{help}");
        assert!(help.ends_with("--ignore 'unit price'"), "{help}");
        let empty = DataError::cell("price", "", "a number");
        assert_eq!(
            empty.help().unwrap(),
            "fill the cell, or drop the column with --ignore price"
        );
    }

    #[test]
    fn suggests_the_nearest_column_only_when_near() {
        let unknown = |name: &str| {
            DataError::from(Fault::UnknownColumn {
                name: name.to_owned(),
                known: vec!["price".to_owned(), "city".to_owned()],
            })
        };
        assert_eq!(
            unknown("Prise").help().unwrap(),
            "did you mean price?".to_owned()
        );
        assert_eq!(unknown("humidity").help(), None);
        assert_eq!(
            unknown("x").to_string(),
            r#"no column "x", expected one of price, city"#
        );
    }

    #[test]
    fn long_values_are_shortened() {
        let error = DataError::cell("a", &"é".repeat(5000), "a number");
        assert!(error.to_string().chars().count() < 120);
    }

    #[test]
    fn edit_distance() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", "ABC"), 0);
    }
}
