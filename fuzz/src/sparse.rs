//! Disks in few bytes: how many sectors there are, then those that hold something.
//!
//! `u32` sectors, then for each that is held `u32` place and 512 bytes; all little-endian.

use mercat_disk::{ReadAt, ReadError, past_the_end};
use std::collections::BTreeMap;
use std::ops::Range;

const SECTOR: usize = 512;
/// Sectors of the largest disk.
const SECTORS_MAX: u32 = 1 << 21;

/// A disk of which most is zeros.
pub struct Sparse {
    size: u64,
    sectors: BTreeMap<u64, [u8; SECTOR]>,
}

impl Sparse {
    /// Reads the form above. What is cut is zeros.
    pub fn read(data: &[u8]) -> Option<Self> {
        let (count, mut rest) = data.split_first_chunk::<4>()?;
        let count = u64::from(u32::from_le_bytes(*count).min(SECTORS_MAX));
        let mut sectors = BTreeMap::new();
        while let Some((place, bytes)) = rest.split_first_chunk::<4>() {
            let mut sector = [0; SECTOR];
            let length = bytes.len().min(SECTOR);
            sector[..length].copy_from_slice(&bytes[..length]);
            rest = &bytes[length..];
            let place = u64::from(u32::from_le_bytes(*place));
            if place < count {
                sectors.insert(place, sector);
            }
        }
        Some(Self { size: count * SECTOR as u64, sectors })
    }

    /// Writes the form above.
    pub fn write(disk: &[u8]) -> Vec<u8> {
        let mut out = ((disk.len() / SECTOR) as u32).to_le_bytes().to_vec();
        for (place, sector) in disk.chunks_exact(SECTOR).enumerate() {
            if sector.iter().any(|byte| *byte != 0) {
                out.extend((place as u32).to_le_bytes());
                out.extend(sector);
            }
        }
        out
    }

    /// Bytes from a place, as many as are asked for; zeros behind the end.
    pub fn get(&self, at: u64, count: usize) -> Vec<u8> {
        let mut out = vec![0; count];
        let left = self.size.saturating_sub(at).min(count as u64) as usize;
        let _ = self.read_at(at, &mut out[..left]);
        out
    }

    /// Writes bytes at a place; what is behind the end is left out.
    pub fn put(&mut self, at: u64, bytes: &[u8]) {
        for (at, byte) in (at..self.size).zip(bytes) {
            let sector = self.sectors.entry(at / SECTOR as u64).or_insert([0; SECTOR]);
            sector[(at % SECTOR as u64) as usize] = *byte;
        }
    }
}

impl ReadAt for Sparse {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.size);
        let end = end.ok_or_else(|| past_the_end(offset, buffer.len()))?;
        buffer.fill(0);
        let sector = SECTOR as u64;
        for (place, bytes) in self.sectors.range(offset / sector..end.div_ceil(sector)) {
            let start = place * sector;
            let (from, to) = (start.max(offset), (start + sector).min(end));
            buffer[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&bytes[(from - start) as usize..(to - start) as usize]);
        }
        Ok(())
    }

    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        let sector = SECTOR as u64;
        let next = self.sectors.range(offset / sector..).next();
        Ok(next.map(|(place, _)| (place * sector).max(offset)..(place + 1) * sector))
    }
}
