//! A sampled filter: of every eight bytes, four are looked at.
//!
//! Each signature has a run of eleven fixed bytes. Wherever that run stands, one of its first eight places is a
//! multiple of eight, and the four bytes from there are one of eight that are known beforehand. All eight of every
//! signature are in one Bloom filter, each by two bits of one word (Putze, Sanders and Singler, "Cache-, hash- and
//! space-efficient Bloom filters", 2007): a probe costs one access of memory, and few foreign values pass. What
//! passes is looked up exactly, and then verified.

use crate::{u32_at, u64_at};

/// Bytes between two probes.
pub(crate) const STRIDE: usize = 8;
/// Bytes of a probe.
pub(crate) const PROBE_BYTES: usize = 4;
/// Bits of the filter for each probe value: of foreign values, one of seventy passes.
const BITS_OF_KEY: usize = 16;
/// Bits of a word, as a power of two.
const WORD_LOG: u32 = 6;
const BITS_LOG_MIN: u32 = 16;
const BITS_LOG_MAX: u32 = 28;

/// One probe value of one signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: u32,
    /// Number of the signature, and in the lowest three bits how far into its run the probe stands.
    pub(crate) owner: u32,
}

/// The upper bits choose a word of the filter, and a bucket; the lower ones choose bits.
#[inline]
fn hash(key: u32) -> u64 {
    u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The two bits of a hash in its word.
#[inline]
fn bits(hash: u64) -> (u64, u64) {
    ((hash >> 19) & 63, (hash >> 26) & 63)
}

/// Writes the Bloom filter, the buckets and the entries.
pub(crate) fn write(entries: &mut [Entry], out: &mut Vec<u8>) {
    let wanted = (entries.len() * BITS_OF_KEY).next_power_of_two().trailing_zeros();
    let bits_log = wanted.clamp(BITS_LOG_MIN, BITS_LOG_MAX);
    let bucket_log = bits_log.saturating_sub(4);
    entries.sort_by_key(|entry| (hash(entry.key), entry.owner));
    let mut words = vec![0_u64; 1 << (bits_log - WORD_LOG)];
    let mut starts = vec![0_u32; (1 << bucket_log) + 1];
    for entry in entries.iter() {
        let hash = hash(entry.key);
        let (one, other) = bits(hash);
        words[(hash >> (64 - (bits_log - WORD_LOG))) as usize] |= 1 << one | 1 << other;
        starts[(hash >> (64 - bucket_log)) as usize + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    out.extend(bits_log.to_le_bytes());
    out.extend((entries.len() as u32).to_le_bytes());
    words.iter().for_each(|word| out.extend(word.to_le_bytes()));
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
    words: Vec<u64>,
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
        let words = 1_usize << (bits_log - WORD_LOG);
        let buckets = (1_usize << (bits_log - 4)) + 1;
        let starts_at = 8 + words * 8;
        let entries_at = starts_at + buckets * 4;
        let end = entries_at + count * 8;
        if bytes.len() < end {
            return None;
        }
        let filter = Self {
            bits_log,
            words: (0..words).map(|at| u64_at(bytes, 8 + at * 8)).collect(),
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
        let words = Words { shift: 64 - (self.bits_log - WORD_LOG), words: &self.words };
        let mut at = 0;
        // Eight probes at a time, so that the common case is one branch.
        for block in bytes.chunks_exact(8 * STRIDE) {
            let mut hits = 0;
            for (place, probe) in block.chunks_exact(STRIDE).enumerate() {
                hits |= (words.held(u32_at(probe, 0)) & 1) << place;
            }
            while hits != 0 {
                let place = hits.trailing_zeros() as usize * STRIDE;
                self.look_up(at + place, u32_at(block, place), &mut found)?;
                hits &= hits - 1;
            }
            at += 8 * STRIDE;
        }
        while at + PROBE_BYTES <= bytes.len() {
            let key = u32_at(bytes, at);
            if words.held(key) & 1 != 0 {
                self.look_up(at, key, &mut found)?;
            }
            at += STRIDE;
        }
        Ok(())
    }

    #[inline(never)]
    fn look_up<E>(
        &self,
        at: usize,
        key: u32,
        found: &mut impl FnMut(usize, u32) -> Result<(), E>,
    ) -> Result<(), E> {
        let bucket = (hash(key) >> (64 - (self.bits_log - 4))) as usize;
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

/// The Bloom filter.
#[derive(Clone, Copy)]
struct Words<'a> {
    shift: u32,
    words: &'a [u64],
}

impl Words<'_> {
    /// The lowest bit says whether a key may be there.
    #[inline]
    fn held(self, key: u32) -> u64 {
        let hash = hash(key);
        let (one, other) = bits(hash);
        let word = self.words.get((hash >> self.shift) as usize).copied().unwrap_or(0);
        (word >> one) & (word >> other)
    }
}
