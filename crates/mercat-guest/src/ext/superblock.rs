//! Superblock and group descriptors.

use super::super::bytes::{halves, le16, le32, part};
use super::{Ext, checksum};
use crate::ReadError;

const AT: u64 = 1024;

const SPARSE_SUPER2: u32 = 0x200;
const JOURNAL: u32 = 0x4;
const EXTENTS: u32 = 0x40;
const RECOVER: u32 = 0x4;
const META_BG: u32 = 0x10;
const WIDE: u32 = 0x80;
const SEED_STORED: u32 = 0x2000;
const SPARSE_SUPER: u32 = 0x1;
const GROUP_SUMS: u32 = 0x10;
const BIGALLOC: u32 = 0x200;
const METADATA_SUMS: u32 = 0x400;

/// Incompatible features that are read right here: filetype, recover, meta_bg, extents, 64bit, mmp,
/// flex_bg, ea_inode, metadata_csum_seed, large_dir, inline_data, encrypt (single files refuse), casefold.
const INCOMPATIBLE: u32 =
    0x2 | RECOVER | META_BG | EXTENTS | WIDE | 0x100 | 0x200 | 0x400 | SEED_STORED | 0x3c000;
/// Names of the incompatible features that are not.
const REFUSED: [(u32, &str); 3] = [(0x1, "compression"), (0x8, "journal_dev"), (0x1000, "dirdata")];
/// Features for read-only use that do not change what is read; snapshots (0x80) would.
const READ_ONLY: u32 = 0x1_ff7f;

/// What readers need of the superblock.
#[derive(Debug)]
pub(super) struct Superblock {
    pub(super) block_bytes: u64,
    pub(super) blocks: u64,
    pub(super) first_data_block: u32,
    pub(super) inodes: u32,
    pub(super) inode_bytes: u16,
    pub(super) seed: u32,
    pub(super) sums: bool,
    /// The inode of the journal, where it has one inside.
    pub(super) journal: Option<u32>,
    inodes_per_group: u32,
    blocks_per_group: u32,
    descriptor_bytes: u16,
    first_meta_group: u32,
    backup_groups: [u32; 2],
    compatible: u32,
    incompatible: u32,
    read_only: u32,
    uuid: [u8; 16],
}

fn refuse(field: usize, what: impl std::fmt::Display) -> ReadError {
    ReadError::refused("EXT-01", AT + field as u64, format!("the ext superblock has {what}"))
}

impl Superblock {
    /// Reads 1024 bytes of a volume of so many bytes.
    pub(super) fn parse(raw: &[u8], volume: u64) -> Result<Self, ReadError> {
        let incompatible = le32(raw, 0x60);
        let wide = incompatible & WIDE != 0;
        let high = |at| if wide { le32(raw, at) } else { 0 };
        let seed = if incompatible & SEED_STORED != 0 {
            le32(raw, 0x270)
        } else {
            checksum(!0, part(raw, 0x68, 16))
        };
        let old = le32(raw, 0x4c) == 0;
        let descriptor_bytes = if wide { le16(raw, 0xfe) } else { 32 };
        let shift = le32(raw, 0x18);
        if le16(raw, 0x38) != 0xef53 || shift > 6 {
            return Err(refuse(0x18, format_args!("a block size of 2^{} KiB", shift)));
        }
        let superblock = Self {
            block_bytes: 1024 << shift,
            blocks: halves(high(0x150), le32(raw, 0x4)),
            first_data_block: le32(raw, 0x14),
            inodes: le32(raw, 0),
            inode_bytes: if old { 128 } else { le16(raw, 0x58) },
            seed,
            sums: le32(raw, 0x64) & METADATA_SUMS != 0,
            journal: Some(le32(raw, 0xe0)).filter(|inode| le32(raw, 0x5c) & JOURNAL != 0 && *inode != 0),
            inodes_per_group: le32(raw, 0x28),
            blocks_per_group: le32(raw, 0x20),
            descriptor_bytes,
            first_meta_group: le32(raw, 0x104),
            backup_groups: [le32(raw, 0x24c), le32(raw, 0x250)],
            compatible: le32(raw, 0x5c),
            incompatible,
            read_only: le32(raw, 0x64),
            uuid: part(raw, 0x68, 16).try_into().unwrap_or_default(),
        };
        superblock.check_features()?;
        if superblock.sums && checksum(!0, part(raw, 0, 0x3fc)) != le32(raw, 0x3fc) {
            return Err(ReadError::refused("EXT-02", AT, "the checksum of the ext superblock is wrong"));
        }
        superblock.check(volume)?;
        Ok(superblock)
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.incompatible & (EXTENTS | WIDE | 0x200) != 0 {
            "ext4"
        } else if self.compatible & JOURNAL != 0 {
            "ext3"
        } else {
            "ext2"
        }
    }

