//! NumPy's format of one array.
//!
//! Source: numpy.lib.format (NEP 1): `\x93NUMPY`, the version, the length of a header, the header as a Python dictionary
//! with `descr`, `fortran_order` and `shape`, then the elements.

use super::{Array, product};
use crate::error::{DataError, Fault, shortened};

/// How a file begins.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads an array of real numbers: floats of 4 or 8 bytes or integers, of either byte order, in C or Fortran order.
///
/// # Errors
/// Not a `.npy`, truncated, another type of elements, not as many elements as the shape says, or one that is not finite.
pub fn parse(bytes: &[u8]) -> Result<Array, DataError> {
    let short = || -> DataError {
        let (held, expected) = ("a file that ends within its header", "a .npy file");
        Fault::Empty { held, expected }.into()
    };
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| {
        let held = format!("{:02x?}", &bytes[..bytes.len().min(6)]);
        DataError::format("magic", held, "\\x93NUMPY")
    })?;
    let (&[major, _], rest) = rest.split_first_chunk().ok_or_else(short)?;
    let (length, rest) = match major {
        1 => {
            let (&length, rest) = rest.split_first_chunk().ok_or_else(short)?;
            (usize::from(u16::from_le_bytes(length)), rest)
        }
        2 | 3 => {
            let (&length, rest) = rest.split_first_chunk().ok_or_else(short)?;
            (u32::from_le_bytes(length) as usize, rest)
        }
        _ => return Err(DataError::format("version", major, "1, 2 or 3")),
    };
    let (header, elements) = rest.split_at_checked(length).ok_or_else(short)?;
    let header = Header::parse(&String::from_utf8_lossy(header))?;
    let values = header.read(elements)?;
    let values = match header.fortran {
        true => c_order(&values, &header.shape),
        false => values,
    };
    Array::new(header.shape, values)
}

/// An array as a `.npy` file of 8-byte floats.
pub fn write(array: &Array) -> Vec<u8> {
    let shape: Vec<String> = array.shape.iter().map(usize::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut header = format!(
        "{{'descr': '<f8', 'fortran_order': False, 'shape': ({}{comma}), }}",
        shape.join(", ")
    );
    // Elements start at a multiple of 64.
    let used = MAGIC.len() + 4 + header.len() + 1;
    header += &" ".repeat(used.next_multiple_of(64) - used);
    header.push('\n');
    let mut bytes = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes()].concat();
    bytes.extend(header.bytes());
    bytes.extend(array.values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

struct Header {
    big: bool,
    kind: char,
    size: usize,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, DataError> {
        let bad = |field: &str, expected: &str| {
            let held = value_of(text, field).unwrap_or("missing");
            DataError::format(field, shortened(held), expected)
        };
        let types = "a real number: f4, f8, i1 to i8 or u1 to u8";
        let descr = value_of(text, "descr").and_then(quoted);
        let descr = descr.ok_or_else(|| bad("descr", types))?;
        let mut letters = descr.chars();
        let order = letters.next();
        let kind = letters.next();
        let size = letters.as_str().parse().ok();
        let (Some(order @ ('<' | '>' | '|' | '=')), Some(kind), Some(size)) = (order, kind, size)
        else {
            return Err(DataError::format("dtype", shortened(descr), types));
        };
        let known = matches!((kind, size), ('f', 4 | 8) | ('i' | 'u', 1 | 2 | 4 | 8));
        if !known {
            return Err(DataError::format("dtype", shortened(descr), types));
        }
        let fortran = match value_of(text, "fortran_order") {
            Some(value) if value.starts_with("True") => true,
            Some(value) if value.starts_with("False") => false,
            _ => return Err(bad("fortran_order", "True or False")),
        };
        let shape = value_of(text, "shape")
            .and_then(|value| value.strip_prefix('(')?.split_once(')'))
            .and_then(|(inside, _)| {
                let lengths = inside
                    .split(',')
                    .map(str::trim)
                    .filter(|text| !text.is_empty());
                lengths
                    .map(|text| text.parse().ok())
                    .collect::<Option<Vec<usize>>>()
            });
        Ok(Self {
            big: order == '>',
            kind,
            size,
            fortran,
            shape: shape.ok_or_else(|| bad("shape", "lengths in parentheses"))?,
        })
    }

    fn read(&self, bytes: &[u8]) -> Result<Vec<f64>, DataError> {
        let promised = product(&self.shape).and_then(|count| count.checked_mul(self.size));
        if promised != Some(bytes.len()) {
            return Err(DataError::format(
                "size of the elements",
                format!("{} bytes", bytes.len()),
                format!("{:?} of {} bytes each", self.shape, self.size),
            ));
        }
        Ok(match (self.kind, self.size) {
            ('f', 4) => self.each(bytes, |b| f64::from(f32::from_le_bytes(b))),
            ('f', _) => self.each(bytes, f64::from_le_bytes),
            ('i', 1) => self.each(bytes, |b| f64::from(i8::from_le_bytes(b))),
            ('i', 2) => self.each(bytes, |b| f64::from(i16::from_le_bytes(b))),
            ('i', 4) => self.each(bytes, |b| f64::from(i32::from_le_bytes(b))),
            ('i', _) => self.each(bytes, |b| i64::from_le_bytes(b) as f64),
            ('u', 1) => self.each(bytes, |b| f64::from(u8::from_le_bytes(b))),
            ('u', 2) => self.each(bytes, |b| f64::from(u16::from_le_bytes(b))),
            ('u', 4) => self.each(bytes, |b| f64::from(u32::from_le_bytes(b))),
            _ => self.each(bytes, |b| u64::from_le_bytes(b) as f64),
        })
    }

    /// Each element by its bytes in little-endian order.
    fn each<const N: usize>(&self, bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let turned = |mut bytes: [u8; N]| {
            if self.big {
                bytes.reverse();
            }
            read(bytes)
        };
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| turned(bytes))
            .collect()
    }
}

/// What stands behind `'field':`.
fn value_of<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("'{field}':"))?;
    Some(rest.trim_start())
}

