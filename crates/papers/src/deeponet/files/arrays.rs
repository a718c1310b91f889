//! Arrays as the options name them.

use crate::arguments::place;
use clap::ArgMatches;
use offprint_data::{
    DataError,
    arrays::{self, Array},
};
use offprint_lab::{Error, Result};

/// A matrix and what it was called on the command line.
pub struct Matrix {
    pub name: String,
    pub rows: usize,
    pub columns: usize,
    pub values: Vec<f64>,
    /// The axes of the file: one axis is read as one column.
    pub axes: usize,
}

/// The matrix of an option: `FILE`, or `FILE.npz:NAME`.
///
/// # Errors
/// The file cannot be read, holds no such array, or no matrix.
pub fn matrix(matches: &ArgMatches, option: &str) -> Result<Option<Matrix>> {
    let Some(text) = matches.get_one::<String>(option) else {
        return Ok(None);
    };
    let (path, member) = place(text);
    let explain = |error: DataError| {
        let message = Error::input(error.to_string());
        match error.help() {
            Some(help) => message.help(help),
            None => message.help(format!("from --{option} {text}")),
        }
    };
    let array: Array = arrays::read(&path, member).map_err(explain)?;
    let (rows, columns) = array
        .rows()
        .map_err(|error| explain(error.in_file(&path)))?;
    Ok(Some(Matrix {
        name: text.clone(),
        rows,
        columns,
        axes: array.shape.len(),
        values: array.values,
    }))
}

/// The matrix of an option that the grammar requires.
///
/// # Errors
/// As [`matrix`].
pub fn given(matches: &ArgMatches, option: &str) -> Result<Matrix> {
    Ok(matrix(matches, option)?.expect("the grammar requires it"))
}

impl Matrix {
    /// Its shape, for a message.
    pub fn shape(&self) -> String {
        match self.axes {
            1 => format!("[{}]", self.rows),
            _ => format!("[{}, {}]", self.rows, self.columns),
        }
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..][..self.columns]
    }
}
