//! The end of a zip: end record, zip64 record and locator.

use super::{Problems, Source};
use crate::archive::le;
use std::io;

const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: usize = 65_535;
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
const END64: &[u8] = b"PK\x06\x06";
const END64_BYTES: usize = 56;
/// End records that are tried, most: each costs a look at the directory that it names.
const CANDIDATES_MAX: usize = 512;

/// Where the central directory is.
pub(super) struct End {
    pub(super) directory: usize,
    pub(super) directory_end: usize,
    pub(super) entries: u64,
    /// What must be added to offsets of the archive because other bytes were put in front of it.
    pub(super) shift: usize,
    /// Other end records that lead to a directory: of archives that are stored in this one, or it has two readings.
    pub(super) others: Vec<usize>,
    /// End records that were tried.
    pub(super) tried: usize,
}

struct Fields {
    entries: u64,
    size: u64,
    offset: u64,
    /// Whether it speaks of several disks.
    several: bool,
}

/// The end of an archive: an end record with the longest comment, and what stands in front of it.
struct Tail {
    /// Where it begins.
    start: usize,
    bytes: Vec<u8>,
}

impl Tail {
    fn of(source: &Source<'_>) -> io::Result<Self> {
        let start = source.size.saturating_sub(END_BYTES + COMMENT_BYTES_MAX + LOCATOR_BYTES);
        let mut bytes = vec![0; source.size - start];
        source.bytes.read_exact_at(&mut bytes, start as u64)?;
        Ok(Self { start, bytes })
    }

    /// What begins there.
    fn from(&self, at: usize) -> &[u8] {
        at.checked_sub(self.start).and_then(|at| self.bytes.get(at..)).unwrap_or_default()
    }

    /// A number that stands there; it is in the tail.
    fn number(&self, at: usize, count: usize) -> u64 {
        le(self.from(at).get(..count).unwrap_or_default())
    }
}

pub(super) fn find(source: &mut Source<'_>, problems: &mut Problems) -> io::Result<Option<End>> {
    let tail = Tail::of(source)?;
    let size = source.size;
    let from = size.saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
    let mut found: Vec<(usize, End, Fields)> = Vec::new();
    let (mut tried, mut first) = (0, None);
    let last = size.checked_sub(END_BYTES);
    for at in last.into_iter().flat_map(|last| (from..=last).rev()) {
        if tried == CANDIDATES_MAX {
            break;
        }
        if tail.from(at).starts_with(END) {
            tried += 1;
            first = first.or(Some(at));
            found.extend(candidate(source, &tail, at)?.map(|(end, fields)| (at, end, fields)));
        }
    }
    if found.is_empty() {
        problems.add("ZIP-01", 0, || "no end record that leads to a central directory".into());
        return Ok(None);
    }
    let comment = |at: usize| usize::try_from(tail.number(at + 20, 2)).unwrap_or(0);
    let is_exact = |at: usize| at + END_BYTES + comment(at) == size;
    let (at, mut end, fields) = found.remove(0);
    // Readers look for it from the end, some for the first that they meet, some for one that ends where the file does.
    let is_first = first == Some(at) && is_exact(at) && tried < CANDIDATES_MAX;
    if !is_first && (!found.is_empty() || tried == CANDIDATES_MAX)
        || found.iter().any(|(other, ..)| is_exact(*other))
    {
        problems.add("ZIP-02", at as u64, || several(found.len(), tried));
    }
    end.others = found.into_iter().map(|(other, ..)| other).collect();
    end.tried = tried;
    if !is_exact(at) {
        let (after, comment) = (size - at - END_BYTES, comment(at));
        problems.add("ZIP-03", at as u64, || {
            format!("{after} bytes behind the end record, {comment} are declared")
        });
    }
    let wide = end64(source, &tail, at)?;
    // Beside a zip64 record they may be left to it.
    let is_first_disk = |from: usize| {
        let disk = tail.number(at + from, 2);
        disk == 0 || disk == 0xffff && wide.is_some()
    };
    let (here, in_all) = (tail.number(at + 8, 2), tail.number(at + 10, 2));
    let several = wide.as_ref().is_some_and(|(_, wide)| wide.several);
    // Some readers take another end record where these say that this is a part of an archive.
    if !is_first_disk(4) || !is_first_disk(6) || here != in_all || several {
        problems.add("ZIP-12", at as u64, || "an archive of several disks".into());
    }
    if let Some((_, wide)) = &wide {
        agree(&tail, at, (&fields, wide), problems);
    }
    Ok(Some(end))
}

