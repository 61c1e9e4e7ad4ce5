//! Dynamic VHD: header, block allocation table, and a bitmap of sectors in front of each block.

use super::{VhdFooter, checksum};
use crate::ReadError;
use crate::fields::{be32, be64, read_structure};
use crate::mapped::{Map, Mapped, Place, Run};
use crate::{ReadAt, SECTOR_BYTES};
use std::sync::Arc;

const HEADER_BYTES: u64 = 1024;
const COOKIE: &[u8] = b"cxsparse";
const CHECKSUM_AT: usize = 36;
const UNUSED: u32 = u32::MAX;
const BLOCK_BYTES_MIN: u64 = 512 << 10;
const BLOCK_BYTES_MAX: u64 = 256 << 20;
/// Sector numbers have 32 bits, so a file never has more blocks of the smallest size than this.
const ENTRIES_MAX: u64 = 1 << 22;

pub(super) struct Dynamic {
    file: Arc<dyn ReadAt>,
    size: u64,
    block_bytes: u64,
    bitmap_bytes: u64,
    /// Sector of each block's bitmap.
    table: Vec<u32>,
    /// Blocks with sectors that their bitmap does not call used, one bit each.
    partial: Vec<u64>,
}

/// The disk and its allocated bytes.
pub(super) fn open(
    file: Arc<dyn ReadAt>,
    footer: &VhdFooter,
    footer_bytes: &[u8],
) -> Result<(Mapped<Dynamic>, u64), ReadError> {
    let data_end = file.size().saturating_sub(SECTOR_BYTES);
    if read_structure(&file, 0, SECTOR_BYTES, "copy of the VHD footer")? != footer_bytes {
        return Err(ReadError::refused("VHD-26", 0, "the copy of the footer differs from the footer"));
    }
    let header = Header::read(&file, footer)?;
    let table = header.read_table(&file, footer.current_bytes, data_end)?;
    let bitmap_bytes = (header.block_bytes / SECTOR_BYTES).div_ceil(8).next_multiple_of(SECTOR_BYTES);
    let mut dynamic = Dynamic {
        file: Arc::clone(&file),
        size: footer.current_bytes,
        block_bytes: header.block_bytes,
        bitmap_bytes,
        partial: vec![0; table.len().div_ceil(64)],
        table,
    };
    dynamic.check_places(&header, footer.data_offset, data_end)?;
    let mapped_bytes = dynamic.check_bitmaps()?;
    Ok((Mapped { file, size: footer.current_bytes, map: dynamic }, mapped_bytes))
}

struct Header {
    table_at: u64,
    entries: u64,
    block_bytes: u64,
}

impl Header {
    fn read(file: &dyn ReadAt, footer: &VhdFooter) -> Result<Self, ReadError> {
        let at = footer.data_offset;
        let bytes = read_structure(file, at, HEADER_BYTES, "dynamic disk header")?;
        let refused = |code, field: u64, what: String| {
            Err(ReadError::refused(code, at.saturating_add(field), format!("dynamic disk header: {what}")))
        };
        if !bytes.starts_with(COOKIE) || be32(&bytes, 24) != 0x0001_0000 || !at.is_multiple_of(SECTOR_BYTES) {
            return refused("VHD-27", 0, "no header of version 1.0 at a sector".to_owned());
        }
        let (stored, computed) = (be32(&bytes, CHECKSUM_AT), checksum(&bytes, CHECKSUM_AT));
        if stored != computed {
            return refused("VHD-28", 36, format!("checksum {stored:#010x}, computed {computed:#010x}"));
        }
        if bytes[40..60].iter().chain(&bytes[64..768]).any(|byte| *byte != 0) {
            return refused("VHD-21", 40, "a parent or a parent locator".to_owned());
        }
        let block_bytes = u64::from(be32(&bytes, 32));
        if !block_bytes.is_power_of_two() || !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&block_bytes) {
            return refused("VHD-29", 32, format!("blocks of {block_bytes} bytes"));
        }
        let entries = u64::from(be32(&bytes, 28));
        if entries < footer.current_bytes.div_ceil(block_bytes) || entries > ENTRIES_MAX {
            return refused("VHD-30", 28, format!("{entries} blocks of {block_bytes} bytes"));
        }
        Ok(Self { table_at: be64(&bytes, 16), entries, block_bytes })
    }

    fn table_bytes(&self) -> u64 {
        (self.entries * 4).next_multiple_of(SECTOR_BYTES)
    }

    fn read_table(&self, file: &dyn ReadAt, size: u64, data_end: u64) -> Result<Vec<u32>, ReadError> {
        let at = self.table_at;
        if !at.is_multiple_of(SECTOR_BYTES)
            || at.checked_add(self.table_bytes()).is_none_or(|end| end > data_end)
        {
            let what = format!("a block table of {} entries outside the data area", self.entries);
            return Err(ReadError::refused("VHD-32", at, what));
        }
        let bytes = read_structure(file, at, self.entries * 4, "block table")?;
        let mut table: Vec<u32> =
            bytes.as_chunks().0.iter().map(|entry| u32::from_be_bytes(*entry)).collect();
        let needed = usize::try_from(size.div_ceil(self.block_bytes)).unwrap_or(table.len());
        if let Some(extra) = table.iter().skip(needed).position(|entry| *entry != UNUSED) {
            let what = format!("block {} behind the end of the disk is allocated", needed + extra);
            return Err(ReadError::refused("VHD-33", at, what));
        }
        table.truncate(needed);
        Ok(table)
    }
}

