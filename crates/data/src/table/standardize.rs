//! Features of a table as numbers of comparable size, by constants taken from training rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::constants::{check_levels, check_moments, levels_of, moments};
use super::{Column, ColumnKind, Table, Values};
use crate::error::{DataError, Fault, one_of};

/// What a category becomes that no training row had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unseen {
    /// An error that names the cell.
    #[default]
    Error,
    /// A category of its own, "other", the last column of its one-hot code.
    Other,
}

/// Maps the columns of a table to features:
///
/// - numeric `x` to `(x - mean) / deviation`, with mean and standard deviation (divisor n) of the training rows that are
///   not missing. A column that is constant there has deviation 1, so that its training values become 0. Missing becomes
///   0, the mean.
/// - categorical to one-hot, one feature a level of the training rows, in sorted order. Missing is all zeros.
///
/// It is saved beside a model (serde) and applied to later tables by column name, whatever their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardizer {
    /// The columns, in the order of their features.
    pub features: Vec<Feature>,
    /// What an unseen category becomes.
    pub unseen: Unseen,
}

/// One column's constants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Feature {
    /// One feature.
    Numeric {
        /// The column.
        name: String,
        /// Mean of the training rows.
        mean: f64,
        /// Standard deviation of the training rows, or 1 if that is 0.
        deviation: f64,
    },
    /// One feature a level, and one for "other" if unseen categories are let in.
    Categorical {
        /// The column.
        name: String,
        /// The levels of the training rows, sorted.
        levels: Vec<String>,
    },
}

/// A dense matrix of features.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// `[rows, width]`, row-major; finite.
    pub values: Vec<f32>,
    /// Number of rows.
    pub rows: usize,
    /// Number of features.
    pub width: usize,
}

impl Standardizer {
    /// Takes the constants from `rows` of the columns named in `columns`.
    ///
    /// # Errors
    /// No column or no row given, an unknown column, or a column without a single value in these rows.
    ///
    /// # Panics
    /// If a row is not below `table.rows()`.
    pub fn fit(
        table: &Table,
        rows: &[usize],
        columns: &[&str],
        unseen: Unseen,
    ) -> Result<Self, DataError> {
        if columns.is_empty() || rows.is_empty() {
            let (held, expected) = ("no columns or no rows to fit on", "at least one of each");
            return Err(Fault::Empty { held, expected }.into());
        }
        let fitted = columns
            .iter()
            .map(|name| Feature::fit(table.column(name)?, rows));
        Ok(Self {
            features: fitted.collect::<Result<_, _>>()?,
            unseen,
        })
    }

    /// Refuses constants that [`fit`](Self::fit) cannot have written, as a damaged or edited file may hold.
    ///
    /// # Errors
    /// No columns, a mean that is not finite, a deviation that is not above 0, levels that are not sorted and distinct.
    pub fn validate(&self) -> Result<(), DataError> {
        if self.features.is_empty() {
            return Err(DataError::setting("features", "[]", "at least one column"));
        }
        self.features.iter().try_for_each(|feature| match feature {
            Feature::Numeric {
                mean, deviation, ..
            } => check_moments(*mean, *deviation),
            Feature::Categorical { levels, .. } => check_levels(levels),
        })
    }

    /// Number of features of a row.
    pub fn width(&self) -> usize {
        self.features
            .iter()
            .map(|feature| self.width_of(feature))
            .sum()
    }

    /// A name for each feature: the column's, or `column=level`.
    pub fn names(&self) -> Vec<String> {
        let of = |feature: &Feature| match feature {
            Feature::Numeric { name, .. } => vec![name.clone()],
            Feature::Categorical { name, levels } => {
                let other = (self.unseen == Unseen::Other).then_some("other");
                let levels = levels.iter().map(String::as_str).chain(other);
                levels.map(|level| format!("{name}={level}")).collect()
            }
        };
        self.features.iter().flat_map(of).collect()
    }

    /// The kinds to read a later table with ([`TableOptions::kinds`](super::TableOptions::kinds)): inference might see
    /// another kind in other rows.
    pub fn kinds(&self) -> BTreeMap<String, ColumnKind> {
        let kind = |feature: &Feature| match feature {
            Feature::Numeric { .. } => ColumnKind::Numeric,
            Feature::Categorical { .. } => ColumnKind::Categorical,
        };
        let features = self.features.iter();
        features
            .map(|feature| (feature.name().to_owned(), kind(feature)))
            .collect()
    }

