//! Colors and widths of a terminal.

use crate::claim::Verdict;

/// How a terminal is written to.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether ANSI colors may be used; they say nothing that words do not.
    pub color: bool,
    /// Characters of a line.
    pub width: usize,
}

/// Narrower terminals get lines of this width all the same.
const NARROWEST: usize = 60;

impl Style {
    /// Lines of 80 characters.
    pub fn new(color: bool) -> Self {
        Self { color, width: 80 }
    }

    /// The style with a width that lines can be made for.
    pub(super) fn wide_enough(&self) -> Self {
        Self {
            width: self.width.max(NARROWEST),
            ..*self
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if !self.color {
            return text.to_string();
        }
        // Line by line: a pager that begins in the middle must not miss the color.
        let lines = text.split('\n').map(|line| match line {
            "" => String::new(),
            line => format!("\x1b[{code}m{line}\x1b[0m"),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn verdict(&self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Supported => "32",
            Verdict::Contradicted => "31",
            Verdict::Undecided => "33",
        };
        self.paint(code, text)
    }

    /// A text in the color of an arm.
    pub(in crate::report) fn arm(&self, index: usize, strong: bool, text: &str) -> String {
        let color = [34, 33, 32, 35, 36, 31, 94, 95][index % 8];
        let weight = if strong { "1;" } else { "" };
        self.paint(&format!("{weight}{color}"), text)
    }
}
