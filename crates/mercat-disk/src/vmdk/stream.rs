//! The markers of a `streamOptimized` file. Some programs follow the grain tables, others read the
//! stream from marker to marker: both must find the same grains.

use super::{GRAIN_MARKER_BYTES, Grain, Header, TABLE_BYTES, Vmdk};
use crate::ReadError;
use crate::fields::{le32, le64, read_structure};
use crate::{ReadAt, SECTOR_BYTES};
use std::collections::BTreeSet;

const END: u32 = 0;
const TABLE: u32 = 1;
const DIRECTORY: u32 = 2;
const FOOTER: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// A packed grain: its sector of the disk, its packed bytes.
    Grain { sector: u64, bytes: u64 },
    /// A table, directory or footer of that many sectors.
    Metadata { kind: u32, sectors: u64 },
    /// Nothing follows.
    End,
}

impl Marker {
    /// The marker at an offset; the bytes it stands for lie in the file.
    pub(super) fn read(file: &dyn ReadAt, header: &Header, at: u64) -> Result<Self, ReadError> {
        let mut bytes = [0; 16];
        file.read_at(at, &mut bytes)?;
        let (value, size, kind) = (le64(&bytes, 0), u64::from(le32(&bytes, 8)), le32(&bytes, 12));
        let refused = |what: String| Err(ReadError::refused("VMD-15", at, what));
        let left = file.size() - at;
        if size > 0 {
            if size > 2 * header.grain_bytes || GRAIN_MARKER_BYTES + size > left {
                return refused(format!("a packed grain of {size} bytes"));
            }
            return Ok(Self::Grain { sector: value, bytes: size });
        }
        match kind {
            END if value == 0 => Ok(Self::End),
            TABLE | DIRECTORY | FOOTER if value < left / SECTOR_BYTES => {
                Ok(Self::Metadata { kind, sectors: value })
            }
            _ => refused(format!("a marker of kind {kind} for {value} sectors")),
        }
    }
}

/// Walks over the stream and compares it with the tables, which allocate that many grains.
pub(super) fn check(disk: &Vmdk, grains: u64) -> Result<(), ReadError> {
    let (file, header) = (&disk.file, &disk.header);
    let mut at = header.data_at;
    let (mut seen, mut tables, mut directories) = (0, BTreeSet::new(), BTreeSet::new());
    let size = file.size();
    if at < SECTOR_BYTES || !size.is_multiple_of(SECTOR_BYTES) {
        return Err(ReadError::refused("VMD-15", 64, format!("data at {at:#x} of {size} bytes")));
    }
    while at < size {
        let refused = |what: &str| Err(ReadError::refused("VMD-16", at, what));
        match Marker::read(file, header, at)? {
            Marker::Grain { sector, bytes } => {
                if !is_entered(disk, sector, at)? {
                    return refused("a grain that no grain table names");
                }
                seen += 1;
                at += (GRAIN_MARKER_BYTES + bytes).next_multiple_of(SECTOR_BYTES);
            }
            Marker::Metadata { kind: FOOTER, .. } if header.footer_at != Some(at) => {
                return refused("a footer that is not at the end");
            }
            Marker::Metadata { kind, sectors } => {
                match kind {
                    TABLE => _ = tables.insert(at + SECTOR_BYTES),
                    DIRECTORY => _ = directories.insert(at + SECTOR_BYTES),
                    _ => {}
                }
                if kind == TABLE && sectors * SECTOR_BYTES != TABLE_BYTES {
                    return refused("a grain table of another size");
                }
                if tables.len() > disk.directory.len() || directories.len() > 1 {
                    return refused("more tables than the grain directory names");
                }
                at += (sectors + 1) * SECTOR_BYTES;
            }
            Marker::End if is_padding(disk, at)? => break,
            Marker::End => return refused("bytes behind the end of the stream"),
        }
    }
    if seen != grains {
        let what = format!("{seen} grains in the stream, {grains} in the grain tables");
        return Err(ReadError::refused("VMD-16", header.data_at, what));
    }
    let marked = |at: u64, bytes: u64, marks: &BTreeSet<u64>| {
        at.saturating_add(bytes) <= header.data_at || marks.contains(&at)
    };
    let tables_at = disk.directory.iter().filter(|sector| **sector != 0);
    let mut tables_at = tables_at.map(|sector| u64::from(*sector) * SECTOR_BYTES);
    let directory_bytes = header.directory_entries() * 4;
    if !marked(header.directory_at, directory_bytes, &directories)
        || tables_at.any(|at| !marked(at, TABLE_BYTES, &tables))
    {
        return Err(ReadError::refused("VMD-16", header.directory_at, "a grain table without a marker"));
    }
    Ok(())
}

/// Whether only the end marker follows. Without a footer, zeros up to the size of a grain may stand
/// behind it: a common program makes room for a whole grain before it writes the last packed one.
fn is_padding(disk: &Vmdk, at: u64) -> Result<bool, ReadError> {
    let left = disk.file.size() - at;
    let padding_max = if disk.header.footer_at.is_some() { 0 } else { disk.header.grain_bytes };
    if left > SECTOR_BYTES + padding_max {
        return Ok(false);
    }
    let rest = read_structure(&disk.file, at, left, "end of the stream")?;
    Ok(rest.iter().all(|byte| *byte == 0))
}

fn is_entered(disk: &Vmdk, sector: u64, at: u64) -> Result<bool, ReadError> {
    let grain_sectors = disk.header.grain_bytes / SECTOR_BYTES;
    if !sector.is_multiple_of(grain_sectors) || sector >= disk.header.capacity_sectors {
        return Err(ReadError::refused("VMD-15", at, format!("a grain for sector {sector}")));
    }
    Ok(disk.grain(sector / grain_sectors)? == Grain::At(at))
}
