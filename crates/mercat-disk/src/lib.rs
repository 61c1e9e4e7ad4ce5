//! Disk images: one address space of bytes, whatever container it came in.
//!
//! Readers decide the format from content once, refuse what names other files
//! or what two programs could read in two ways, and never read what is not
//! allocated.

mod checksum;
mod codes;

mod detect;
pub mod digest;
mod fields;
mod file;
pub mod layout;
mod mapped;
mod qcow2;
mod unpack;
mod vhd;
mod vhdx;
mod vmdk;

#[cfg(test)]
mod tests;

pub use codes::{CODES, INCONCLUSIVE};
pub use file::FileReadAt;
pub use vhd::{Geometry, VhdFooter};

use mapped::{Map, Mapped};
pub use mercat_artifact::ReadError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Sizes of disks are multiples of this.
const SECTOR_BYTES: u64 = 512;
/// Largest disk that is read, in bytes.
pub const VIRTUAL_BYTES_MAX: u64 = 64 << 40;
/// Largest file: the largest disk with its metadata.
const FILE_BYTES_MAX: u64 = VIRTUAL_BYTES_MAX + (1 << 40);

/// Bytes addressed by offset: a file, the guest's disk inside an image, a partition, a volume.
pub trait ReadAt: Send + Sync {
    /// Bytes in the address space.
    fn size(&self) -> u64;

    /// Fills the buffer from an offset. Unallocated ranges read as zeros.
    ///
    /// # Errors
    /// [`ReadError::Refused`] when the structure that maps the range is broken or the range ends
    /// behind [`ReadAt::size`]; [`ReadError::Io`] when the bytes cannot be had.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError>;

    /// The next range that may hold something else than zeros, at or behind an offset;
    /// `None` when only zeros follow. Ranges come in rising order and never reach behind the end.
    ///
    /// # Errors
    /// As [`ReadAt::read_at`].
    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        Ok((offset < self.size()).then(|| offset..self.size()))
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn size(&self) -> u64 {
        (**self).size()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        (**self).read_at(offset, buffer)
    }
    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        (**self).next_data(offset)
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let range = usize::try_from(offset).ok().and_then(|at| self.get(at..at.checked_add(buffer.len())?));
        let bytes = range.ok_or_else(|| past_the_end(offset, buffer.len()))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// The refusal of a read that ends behind the last byte.
pub fn past_the_end(offset: u64, bytes: usize) -> ReadError {
    ReadError::refused("DSK-03", offset, format!("{bytes} bytes are wanted behind the end"))
}

/// A part of a larger address space, for example a partition.
#[derive(Clone)]
pub struct Window {
    inner: Arc<dyn ReadAt>,
    start: u64,
    size: u64,
}

impl Window {
    /// A window onto `start..start + size`.
    ///
    /// # Errors
    /// `DSK-03` when it reaches behind the end of what lies below.
    pub fn new(inner: Arc<dyn ReadAt>, start: u64, size: u64) -> Result<Self, ReadError> {
        match start.checked_add(size) {
            Some(end) if end <= inner.size() => Ok(Self { inner, start, size }),
            _ => Err(ReadError::refused(
                "DSK-03",
                start,
                format!("a part of {size} bytes reaches behind the end"),
            )),
        }
    }
}

impl ReadAt for Window {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        match offset.checked_add(buffer.len() as u64) {
            Some(end) if end <= self.size => self.inner.read_at(self.start + offset, buffer),
            _ => Err(past_the_end(offset, buffer.len())),
        }
    }
    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        if offset >= self.size {
            return Ok(None);
        }
        let found = self.inner.next_data(self.start + offset)?;
        let end = self.start + self.size;
        Ok(found
            .filter(|data| data.start < end)
            .map(|data| data.start - self.start..data.end.min(end) - self.start))
    }
}

/// A disk format with its variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The disk's bytes and nothing else.
    Raw,
    /// VHD, every block in its place.
    VhdFixed,
    /// VHD with a block allocation table.
    VhdDynamic,
    /// VHDX.
    Vhdx,
    /// qcow2, version 2 or 3.
    Qcow2,
    /// VMDK, one sparse extent with its descriptor inside (`monolithicSparse`).
    VmdkSparse,
    /// VMDK with compressed grains (`streamOptimized`).
    VmdkStream,
}

impl Format {
    const ALL: [Self; 7] = [
        Self::Raw,
        Self::VhdFixed,
        Self::VhdDynamic,
        Self::Vhdx,
        Self::Qcow2,
        Self::VmdkSparse,
        Self::VmdkStream,
    ];

    /// Its name, as [`Format::parse`] takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::VhdFixed => "vhd-fixed",
            Self::VhdDynamic => "vhd-dynamic",
            Self::Vhdx => "vhdx",
            Self::Qcow2 => "qcow2",
            Self::VmdkSparse => "vmdk-sparse",
            Self::VmdkStream => "vmdk-stream",
        }
    }

    /// The format of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// The family of formats that somebody says a file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Declared {
    /// No container.
    Raw,
    /// VHD, fixed or dynamic.
    Vhd,
    /// VHDX.
    Vhdx,
    /// qcow2.
    Qcow2,
    /// VMDK.
    Vmdk,
}

