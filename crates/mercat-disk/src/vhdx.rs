//! VHDX ([MS-VHDX], version 1): files that were closed properly and have no parent.

pub(super) mod format;
mod metadata;
mod regions;

use super::fields::{le64, read_structure};
use super::mapped::{Cache, Claims, Map, Mapped, Place, Run};
use super::{ReadAt, past_the_end};
use crate::ReadError;
use format::{MIB, STATE_NOT_PRESENT, STATE_PRESENT, STATE_UNMAPPED, STATE_ZERO};
use metadata::Metadata;
use regions::Regions;
use std::sync::Arc;

/// The block allocation table is read in pages of this size.
const PAGE_BYTES: u64 = 64 << 10;

pub(super) struct Vhdx {
    file: Arc<dyn ReadAt>,
    size: u64,
    block_bytes: u64,
    /// Payload entries before each sector bitmap entry.
    chunk_blocks: u64,
    table_at: u64,
    table_bytes: u64,
    pages: Cache,
}

/// A VHDX file: its disk, the bytes that are allocated, and the size of its logical sectors.
pub(super) struct Opened {
    pub(super) disk: Mapped<Vhdx>,
    pub(super) mapped_bytes: u64,
    pub(super) sector_bytes: u32,
}

pub(super) fn open(file: Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
    let mut claims = Claims::new(file.size(), MIB)
        .ok_or_else(|| ReadError::refused("DSK-06", 0, "a file with too many blocks"))?;
    let regions = Regions::read(&file, &mut claims)?;
    let metadata = Metadata::read(&file, regions.metadata.clone())?;
    let chunk_blocks = (u64::from(metadata.sector_bytes) << 23) / metadata.block_bytes;
    let map = Vhdx {
        file: Arc::clone(&file),
        size: metadata.virtual_bytes,
        block_bytes: metadata.block_bytes,
        chunk_blocks,
        table_at: regions.table.start,
        table_bytes: regions.table.end - regions.table.start,
        pages: Cache::for_blocks_of(PAGE_BYTES),
    };
    let mapped_bytes = map.check_blocks(&mut claims)?;
    let sector_bytes = metadata.sector_bytes;
    Ok(Opened { disk: Mapped { file, size: map.size, map }, mapped_bytes, sector_bytes })
}

impl Vhdx {
    fn blocks(&self) -> u64 {
        self.size.div_ceil(self.block_bytes)
    }

    /// Entries of the table: one per block, and one per sector bitmap between chunks of them.
    fn entries(&self) -> u64 {
        self.blocks() + (self.blocks() - 1) / self.chunk_blocks
    }

    fn entry(&self, index: u64) -> Result<u64, ReadError> {
        let (page, within) = (index * 8 / PAGE_BYTES * PAGE_BYTES, index * 8 % PAGE_BYTES);
        let at = self.table_at + page;
        let bytes = PAGE_BYTES.min(self.table_bytes - page);
        let page = self.pages.get(at, || Ok(read_structure(&self.file, at, bytes, "block table")?.into()))?;
        Ok(le64(&page, usize::try_from(within).unwrap_or(0)))
    }

    /// Offset of a block in the file; `None` when it reads as zeros.
    fn block(&self, block: u64) -> Result<Option<u64>, ReadError> {
        let index = block + block / self.chunk_blocks;
        let raw = self.entry(index)?;
        let refused = |what: &str| {
            let what = format!("block {block}: {what} ({raw:#018x})");
            Err(ReadError::refused("VHX-13", self.table_at + index * 8, what))
        };
        if format::reserved(raw) != 0 {
            return refused("reserved bits are set");
        }
        match format::state(raw) {
            // A block that was trimmed: its old place is not part of the disk any more.
            STATE_NOT_PRESENT | STATE_ZERO | STATE_UNMAPPED => Ok(None),
            STATE_PRESENT => Ok(Some(format::offset(raw))),
            _ => refused("a state without defined content"),
        }
    }

    /// Looks at every entry once; gives the allocated bytes of the disk.
    fn check_blocks(&self, claims: &mut Claims) -> Result<u64, ReadError> {
        if self.entries() > self.table_bytes / 8 {
            let what = format!("{} bytes for {} entries", self.table_bytes, self.entries());
            return Err(ReadError::refused("VHX-12", self.table_at, what));
        }
        let mut mapped_bytes = 0;
        for block in 0..self.blocks() {
            if let Some(at) = self.block(block)? {
                self.claim(claims, at, self.block_bytes)?;
                mapped_bytes += self.block_bytes.min(self.size - block * self.block_bytes);
            }
        }
        for chunk in 0..(self.blocks() - 1) / self.chunk_blocks {
            let index = (chunk + 1) * (self.chunk_blocks + 1) - 1;
            let raw = self.entry(index)?;
            match format::state(raw) {
                STATE_NOT_PRESENT => {}
                STATE_PRESENT => self.claim(claims, format::offset(raw), MIB)?,
                state => {
                    let what = format!("a sector bitmap in state {state}");
                    return Err(ReadError::refused("VHX-13", self.table_at + index * 8, what));
                }
            }
        }
        Ok(mapped_bytes)
    }

    fn claim(&self, claims: &mut Claims, at: u64, bytes: u64) -> Result<(), ReadError> {
        if at.checked_add(bytes).is_none_or(|end| end > self.file.size()) {
            return Err(ReadError::refused("VHX-14", at, format!("a block of {bytes} bytes")));
        }
        match claims.claim(at, bytes) {
            true => Ok(()),
            false => Err(ReadError::refused("VHX-15", at, "a block in a place that is in use")),
        }
    }
}

impl Map for Vhdx {
    fn run(&self, offset: u64, wanted: u64) -> Result<Run, ReadError> {
        let within = offset % self.block_bytes;
        let first = offset / self.block_bytes;
        let start = self.block(first)?;
        let mut bytes = self.block_bytes - within;
        let mut next = first + 1;
        while bytes < wanted {
            let goes_on = start.map(|start| start.saturating_add(bytes + within));
            if self.block(next)? != goes_on {
                break;
            }
            bytes += self.block_bytes;
            next += 1;
        }
        let place = start.map_or(Place::Zero, |start| Place::At(start.saturating_add(within)));
        Ok(Run { place, bytes: bytes.min(wanted) })
    }

    fn read_own(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        Err(past_the_end(offset, buffer.len()))
    }
}
