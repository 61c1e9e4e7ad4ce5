//! gzip (RFC 1952) with exactly one member, both trailer fields right, and nothing after it.
//!
//! The usual decoders stop at the first member, or stop looking; runtimes read on.

use crate::ReadError;
use flate2::{Decompress, FlushDecompress, Status};
use std::io::{BufRead, Read};

const NAME_BYTES_MAX: u64 = 4096;

enum State {
    Header,
    Body,
    Done,
}

/// A strict gzip reader.
pub struct GzipReader<R> {
    inner: R,
    state: State,
    inflate: Decompress,
    crc: crc32fast::Hasher,
    size: u64,
    offset: u64,
    /// Name, comment and extra fields of the header.
    aside: Vec<u8>,
}

impl<R: BufRead> GzipReader<R> {
    /// Wraps a reader that stands at the header.
    pub fn new(inner: R) -> Self {
        let inflate = Decompress::new(false);
        let crc = crc32fast::Hasher::new();
        Self { inner, state: State::Header, inflate, crc, size: 0, offset: 0, aside: Vec::new() }
    }

    /// The reader below.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// What the header holds beside what is needed to unpack: extra fields, name and comment, a line each. Empty before
    /// something was read.
    pub fn aside(&self) -> &[u8] {
        &self.aside
    }

    /// Gives the reader below back.
    pub fn into_inner(self) -> R {
        self.inner
    }

    fn refused(&self, code: &'static str, what: impl Into<String>) -> ReadError {
        ReadError::refused(code, self.offset, what)
    }

    fn byte(&mut self, seen: &mut crc32fast::Hasher) -> Result<u8, ReadError> {
        let mut byte = [0];
        if self.inner.read(&mut byte)? == 0 {
            return Err(self.refused("GZ-07", "the stream ends inside the gzip header or trailer"));
        }
        seen.update(&byte);
        self.offset += 1;
        Ok(byte[0])
    }

    fn header(&mut self) -> Result<(), ReadError> {
        let mut seen = crc32fast::Hasher::new();
        let mut fixed = [0; 10];
        for at in &mut fixed {
            *at = self.byte(&mut seen)?;
        }
        if fixed[..3] != [0x1f, 0x8b, 8] {
            return Err(self.refused("GZ-01", "not a gzip header"));
        }
        let flags = fixed[3];
        if flags & 0xe0 != 0 {
            return Err(self.refused("GZ-01", "reserved gzip flags are set"));
        }
        if flags & 4 != 0 {
            let length = u16::from_le_bytes([self.byte(&mut seen)?, self.byte(&mut seen)?]);
            for _ in 0..length {
                let byte = self.byte(&mut seen)?;
                self.aside.push(byte);
            }
            self.aside.push(b'\n');
        }
        for _ in [8, 16].into_iter().filter(|flag| flags & flag != 0) {
            let mut count = 0;
            loop {
                let byte = self.byte(&mut seen)?;
                self.aside.push(if byte == 0 { b'\n' } else { byte });
                if byte == 0 {
                    break;
                }
                count += 1;
                if count > NAME_BYTES_MAX {
                    return Err(self.refused("GZ-01", "a gzip name or comment without end"));
                }
            }
        }
        if flags & 2 != 0 {
            let expected = (seen.clone().finalize() & 0xffff) as u16;
            let found = u16::from_le_bytes([self.byte(&mut seen)?, self.byte(&mut seen)?]);
            if found != expected {
                return Err(self.refused("GZ-01", "the gzip header checksum is wrong"));
            }
        }
        Ok(())
    }

    fn trailer(&mut self) -> Result<(), ReadError> {
        let mut fields = [0; 8];
        let mut unused = crc32fast::Hasher::new();
        for at in &mut fields {
            *at = self.byte(&mut unused)?;
        }
        let [a, b, c, d, e, f, g, h] = fields;
        if u32::from_le_bytes([a, b, c, d]) != self.crc.clone().finalize() {
            return Err(self.refused("GZ-03", "the gzip checksum is wrong"));
        }
        if u64::from(u32::from_le_bytes([e, f, g, h])) != self.size & 0xffff_ffff {
            return Err(self.refused("GZ-04", "the gzip length field is wrong"));
        }
        match *self.inner.fill_buf()? {
            [] => Ok(()),
            [0x1f, ..] => Err(self.refused("GZ-05", "a second gzip member follows the first")),
            _ => Err(self.refused("GZ-06", "bytes follow the gzip stream")),
        }
    }

    fn body(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        loop {
            let input = self.inner.fill_buf()?;
            let at_end = input.is_empty();
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let flush = if at_end { FlushDecompress::Finish } else { FlushDecompress::None };
            let status = self.inflate.decompress(input, buffer, flush);
            let used = self.inflate.total_in() - before_in;
            let made = usize::try_from(self.inflate.total_out() - before_out).unwrap_or(buffer.len());
            self.inner.consume(usize::try_from(used).unwrap_or(0));
            self.offset += used;
            let status = status.map_err(|error| self.refused("GZ-02", format!("deflate: {error}")))?;
            self.crc.update(&buffer[..made]);
            self.size += made as u64;
            if status == Status::StreamEnd {
                self.trailer()?;
                self.state = State::Done;
                return Ok(made);
            }
            if made > 0 {
                return Ok(made);
            }
            if at_end {
                return Err(self.refused("GZ-07", "the stream ends inside the compressed data"));
            }
        }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if matches!(self.state, State::Header) {
            self.header()?;
            self.state = State::Body;
        }
        match self.state {
            State::Done => Ok(0),
            _ => Ok(self.body(buffer)?),
        }
    }
}
