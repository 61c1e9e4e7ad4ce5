//! Reparse points: links, and files whose content is elsewhere.

use super::super::bytes::{le16, le32, part};
use super::super::walk::text;
use super::File;
use super::attribute::name;
use crate::ReadError;

pub(super) const BYTES_MAX: u64 = 16 << 10;
const SYMLINK: u32 = 0xa000_000c;
const MOUNT_POINT: u32 = 0xa000_0003;
const LX_SYMLINK: u32 = 0xa000_001d;
/// Tags of files whose content their attributes do not have, by name.
const ELSEWHERE: [(u32, &str); 5] = [
    (0x8000_0017, "compressed by the Windows overlay filter (compact /exe)"),
    (0x8000_0013, "in the store of data deduplication"),
    (0x8000_0007, "in the store of single instances"),
    (0xc000_0004, "on other storage (HSM)"),
    (0x8000_0006, "on other storage (HSM2)"),
];

/// What a reparse point makes of a file.
pub(super) enum Reparse {
    /// Nothing that matters here.
    None,
    /// A symbolic link.
    Link(String),
    /// A file whose content cannot be read.
    Elsewhere(&'static str),
}

pub(super) fn parse(raw: &[u8], file: &File) -> Result<Reparse, ReadError> {
    let tag = le32(raw, 0);
    let data = part(raw, 8, usize::from(le16(raw, 4)));
    let refuse = || {
        let what = format!("the reparse point {tag:#010x} of file record {} is broken", file.record);
        ReadError::refused("NTF-10", file.at, what)
    };
    if data.is_empty() && le16(raw, 4) != 0 {
        return Err(refuse());
    }
    let names_at = match tag {
        SYMLINK => 12,
        MOUNT_POINT => 8,
        LX_SYMLINK => {
            let target = data.get(4..).filter(|target| !target.is_empty()).ok_or_else(refuse)?;
            return Ok(Reparse::Link(text(target)));
        }
        _ => {
            let known = ELSEWHERE.iter().find(|(other, _)| *other == tag);
            return Ok(known.map_or(Reparse::None, |(_, what)| Reparse::Elsewhere(what)));
        }
    };
    let length = usize::from(le16(data, 2));
    let target = part(data, names_at + usize::from(le16(data, 0)), length);
    if target.is_empty() || target.len() != length {
        return Err(refuse());
    }
    // Windows names its own roots in front.
    let target = name(target);
    let target = target.strip_prefix(r"\??\").unwrap_or(&target);
    Ok(Reparse::Link(target.replace('\\', "/")))
}
