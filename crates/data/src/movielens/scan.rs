//! The lines of a delimited file whose columns are known by position (no header) or by name (header).

use std::borrow::Cow;

use super::quoted;
use crate::delimited::records;
use crate::error::{DataError, Fault};

/// `N` columns and how to find them.
pub(super) struct Columns<const N: usize> {
    /// The names each may have in a header: lower case, letters only.
    pub names: [&'static [&'static str]; N],
    /// Whether a file without it is refused.
    pub required: [bool; N],
    /// For files without a header: the separator, and where each column is.
    pub positions: &'static [(&'static str, [usize; N])],
}

/// One line.
pub(super) struct Row<'a, const N: usize> {
    pub line: u64,
    pub fields: Vec<&'a str>,
    places: [Option<usize>; N],
}

impl<const N: usize> Row<'_, N> {
    /// The field of a column; `None` only for one that is not required and that the file lacks.
    pub fn get(&self, column: usize) -> Option<&str> {
        self.places[column].map(|place| self.fields[place])
    }
}

/// The field of a required column as a whole number.
pub(super) fn whole<const N: usize>(
    row: &Row<N>,
    column: usize,
    what: &str,
) -> Result<u32, DataError> {
    let text = row.get(column).unwrap_or_default();
    text.parse().map_err(|_| {
        let expected = format!("a whole number from 0 to {}", u32::MAX);
        DataError::format(what, quoted(text), expected)
    })
}

impl<const N: usize> Columns<N> {
    /// Calls `read` for every line that is not empty; an error gets the number of the line.
    ///
    /// Without a header the first field of the first line is a number. A header is separated by tabs (RecBole: names end
    /// in `:type`) or commas. Bytes that are not UTF-8 are read as Latin-1, in which the older files are written.
    pub fn scan(
        &self,
        bytes: &[u8],
        mut read: impl FnMut(&Row<N>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)),
            Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
        };
        let Some(first) = text.lines().find(|line| !line.trim().is_empty()) else {
            return Ok(());
        };
        let mut visit = |line: u64, fields: Vec<&str>, places: [Option<usize>; N]| {
            let width = places.iter().flatten().max().map_or(0, |last| last + 1);
            if fields.len() < width {
                let (held, expected) = (fields.len() as u64, width as u64);
                return Err(DataError::from(Fault::Fields { held, expected }).at_line(line));
            }
            let row = Row {
                line,
                fields,
                places,
            };
            read(&row).map_err(|error| error.at_line(line))
        };
        let mut lines = (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty());
        if let Some((separator, places)) = self.by_position(first) {
            return lines.try_for_each(|(line, text)| {
                visit(line, text.split(separator).map(str::trim).collect(), places)
            });
        }
        if first.contains('\t') {
            let places = self.by_name(first.split('\t'))?;
            return lines.skip(1).try_for_each(|(line, text)| {
                visit(line, text.split('\t').map(str::trim).collect(), places)
            });
        }
        let mut places = None;
        records(&text, b',', |line, record| match places {
            Some(places) => visit(line, record.iter().collect(), places),
            None => {
                places = Some(self.by_name(record.iter())?);
                Ok(())
            }
        })
    }

    fn by_position(&self, first: &str) -> Option<(&'static str, [Option<usize>; N])> {
        let mut layouts = self.positions.iter();
        let (separator, places) = layouts.find(|(separator, _)| {
            let field = first.split_once(separator).map(|(field, _)| field.trim());
            field.is_some_and(|field| field.bytes().all(|byte| byte.is_ascii_digit()))
        })?;
        Some((separator, places.map(Some)))
    }

    fn by_name<'a>(
        &self,
        header: impl Iterator<Item = &'a str>,
    ) -> Result<[Option<usize>; N], DataError> {
        let plain = |name: &str| {
            let name = name.split(':').next().unwrap_or_default();
            let letters = name.chars().filter(|c| c.is_alphabetic());
            letters.flat_map(char::to_lowercase).collect::<String>()
        };
        let header: Vec<String> = header.map(plain).collect();
        let places = self.names.map(|names| {
            header
                .iter()
                .position(|name| names.contains(&name.as_str()))
        });
        let missing = (0..N).find(|&column| self.required[column] && places[column].is_none());
        if let Some(column) = missing {
            let names = self.names[column].join(" or ");
            let problem = format!("names no column {names}");
            return Err(DataError::from(Fault::Header { problem }).at_line(1));
        }
        Ok(places)
    }
}
