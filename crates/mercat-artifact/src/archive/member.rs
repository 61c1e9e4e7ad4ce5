//! A stream that members are cut out of.

use crate::ReadError;
use std::io::{self, Read};

/// Where the stream stands, and how it says that it ended too early.
pub(super) struct Source<'r> {
    inner: &'r mut dyn Read,
    pub(super) offset: u64,
    /// The code of a stream that ends early.
    short: &'static str,
}

impl<'r> Source<'r> {
    pub(super) fn new(inner: &'r mut dyn Read, short: &'static str) -> Self {
        Self { inner, offset: 0, short }
    }

    pub(super) fn refused(&self, code: &'static str, what: impl Into<String>) -> ReadError {
        ReadError::refused(code, self.offset, what)
    }

    /// Fills the buffer as far as the stream goes.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let mut have = 0;
        while have < buffer.len() {
            match self.inner.read(&mut buffer[have..]) {
                Ok(0) => break,
                Ok(count) => have += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.offset += have as u64;
        Ok(have)
    }

    /// Fills the buffer or refuses.
    pub(super) fn exact(&mut self, buffer: &mut [u8], what: &str) -> Result<(), ReadError> {
        if self.fill(buffer)? < buffer.len() {
            return Err(self.refused(self.short, format!("the archive ends inside {what}")));
        }
        Ok(())
    }

    /// Reads `count` bytes, which the caller has bounded.
    pub(super) fn bytes(&mut self, count: usize, what: &str) -> Result<Vec<u8>, ReadError> {
        let mut out = vec![0; count];
        self.exact(&mut out, what)?;
        Ok(out)
    }

    pub(super) fn skip(&mut self, count: u64, what: &str) -> Result<(), ReadError> {
        self.body(count, what).drain()
    }

    /// The next bytes as a member of their own.
    pub(super) fn body<'b>(&'b mut self, size: u64, name: &'b str) -> Body<'b, 'r> {
        Body { source: self, left: size, name, sum: 0 }
    }
}

/// The content of one member.
pub(super) struct Body<'b, 'r> {
    source: &'b mut Source<'r>,
    left: u64,
    name: &'b str,
    /// Sum of the bytes that passed, modulo 2^32 (cpio's checksum).
    pub(super) sum: u32,
}

impl Body<'_, '_> {
    /// Passes over what was left unread.
    pub(super) fn drain(&mut self) -> Result<(), ReadError> {
        let mut buffer = [0; 16 << 10];
        while self.read(&mut buffer)? > 0 {}
        Ok(())
    }
}

impl Read for Body<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let count = self.source.inner.read(&mut buffer[..want])?;
        if count == 0 {
            let what = format!("the archive ends {} bytes inside {:?}", self.left, self.name);
            return Err(self.source.refused(self.source.short, what).into());
        }
        self.left -= count as u64;
        self.source.offset += count as u64;
        self.sum = buffer[..count].iter().fold(self.sum, |sum, byte| sum.wrapping_add(u32::from(*byte)));
        Ok(count)
    }
}

/// The text of a name; bytes that are no UTF-8 are replaced.
pub(super) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
