//! Members as the central directory tells of them, against their local headers.

use super::end::{End, several};
use super::{METHODS, Problems, Source};
use crate::archive::member::text;
use crate::archive::{MEMBERS_MAX, NAME_BYTES_MAX, le};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;

pub(super) const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
pub(super) const LOCAL: &[u8] = b"PK\x03\x04";
pub(super) const LOCAL_BYTES: usize = 30;

const ENCRYPTED: u64 = 1;
const DESCRIPTOR: u64 = 1 << 3;
const STRONG: u64 = 1 << 6;
const MASKED: u64 = 1 << 13;

/// Fields that both headers have.
pub(super) struct Fields {
    flags: u64,
    pub(super) method: u64,
    pub(super) crc: u64,
    pub(super) packed: u64,
    pub(super) unpacked: u64,
}

/// Whether the content is encrypted, in any of the ways.
pub(super) fn is_encrypted(fields: &Fields) -> bool {
    fields.flags & (ENCRYPTED | STRONG | MASKED) != 0 || fields.method == 99
}

/// One entry of the directory.
pub(super) struct Central {
    pub(super) fields: Fields,
    pub(super) name: Vec<u8>,
    extra: Vec<u8>,
    /// Where its local header is, and the disk.
    pub(super) local: u64,
    disk: u64,
    /// Where the next one begins.
    pub(super) next: usize,
}

pub(super) fn check(source: &mut Source<'_>, end: &End, problems: &mut Problems) -> io::Result<()> {
    let mut at = end.directory;
    // Of a million names with a key that nobody knows, two are the same by chance once in many million archives.
    let (mut names, hashes) = (HashSet::new(), RandomState::new());
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    // End records that are in no member.
    let mut others = end.others.clone();
    let mut count = 0_u64;
    // The directory and the local headers are far from each other.
    let mut directory = Source::new(source.bytes)?;
    directory.size = end.directory_end;
    while directory.is(at, ENTRY)? {
        if count == MEMBERS_MAX {
            problems.add("ZIP-17", at as u64, || format!("more than {MEMBERS_MAX} members"));
            return Ok(());
        }
        let Some(entry) = central(&mut directory, at)? else { break };
        count += 1;
        one(&entry, at, problems);
        if entry.disk != 0 && entry.disk != 0xffff {
            problems.add("ZIP-12", at as u64, || format!("{:?} is on another disk", text(&entry.name)));
        }
        let start = usize::try_from(entry.local).ok().and_then(|local| local.checked_add(end.shift));
        let stop = start.map(|start| against(source, start, &entry, problems)).transpose()?.flatten();
        match start.zip(stop) {
            Some(range) => {
                let stored = usize::try_from(entry.fields.packed).ok().filter(|_| entry.fields.method == 0);
                let content = range.1.saturating_sub(stored.unwrap_or(0))..range.1;
                others.retain(|other| !content.contains(other));
                ranges.push(range);
            }
            None => {
                let name = text(&entry.name);
                problems
                    .add("ZIP-01", at as u64, || format!("{name:?} has no local header where it should be"));
            }
        }
        if !names.insert(hashes.hash_one(&entry.name)) {
            problems.add("ZIP-08", at as u64, || format!("two members are named {:?}", text(&entry.name)));
        }
        at = entry.next;
    }
    let signed = directory.is(at, b"PK\x05\x05")?;
    if count != end.entries || at != end.directory_end && !signed {
        let what = || format!("{count} members in the directory, {} declared", end.entries);
        problems.add("ZIP-13", at as u64, what);
    }
    if let Some(other) = others.first() {
        problems.add("ZIP-02", *other as u64, || several(others.len(), end.tried));
    }
    side_by_side(source, ranges, end, problems)
}

