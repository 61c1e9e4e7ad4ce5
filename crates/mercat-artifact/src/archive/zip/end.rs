//! The end of a zip: end record, zip64 record and locator.

use super::Problems;
use crate::archive::le;

const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: usize = 65_535;
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
const END64: &[u8] = b"PK\x06\x06";
const END64_BYTES: usize = 56;
/// End records that are tried, most: each costs a look at the directory that it names.
const CANDIDATES_MAX: usize = 64;

/// Where the central directory is.
pub(super) struct End {
    pub(super) directory: usize,
    pub(super) directory_end: usize,
    pub(super) entries: u64,
    /// What must be added to offsets of the archive because other bytes were put in front of it.
    pub(super) shift: usize,
}

struct Fields {
    entries: u64,
    size: u64,
    offset: u64,
}

pub(super) fn find(bytes: &[u8], problems: &mut Problems) -> Option<End> {
    let from = bytes.len().saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
    let mut found: Vec<(usize, End, Fields)> = Vec::new();
    let mut at = bytes.len().saturating_sub(END_BYTES);
    let mut tried = 0;
    loop {
        if at < from || bytes.len() < END_BYTES || tried == CANDIDATES_MAX {
            break;
        }
        if bytes[at..].starts_with(END) {
            tried += 1;
            found.extend(candidate(bytes, at).map(|(end, fields)| (at, end, fields)));
        }
        if at == 0 {
            break;
        }
        at -= 1;
    }
    if found.is_empty() {
        problems.add("ZIP-01", 0, || "no end record that leads to a central directory".into());
        return None;
    }
    if found.len() > 1 || tried == CANDIDATES_MAX {
        let at = found[0].0;
        problems
            .add("ZIP-02", at as u64, || format!("{} end records of {tried} can be the one", found.len()));
    }
    let (at, end, fields) = found.swap_remove(0);
    let comment = usize::try_from(le(&bytes[at + 20..at + 22])).unwrap_or(0);
    if at + END_BYTES + comment != bytes.len() {
        let after = bytes.len() - at - END_BYTES;
        problems.add("ZIP-03", at as u64, || {
            format!("{after} bytes behind the end record, {comment} are declared")
        });
    }
    if le(&bytes[at + 4..at + 6]) != le(&bytes[at + 6..at + 8]) {
        problems.add("ZIP-12", at as u64, || "an archive of several disks".into());
    }
    agree(bytes, at, &fields, problems);
    Some(end)
}

/// What one end record leads to, if there is a directory.
fn candidate(bytes: &[u8], at: usize) -> Option<(End, Fields)> {
    let field = |from: usize, count: usize| le(&bytes[at + from..at + from + count]);
    let (mut entries, mut size, mut offset) = (field(10, 2), field(12, 4), field(16, 4));
    let mut end = at;
    // Some writers put a zip64 record there although nothing needs it; the directory ends before it all the same.
    if let Some((start, wide)) = end64(bytes, at) {
        end = start;
        entries = if entries == 0xffff { wide.entries } else { entries };
        size = if size == 0xffff_ffff { wide.size } else { size };
        offset = if offset == 0xffff_ffff { wide.offset } else { offset };
    }
    let directory = end.checked_sub(usize::try_from(size).ok()?)?;
    let shift = directory.checked_sub(usize::try_from(offset).ok()?)?;
    if entries > 0 && !bytes[directory..].starts_with(b"PK\x01\x02") || entries == 0 && size > 0 {
        return None;
    }
    let fields = Fields { entries, size, offset };
    Some((End { directory, directory_end: end, entries, shift }, fields))
}

/// The zip64 record that a locator in front of the end record leads to: where it begins, and what it says.
fn end64(bytes: &[u8], at: usize) -> Option<(usize, Fields)> {
    let locator = at.checked_sub(LOCATOR_BYTES)?;
    if !bytes[locator..].starts_with(LOCATOR) {
        return None;
    }
    // With bytes in front, the offset leads astray and the record stands right before the locator.
    let declared = usize::try_from(le(&bytes[locator + 8..locator + 16])).unwrap_or(usize::MAX);
    let nearest = locator.checked_sub(END64_BYTES);
    let start = [Some(declared), nearest].into_iter().flatten().find(|start| {
        bytes.get(*start..start.saturating_add(END64_BYTES)).is_some_and(|record| record.starts_with(END64))
    })?;
    let field = |from: usize| le(&bytes[start + from..start + from + 8]);
    Some((start, Fields { entries: field(32), size: field(40), offset: field(48) }))
}

/// Whether the end record and the zip64 record say the same where both say something.
fn agree(bytes: &[u8], at: usize, used: &Fields, problems: &mut Problems) {
    let Some((_, wide)) = end64(bytes, at) else { return };
    let narrow = |from: usize, count: usize, all: u64, wide: u64| {
        let value = le(&bytes[at + from..at + from + count]);
        value == all || value == wide
    };
    let same = narrow(10, 2, 0xffff, wide.entries)
        && narrow(12, 4, 0xffff_ffff, wide.size)
        && narrow(16, 4, 0xffff_ffff, wide.offset);
    if !same || wide.entries != used.entries || wide.size != used.size || wide.offset != used.offset {
        problems.add("ZIP-11", at as u64, || "the zip64 record differs from the end record".into());
    }
}
