//! A record as event files that TensorBoard reads, one run a trial.
//!
//! An event file is a sequence of TFRecords: the length of the data as eight bytes, its checksum, the data, its
//! checksum; numbers are little-endian, the checksum is CRC-32C rotated and shifted ("masked"). The data of each is a
//! protobuf message `Event { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary }` with
//! `Summary { 1: Value { 1: string tag, 2: float simple_value } }`
//! (`tensorflow/core/util/event.proto` and `tensorflow/core/framework/summary.proto`).

use crate::{
    error::{Error, Result},
    record::Record,
    store::{Point, write_atomic},
};
use std::{fs, path::Path};

/// Writes every trial of a record as `<folder>/<arm>/<seed>/events.out.tfevents.0.offprint`.
///
/// Metrics over steps keep their names; a final number is `final/<name>` at the last step. A file of an earlier export
/// is replaced. The wall time of every event is 0, as the store keeps no times: choose the axis "step".
///
/// # Errors
/// The folder cannot be made or written.
pub fn export(record: &Record, folder: &Path) -> Result<()> {
    for arm in &record.arms {
        for trial in &arm.trials {
            let mut points: Vec<Point> = Vec::new();
            for (name, curve) in &trial.curves {
                points.extend(
                    curve
                        .iter()
                        .map(|&(step, value)| point(name.clone(), step, value)),
                );
            }
            let last = points.iter().map(|point| point.step).max().unwrap_or(0);
            for (name, &value) in &trial.metrics {
                points.push(point(format!("final/{name}"), last, value));
            }
            points.sort_by_key(|point| point.step);
            write(
                &folder.join(arm.arm.name).join(trial.seed.to_string()),
                &points,
            )?;
        }
    }
    Ok(())
}

fn point(name: String, step: u64, value: f64) -> Point {
    Point { name, step, value }
}

/// Writes points, in the order of their steps, as the one event file of a folder, which is made if need be.
///
/// # Errors
/// The folder cannot be made or written.
pub fn write(folder: &Path, points: &[Point]) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::io("make the folder", folder, error))?;
    write_atomic(
        &folder.join("events.out.tfevents.0.offprint"),
        &events(points),
    )
}

fn events(points: &[Point]) -> Vec<u8> {
    let mut version = Vec::new();
    double(&mut version, 1, 0.0);
    bytes(&mut version, 3, b"brain.Event:2");
    let mut file = frame(&version);
    for Point { name, step, value } in points {
        let mut scalar = Vec::new();
        bytes(&mut scalar, 1, name.as_bytes());
        tag(&mut scalar, 2, 5);
        scalar.extend_from_slice(&(*value as f32).to_le_bytes());
        let mut summary = Vec::new();
        bytes(&mut summary, 1, &scalar);
        let mut event = Vec::new();
        double(&mut event, 1, 0.0);
        tag(&mut event, 2, 0);
        varint(&mut event, *step);
        bytes(&mut event, 5, &summary);
        file.extend(frame(&event));
    }
    file
}

/// Data as a TFRecord.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend_from_slice(&masked(&length).to_le_bytes());
    record.extend_from_slice(data);
    record.extend_from_slice(&masked(data).to_le_bytes());
    record
}

/// Number and wire type (0 varint, 1 eight bytes, 2 bytes, 5 four bytes) of a protobuf field.
fn tag(message: &mut Vec<u8>, field: u8, wire: u8) {
    message.push((field << 3) | wire);
}

fn double(message: &mut Vec<u8>, field: u8, value: f64) {
    tag(message, field, 1);
    message.extend_from_slice(&value.to_le_bytes());
}

fn bytes(message: &mut Vec<u8>, field: u8, value: &[u8]) {
    tag(message, field, 2);
    varint(message, value.len() as u64);
    message.extend_from_slice(value);
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// Checksum as a TFRecord holds it, so that data with checksums inside is no special case.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32 with Castagnoli's polynomial, reflected (RFC 3720, appendix B.4).
fn crc32c(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut rest = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                rest = (rest >> 1) ^ (0x82f6_3b78 * (rest & 1));
                bit += 1;
            }
            table[byte] = rest;
            byte += 1;
        }
        table
    };
    !data.iter().fold(!0, |crc, &byte| {
        (crc >> 8) ^ TABLE[((crc ^ u32::from(byte)) & 0xff) as usize]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn checksums_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
    }

    #[test]
    fn long_numbers_take_more_bytes() {
        let mut message = Vec::new();
        varint(&mut message, 300);
        varint(&mut message, u64::MAX);
        assert_eq!(message[..2], [0xac, 0x02]);
        assert_eq!(
            message[2..],
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
        );
    }

    #[test]
    fn one_run_a_trial() {
        let folder = tempfile::tempdir().unwrap();
        let record = fixture::record();
        export(&record, folder.path()).unwrap();
        export(&record, folder.path()).unwrap();
        let run = folder.path().join("comet+").join("3");
        let files: Vec<_> = fs::read_dir(&run).unwrap().collect();
        assert_eq!(files.len(), 1, "the second export replaced the first");
        let data = fs::read(run.join("events.out.tfevents.0.offprint")).unwrap();
        let mut records = 0;
        let mut rest = data.as_slice();
        while let Some((head, tail)) = rest.split_at_checked(12) {
            let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
            assert_eq!(masked(&head[..8]).to_le_bytes(), head[8..]);
            assert_eq!(
                masked(&tail[..length]).to_le_bytes(),
                tail[length..length + 4]
            );
            rest = &tail[length + 4..];
            records += 1;
        }
        let trial = &record.arms[5].trials[3];
        let points: usize = trial.curves.values().map(Vec::len).sum();
        assert_eq!((rest.len(), records), (0, 1 + points + trial.metrics.len()));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("taken");
        fs::write(&file, "").unwrap();
        let error = export(&fixture::record(), &file).unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
    }
}
