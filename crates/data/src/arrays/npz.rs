//! NumPy's archive of arrays by name: a ZIP file of `.npy` files.

use super::{Array, npy, zip};
use crate::error::{DataError, Fault, one_of};

/// How a file begins.
pub(super) const MAGIC: &[u8] = b"PK";

/// Arrays by name; each is read when asked for.
#[derive(Debug)]
pub struct Npz<'a> {
    members: Vec<zip::Member<'a>>,
    names: Vec<String>,
}

/// Opens an archive.
///
/// # Errors
/// Not a ZIP file, or one without an array.
pub fn parse(bytes: &[u8]) -> Result<Npz<'_>, DataError> {
    let mut members = zip::members(bytes)?;
    members.retain(|member| member.name.ends_with(".npy"));
    let names: Vec<String> = members
        .iter()
        .map(|member| member.name.trim_end_matches(".npy").to_owned())
        .collect();
    if names.is_empty() {
        let (held, expected) = ("no array in the archive", "at least one .npy");
        return Err(Fault::Empty { held, expected }.into());
    }
    Ok(Npz { members, names })
}

impl Npz<'_> {
    /// The names of its arrays, in the order of the file.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The array of a name, or the only one.
    ///
    /// # Errors
    /// There is none of that name, or several where none was named; or the array is damaged.
    pub fn array(&self, name: Option<&str>) -> Result<Array, DataError> {
        let place = match name {
            Some(name) => self.names.iter().position(|known| known == name),
            None => (self.names.len() == 1).then_some(0),
        };
        let place = place.ok_or_else(|| {
            let held = name.map_or("not named".to_owned(), |name| format!("{name:?}"));
            DataError::format("array", held, one_of(&self.names))
        })?;
        npy::parse(&self.members[place].unpack()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_arrays_by_name() {
        let array =
            |values: &[f64]| npy::write(&Array::new(vec![values.len()], values.to_vec()).unwrap());
        for packed in [false, true] {
            let (u, y) = (array(&[1.0, 2.0]), array(&[3.0]));
            let members = [("u.npy", &u[..]), ("y.npy", &y), ("note.txt", b"hello")];
            let bytes = zip::tests::archive(&members, packed);
            let npz = parse(&bytes).unwrap();
            assert_eq!(npz.names(), ["u", "y"]);
            assert_eq!(npz.array(Some("y")).unwrap().values, [3.0]);
            assert_eq!(npz.array(Some("u")).unwrap().values, [1.0, 2.0]);
            let say = |name| npz.array(name).unwrap_err().to_string();
            assert_eq!(say(None), "array is not named, expected one of u, y");
            assert_eq!(say(Some("s")), "array is \"s\", expected one of u, y");
            let one = zip::tests::archive(&[("arr_0.npy", &u)], packed);
            let found = super::super::parse(&one, None).unwrap();
            assert_eq!(found.values, [1.0, 2.0]);
        }
        let none = zip::tests::archive(&[("note.txt", b"hello")], false);
        assert!(parse(&none).is_err());
    }
}
