//! What a model is to predict from a table, as numbers, and back.

use serde::{Deserialize, Serialize};

use super::constants::{check_levels, check_moments, levels_of, moments};
use super::{Column, Table, Values};
use crate::error::{DataError, one_of};

/// How a target column becomes numbers; taken from training rows and saved beside the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TargetCoder {
    /// A numeric column, standardized: `(y - mean) / deviation`.
    Regression {
        /// The column.
        name: String,
        /// Mean of the training rows.
        mean: f64,
        /// Standard deviation of the training rows (divisor n), or 1 if that is 0.
        deviation: f64,
    },
    /// A categorical column: the index of the class.
    Classification {
        /// The column.
        name: String,
        /// The classes of the training rows, sorted.
        classes: Vec<String>,
    },
}

/// A target column as numbers, one for each row.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Standardized values.
    Values(Vec<f32>),
    /// Class indices.
    Classes(Vec<u32>),
}

impl TargetCoder {
    /// Regression for a numeric column, classification for a categorical one.
    ///
    /// # Errors
    /// An unknown column, or one without a value in these rows.
    ///
    /// # Panics
    /// If a row is not below `table.rows()`.
    pub fn fit(table: &Table, rows: &[usize], column: &str) -> Result<Self, DataError> {
        let column = table.column(column)?;
        let name = column.name.clone();
        Ok(match &column.values {
            Values::Numeric(numbers) => {
                let (mean, deviation) = moments(&name, numbers, rows)?;
                Self::Regression {
                    name,
                    mean,
                    deviation,
                }
            }
            Values::Categorical { .. } => Self::Classification {
                name,
                classes: levels_of(column, rows)?,
            },
        })
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Regression { name, .. } | Self::Classification { name, .. } => name,
        }
    }

    /// Refuses constants that [`fit`](Self::fit) cannot have written.
    ///
    /// # Errors
    /// A mean that is not finite, a deviation that is not above 0, classes that are not sorted and distinct.
    pub fn validate(&self) -> Result<(), DataError> {
        match self {
            Self::Regression {
                mean, deviation, ..
            } => check_moments(*mean, *deviation),
            Self::Classification { classes, .. } => check_levels(classes),
        }
    }

    /// The target of every row.
    ///
    /// # Errors
    /// A missing cell, a class that no training row had, or a number whose standardized value is not finite;
    /// as [`validate`](Self::validate).
    pub fn encode(&self, table: &Table) -> Result<Target, DataError> {
        self.validate()?;
        let column = table.column(self.name())?;
        let rows = 0..table.rows();
        match self {
            Self::Regression {
                mean, deviation, ..
            } => {
                let standardized = |row: usize| {
                    let number = column.numbers().map_or(f64::NAN, |numbers| numbers[row]);
                    Some(((number - mean) / deviation) as f32).filter(|value| value.is_finite())
                };
                rows.map(|row| {
                    standardized(row)
                        .ok_or_else(|| refused(table, column, row, "a number".to_owned()))
                })
                .collect::<Result<_, _>>()
                .map(Target::Values)
            }
            Self::Classification { classes, .. } => {
                let class = |row| classes.binary_search(&column.text(row)).ok();
                rows.map(|row| match class(row) {
                    Some(index) => Ok(index as u32),
                    None => Err(refused(table, column, row, one_of(classes))),
                })
                .collect::<Result<_, _>>()
                .map(Target::Classes)
            }
        }
    }
}

fn refused(table: &Table, column: &Column, row: usize, expected: String) -> DataError {
    DataError::cell(&column.name, &column.text(row), expected).at_line(table.lines[row])
}

#[cfg(test)]
mod tests {
    use super::super::{TableOptions, parse};
    use super::*;

    #[test]
    fn encodes_both_tasks() {
        let table = parse(b"y,c\n1,no\n3,yes\n5,no\n", &TableOptions::default()).unwrap();
        let coder = |column| TargetCoder::fit(&table, &[0, 1], column).unwrap();
        assert_eq!(
            coder("y").encode(&table).unwrap(),
            Target::Values(vec![-1.0, 1.0, 3.0])
        );
        assert_eq!(
            coder("c").encode(&table).unwrap(),
            Target::Classes(vec![0, 1, 0])
        );
        let json = serde_json::to_string(&coder("c")).unwrap();
        assert_eq!(
            json,
            r#"{"task":"classification","name":"c","classes":["no","yes"]}"#
        );
        assert_eq!(
            serde_json::from_str::<TargetCoder>(&json).unwrap(),
            coder("c")
        );
    }

    #[test]
    fn refuses_missing_and_unseen_targets() {
        let table = parse(b"y,c\n1,no\n3,yes\n,maybe\n", &TableOptions::default()).unwrap();
        let refused = |column| {
            let coder = TargetCoder::fit(&table, &[0, 1], column).unwrap();
            coder.encode(&table).unwrap_err().to_string()
        };
        assert_eq!(
            refused("y"),
            r#"line 4: column "y" holds "", expected a number"#
        );
        assert_eq!(
            refused("c"),
            r#"line 4: column "c" holds "maybe", expected one of no, yes"#
        );
    }
}
