//! Hashes of known files, in a table that stays on the disk.
//!
//! Held in memory are 65,537 places, one for each first two bytes of a hash, and which sizes occur, in two bytes for
//! each hash and at most eight megabytes; a lookup reads one bucket. A file whose size does not occur is not hashed.

use crate::{FORM, LoadError, u32_at, u64_at};
use mercat_artifact::Positioned;
use sha2::{Digest as _, Sha256};
use std::io;
use std::sync::OnceLock;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SHA-256.
    Sha256,
    /// MD5, which old collections use.
    Md5,
}

impl Kind {
    /// Bytes of a hash.
    pub fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Md5 => 16,
        }
    }
}

/// One known file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known {
    pub(crate) hash: Vec<u8>,
    /// Its size; `u64::MAX` when any size will do.
    pub(crate) size: u64,
    pub(crate) name: String,
}

const MAGIC: &[u8; 8] = b"mcathash";
/// One for each first two bytes of a hash, and the end.
const PLACES: usize = 65_537;
/// Bits of the sizes that occur, as a power of two.
const SIZES_LOG_MIN: u32 = 13;
const SIZES_LOG_MAX: u32 = 26;
/// For each hash: sizes that do not occur are taken for such that do once in sixteen times.
const SIZE_BITS_OF_HASH: u64 = 16;
const CHECKSUM_AT: usize = 8 + 4 + 4 + 8 + 8 + 32;
const HEAD_BYTES: usize = CHECKSUM_AT + 4;
const ANY_SIZE: u64 = u64::MAX;

/// Bits for the sizes of so many hashes, as a power of two.
fn sizes_log(count: u64) -> u32 {
    let bits = count.saturating_mul(SIZE_BITS_OF_HASH).max(1);
    (u64::BITS - (bits - 1).leading_zeros()).clamp(SIZES_LOG_MIN, SIZES_LOG_MAX)
}

fn sizes_bytes(count: u64) -> usize {
    1 << (sizes_log(count) - 3)
}

fn size_bit(size: u64, log: u32) -> usize {
    (size.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - log)) as usize
}

/// Writes a table.
pub(crate) fn write(kind: Kind, mut known: Vec<Known>) -> Vec<u8> {
    known.sort();
    known.dedup();
    let log = sizes_log(known.len() as u64);
    let mut sizes = vec![0_u8; sizes_bytes(known.len() as u64)];
    let mut places = vec![0_u64; PLACES];
    let mut names = Vec::new();
    let mut rows = Vec::new();
    for file in &known {
        let bit = size_bit(file.size, log);
        sizes[bit / 8] |= 1 << (bit % 8);
        places[(usize::from(file.hash[0]) << 8 | usize::from(file.hash[1])) + 1] += 1;
        rows.extend(&file.hash);
        rows.extend(file.size.to_le_bytes());
        rows.extend((names.len() as u64).to_le_bytes());
        let length = file.name.len().min(usize::from(u8::MAX));
        names.push(length as u8);
        names.extend(&file.name.as_bytes()[..length]);
    }
    for at in 1..places.len() {
        places[at] += places[at - 1];
    }
    let mut held = Vec::new();
    held.extend(sizes);
    places.iter().for_each(|place| held.extend(place.to_le_bytes()));
    let all: [u8; 32] =
        Sha256::new().chain_update(&held).chain_update(&rows).chain_update(&names).finalize().into();
    let mut out = MAGIC.to_vec();
    out.extend(FORM.to_le_bytes());
    out.extend((kind.bytes() as u32).to_le_bytes());
    out.extend((known.len() as u64).to_le_bytes());
    out.extend((names.len() as u64).to_le_bytes());
    out.extend(all);
    out.extend(crc32fast::hash(&held).to_le_bytes());
    [out, held, rows, names].concat()
}

/// A table that is searched where it lies.
pub struct Hashes {
    source: Box<dyn Positioned>,
    kind: Kind,
    digest: [u8; 32],
    count: u64,
    /// CRC-32 of what is held in memory: a flipped bit there would leave files unhashed.
    checksum: u32,
    rows_at: u64,
    held: OnceLock<Result<Held, LoadError>>,
}

/// What of a table is in memory, from the first look on.
struct Held {
    sizes: Vec<u8>,
    places: Vec<u64>,
}

