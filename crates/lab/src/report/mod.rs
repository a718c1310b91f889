//! Reports: one [`Record`] drawn for a terminal, a page, GitHub or a program.
//!
//! Everything is computed from the record alone, so that every form says the same.

mod braille;
pub mod chart;
mod curves;
mod figures;
mod forest;
mod html;
mod markdown;
mod summary;
pub mod svg;
mod terminal;

#[cfg(test)]
pub(crate) mod fixture;

pub use figures::{Figure, figures};
pub use html::html;
pub use markdown::{markdown, markdown_with_figures};
pub use terminal::{Style, outcome, terminal};

use crate::{
    error::{Error, Result},
    record::Record,
};

/// The record as one JSON document; pictures are left out.
///
/// # Errors
/// None that a record gathered from a store could cause.
pub fn json(record: &Record) -> Result<String> {
    serde_json::to_string(record)
        .map_err(|error| Error::run(format!("the record as JSON: {error}")))
}

#[cfg(test)]
mod tests;
