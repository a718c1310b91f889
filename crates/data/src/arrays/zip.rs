//! The part of ZIP that NumPy writes: members stored or deflated, sizes below 4 GiB.
//!
//! Source: PKWARE's APPNOTE.TXT, sections 4.3 and 4.4. The crates for it ask for features of others that Burn is built
//! without.

use crate::error::{DataError, Fault};
use crate::file::LARGEST;
use flate2::{Crc, read::DeflateDecoder};
use std::borrow::Cow;
use std::io::Read;

/// A file in an archive.
#[derive(Debug)]
pub struct Member<'a> {
    pub name: String,
    deflated: bool,
    packed: &'a [u8],
    size: usize,
    checksum: u32,
}

/// Signatures of the three records that are read.
const END: u32 = 0x0605_4b50;
const ENTRY: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;

/// Length of the end record without its comment, and the longest comment.
const END_LENGTH: usize = 22;
const LONGEST_COMMENT: usize = 0xffff;

fn damaged(what: &str) -> DataError {
    DataError::format("archive", format!("damaged ({what})"), "an .npz file")
}

/// Little-endian numbers at places of a record.
struct Record<'a>(&'a [u8]);

impl Record<'_> {
    fn short(&self, at: usize) -> Option<usize> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(usize::from(u16::from_le_bytes(*bytes)))
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }
}

/// The members that the directory at the end of an archive lists.
///
/// # Errors
/// There is no directory, or it points outside the file, or to something that is encrypted or packed in another way.
pub fn members(bytes: &[u8]) -> Result<Vec<Member<'_>>, DataError> {
    let last = bytes.len().saturating_sub(END_LENGTH);
    let first = last.saturating_sub(LONGEST_COMMENT);
    let end = (first..=last)
        .rev()
        .map(|at| Record(&bytes[at.min(bytes.len())..]))
        .find(|record| record.long(0) == Some(END))
        .ok_or_else(|| damaged("no directory"))?;
    let directory = || Some((end.short(10)?, end.long(16)? as usize));
    let (count, mut at) = directory().ok_or_else(|| damaged("no directory"))?;
    let mut members = Vec::new();
    for _ in 0..count {
        let (member, length) = member(bytes, at)?;
        members.push(member);
        at += length;
    }
    Ok(members)
}

/// The member of the directory's entry at a place, and the length of that entry.
fn member(bytes: &[u8], at: usize) -> Result<(Member<'_>, usize), DataError> {
    let entry = Record(bytes.get(at..).unwrap_or_default());
    let read = || -> Option<_> {
        (entry.long(0)? == ENTRY).then_some(())?;
        let (flags, method) = (entry.short(8)?, entry.short(10)?);
        let [checksum, packed, size, place] = [16, 20, 24, 42].map(|at| entry.long(at));
        let [name, extra, comment] = [28, 30, 32].map(|at| entry.short(at));
        let (name_length, rest) = (name?, extra? + comment?);
        let name = entry.0.get(46..46 + name_length)?;
        let name = String::from_utf8_lossy(name).into_owned();
        let local = Record(bytes.get(place? as usize..)?);
        (local.long(0)? == LOCAL).then_some(())?;
        let start = 30 + local.short(26)? + local.short(28)?;
        let packed = local.0.get(start..)?.get(..packed? as usize)?;
        let length = 46 + name_length + rest;
        Some((
            flags,
            method,
            name,
            packed,
            size? as usize,
            checksum?,
            length,
        ))
    };
    let (flags, method, name, packed, size, checksum, length) =
        read().ok_or_else(|| damaged("its directory points nowhere"))?;
    if flags & 1 != 0 {
        let held = format!("{name} is encrypted");
        return Err(DataError::format(
            "archive",
            held,
            "files without a password",
        ));
    }
    let deflated = match method {
        0 => false,
        8 => true,
        other => {
            let held = format!("{other} for {name}");
            return Err(DataError::format(
                "compression",
                held,
                "0 (stored) or 8 (deflated)",
            ));
        }
    };
    let member = Member {
        name,
        deflated,
        packed,
        size,
        checksum,
    };
    Ok((member, length))
}