impl std::fmt::Debug for Hashes {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Hashes")
            .field("kind", &self.kind)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Hashes {
    /// Opens a table.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn open(source: Box<dyn Positioned>) -> Result<Self, LoadError> {
        let io = |error: io::Error| LoadError::of(&error);
        let mut head = [0; HEAD_BYTES];
        source.read_exact_at(&mut head, 0).map_err(io)?;
        if head[..8] != *MAGIC {
            return Err(LoadError::Magic);
        }
        if u32_at(&head, 8) != FORM {
            return Err(LoadError::Form { found: u32_at(&head, 8) });
        }
        let kind = match u32_at(&head, 12) {
            32 => Kind::Sha256,
            16 => Kind::Md5,
            _ => return Err(LoadError::Damaged),
        };
        let (count, names) = (u64_at(&head, 16), u64_at(&head, 24));
        let rows_at = (HEAD_BYTES + sizes_bytes(count) + PLACES * 8) as u64;
        let row = kind.bytes() as u64 + 16;
        let whole = count.checked_mul(row).and_then(|rows| rows_at.checked_add(rows)?.checked_add(names));
        if whole != Some(source.length().map_err(io)?) {
            return Err(LoadError::Damaged);
        }
        let digest = head[32..64].try_into().map_err(|_| LoadError::Damaged)?;
        let checksum = u32_at(&head, CHECKSUM_AT);
        Ok(Self { source, kind, digest, count, checksum, rows_at, held: OnceLock::new() })
    }

    /// Reads what is held in memory, when it is not yet.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn ready(&self) -> Result<(), LoadError> {
        self.held().map(|_| ()).map_err(Clone::clone)
    }

    fn held(&self) -> Result<&Held, &LoadError> {
        let read = || {
            let io = |error: io::Error| LoadError::of(&error);
            let mut sizes = vec![0; sizes_bytes(self.count) + PLACES * 8];
            self.source.read_exact_at(&mut sizes, HEAD_BYTES as u64).map_err(io)?;
            let whole = crc32fast::hash(&sizes) == self.checksum;
            let raw = sizes.split_off(sizes_bytes(self.count));
            let places: Vec<u64> = (0..PLACES).map(|at| u64_at(&raw, at * 8)).collect();
            let rising = places.windows(2).all(|pair| pair[0] <= pair[1]);
            match whole && rising && places.last() == Some(&self.count) {
                true => Ok(Held { sizes, places }),
                false => Err(LoadError::Damaged),
            }
        };
        self.held.get_or_init(read).as_ref()
    }

    /// Reads the whole table once, against the digest that it was written with.
    ///
    /// # Errors
    /// [`LoadError::Damaged`] when a bit differs.
    pub fn verify(&self) -> Result<(), LoadError> {
        let length = self.source.length().map_err(|error| LoadError::Io(error.to_string()))?;
        let mut hash = Sha256::new();
        let mut at = HEAD_BYTES as u64;
        let mut buffer = vec![0; 1 << 20];
        while at < length {
            let count = (length - at).min(buffer.len() as u64) as usize;
            let read = self.source.read_exact_at(&mut buffer[..count], at);
            read.map_err(|error| LoadError::Io(error.to_string()))?;
            hash.update(&buffer[..count]);
            at += count as u64;
        }
        let found: [u8; 32] = hash.finalize().into();
        if found == self.digest { Ok(()) } else { Err(LoadError::Damaged) }
    }

    /// The hash function.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many files are known.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// SHA-256 of the table, as it was written.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether a file of this size may be known; a file of unknown size always may, and any in a table that cannot be
    /// read: [`Hashes::find`] says so.
    pub fn may_know(&self, size: Option<u64>) -> bool {
        let set = |size: u64| {
            let bit = size_bit(size, sizes_log(self.count));
            let set = |held: &Held| held.sizes.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1);
            self.held().map_or(true, set)
        };
        self.count > 0 && size.is_none_or(|size| set(size) || set(ANY_SIZE))
    }

    /// The name of a known file.
    ///
    /// # Errors
    /// When the table cannot be read; nothing is then known, and whoever asks must say so.
    pub fn find(&self, hash: &[u8], size: u64) -> io::Result<Option<String>> {
        let [first, second, ..] = hash else { return Ok(None) };
        if hash.len() != self.kind.bytes() {
            return Ok(None);
        }
        let bucket = usize::from(*first) << 8 | usize::from(*second);
        let held = self.held().map_err(|error| io::Error::other(error.clone()))?;
        let (from, to) = (held.places[bucket], held.places[bucket + 1]);
        let row = self.kind.bytes() + 16;
        let mut rows = vec![0; (to - from) as usize * row];
        self.source.read_exact_at(&mut rows, self.rows_at + from * row as u64)?;
        for found in rows.chunks_exact(row).filter(|found| found.starts_with(hash)) {
            let expected = u64_at(found, self.kind.bytes());
            if expected == size || expected == ANY_SIZE {
                return self.name(u64_at(found, self.kind.bytes() + 8)).map(Some);
            }
        }
        Ok(None)
    }

    fn name(&self, at: u64) -> io::Result<String> {
        let names_at = self.rows_at + self.count * (self.kind.bytes() as u64 + 16);
        let mut length = [0];
        self.source.read_exact_at(&mut length, names_at + at)?;
        let mut name = vec![0; usize::from(length[0])];
        self.source.read_exact_at(&mut name, names_at + at + 1)?;
        Ok(String::from_utf8_lossy(&name).into_owned())
    }
}
