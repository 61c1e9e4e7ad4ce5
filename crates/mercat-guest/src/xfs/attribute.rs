//! Extended attributes: inside the inode, or in a chain of leaf blocks of the attribute fork.

use super::super::bytes::{be16, be32, byte, part};
use super::super::source::{Content, Run};
use super::super::walk::text;
use super::Xfs;
use super::inode::{Fork, Inode};
use crate::ReadError;

const LOCAL: u8 = 0x01;
const TRUSTED: u8 = 0x02;
const SECURE: u8 = 0x04;
const PARENT: u8 = 0x08;
const INCOMPLETE: u8 = 0x80;
/// Largest value.
const VALUE_BYTES_MAX: u64 = 64 << 10;
const LEVELS_MAX: u16 = 5;

type Attributes = Vec<(String, Vec<u8>)>;

fn refuse(inode: &Inode, what: impl std::fmt::Display) -> ReadError {
    let what = format!("the extended attributes of inode {}: {what}", inode.number);
    ReadError::refused("XFS-10", inode.at, what)
}

/// All attributes.
pub(super) fn all(xfs: &Xfs, inode: &Inode) -> Result<Attributes, ReadError> {
    let mut found = Vec::new();
    match &inode.attributes {
        Fork::None => {}
        Fork::Local(raw) => short(inode, raw, &mut found)?,
        fork => {
            let runs = xfs.runs(inode, fork)?;
            if !runs.is_empty() {
                leaves(xfs, inode, &runs, &mut found)?;
            }
        }
    }
    Ok(found)
}

fn push(found: &mut Attributes, flags: u8, name: &[u8], value: &[u8]) {
    // Parent pointers name the directories of a file; they are no attributes to users.
    if flags & (PARENT | INCOMPLETE) != 0 {
        return;
    }
    let prefix = match flags & (TRUSTED | SECURE) {
        0 => "user.",
        SECURE => "security.",
        _ => "trusted.",
    };
    found.push((format!("{prefix}{}", text(name)), value.to_vec()));
}

fn short(inode: &Inode, raw: &[u8], found: &mut Attributes) -> Result<(), ReadError> {
    let total = usize::from(be16(raw, 0));
    let raw = raw.get(..total).ok_or_else(|| refuse(inode, format_args!("{total} bytes inside")))?;
    let mut at = 4;
    for _ in 0..byte(raw, 2) {
        let (name, value) = (usize::from(byte(raw, at)), usize::from(byte(raw, at + 1)));
        let end = at + 3 + name + value;
        if end > raw.len() {
            return Err(refuse(inode, "an entry that reaches behind the end"));
        }
        push(found, byte(raw, at + 2), part(raw, at + 3, name), part(raw, at + 3 + name, value));
        at = end;
    }
    Ok(())
}

/// Goes down to the first leaf and along the chain of leaves.
fn leaves(xfs: &Xfs, inode: &Inode, runs: &[Run], found: &mut Attributes) -> Result<(), ReadError> {
    let v5 = xfs.superblock.v5;
    let size = xfs.superblock.block_bytes;
    let (leaf_magic, node_magic) = if v5 { (0x3bee, 0x3ebe) } else { (0xfbee, 0xfebe) };
    let end = runs.last().map_or(0, |run| run.at + run.length);
    let mut content = Content::new(&xfs.source, runs.to_vec(), end);
    let (mut block, mut level, mut left) = (0, None, end / size);
    let mut raw = vec![0; xfs.superblock.block_step()];
    loop {
        content.read_at(block * size, &mut raw)?;
        let magic = be16(&raw, 8);
        if v5 && (magic == leaf_magic || magic == node_magic) {
            let run = runs.iter().rev().find(|run| run.at <= block * size);
            let at = run.map_or(0, |run| run.from + (block * size - run.at));
            xfs.check_block(&raw, at, inode, [12, 16, 48])?;
        }
        left = left.checked_sub(1).ok_or_else(|| refuse(inode, "their blocks are a loop"))?;
        if magic == node_magic {
            let header = if v5 { 64 } else { 16 };
            let here = be16(&raw, header - 2 - if v5 { 4 } else { 0 });
            if here == 0 || here > LEVELS_MAX || level.is_some_and(|above: u16| here + 1 != above) {
                return Err(refuse(inode, format_args!("a node of level {here}")));
            }
            level = Some(here);
            block = super::map::fork_block(&raw, header + 4);
        } else if magic == leaf_magic {
            leaf(xfs, inode, &raw, &mut content, found)?;
            block = super::map::fork_block(&raw, 0);
            if block == 0 {
                return Ok(());
            }
        } else {
            return Err(refuse(inode, format_args!("a block with the magic {magic:#x}")));
        }
    }
}

fn leaf(
    xfs: &Xfs,
    inode: &Inode,
    raw: &[u8],
    content: &mut Content,
    found: &mut Attributes,
) -> Result<(), ReadError> {
    let (count_at, entries) = if xfs.superblock.v5 { (56, 80) } else { (12, 32) };
    for index in 0..usize::from(be16(raw, count_at)) {
        let entry = part(raw, entries + 8 * index, 8);
        let (at, flags) = (usize::from(be16(entry, 4)), byte(entry, 6));
        let behind = || refuse(inode, "an entry that reaches behind the end");
        if entry.is_empty() || at == 0 {
            return Err(behind());
        }
        if flags & LOCAL != 0 {
            let (value, name) = (usize::from(be16(raw, at)), usize::from(byte(raw, at + 2)));
            let (name, value) = (part(raw, at + 3, name), part(raw, at + 3 + name, value));
            if at + 3 + name.len() + value.len() > raw.len() || value.len() != usize::from(be16(raw, at)) {
                return Err(behind());
            }
            push(found, flags, name, value);
        } else if flags & INCOMPLETE == 0 {
            let (block, length) = (super::map::fork_block(raw, at), be32(raw, at + 4));
            let name = part(raw, at + 9, usize::from(byte(raw, at + 8)));
            let value = remote(xfs, inode, content, block, u64::from(length))?;
            push(found, flags, name, &value);
        }
    }
    Ok(())
}

/// A value in blocks of its own, each with a header in version 5.
fn remote(
    xfs: &Xfs,
    inode: &Inode,
    content: &mut Content,
    block: u64,
    length: u64,
) -> Result<Vec<u8>, ReadError> {
    if length > VALUE_BYTES_MAX {
        return Err(refuse(inode, format_args!("a value of {length} bytes")));
    }
    let header = if xfs.superblock.v5 { 56 } else { 0 };
    let length = usize::try_from(length).unwrap_or(0);
    let mut value = Vec::new();
    let mut raw = vec![0; xfs.superblock.block_step()];
    let mut at = block * xfs.superblock.block_bytes;
    while value.len() < length {
        content.read_at(at, &mut raw)?;
        if header > 0 && (!raw.starts_with(b"XARM") || !super::sum_is_right(&raw, 12)) {
            return Err(refuse(inode, "a value without its header"));
        }
        let here = (length - value.len()).min(raw.len() - header);
        value.extend_from_slice(part(&raw, header, here));
        at += xfs.superblock.block_bytes;
    }
    Ok(value)
}
