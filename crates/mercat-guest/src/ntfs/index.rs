//! Directories: trees of names, whose root is in the record and whose other nodes are in blocks.

use super::super::bytes::{byte, le16, le32, le64, part};
use super::super::source::Content;
use super::super::walk::Names;
use super::attribute::{Value, name};
use super::{FIRST_ORDINARY, File, INDEX_ALLOCATION, INDEX_ROOT, Id, Ntfs, ROOT, record};
use crate::ReadError;
use std::collections::HashSet;

/// The index of names.
const NAMES: &str = "$I30";
const HAS_CHILD: u16 = 1;
const LAST: u16 = 2;
/// The namespace of names made for DOS, which another name of the same file goes with: one that stands alone would be
/// opened by it, too.
const DOS: u8 = 2;
/// Names for DOS in one directory, most.
const DOS_MAX: usize = 1 << 20;
const ROOT_BYTES_MAX: u64 = 64 << 10;

fn refuse(directory: &File, what: impl std::fmt::Display) -> ReadError {
    let what = format!("the index of file record {} {what}", directory.record);
    ReadError::refused("NTF-07", directory.at, what)
}

/// Gives all names of a directory.
pub(super) fn list(ntfs: &Ntfs, directory: &File, names: &mut Names<Id>) -> Result<(), ReadError> {
    let root = directory.find(INDEX_ROOT, NAMES).ok_or_else(|| refuse(directory, "is not there"))?;
    let root = ntfs.value_bytes(root, ROOT_BYTES_MAX)?;
    let block_bytes = le32(&root, 8);
    if le32(&root, 0) != 0x30 || !(512..=65536).contains(&block_bytes) || !block_bytes.is_power_of_two() {
        return Err(refuse(directory, format_args!("has blocks of {block_bytes} bytes")));
    }
    let mut blocks = match directory.find(INDEX_ALLOCATION, NAMES).map(|found| &found.value) {
        Some(Value::Runs { runs, size, .. }) => Some(Content::new(&ntfs.source, runs.clone(), *size)),
        _ => None,
    };
    // Blocks are counted in clusters, or in sectors where a block is smaller than a cluster.
    let unit = if u64::from(block_bytes) < ntfs.cluster_bytes { 512 } else { ntfs.cluster_bytes };
    let mut todo = Vec::new();
    let mut dos = Vec::new();
    node(directory, part(&root, 16, root.len().saturating_sub(16)), (&mut todo, &mut dos), names)?;
    let mut seen = HashSet::new();
    let mut raw = vec![0; usize::try_from(block_bytes).unwrap_or(4096)];
    while let Some(number) = todo.pop() {
        if !seen.insert(number) {
            return Err(refuse(directory, format_args!("reaches block {number} twice")));
        }
        let at = number.checked_mul(unit).ok_or_else(|| refuse(directory, "has no such block"))?;
        let blocks = blocks.as_mut().ok_or_else(|| refuse(directory, "has no blocks"))?;
        blocks.read_at(at, &mut raw)?;
        if !raw.starts_with(b"INDX") || le64(&raw, 16) != number {
            return Err(refuse(directory, format_args!("has a block {number} that is none")));
        }
        record::fix(&mut raw, directory.at)?;
        node(directory, part(&raw, 24, raw.len() - 24), (&mut todo, &mut dos), names)?;
    }
    let named: HashSet<u64> = names.ids().map(|id| id.record).collect();
    match dos.iter().find(|id| !named.contains(&id.record)) {
        Some(id) => {
            Err(refuse(directory, format_args!("has record {} under a name for DOS alone", id.record)))
        }
        None => Ok(()),
    }
}

/// The entries of one node, which begins with a header of 16 bytes.
/// What it has for the caller to look at: blocks, and files with a name for DOS.
fn node(
    directory: &File,
    raw: &[u8],
    (todo, dos): (&mut Vec<u64>, &mut Vec<Id>),
    names: &mut Names<Id>,
) -> Result<(), ReadError> {
    let used = usize::try_from(le32(raw, 4)).unwrap_or(usize::MAX);
    let raw = raw.get(..used).ok_or_else(|| refuse(directory, format_args!("has a node of {used} bytes")))?;
    let mut at = usize::try_from(le32(raw, 0)).unwrap_or(usize::MAX);
    loop {
        let length = usize::from(le16(raw, at.saturating_add(8)));
        let entry = part(raw, at, length);
        if entry.len() < 16 || !length.is_multiple_of(8) {
            return Err(refuse(directory, format_args!("has an entry of {length} bytes")));
        }
        let flags = le16(entry, 12);
        if flags & HAS_CHILD != 0 {
            todo.push(le64(entry, length - 8));
        }
        if flags & LAST != 0 {
            return Ok(());
        }
        let key = part(entry, 16, usize::from(le16(entry, 10)));
        let title = part(key, 66, 2 * usize::from(byte(key, 64)));
        if title.is_empty() || Id::of(le64(key, 0)).record != directory.record {
            return Err(refuse(directory, "has an entry that is empty or of another directory"));
        }
        let (id, title) = (Id::of(le64(entry, 0)), name(title));
        let own = directory.record == ROOT && id.record == ROOT && title == ".";
        if byte(key, 65) != DOS && !own {
            if id.record < FIRST_ORDINARY && !(directory.record == ROOT && title.starts_with('$')) {
                return Err(refuse(
                    directory,
                    format_args!("names the file system's own record {}", id.record),
                ));
            }
            if title.contains(':') {
                return Err(refuse(directory, format_args!("has the name {title:?}, which means a stream")));
            }
            names.add_text(title, id, directory.at)?;
        } else if !own {
            if dos.len() == DOS_MAX {
                return Err(refuse(directory, format_args!("has more than {DOS_MAX} names for DOS")));
            }
            dos.push(id);
        }
        at += length;
    }
}