impl Declared {
    const ALL: [Self; 5] = [Self::Raw, Self::Vhd, Self::Vhdx, Self::Qcow2, Self::Vmdk];

    /// Its name, as [`Declared::parse`] takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
        }
    }

    /// The family of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|declared| declared.name() == name)
    }

    /// The family that a file name's extension stands for, without the dot and in any case.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "raw" | "img" | "bin" | "dd" => Some(Self::Raw),
            "vhd" | "vpc" => Some(Self::Vhd),
            "vhdx" => Some(Self::Vhdx),
            "qcow2" | "qcow" => Some(Self::Qcow2),
            "vmdk" => Some(Self::Vmdk),
            _ => None,
        }
    }
}

/// What a container says about its disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Format and variant.
    pub format: Format,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of the disk.
    pub virtual_bytes: u64,
    /// Bytes of the disk that the container says are allocated; all of them for raw and fixed disks.
    pub mapped_bytes: u64,
    /// Bytes of a logical sector: the unit of the addresses in partition tables. 512, or 4096 where
    /// a VHDX file says so.
    pub sector_bytes: u32,
    /// The footer of a VHD file.
    pub vhd: Option<VhdFooter>,
}

/// A disk image that was opened: the guest's disk as one address space.
#[derive(Clone)]
pub struct Disk {
    /// What the container says.
    pub facts: Facts,
    map: Arc<dyn ReadAt>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Disk").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl ReadAt for Disk {
    fn size(&self) -> u64 {
        self.map.size()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.map.read_at(offset, buffer)
    }
    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        self.map.next_data(offset)
    }
}

/// Opens a disk image. The format is decided from the content and must be the declared one; a raw
/// disk has no signature, so it must be declared. The whole mapping is checked here, except where
/// that would mean to read the data itself: compressed clusters are checked when they are read.
///
/// # Errors
/// [`ReadError::Refused`] with a code of [`CODES`]; [`ReadError::Io`] when the file cannot be read.
pub fn open(file: Arc<dyn ReadAt>, declared: Option<Declared>) -> Result<Disk, ReadError> {
    let file_bytes = file.size();
    if file_bytes == 0 || file_bytes > FILE_BYTES_MAX {
        return Err(ReadError::refused("DSK-06", 0, format!("a file of {file_bytes} bytes")));
    }
    let family = detect::decide(&file, declared)?;
    let disk = match family {
        Declared::Raw => {
            check_size(file_bytes, 0)?;
            plain(Format::Raw, file_bytes, file)
        }
        Declared::Vhd => {
            let opened = vhd::open(file)?;
            let mut disk = plain(opened.format, file_bytes, opened.disk);
            disk.facts.mapped_bytes = opened.mapped_bytes;
            disk.facts.vhd = Some(opened.footer);
            disk
        }
        Declared::Vhdx => {
            let opened = vhdx::open(file)?;
            let mut disk = mapped(Format::Vhdx, file_bytes, (opened.disk, opened.mapped_bytes));
            disk.facts.sector_bytes = opened.sector_bytes;
            disk
        }
        Declared::Qcow2 => mapped(Format::Qcow2, file_bytes, qcow2::open(file)?),
        Declared::Vmdk => {
            let (format, disk, mapped_bytes) = vmdk::open(file)?;
            mapped(format, file_bytes, (disk, mapped_bytes))
        }
    };
    if family != Declared::Raw {
        detect::refuse_nested(&disk, disk.facts.format)?;
    }
    Ok(disk)
}

fn plain(format: Format, file_bytes: u64, map: Arc<dyn ReadAt>) -> Disk {
    let virtual_bytes = map.size();
    let facts = Facts {
        format,
        file_bytes,
        virtual_bytes,
        mapped_bytes: virtual_bytes,
        sector_bytes: 512,
        vhd: None,
    };
    Disk { facts, map }
}

fn mapped<M: Map + 'static>(format: Format, file_bytes: u64, (map, mapped_bytes): (Mapped<M>, u64)) -> Disk {
    let mut disk = plain(format, file_bytes, Arc::new(map));
    disk.facts.mapped_bytes = mapped_bytes;
    disk
}

/// Refuses the size of a disk that is zero, too large or not a whole number of sectors.
fn check_size(virtual_bytes: u64, at: u64) -> Result<(), ReadError> {
    let right =
        (1..=VIRTUAL_BYTES_MAX).contains(&virtual_bytes) && virtual_bytes.is_multiple_of(SECTOR_BYTES);
    if right {
        Ok(())
    } else {
        Err(ReadError::refused("DSK-06", at, format!("a disk of {virtual_bytes} bytes")))
    }
}
