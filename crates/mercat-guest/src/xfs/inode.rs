//! Inodes and their forks.

use super::super::Kind;
use super::super::bytes::{be16, be32, be64, byte, part};
use super::{Xfs, sum_is_right};
use crate::ReadError;

const CORE_BYTES: usize = 100;
const CORE_BYTES_V3: usize = 176;
const REALTIME: u16 = 1;
const BIG_TIME: u64 = 1 << 3;
const BIG_COUNTS: u64 = 1 << 4;
const SIZE_MAX: u64 = i64::MAX.cast_unsigned();

/// What a part of an inode holds: content, or where it is.
#[derive(Debug)]
pub(super) enum Fork {
    None,
    Local(Vec<u8>),
    /// Records of extents.
    Extents(Vec<u8>),
    /// The root of a tree of extents.
    Tree(Vec<u8>),
}

/// An inode that was checked.
#[derive(Debug)]
pub(crate) struct Inode {
    pub(super) number: u64,
    pub(super) at: u64,
    pub(super) kind: Kind,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) data: Fork,
    pub(super) attributes: Fork,
}

impl Xfs {
    /// Loads an inode that something names.
    pub(super) fn inode(&self, number: u64) -> Result<Inode, ReadError> {
        let at = self.inode_at(number)?;
        let raw = self.source.bytes(at, usize::from(self.superblock.inode_bytes))?;
        let refuse = |code, what: String| Err(ReadError::refused(code, at, format!("inode {number} {what}")));
        let version = byte(&raw, 4);
        if !raw.starts_with(b"IN") || self.superblock.v5 != (version == 3) || !(1..=3).contains(&version) {
            return refuse("XFS-04", format!("has no magic or the version {version}"));
        }
        let v3 = version == 3;
        if v3 && !sum_is_right(&raw, 100) {
            return refuse("XFS-06", "has a wrong checksum".to_owned());
        }
        if v3 && (be64(&raw, 152) != number || part(&raw, 160, 16) != self.superblock.uuid) {
            return refuse("XFS-06", "belongs elsewhere".to_owned());
        }
        let mode = be16(&raw, 2);
        let kind = match mode >> 12 {
            0x8 => Kind::File,
            0x4 => Kind::Directory,
            0xa => Kind::Symlink,
            0x1 | 0x2 | 0x6 | 0xc => Kind::Special,
            _ => return refuse("XFS-05", format!("has the mode {mode:#o}")),
        };
        let links = if version == 1 { u32::from(be16(&raw, 6)) } else { be32(&raw, 16) };
        if links == 0 {
            return refuse("XFS-04", "is named, but deleted".to_owned());
        }
        if be16(&raw, 90) & REALTIME != 0 {
            return refuse("XFS-03", "is on a realtime device".to_owned());
        }
        let size = be64(&raw, 56);
        if size > SIZE_MAX {
            return refuse("XFS-05", format!("has {size} bytes"));
        }
        let flags = if v3 { be64(&raw, 120) } else { 0 };
        let (data, attributes) = self.forks(number, at, &raw, v3, flags & BIG_COUNTS != 0)?;
        if kind == Kind::File && matches!(data, Fork::Local(_)) {
            return refuse("XFS-05", "is a file with its content inside".to_owned());
        }
        if kind != Kind::Special && matches!(data, Fork::None) {
            return refuse("XFS-05", "has neither content nor extents".to_owned());
        }
        Ok(Inode {
            number,
            at,
            kind,
            mode,
            uid: be32(&raw, 8),
            gid: be32(&raw, 12),
            size,
            mtime: mtime(&raw, flags),
            data,
            attributes,
        })
    }

    fn forks(
        &self,
        number: u64,
        at: u64,
        raw: &[u8],
        v3: bool,
        big: bool,
    ) -> Result<(Fork, Fork), ReadError> {
        let core = if v3 { CORE_BYTES_V3 } else { CORE_BYTES };
        let offset = usize::from(byte(raw, 82)) * 8;
        let refuse = |what: String| ReadError::refused("XFS-05", at, format!("inode {number} has {what}"));
        if core + offset > raw.len() {
            return Err(refuse(format!("its attributes {offset} bytes behind its core")));
        }
        let split = if offset == 0 { raw.len() } else { core + offset };
        let data = raw.get(core..split).unwrap_or(&[]);
        let rest = raw.get(split..).unwrap_or(&[]);
        let (count, attribute_count) = if big {
            (be64(raw, 24), u64::from(be32(raw, 76)))
        } else {
            (u64::from(be32(raw, 76)), u64::from(be16(raw, 80)))
        };
        let fork = |format: u8, bytes: &[u8], count: u64, size: Option<u64>| match format {
            0 | 4 => Ok(Fork::None),
            1 => match size.map_or(Some(bytes.len()), |size| usize::try_from(size).ok()) {
                Some(length) if length <= bytes.len() => {
                    Ok(Fork::Local(bytes.get(..length).unwrap_or(&[]).to_vec()))
                }
                _ => Err(refuse(format!("{size:?} bytes inside where {} fit", bytes.len()))),
            },
            2 => match usize::try_from(count).ok().and_then(|count| bytes.get(..count.checked_mul(16)?)) {
                Some(records) => Ok(Fork::Extents(records.to_vec())),
                None => Err(refuse(format!("{count} extents where {} fit", bytes.len() / 16))),
            },
            3 => Ok(Fork::Tree(bytes.to_vec())),
            other => Err(refuse(format!("the fork format {other}"))),
        };
        let attributes =
            if offset == 0 { Fork::None } else { fork(byte(raw, 83), rest, attribute_count, None)? };
        Ok((fork(byte(raw, 5), data, count, Some(be64(raw, 56)))?, attributes))
    }
}

fn mtime(raw: &[u8], flags: u64) -> i64 {
    if flags & BIG_TIME != 0 {
        // Nanoseconds since the first second that 32 bits could tell.
        let seconds = be64(raw, 40) / 1_000_000_000;
        i64::try_from(seconds).unwrap_or(0) + i64::from(i32::MIN)
    } else {
        i64::from(be32(raw, 40).cast_signed())
    }
}
