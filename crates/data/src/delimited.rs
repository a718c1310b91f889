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
