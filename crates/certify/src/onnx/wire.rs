//! Protobuf's wire format: a message is a row of fields, each a number with a varint, four or eight bytes, or a string of
//! bytes, which may be a message again.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

use crate::error::{CertifyError, Result};

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Varint(u64),
    Fixed32([u8; 4]),
    /// Eight bytes, which no field that is read has.
    Fixed64,
    Bytes(&'a [u8]),
}

/// The fields of a message in order.
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Value::Fixed64
            }
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(usize::try_from(length).ok()?)?)
            }
            5 => Value::Fixed32(*self.take(4)?.first_chunk()?),
            // Groups are no part of the format any more.
            _ => return None,
        };
        Some((key >> 3, value))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for place in 0..10 {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field().ok_or_else(damaged);
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Value<'a> {
    /// A message or a string.
    pub fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(damaged()),
        }
    }

    pub fn text(self) -> Result<String> {
        let text = std::str::from_utf8(self.bytes()?);
        text.map(Into::into).map_err(|_| damaged())
    }

    pub fn integer(self) -> Result<i64> {
        match self {
            // Negative numbers are stored as their two's complement.
            Value::Varint(value) => Ok(value.cast_signed()),
            _ => Err(damaged()),
        }
    }

    pub fn float(self) -> Result<f32> {
        match self {
            Value::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(damaged()),
        }
    }

    /// Adds one integer, or several that are packed.
    pub fn integers(self, all: &mut Vec<i64>) -> Result<()> {
        let Value::Bytes(bytes) = self else {
            all.push(self.integer()?);
            return Ok(());
        };
        let mut packed = Fields::of(bytes);
        while !packed.rest.is_empty() {
            all.push(packed.varint().ok_or_else(damaged)?.cast_signed());
        }
        Ok(())
    }

    /// Adds one float, or several that are packed.
    pub fn floats(self, all: &mut Vec<f32>) -> Result<()> {
        let Value::Bytes(bytes) = self else {
            all.push(self.float()?);
            return Ok(());
        };
        let (chunks, []) = bytes.as_chunks::<4>() else {
            return Err(damaged());
        };
        all.extend(chunks.iter().map(|&chunk| f32::from_le_bytes(chunk)));
        Ok(())
    }
}

/// The error of bytes that are no ONNX model.
pub fn damaged() -> CertifyError {
    CertifyError::File("the file is no ONNX model, or a damaged one".into())
}
