//! Bins and cells: where records of a hive may lie.

use super::{BLOCK, bad};
use crate::ReadError;

/// Bytes of a bin's header.
const BIN_HEADER: usize = 32;

/// The bins of a hive.
#[derive(Debug, Clone)]
pub(super) struct Cells<'h> {
    bytes: &'h [u8],
    /// Ends of the bins, rising.
    ends: Vec<usize>,
}

impl<'h> Cells<'h> {
    /// Checks the chain of bins, which fills the bytes.
    pub(super) fn open(bytes: &'h [u8]) -> Result<Self, ReadError> {
        let mut ends = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let header = bytes.get(at..at + BIN_HEADER).unwrap_or_default();
            let size = le32(header, 8) as usize;
            let end = at.checked_add(size).filter(|end| *end <= bytes.len());
            let whole = size >= BLOCK && size.is_multiple_of(BLOCK);
            match end {
                Some(end) if whole && header.starts_with(b"hbin") && le32(header, 4) as usize == at => {
                    ends.push(end);
                    at = end;
                }
                _ => return Err(bad("HIV-04", (BLOCK + at) as u64, "a broken bin")),
            }
        }
        Ok(Self { bytes, ends })
    }

    /// The content of an allocated cell, and where it lies in the file.
    pub(super) fn get(&self, offset: u32) -> Result<(u64, &'h [u8]), ReadError> {
        let place = (BLOCK as u64).saturating_add(u64::from(offset));
        let start = offset as usize;
        let bin = self.ends.partition_point(|end| *end <= start);
        let end = self.ends.get(bin).copied();
        let first = if bin == 0 { 0 } else { self.ends.get(bin - 1).copied().unwrap_or(0) };
        let size = i32::from_le_bytes(le32(self.bytes.get(start..).unwrap_or_default(), 0).to_le_bytes());
        let length = usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX);
        let fits = end.is_some_and(|end| start.checked_add(length).is_some_and(|stop| stop <= end));
        let sound = size < 0
            && length >= 8
            && length.is_multiple_of(8)
            && start >= first + BIN_HEADER
            && start.is_multiple_of(8);
        match self.bytes.get(start + 4..start.saturating_add(length)) {
            Some(cell) if fits && sound => Ok((place, cell)),
            _ => Err(bad("HIV-05", place, "a cell that is free, broken or outside of its bin")),
        }
    }
}

/// A number of 16 bits; 0 behind the end.
pub(super) fn le16(bytes: &[u8], at: usize) -> u16 {
    let two = bytes.get(at..).and_then(|rest| rest.first_chunk());
    two.map_or(0, |two| u16::from_le_bytes(*two))
}

/// A number of 32 bits; 0 behind the end.
pub(super) fn le32(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk());
    four.map_or(0, |four| u32::from_le_bytes(*four))
}

pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

pub(super) fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}