    /// The features of every row of `table`.
    ///
    /// # Errors
    /// A column is absent or of the other kind, a category is unseen (with [`Unseen::Error`]), or a number is so far
    /// from the training rows that its feature is not finite; as [`validate`](Self::validate).
    pub fn transform(&self, table: &Table) -> Result<Features, DataError> {
        self.validate()?;
        let (rows, width) = (table.rows(), self.width());
        let mut values = vec![0.0; rows * width];
        let mut first = 0;
        for feature in &self.features {
            let column = table.column(feature.name())?;
            for (row, features) in values.chunks_exact_mut(width).enumerate() {
                let place = &mut features[first..first + self.width_of(feature)];
                self.encode(feature, column, row, place)
                    .map_err(|error| error.at_line(table.lines[row]))?;
            }
            first += self.width_of(feature);
        }
        Ok(Features {
            values,
            rows,
            width,
        })
    }

    fn width_of(&self, feature: &Feature) -> usize {
        match feature {
            Feature::Numeric { .. } => 1,
            Feature::Categorical { levels, .. } => {
                levels.len() + usize::from(self.unseen == Unseen::Other)
            }
        }
    }

    fn encode(
        &self,
        feature: &Feature,
        column: &Column,
        row: usize,
        place: &mut [f32],
    ) -> Result<(), DataError> {
        let name = &column.name;
        let refused = |expected: String| DataError::cell(name, &column.text(row), expected);
        match (feature, &column.values) {
            (
                Feature::Numeric {
                    mean, deviation, ..
                },
                Values::Numeric(numbers),
            ) => {
                if !numbers[row].is_nan() {
                    place[0] = ((numbers[row] - mean) / deviation) as f32;
                }
                if !place[0].is_finite() {
                    let near = format!("a number nearer to the training mean {mean}");
                    return Err(refused(near));
                }
            }
            // Without `kinds`, categories that look like numbers arrive as numbers.
            (Feature::Categorical { levels, .. }, _) => {
                let cell = column.text(row);
                if cell.is_empty() {
                    return Ok(());
                }
                match (levels.binary_search(&cell), self.unseen) {
                    (Ok(level), _) => place[level] = 1.0,
                    (Err(_), Unseen::Other) => place[levels.len()] = 1.0,
                    (Err(_), Unseen::Error) => return Err(refused(one_of(levels))),
                }
            }
            (Feature::Numeric { .. }, Values::Categorical { .. }) => {
                if !column.text(row).is_empty() {
                    return Err(refused("a number".to_owned()));
                }
            }
        }
        Ok(())
    }
}

