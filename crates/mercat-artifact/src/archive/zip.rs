//! What makes a zip (APPNOTE 6.3.10) one thing to one reader and another to the next.
//!
//! Readers go by the central directory, by the local headers as they come, or by whichever end record they
//! find first. [`check`] tells whether all ways lead to the same members. They are unpacked one after the other, as the
//! directory lists them, where there is one and nothing lies over another; nothing of them is held.
//!
//! | code | meaning |
//! |---|---|
//! | `ZIP-01` | no end record, or no central directory where it says |
//! | `ZIP-02` | two end records that each lead to a central directory |
//! | `ZIP-03` | bytes behind the end record and its comment |
//! | `ZIP-04` | bytes in front of the first member |
//! | `ZIP-05` | a member with two names: central, local or Unicode |
//! | `ZIP-06` | a member with two sizes, checksums or methods: central and local, or stored and of another size |
//! | `ZIP-07` | members that overlap each other or the directory |
//! | `ZIP-08` | two members of one name |
//! | `ZIP-09` | a compression method that is not opened |
//! | `ZIP-10` | an encrypted member |
//! | `ZIP-11` | zip64 fields that say otherwise than the fields that they extend |
//! | `ZIP-12` | an archive of several disks |
//! | `ZIP-13` | a directory of another length or number of members than the end record says |
//! | `ZIP-14` | a member that the central directory does not list |
//! | `ZIP-15` | a name that leads out of the archive: absolute, or with `..` |
//! | `ZIP-16` | a name that is empty, holds a NUL, or is longer than [`NAME_BYTES_MAX`](super::NAME_BYTES_MAX) |
//! | `ZIP-17` | more than [`MEMBERS_MAX`](super::MEMBERS_MAX) members |
//! | `ZIP-18` | a member whose content does not unpack to what its size and checksum say |

mod end;
mod member;
mod open;
mod tail;

pub use open::{Members, Visit};
pub use tail::{ends_here, has_tail};

use crate::{Positioned, ReadError};
use std::collections::BTreeMap;
use std::io;

/// Methods that are opened: stored and deflate.
const METHODS: [u64; 2] = [0, 8];

/// What was found, once a code: the first place, and how often.
struct Problems(BTreeMap<&'static str, (u64, String, u64)>);

impl Problems {
    fn add(&mut self, code: &'static str, offset: u64, what: impl FnOnce() -> String) {
        self.0.entry(code).or_insert_with(|| (offset, what(), 0)).2 += 1;
    }
}

/// The bytes of an archive, of which a part is looked at again and again.
pub(super) struct Source<'b> {
    bytes: &'b dyn Positioned,
    size: usize,
    /// A part of them, where it begins, and how long it is.
    near: Vec<u8>,
    from: usize,
    length: usize,
}

/// Bytes that are read around what is looked at.
const NEAR_BYTES: usize = 4096;

impl<'b> Source<'b> {
    pub(super) fn new(bytes: &'b dyn Positioned) -> io::Result<Self> {
        let size = usize::try_from(bytes.length()?).map_err(io::Error::other)?;
        Ok(Self { bytes, size, near: Vec::new(), from: 0, length: 0 })
    }

    /// So many bytes from there; nothing where there are fewer.
    pub(super) fn get(&mut self, at: usize, count: usize) -> io::Result<Option<&[u8]>> {
        let Some(end) = at.checked_add(count).filter(|end| *end <= self.size) else { return Ok(None) };
        if at < self.from || end > self.from + self.length {
            self.length = count.max(NEAR_BYTES).min(self.size - at);
            // It never shrinks: it would be cleared each time that it grows again.
            self.near.resize(self.near.len().max(self.length), 0);
            self.from = at;
            self.bytes.read_exact_at(&mut self.near[..self.length], at as u64)?;
        }
        let from = at - self.from;
        Ok(self.near[..self.length].get(from..from + count))
    }

    /// Whether these bytes are there.
    fn is(&mut self, at: usize, wanted: &[u8]) -> io::Result<bool> {
        Ok(self.get(at, wanted.len())? == Some(wanted))
    }
}

/// What [`check`] found.
pub struct Checked<'b> {
    /// Everything in which readers of the zip may differ, or at which ours stops; none when all is well. At most one a
    /// code.
    pub refusals: Vec<ReadError>,
    /// What can be opened: nothing without a central directory, with members that overlap (`ZIP-07`), or too many.
    pub members: Option<Members<'b>>,
}

/// Tells everything in which readers of this zip may differ, or at which ours stops.
///
/// # Errors
/// When the bytes cannot be read.
pub fn check(bytes: &dyn Positioned) -> io::Result<Checked<'_>> {
    let mut problems = Problems(BTreeMap::new());
    let mut source = Source::new(bytes)?;
    let end = end::find(&mut source, &mut problems)?;
    if let Some(end) = &end {
        member::check(&mut source, end, &mut problems)?;
    }
    let is_shut = ["ZIP-07", "ZIP-17"].iter().any(|code| problems.0.contains_key(code));
    let members = end.filter(|_| !is_shut).map(|end| Members::new(bytes, &end)).transpose()?;
    let told = problems.0.into_iter().map(|(code, (offset, what, times))| {
        let more = if times > 1 { format!(" ({times} times in all)") } else { String::new() };
        ReadError::refused(code, offset, what + &more)
    });
    Ok(Checked { refusals: told.collect(), members })
}
