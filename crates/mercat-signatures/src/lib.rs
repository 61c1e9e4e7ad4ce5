//! Signatures of known malware: byte patterns and hashes of whole files.
//!
//! [`Builder`] reads signature files and compiles them; [`Bodies`] and [`Hashes`] are the compiled forms, which open
//! in the time of reading them, and search.

mod bodies;
mod builder;
mod filter;
mod hashes;
mod hashing;
mod pack;
mod pattern;
mod source;
#[cfg(test)]
mod tests;

pub use bodies::{Bodies, FileKind, LateBodies};
pub use builder::{Builder, Compiled, Unusable};
pub use hashes::{Hashes, Kind};
pub use hashing::{Beside, Digests, Hasher, Hashing};
pub use pack::{Pack, pack, whole};

/// Why a compiled file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is something else.
    #[error("not a compiled signature file")]
    Magic,
    /// It was compiled by another version of this program.
    #[error(
        "compiled in form {found}, and this program reads form {FORM}; compile it again with mercat signatures import"
    )]
    Form {
        /// The form found.
        found: u32,
    },
    /// It ends too early, or its bytes are not those that were written.
    #[error("damaged or cut short; compile it again with mercat signatures import")]
    Damaged,
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Io(String),
}

impl LoadError {
    fn of(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Io(error.to_string()),
        }
    }
}

/// More candidates than a window of bytes can honestly have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {STEPS_MAX} steps of verification in one window")]
pub struct TooManySteps;

/// Steps of exact verification in one window, before it is given up.
pub const STEPS_MAX: u64 = 64 << 20;

/// Bytes that a match of a byte signature may span, from its first to its last. Who looks at a file in windows lets
/// them share as many, or a match at their edge is in neither.
pub const SPAN_BYTES_MAX: usize = 64 << 10;

/// The form of compiled files.
pub(crate) const FORM: u32 = 5;

/// A little-endian number at a place; 0 behind the end.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// As [`u32_at`], of eight bytes.
#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}
