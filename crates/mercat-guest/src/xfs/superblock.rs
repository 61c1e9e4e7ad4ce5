//! The superblock, and the numbers of blocks and inodes, which have the allocation group on top.

use super::super::bytes::{be16, be32, be64, byte, part};
use super::super::source::Source;
use super::{Xfs, sum_is_right};
use crate::ReadError;

const BYTES: usize = 512;
/// Bits of the version number that are read: attributes, links of 32 bits, quota, alignments, shared
/// version, log of version 2, sector size, unwritten extents, directories of version 2, case folding of
/// ASCII, more bits.
const VERSION: u16 =
    0x10 | 0x20 | 0x40 | 0x80 | 0x100 | 0x400 | 0x800 | 0x1000 | DIRECTORY_2 | 0x4000 | 0x8000;
const DIRECTORY_2: u16 = 0x2000;
/// Lazy counters, attributes of version 2, project numbers of 32 bits, checksums, file types.
const FEATURES_2: u32 = 0x2 | 0x8 | 0x80 | 0x100 | TYPES_V4;
const TYPES_V4: u32 = 0x200;
/// File types, sparse inodes, metadata UUID, large timestamps, large extent counts, exchanged ranges,
/// parent pointers.
const INCOMPATIBLE: u32 = TYPES | 0x2 | META_UUID | 0x8 | 0x20 | 0x40 | 0x80;
const TYPES: u32 = 0x1;
const META_UUID: u32 = 0x4;
/// Trees of free inodes and reverse mappings, shared extents, counts of inode blocks.
const READ_ONLY: u32 = 0xf;
/// Names of features that are not read.
const REFUSED: [(u32, &str); 3] = [(0x10, "needs repair"), (0x100, "metadir"), (0x200, "zoned")];

/// What readers need of the superblock.
#[derive(Debug)]
pub(super) struct Superblock {
    pub(super) v5: bool,
    pub(super) block_bytes: u64,
    pub(super) inode_bytes: u16,
    pub(super) directory_bytes: u64,
    pub(super) root: u64,
    pub(super) has_types: bool,
    /// The UUID in every block of metadata.
    pub(super) uuid: [u8; 16],
    /// First block of the log, 0 for another device, and its blocks.
    pub(super) log: (u64, u64),
    blocks: u64,
    group_blocks: u32,
    groups: u32,
    group_shift: u32,
    inode_shift: u32,
}

fn refuse(field: u64, what: impl std::fmt::Display) -> ReadError {
    ReadError::refused("XFS-01", field, format!("the XFS superblock has {what}"))
}

impl Superblock {
    pub(super) fn read(source: &Source) -> Result<Self, ReadError> {
        let raw = source.bytes(0, BYTES)?;
        let version = be16(&raw, 100);
        let v5 = match version & 0xf {
            4 => false,
            5 => true,
            other => return Err(ReadError::refused("XFS-03", 100, format!("XFS of version {other}"))),
        };
        let incompatible = if v5 { be32(&raw, 216) } else { 0 };
        let own_uuid = incompatible & META_UUID != 0;
        let superblock = Self {
            v5,
            block_bytes: u64::from(be32(&raw, 4)),
            inode_bytes: be16(&raw, 104),
            directory_bytes: u64::from(be32(&raw, 4)).checked_shl(u32::from(byte(&raw, 192))).unwrap_or(0),
            root: be64(&raw, 56),
            has_types: if v5 { incompatible & TYPES != 0 } else { be32(&raw, 200) & TYPES_V4 != 0 },
            uuid: part(&raw, if own_uuid { 248 } else { 32 }, 16).try_into().unwrap_or_default(),
            log: (be64(&raw, 48), u64::from(be32(&raw, 96))),
            blocks: be64(&raw, 8),
            group_blocks: be32(&raw, 84),
            groups: be32(&raw, 88),
            group_shift: u32::from(byte(&raw, 124)),
            inode_shift: u32::from(byte(&raw, 123)),
        };
        check_features(&raw, v5)?;
        let sector = be16(&raw, 102);
        if !(512..=32768).contains(&sector) || !sector.is_power_of_two() {
            return Err(refuse(102, format_args!("sectors of {sector} bytes")));
        }
        if v5 && !sum_is_right(&source.bytes(0, usize::from(sector))?, 224) {
            return Err(ReadError::refused("XFS-02", 224, "the checksum of the XFS superblock is wrong"));
        }
        superblock.check(&raw, source.size())?;
        Ok(superblock)
    }

