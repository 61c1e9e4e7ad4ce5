//! Directory entries with short and long names.

use super::super::bytes::{byte, le16, le32, part};
use super::super::source::{Content, Run};
use super::super::walk::Names;
use super::{DIRECTORY_BYTES_MAX, Fat, File, Id, ROOT};
use crate::ReadError;

const ENTRY: usize = 32;
const LABEL: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const LONG: u8 = 0x0f;
const LAST: u8 = 0x40;
/// Entries of the longest name: 255 characters of 13 each.
const LONG_ENTRIES_MAX: u8 = 20;
/// What a short name must not have.
const FORBIDDEN: &[u8] = b"\"*+,./:;<=>?[\\]|\x7f";

/// The entries of a long name come last part first, in front of the short one.
#[derive(Default)]
struct Long {
    /// The part that must come next; 0 when the name is complete.
    expected: u8,
    sum: u8,
    units: Vec<u16>,
}

/// Gives all names of a directory.
pub(super) fn list(fat: &Fat, directory: &File, names: &mut Names<Id>) -> Result<(), ReadError> {
    let content = Content::new(&fat.source, directory.runs.clone(), directory.size);
    let bytes = content.all(DIRECTORY_BYTES_MAX)?;
    let root = directory.id == ROOT;
    let mut long: Option<Long> = None;
    for (index, entry) in bytes.chunks_exact(ENTRY).enumerate() {
        let at = place(&directory.runs, (index * ENTRY) as u64);
        let (first, attributes) = (byte(entry, 0), byte(entry, 11));
        if first == 0 {
            break;
        }
        if first == 0xe5 {
            refuse_orphan(long.as_ref(), at)?;
        } else if attributes & 0x3f == LONG {
            long = Some(take_part(long.take(), entry, at)?);
        } else if attributes & LABEL != 0 {
            refuse_orphan(long.as_ref(), at)?;
        } else if !root && index < 2 && is_dot(entry, index) {
            let cluster = cluster(fat, entry);
            if index == 0 && cluster != directory.id.cluster {
                let what = format!("a directory that says it begins at cluster {cluster}");
                return Err(ReadError::refused("FAT-04", at, what));
            }
        } else {
            let name = match long.take() {
                Some(long) => long_name(&long, entry, at)?,
                None => short_name(entry, at)?,
            };
            let id = Id {
                cluster: cluster(fat, entry),
                at,
                size: le32(entry, 28),
                directory: attributes & DIRECTORY != 0,
                mtime: mtime(le16(entry, 24), le16(entry, 22)),
            };
            names.add_text(name, id, at)?;
        }
    }
    refuse_orphan(long.as_ref(), directory.id.at)
}

/// The byte of the volume that a byte of a file is at.
fn place(runs: &[Run], at: u64) -> u64 {
    let run = runs.iter().find(|run| (run.at..run.at + run.length).contains(&at));
    run.map_or(0, |run| run.from + (at - run.at))
}

fn is_dot(entry: &[u8], index: usize) -> bool {
    let name: &[u8; 11] = if index == 0 { b".          " } else { b"..         " };
    entry.starts_with(name)
}

fn cluster(fat: &Fat, entry: &[u8]) -> u32 {
    let high = if fat.width == super::Width::ThirtyTwo { u32::from(le16(entry, 20)) } else { 0 };
    high << 16 | u32::from(le16(entry, 26))
}

fn refuse_orphan(long: Option<&Long>, at: u64) -> Result<(), ReadError> {
    match long {
        None => Ok(()),
        Some(_) => Err(ReadError::refused("FAT-05", at, "a long name that belongs to no entry")),
    }
}

fn take_part(long: Option<Long>, entry: &[u8], at: u64) -> Result<Long, ReadError> {
    let refuse = |what: &str| ReadError::refused("FAT-05", at, format!("a long name {what}"));
    let number = byte(entry, 0) & !LAST;
    let mut long = match (byte(entry, 0) & LAST != 0, long) {
        (true, None) if (1..=LONG_ENTRIES_MAX).contains(&number) => {
            Long { expected: number, sum: byte(entry, 13), units: Vec::new() }
        }
        (false, Some(long)) => long,
        _ => return Err(refuse("begins in the middle or in another one")),
    };
    if long.expected == 0 || long.expected != number || long.sum != byte(entry, 13) {
        return Err(refuse("whose parts are out of order or differ in their checksums"));
    }
    if le16(entry, 26) != 0 || byte(entry, 12) != 0 {
        return Err(refuse("with a cluster or of an unknown type"));
    }
    long.expected -= 1;
    let places = [(1, 5), (14, 6), (28, 2)];
    let units = places.into_iter().flat_map(|(at, count)| (0..count).map(move |unit| at + 2 * unit));
    let front: Vec<u16> = units.map(|at| le16(entry, at)).collect();
    long.units.splice(0..0, front);
    Ok(long)
}

fn long_name(long: &Long, entry: &[u8], at: u64) -> Result<String, ReadError> {
    let refuse = |what: &str| Err(ReadError::refused("FAT-05", at, format!("a long name {what}")));
    let sum = part(entry, 0, 11).iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    if long.expected != 0 || sum != long.sum {
        return refuse("that does not belong to the entry behind it");
    }
    let length = long.units.iter().position(|unit| *unit == 0).unwrap_or(long.units.len());
    let (name, padding) = long.units.split_at(length);
    if padding.iter().skip(1).any(|unit| *unit != 0xffff) || name.is_empty() || name.len() > 255 {
        return refuse("that goes on behind its end");
    }
    Ok(String::from_utf16_lossy(name))
}

fn short_name(entry: &[u8], at: u64) -> Result<String, ReadError> {
    let mut bytes = part(entry, 0, 11).to_vec();
    if bytes[0] == 0x05 {
        bytes[0] = 0xe5;
    }
    if bytes[0] == b' ' || bytes.iter().any(|byte| *byte < 0x20 || FORBIDDEN.contains(byte)) {
        let what = format!("the short name {:?}", String::from_utf8_lossy(&bytes));
        return Err(ReadError::refused("FAT-04", at, what));
    }
    let lower = byte(entry, 12);
    let (base, extension) = bytes.split_at_mut(8);
    // Windows marks names that would be lower case throughout instead of writing a long one.
    if lower & 0x08 != 0 {
        base.make_ascii_lowercase();
    }
    if lower & 0x10 != 0 {
        extension.make_ascii_lowercase();
    }
    let (base, extension) = (base.trim_ascii_end(), extension.trim_ascii_end());
    let dot: &[u8] = if extension.is_empty() { b"" } else { b"." };
    Ok(super::super::walk::text(&[base, dot, extension].concat()))
}

/// Seconds since 1970 of a date and a time, which have no zone and count as UTC.
fn mtime(date: u16, time: u16) -> i64 {
    let (year, month, day) = (i64::from(date >> 9) + 1980, i64::from(date >> 5 & 15), i64::from(date & 31));
    let (hour, minute, second) = (time >> 11, time >> 5 & 63, (time & 31) * 2);
    super::super::walk::days(year, month, day) * 86400
        + i64::from(hour) * 3600
        + i64::from(minute) * 60
        + i64::from(second)
}