    /// Whether the file system says that its journal must be replayed.
    pub(super) fn must_recover(&self) -> bool {
        self.incompatible & RECOVER != 0
    }

    /// What a later version of the superblock must not change.
    pub(super) fn layout(&self) -> impl PartialEq {
        let sizes = (self.block_bytes, self.blocks, self.inodes, self.inode_bytes, self.descriptor_bytes);
        let groups =
            (self.inodes_per_group, self.blocks_per_group, self.first_meta_group, self.backup_groups);
        let features =
            (self.incompatible, self.read_only & (SPARSE_SUPER | GROUP_SUMS | BIGALLOC | METADATA_SUMS));
        (sizes, groups, features, self.first_data_block, self.seed)
    }

    fn check_features(&self) -> Result<(), ReadError> {
        let unknown = self.incompatible & !INCOMPATIBLE;
        let read_only = self.read_only & !READ_ONLY;
        if unknown | read_only == 0 {
            return Ok(());
        }
        let names: Vec<&str> =
            REFUSED.iter().filter(|(bit, _)| unknown & bit != 0).map(|(_, name)| *name).collect();
        let what = format!(
            "the file system has features that are not read here: {} (incompatible {unknown:#x}, read-only {read_only:#x})",
            if names.is_empty() { "unknown ones".to_owned() } else { names.join(", ") }
        );
        Err(ReadError::refused("EXT-03", AT + 0x60, what))
    }

    fn check(&self, volume: u64) -> Result<(), ReadError> {
        let bits = self.block_bytes * 8;
        let sane = self.blocks.checked_mul(self.block_bytes).is_some_and(|bytes| bytes <= volume);
        if !sane || self.blocks <= u64::from(self.first_data_block) {
            return Err(refuse(4, format_args!("{} blocks on a volume of {volume} bytes", self.blocks)));
        }
        if self.first_data_block > 1 || (self.first_data_block == 1) && self.block_bytes != 1024 {
            return Err(refuse(0x14, format_args!("{} as its first data block", self.first_data_block)));
        }
        let inode = u64::from(self.inode_bytes);
        if !(128..=self.block_bytes).contains(&inode) || !inode.is_power_of_two() {
            return Err(refuse(0x58, format_args!("inodes of {inode} bytes")));
        }
        // A cluster of bigalloc is one bit, however many blocks it has.
        let per_group = if self.read_only & BIGALLOC != 0 { u64::from(u32::MAX) } else { bits };
        if !(1..=per_group).contains(&u64::from(self.blocks_per_group)) {
            return Err(refuse(0x20, format_args!("{} blocks per group", self.blocks_per_group)));
        }
        if !(1..=bits).contains(&u64::from(self.inodes_per_group)) {
            return Err(refuse(0x28, format_args!("{} inodes per group", self.inodes_per_group)));
        }
        let inodes = self.groups().checked_mul(u64::from(self.inodes_per_group));
        if inodes != Some(u64::from(self.inodes)) {
            return Err(refuse(0, format_args!("{} inodes in {} groups", self.inodes, self.groups())));
        }
        let descriptor = u64::from(self.descriptor_bytes);
        let wide = self.incompatible & WIDE != 0;
        if !(if wide { 64 } else { 32 }..=1024).contains(&descriptor) || !descriptor.is_power_of_two() {
            return Err(refuse(0xfe, format_args!("group descriptors of {descriptor} bytes")));
        }
        Ok(())
    }