pub(super) fn central(directory: &mut Source<'_>, at: usize) -> io::Result<Option<Central>> {
    let Some(fixed) = directory.get(at, ENTRY_BYTES)? else { return Ok(None) };
    let field = |from: usize, count: usize| le(&fixed[from..from + count]);
    let size = |from: usize| usize::try_from(field(from, 2)).unwrap_or(0);
    let (name, extra, comment) = (size(28), size(30), size(32));
    let mut fields = Fields {
        flags: field(8, 2),
        method: field(10, 2),
        crc: field(16, 4),
        packed: field(20, 4),
        unpacked: field(24, 4),
    };
    let (disk, mut local) = (field(34, 2), field(42, 4));
    let from = at + ENTRY_BYTES;
    let Some(text) = directory.get(from, name + extra)? else { return Ok(None) };
    let next = from + name + extra + comment;
    let (name, extra) = (text[..name].to_vec(), text[name..].to_vec());
    widen(&extra, &mut [&mut fields.unpacked, &mut fields.packed, &mut local]);
    Ok(Some(Central { fields, name, extra, local, disk, next }))
}

/// Replaces saturated fields by those of the zip64 extra field (APPNOTE 4.5.3), in their order.
fn widen(extra: &[u8], fields: &mut [&mut u64]) {
    let Some(mut wide) = extra_field(extra, 1) else { return };
    for field in fields.iter_mut().filter(|field| ***field == 0xffff_ffff) {
        let Some((value, rest)) = wide.split_at_checked(8) else { return };
        **field = le(value);
        wide = rest;
    }
}

fn extra_field(mut extra: &[u8], wanted: u64) -> Option<&[u8]> {
    while let Some((head, rest)) = extra.split_at_checked(4) {
        let (data, next) = rest.split_at_checked(usize::try_from(le(&head[2..4])).ok()?)?;
        if le(&head[..2]) == wanted {
            return Some(data);
        }
        extra = next;
    }
    None
}

/// What one entry of the directory tells by itself.
fn one(entry: &Central, at: usize, problems: &mut Problems) {
    let at = at as u64;
    let name = || text(&entry.name[..entry.name.len().min(NAME_BYTES_MAX)]);
    if is_encrypted(&entry.fields) {
        problems.add("ZIP-10", at, || format!("{:?} is encrypted", name()));
    } else if !METHODS.contains(&entry.fields.method) {
        problems.add("ZIP-09", at, || format!("{:?} has method {}", name(), entry.fields.method));
    } else if entry.fields.method == 0 && entry.fields.packed != entry.fields.unpacked {
        let what = || {
            format!("{:?} is stored in {} bytes as {}", name(), entry.fields.packed, entry.fields.unpacked)
        };
        problems.add("ZIP-06", at, what);
    }
    if entry.name.is_empty() || entry.name.len() > NAME_BYTES_MAX || entry.name.contains(&0) {
        let what = || format!("a name of {} bytes, or with a NUL: {:?}", entry.name.len(), name());
        problems.add("ZIP-16", at, what);
    }
    let mut parts = entry.name.split(|byte| matches!(byte, b'/' | b'\\'));
    let drive = entry.name.get(1) == Some(&b':') && entry.name[0].is_ascii_alphabetic();
    if entry.name.starts_with(b"/") || entry.name.starts_with(b"\\") || drive || parts.any(|p| p == b"..") {
        problems.add("ZIP-15", at, || format!("{:?} leads out of the archive", name()));
    }
    // Info-ZIP Unicode path: version, CRC-32 of the name that it stands for, the name.
    if let Some([_, crc @ ..]) = extra_field(&entry.extra, 0x7075)
        && let Some((crc, other)) = crc.split_at_checked(4)
        && le(crc) == u64::from(crc32fast::hash(&entry.name))
        && entry.name.is_ascii()
        && other != entry.name
    {
        problems.add("ZIP-05", at, || format!("{:?} is also named {:?}", name(), text(other)));
    }
}

