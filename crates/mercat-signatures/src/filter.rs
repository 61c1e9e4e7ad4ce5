//! A sampled filter: of every eight bytes, four are looked at.
//!
//! Each signature has a run of eleven fixed bytes. Wherever that run stands, one of its first eight places is a
//! multiple of eight, and the four bytes from there are one of eight that are known beforehand. All eight of every
//! signature are in one bitmap; a hit in it is looked up exactly, and then verified.

use crate::{u32_at, u64_at};

/// Bytes between two probes.
pub(crate) const STRIDE: usize = 8;
/// Bytes of a probe.
pub(crate) const PROBE_BYTES: usize = 4;
/// Bits of the bitmap for each probe value, so that few foreign values hit it.
const BITS_OF_KEY: usize = 16;
const BITS_LOG_MIN: u32 = 16;
const BITS_LOG_MAX: u32 = 28;

/// One probe value of one signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: u32,
    /// Number of the signature, and in the lowest three bits how far into its run the probe stands.
    pub(crate) owner: u32,
}

fn hash(key: u32) -> u32 {
    key.wrapping_mul(0x9e37_79b1)
}

/// Writes the bitmap, the buckets and the entries.
pub(crate) fn write(entries: &mut [Entry], out: &mut Vec<u8>) {
    let wanted = (entries.len() * BITS_OF_KEY).next_power_of_two().trailing_zeros();
    let bits_log = wanted.clamp(BITS_LOG_MIN, BITS_LOG_MAX);
    let bucket_log = bits_log.saturating_sub(4);
    entries.sort_by_key(|entry| (hash(entry.key), entry.owner));
    let mut bitmap = vec![0_u64; 1 << (bits_log - 6)];
    let mut starts = vec![0_u32; (1 << bucket_log) + 1];
    for entry in entries.iter() {
        let bit = hash(entry.key) >> (32 - bits_log);
        bitmap[(bit >> 6) as usize] |= 1 << (bit & 63);
        starts[(hash(entry.key) >> (32 - bucket_log)) as usize + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    out.extend(bits_log.to_le_bytes());
    out.extend((entries.len() as u32).to_le_bytes());
    bitmap.iter().for_each(|word| out.extend(word.to_le_bytes()));
    starts.iter().for_each(|start| out.extend(start.to_le_bytes()));
    for entry in entries {
        out.extend(entry.key.to_le_bytes());
        out.extend(entry.owner.to_le_bytes());
    }
}

/// A filter in memory.
#[derive(Debug)]
pub(crate) struct Filter {
    bits_log: u32,
    bitmap: Vec<u64>,
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

impl Filter {
    /// Reads what [`write`] wrote; the bytes that it took come back with it.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (bits_log, count) = (u32_at(bytes, 0), u32_at(bytes, 4) as usize);
        if !(BITS_LOG_MIN..=BITS_LOG_MAX).contains(&bits_log) {
            return None;
        }
        let words = 1_usize << (bits_log - 6);
        let buckets = (1_usize << (bits_log - 4)) + 1;
        let starts_at = 8 + words * 8;
        let entries_at = starts_at + buckets * 4;
        let end = entries_at + count * 8;
        if bytes.len() < end {
            return None;
        }
        let filter = Self {
            bits_log,
            bitmap: (0..words).map(|at| u64_at(bytes, 8 + at * 8)).collect(),
            starts: (0..buckets).map(|at| u32_at(bytes, starts_at + at * 4)).collect(),
            entries: (0..count)
                .map(|at| entries_at + at * 8)
                .map(|at| Entry { key: u32_at(bytes, at), owner: u32_at(bytes, at + 4) })
                .collect(),
        };
        Some((filter, end))
    }

    /// Tells each place where a run of a signature may begin, and of which.
    pub(crate) fn candidates<E>(
        &self,
        bytes: &[u8],
        mut found: impl FnMut(usize, u32) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let shift = 32 - self.bits_log;
        let bitmap = self.bitmap.as_slice();
        let mut at = 0;
        // Eight probes at a time, so that the common case is one branch.
        for block in bytes.chunks_exact(8 * STRIDE) {
            let mut any = 0;
            for probe in block.chunks_exact(STRIDE) {
                any |= hit(bitmap, shift, u32_at(probe, 0));
            }
            if any & 1 != 0 {
                for (place, probe) in block.chunks_exact(STRIDE).enumerate() {
                    self.probe(at + place * STRIDE, u32_at(probe, 0), shift, &mut found)?;
                }
            }
            at += 8 * STRIDE;
        }
        while at + PROBE_BYTES <= bytes.len() {
            self.probe(at, u32_at(bytes, at), shift, &mut found)?;
            at += STRIDE;
        }
        Ok(())
    }

    fn probe<E>(
        &self,
        at: usize,
        key: u32,
        shift: u32,
        found: &mut impl FnMut(usize, u32) -> Result<(), E>,
    ) -> Result<(), E> {
        if hit(&self.bitmap, shift, key) & 1 == 0 {
            return Ok(());
        }
        let bucket = (hash(key) >> (shift + 4)) as usize;
        let (from, to) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        for entry in &self.entries[from..to.max(from)] {
            let ahead = (entry.owner & 7) as usize;
            if entry.key == key && ahead <= at {
                found(at - ahead, entry.owner >> 3)?;
            }
        }
        Ok(())
    }
}

#[inline]
fn hit(bitmap: &[u64], shift: u32, key: u32) -> u64 {
    let bit = hash(key) >> shift;
    bitmap.get((bit >> 6) as usize).map_or(0, |word| word >> (bit & 63))
}