    fn groups(&self) -> u64 {
        (self.blocks - u64::from(self.first_data_block)).div_ceil(u64::from(self.blocks_per_group))
    }

    /// Whether a group begins with a copy of the superblock.
    fn has_copy(&self, group: u64) -> bool {
        if group == 0 {
            true
        } else if self.compatible & SPARSE_SUPER2 != 0 {
            self.backup_groups.iter().any(|backup| u64::from(*backup) == group)
        } else if self.read_only & SPARSE_SUPER == 0 || group == 1 {
            true
        } else {
            [3, 5, 7].into_iter().any(|base: u64| {
                let mut power = base;
                while power < group {
                    power *= base;
                }
                power == group
            })
        }
    }

    /// The first byte of a group's descriptor.
    fn descriptor_at(&self, group: u64) -> u64 {
        let bytes = u64::from(self.descriptor_bytes);
        let per_block = self.block_bytes / bytes;
        let (block, index) = (group / per_block, group % per_block);
        let own = 1024 / self.block_bytes;
        let at = if self.incompatible & META_BG == 0 || block < u64::from(self.first_meta_group) {
            own + 1 + block
        } else {
            let first = block * per_block;
            let start = u64::from(self.first_data_block) + first * u64::from(self.blocks_per_group);
            let second = self.block_bytes == 1024 && block == 0 && self.first_data_block == 0;
            start + u64::from(self.has_copy(first)) + u64::from(second)
        };
        at * self.block_bytes + index * bytes
    }
}

impl Ext {
    /// The first byte of an inode.
    pub(super) fn inode_at(&self, number: u32) -> Result<u64, ReadError> {
        let sb = &self.superblock;
        if number == 0 || number > sb.inodes {
            let what = format!("inode {number} is wanted, there are {}", sb.inodes);
            return Err(ReadError::refused("EXT-05", 0, what));
        }
        let group = u64::from((number - 1) / sb.inodes_per_group);
        let index = u64::from((number - 1) % sb.inodes_per_group);
        let at = sb.descriptor_at(group);
        let raw = &self.metadata(at, usize::from(sb.descriptor_bytes))?;
        self.check_descriptor(group, at, raw)?;
        let high = if sb.incompatible & WIDE != 0 { le32(raw, 0x28) } else { 0 };
        let table = self.block_at(halves(high, le32(raw, 8)), &format!("the descriptor of group {group}"))?;
        Ok(table + index * u64::from(sb.inode_bytes))
    }

    fn check_descriptor(&self, group: u64, at: u64, raw: &[u8]) -> Result<(), ReadError> {
        let sb = &self.superblock;
        let number = u32::try_from(group).unwrap_or(u32::MAX).to_le_bytes();
        let (front, tail) = (part(raw, 0, 0x1e), raw.get(0x20..).unwrap_or(&[]));
        let sum = if sb.sums {
            let sum = checksum(checksum(sb.seed, &number), front);
            checksum(checksum(sum, &[0, 0]), tail) & 0xffff
        } else if sb.read_only & GROUP_SUMS != 0 {
            let sum = crc16(crc16(crc16(!0, &sb.uuid), &number), front);
            let tail = if sb.incompatible & WIDE != 0 { tail } else { &[] };
            u32::from(crc16(sum, tail))
        } else {
            return Ok(());
        };
        if sum != u32::from(le16(raw, 0x1e)) {
            let what = format!("the checksum of the descriptor of group {group} is wrong");
            return Err(ReadError::refused("EXT-04", at, what));
        }
        Ok(())
    }
}

/// CRC-16 with the reflected polynomial 0xA001, as `uninit_bg` uses it.
fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(seed, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 0 { sum >> 1 } else { sum >> 1 ^ 0xa001 })
    })
}
