//! CIFAR-10's binary version: records of 3073 bytes, one label and three planes (red, green, blue) of 32 x 32.

use std::path::{Path, PathBuf};

use crate::error::{DataError, Fault};
use crate::file;
use crate::images::Images;

const SIDE: usize = 32;
const IMAGE: usize = 3 * SIDE * SIDE;
const RECORD: usize = 1 + IMAGE;
const CLASSES: usize = 10;

/// Reads one batch file; any number of records.
///
/// # Errors
/// An empty file, a length that is no multiple of 3073, or a label above 9.
pub fn parse(bytes: &[u8]) -> Result<Images, DataError> {
    if bytes.is_empty() {
        let empty = Fault::Empty {
            held: "the file is empty",
            expected: "records of 3073 bytes",
        };
        return Err(empty.into());
    }
    let (records, rest) = bytes.as_chunks::<RECORD>();
    if !rest.is_empty() {
        let expected = format!("a multiple of {RECORD}: one label and {IMAGE} color values");
        return Err(DataError::format("size in bytes", bytes.len(), expected));
    }
    let images = Images {
        pixels: records
            .iter()
            .flat_map(|record| &record[1..])
            .copied()
            .collect(),
        count: records.len(),
        channels: 3,
        height: SIDE,
        width: SIDE,
        brightest: u8::MAX,
        labels: records.iter().map(|record| record[0]).collect(),
        classes: CLASSES,
    };
    images.checked()
}

/// The five training files and the test file of CIFAR-10, in a folder or its `cifar-10-batches-bin`.
///
/// # Errors
/// Lists the names that are missing.
pub fn find_cifar10(folder: &Path) -> Result<[PathBuf; 6], DataError> {
    file::find(
        "CIFAR-10",
        folder,
        &["cifar-10-batches-bin", "cifar10"],
        [
            &["data_batch_1.bin[.gz]"],
            &["data_batch_2.bin[.gz]"],
            &["data_batch_3.bin[.gz]"],
            &["data_batch_4.bin[.gz]"],
            &["data_batch_5.bin[.gz]"],
            &["test_batch.bin[.gz]"],
        ],
    )
}

/// Training and test images of the CIFAR-10 that [`find_cifar10`] finds.
///
/// # Errors
/// As [`find_cifar10`] and [`parse`].
pub fn read_cifar10(folder: &Path) -> Result<(Images, Images), DataError> {
    let [first, more @ .., test] = find_cifar10(folder)?;
    let mut train = file::read(&first, parse)?;
    for path in more {
        train.append(file::read(&path, parse)?);
    }
    Ok((train, file::read(&test, parse)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(label: u8) -> Vec<u8> {
        let mut record = vec![label];
        record.extend((0..IMAGE).map(|i| (i / (SIDE * SIDE)) as u8 + label));
        record
    }

    #[test]
    fn reads_records() {
        let images = parse(&[record(3), record(9)].concat()).unwrap();
        assert_eq!(images.labels, [3, 9]);
        assert_eq!(images.pixels.len(), 2 * IMAGE);
        assert_eq!((images.image(1)[0], images.image(1)[IMAGE - 1]), (9, 11));
    }

    #[test]
    fn refuses_odd_sizes_and_labels() {
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert!(refused(&[]).starts_with("the file is empty"));
        assert!(refused(&record(1)[1..]).starts_with("size in bytes is 3072"));
        assert_eq!(
            refused(&record(10)),
            "label of image 0 is 10, expected 0 to 9"
        );
    }

    #[test]
    fn reads_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_cifar10(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("looked for data_batch_1.bin[.gz], "),
            "{error}"
        );
        let inner = folder.path().join("cifar-10-batches-bin");
        std::fs::create_dir(&inner).unwrap();
        for (label, name) in (0..).zip([
            "data_batch_1",
            "data_batch_2",
            "data_batch_3",
            "data_batch_4",
            "data_batch_5",
            "test_batch",
        ]) {
            std::fs::write(inner.join(format!("{name}.bin")), record(label)).unwrap();
        }
        let (train, test) = read_cifar10(folder.path()).unwrap();
        assert_eq!(
            (train.count, train.labels, test.labels),
            (5, vec![0, 1, 2, 3, 4], vec![5])
        );
    }
}
