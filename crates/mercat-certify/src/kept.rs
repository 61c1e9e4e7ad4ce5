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
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_outside_of_holes_is_kept(
            bytes in proptest::collection::vec(1_u8.., 1..400),
            step in 1_usize..90,
            marks in proptest::collection::btree_set(0_usize..400, 0..9),
        ) {
            let marks: Vec<usize> = marks.into_iter().collect();
            let holes: Vec<Range<usize>> = marks.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
            let mut kept = Kept::sparse(bytes.len() as u64, holes.clone());
            bytes.chunks(step).for_each(|part| kept.push(part));
            let in_hole = |at: usize| holes.iter().any(|hole| hole.contains(&at));
            let wanted: Vec<u8> =
                bytes.iter().enumerate().map(|(at, byte)| if in_hole(at) { 0 } else { *byte }).collect();
            prop_assert_eq!(kept.into_bytes(), wanted);
        }
    }
}