/// Compares with the local header; gives where the content ends.
fn against(
    source: &mut Source<'_>,
    start: usize,
    entry: &Central,
    problems: &mut Problems,
) -> io::Result<Option<usize>> {
    let Some(fixed) = source.get(start, LOCAL_BYTES)?.filter(|fixed| fixed.starts_with(LOCAL)) else {
        return Ok(None);
    };
    let field = |from: usize, count: usize| le(&fixed[from..from + count]);
    let size = |from: usize| usize::try_from(field(from, 2)).unwrap_or(0);
    let (name, extra) = (size(26), size(28));
    let mut local = Fields {
        flags: field(6, 2),
        method: field(8, 2),
        crc: field(14, 4),
        packed: field(18, 4),
        unpacked: field(22, 4),
    };
    let from = start + LOCAL_BYTES;
    if from + name + extra > source.size {
        return Ok(None);
    }
    let at = start as u64;
    // Many members may have one header with a long name: nothing is read that need not be.
    let other = match name == entry.name.len() {
        false => source.get(from, name.min(NAME_BYTES_MAX))?.map(text),
        true => source.get(from, name)?.filter(|name| *name != entry.name).map(text),
    };
    if let Some(other) = other {
        let what = || format!("{:?} is {other:?} in its local header", text(&entry.name));
        problems.add("ZIP-05", at, what);
    }
    if [local.packed, local.unpacked].contains(&0xffff_ffff) {
        let extra = source.get(from + name, extra)?.unwrap_or_default();
        widen(extra, &mut [&mut local.unpacked, &mut local.packed]);
    }
    // Behind a data descriptor the local header may leave these open.
    let open = local.flags & DESCRIPTOR != 0;
    let same = |here: u64, there: u64| here == there || open && here == 0;
    let sizes = same(local.packed, entry.fields.packed) && same(local.unpacked, entry.fields.unpacked);
    let flags = (local.flags ^ entry.fields.flags) & (ENCRYPTED | DESCRIPTOR) == 0;
    if !sizes || !same(local.crc, entry.fields.crc) || local.method != entry.fields.method || !flags {
        problems.add("ZIP-06", at, || format!("{:?} differs from its local header", text(&entry.name)));
    }
    Ok(usize::try_from(entry.fields.packed).ok().and_then(|packed| (from + name + extra).checked_add(packed)))
}

/// Members stand one after the other in front of the directory, with nothing unlisted between them.
fn side_by_side(
    source: &mut Source<'_>,
    mut ranges: Vec<(usize, usize)>,
    end: &End,
    problems: &mut Problems,
) -> io::Result<()> {
    ranges.sort_unstable();
    let first = ranges.first().map_or(end.directory, |range| range.0);
    if first > 0 {
        problems.add("ZIP-04", 0, || format!("{first} bytes in front of the first member"));
    }
    let mut last = 0;
    for (start, stop) in ranges.into_iter().chain([(end.directory, end.directory)]) {
        if start < last || stop > end.directory {
            problems.add("ZIP-07", start as u64, || format!("a member begins at {start}, before {last}"));
        }
        if let Some(at) = unlisted(source, last..start)? {
            problems.add("ZIP-14", at as u64, || "a member that the directory does not list".into());
        }
        last = last.max(stop);
    }
    Ok(())
}

/// Where in a gap a local header stands. In front of all members may be a program, which knows how one begins; between them
/// nothing but a header does.
fn unlisted(source: &mut Source<'_>, gap: Range<usize>) -> io::Result<Option<usize>> {
    /// Bytes that are looked at together; a header may stand across two of them.
    const PIECE_BYTES: usize = 64 << 10;
    let mut from = gap.start;
    while from < gap.end {
        let count = PIECE_BYTES.min(gap.end - from);
        let Some(piece) = source.get(from, count)? else { break };
        let found = memchr::memmem::find_iter(piece, LOCAL).map(|at| from + at).collect::<Vec<_>>();
        for at in found {
            let behind_program = gap.start == 0 && at > 0;
            if !behind_program || is_local(source, at)? {
                return Ok(Some(at));
            }
        }
        if count < PIECE_BYTES {
            break;
        }
        from += count - (LOCAL.len() - 1);
    }
    Ok(None)
}

/// Whether what stands here can be a local header, and not four bytes of a program that reads zip.
fn is_local(source: &mut Source<'_>, at: usize) -> io::Result<bool> {
    const VERSION_MAX: u64 = 63;
    let Some(fixed) = source.get(at, LOCAL_BYTES)? else { return Ok(false) };
    let field = |from: usize| le(&fixed[from..from + 2]);
    let name = usize::try_from(field(26)).unwrap_or(usize::MAX);
    let is_plausible =
        fixed[4] as u64 <= VERSION_MAX && field(8) <= 99 && (1..=NAME_BYTES_MAX).contains(&name);
    let named = source.get(at + LOCAL_BYTES, name)?;
    Ok(is_plausible && named.is_some_and(|name| !name.contains(&0)))
}
