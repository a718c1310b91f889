//! What is wrong with a specification, and where.

use std::fmt;

/// Something wrong in a specification: the line and column, what it is, and the line itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// From 1; 0 where no place is known.
    pub line: usize,
    /// In characters, from 1; 0 where no place is known.
    pub column: usize,
    /// What is wrong, and what is allowed.
    pub message: String,
    /// The line, and a mark below the column.
    pub excerpt: Option<String>,
}

impl std::error::Error for SpecError {}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)?;
        match &self.excerpt {
            Some(excerpt) => write!(f, "\n{excerpt}"),
            None => Ok(()),
        }
    }
}

impl SpecError {
    /// An error of the whole file.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self {
            line: 0,
            column: 0,
            message: message.into(),
            excerpt: None,
        }
    }

    /// An error at a line and column of a source.
    pub(crate) fn at(source: &str, line: usize, column: usize, message: impl Into<String>) -> Self {
        let text = source.lines().nth(line.saturating_sub(1)).unwrap_or("");
        // A long line is shown around the mark.
        let start = column.saturating_sub(50);
        let shown: String = text.chars().skip(start).take(72).collect();
        let mark = " ".repeat(column.saturating_sub(1 + start));
        let excerpt = (!shown.trim().is_empty()).then(|| format!("  {shown}\n  {mark}^"));
        Self {
            line,
            column,
            message: message.into(),
            excerpt,
        }
    }
}

/// A scalar of the file: its text and where it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// The line and column of a byte of a scalar's text, where the file shows the text as it is: plain and quoted
    /// scalars of one line, and literal blocks. Elsewhere, where the scalar begins.
    pub fn of(&self, source: &str, text: &str, at: usize) -> (usize, usize) {
        let Some(line) = source.lines().nth(self.line.saturating_sub(1)) else {
            return (self.line, self.column);
        };
        let rest: String = line.chars().skip(self.column.saturating_sub(1)).collect();
        let before = text.get(..at).unwrap_or(text);
        for quote in ["", "'", "\""] {
            if rest
                .strip_prefix(quote)
                .is_some_and(|rest| rest.starts_with(text))
            {
                return (
                    self.line,
                    self.column + quote.len() + before.chars().count(),
                );
            }
        }
        // A literal block is placed at its first line.
        let first = text.lines().next().unwrap_or("");
        if text.contains('\n') && !first.is_empty() && rest == first {
            let row = before.matches('\n').count();
            let within = before.rsplit('\n').next().unwrap_or("");
            let content = text.lines().nth(row).unwrap_or("");
            if let Some(shown) = source.lines().nth(self.line - 1 + row)
                && let Some(start) = shown.find(content)
            {
                let indent = shown[..start].chars().count();
                return (self.line + row, indent + 1 + within.chars().count());
            }
        }
        (self.line, self.column)
    }
}