impl Feature {
    /// The column's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Numeric { name, .. } | Self::Categorical { name, .. } => name,
        }
    }

    fn fit(column: &Column, rows: &[usize]) -> Result<Self, DataError> {
        let name = column.name.clone();
        match &column.values {
            Values::Numeric(numbers) => {
                let (mean, deviation) = moments(&column.name, numbers, rows)?;
                Ok(Self::Numeric {
                    name,
                    mean,
                    deviation,
                })
            }
            Values::Categorical { .. } => Ok(Self::Categorical {
                name,
                levels: levels_of(column, rows)?,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{TableOptions, parse};
    use super::*;

    fn table(content: &str) -> Table {
        parse(content.as_bytes(), &TableOptions::default()).unwrap()
    }

    #[test]
    fn scales_by_training_rows_only() {
        let table = table("x,c,k\n1,b,5\n3,a,5\n,a,5\n100,,5\n");
        let fitted =
            Standardizer::fit(&table, &[0, 1, 2], &["x", "c", "k"], Unseen::Error).unwrap();
        assert_eq!(fitted.names(), ["x", "c=a", "c=b", "k"]);
        let features = fitted.transform(&table).unwrap();
        assert_eq!((features.rows, features.width), (4, 4));
        assert_eq!(
            features.values,
            [
                -1.0, 0.0, 1.0, 0.0, // mean 2, deviation 1
                1.0, 1.0, 0.0, 0.0, //
                0.0, 1.0, 0.0, 0.0, // missing: the mean
                98.0, 0.0, 0.0, 0.0, // missing: no category
            ]
        );
    }

    #[test]
    fn unseen_categories_are_errors_or_other() {
        let train = table("c\na\nb\n");
        let later = table("c\nb\nz\n");
        let strict = Standardizer::fit(&train, &[0, 1], &["c"], Unseen::Error).unwrap();
        assert_eq!(
            strict.transform(&later).unwrap_err().to_string(),
            r#"line 3: column "c" holds "z", expected one of a, b"#
        );
        let open = Standardizer::fit(&train, &[0, 1], &["c"], Unseen::Other).unwrap();
        assert_eq!(open.names(), ["c=a", "c=b", "c=other"]);
        assert_eq!(
            open.transform(&later).unwrap().values,
            [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        );
    }

    #[test]
    fn kinds_of_a_later_table_are_checked() {
        let fitted =
            Standardizer::fit(&table("x\n1\n2\n"), &[0, 1], &["x"], Unseen::Error).unwrap();
        assert_eq!(
            fitted
                .transform(&table("x\nlow\nhigh\n"))
                .unwrap_err()
                .to_string(),
            r#"line 2: column "x" holds "low", expected a number"#
        );
        assert!(fitted.transform(&table("y\n1\n")).is_err());
        // Categories that look like numbers in a later table are still categories.
        let fitted =
            Standardizer::fit(&table("c\n1\n2\nx\nx\n"), &[0, 1], &["c"], Unseen::Error).unwrap();
        assert_eq!(
            fitted.transform(&table("c\n2\n")).unwrap().values,
            [0.0, 1.0]
        );
        assert_eq!(
            fitted.kinds(),
            [("c".to_owned(), ColumnKind::Categorical)].into()
        );
    }

    #[test]
    fn constant_and_huge_columns_stay_finite() {
        let table = table("a,b\n0.1,-1e308\n0.1,1e308\n0.1,0\n");
        let rows = [0, 1, 2];
        let fitted = Standardizer::fit(&table, &rows, &["a", "b"], Unseen::Error).unwrap();
        let features = fitted.transform(&table).unwrap().values;
        assert!(
            features.iter().all(|x| x.is_finite() && x.abs() < 2.0),
            "{features:?}"
        );
        assert!(matches!(
            fitted.features[0],
            Feature::Numeric { deviation: 1.0, .. }
        ));
    }

    #[test]
    fn refuses_columns_without_values_and_far_outliers() {
        let gaps = table("x,y\n1,\n2,\n3,5\n");
        let refused = |columns: &[&str]| {
            Standardizer::fit(&gaps, &[0, 1], columns, Unseen::Error)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(&["y"]).contains("at least one training row"));
        assert!(refused(&[]).starts_with("no columns"));
        assert!(refused(&["z"]).ends_with("expected one of x, y"));
        let tiny = table("x\n1e-300\n2e-300\n1\n");
        let fitted = Standardizer::fit(&tiny, &[0, 1], &["x"], Unseen::Error).unwrap();
        let error = fitted.transform(&tiny).unwrap_err().to_string();
        assert!(error.starts_with(r#"line 4: column "x" holds "1", expected a number nearer"#));
    }

    #[test]
    fn refuses_constants_that_were_tampered_with() {
        let table = table("x\n1\n2\n");
        let of = |features: &str| {
            let json = format!(r#"{{"unseen":"error","features":{features}}}"#);
            let fitted: Standardizer = serde_json::from_str(&json).unwrap();
            fitted.transform(&table).unwrap_err().to_string()
        };
        assert_eq!(of("[]"), "features = [], expected at least one column");
        assert_eq!(
            of(r#"[{"kind":"numeric","name":"x","mean":0.0,"deviation":0.0}]"#),
            "deviation = 0, expected a finite number above 0"
        );
        assert_eq!(
            of(r#"[{"kind":"categorical","name":"x","levels":["b","a"]}]"#),
            r#"levels = ["b", "a"], expected sorted distinct texts"#
        );
    }

    /// Mean and deviation as NumPy gives them for scikit-learn's `load_breast_cancer().data[:, 0]`.
    #[test]
    fn known_answer_on_breast_cancer() {
        let table = crate::tables::breast_cancer();
        let rows: Vec<usize> = (0..table.rows()).collect();
        let columns = ["mean radius"];
        let fitted = Standardizer::fit(&table, &rows, &columns, Unseen::Error).unwrap();
        let Feature::Numeric {
            mean, deviation, ..
        } = fitted.features[0]
        else {
            panic!("mean radius is numeric")
        };
        assert!((mean - 14.127_291_739_894_552).abs() < 1e-12);
        assert!((deviation - 3.520_950_760_711_062).abs() < 1e-12);
    }

    #[test]
    fn survives_serialization_bit_for_bit() {
        let table = table("x,c\n0.1,a\n0.2,b\n0.7,a\n");
        let fitted = Standardizer::fit(&table, &[0, 1, 2], &["x", "c"], Unseen::Other).unwrap();
        let json = serde_json::to_string(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<Standardizer>(&json).unwrap(), fitted);
    }
}