/// The text between the quotes that a value begins with.
fn quoted(value: &str) -> Option<&str> {
    let rest = value.strip_prefix('\'')?;
    Some(rest.split_once('\'')?.0)
}

/// Elements in C order, given those in Fortran order.
fn c_order(values: &[f64], shape: &[usize]) -> Vec<f64> {
    let mut ordered = Vec::with_capacity(values.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..values.len() {
        let lengths = index.iter().zip(shape).rev();
        ordered.push(values[lengths.fold(0, |at, (i, length)| at * length + i)]);
        for (i, length) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *length {
                break;
            }
            *i = 0;
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as NumPy writes it.
    fn file(header: &str, elements: &[u8]) -> Vec<u8> {
        let mut bytes = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes()].concat();
        bytes.extend(header.bytes());
        bytes.extend(elements);
        bytes
    }

    fn dictionary(descr: &str, fortran: &str, shape: &str) -> String {
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
    }

    #[test]
    fn reads_every_type_and_order() {
        let read = |descr: &str, elements: &[u8]| {
            let bytes = file(&dictionary(descr, "False", "(2,)"), elements);
            parse(&bytes).unwrap().values
        };
        let both = |a: &[u8], b: &[u8]| [a, b].concat();
        assert_eq!(
            read(
                "<f8",
                &both(&1.5_f64.to_le_bytes(), &(-2.0_f64).to_le_bytes())
            ),
            [1.5, -2.0]
        );
        assert_eq!(
            read(
                ">f4",
                &both(&1.5_f32.to_be_bytes(), &(-2.0_f32).to_be_bytes())
            ),
            [1.5, -2.0]
        );
        assert_eq!(
            read("<i8", &both(&7_i64.to_le_bytes(), &(-2_i64).to_le_bytes())),
            [7.0, -2.0]
        );
        assert_eq!(
            read(">i2", &both(&7_i16.to_be_bytes(), &(-2_i16).to_be_bytes())),
            [7.0, -2.0]
        );
        assert_eq!(read("|u1", &[7, 255]), [7.0, 255.0]);
        assert_eq!(read("|i1", &[7, 255]), [7.0, -1.0]);
        let square = |fortran| {
            let bytes = file(&dictionary("|u1", fortran, "(2, 3)"), &[1, 2, 3, 4, 5, 6]);
            parse(&bytes).unwrap().values
        };
        assert_eq!(square("False"), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(square("True"), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        let scalar = parse(&file(&dictionary("|u1", "False", "()"), &[9])).unwrap();
        assert_eq!((scalar.shape.len(), scalar.values[0]), (0, 9.0));
    }

    #[test]
    fn survives_a_round_trip() {
        for shape in [vec![], vec![3], vec![2, 3], vec![1, 2, 2], vec![0, 4]] {
            let count = shape.iter().product();
            let values = (0..count).map(|i: usize| i as f64 * 0.3 - 1.0).collect();
            let array = Array::new(shape, values).unwrap();
            let bytes = write(&array);
            assert_eq!(parse(&bytes).unwrap(), array);
            assert_eq!((bytes.len() - 8 * count) % 64, 0);
            for cut in 0..bytes.len() {
                assert!(parse(&bytes[..cut]).is_err(), "{cut}");
            }
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let say =
            |header: &str, elements: &[u8]| parse(&file(header, elements)).unwrap_err().to_string();
        assert_eq!(
            say(&dictionary("<c16", "False", "(1,)"), &[0; 16]),
            "dtype is <c16, expected a real number: f4, f8, i1 to i8 or u1 to u8"
        );
        assert!(say(&dictionary("|O", "False", "(1,)"), &[]).starts_with("dtype is |O"));
        assert!(say("{'descr': [('a', '<f8')], }", &[]).starts_with("descr is [('a'"));
        assert!(say(&dictionary("<f8", "Maybe", "(1,)"), &[0; 8]).starts_with("fortran_order is"));
        assert!(say(&dictionary("<f8", "False", "(-1,)"), &[0; 8]).starts_with("shape is (-1,)"));
        assert_eq!(
            say(&dictionary("<f8", "False", "(3,)"), &[0; 8]),
            "size of the elements is 8 bytes, expected [3] of 8 bytes each"
        );
        let huge = dictionary("<f8", "False", "(18446744073709551615, 2)");
        assert!(say(&huge, &[]).starts_with("size of the elements is 0 bytes"));
        let nan = say(&dictionary("<f8", "False", "(1,)"), &f64::NAN.to_le_bytes());
        assert_eq!(nan, "element [0] is NaN, expected a finite number");
        assert!(
            parse(b"\x93NUMPY\x09\x00")
                .unwrap_err()
                .to_string()
                .contains("version is 9")
        );
        assert!(
            parse(b"something")
                .unwrap_err()
                .to_string()
                .starts_with("magic is")
        );
    }
}