    fn check(&self, raw: &[u8], volume: u64) -> Result<(), ReadError> {
        let size = self.block_bytes;
        if !(512..=65536).contains(&size) || !size.is_power_of_two() {
            return Err(refuse(4, format_args!("blocks of {size} bytes")));
        }
        if size.trailing_zeros() != u32::from(byte(raw, 120)) {
            return Err(refuse(120, "two block sizes"));
        }
        if self.blocks.checked_mul(size).is_none_or(|bytes| bytes > volume) {
            return Err(refuse(8, format_args!("{} blocks on a volume of {volume} bytes", self.blocks)));
        }
        let group = u64::from(self.group_blocks);
        let right = group > 0
            && self.blocks.div_ceil(group) == u64::from(self.groups)
            && group.next_power_of_two().trailing_zeros() == self.group_shift;
        if !right {
            return Err(refuse(84, format_args!("{} groups of {group} blocks", self.groups)));
        }
        let inode = u64::from(self.inode_bytes);
        let right = (256..=2048.min(size)).contains(&inode)
            && inode.is_power_of_two()
            && be16(raw, 106).is_power_of_two()
            && u64::from(be16(raw, 106)) == size / inode
            && u64::from(be16(raw, 106)).trailing_zeros() == self.inode_shift;
        if !right {
            return Err(refuse(104, format_args!("inodes of {inode} bytes, {} a block", be16(raw, 106))));
        }
        if !(size..=65536).contains(&self.directory_bytes) {
            return Err(refuse(192, format_args!("directory blocks of {} bytes", self.directory_bytes)));
        }
        if byte(raw, 126) != 0 {
            return Err(refuse(126, "the mark of an unfinished mkfs"));
        }
        Ok(())
    }

    /// The size of a block as a number of bytes in memory.
    pub(super) fn block_step(&self) -> usize {
        usize::try_from(self.block_bytes).unwrap_or(512)
    }

    /// The first byte of a run of blocks, all of which must be in one group.
    pub(super) fn place(&self, block: u64, count: u64) -> Option<u64> {
        let group = block >> self.group_shift;
        let index = block & ((1 << self.group_shift) - 1);
        let linear = group.checked_mul(u64::from(self.group_blocks))?.checked_add(index)?;
        let fits = index.checked_add(count)? <= u64::from(self.group_blocks)
            && linear.checked_add(count)? <= self.blocks
            && count > 0;
        fits.then(|| linear * self.block_bytes)
    }
}

fn check_features(raw: &[u8], v5: bool) -> Result<(), ReadError> {
    let refuse = |at, what: String| {
        let what = format!("the file system has features that are not read here: {what}");
        Err(ReadError::refused("XFS-03", at, what))
    };
    let version = be16(raw, 100) & 0xfff0;
    if version & !VERSION != 0 || version & DIRECTORY_2 == 0 {
        return refuse(100, format!("version bits {version:#x}"));
    }
    if version & 0x8000 != 0 && be32(raw, 200) & !FEATURES_2 != 0 {
        return refuse(200, format!("features2 {:#x}", be32(raw, 200) & !FEATURES_2));
    }
    let (read_only, incompatible) = (be32(raw, 212) & !READ_ONLY, be32(raw, 216) & !INCOMPATIBLE);
    if v5 && (read_only | incompatible) != 0 {
        let names: Vec<&str> =
            REFUSED.iter().filter(|(bit, _)| incompatible & bit != 0).map(|(_, name)| *name).collect();
        let names = names.join(", ");
        return refuse(212, format!("{names} (incompatible {incompatible:#x}, read-only {read_only:#x})"));
    }
    Ok(())
}

impl Xfs {
    /// The first byte of an inode.
    pub(super) fn inode_at(&self, number: u64) -> Result<u64, ReadError> {
        let sb = &self.superblock;
        let index = number & ((1 << sb.inode_shift) - 1);
        let at = sb.place(number >> sb.inode_shift, 1).map(|block| block + index * u64::from(sb.inode_bytes));
        at.ok_or_else(|| ReadError::refused("XFS-04", 0, format!("there is no inode {number}")))
    }
}
