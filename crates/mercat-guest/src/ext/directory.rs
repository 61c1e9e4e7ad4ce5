//! Directories. Hash trees are read as the lists that they are compatible with.

use super::super::bytes::{byte, le16, le32, part};
use super::super::source::Content;
use super::super::walk::Names;
use super::inode::{CASEFOLD, INDEXED, Inode, MAP_BYTES};
use super::{Ext, checksum, xattr};
use crate::ReadError;

/// The type that marks the checksum at the end of a block.
const SUM_TYPE: u8 = 0xde;

/// Gives all names of a directory.
pub(super) fn list(ext: &Ext, inode: &Inode, names: &mut Names<u32>) -> Result<(), ReadError> {
    if inode.flags & CASEFOLD != 0 {
        // By which table of Unicode names are one is a matter of the kernel.
        let what = format!("the directory of inode {} does not tell names by case (casefold)", inode.number);
        return Err(ReadError::refused("EXT-03", inode.at, what));
    }
    if inode.is_inline() {
        return inline(ext, inode, names);
    }
    let block_bytes = ext.superblock.block_bytes;
    if inode.size == 0 || !inode.size.is_multiple_of(block_bytes) {
        return Err(refuse(inode, 0, format_args!("has {} bytes", inode.size)));
    }
    let runs = ext.runs(inode)?;
    let covered: u64 = runs.iter().filter(|run| run.at < inode.size).map(|run| run.length).sum();
    if covered < inode.size {
        return Err(refuse(inode, covered, format_args!("has holes")));
    }
    let mut content = Content::new(&ext.source, runs, inode.size);
    let mut block = vec![0; ext.block_bytes()];
    for index in 0..inode.size / block_bytes {
        let at = index * block_bytes;
        content.read_at(at, &mut block)?;
        let tail = check_sum(ext, inode, index, &block)?;
        let mut entries = Entries { inode, at, raw: &block, position: 0, wide: block_bytes == 1 << 16 };
        if index == 0 {
            entries.own()?;
        }
        entries.add(block.len() - tail, names)?;
    }
    Ok(())
}

fn refuse(inode: &Inode, at: u64, what: std::fmt::Arguments) -> ReadError {
    let what = format!("the directory of inode {} {what} (at byte {at} in it)", inode.number);
    ReadError::refused("EXT-11", inode.at, what)
}

/// Checks a block's checksum and gives the bytes that it takes.
fn check_sum(ext: &Ext, inode: &Inode, index: u64, block: &[u8]) -> Result<usize, ReadError> {
    // Nodes of hash trees have checksums of another kind. They hold no names.
    let root = inode.flags & INDEXED != 0 && index == 0;
    let node = inode.flags & INDEXED != 0 && le32(block, 0) == 0 && record(block, 0, true) >= block.len();
    if !ext.superblock.sums || root || node {
        return Ok(0);
    }
    let at = block.len() - 12;
    let present = le32(block, at) == 0 && le16(block, at + 4) == 12 && byte(block, at + 7) == SUM_TYPE;
    if !present || checksum(inode.seed, part(block, 0, at)) != le32(block, at + 8) {
        let what = format!("block {index} of the directory of inode {} has a wrong checksum", inode.number);
        return Err(ReadError::refused("EXT-12", inode.at, what));
    }
    Ok(12)
}

/// Length of a record; blocks of 64 KiB write it in another way.
fn record(raw: &[u8], at: usize, wide: bool) -> usize {
    let length = usize::from(le16(raw, at + 4));
    match length {
        0 | 0xffff if wide => 1 << 16,
        _ if wide => (length & 0xfffc) | (length & 3) << 16,
        _ => length,
    }
}

/// The records of a block.
struct Entries<'a> {
    inode: &'a Inode,
    /// First byte of the block in the directory.
    at: u64,
    raw: &'a [u8],
    position: usize,
    wide: bool,
}

impl<'a> Entries<'a> {
    fn next(&mut self, end: usize) -> Result<(u32, &'a [u8]), ReadError> {
        let at = self.at + self.position as u64;
        let length = record(self.raw, self.position, self.wide);
        let name = usize::from(byte(self.raw, self.position + 6));
        let fits =
            self.position + length <= end && length >= 8 && length.is_multiple_of(4) && name + 8 <= length;
        if !fits {
            let what = format_args!("has an entry of {length} bytes with a name of {name}");
            return Err(refuse(self.inode, at, what));
        }
        let found = (le32(self.raw, self.position), part(self.raw, self.position + 8, name));
        self.position += length;
        Ok(found)
    }

    /// The first two entries are the directory itself and its parent.
    fn own(&mut self) -> Result<(), ReadError> {
        let end = self.raw.len();
        let (own, dot) = self.next(end)?;
        let (_, dots) = self.next(end)?;
        if own != self.inode.number || dot != b"." || dots != b".." {
            return Err(refuse(
                self.inode,
                self.at,
                format_args!("does not begin with itself and its parent"),
            ));
        }
        Ok(())
    }

    fn add(&mut self, end: usize, names: &mut Names<u32>) -> Result<(), ReadError> {
        while self.position < end {
            let at = self.inode.at;
            let (inode, name) = self.next(end)?;
            if inode != 0 {
                names.add(name, inode, at)?;
            }
        }
        Ok(())
    }
}

/// A small directory in the inode: its parent's number, then entries in two places.
fn inline(ext: &Ext, inode: &Inode, names: &mut Names<u32>) -> Result<(), ReadError> {
    let rest = xattr::inline_data(ext, inode)?;
    let front = part(inode.block_map(), 4, MAP_BYTES - 4);
    for (at, raw) in [(4, front), (MAP_BYTES as u64, rest.as_slice())] {
        Entries { inode, at, raw, position: 0, wide: false }.add(raw.len(), names)?;
    }
    Ok(())
}
