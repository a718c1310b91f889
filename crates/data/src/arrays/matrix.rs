//! A CSV file of numbers alone, with or without a line of names.

use super::Array;
use crate::delimited::{records, sniff};
use crate::error::{DataError, Fault, shortened};
use crate::text;

/// Reads a matrix of numbers, `[lines, fields]`; a first line that is not all numbers is taken for names.
///
/// # Errors
/// Not UTF-8, no line of numbers, a line with another number of fields than the first, a field that is no finite number.
pub fn parse(bytes: &[u8]) -> Result<Array, DataError> {
    let content = text::decode(bytes)?;
    let (mut values, mut width, mut lines, mut rows) = (Vec::new(), 0, 0, 0);
    records(content, sniff(content), |line, record| {
        lines += 1;
        if lines == 1 {
            width = record.len();
            if record.iter().any(|cell| cell.parse::<f64>().is_err()) {
                return Ok(());
            }
        }
        if record.len() != width {
            let (held, expected) = (record.len() as u64, width as u64);
            return Err(DataError::from(Fault::Fields { held, expected }).at_line(line));
        }
        for (column, cell) in record.iter().enumerate() {
            match cell.parse::<f64>() {
                Ok(value) if value.is_finite() => values.push(value),
                _ => {
                    let field = format!("field {}", column + 1);
                    let held = format!("{:?}", shortened(cell));
                    return Err(DataError::format(field, held, "a finite number").at_line(line));
                }
            }
        }
        rows += 1;
        Ok(())
    })?;
    if rows == 0 {
        let (held, expected) = ("no line of numbers", "at least one");
        return Err(Fault::Empty { held, expected }.into());
    }
    Array::new(vec![rows, width], values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_with_and_without_names() {
        for text in [
            "1,2\n3,-4e1\n",
            "a,b\n1,2\n3,-40\n",
            "1;2\r\n\r\n3;-40",
            "x\t1\n1\t2\n3\t-40\n",
        ] {
            let array = parse(text.as_bytes()).unwrap();
            assert_eq!(array.shape, [2, 2], "{text}");
            assert_eq!(array.values, [1.0, 2.0, 3.0, -40.0]);
        }
    }

    #[test]
    fn names_line_and_field() {
        let say = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(say("1,2\n3\n"), "line 2: 1 fields, expected 2");
        assert_eq!(
            say("1,2\n3,x\n"),
            "line 2: field 2 is \"x\", expected a finite number"
        );
        assert_eq!(
            say("1,2\nnan,3\n"),
            "line 2: field 1 is \"nan\", expected a finite number"
        );
        assert_eq!(say(""), "no line of numbers, expected at least one");
        assert_eq!(say("a,b\n"), "no line of numbers, expected at least one");
        // Infinity is a number to the parser, so this is no line of names.
        assert!(say("inf,2\n").starts_with("line 1: field 1"));
    }
}
