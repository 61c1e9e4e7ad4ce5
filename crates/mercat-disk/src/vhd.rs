//! VHD ("Virtual Hard Disk Image Format Specification", 2006): footer, fixed and dynamic disks.

mod dynamic;

use super::fields::{be16, be32, be64, read_structure};
use super::{Format, ReadAt, SECTOR_BYTES, Window};
use crate::ReadError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const FIXED: u32 = 2;
const DYNAMIC: u32 = 3;
const DIFFERENCING: u32 = 4;
const CHECKSUM_AT: usize = 64;
/// The specification says 0xFFFFFFFF, writers fill all 64 bits.
const NO_OFFSET: [u64; 2] = [u64::MAX, 0xffff_ffff];
const FEATURE_TEMPORARY: u32 = 1;
const FEATURE_RESERVED: u32 = 2;

/// Cylinders, heads and sectors per track as the footer states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// Cylinders.
    pub cylinders: u16,
    /// Heads.
    pub heads: u8,
    /// Sectors per track.
    pub sectors: u8,
}

impl Geometry {
    /// What writers state for every disk that is larger, and QEMU for any disk whose size is to be exact:
    /// readers take the size field then.
    const GREATEST: Self = Self { cylinders: u16::MAX, heads: 16, sectors: 255 };

    /// Bytes of a disk of this geometry.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::from(self.cylinders) * u64::from(self.heads) * u64::from(self.sectors) * SECTOR_BYTES
    }
}

/// The 512-byte footer of a VHD file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VhdFooter {
    /// 2 fixed, 3 dynamic, 4 differencing.
    pub disk_type: u32,
    /// Bytes of the disk when it was made.
    pub original_bytes: u64,
    /// Bytes of the disk now: its virtual size.
    pub current_bytes: u64,
    /// The checksum field.
    pub checksum_stored: u32,
    /// One's complement of the sum of all bytes but the checksum field.
    pub checksum_computed: u32,
    /// Feature bits.
    pub features: u32,
    /// 0x00010000 for version 1.0.
    pub format_version: u32,
    /// Offset of the dynamic disk header; all ones for fixed disks.
    pub data_offset: u64,
    /// Seconds since 2000-01-01 00:00:00 UTC.
    pub timestamp: u32,
    /// The program that made the file, four bytes with what is not printable escaped.
    pub creator: String,
    /// Disk geometry.
    pub geometry: Geometry,
    /// Identifier of the disk, 32 hexadecimal digits.
    pub unique_id: String,
    /// 1 when the disk belongs to a suspended machine.
    pub saved_state: u8,
}

impl VhdFooter {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self {
            features: be32(bytes, 8),
            format_version: be32(bytes, 12),
            data_offset: be64(bytes, 16),
            timestamp: be32(bytes, 24),
            creator: bytes[28..32].escape_ascii().to_string(),
            original_bytes: be64(bytes, 40),
            current_bytes: be64(bytes, 48),
            geometry: Geometry { cylinders: be16(bytes, 56), heads: bytes[58], sectors: bytes[59] },
            disk_type: be32(bytes, 60),
            checksum_stored: be32(bytes, CHECKSUM_AT),
            checksum_computed: checksum(bytes, CHECKSUM_AT),
            unique_id: bytes[68..84].iter().map(|byte| format!("{byte:02x}")).collect(),
            saved_state: bytes[84],
        }
    }

    fn check(&self, at: u64) -> Result<(), ReadError> {
        let refused = |code, field: u64, what: String| Err(ReadError::refused(code, at + field, what));
        if self.checksum_stored != self.checksum_computed {
            let (stored, computed) = (self.checksum_stored, self.checksum_computed);
            return refused(
                "VHD-06",
                64,
                format!("footer checksum {stored:#010x}, computed {computed:#010x}"),
            );
        }
        if self.features & !(FEATURE_TEMPORARY | FEATURE_RESERVED) != 0 {
            return refused("VHD-23", 8, format!("footer feature bits {:#x}", self.features));
        }
        if self.format_version != 0x0001_0000 {
            return refused("VHD-23", 12, format!("footer version {:#010x}", self.format_version));
        }
        match self.disk_type {
            FIXED | DYNAMIC => {}
            DIFFERENCING => return refused("VHD-20", 60, "a differencing disk needs its parent".to_owned()),
            other => return refused("VHD-22", 60, format!("disk type {other}")),
        }
        if self.saved_state > 1 {
            return refused("VHD-25", 84, format!("saved state {}", self.saved_state));
        }
        super::check_size(self.current_bytes, at + 48)
    }

    /// Some readers take the size from the geometry. The specification rounds it down, so theirs may lack
    /// the last sectors, but they must not see any that nobody has inspected.
    fn check_geometry(&self, at: u64) -> Result<(), ReadError> {
        let (geometry, current) = (self.geometry.bytes(), self.current_bytes);
        if self.geometry == Geometry::GREATEST || geometry <= current {
            return Ok(());
        }
        let what = format!("a geometry of {geometry} bytes for a disk of {current} bytes");
        Err(ReadError::refused("VHD-35", at + 56, what))
    }
}

/// One's complement of the sum of all bytes but the checksum field itself.
pub(super) fn checksum(bytes: &[u8], field_at: usize) -> u32 {
    let sum = |part: &[u8]| part.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    !(sum(bytes).wrapping_sub(sum(&bytes[field_at..field_at + 4])))
}

/// A VHD file: its footer, its disk, and the bytes that are allocated.
pub(super) struct Vhd {
    pub(super) format: Format,
    pub(super) footer: VhdFooter,
    pub(super) disk: Arc<dyn ReadAt>,
    pub(super) mapped_bytes: u64,
}

/// Opens a file that ends with a footer.
pub(super) fn open(file: Arc<dyn ReadAt>) -> Result<Vhd, ReadError> {
    let at = file.size().saturating_sub(SECTOR_BYTES);
    let bytes = read_structure(&file, at, SECTOR_BYTES, "VHD footer")?;
    let footer = VhdFooter::parse(&bytes);
    footer.check(at)?;
    if footer.disk_type == DYNAMIC {
        footer.check_geometry(at)?;
        let (disk, mapped_bytes) = dynamic::open(file, &footer, &bytes)?;
        return Ok(Vhd { format: Format::VhdDynamic, footer, disk: Arc::new(disk), mapped_bytes });
    }
    if !NO_OFFSET.contains(&footer.data_offset) {
        let what = format!("a fixed disk with a header at {:#x}", footer.data_offset);
        return Err(ReadError::refused("VHD-24", at + 16, what));
    }
    if at != footer.current_bytes {
        let what = format!("{at} bytes before the footer of a disk of {} bytes", footer.current_bytes);
        return Err(ReadError::refused("VHD-05", at + 48, what));
    }
    footer.check_geometry(at)?;
    let disk = Arc::new(Window::new(file, 0, footer.current_bytes)?);
    Ok(Vhd { format: Format::VhdFixed, mapped_bytes: footer.current_bytes, footer, disk })
}
