//! VMDK ("Virtual Disk Format 5.0"): one file that holds its descriptor and its data, either
//! `monolithicSparse` or `streamOptimized`. Everything else names other files.

mod descriptor;
mod header;
mod stream;
mod table;

use super::mapped::{Cache, Map, Mapped, Place, Run};
use super::unpack::{Packing, Unpacker};
use super::{Format, ReadAt, SECTOR_BYTES, fields, past_the_end};
use crate::ReadError;
use header::Header;
use std::sync::Arc;

/// Entries of a grain table; the specification allows no other number.
const TABLE_ENTRIES: u64 = 512;
const TABLE_BYTES: u64 = TABLE_ENTRIES * 4;
/// Entries of a grain directory that are read: 32 TiB of disk at the usual grain size.
const DIRECTORY_ENTRIES_MAX: u64 = 1 << 20;
/// Sector number, size of the packed bytes.
const GRAIN_MARKER_BYTES: u64 = 12;

pub(super) struct Vmdk {
    file: Arc<dyn ReadAt>,
    header: Header,
    /// Sector of each grain table; 0 where there is none.
    directory: Vec<u32>,
    tables: Cache,
    unpacked: Cache,
    unpacker: Unpacker,
}

/// The variant, the disk, and its allocated bytes.
pub(super) fn open(file: Arc<dyn ReadAt>) -> Result<(Format, Mapped<Vmdk>, u64), ReadError> {
    let header = Header::read(&file)?;
    descriptor::check(&file, &header)?;
    let directory = table::read_directory(&file, &header, header.directory_at)?;
    let mut map = Vmdk {
        file: Arc::clone(&file),
        tables: Cache::for_blocks_of(TABLE_BYTES),
        unpacked: Cache::for_blocks_of(header.grain_bytes),
        unpacker: Unpacker::new(Packing::Zlib),
        directory: Vec::new(),
        header,
    };
    let mapped_bytes = table::check(&file, &map.header, &directory)?;
    map.directory = directory;
    if map.header.packed {
        stream::check(&map, mapped_bytes.grains)?;
    }
    let format = if map.header.packed { Format::VmdkStream } else { Format::VmdkSparse };
    Ok((format, Mapped { file, size: map.header.virtual_bytes(), map }, mapped_bytes.bytes))
}

/// What a grain table says of a grain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grain {
    Zero,
    /// Offset in the file.
    At(u64),
}

impl Vmdk {
    fn grain(&self, grain: u64) -> Result<Grain, ReadError> {
        Ok(self.table(grain)?.map_or(Grain::Zero, |table| self.entry(&table, grain)))
    }

    /// The table with the entry of a grain.
    fn table(&self, grain: u64) -> Result<Option<Arc<[u8]>>, ReadError> {
        let sector = usize::try_from(grain / TABLE_ENTRIES).ok().and_then(|at| self.directory.get(at));
        let at = u64::from(sector.copied().unwrap_or(0)) * SECTOR_BYTES;
        if at == 0 {
            return Ok(None);
        }
        let load = || Ok(fields::read_structure(&self.file, at, TABLE_BYTES, "grain table")?.into());
        self.tables.get(at, load).map(Some)
    }

    fn entry(&self, table: &[u8], grain: u64) -> Grain {
        let slot = usize::try_from(grain % TABLE_ENTRIES).unwrap_or(0);
        self.header.grain(fields::le32(table, slot * 4))
    }

    /// Grains from one on that have no table, not many more than are wanted.
    fn without_table(&self, grain: u64, wanted: u64) -> u64 {
        let table = usize::try_from(grain / TABLE_ENTRIES).unwrap_or(usize::MAX);
        let wanted_tables = usize::try_from(wanted / TABLE_ENTRIES).unwrap_or(usize::MAX);
        let next = self.directory.iter().skip(table).take(wanted_tables.saturating_add(2));
        let empty = next.take_while(|table| **table == 0).count() as u64;
        (empty * TABLE_ENTRIES).saturating_sub(grain % TABLE_ENTRIES)
    }

    fn unpack(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let Grain::At(at) = self.grain(offset / self.header.grain_bytes)? else {
            return Err(ReadError::refused("VMD-16", offset, "the grain table changed while it was read"));
        };
        let marker = stream::Marker::read(&self.file, &self.header, at)?;
        let stream::Marker::Grain { sector, bytes } = marker else {
            return Err(ReadError::refused("VMD-16", at, "no grain where the grain table says"));
        };
        if sector != offset / SECTOR_BYTES {
            return Err(ReadError::refused("VMD-16", at, format!("a grain for sector {sector}")));
        }
        let length = usize::try_from(bytes).unwrap_or(0);
        let fill = |packed: &mut [u8]| self.file.read_at(at + GRAIN_MARKER_BYTES, packed);
        // The last grain may be packed without what is behind the end of the disk.
        let needed = (self.header.virtual_bytes() - offset).min(buffer.len() as u64);
        match self.unpacker.unpack(length, fill, buffer)? {
            Some(out) if out.read == length && out.written as u64 >= needed => Ok(()),
            _ => Err(ReadError::refused("VMD-17", at, "a packed grain that does not unpack to one grain")),
        }
    }
}

impl Map for Vmdk {
    fn run(&self, offset: u64, wanted: u64) -> Result<Run, ReadError> {
        let size = self.header.grain_bytes;
        let (first, within) = (offset / size, offset % size);
        let Some(table) = self.table(first)? else {
            let without = self.without_table(first, wanted / size).saturating_mul(size);
            return Ok(Run { place: Place::Zero, bytes: wanted.min(without.saturating_sub(within).max(1)) });
        };
        let grain = self.entry(&table, first);
        let mut bytes = size - within;
        let place = match grain {
            Grain::Zero => Place::Zero,
            Grain::At(_) if self.header.packed => Place::Own,
            Grain::At(at) => Place::At(at + within),
        };
        let mut next = first + 1;
        while bytes < wanted && place != Place::Own && !next.is_multiple_of(TABLE_ENTRIES) {
            let goes_on = match grain {
                Grain::Zero => Grain::Zero,
                Grain::At(at) => Grain::At(at.saturating_add(bytes + within)),
            };
            if self.entry(&table, next) != goes_on {
                break;
            }
            bytes += size;
            next += 1;
        }
        Ok(Run { place, bytes: bytes.min(wanted) })
    }

    fn read_own(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let size = self.header.grain_bytes;
        if buffer.len() as u64 == size {
            return self.unpack(offset, buffer);
        }
        let start = offset - offset % size;
        let whole = self.unpacked.get(start, || {
            let mut whole = vec![0; usize::try_from(size).unwrap_or(0)];
            self.unpack(start, &mut whole)?;
            Ok(whole.into())
        })?;
        let within = usize::try_from(offset % size).unwrap_or(0);
        match whole.get(within..within + buffer.len()) {
            Some(part) => buffer.copy_from_slice(part),
            None => return Err(past_the_end(offset, buffer.len())),
        }
        Ok(())
    }
}
