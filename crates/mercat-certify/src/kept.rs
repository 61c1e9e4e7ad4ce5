//! The bytes of a file that somebody asked for, kept while they pass.

use std::ops::Range;

/// Bytes that are kept. Of a file whose size is known before it is read, parts that nobody reads are left out and
/// read as zeros: memory that is never written is not there, so a large library costs what is read of it.
pub(crate) struct Kept {
    bytes: Vec<u8>,
    /// Bytes that passed.
    passed: usize,
    holes: Vec<Range<usize>>,
}

impl Kept {
    /// Keeps everything.
    pub(crate) fn all() -> Self {
        Self { bytes: Vec::new(), passed: 0, holes: Vec::new() }
    }

    /// Keeps a file of this size, but for the holes.
    pub(crate) fn sparse(size: u64, holes: Vec<Range<usize>>) -> Self {
        match usize::try_from(size) {
            Ok(size) if !holes.is_empty() => Self { bytes: vec![0; size], passed: 0, holes },
            _ => Self::all(),
        }
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, fresh: &[u8]) {
        if self.holes.is_empty() {
            self.bytes.extend_from_slice(fresh);
            return;
        }
        let (from, to) = (self.passed, self.passed + fresh.len());
        self.passed = to;
        let mut copy = |start: usize, end: usize| {
            let end = end.min(to).min(self.bytes.len());
            if start < end {
                self.bytes[start..end].copy_from_slice(&fresh[start - from..end - from]);
            }
        };
        let mut at = from;
        for hole in self.holes.iter().filter(|hole| hole.start < to && hole.end > from) {
            copy(at, hole.start);
            at = at.max(hole.end);
        }
        copy(at, to);
    }

    /// The bytes.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        if !self.holes.is_empty() {
            self.bytes.truncate(self.passed);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests;