impl<'a> Member<'a> {
    /// Its content.
    ///
    /// # Errors
    /// It does not unpack to the size and checksum that the directory says, or is larger than [`LARGEST`].
    pub fn unpack(&self) -> Result<Cow<'a, [u8]>, DataError> {
        if self.size as u64 > LARGEST {
            let held = format!("{} bytes", self.size);
            return Err(DataError::format(
                "size of the array",
                held,
                format!("at most {LARGEST}"),
            ));
        }
        let content = if self.deflated {
            let mut content = Vec::new();
            DeflateDecoder::new(self.packed)
                .take(self.size as u64 + 1)
                .read_to_end(&mut content)
                .map_err(|error| Fault::Gzip(error.to_string()))?;
            Cow::Owned(content)
        } else {
            Cow::Borrowed(self.packed)
        };
        let mut crc = Crc::new();
        crc.update(&content);
        if content.len() != self.size || crc.sum() != self.checksum {
            return Err(damaged(&format!("{} is not what was packed", self.name)));
        }
        Ok(content)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use flate2::{Compression, write::DeflateEncoder};
    use std::io::Write;

    /// An archive as `numpy.savez` or `numpy.savez_compressed` writes it.
    pub fn archive(members: &[(&str, &[u8])], packed: bool) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in members {
            let data = if packed {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            } else {
                content.to_vec()
            };
            let mut crc = Crc::new();
            crc.update(content);
            let method: u16 = if packed { 8 } else { 0 };
            let mut common = vec![20, 0, 0, 0];
            common.extend(method.to_le_bytes());
            common.extend([0; 4]);
            common.extend(crc.sum().to_le_bytes());
            common.extend((data.len() as u32).to_le_bytes());
            common.extend((content.len() as u32).to_le_bytes());
            common.extend((name.len() as u16).to_le_bytes());
            common.extend([0; 2]);
            let place = bytes.len() as u32;
            bytes.extend(LOCAL.to_le_bytes());
            bytes.extend(&common);
            bytes.extend(name.bytes());
            bytes.extend(&data);
            directory.extend(ENTRY.to_le_bytes());
            directory.extend([20, 0]);
            directory.extend(&common);
            directory.extend([0; 10]);
            directory.extend(place.to_le_bytes());
            directory.extend(name.bytes());
        }
        let start = bytes.len() as u32;
        bytes.extend(&directory);
        bytes.extend(END.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend((members.len() as u16).to_le_bytes());
        bytes.extend((members.len() as u16).to_le_bytes());
        bytes.extend((directory.len() as u32).to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend([0; 2]);
        bytes
    }

    #[test]
    fn members_unpack_to_what_was_packed() {
        let long = vec![7; 5000];
        for packed in [false, true] {
            let bytes = archive(&[("a", b"one"), ("b", &long), ("c", b"")], packed);
            let found = members(&bytes).unwrap();
            let names: Vec<&str> = found.iter().map(|member| &member.name[..]).collect();
            assert_eq!(names, ["a", "b", "c"]);
            assert_eq!(*found[0].unpack().unwrap(), *b"one");
            assert_eq!(*found[1].unpack().unwrap(), long[..]);
            assert!(found[2].unpack().unwrap().is_empty());
            // A comment behind the directory is allowed.
            let mut commented = bytes.clone();
            commented.extend(b"made by hand");
            assert_eq!(members(&commented).unwrap().len(), 3);
        }
    }

    /// Whatever is cut off or changed, nothing wrong is taken for right.
    #[test]
    fn damage_is_an_error() {
        let bytes = archive(&[("a", b"something to pack, to pack")], true);
        let whole = |bytes: &[u8]| {
            members(bytes)?
                .iter()
                .try_for_each(|m| m.unpack().map(drop))
        };
        assert!(whole(&bytes).is_ok());
        for cut in 0..bytes.len() - 2 {
            assert!(whole(&bytes[..cut]).is_err(), "{cut}");
        }
        let (start, mut caught) = (30 + 1, 0);
        for at in start..start + 15 {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            caught += usize::from(whole(&changed).is_err());
        }
        assert_eq!(caught, 15);
        let say = |at: usize, byte: u8| {
            let mut changed = bytes.clone();
            let entry = changed
                .windows(4)
                .position(|w| w == ENTRY.to_le_bytes())
                .unwrap();
            changed[entry + at] = byte;
            whole(&changed).unwrap_err().to_string()
        };
        assert!(say(8, 1).contains("encrypted"));
        assert!(say(10, 12).starts_with("compression is 12 for a"));
        assert!(say(45, 0x7f).contains("points nowhere"));
        assert!(say(27, 0x7f).starts_with("size of the array is"));
    }
}
