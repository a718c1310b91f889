//! Arrays of numbers from files: NumPy's `.npy` and `.npz`, and plain CSV matrices.

mod matrix;
mod npy;
mod npz;
mod zip;

pub use matrix::parse as parse_csv;
pub use npy::{parse as parse_npy, write as write_npy};
pub use npz::{Npz, parse as parse_npz};

use crate::error::DataError;
use crate::file;
use std::path::Path;

/// Numbers in a shape, row by row; all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The lengths of the axes; none for a single number.
    pub shape: Vec<usize>,
    /// The elements.
    pub values: Vec<f64>,
}

impl Array {
    /// Numbers in a shape.
    ///
    /// # Errors
    /// If there are not as many numbers as the shape says, or one is not finite.
    pub fn new(shape: Vec<usize>, values: Vec<f64>) -> Result<Self, DataError> {
        let promised = product(&shape);
        if promised != Some(values.len()) {
            let held = values.len();
            let expected = format!("{shape:?}, as the shape says");
            return Err(DataError::format("number of elements", held, expected));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let field = format!("element {}", place(at, &shape));
            return Err(DataError::format(field, values[at], "a finite number"));
        }
        Ok(Self { shape, values })
    }

    /// The array as rows: one number a row where there is one axis.
    ///
    /// # Errors
    /// If there are more than two axes, or none, or no row or column.
    pub fn rows(&self) -> Result<(usize, usize), DataError> {
        match self.shape[..] {
            [rows] if rows > 0 => Ok((rows, 1)),
            [rows, columns] if rows > 0 && columns > 0 => Ok((rows, columns)),
            _ => {
                let held = format!("{:?}", self.shape);
                Err(DataError::format(
                    "shape",
                    held,
                    "[rows] or [rows, columns], none of them 0",
                ))
            }
        }
    }
}

/// The number of elements of a shape, if it can be counted.
fn product(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1_usize, |product, &d| product.checked_mul(d))
}

/// The place of an element by axes: `[2, 0]`.
fn place(mut at: usize, shape: &[usize]) -> String {
    let mut indices: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&length| {
            let index = at % length.max(1);
            at /= length.max(1);
            index
        })
        .collect();
    indices.reverse();
    format!("{indices:?}")
}

/// Reads an array from a file whose beginning says what it is: `.npy`, `.npz`, or else CSV; gzip or plain.
///
/// `member` names an array of an `.npz`; without it the file must hold just one.
///
/// # Errors
/// The file cannot be read, is damaged, or holds something else than finite real numbers; the error names the file.
pub fn read(path: &Path, member: Option<&str>) -> Result<Array, DataError> {
    file::read(path, |bytes| parse(bytes, member))
}

/// [`read`] from the bytes of a file.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8], member: Option<&str>) -> Result<Array, DataError> {
    if bytes.starts_with(npz::MAGIC) {
        return npz::parse(bytes)?.array(member);
    }
    if let Some(member) = member {
        let expected = "an .npz file, which alone has arrays by name";
        return Err(DataError::format(
            format!("array {member:?}"),
            "not to be had",
            expected,
        ));
    }
    if bytes.starts_with(npy::MAGIC) {
        return npy::parse(bytes);
    }
    matrix::parse(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_must_fit_and_be_finite() {
        let say = |shape: &[usize], values: &[f64]| {
            Array::new(shape.to_vec(), values.to_vec())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            say(&[2, 2], &[0.0; 3]),
            "number of elements is 3, expected [2, 2], as the shape says"
        );
        assert_eq!(
            say(&[2, 2], &[0.0, 1.0, f64::NAN, 0.0]),
            "element [1, 0] is NaN, expected a finite number"
        );
        assert!(say(&[usize::MAX, 2], &[]).starts_with("number of elements is 0"));
    }

    #[test]
    fn rows_of_arrays() {
        let rows =
            |shape: &[usize], count| Array::new(shape.to_vec(), vec![0.0; count]).unwrap().rows();
        assert_eq!(rows(&[3], 3).unwrap(), (3, 1));
        assert_eq!(rows(&[3, 2], 6).unwrap(), (3, 2));
        for (shape, count) in [(&[][..], 1), (&[0], 0), (&[2, 0], 0), (&[1, 1, 2], 2)] {
            let error = rows(shape, count).unwrap_err().to_string();
            assert!(error.starts_with("shape is ["), "{error}");
        }
    }

    #[test]
    fn the_beginning_of_a_file_says_what_it_is() {
        let array = Array::new(vec![2], vec![1.0, 2.5]).unwrap();
        assert_eq!(parse(&write_npy(&array), None).unwrap(), array);
        assert_eq!(parse(b"1\n2.5\n", None).unwrap().values, array.values);
        let error = parse(b"1\n2.5\n", Some("u")).unwrap_err().to_string();
        assert!(error.starts_with("array \"u\" is not to be had"), "{error}");
    }
}
