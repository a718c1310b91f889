//! Delimited text with a header: CSV, TSV, `;` or `|`, quoted fields allowed.

use std::collections::BTreeMap;
use std::path::Path;

use csv::StringRecord;

use super::{Column, Table, Values};
use crate::delimited::{records, sniff};
use crate::error::{DataError, Fault, shortened};
use crate::{file, text};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Numbers.
    Numeric,
    /// Any text; equal texts are one category.
    Categorical,
    /// Not read.
    Ignored,
}

/// How to read a table. The default infers everything and takes only empty cells as missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableOptions {
    /// The byte between two fields; inferred from the header when absent.
    pub delimiter: Option<u8>,
    /// Cell texts that mean "missing", beside the empty cell.
    pub missing: Vec<String>,
    /// Kinds of columns by name. Other columns are numeric when more than half of their cells that are not missing are
    /// numbers (so that a stray text is an error instead of a category), and categorical otherwise.
    pub kinds: BTreeMap<String, ColumnKind>,
}

/// Reads a table from the bytes of a file.
///
/// # Errors
/// Not UTF-8, no header or an unusable one, no rows, a line with another number of fields than the header, a cell of a
/// numeric column that is no finite number, a name in [`TableOptions::kinds`] that is no column.
pub fn parse(bytes: &[u8], options: &TableOptions) -> Result<Table, DataError> {
    let content = text::decode(bytes)?;
    let delimiter = options.delimiter.unwrap_or_else(|| sniff(content));
    let mut names = Vec::new();
    let mut cells: Vec<Vec<Option<String>>> = Vec::new();
    let mut lines = Vec::new();
    records(content, delimiter, |line, record| {
        if names.is_empty() {
            names = header(record).map_err(|error| error.at_line(line))?;
            cells = vec![Vec::new(); names.len()];
            return Ok(());
        }
        if record.len() != names.len() {
            let (held, expected) = (record.len() as u64, names.len() as u64);
            return Err(DataError::from(Fault::Fields { held, expected }).at_line(line));
        }
        for (column, cell) in cells.iter_mut().zip(record) {
            let missing = cell.is_empty() || options.missing.iter().any(|mark| mark == cell);
            column.push((!missing).then(|| cell.to_owned()));
        }
        lines.push(line);
        Ok(())
    })?;
    if names.is_empty() {
        let (held, expected) = ("the file is empty", "a header line and rows");
        return Err(Fault::Empty { held, expected }.into());
    }
    if let Some(name) = options.kinds.keys().find(|name| !names.contains(name)) {
        let (name, known) = (name.clone(), names);
        return Err(Fault::UnknownColumn { name, known }.into());
    }
    if lines.is_empty() {
        let (held, expected) = (
            "the file holds a header and no rows",
            "rows below the header",
        );
        return Err(Fault::Empty { held, expected }.into());
    }

    let mut columns = Vec::new();
    for (name, cells) in names.into_iter().zip(cells) {
        let kind = options.kinds.get(&name).copied();
        let values = match kind.unwrap_or_else(|| infer(&cells)) {
            ColumnKind::Ignored => continue,
            ColumnKind::Numeric => numeric(&name, &cells, &lines)?,
            ColumnKind::Categorical => categorical(&cells),
        };
        columns.push(Column { name, values });
    }
    Ok(Table { columns, lines })
}

/// Reads a table from a file, gzip or plain. `.tsv` and `.tab` mean tabs; otherwise the header decides.
///
/// # Errors
/// As [`parse`], with the file's name, and when the file cannot be read.
pub fn read(path: &Path, options: &TableOptions) -> Result<Table, DataError> {
    let name = path.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let tabs = name.ends_with(".tsv") || name.ends_with(".tab");
    let options = TableOptions {
        delimiter: options.delimiter.or(tabs.then_some(b'\t')),
        ..options.clone()
    };
    file::read(path, |bytes| parse(bytes, &options))
}

fn header(record: &StringRecord) -> Result<Vec<String>, DataError> {
    let names: Vec<String> = record.iter().map(str::to_owned).collect();
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]);
    let problem = if let Some(empty) = names.iter().position(String::is_empty) {
        format!("leaves column {} without a name", empty + 1)
    } else if names.iter().all(|name| number(name).is_some()) {
        format!(
            "holds only numbers ({}): it looks like a row",
            shortened(&names[0])
        )
    } else if let Some(pair) = twice {
        format!("names {:?} twice", shortened(pair[0]))
    } else {
        return Ok(names);
    };
    Err(Fault::Header { problem }.into())
}

/// A finite number. Rust would also read `nan` and `inf`.
fn number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|number: &f64| number.is_finite())
}

fn infer(cells: &[Option<String>]) -> ColumnKind {
    let present = cells.iter().flatten().count();
    let numbers = cells
        .iter()
        .flatten()
        .filter_map(|cell| number(cell))
        .count();
    if 2 * numbers > present {
        ColumnKind::Numeric
    } else {
        ColumnKind::Categorical
    }
}

fn numeric(name: &str, cells: &[Option<String>], lines: &[u64]) -> Result<Values, DataError> {
    let numbers = cells.iter().zip(lines).map(|(cell, &line)| match cell {
        None => Ok(f64::NAN),
        Some(cell) => {
            number(cell).ok_or_else(|| DataError::cell(name, cell, "a number").at_line(line))
        }
    });
    Ok(Values::Numeric(numbers.collect::<Result<_, _>>()?))
}

