//! Directories: inside the inode, or in blocks, of which only those with names are read.

use super::super::bytes::{be16, be32, be64, byte, part};
use super::super::walk::Names;
use super::Xfs;
use super::inode::{Fork, Inode};
use crate::ReadError;

/// Where the blocks of the index begin in a directory.
const INDEX_AT: u64 = 1 << 35;
/// Marks an unused record.
const FREE: u16 = 0xffff;

fn refuse(inode: &Inode, at: u64, what: impl std::fmt::Display) -> ReadError {
    ReadError::refused("XFS-08", at, format!("the directory of inode {} {what}", inode.number))
}

/// Gives all names of a directory.
pub(super) fn list(xfs: &Xfs, inode: &Inode, names: &mut Names<u64>) -> Result<(), ReadError> {
    if let Fork::Local(bytes) = &inode.data {
        return short(xfs, inode, bytes, names);
    }
    let step = xfs.superblock.directory_bytes;
    let runs = xfs.runs(inode, &inode.data)?;
    let mut block = Vec::new();
    let (mut place, mut behind) = (0, 0);
    for run in runs.iter().filter(|run| run.at < INDEX_AT) {
        let mut taken = 0;
        if !block.is_empty() && run.at != behind {
            return Err(refuse(inode, place, "has a hole in a block"));
        }
        behind = run.at + run.length;
        // A directory block may be in several runs.
        while taken < run.length {
            let want = step - block.len() as u64;
            if block.is_empty() {
                place = run.from + taken;
                if !(run.at + taken).is_multiple_of(step) {
                    return Err(refuse(inode, place, "has a part of a block"));
                }
            }
            let length = want.min(run.length - taken);
            let length_here = usize::try_from(length).unwrap_or(0);
            block.extend(xfs.source.bytes(run.from + taken, length_here)?);
            taken += length;
            if block.len() as u64 == step {
                data(xfs, inode, &block, place, names)?;
                block.clear();
            }
        }
    }
    if !block.is_empty() {
        return Err(refuse(inode, place, "ends in a part of a block"));
    }
    Ok(())
}

/// A directory inside the inode: its parent, then names with numbers of four or eight bytes.
fn short(xfs: &Xfs, inode: &Inode, raw: &[u8], names: &mut Names<u64>) -> Result<(), ReadError> {
    let (count, wide) = (byte(raw, 0), byte(raw, 1) != 0);
    let number = |at: usize| if wide { be64(raw, at) } else { u64::from(be32(raw, at)) };
    let bytes = if wide { 8 } else { 4 };
    let mut at = 2 + bytes;
    for _ in 0..count {
        let length = usize::from(byte(raw, at));
        let name = part(raw, at + 3, length);
        let behind = at + 3 + length + usize::from(xfs.superblock.has_types);
        if length == 0 || name.len() != length || behind + bytes > raw.len() {
            return Err(refuse(inode, inode.at, "has a name that reaches behind its end"));
        }
        names.add(name, number(behind), inode.at)?;
        at = behind + bytes;
    }
    if at != raw.len() {
        return Err(refuse(inode, inode.at, format_args!("has {} bytes for {at}", raw.len())));
    }
    Ok(())
}

/// One block with names.
fn data(xfs: &Xfs, inode: &Inode, raw: &[u8], place: u64, names: &mut Names<u64>) -> Result<(), ReadError> {
    let v5 = xfs.superblock.v5;
    let (single, header) = match (raw.get(..4), v5) {
        (Some(b"XD2B"), false) => (true, 16),
        (Some(b"XD2D"), false) => (false, 16),
        (Some(b"XDB3"), true) => (true, 64),
        (Some(b"XDD3"), true) => (false, 64),
        _ => return Err(refuse(inode, place, "has a block without its magic")),
    };
    if v5 {
        xfs.check_block(raw, place, inode, [4, 8, 40])?;
    }
    let mut end = raw.len();
    if single {
        // A directory of one block has its index at the end, counted by the last eight bytes.
        let entries = usize::try_from(be32(raw, raw.len() - 8)).unwrap_or(usize::MAX);
        let index = entries.checked_mul(8).and_then(|bytes| bytes.checked_add(8));
        let left = index.and_then(|bytes| raw.len().checked_sub(bytes)).filter(|end| *end >= header);
        end = left.ok_or_else(|| refuse(inode, place, format_args!("has an index of {entries}")))?;
    }
    let mut at = header;
    while at < end {
        let number = be64(raw, at);
        if be16(raw, at) == FREE {
            let length = usize::from(be16(raw, at + 2));
            if length < 8 || !length.is_multiple_of(8) || at + length > end {
                return Err(refuse(inode, place, format_args!("has a gap of {length} bytes")));
            }
            at += length;
            continue;
        }
        let length = usize::from(byte(raw, at + 8));
        let bytes = (9 + length + usize::from(xfs.superblock.has_types) + 2).next_multiple_of(8);
        let name = part(raw, at + 9, length);
        let tagged = usize::from(be16(raw, at + bytes - 2)) == at;
        if length == 0 || at + bytes > end || !tagged {
            return Err(refuse(inode, place, format_args!("has a broken entry at byte {at}")));
        }
        at += bytes;
        match name {
            b"." if number != inode.number => {
                return Err(refuse(inode, place, format_args!("says that it is inode {number}")));
            }
            b"." | b".." => {}
            _ => names.add(name, number, place)?,
        }
    }
    Ok(())
}
