//! Metadata: a row of packed blocks of 8 KiB, each behind its length, and the tables in it.

use super::super::bytes::{le16, le32, le64};
use super::Squash;
use crate::ReadError;
use std::collections::HashMap;
use std::rc::Rc;

/// Bytes of a block of metadata, unpacked.
pub(super) const BLOCK_BYTES: usize = 8192;
/// Blocks that are kept unpacked: 2 MiB.
const KEPT: usize = 256;

/// Blocks of metadata by their place, each with the place behind it.
#[derive(Default)]
pub(super) struct Metadata(HashMap<u64, (Rc<[u8]>, u64)>);

/// A place in metadata: a block and a byte in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) block: u64,
    pub(super) offset: usize,
}

impl Squash {
    /// The block of metadata at a place, and where the next one is.
    fn metadata(&self, at: u64) -> Result<(Rc<[u8]>, u64), ReadError> {
        if let Some(found) = self.metadata.borrow().0.get(&at) {
            return Ok(found.clone());
        }
        let word = le16(&self.raw(at, 2, "a block of metadata")?, 0);
        // A length of zero stands for all bits (squashfs_fs.h, SQUASHFS_COMPRESSED_SIZE).
        let length = if word & 0x7fff == 0 { 0x8000 } else { u64::from(word & 0x7fff) };
        let raw = self.raw(at + 2, length, "a block of metadata")?;
        let packed = word & 0x8000 == 0;
        let plain = if packed { self.method.unpack(&raw, BLOCK_BYTES as u64, at)? } else { raw };
        self.source.spend_zeros(plain.len() as u64)?;
        if plain.len() > BLOCK_BYTES || plain.is_empty() {
            let what = format!("a block of metadata of {} bytes", plain.len());
            return Err(ReadError::refused("SQF-02", at, what));
        }
        let found = (Rc::from(plain), at + 2 + length);
        let mut kept = self.metadata.borrow_mut();
        if kept.0.len() >= KEPT {
            kept.0.clear();
        }
        kept.0.insert(at, found.clone());
        Ok(found)
    }

    /// A place by the number of its block's first byte in a table.
    pub(super) fn place(&self, table: u64, block: u64, offset: u16) -> Result<Place, ReadError> {
        match table.checked_add(block).filter(|at| *at < self.used) {
            Some(block) => Ok(Place { block, offset: usize::from(offset) }),
            None => {
                let what = format!("a reference to block {block} of a table at {table}");
                Err(ReadError::refused("SQF-02", table, what))
            }
        }
    }

    /// Reads metadata from a place on, and moves the place behind it.
    pub(super) fn read(&self, place: &mut Place, length: usize) -> Result<Vec<u8>, ReadError> {
        let mut out = Vec::new();
        while out.len() < length {
            let (block, next) = self.metadata(place.block)?;
            let have = block.get(place.offset..).unwrap_or(&[]);
            if have.is_empty() && place.offset != block.len() {
                let what = format!("byte {} is wanted of a block of {}", place.offset, block.len());
                return Err(ReadError::refused("SQF-02", place.block, what));
            }
            let count = have.len().min(length - out.len());
            out.extend_from_slice(&have[..count]);
            place.offset += count;
            if place.offset == block.len() {
                *place = Place { block: next, offset: 0 };
            }
        }
        Ok(out)
    }

    /// An entry of a table of entries of one size, which are found through a list of blocks.
    pub(super) fn entry(&self, list: u64, index: u64, bytes: usize) -> Result<Vec<u8>, ReadError> {
        let per_block = (BLOCK_BYTES / bytes) as u64;
        let at = list + 8 * (index / per_block);
        let block = le64(&self.raw(at, 8, "a list of blocks")?, 0);
        let offset = usize::try_from(index % per_block).unwrap_or(0) * bytes;
        let mut place = Place { offset, ..self.place(0, block, 0)? };
        self.read(&mut place, bytes)
    }

    /// An owner or group by its place in the list of them.
    pub(super) fn owner(&self, index: u16) -> Result<u32, ReadError> {
        if index >= self.ids {
            let what = format!("owner {index} is wanted, there are {}", self.ids);
            return Err(ReadError::refused("SQF-02", self.id_table, what));
        }
        Ok(le32(&self.entry(self.id_table, u64::from(index), 4)?, 0))
    }
}