fn categorical(cells: &[Option<String>]) -> Values {
    let mut levels: Vec<String> = cells.iter().flatten().cloned().collect();
    levels.sort_unstable();
    levels.dedup();
    let code = |cell: &String| levels.binary_search(cell).ok().map(|index| index as u32);
    let codes = cells
        .iter()
        .map(|cell| cell.as_ref().and_then(code))
        .collect();
    Values::Categorical { codes, levels }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(content: &str) -> Table {
        parse(content.as_bytes(), &TableOptions::default()).unwrap()
    }

    fn refused(content: &str) -> String {
        let error = parse(content.as_bytes(), &TableOptions::default());
        error.unwrap_err().to_string()
    }

    #[test]
    fn reads_quotes_missing_cells_and_both_kinds() {
        let table = table(
            "\u{feff}city,price\n\"Oslo, \"\"N\"\"\",1.5\n\nBern,\n\"Oslo, \"\"N\"\"\",-2e3\r\n",
        );
        assert_eq!(table.lines, [2, 4, 5]);
        let (codes, levels) = table.columns[0].categories().unwrap();
        assert_eq!(levels, ["Bern", "Oslo, \"N\""]);
        assert_eq!(codes, [Some(1), Some(0), Some(1)]);
        let price = table.column("price").unwrap().numbers().unwrap();
        assert_eq!((price[0], price[2]), (1.5, -2000.0));
        assert!(price[1].is_nan());
        assert_eq!(table.columns[1].text(1), "");
        assert_eq!(table.columns[1].text(2), "-2000");
        assert_eq!(table.columns[0].text(1), "Bern");
    }

    #[test]
    fn infers_the_delimiter_outside_quotes() {
        for delimiter in [',', '\t', ';', '|'] {
            let table = table(&format!(
                "a{delimiter}\"b,;|\"{delimiter}c\n1{delimiter}x{delimiter}3\n"
            ));
            let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names, ["a", "b,;|", "c"]);
        }
        assert_eq!(table("a\n1\n").columns.len(), 1);
    }

    #[test]
    fn a_stray_text_in_a_numeric_column_is_an_error_until_marked() {
        let content = "price,city\n1,Oslo\n2,Bern\nn/a,Rome\n";
        assert_eq!(
            refused(content),
            r#"line 4: column "price" holds "n/a", expected a number"#
        );
        let with = |options| parse(content.as_bytes(), &options).unwrap();
        let marked = with(TableOptions {
            missing: vec!["n/a".into()],
            ..Default::default()
        });
        assert!(marked.columns[0].numbers().unwrap()[2].is_nan());
        let kind = |kind| TableOptions {
            kinds: [("price".to_owned(), kind)].into(),
            ..Default::default()
        };
        assert_eq!(with(kind(ColumnKind::Ignored)).columns[0].name, "city");
        let (_, levels) = with(kind(ColumnKind::Categorical)).columns[0]
            .categories()
            .map(|(c, l)| (c.to_vec(), l.to_vec()))
            .unwrap();
        assert_eq!(levels, ["1", "2", "n/a"]);
    }

    #[test]
    fn refuses_numbers_that_are_not_finite() {
        for cell in ["nan", "inf", "-Infinity", "1e999"] {
            let message = refused(&format!("a\n1\n2\n{cell}\n"));
            assert!(
                message.ends_with(&format!("holds {cell:?}, expected a number")),
                "{message}"
            );
        }
    }

    #[test]
    fn refuses_bad_shapes_and_headers() {
        assert_eq!(
            refused(""),
            "the file is empty, expected a header line and rows"
        );
        assert!(refused("a,b\n").starts_with("the file holds a header and no rows"));
        assert_eq!(refused("a,b\n1,2\n1,2,3\n"), "line 3: 3 fields, expected 2");
        assert_eq!(
            refused("a,,c\n1,2,3\n"),
            "line 1: the header leaves column 2 without a name"
        );
        assert_eq!(
            refused("a,b,a\n1,2,3\n"),
            r#"line 1: the header names "a" twice"#
        );
        assert!(refused("1,2\n3,4\n").starts_with("line 1: the header holds only numbers (1)"));
        assert!(parse(&[b'a', b'\n', 0xff], &TableOptions::default()).is_err());
    }

    #[test]
    fn refuses_a_kind_for_a_column_that_is_not_there() {
        let kinds = [("prise".to_owned(), ColumnKind::Ignored)].into();
        let options = TableOptions {
            kinds,
            ..Default::default()
        };
        let error = parse(b"price,b\n1,2\n", &options).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"no column "prise", expected one of price, b"#
        );
        assert_eq!(error.help().unwrap(), "did you mean price?");
    }

    #[test]
    fn reads_files_by_extension_and_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.tsv");
        std::fs::write(&path, "a,b\tc\n1\t2\n").unwrap();
        assert_eq!(
            read(&path, &TableOptions::default()).unwrap().columns[0].name,
            "a,b"
        );
        std::fs::write(&path, "a\n1\t2\n").unwrap();
        let error = read(&path, &TableOptions::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("t.tsv line 2: 2 fields, expected 1"),
            "{error}"
        );
    }
}