/// What is told where other end records than the one can be it, too.
pub(super) fn several(others: usize, tried: usize) -> String {
    format!("{} end records of {tried} can be the one", others + 1)
}

/// What one end record leads to, if there is a directory.
fn candidate(source: &mut Source<'_>, tail: &Tail, at: usize) -> io::Result<Option<(End, Fields)>> {
    let field = |from: usize, count: usize| tail.number(at + from, count);
    let (mut entries, mut size, mut offset) = (field(10, 2), field(12, 4), field(16, 4));
    let mut end = at;
    // Some writers put a zip64 record there although nothing needs it; the directory ends before it all the same.
    if let Some((start, wide)) = end64(source, tail, at)? {
        end = start;
        entries = if entries == 0xffff { wide.entries } else { entries };
        size = if size == 0xffff_ffff { wide.size } else { size };
        offset = if offset == 0xffff_ffff { wide.offset } else { offset };
    }
    let before = |end: usize, size: u64| end.checked_sub(usize::try_from(size).ok()?);
    let Some(directory) = before(end, size) else { return Ok(None) };
    let Some(shift) = before(directory, offset) else { return Ok(None) };
    if entries > 0 && !source.is(directory, b"PK\x01\x02")? || entries == 0 && size > 0 {
        return Ok(None);
    }
    let fields = Fields { entries, size, offset, several: false };
    Ok(Some((End { directory, directory_end: end, entries, shift, others: Vec::new(), tried: 0 }, fields)))
}

/// The zip64 record that a locator in front of the end record leads to: where it begins, and what it says.
fn end64(source: &mut Source<'_>, tail: &Tail, at: usize) -> io::Result<Option<(usize, Fields)>> {
    let Some(locator) = at.checked_sub(LOCATOR_BYTES).filter(|at| tail.from(*at).starts_with(LOCATOR)) else {
        return Ok(None);
    };
    // With bytes in front, the offset leads astray and the record stands right before the locator.
    let declared = usize::try_from(tail.number(locator + 8, 8)).unwrap_or(usize::MAX);
    let nearest = locator.checked_sub(END64_BYTES);
    for start in [Some(declared), nearest].into_iter().flatten() {
        if let Some(record) = source.get(start, END64_BYTES)?.filter(|record| record.starts_with(END64)) {
            let field = |from: usize| le(&record[from..from + 8]);
            let disks = tail.number(locator + 4, 4) != 0 || tail.number(locator + 16, 4) > 1;
            let several = disks || field(16) != 0 || field(24) != field(32);
            let fields = Fields { entries: field(32), size: field(40), offset: field(48), several };
            return Ok(Some((start, fields)));
        }
    }
    Ok(None)
}

/// Whether the end record and the zip64 record say the same where both say something.
fn agree(tail: &Tail, at: usize, (used, wide): (&Fields, &Fields), problems: &mut Problems) {
    let narrow = |from: usize, count: usize, all: u64, wide: u64| {
        let value = tail.number(at + from, count);
        value == all || value == wide
    };
    let same = narrow(10, 2, 0xffff, wide.entries)
        && narrow(12, 4, 0xffff_ffff, wide.size)
        && narrow(16, 4, 0xffff_ffff, wide.offset);
    if !same || wide.entries != used.entries || wide.size != used.size || wide.offset != used.offset {
        problems.add("ZIP-11", at as u64, || "the zip64 record differs from the end record".into());
    }
}
