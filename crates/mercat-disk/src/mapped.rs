//! Reading through a map: what every format with allocation tables has in common.

use super::{ReadAt, past_the_end};
use crate::ReadError;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Ranges of data are reported in parts of about this size, so that no single question walks all tables.
const DATA_RANGE_BYTES: u64 = 1 << 30;

/// Where a run of the disk's bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: it reads as zeros.
    Zero,
    /// In the file, from this offset on.
    At(u64),
    /// In one unit (cluster, block, grain) that the format reads in its own way.
    Own,
}

/// Consecutive bytes of the disk that are in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) place: Place,
    pub(super) bytes: u64,
}

/// The allocation tables of a format.
pub(super) trait Map: Send + Sync {
    /// The run that begins at an offset of the disk: at least one byte, and `wanted` bytes at most.
    /// Both end within the disk.
    fn run(&self, offset: u64, wanted: u64) -> Result<Run, ReadError>;

    /// Fills a buffer that lies in one run of [`Place::Own`].
    fn read_own(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError>;
}

/// A disk behind a map.
pub(super) struct Mapped<M> {
    pub(super) file: Arc<dyn ReadAt>,
    pub(super) size: u64,
    pub(super) map: M,
}

impl<M: Map> ReadAt for Mapped<M> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), ReadError> {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.size) {
            return Err(past_the_end(offset, buffer.len()));
        }
        while !buffer.is_empty() {
            let run = self.map.run(offset, buffer.len() as u64)?;
            let length = usize::try_from(run.bytes).map_or(buffer.len(), |bytes| bytes.min(buffer.len()));
            let (piece, rest) = buffer.split_at_mut(length);
            match run.place {
                Place::Zero => piece.fill(0),
                Place::At(host) => self.file.read_at(host, piece)?,
                Place::Own => self.map.read_own(offset, piece)?,
            }
            offset += run.bytes;
            buffer = rest;
        }
        Ok(())
    }

    /// Units that are allocated, less the holes of the file under them.
    fn next_data(&self, mut offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        let mut start = None;
        let mut known = 0..0;
        while offset < self.size {
            let run = self.map.run(offset, self.size - offset)?;
            let (hole, bytes) = match run.place {
                Place::Zero => (true, run.bytes),
                Place::Own => (false, run.bytes),
                Place::At(host) => self.data_or_hole(host, run.bytes, &mut known)?,
            };
            match start {
                Some(start) if hole || offset - start >= DATA_RANGE_BYTES => return Ok(Some(start..offset)),
                None if !hole => start = Some(offset),
                _ => {}
            }
            offset += bytes;
        }
        Ok(start.map(|start| start..self.size))
    }
}

impl<M> Mapped<M> {
    /// Whether the file has a hole at an offset, and how many of so many bytes are alike. `known` is
    /// the range of data that was found last.
    fn data_or_hole(&self, host: u64, bytes: u64, known: &mut Range<u64>) -> Result<(bool, u64), ReadError> {
        let end = host.saturating_add(bytes);
        if !known.contains(&host) {
            *known = self.file.next_data(host)?.unwrap_or(end..end);
        }
        let hole = known.start > host;
        let alike = if hole { known.start.min(end) } else { known.end.min(end) };
        Ok((hole, alike.saturating_sub(host).max(1)))
    }
}

struct Slot {
    key: u64,
    used: u64,
    bytes: Arc<[u8]>,
}

#[derive(Default)]
struct Slots {
    clock: u64,
    slots: Vec<Slot>,
}

/// The blocks of bytes that were used last: tables, or unpacked clusters.
pub(super) struct Cache {
    capacity: usize,
    slots: Mutex<Slots>,
}

impl Cache {
    /// Holds as many blocks as fit in 4 MiB, between 4 and 64.
    pub(super) fn for_blocks_of(bytes: u64) -> Self {
        let fit = (4 << 20) / bytes.max(1);
        Self { capacity: usize::try_from(fit).unwrap_or(64).clamp(4, 64), slots: Mutex::default() }
    }

    /// The block of that key, made when it is not there. Two threads may make it at once.
    pub(super) fn get(
        &self,
        key: u64,
        make: impl FnOnce() -> Result<Arc<[u8]>, ReadError>,
    ) -> Result<Arc<[u8]>, ReadError> {
        if let Some(bytes) = self.find(key) {
            return Ok(bytes);
        }
        let bytes = make()?;
        let mut held = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let slot = Slot { key, used: held.clock, bytes: Arc::clone(&bytes) };
        if held.slots.len() < self.capacity {
            held.slots.push(slot);
        } else if let Some(oldest) = held.slots.iter_mut().min_by_key(|slot| slot.used) {
            *oldest = slot;
        }
        Ok(bytes)
    }

    fn find(&self, key: u64) -> Option<Arc<[u8]>> {
        let mut held = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let clock = held.clock;
        let slot = held.slots.iter_mut().find(|slot| slot.key == key)?;
        slot.used = clock;
        Some(Arc::clone(&slot.bytes))
    }
}

/// The parts of a file that are spoken for, in units of one size; one bit per unit.
pub(super) struct Claims {
    unit_bytes: u64,
    bits: Vec<u64>,
}

/// Bits that one check for overlaps may take: 32 MiB of memory.
const CLAIM_UNITS_MAX: u64 = 1 << 28;

impl Claims {
    /// Nothing is claimed; `None` when the file has more units than can be watched.
    pub(super) fn new(file_bytes: u64, unit_bytes: u64) -> Option<Self> {
        let units = file_bytes.div_ceil(unit_bytes);
        let words = usize::try_from(units.div_ceil(64)).ok()?;
        (units <= CLAIM_UNITS_MAX).then(|| Self { unit_bytes, bits: vec![0; words] })
    }

    fn units(&self, start: u64, bytes: u64) -> Range<u64> {
        start / self.unit_bytes..start.saturating_add(bytes).div_ceil(self.unit_bytes)
    }

    /// Claims the units under a range; `false` when one of them was claimed or is behind the file's end.
    pub(super) fn claim(&mut self, start: u64, bytes: u64) -> bool {
        let mut free = true;
        for unit in self.units(start, bytes) {
            let Some(word) = self.word(unit) else { return false };
            free &= *word & (1 << (unit % 64)) == 0;
            *word |= 1 << (unit % 64);
        }
        free
    }

    /// Whether a unit under a range is claimed.
    pub(super) fn touches(&mut self, start: u64, bytes: u64) -> bool {
        self.units(start, bytes)
            .any(|unit| self.word(unit).is_some_and(|word| *word & (1 << (unit % 64)) != 0))
    }

    fn word(&mut self, unit: u64) -> Option<&mut u64> {
        self.bits.get_mut(usize::try_from(unit / 64).ok()?)
    }
}
