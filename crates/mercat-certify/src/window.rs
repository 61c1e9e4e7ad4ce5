//! The bytes of a file that scanners see at a time.

use std::io::{self, Read};
use std::ops::Deref;

/// A buffer of which a part is filled. It is made once: what growing leaves behind stays with the allocator, and clearing
/// what is written over anyway takes time. One for few bytes grows at once to what is asked for, when more come.
#[derive(Debug, Default)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    filled: usize,
}

impl Window {
    /// An empty one for so many bytes.
    pub(crate) fn of(size: usize) -> Self {
        Self { bytes: vec![0; size], filled: 0 }
    }

    /// One with these bytes and no room for more.
    pub(crate) fn exactly(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), filled: bytes.len() }
    }

    /// For how many bytes it is.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Holds these bytes, as many of them as there is room for, and nothing else.
    pub(crate) fn begin_with(&mut self, bytes: &[u8]) {
        self.filled = bytes.len().min(self.bytes.len());
        self.bytes[..self.filled].copy_from_slice(&bytes[..self.filled]);
    }

    /// Forgets what is behind the first bytes.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.filled = self.filled.min(count);
    }

    /// Forgets all but the last bytes.
    pub(crate) fn keep_last(&mut self, count: usize) {
        let from = self.filled.saturating_sub(count);
        self.bytes.copy_within(from..self.filled, 0);
        self.filled -= from;
    }

    /// Reads up to so many bytes behind what is there, and tells whether all of them came; what came before an error
    /// stays.
    ///
    /// # Errors
    /// What the reader gives.
    pub(crate) fn read(&mut self, reader: &mut dyn Read, most: usize) -> io::Result<bool> {
        let wanted = self.filled + most;
        while self.filled < wanted {
            if self.filled == self.bytes.len() {
                self.bytes.resize(wanted, 0);
            }
            let end = self.bytes.len().min(wanted);
            match reader.read(&mut self.bytes[self.filled..end]) {
                Ok(0) => return Ok(false),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.filled == wanted)
    }
}

impl Deref for Window {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

#[cfg(test)]
mod tests;
