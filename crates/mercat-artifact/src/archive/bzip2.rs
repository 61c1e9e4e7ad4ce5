//! bzip2, in as little memory as it can be read in.

use bzip2::{Decompress, Status};
use std::io::{self, BufRead, Read};

/// Decompresses bzip2, one stream behind the other as `pbzip2` writes them, with 2.5 bytes of memory for a byte of a block
/// in place of 4: a block has up to 900,000 bytes, and archives stand inside archives. It takes twice as long.
pub struct Bzip2Reader<R> {
    inner: R,
    /// Of the stream in which the reader is.
    stream: Option<Decompress>,
}

impl<R: BufRead> Bzip2Reader<R> {
    /// At the beginning of the first stream.
    pub fn new(inner: R) -> Self {
        Self { inner, stream: None }
    }
}

impl<R: BufRead> Read for Bzip2Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let input = self.inner.fill_buf()?;
            if self.stream.is_none() && input.is_empty() {
                return Ok(0);
            }
            let stream = self.stream.get_or_insert_with(|| Decompress::new(true));
            let before = (stream.total_in(), stream.total_out());
            let done = stream.decompress(input, buffer);
            let used = usize::try_from(stream.total_in() - before.0).map_err(io::Error::other)?;
            let count = usize::try_from(stream.total_out() - before.1).map_err(io::Error::other)?;
            let was_last = input.is_empty();
            self.inner.consume(used);
            match done {
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                Ok(Status::StreamEnd) => self.stream = None,
                Ok(_) if was_last && count == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
            }
            if count > 0 {
                return Ok(count);
            }
        }
    }
}
