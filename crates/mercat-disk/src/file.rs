//! A file of the host as an address space, with its holes.

use super::{ReadAt, past_the_end};
use crate::ReadError;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// A regular file, read at positions by any number of threads. Its size is taken once: bytes that
/// are appended later are not seen, and a file that shrinks gives [`ReadError::Io`].
#[derive(Debug)]
pub struct FileReadAt {
    file: File,
    size: u64,
}

impl FileReadAt {
    /// Wraps an open file.
    ///
    /// # Errors
    /// When its size cannot be had or it is not a regular file.
    pub fn new(file: File) -> io::Result<Self> {
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self { file, size: about.len() })
    }

    /// Where data or a hole begins at or behind an offset; `None` when neither follows or the file
    /// system does not say.
    fn seek(&self, to: SeekFrom) -> Result<Option<u64>, Errno> {
        match rustix::fs::seek(&self.file, to) {
            Ok(at) => Ok(Some(at)),
            Err(Errno::NXIO) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl ReadAt for FileReadAt {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        match offset.checked_add(buffer.len() as u64) {
            Some(end) if end <= self.size => Ok(self.file.read_exact_at(buffer, offset)?),
            _ => Err(past_the_end(offset, buffer.len())),
        }
    }

    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        if offset >= self.size {
            return Ok(None);
        }
        let rest = offset..self.size;
        let start = match self.seek(SeekFrom::Data(offset)) {
            Ok(Some(start)) if start < self.size => start.max(offset),
            Ok(_) => return Ok(None),
            Err(_) => return Ok(Some(rest)),
        };
        let end = match self.seek(SeekFrom::Hole(start)) {
            Ok(Some(end)) if end > start => end.min(self.size),
            _ => self.size,
        };
        Ok(Some(start..end))
    }
}
