//! Reading users' files: whole, unpacked if they are gzip, and never more than [`LARGEST`] bytes.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{DataError, Fault};

/// The largest file, unpacked, that is read: 1 GiB, well above every set in the catalogue's formats.
pub const LARGEST: u64 = 1 << 30;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a file, unpacked if it is gzip, and hands it to `parse`; an error names the file.
pub(crate) fn read<T>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, DataError>,
) -> Result<T, DataError> {
    let bytes = || {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
            .map_err(Fault::Io)?;
        too_large(&bytes)?;
        Ok(bytes)
    };
    bytes()
        .and_then(|bytes| parse(&unpack(&bytes)?))
        .map_err(|error: DataError| error.in_file(path))
}

/// The content of a gzip stream, or the bytes themselves if they do not begin like one.
///
/// # Errors
/// A damaged stream, or one that unpacks to more than [`LARGEST`] bytes.
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, DataError> {
    if !bytes.starts_with(&GZIP) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(LARGEST + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| Fault::Gzip(error.to_string()))?;
    too_large(&unpacked)?;
    Ok(Cow::Owned(unpacked))
}

fn too_large(bytes: &[u8]) -> Result<(), DataError> {
    if bytes.len() as u64 > LARGEST {
        return Err(DataError::format(
            "size",
            format!("more than {LARGEST} bytes"),
            "at most that",
        ));
    }
    Ok(())
}

/// Finds one file for each slot, all in the same folder: `folder` itself or one of its `subfolders`.
///
/// A slot lists the names its file may have; `[.gz]` at the end is optional. The error lists the names that are
/// missing from the folder that comes closest.
pub(crate) fn find<const N: usize>(
    set: &'static str,
    folder: &Path,
    subfolders: &[&'static str],
    slots: [&[&str]; N],
) -> Result<[PathBuf; N], DataError> {
    let not_there = |problem: &str| {
        DataError::from(Fault::Io(std::io::Error::other(problem.to_owned()))).in_file(folder)
    };
    if !folder.is_dir() {
        return Err(not_there(if folder.exists() {
            "it is a file, expected a folder"
        } else {
            "there is no such folder"
        }));
    }
    let mut fewest: Option<Vec<&[&str]>> = None;
    let places =
        std::iter::once(folder.to_owned()).chain(subfolders.iter().map(|s| folder.join(s)));
    for place in places {
        let found = slots.map(|names| first_present(&place, names));
        let missing: Vec<&[&str]> = (slots.iter().zip(&found))
            .filter(|(_, path)| path.is_none())
            .map(|(names, _)| *names)
            .collect();
        if missing.is_empty() {
            return Ok(found.map(Option::unwrap_or_default));
        }
        if fewest.as_ref().is_none_or(|f| missing.len() < f.len()) {
            fewest = Some(missing);
        }
    }
    let looked_for = fewest.into_iter().flatten().flatten();
    let error = DataError::from(Fault::NotFound {
        set,
        looked_for: looked_for.map(|name| (*name).to_owned()).collect(),
        subfolders: subfolders.to_vec(),
    });
    Err(error.in_file(folder))
}

fn first_present(place: &Path, names: &[&str]) -> Option<PathBuf> {
    names
        .iter()
        .flat_map(|name| match name.strip_suffix("[.gz]") {
            Some(plain) => vec![plain.to_owned(), format!("{plain}.gz")],
            None => vec![(*name).to_owned()],
        })
        .map(|name| place.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, write};
    use std::io::Write;

    #[test]
    fn finds_a_set_in_one_folder_and_lists_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let look = || find("Pair", folder.path(), &["pair"], [&["a[.gz]", "A"], &["b"]]);
        let nothing = look().unwrap_err().to_string();
        assert!(
            nothing.ends_with(": no Pair: looked for a[.gz], A, b (also in its folders pair)"),
            "{nothing}"
        );
        write(folder.path().join("a.gz"), "x").unwrap();
        let half = look().unwrap_err().to_string();
        assert!(
            half.ends_with("looked for b (also in its folders pair)"),
            "{half}"
        );

        // A file in the folder and its partner in the subfolder do not belong together.
        create_dir(folder.path().join("pair")).unwrap();
        write(folder.path().join("pair/b"), "x").unwrap();
        assert!(look().is_err());
        write(folder.path().join("b"), "x").unwrap();
        let [a, b] = look().unwrap();
        assert!(a.ends_with("a.gz") && b.ends_with("b"));
    }

    #[test]
    fn says_when_the_folder_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let absent = find("Pair", &folder.path().join("absent"), &[], [&["a"]]);
        assert!(
            absent
                .unwrap_err()
                .to_string()
                .ends_with("there is no such folder")
        );
        let file = folder.path().join("file");
        write(&file, "x").unwrap();
        let error = find("Pair", &file, &[], [&["a"]]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("it is a file, expected a folder")
        );
    }

    #[test]
    fn unpacks_gzip_and_reports_damage() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&[7; 10_000]).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(*unpack(&packed).unwrap(), [7; 10_000]);
        assert_eq!(*unpack(b"plain").unwrap(), *b"plain");
        for cut in 2..packed.len() {
            assert!(unpack(&packed[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("no/such.csv"), |_| Ok(())).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("no/such.csv: cannot be read: ")
        );
    }
}
