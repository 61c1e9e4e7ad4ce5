//! Zstandard (RFC 8878): data frames only, windows up to 128 MiB, nothing after the last frame.
//!
//! Skippable frames are refused in layers: their content is shown to nobody, yet some runtimes act on it.

use crate::ReadError;
use crate::archive::{self, Format};
use std::io::{BufRead, Read};
use zstd::stream::raw::{DParameter, Decoder, Operation};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const WINDOW_LOG_MAX: u32 = 27;

/// A strict Zstandard reader.
pub struct ZstdReader<R> {
    inner: R,
    decoder: Option<Decoder<'static>>,
    /// That of the frame before, for the next: to make one takes longer than a small frame.
    spare: Option<Decoder<'static>>,
    /// Whether skippable frames are passed over.
    skips: bool,
    pending: [u8; 4],
    pending_used: usize,
    frames: u64,
    done: bool,
    offset: u64,
    window_log_max: u32,
}

impl<R: BufRead> ZstdReader<R> {
    /// Wraps a reader that stands at a frame.
    pub fn new(inner: R) -> Self {
        Self::within(inner, WINDOW_LOG_MAX)
    }

    /// The same for frames with windows of at most `2^window_log_max` bytes; those with more are `ZST-05`.
    pub fn within(inner: R, window_log_max: u32) -> Self {
        let window_log_max = window_log_max.min(WINDOW_LOG_MAX);
        let (pending, pending_used) = ([0; 4], 4);
        Self {
            inner,
            decoder: None,
            spare: None,
            skips: false,
            pending,
            pending_used,
            frames: 0,
            done: false,
            offset: 0,
            window_log_max,
        }
    }

    /// Passes over skippable frames, as programs do that unpack files.
    pub fn skipping(self) -> Self {
        Self { skips: true, ..self }
    }

    /// The reader below.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// Gives the reader below back.
    pub fn into_inner(self) -> R {
        self.inner
    }

    fn refused(&self, code: &'static str, what: impl Into<String>) -> ReadError {
        ReadError::refused(code, self.offset, what)
    }

    /// Begins the next frame; `false` at the end of the stream.
    fn begin(&mut self) -> Result<bool, ReadError> {
        let (magic, have) = loop {
            let mut magic = [0; 4];
            let mut have = 0;
            while have < 4 {
                match self.inner.read(&mut magic[have..])? {
                    0 => break,
                    count => have += count,
                }
            }
            let is_skippable = have == 4 && magic[1..] == [0x2a, 0x4d, 0x18] && magic[0] & 0xf0 == 0x50;
            if is_skippable && !self.skips {
                return Err(self.refused("ZST-03", "a skippable zstd frame"));
            }
            if !is_skippable {
                break (magic, have);
            }
            self.skip(magic)?;
        };
        if have == 0 && self.frames > 0 {
            return Ok(false);
        }
        if have < 4 || magic != MAGIC {
            let code = if self.frames == 0 { "ZST-01" } else { "ZST-04" };
            return Err(self.refused(code, "bytes that do not begin a zstd frame"));
        }
        let decoder = match self.spare.take() {
            Some(mut decoder) => {
                decoder.reinit()?;
                decoder
            }
            None => {
                let mut decoder = Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(self.window_log_max))?;
                decoder
            }
        };
        self.decoder = Some(decoder);
        self.pending = magic;
        self.pending_used = 0;
        self.frames += 1;
        Ok(true)
    }

    /// Passes over the rest of a skippable frame (RFC 8878, 3.1.2). Readers of zip and of tar do not: to them it may be, or
    /// hold, an archive.
    fn skip(&mut self, magic: [u8; 4]) -> Result<(), ReadError> {
        const HEAD_BYTES: u64 = 512;
        let mut head = magic.to_vec();
        self.inner.by_ref().take(4).read_to_end(&mut head)?;
        let size = head[4..].try_into().map(u32::from_le_bytes).map_or(0, u64::from);
        self.inner.by_ref().take(size.min(HEAD_BYTES)).read_to_end(&mut head)?;
        let held = head.get(8..).and_then(archive::detect).filter(|format| format.is_sure());
        if let Some(format) = held.or(archive::is_tar(&head).then_some(Format::Tar)) {
            return Err(
                self.refused("ZST-03", format!("a skippable zstd frame with {} in it", format.name()))
            );
        }
        let left = size.saturating_sub(HEAD_BYTES);
        let passed = std::io::copy(&mut self.inner.by_ref().take(left), &mut std::io::sink())?;
        if passed < left || (head.len() as u64) < 8 + size.min(HEAD_BYTES) {
            return Err(self.refused("ZST-06", "the stream ends inside a zstd frame"));
        }
        self.offset += 8 + size;
        Ok(())
    }
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while !self.done && !buffer.is_empty() {
            if self.decoder.is_none() && !self.begin()? {
                self.done = true;
                break;
            }
            let Some(decoder) = &mut self.decoder else { break };
            let from_magic = self.pending_used < 4;
            let input =
                if from_magic { &self.pending[self.pending_used..] } else { self.inner.fill_buf()? };
            let at_end = input.is_empty();
            let status = decoder.run_on_buffers(input, buffer);
            let status = status.map_err(|error| {
                let code = if error.to_string().contains("memory") { "ZST-05" } else { "ZST-02" };
                ReadError::refused(code, self.offset, format!("zstd: {error}"))
            })?;
            if from_magic {
                self.pending_used += status.bytes_read;
            } else {
                self.inner.consume(status.bytes_read);
            }
            self.offset += status.bytes_read as u64;
            if status.remaining == 0 {
                self.spare = self.decoder.take();
            } else if at_end && status.bytes_written == 0 {
                return Err(self.refused("ZST-06", "the stream ends inside a zstd frame").into());
            }
            if status.bytes_written > 0 {
                return Ok(status.bytes_written);
            }
        }
        Ok(0)
    }
}
