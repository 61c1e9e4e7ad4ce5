//! What a disk holds beside the content of its files: gaps between partitions, what was deleted, the ends of blocks,
//! space that was never written, the structures of file systems. Whoever gets the disk can read all of it, so
//! malware and credentials are looked for there too.

use crate::shown::{OVERLAP_BYTES, WINDOW_BYTES};
use mercat_artifact::ReadError;
use mercat_disk::ReadAt;
use mercat_disk::digest::each_data_in;
use std::ops::Range;

/// Bytes behind which a window ends where the disk has something else; shorter runs are shown together.
const SPLIT_BYTES: usize = 1 << 20;

/// Some bytes of such space, in the order of the disk.
pub(crate) struct Part<'w> {
    /// Where on the disk they are: from the first byte to the last.
    pub(crate) range: Range<u64>,
    pub(crate) bytes: &'w [u8],
    /// Bytes at the beginning that were shown before.
    pub(crate) carried: usize,
}

/// Shows all that is not among the given ranges, in any order; blocks of zeros are left out. Archives are not opened:
/// of what was deleted mostly parts are left.
///
/// # Errors
/// Bytes that could not be had, or a container that refuses.
pub(crate) fn each_part(
    disk: &dyn ReadAt,
    mut given: Vec<Range<u64>>,
    show: &mut dyn FnMut(Part<'_>),
) -> Result<(), ReadError> {
    given.sort_unstable_by_key(|range| range.start);
    let mut window = Window { show, range: 0..0, bytes: Vec::new(), carried: 0 };
    let mut buffer = Vec::new();
    let mut at = 0;
    for range in given.into_iter().chain(std::iter::once(disk.size()..disk.size())) {
        if range.start > at {
            each_data_in(disk, at..range.start, &mut buffer, |offset, bytes| {
                window.push(offset, bytes);
                Ok::<_, ReadError>(())
            })?;
        }
        at = at.max(range.end);
    }
    window.show(0);
    Ok(())
}

struct Window<'s> {
    show: &'s mut dyn FnMut(Part<'_>),
    range: Range<u64>,
    bytes: Vec<u8>,
    carried: usize,
}

impl Window<'_> {
    fn push(&mut self, offset: u64, bytes: &[u8]) {
        if offset != self.range.end && self.bytes.len() >= SPLIT_BYTES {
            self.show(0);
        }
        if self.bytes.is_empty() {
            self.range.start = offset;
        }
        self.bytes.extend_from_slice(bytes);
        self.range.end = offset + bytes.len() as u64;
        if self.bytes.len() >= WINDOW_BYTES {
            self.show(OVERLAP_BYTES);
        }
    }

    /// Shows what is there, and keeps the last bytes for what follows.
    fn show(&mut self, keep: usize) {
        if self.bytes.len() > self.carried {
            (self.show)(Part { range: self.range.clone(), bytes: &self.bytes, carried: self.carried });
        }
        let from = self.bytes.len().saturating_sub(keep);
        self.bytes.drain(..from);
        self.range.start = self.range.end.saturating_sub(self.bytes.len() as u64);
        self.carried = self.bytes.len();
    }
}
