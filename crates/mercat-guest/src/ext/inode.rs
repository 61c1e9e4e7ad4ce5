//! Inodes.

use super::super::Kind;
use super::super::bytes::{halves, le16, le32, part};
use super::{Ext, checksum};
use crate::ReadError;

pub(super) const ENCRYPTED: u32 = 0x800;
pub(super) const INDEXED: u32 = 0x1000;
/// A directory whose names differ by more than case.
pub(super) const CASEFOLD: u32 = 0x4000_0000;
pub(super) const EXTENTS: u32 = 0x8_0000;
const HUGE: u32 = 0x4_0000;
const INLINE: u32 = 0x1000_0000;

/// Bytes of the block map, which may be content too.
const MAP_AT: usize = 0x28;
pub(super) const MAP_BYTES: usize = 60;

/// An inode that was checked.
pub(crate) struct Inode {
    pub(super) number: u32,
    /// First byte on the volume.
    pub(super) at: u64,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) flags: u32,
    pub(super) attributes_block: u64,
    /// Seed of the checksums of its blocks.
    pub(super) seed: u32,
    pub(super) raw: Vec<u8>,
}

impl Inode {
    pub(super) fn block_map(&self) -> &[u8] {
        part(&self.raw, MAP_AT, MAP_BYTES)
    }

    pub(super) fn is_inline(&self) -> bool {
        self.flags & INLINE != 0
    }

    /// Whether the target of a symbolic link stands in the block map.
    pub(super) fn is_fast_link(&self, block_bytes: u64) -> bool {
        let unit = if self.flags & HUGE == 0 { 512 } else { block_bytes };
        let own = if self.attributes_block == 0 { 0 } else { block_bytes };
        let blocks = halves(u32::from(le16(&self.raw, 0x74)), le32(&self.raw, 0x1c)).saturating_mul(unit);
        self.size < MAP_BYTES as u64 && !self.is_inline() && self.flags & EXTENTS == 0 && blocks <= own
    }

    pub(super) fn kind(&self) -> Result<Kind, ReadError> {
        match self.mode >> 12 {
            0x8 => Ok(Kind::File),
            0x4 => Ok(Kind::Directory),
            0xa => Ok(Kind::Symlink),
            0x1 | 0x2 | 0x6 | 0xc => Ok(Kind::Special),
            other => {
                let what = format!("inode {} is of type {other:#x}", self.number);
                Err(ReadError::refused("EXT-07", self.at, what))
            }
        }
    }

    /// Bytes behind the fixed fields, used for extended attributes.
    pub(super) fn tail(&self) -> &[u8] {
        let extra = if self.raw.len() > 130 { usize::from(le16(&self.raw, 0x80)) } else { 0 };
        self.raw.get(128 + extra..).unwrap_or(&[])
    }
}

impl Ext {
    /// Loads an inode that something names.
    pub(super) fn inode(&self, number: u32) -> Result<Inode, ReadError> {
        let at = self.inode_at(number)?;
        let raw = self.metadata(at, usize::from(self.superblock.inode_bytes))?;
        let refuse = |code, what: &str| Err(ReadError::refused(code, at, format!("inode {number} {what}")));
        let extra = if raw.len() > 128 { usize::from(le16(&raw, 0x80)) } else { 0 };
        if 128 + extra > raw.len() || extra % 4 != 0 {
            return refuse("EXT-07", &format!("has {extra} bytes of extra fields"));
        }
        let seed = checksum(checksum(self.superblock.seed, &number.to_le_bytes()), part(&raw, 0x64, 4));
        if self.superblock.sums && !sum_is_right(seed, &raw, extra) {
            return refuse("EXT-06", "has a wrong checksum");
        }
        let seconds = le32(&raw, 0x10).cast_signed();
        let epoch = if extra >= 12 { i64::from(le32(&raw, 0x88) & 3) } else { 0 };
        let inode = Inode {
            number,
            at,
            mode: le16(&raw, 0),
            uid: u32::from(le16(&raw, 0x78)) << 16 | u32::from(le16(&raw, 2)),
            gid: u32::from(le16(&raw, 0x7a)) << 16 | u32::from(le16(&raw, 0x18)),
            size: halves(le32(&raw, 0x6c), le32(&raw, 4)),
            mtime: i64::from(seconds) + (epoch << 32),
            flags: le32(&raw, 0x20),
            attributes_block: halves(u32::from(le16(&raw, 0x76)), le32(&raw, 0x68)),
            seed,
            raw,
        };
        if le16(&inode.raw, 0x1a) == 0 {
            return refuse("EXT-05", "is named, but deleted");
        }
        if inode.size.div_ceil(self.superblock.block_bytes) > 1 << 32 {
            return refuse("EXT-07", &format!("has {} bytes", inode.size));
        }
        Ok(inode)
    }
}

fn sum_is_right(seed: u32, raw: &[u8], extra: usize) -> bool {
    let mut zeroed = raw.to_vec();
    zeroed[0x7c..0x7e].fill(0);
    let mut stored = u32::from(le16(raw, 0x7c));
    let mut mask = 0xffff;
    if extra >= 4 {
        zeroed[0x82..0x84].fill(0);
        stored |= u32::from(le16(raw, 0x82)) << 16;
        mask = u32::MAX;
    }
    checksum(seed, &zeroed) & mask == stored
}
