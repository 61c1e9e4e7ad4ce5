//! Bytes that are read by position, for readers that go back and forth in them.

use mercat_artifact::Positioned;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::OnceLock;

/// Bytes that are read ahead: enough for a header, and little for those who jump from one to the next.
const AHEAD_BYTES: usize = 8 << 10;

/// Keeps the first failure, which readers take for damage of what they read.
pub(crate) struct Watched<'b> {
    bytes: &'b dyn Positioned,
    failed: OnceLock<io::Error>,
}

impl<'b> Watched<'b> {
    pub(crate) fn new(bytes: &'b dyn Positioned) -> Self {
        Self { bytes, failed: OnceLock::new() }
    }

    /// What failed.
    pub(crate) fn failed(self) -> Option<io::Error> {
        self.failed.into_inner()
    }

    fn watch<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let told = io::Error::from(error.kind());
            // Only the first is told.
            let _ = self.failed.set(error);
            told
        })
    }
}

impl Positioned for Watched<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.watch(self.bytes.read_exact_at(buffer, offset))
    }

    fn length(&self) -> io::Result<u64> {
        self.watch(self.bytes.length())
    }
}

/// A reader with a place in the bytes.
pub(crate) struct Seeking<'b> {
    bytes: &'b dyn Positioned,
    size: u64,
    at: u64,
    /// Bytes that were read ahead, and where they begin.
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl<'b> Seeking<'b> {
    /// At the beginning.
    ///
    /// # Errors
    /// When it cannot be told how many bytes there are.
    pub(crate) fn new(bytes: &'b dyn Positioned) -> io::Result<Self> {
        Ok(Self { bytes, size: bytes.length()?, at: 0, ahead: Vec::new(), ahead_at: 0 })
    }

    /// What of the bytes at this place was read ahead.
    fn near(&self) -> &[u8] {
        let from = self.at.checked_sub(self.ahead_at).and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.ahead.get(from..)).unwrap_or_default()
    }
}

impl Read for Seeking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        if self.near().is_empty() {
            if wanted >= AHEAD_BYTES {
                self.bytes.read_exact_at(&mut buffer[..wanted], self.at)?;
                self.at += wanted as u64;
                return Ok(wanted);
            }
            let mut ahead = std::mem::take(&mut self.ahead);
            ahead.resize(AHEAD_BYTES.min(left), 0);
            self.bytes.read_exact_at(&mut ahead, self.at)?;
            (self.ahead, self.ahead_at) = (ahead, self.at);
        }
        let near = self.near();
        let count = near.len().min(wanted);
        buffer[..count].copy_from_slice(&near[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Seeking<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests;
