//! Programs that are read by position: a large one is never in memory as a whole.

use crate::Broken;
use memchr::memmem;
use mercat_artifact::Positioned;
use object::read::ReadCacheOps;
use std::cell::Cell;
use std::ops::Range;

/// Bytes of headers and tables of one program that are read, and kept while it is looked into. The parser reads 256
/// bytes for a name, so that half a million sections fit.
const HEADER_BYTES_MAX: u64 = 192 << 20;
/// Bytes that are searched at a time.
const SEARCHED_BYTES: u64 = 256 << 10;

/// A program inside of another file.
pub(crate) struct Part<'p> {
    pub(crate) program: &'p dyn Positioned,
    pub(crate) start: u64,
    pub(crate) bytes: u64,
}

impl Positioned for Part<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.bytes);
        end.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        self.program.read_exact_at(buffer, self.start + offset)
    }

    fn length(&self) -> std::io::Result<u64> {
        Ok(self.bytes)
    }
}

/// The bytes of a range, unless it leads out of the program.
pub(crate) fn bytes_at(program: &dyn Positioned, range: Range<u64>) -> Result<Option<Vec<u8>>, Broken> {
    if range.end > program.length().map_err(Broken::unread)? {
        return Ok(None);
    }
    let count = range.end.checked_sub(range.start).and_then(|count| usize::try_from(count).ok());
    let Some(count) = count else { return Ok(None) };
    let mut bytes = vec![0; count];
    program.read_exact_at(&mut bytes, range.start).map_err(Broken::unread)?;
    Ok(Some(bytes))
}

/// What `look` makes of the first place of a needle of which it makes something; at most `max` are looked at.
pub(crate) fn first_place<T>(
    program: &dyn Positioned,
    range: Range<u64>,
    needle: &[u8],
    max: usize,
    mut look: impl FnMut(u64) -> Result<Option<T>, Broken>,
) -> Result<Option<T>, Broken> {
    let finder = memmem::Finder::new(needle);
    let mut start = range.start;
    let mut left = max;
    while start < range.end {
        let end = range.end.min(start + SEARCHED_BYTES);
        let Some(bytes) = bytes_at(program, start..end)? else { break };
        for at in finder.find_iter(&bytes) {
            if left == 0 {
                return Ok(None);
            }
            left -= 1;
            if let Some(found) = look(start + at as u64)? {
                return Ok(Some(found));
            }
        }
        if end == range.end {
            break;
        }
        // One that stands across the border.
        start = end - (needle.len() as u64 - 1);
    }
    Ok(None)
}

/// What is read of a program's headers, and whether it was more than any has.
pub(crate) struct Headers<'p> {
    program: &'p dyn Positioned,
    spent: Cell<u64>,
    broken: Cell<Option<std::io::ErrorKind>>,
}

impl<'p> Headers<'p> {
    pub(crate) fn of(program: &'p dyn Positioned) -> Self {
        Self { program, spent: Cell::new(0), broken: Cell::new(None) }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source { headers: self, at: 0 }
    }

    /// # Errors
    /// When there were more of them than are read, or they could not be read.
    pub(crate) fn check(&self) -> Result<(), Broken> {
        if let Some(kind) = self.broken.get() {
            return Err(Broken::unread(kind.into()));
        }
        if self.spent.get() > HEADER_BYTES_MAX {
            return Err(Broken::Beyond(format!("more than {HEADER_BYTES_MAX} bytes of headers")));
        }
        Ok(())
    }
}

/// Reads headers for a parser, which keeps them.
pub(crate) struct Source<'h> {
    headers: &'h Headers<'h>,
    at: u64,
}

impl ReadCacheOps for Source<'_> {
    fn len(&mut self) -> Result<u64, ()> {
        self.headers.program.length().map_err(|error| self.headers.broken.set(Some(error.kind())))
    }

    fn seek(&mut self, at: u64) -> Result<u64, ()> {
        self.at = at;
        Ok(at)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
        let left = self.len()?.saturating_sub(self.at);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        self.read_exact(&mut buffer[..count])?;
        Ok(count)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), ()> {
        let count = buffer.len() as u64;
        // What leads out of the file is the file's fault.
        self.at.checked_add(count).filter(|end| self.len().is_ok_and(|length| *end <= length)).ok_or(())?;
        self.headers.spent.set(self.headers.spent.get().saturating_add(count));
        if self.headers.spent.get() > HEADER_BYTES_MAX {
            return Err(());
        }
        let read = self.headers.program.read_exact_at(buffer, self.at);
        read.map_err(|error| self.headers.broken.set(Some(error.kind())))?;
        self.at += count;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
