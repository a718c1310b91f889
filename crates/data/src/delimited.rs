//! Records of delimited text with the lines they begin on.

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::error::DataError;

/// Calls `visit` with the line and the fields of every record, the header's too. Fields may be quoted and are trimmed;
/// empty lines are skipped.
pub(crate) fn records(
    content: &str,
    delimiter: u8,
    mut visit: impl FnMut(u64, &StringRecord) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(content.as_bytes());
    let mut record = StringRecord::new();
    let (mut line, mut counted) = (1, 0);
    loop {
        let more = reader.read_record(&mut record);
        if !more.map_err(|error| DataError::format("content", error, "delimited text"))? {
            return Ok(());
        }
        // The reader's own line is that of the end of the record before, which lies above any empty lines.
        let bytes = content.as_bytes();
        let end_before = record
            .position()
            .map_or(0, |position| position.byte() as usize);
        let empty = bytes[end_before..]
            .iter()
            .take_while(|byte| b"\r\n".contains(byte));
        let begin = end_before + empty.count();
        line += bytes[counted..begin]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count() as u64;
        counted = begin;
        visit(line, &record)?;
    }
}

/// The delimiter that occurs most in the first line, outside quotes; the comma if none occurs.
pub(crate) fn sniff(content: &str) -> u8 {
    let line = content.trim_start().lines().next().unwrap_or_default();
    let mut quoted = false;
    let mut counts = [(b',', 0), (b'\t', 0), (b';', 0), (b'|', 0)];
    for byte in line.bytes() {
        quoted ^= byte == b'"';
        for (delimiter, count) in &mut counts {
            *count += usize::from(byte == *delimiter && !quoted);
        }
    }
    // `max_by_key` keeps the last of equals, and the comma is to win a tie.
    let most = counts.iter().rev().max_by_key(|(_, count)| *count);
    most.map_or(b',', |(delimiter, _)| *delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_over_empty_lines_quotes_and_carriage_returns() {
        for end in ["\n", "\r\n"] {
            let content = ["", "a,b", "", "1,\"x", "y\"", "", "", "2, z ", ""].join(end);
            let mut seen = Vec::new();
            records(&content, b',', |line, record| {
                seen.push((line, record.get(1).unwrap_or_default().to_owned()));
                Ok(())
            })
            .unwrap();
            let expected = [
                (2, "b".to_owned()),
                (4, format!("x{end}y")),
                (8, "z".to_owned()),
            ];
            assert_eq!(seen, expected);
        }
    }
}
