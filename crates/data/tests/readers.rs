//! Every reader on hostile bytes: the fuzz targets' corpus replayed, and random input.

use std::path::Path;

use offprint_data::table::TableOptions;
use offprint_data::{arrays, cifar, idx, movielens, recommend, table, text};
use proptest::prelude::*;

/// A reader as its fuzz target calls it.
type Reader = fn(&[u8]) -> Result<(), String>;

fn done<T>(result: Result<T, offprint_data::DataError>) -> Result<(), String> {
    result.map(drop).map_err(|error| {
        // What a person would see must not fail either.
        format!("{error}; {}", error.help().unwrap_or_default())
    })
}

const READERS: [(&str, Reader); 6] = [
    ("arrays", |bytes| done(arrays::parse(bytes, None))),
    ("idx", |bytes| done(idx::parse(bytes))),
    ("cifar", |bytes| done(cifar::parse(bytes))),
    ("movielens", |bytes| done(movielens::parse(bytes))),
    ("table", |bytes| {
        done(table::parse(bytes, &TableOptions::default()))
    }),
    ("text", |bytes| done(text::parse(bytes))),
];

#[test]
fn the_corpus_reads_or_fails_as_its_names_say() {
    for (name, read) in READERS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(name);
        let mut files = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let result = read(&std::fs::read(&path).unwrap());
            let file = path.file_name().unwrap().to_string_lossy();
            if file.starts_with("good-") {
                assert_eq!(result, Ok(()), "{name}/{file}");
            } else if file.starts_with("bad-") {
                assert!(result.is_err(), "{name}/{file} was read");
            }
            files += 1;
        }
        assert!(files >= 6, "{name} has {files} files");
    }
}

/// Text of the characters that mean something to the text readers.
fn delimited() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(","),
        Just("\t"),
        Just("::"),
        Just("|"),
        Just(";"),
        Just("\""),
        Just("\n"),
        Just("\r\n"),
        Just("\r"),
        Just("1"),
        Just("42"),
        Just("-0.5"),
        Just("nan"),
        Just("1e400"),
        Just("a"),
        Just("userId"),
        Just("movieId"),
        Just("rating"),
        Just("é"),
        Just("\u{feff}"),
        Just(" "),
        Just(""),
    ];
    prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
}

fn all_readers(bytes: &[u8]) {
    for (_, read) in READERS {
        let _ = read(bytes);
    }
    let _ = done(movielens::parse_items(bytes));
    let _ = done(movielens::parse_users(bytes));
    let _ = done(recommend::parse_features(bytes));
    let _ = done(recommend::parse_target(bytes, 5));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_reader_panics_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        all_readers(&bytes);
    }

    #[test]
    fn no_reader_panics_on_delimited_text(text in delimited()) {
        all_readers(text.as_bytes());
    }

    #[test]
    fn no_reader_panics_behind_a_good_beginning(rest in prop::collection::vec(any::<u8>(), 0..60)) {
        for beginning in [&b"\0\0\x08"[..], b"\x1f\x8b\x08\0", b"a,b\n1,2\n", b"userId,movieId,rating\n", b"1\t2\t3\t4\n", b"1::2::", b"\x93NUMPY\x01\x00", b"PK\x03\x04"] {
            all_readers(&[beginning, &rest].concat());
        }
    }

    /// Whatever is written as a table is read back: numbers bit for bit, texts as they were.
    #[test]
    fn tables_survive_a_round_trip(
        rows in prop::collection::vec((any::<f64>().prop_filter("finite", |x| x.is_finite()), "[a-z,\"\n;]{1,8}x"), 1..30),
    ) {
        let mut file = String::from("number,text\n");
        for (number, text) in &rows {
            file += &format!("{number:e},\"{}\"\n", text.replace('"', "\"\""));
        }
        let table = table::parse(file.as_bytes(), &TableOptions::default()).unwrap();
        let numbers = table.columns[0].numbers().unwrap();
        for (row, (number, text)) in rows.iter().enumerate() {
            prop_assert_eq!(numbers[row].to_bits(), number.to_bits());
            prop_assert_eq!(table.columns[1].text(row), text.trim());
        }
    }
}
