//! Extended attributes: behind the fields of an inode, in a block of their own, in inodes of their own.

use super::super::bytes::{byte, le16, le32, part};
use super::super::source::Content;
use super::super::walk::text;
use super::inode::Inode;
use super::{Ext, checksum};
use crate::ReadError;

const MAGIC: u32 = 0xea02_0000;
const BLOCK_HEADER: usize = 32;
/// Largest value, as Linux has it.
const VALUE_BYTES_MAX: u64 = 64 << 10;
/// The name of inline data is `data` in the namespace `system.`.
const SYSTEM: u8 = 7;

struct Attribute {
    namespace: u8,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Attribute {
    fn is_inline_data(&self) -> bool {
        self.namespace == SYSTEM && self.name == b"data"
    }
}

fn refuse(inode: &Inode, what: &str) -> ReadError {
    let what = format!("the extended attributes of inode {}: {what}", inode.number);
    ReadError::refused("EXT-13", inode.at, what)
}

/// All attributes but inline data.
pub(super) fn all(ext: &Ext, inode: &Inode) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
    let mut found = in_inode(ext, inode)?;
    found.extend(in_block(ext, inode)?);
    let shown = found.into_iter().filter(|attribute| !attribute.is_inline_data());
    shown
        .map(|attribute| {
            let prefix = match attribute.namespace {
                0 => "",
                1 => "user.",
                2 => "system.posix_acl_access",
                3 => "system.posix_acl_default",
                4 => "trusted.",
                6 => "security.",
                SYSTEM => "system.",
                8 => "system.richacl",
                other => return Err(refuse(inode, &format!("the namespace {other}"))),
            };
            Ok((format!("{prefix}{}", text(&attribute.name)), attribute.value))
        })
        .collect()
}

/// The part of inline data that did not fit into the block map.
pub(super) fn inline_data(ext: &Ext, inode: &Inode) -> Result<Vec<u8>, ReadError> {
    let found = in_inode(ext, inode)?.into_iter().find(Attribute::is_inline_data);
    found.map(|attribute| attribute.value).ok_or_else(|| {
        let what = format!("inode {} is said to have inline data and has none", inode.number);
        ReadError::refused("EXT-14", inode.at, what)
    })
}

fn in_inode(ext: &Ext, inode: &Inode) -> Result<Vec<Attribute>, ReadError> {
    let tail = inode.tail();
    if le32(tail, 0) != MAGIC {
        return Ok(Vec::new());
    }
    let entries = tail.get(4..).unwrap_or(&[]);
    list(ext, inode, entries, 0)
}

fn in_block(ext: &Ext, inode: &Inode) -> Result<Vec<Attribute>, ReadError> {
    let number = inode.attributes_block;
    if number == 0 {
        return Ok(Vec::new());
    }
    let mut raw = ext.block(number, &format!("the attributes of inode {}", inode.number))?;
    if le32(&raw, 0) != MAGIC || le32(&raw, 8) != 1 {
        return Err(refuse(inode, "a block without their magic"));
    }
    if ext.superblock.sums {
        let stored = le32(&raw, 16);
        raw[16..20].fill(0);
        if checksum(checksum(ext.superblock.seed, &number.to_le_bytes()), &raw) != stored {
            return Err(refuse(inode, "a block with a wrong checksum"));
        }
    }
    list(ext, inode, &raw, BLOCK_HEADER)
}

/// The attributes whose entries begin at a place; their values count from the front.
fn list(ext: &Ext, inode: &Inode, raw: &[u8], mut at: usize) -> Result<Vec<Attribute>, ReadError> {
    let mut found = Vec::new();
    while at + 4 <= raw.len() && le32(raw, at) != 0 {
        let length = usize::from(byte(raw, at));
        let (offset, holder, size) = (le16(raw, at + 2), le32(raw, at + 4), le32(raw, at + 8));
        let name = part(raw, at + 16, length);
        if name.len() != length || name.contains(&0) {
            return Err(refuse(inode, "a name that reaches behind the end"));
        }
        let value = if holder != 0 {
            in_inode_of_its_own(ext, inode, holder, size)?
        } else {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let value = part(raw, usize::from(offset), size);
            if value.len() != size {
                return Err(refuse(inode, "a value that reaches behind the end"));
            }
            value.to_vec()
        };
        found.push(Attribute { namespace: byte(raw, at + 1), name: name.to_vec(), value });
        at += (16 + length).next_multiple_of(4);
    }
    Ok(found)
}

fn in_inode_of_its_own(ext: &Ext, inode: &Inode, holder: u32, size: u32) -> Result<Vec<u8>, ReadError> {
    let value = ext.inode(holder)?;
    if value.size != u64::from(size) || value.is_inline() {
        return Err(refuse(inode, &format!("a value of {size} bytes in inode {holder}")));
    }
    Content::new(&ext.source, ext.runs(&value)?, value.size).all(VALUE_BYTES_MAX)
}
