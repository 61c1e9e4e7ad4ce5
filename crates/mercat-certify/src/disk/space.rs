//! What a disk holds beside the content of its files: gaps between partitions, what was deleted, the ends of blocks,
//! space that was never written, the structures of file systems. Whoever gets the disk can read all of it, so
//! malware and credentials are looked for there too.

use crate::Knowledge;
use crate::facts::LayerFacts;
use crate::scan::{Rules, Scan, Whence};
use crate::shown::{OVERLAP_BYTES, WINDOW_BYTES};
use mercat_artifact::ReadError;
use mercat_disk::digest::each_data;
use mercat_disk::{ReadAt, Window};
use std::ops::Range;
use std::sync::Arc;

/// The volume that findings in such space are told under.
pub(super) const PLACE: &str = "unallocated";

/// Shows all that is not among the given ranges, in any order, to every scanner; blocks of zeros are left out. Archives
/// are not opened: of what was deleted mostly parts are left.
///
/// # Errors
/// Bytes that could not be had, or a container that refuses.
pub(super) fn scan(
    disk: &Arc<dyn ReadAt>,
    mut given: Vec<Range<u64>>,
    knowledge: &Knowledge,
) -> Result<LayerFacts, ReadError> {
    given.sort_unstable_by_key(|range| range.start);
    let scan = Scan::new(knowledge);
    let mut run = Run { scan: &scan, start: 0, bytes: Vec::new(), carried: 0 };
    let mut at = 0;
    for range in given.into_iter().chain(std::iter::once(disk.size()..disk.size())) {
        if range.start > at {
            let gap = Window::new(Arc::clone(disk), at, range.start - at)?;
            each_data(&gap, 0, |offset, bytes| {
                run.push(at + offset, bytes);
                Ok::<_, ReadError>(())
            })?;
        }
        at = at.max(range.end);
    }
    run.show(0);
    Ok(scan.finish(None))
}

/// Bytes that follow each other on the disk.
struct Run<'s, 'k> {
    scan: &'s Scan<'k>,
    /// Where they begin.
    start: u64,
    bytes: Vec<u8>,
    /// Bytes at the beginning that were shown before.
    carried: usize,
}

impl Run<'_, '_> {
    fn push(&mut self, offset: u64, bytes: &[u8]) {
        if offset != self.start + self.bytes.len() as u64 {
            self.show(0);
            self.start = offset;
        }
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= WINDOW_BYTES {
            self.show(OVERLAP_BYTES);
        }
    }

    /// Shows what is there, and keeps the last bytes for what follows.
    fn show(&mut self, keep: usize) {
        let fresh = self.bytes.len() - self.carried;
        if fresh > 0 {
            self.scan.with(|facts| facts.file_bytes += fresh as u64);
            let path = format!("@{}", self.start);
            self.scan.window((&path, 0), Whence::default(), (&self.bytes, self.carried), Rules::Window);
        }
        let from = self.bytes.len().saturating_sub(keep);
        self.bytes.drain(..from);
        self.start += from as u64;
        self.carried = self.bytes.len();
    }
}
