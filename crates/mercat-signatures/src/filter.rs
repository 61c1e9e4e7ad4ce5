//! A sampled filter: of every eight bytes, four are looked at.
//!
//! Each signature has a run of eleven fixed bytes. Wherever that run stands, one of its first eight places is a
//! multiple of eight, and the four bytes from there are one of eight that are known beforehand. All eight of every
//! signature are in one Bloom filter, each by four bits of one word out of a table of patterns (Putze, Sanders and
//! Singler, "Cache-, hash- and space-efficient Bloom filters", 2007): a probe costs one access of memory, and few
//! foreign values pass. What passes is looked up exactly, and then verified.

use crate::{u32_at, u64_at};

/// Bytes between two probes.
pub(crate) const STRIDE: usize = 8;
/// Bytes of a probe.
pub(crate) const PROBE_BYTES: usize = 4;
/// Bits of the filter for each probe value, at least, but for the largest filter: of foreign values, one of fifty passes
/// or fewer. More bits let pass fewer and cost more, because less of the filter stays in the processor's caches.
const BITS_OF_KEY: usize = 10;
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

const fn mixed(value: u64) -> u64 {
    value.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The upper bits choose a word of the filter, and a bucket; lower ones a pattern.
#[inline]
fn hash(key: u32, salt: u64) -> u64 {
    mixed(u64::from(key) ^ salt)
}

/// Values that files are full of, with how many of ten thousand probes of programs they are.
const COMMON: [(u32, u32); 12] = [
    (0, 634),
    (8, 130),
    (0x0084_1f0f, 55),
    (0xffff_ffff, 45),
    (0xcccc_cccc, 37),
    (1, 32),
    (0x4800_0000, 31),
    (16, 24),
    (0x2020_2020, 16),
    (7, 16),
    (2, 15),
    (3, 14),
];
/// Salts that are tried until no common value passes in place of another.
const SALTS: u64 = 64;

/// The Bloom filter under the salt by which the fewest probes of programs pass.
fn words_of(entries: &[Entry], log: u32) -> (u64, Vec<u8>) {
    let is_foreign = |(key, _): &(u32, u32)| !entries.iter().any(|entry| entry.key == *key);
    let foreign: Vec<(u32, u32)> = COMMON.into_iter().filter(is_foreign).collect();
    let under = |salt: u64| {
        let mut words = vec![0_u64; 1 << (log - WORD_LOG)];
        for entry in entries {
            let hash = hash(entry.key, salt);
            words[(hash >> (64 - (log - WORD_LOG))) as usize] |= pattern(hash);
        }
        let words: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let view = Words { shift: 64 - (log - WORD_LOG), salt, words: words.as_chunks().0 };
        let pass: u32 = foreign.iter().filter(|(key, _)| view.held(*key)).map(|(_, often)| often).sum();
        (pass, salt, words)
    };
    let mut best = under(mixed(1));
    for at in 2..=SALTS {
        if best.0 == 0 {
            break;
        }
        let next = under(mixed(at));
        if next.0 < best.0 {
            best = next;
        }
    }
    (best.1, best.2)
}

/// Four bits of a word each, the lowest among them; turned around, each makes sixty-four patterns. Fewer patterns would
/// let pass what has the pattern of another signature in the same word.
static SHAPES: [u64; 64] = {
    let mut out = [0_u64; 64];
    let (mut at, mut state) = (0, 1_u64);
    while at < out.len() {
        out[at] = 1;
        while out[at].count_ones() < 4 {
            state = mixed(state) ^ state >> 29;
            out[at] |= 1 << (state >> 58);
        }
        at += 1;
    }
    out
};

#[inline]
fn pattern(hash: u64) -> u64 {
    SHAPES[(hash >> 24) as usize % SHAPES.len()].rotate_left((hash >> 30) as u32 % 64)
}

/// Writes the Bloom filter, the buckets and the entries.
pub(crate) fn write(entries: &mut [Entry], out: &mut Vec<u8>) {
    let wanted = (entries.len() * BITS_OF_KEY).next_power_of_two().trailing_zeros();
    let bits_log = wanted.clamp(BITS_LOG_MIN, BITS_LOG_MAX);
    let bucket_log = bits_log.saturating_sub(4);
    let (salt, words) = words_of(entries, bits_log);
    entries.sort_by_key(|entry| (hash(entry.key, salt), entry.owner));
    let mut starts = vec![0_u32; (1 << bucket_log) + 1];
    for entry in entries.iter() {
        starts[(hash(entry.key, salt) >> (64 - bucket_log)) as usize + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    out.extend(bits_log.to_le_bytes());
    out.extend((entries.len() as u32).to_le_bytes());
    out.extend(salt.to_le_bytes());
    out.extend(words);
    starts.iter().for_each(|start| out.extend(start.to_le_bytes()));
    for entry in entries {
        out.extend(entry.key.to_le_bytes());
        out.extend(entry.owner.to_le_bytes());
    }
}

/// A filter in memory: where its parts are in the bytes that [`write`] wrote, which stay as they are.
#[derive(Debug)]
pub(crate) struct Filter {
    bits_log: u32,
    salt: u64,
    count: usize,
    starts_at: usize,
    entries_at: usize,
}

const WORDS_AT: usize = 4 + 4 + 8;

impl Filter {
    /// Reads what [`write`] wrote; the bytes that it took come back with it.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (bits_log, count) = (u32_at(bytes, 0), u32_at(bytes, 4) as usize);
        if !(BITS_LOG_MIN..=BITS_LOG_MAX).contains(&bits_log) {
            return None;
        }
        let words = 1_usize << (bits_log - WORD_LOG);
        let buckets = (1_usize << (bits_log - 4)) + 1;
        let starts_at = WORDS_AT + words * 8;
        let entries_at = starts_at + buckets * 4;
        let end = entries_at + count * 8;
        if bytes.len() < end {
            return None;
        }
        Some((Self { bits_log, salt: u64_at(bytes, 8), count, starts_at, entries_at }, end))
    }

    /// Tells each place where a run of a signature may begin, and of which; `held` is what the filter was read from.
    pub(crate) fn candidates<E>(
        &self,
        held: &[u8],
        bytes: &[u8],
        mut found: impl FnMut(usize, u32) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.count == 0 {
            return Ok(());
        }
        let shift = 64 - (self.bits_log - WORD_LOG);
        let words = held.get(WORDS_AT..self.starts_at).unwrap_or_default();
        let words = Words { shift, salt: self.salt, words: words.as_chunks().0 };
        let mut passed = [0; PROBES];
        for (number, block) in bytes.chunks(PROBES * STRIDE).enumerate() {
            let count = words.passing(block, &mut passed);
            for place in &passed[..count] {
                let at = number * PROBES * STRIDE + usize::from(*place) * STRIDE;
                self.look_up(held, at, u32_at(bytes, at), &mut found)?;
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn look_up<E>(
        &self,
        held: &[u8],
        at: usize,
        key: u32,
        found: &mut impl FnMut(usize, u32) -> Result<(), E>,
    ) -> Result<(), E> {
        let bucket = (hash(key, self.salt) >> (64 - (self.bits_log - 4))) as usize;
        let start = |bucket: usize| u32_at(held, self.starts_at + bucket * 4) as usize;
        let (from, to) = (start(bucket), start(bucket + 1).min(self.count));
        for entry in from..to {
            let entry = self.entries_at + entry * 8;
            let owner = u32_at(held, entry + 4);
            let ahead = (owner & 7) as usize;
            if u32_at(held, entry) == key && ahead <= at {
                found(at - ahead, owner >> 3)?;
            }
        }
        Ok(())
    }
}

/// Probes that are made before what passed is looked up.
const PROBES: usize = 512;

/// The Bloom filter.
#[derive(Clone, Copy)]
struct Words<'a> {
    shift: u32,
    salt: u64,
    /// Little-endian.
    words: &'a [[u8; 8]],
}

impl Words<'_> {
    /// Whether a key may be there.
    #[inline]
    fn held(self, key: u32) -> bool {
        let hash = hash(key, self.salt);
        let word = self.words.get((hash >> self.shift) as usize).copied().map_or(0, u64::from_le_bytes);
        word & pattern(hash) == pattern(hash)
    }

    /// Which probes of a block pass, by their number. Without a branch on what is found: so the processor asks for
    /// many words of the filter at once, and never guesses wrong.
    fn passing(self, block: &[u8], passed: &mut [u16; PROBES]) -> usize {
        let (probes, rest) = block.as_chunks::<STRIDE>();
        let mut count = 0;
        let mut probe = |place: usize, key: [u8; PROBE_BYTES]| {
            passed[count % PROBES] = place as u16;
            count += usize::from(self.held(u32::from_le_bytes(key)));
        };
        for (place, [a, b, c, d, ..]) in probes.iter().enumerate() {
            probe(place, [*a, *b, *c, *d]);
        }
        if let Some(last) = rest.first_chunk() {
            probe(probes.len(), *last);
        }
        count
    }
}
