//! Directory records.

use super::super::bytes::{be16, byte, le16, part};
use super::super::source::Content;
use super::super::walk::days;
use super::{DIRECTORY_BYTES_MAX, Iso, Names9660, SECTOR, View, both, rock};
use crate::ReadError;

const FIXED: usize = 33;
const DIRECTORY: u8 = 0x02;
const ASSOCIATED: u8 = 0x04;
const CONTINUES: u8 = 0x80;
/// Parts of one file; each has up to 4 GiB.
const PARTS_MAX: usize = 4096;

/// A directory record with what Rock Ridge adds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    /// Blocks where its parts begin, and their bytes.
    pub(super) parts: Vec<(u32, u32)>,
    /// First byte of the record on the volume.
    pub(super) at: u64,
    pub(super) is_directory: bool,
    /// Mode with the type of file; 0 where there is none.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: i64,
    pub(super) link: Vec<u8>,
    pub(super) compressed: bool,
    continues: bool,
}

pub(super) fn refuse(at: u64, what: impl std::fmt::Display) -> ReadError {
    ReadError::refused("ISO-03", at, format!("a directory record {what}"))
}

/// Reads one record and gives its name too.
pub(super) fn parse(raw: &[u8], at: u64, volume: u64) -> Result<(Record, &[u8]), ReadError> {
    let length = usize::from(byte(raw, 32));
    let name = part(raw, FIXED, length);
    if length == 0 || name.len() != length {
        return Err(refuse(at, "has a name that does not fit"));
    }
    let (block, bytes) = (both(raw, 2, at)?, both(raw, 10, at)?);
    let end = u64::from(block) * SECTOR + u64::from(bytes);
    if end > volume && bytes > 0 {
        return Err(refuse(at, format_args!("has {bytes} bytes at block {block}, behind the end")));
    }
    let flags = byte(raw, 25);
    if byte(raw, 1) != 0 || byte(raw, 26) != 0 || byte(raw, 27) != 0 || flags & ASSOCIATED != 0 {
        return Err(refuse(at, "has attributes in front, is interleaved or goes with another one"));
    }
    if le16(raw, 28) != be16(raw, 30) || le16(raw, 28) > 1 {
        return Err(refuse(at, "is on another disc of a set"));
    }
    let record = Record {
        parts: vec![(block, bytes)],
        at,
        is_directory: flags & DIRECTORY != 0,
        mode: 0,
        uid: 0,
        gid: 0,
        mtime: mtime(part(raw, 18, 7)),
        link: Vec::new(),
        compressed: false,
        continues: flags & CONTINUES != 0,
    };
    Ok((record, name))
}

/// Seconds since 1970 of a date in seven bytes.
pub(super) fn mtime(raw: &[u8]) -> i64 {
    let field = |at: usize| i64::from(byte(raw, at));
    let zone = i64::from(byte(raw, 6).cast_signed()) * 15 * 60;
    days(1900 + field(0), field(1), field(2)) * 86400 + field(3) * 3600 + field(4) * 60 + field(5) - zone
}

/// A name of Joliet, which is big-endian UTF-16, without its version.
pub(super) fn wide(name: &[u8]) -> String {
    let units: Vec<u16> = name.chunks_exact(2).map(|unit| be16(unit, 0)).collect();
    without_version(&String::from_utf16_lossy(&units)).to_owned()
}

fn without_version(name: &str) -> &str {
    match name.rsplit_once(';') {
        Some((name, version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    }
}

fn plain(name: &[u8]) -> Vec<u8> {
    let end = name.iter().rposition(|byte| *byte == b';').unwrap_or(name.len());
    let name = &name[..end];
    name.strip_suffix(b".").unwrap_or(name).to_vec()
}

/// The records of a directory with the names of a view.
pub(super) fn read(iso: &Iso, view: &View, directory: &Record) -> Result<Vec<(Record, Vec<u8>)>, ReadError> {
    let content = Content::new(&iso.source, directory.runs(), directory.size());
    let bytes = content.all(DIRECTORY_BYTES_MAX)?;
    let start = directory.first() * SECTOR;
    let mut found: Vec<(Record, Vec<u8>)> = Vec::new();
    let mut number = 0_usize;
    for (sector, raw) in (0_u64..).zip(bytes.chunks(2048)) {
        let mut at = 0;
        while byte(raw, at) != 0 {
            let length = usize::from(byte(raw, at));
            let here = part(raw, at, length);
            let place = start + sector * SECTOR + at as u64;
            if here.len() < FIXED + 1 {
                return Err(refuse(place, format_args!("has {length} bytes")));
            }
            let (mut record, name) = parse(here, place, iso.source.size())?;
            at += length;
            number += 1;
            if number <= 2 {
                // The directory itself and its parent.
                let own = number == 1 && record.first() != directory.first();
                if name != [u8::from(number == 2)] || !record.is_directory || own {
                    return Err(refuse(place, "is not that of the directory itself or its parent"));
                }
                continue;
            }
            if matches!(name, [0 | 1]) {
                return Err(refuse(place, "is of the directory itself in the middle"));
            }
            let name = match view.names {
                Names9660::Plain => plain(name),
                Names9660::Joliet => name.to_vec(),
                Names9660::Rock(skip) => {
                    let fields = here.get((FIXED + name.len()).next_multiple_of(2)..).unwrap_or(&[]);
                    match rock::apply(iso, &mut record, fields.get(skip..).unwrap_or(&[]))? {
                        rock::Name::Given(name) => name,
                        rock::Name::None => plain(name),
                        rock::Name::Elsewhere => continue,
                    }
                }
            };
            match found.last_mut() {
                Some((last, other)) if last.continues => {
                    let whole = last.parts.last().is_some_and(|(_, length)| length.is_multiple_of(2048));
                    if *other != name || !whole || record.is_directory || last.parts.len() >= PARTS_MAX {
                        return Err(refuse(place, "does not continue the file in front"));
                    }
                    last.parts.extend(record.parts);
                    last.continues = record.continues;
                }
                _ => found.push((record, name)),
            }
        }
        if part(raw, at, raw.len() - at).iter().any(|byte| *byte != 0) {
            return Err(refuse(
                start + sector * SECTOR + at as u64,
                "lies behind the last one of its sector",
            ));
        }
    }
    match found.last() {
        Some((last, _)) if last.continues => Err(refuse(last.at, "continues and does not")),
        _ if number < 2 => Err(refuse(start, "of the directory itself or its parent is missing")),
        _ => Ok(found),
    }
}
