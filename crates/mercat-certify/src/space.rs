//! What a disk holds beside the content of its files: gaps between partitions, what was deleted, the ends of blocks,
//! space that was never written, the structures of file systems. Whoever gets the disk can read all of it, so
//! malware and credentials are looked for there too.

use crate::shown::{OVERLAP_BYTES, WINDOW_BYTES};
use mercat_artifact::ReadError;
use mercat_disk::ReadAt;
use mercat_disk::digest::Parts;
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

/// A piece of a disk.
pub(crate) struct Piece {
    range: Range<u64>,
    /// What of it is content of files, by where it begins.
    given: Vec<Range<u64>>,
}

/// Cuts a disk into at most so many pieces, each where content of files begins: what stands together stays together. The
/// given ranges come in any order; the pieces are the same on every machine.
pub(crate) fn pieces(size: u64, mut given: Vec<Range<u64>>, most: usize) -> Vec<Piece> {
    // One without bytes would part what stands together.
    given.retain(|range| range.start < range.end);
    given.sort_unstable_by_key(|range| range.start);
    let each = given.len().div_ceil(most.max(1)).max(1);
    let mut out = vec![Piece { range: 0..size, given: Vec::new() }];
    let mut told = 0;
    for (number, range) in given.into_iter().enumerate() {
        if number > 0
            && number % each == 0
            && let Some(last) = out.last_mut()
        {
            last.range.end = range.start;
            out.push(Piece { range: range.start.max(told)..size, given: Vec::new() });
        }
        told = told.max(range.end);
        if let Some(last) = out.last_mut() {
            last.given.push(range);
        }
    }
    out
}

/// Shows all of a piece that is no content of files; blocks of zeros are left out. Archives are not opened: of what was
/// deleted mostly parts are left.
///
/// # Errors
/// Bytes that could not be had, or a container that refuses.
pub(crate) fn each_part(
    disk: &dyn ReadAt,
    piece: &Piece,
    show: &mut dyn FnMut(Part<'_>),
) -> Result<(), ReadError> {
    let mut window = Window { show, end: 0, bytes: Vec::new(), runs: Vec::new(), carried: 0 };
    let mut parts = Parts::new(disk);
    let Range { start: mut at, end } = piece.range;
    for range in piece.given.iter().cloned().chain(std::iter::once(end..end)) {
        if range.start > at {
            parts.each_data(at..range.start, |offset, bytes| {
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
    /// Where on the disk the last byte ends.
    end: u64,
    bytes: Vec<u8>,
    /// Where in the bytes a run begins that stands together on the disk, and where that is.
    runs: Vec<(usize, u64)>,
    carried: usize,
}

impl Window<'_> {
    fn push(&mut self, offset: u64, bytes: &[u8]) {
        if offset != self.end && self.bytes.len() >= SPLIT_BYTES {
            self.show(0);
        }
        if offset != self.end || self.bytes.is_empty() {
            self.runs.push((self.bytes.len(), offset));
        }
        self.bytes.extend_from_slice(bytes);
        self.end = offset + bytes.len() as u64;
        if self.bytes.len() >= WINDOW_BYTES {
            self.show(OVERLAP_BYTES);
        }
    }

    /// Shows what is there, and keeps the last bytes for what follows.
    fn show(&mut self, keep: usize) {
        if let Some((_, start)) = self.runs.first().filter(|_| self.bytes.len() > self.carried) {
            (self.show)(Part { range: *start..self.end, bytes: &self.bytes, carried: self.carried });
        }
        let from = self.bytes.len().saturating_sub(keep);
        self.bytes.drain(..from);
        // The run in which the first byte is that stays, cut there.
        let cut = self.runs.partition_point(|(at, _)| *at <= from).saturating_sub(1);
        self.runs.drain(..cut);
        for (at, offset) in &mut self.runs {
            *offset += from.saturating_sub(*at) as u64;
            *at = at.saturating_sub(from);
        }
        self.carried = self.bytes.len();
        if self.bytes.is_empty() {
            self.runs.clear();
        }
    }
}

#[cfg(test)]
mod tests;
