//! Tables of numeric and categorical columns.

mod constants;
mod read;
mod standardize;
mod target;

pub use read::{ColumnKind, TableOptions, parse, read};
pub use standardize::{Feature, Features, Standardizer, Unseen};
pub use target::{Target, TargetCoder};

use crate::error::{DataError, Fault};

/// A table, column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The columns that are not ignored, in the file's order.
    pub columns: Vec<Column>,
    /// The line of the file each row stands on, for messages.
    pub lines: Vec<u64>,
}

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// Its cells.
    pub values: Values,
}

/// The cells of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Finite numbers; a missing cell is NaN.
    Numeric(Vec<f64>),
    /// Categories.
    Categorical {
        /// For each row the index of its level; a missing cell is `None`.
        codes: Vec<Option<u32>>,
        /// The distinct texts, sorted.
        levels: Vec<String>,
    },
}

impl Table {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The column of that name.
    ///
    /// # Errors
    /// There is none; the error lists those there are.
    pub fn column(&self, name: &str) -> Result<&Column, DataError> {
        self.columns
            .iter()
            .find(|column| column.name == name)
            .ok_or_else(|| {
                Fault::UnknownColumn {
                    name: name.to_owned(),
                    known: self
                        .columns
                        .iter()
                        .map(|column| column.name.clone())
                        .collect(),
                }
                .into()
            })
    }
}

impl Column {
    /// The numbers of a numeric column.
    pub fn numbers(&self) -> Option<&[f64]> {
        match &self.values {
            Values::Numeric(numbers) => Some(numbers),
            Values::Categorical { .. } => None,
        }
    }

    /// Codes and levels of a categorical column.
    pub fn categories(&self) -> Option<(&[Option<u32>], &[String])> {
        match &self.values {
            Values::Numeric(_) => None,
            Values::Categorical { codes, levels } => Some((codes, levels)),
        }
    }

    /// The cell of `row` as text; empty where it is missing.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn text(&self, row: usize) -> String {
        match &self.values {
            Values::Numeric(numbers) if numbers[row].is_nan() => String::new(),
            Values::Numeric(numbers) => numbers[row].to_string(),
            Values::Categorical { codes, levels } => {
                codes[row].map_or_else(String::new, |code| levels[code as usize].clone())
            }
        }
    }
}
