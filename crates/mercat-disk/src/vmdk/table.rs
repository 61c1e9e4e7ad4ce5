//! Grain directory and grain tables: each structure and each grain has a place of its own.

use super::{Grain, Header, TABLE_BYTES, TABLE_ENTRIES};
use crate::ReadError;
use crate::fields::{le32, read_structure};
use crate::mapped::Claims;
use crate::{ReadAt, SECTOR_BYTES};

/// What the tables allocate.
pub(super) struct Mapped {
    pub(super) grains: u64,
    pub(super) bytes: u64,
}

/// The sectors of the grain tables.
pub(super) fn read_directory(file: &dyn ReadAt, header: &Header, at: u64) -> Result<Vec<u32>, ReadError> {
    let bytes = read_structure(file, at, header.directory_entries() * 4, "grain directory")?;
    Ok(bytes.as_chunks().0.iter().map(|entry| u32::from_le_bytes(*entry)).collect())
}

/// Looks at every table once.
pub(super) fn check(file: &dyn ReadAt, header: &Header, directory: &[u32]) -> Result<Mapped, ReadError> {
    let redundant = match header.redundant_at {
        Some(at) => read_directory(file, header, at)?,
        None => Vec::new(),
    };
    let places = places(file, header, directory, &redundant)?;
    let mut grains = Grains::new(file, header, &places)?;
    let grain_count = header.virtual_bytes().div_ceil(header.grain_bytes);
    for (index, sector) in directory.iter().enumerate() {
        let copy = redundant.get(index).copied();
        if *sector == 0 {
            same_tables(copy.unwrap_or(0) == 0, header)?;
            continue;
        }
        let at = u64::from(*sector) * SECTOR_BYTES;
        let table = read_structure(file, at, TABLE_BYTES, "grain table")?;
        if let Some(copy) = copy {
            let copy = u64::from(copy) * SECTOR_BYTES;
            same_tables(
                copy != 0 && read_structure(file, copy, TABLE_BYTES, "grain table")? == table,
                header,
            )?;
        }
        for slot in 0..TABLE_ENTRIES {
            let entry = le32(&table, slot as usize * 4);
            let grain = index as u64 * TABLE_ENTRIES + slot;
            if entry != 0 && grain >= grain_count {
                return Err(ReadError::refused(
                    "VMD-13",
                    at + slot * 4,
                    "a grain behind the end of the disk",
                ));
            }
            if let Grain::At(host) = header.grain(entry) {
                let left = header.virtual_bytes() - grain * header.grain_bytes;
                grains.add(file, host, left, at + slot * 4)?;
            }
        }
    }
    Ok(grains.mapped)
}

fn same_tables(same: bool, header: &Header) -> Result<(), ReadError> {
    let at = header.redundant_at.unwrap_or(0);
    if same { Ok(()) } else { Err(ReadError::refused("VMD-18", at, "the second grain tables differ")) }
}

/// Start and length of every structure, in sectors and in order; none overlaps another.
fn places(
    file: &dyn ReadAt,
    header: &Header,
    directory: &[u32],
    redundant: &[u32],
) -> Result<Vec<(u64, u64)>, ReadError> {
    let sectors = |bytes: u64| bytes.div_ceil(SECTOR_BYTES);
    let directory_sectors = sectors(header.directory_entries() * 4);
    let mut places = vec![
        (0, 1),
        (sectors(header.descriptor_at), sectors(header.descriptor_bytes)),
        (sectors(header.directory_at), directory_sectors),
    ];
    places.extend(header.redundant_at.map(|at| (sectors(at), directory_sectors)));
    places.extend(header.footer_at.map(|at| (sectors(at), 3)));
    let tables = directory.iter().chain(redundant).filter(|sector| **sector != 0);
    places.extend(tables.map(|sector| (u64::from(*sector), sectors(TABLE_BYTES))));
    places.sort_unstable();
    for pair in places.windows(2) {
        let [(first, length), (second, _)] = *pair else { continue };
        if first + length > second {
            return Err(ReadError::refused("VMD-14", second * SECTOR_BYTES, "two structures in one place"));
        }
    }
    match places.last() {
        Some((start, length)) if (start + length) * SECTOR_BYTES > file.size() => {
            Err(ReadError::refused("VMD-12", start * SECTOR_BYTES, "a structure behind the end of the file"))
        }
        _ => Ok(places),
    }
}

/// The places of grains. Grains that are not packed lie on one raster, so one bit for each is enough.
struct Grains<'a> {
    header: &'a Header,
    raster: Option<(u64, Claims)>,
    places: &'a [(u64, u64)],
    mapped: Mapped,
}

impl<'a> Grains<'a> {
    fn new(file: &dyn ReadAt, header: &'a Header, places: &'a [(u64, u64)]) -> Result<Self, ReadError> {
        // Sector numbers have 32 bits.
        if file.size() > u64::from(u32::MAX) * SECTOR_BYTES + header.grain_bytes {
            return Err(ReadError::refused("VMD-04", 0, "a file larger than its sector numbers reach"));
        }
        Ok(Self { header, raster: None, places, mapped: Mapped { grains: 0, bytes: 0 } })
    }

    fn add(&mut self, file: &dyn ReadAt, host: u64, left: u64, entry_at: u64) -> Result<(), ReadError> {
        let bytes = left.min(self.header.grain_bytes);
        self.mapped.grains += 1;
        self.mapped.bytes += bytes;
        let needed = if self.header.packed { SECTOR_BYTES } else { bytes };
        if host + needed > file.size() {
            return Err(ReadError::refused("VMD-13", entry_at, "a grain behind the end of the file"));
        }
        if self.header.packed {
            // Where packed grains are is checked against the markers.
            return Ok(());
        }
        if !self.claim(file, host) {
            return Err(ReadError::refused("VMD-14", host, "a grain in a place that is in use"));
        }
        Ok(())
    }

    fn claim(&mut self, file: &dyn ReadAt, host: u64) -> bool {
        let size = self.header.grain_bytes;
        if self.raster.is_none() {
            let shift = host % size;
            let Some(mut claims) = Claims::new(file.size(), size) else { return false };
            for (start, length) in self.places {
                let (start, end) = (start * SECTOR_BYTES, (start + length) * SECTOR_BYTES);
                // What lies before the raster begins cannot meet a grain.
                let from = start.saturating_sub(shift);
                claims.claim(from, end.saturating_sub(shift) - from);
            }
            self.raster = Some((shift, claims));
        }
        let Some((shift, claims)) = &mut self.raster else { return false };
        host % size == *shift && claims.claim(host - *shift, size)
    }
}
