//! Plain text: a reader of UTF-8 files, and the two texts inside.

use std::path::Path;

use crate::embedded::{self, packed};
use crate::error::{DataError, Fault};
use crate::file;

/// The bytes as text, without a byte-order mark.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, DataError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bad = |at: usize, expected| {
        let line = 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count() as u64;
        let value = format!("{:#04x}", bytes[at]);
        DataError::format(format!("byte {at}"), value, expected).at_line(line)
    };
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(bad(at, "text, not a binary file"));
    }
    std::str::from_utf8(bytes).map_err(|error| bad(error.valid_up_to(), "UTF-8"))
}

/// Reads UTF-8 text: a byte-order mark is dropped, `\r\n` becomes `\n`.
///
/// # Errors
/// Nothing but white space, a byte that is not UTF-8, or a zero byte (a binary file).
pub fn parse(bytes: &[u8]) -> Result<String, DataError> {
    let text = decode(bytes)?;
    if text.trim().is_empty() {
        let (held, expected) = ("the file is empty", "text");
        return Err(Fault::Empty { held, expected }.into());
    }
    Ok(text.replace("\r\n", "\n"))
}

/// Reads a text file, gzip or plain.
///
/// # Errors
/// As [`parse`], with the file's name, and when the file cannot be read.
pub fn read(path: &Path) -> Result<String, DataError> {
    file::read(path, parse)
}

/// 42 works of Shakespeare, in the order of their titles' file names; 5,057,362 characters, ASCII.
pub fn shakespeare() -> String {
    embedded::text(packed::SHAKESPEARE)
}

/// The King James Bible: a heading a chapter, numbered verses, wrapped lines; 4,298,239 characters, ASCII.
pub fn king_james() -> String {
    embedded::text(packed::KING_JAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_the_mark_and_carriage_returns() {
        assert_eq!(
            parse("\u{feff}Grüße\r\nb\n".as_bytes()).unwrap(),
            "Grüße\nb\n"
        );
    }

    #[test]
    fn refuses_binary_latin1_and_nothing() {
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert_eq!(
            refused(b"ab\n\xfcc"),
            "line 2: byte 3 is 0xfc, expected UTF-8"
        );
        assert!(refused(b"PK\0\x03").starts_with("line 1: byte 2 is 0x00"));
        assert_eq!(refused(b" \n"), "the file is empty, expected text");
        assert_eq!(refused(b""), "the file is empty, expected text");
    }

    /// Lengths, lines and words as `wc` counts them in the packages' own files.
    #[test]
    fn the_texts_are_whole() {
        let text = shakespeare();
        assert!(text.starts_with("ALL'S WELL THAT ENDS WELL\n\nby William Shakespeare\n"));
        assert_eq!(text.len(), 5_057_362);
        assert_eq!(text.split_whitespace().count(), 905_018);
        assert!(text.is_ascii() && !text.to_lowercase().contains("gutenberg"));

        let text = king_james();
        assert_eq!((text.len(), text.lines().count()), (4_298_239, 73_811));
        assert_eq!(text.split_whitespace().count(), 823_359);
        let numbered = |line: &&str| {
            let rest = line.trim_start();
            line.starts_with(' ') && rest.starts_with(|c: char| c.is_ascii_digit())
        };
        assert_eq!(text.lines().filter(numbered).count(), 31_102);
    }
}