impl Dynamic {
    /// Every structure and block has a place of its own before the footer.
    fn check_places(&self, header: &Header, header_at: u64, data_end: u64) -> Result<(), ReadError> {
        let sectors = |bytes: u64| bytes / SECTOR_BYTES;
        let block_sectors = sectors(self.bitmap_bytes + self.block_bytes);
        let mut places: Vec<(u64, u64)> = vec![
            (0, 1),
            (sectors(header_at), sectors(HEADER_BYTES)),
            (sectors(header.table_at), sectors(header.table_bytes())),
        ];
        let blocks = self.table.iter().filter(|entry| **entry != UNUSED);
        places.extend(blocks.map(|entry| (u64::from(*entry), block_sectors)));
        places.sort_unstable();
        for pair in places.windows(2) {
            let [(first, length), (second, _)] = *pair else { continue };
            if first + length > second {
                let at = second * SECTOR_BYTES;
                return Err(ReadError::refused("VHD-31", at, "two structures or blocks in one place"));
            }
        }
        match places.last() {
            Some((start, length)) if start + length > sectors(data_end) => {
                let what = "a block reaches behind the data area".to_owned();
                Err(ReadError::refused("VHD-32", start * SECTOR_BYTES, what))
            }
            _ => Ok(()),
        }
    }

    /// Notes the blocks whose bitmap has gaps; gives the allocated bytes of the disk.
    fn check_bitmaps(&mut self) -> Result<u64, ReadError> {
        let mut mapped_bytes = 0;
        for index in 0..self.table.len() {
            if self.table[index] == UNUSED {
                continue;
            }
            let start = index as u64 * self.block_bytes;
            let bytes = self.block_bytes.min(self.size - start);
            mapped_bytes += bytes;
            let bitmap = self.bitmap(index)?;
            if (0..bytes / SECTOR_BYTES).any(|sector| !is_used(&bitmap, sector)) {
                self.partial[index / 64] |= 1 << (index % 64);
            }
        }
        Ok(mapped_bytes)
    }

    fn bitmap(&self, index: usize) -> Result<Vec<u8>, ReadError> {
        let at = u64::from(self.table[index]) * SECTOR_BYTES;
        read_structure(&self.file, at, self.bitmap_bytes, "sector bitmap of a block")
    }

    fn host(&self, index: usize) -> u64 {
        u64::from(self.table[index]) * SECTOR_BYTES + self.bitmap_bytes
    }

    fn block(&self, offset: u64) -> (usize, u64) {
        let index = usize::try_from(offset / self.block_bytes).unwrap_or(usize::MAX);
        (index.min(self.table.len().saturating_sub(1)), offset % self.block_bytes)
    }
}

/// The highest bit of the first byte is the first sector.
fn is_used(bitmap: &[u8], sector: u64) -> bool {
    let byte = usize::try_from(sector / 8).ok().and_then(|at| bitmap.get(at));
    byte.is_some_and(|byte| byte & (0x80 >> (sector % 8)) != 0)
}

impl Map for Dynamic {
    fn run(&self, offset: u64, wanted: u64) -> Result<Run, ReadError> {
        let (index, within) = self.block(offset);
        let left = self.block_bytes - within;
        if self.table[index] == UNUSED {
            let wanted_blocks = usize::try_from(wanted / self.block_bytes).unwrap_or(usize::MAX);
            let next = self.table[index + 1..].iter().take(wanted_blocks.saturating_add(1));
            let unused = next.take_while(|entry| **entry == UNUSED).count() as u64;
            return Ok(Run { place: Place::Zero, bytes: wanted.min(left + unused * self.block_bytes) });
        }
        let partial = self.partial[index / 64] & (1 << (index % 64)) != 0;
        let place = if partial { Place::Own } else { Place::At(self.host(index) + within) };
        Ok(Run { place, bytes: wanted.min(left) })
    }

    /// Some programs read a sector that the bitmap calls unused as zeros, others as what is there.
    fn read_own(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let (index, within) = self.block(offset);
        let bitmap = self.bitmap(index)?;
        let host = self.host(index) + within;
        self.file.read_at(host, buffer)?;
        let mut at = 0;
        while at < buffer.len() {
            let place = within + at as u64;
            let left = usize::try_from(SECTOR_BYTES - place % SECTOR_BYTES).unwrap_or(1);
            let end = buffer.len().min(at + left);
            if !is_used(&bitmap, place / SECTOR_BYTES) && buffer[at..end].iter().any(|byte| *byte != 0) {
                let what = "a sector that its bitmap calls unused holds data";
                return Err(ReadError::refused("VHD-34", host + at as u64, what));
            }
            at = end;
        }
        Ok(())
    }
}
