//! The sparse extent header, and the footer that repeats it at the end of a stream.

use super::{DIRECTORY_ENTRIES_MAX, Grain, TABLE_ENTRIES};
use crate::ReadError;
use crate::fields::{le16, le32, le64, read_structure};
use crate::{ReadAt, SECTOR_BYTES, check_size};

const HEADER_BYTES: u64 = 512;
const NEWLINES: u32 = 1;
const REDUNDANT: u32 = 1 << 1;
const ZEROED_GRAINS: u32 = 1 << 2;
const PACKED: u32 = 1 << 16;
const MARKERS: u32 = 1 << 17;
const AT_END: u64 = u64::MAX;
const DEFLATE: u16 = 1;
const GRAIN_SECTORS: std::ops::RangeInclusive<u64> = 8..=2048;
const DESCRIPTOR_SECTORS_MAX: u64 = 2048;
const FOOTER_MARKER: u32 = 3;

pub(super) struct Header {
    pub(super) capacity_sectors: u64,
    pub(super) grain_bytes: u64,
    pub(super) descriptor_at: u64,
    pub(super) descriptor_bytes: u64,
    /// Offset of the grain directory.
    pub(super) directory_at: u64,
    /// Offset of the second grain directory.
    pub(super) redundant_at: Option<u64>,
    /// Offset of the first grain.
    pub(super) data_at: u64,
    /// Offset of the footer's marker.
    pub(super) footer_at: Option<u64>,
    pub(super) packed: bool,
    zeroed_grains: bool,
}

fn refused<T>(code: &'static str, at: u64, what: impl Into<String>) -> Result<T, ReadError> {
    Err(ReadError::refused(code, at, what))
}

/// The offset of a sector that lies in the file.
fn sector(file: &dyn ReadAt, number: u64, code: &'static str, field: u64) -> Result<u64, ReadError> {
    match number.checked_mul(SECTOR_BYTES) {
        Some(at) if at > 0 && at < file.size() => Ok(at),
        _ => refused(code, field, format!("sector {number} is outside the file")),
    }
}

impl Header {
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self, ReadError> {
        let bytes = read_structure(file, 0, HEADER_BYTES, "VMDK header")?;
        let (version, flags) = (le32(&bytes, 4), le32(&bytes, 8));
        let known = NEWLINES | REDUNDANT | ZEROED_GRAINS | PACKED | MARKERS;
        if !(1..=3).contains(&version) || flags & !known != 0 {
            return refused("VMD-03", 4, format!("version {version}, flags {flags:#x}"));
        }
        if flags & NEWLINES != 0 && bytes[73..77] != *b"\n \r\n" {
            return refused("VMD-03", 73, "line ends that were changed in a transfer");
        }
        match bytes[72] {
            0 => {}
            _ => return refused("VMD-19", 72, "marked as not closed properly"),
        }
        let packed = flags & PACKED != 0;
        let method = le16(&bytes, 77);
        if method != if packed { DEFLATE } else { 0 } || packed != (flags & MARKERS != 0) {
            return refused("VMD-05", 77, format!("compression {method}, flags {flags:#x}"));
        }
        let (mut directory, mut footer_at) = (le64(&bytes, 56), None);
        if directory == AT_END {
            let (at, from_footer) = footer(file, &bytes)?;
            (directory, footer_at) = (from_footer, Some(at));
        }
        let redundant = flags & REDUNDANT != 0 && le64(&bytes, 48) != 0;
        let header = Self {
            capacity_sectors: le64(&bytes, 12),
            grain_bytes: grain_bytes(&bytes)?,
            descriptor_at: sector(file, le64(&bytes, 28), "VMD-06", 28)?,
            descriptor_bytes: descriptor_bytes(&bytes)?,
            directory_at: sector(file, directory, "VMD-12", 56)?,
            redundant_at: if redundant { Some(sector(file, le64(&bytes, 48), "VMD-12", 48)?) } else { None },
            data_at: le64(&bytes, 64).saturating_mul(SECTOR_BYTES),
            footer_at,
            packed,
            zeroed_grains: flags & ZEROED_GRAINS != 0,
        };
        check_size(header.capacity_sectors.saturating_mul(SECTOR_BYTES), 12)?;
        if header.directory_entries() > DIRECTORY_ENTRIES_MAX {
            return refused("VMD-04", 12, format!("a capacity of {} sectors", header.capacity_sectors));
        }
        Ok(header)
    }

    pub(super) fn virtual_bytes(&self) -> u64 {
        self.capacity_sectors * SECTOR_BYTES
    }

    pub(super) fn directory_entries(&self) -> u64 {
        self.virtual_bytes().div_ceil(self.grain_bytes).div_ceil(TABLE_ENTRIES)
    }

    /// The meaning of an entry of a grain table.
    pub(super) fn grain(&self, entry: u32) -> Grain {
        match entry {
            0 => Grain::Zero,
            1 if self.zeroed_grains => Grain::Zero,
            sector => Grain::At(u64::from(sector) * SECTOR_BYTES),
        }
    }
}

fn grain_bytes(header: &[u8]) -> Result<u64, ReadError> {
    let (sectors, entries) = (le64(header, 20), u64::from(le32(header, 44)));
    if !sectors.is_power_of_two() || !GRAIN_SECTORS.contains(&sectors) || entries != TABLE_ENTRIES {
        return refused("VMD-04", 20, format!("grains of {sectors} sectors, tables of {entries} entries"));
    }
    Ok(sectors * SECTOR_BYTES)
}

fn descriptor_bytes(header: &[u8]) -> Result<u64, ReadError> {
    match le64(header, 36) {
        sectors @ 1..=DESCRIPTOR_SECTORS_MAX => Ok(sectors * SECTOR_BYTES),
        sectors => refused("VMD-06", 36, format!("a descriptor of {sectors} sectors")),
    }
}

/// The footer: a marker, the header again with the place of the grain directory, an end marker.
/// Gives the offset of its marker and the sector of the directory.
fn footer(file: &dyn ReadAt, header: &[u8]) -> Result<(u64, u64), ReadError> {
    let Some(at) = file.size().checked_sub(3 * SECTOR_BYTES).filter(|at| at.is_multiple_of(SECTOR_BYTES))
    else {
        return refused("VMD-11", 0, "no room for a footer at the end of the file");
    };
    let bytes = read_structure(file, at, 3 * SECTOR_BYTES, "VMDK footer")?;
    let (marker, rest) = bytes.split_at(512);
    let (footer, end) = rest.split_at(512);
    if le64(marker, 0) != 1 || le32(marker, 8) != 0 || le32(marker, 12) != FOOTER_MARKER {
        return refused("VMD-11", at, "no footer marker");
    }
    if end.iter().any(|byte| *byte != 0) {
        return refused("VMD-11", at + 1024, "no end marker behind the footer");
    }
    let same = footer[..56] == header[..56] && footer[64..] == header[64..];
    if !same || le64(footer, 56) == AT_END {
        return refused("VMD-11", at + 512, "the footer differs from the header");
    }
    Ok((at, le64(footer, 56)))
}
