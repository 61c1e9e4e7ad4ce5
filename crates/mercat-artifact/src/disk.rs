//! Disk images: one address space of bytes, whatever container it came in.
//!
//! Readers decide the format from content once, refuse what names other files
//! or what two programs could read in two ways, and never read what is not
//! allocated.

use crate::ReadError;
use std::ops::Range;
use std::sync::Arc;

/// Bytes addressed by offset: a file, the guest's disk inside an image, a partition, a volume.
pub trait ReadAt: Send + Sync {
    /// Bytes in the address space.
    fn size(&self) -> u64;

    /// Fills the buffer from an offset. Unallocated ranges read as zeros.
    ///
    /// # Errors
    /// [`ReadError::Refused`] when the structure that maps the range is broken or the range ends
    /// behind [`ReadAt::size`]; [`ReadError::Io`] when the bytes cannot be had.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError>;

    /// The next range that may hold something else than zeros, at or behind an offset;
    /// `None` when only zeros follow. Ranges come in rising order and never reach behind the end.
    ///
    /// # Errors
    /// As [`ReadAt::read_at`].
    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        Ok((offset < self.size()).then(|| offset..self.size()))
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn size(&self) -> u64 {
        (**self).size()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        (**self).read_at(offset, buffer)
    }
    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        (**self).next_data(offset)
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let range = usize::try_from(offset).ok().and_then(|at| self.get(at..at.checked_add(buffer.len())?));
        let bytes = range.ok_or_else(|| past_the_end(offset, buffer.len()))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// The refusal of a read that ends behind the last byte.
pub(crate) fn past_the_end(offset: u64, bytes: usize) -> ReadError {
    ReadError::refused("DSK-03", offset, format!("{bytes} bytes are wanted behind the end"))
}

/// A part of a larger address space, for example a partition.
#[derive(Clone)]
pub struct Window {
    inner: Arc<dyn ReadAt>,
    start: u64,
    size: u64,
}

impl Window {
    /// A window onto `start..start + size`.
    ///
    /// # Errors
    /// `DSK-03` when it reaches behind the end of what lies below.
    pub fn new(inner: Arc<dyn ReadAt>, start: u64, size: u64) -> Result<Self, ReadError> {
        match start.checked_add(size) {
            Some(end) if end <= inner.size() => Ok(Self { inner, start, size }),
            _ => Err(ReadError::refused(
                "DSK-03",
                start,
                format!("a part of {size} bytes reaches behind the end"),
            )),
        }
    }
}

impl ReadAt for Window {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        match offset.checked_add(buffer.len() as u64) {
            Some(end) if end <= self.size => self.inner.read_at(self.start + offset, buffer),
            _ => Err(past_the_end(offset, buffer.len())),
        }
    }
    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        if offset >= self.size {
            return Ok(None);
        }
        let found = self.inner.next_data(self.start + offset)?;
        let end = self.start + self.size;
        Ok(found
            .filter(|data| data.start < end)
            .map(|data| data.start - self.start..data.end.min(end) - self.start))
    }
}
