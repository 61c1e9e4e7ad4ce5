//! LZ4 frames (LZ4 Frame Format 1.6.4): several in a row; every checksum and declared size is compared.
//!
//! The frames are read here and only their blocks by `lz4_flex`, whose own frame reader takes a stream that
//! ends inside a frame for one that is whole.

use crate::ReadError;
use std::hash::Hasher;
use std::io::{BufRead, Read};
use twox_hash::XxHash32;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// How far back a block may refer into the blocks before it.
const WINDOW_BYTES: usize = 64 << 10;
const STORED: u32 = 1 << 31;

/// The content of LZ4 frames.
///
/// | code | meaning |
/// |---|---|
/// | `LZ4-01` | a header or block that cannot be read, or is of another size than declared |
/// | `LZ4-02` | the stream ends inside a frame |
/// | `LZ4-03` | bytes behind the last frame that begin no other, or a skippable frame |
/// | `LZ4-04` | a wrong checksum |
/// | `LZ4-05` | a frame that needs a dictionary |
pub struct Lz4Reader<R> {
    inner: R,
    frame: Option<Frame>,
    frames: u64,
    offset: u64,
    /// The window and, behind it, the block that was unpacked last.
    out: Vec<u8>,
    taken: usize,
    packed: Vec<u8>,
}

struct Frame {
    linked: bool,
    block_sum: bool,
    block_bytes_max: usize,
    /// Bytes that are still to come, where the frame says how many it has.
    left: Option<u64>,
    sum: Option<XxHash32>,
}

impl<R: BufRead> Lz4Reader<R> {
    /// Wraps a reader that stands at a frame.
    pub fn new(inner: R) -> Self {
        Self { inner, frame: None, frames: 0, offset: 0, out: Vec::new(), taken: 0, packed: Vec::new() }
    }

    fn refused(&self, code: &'static str, what: impl Into<String>) -> ReadError {
        ReadError::refused(code, self.offset, what)
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Result<(), ReadError> {
        let mut have = 0;
        while have < buffer.len() {
            match self.inner.read(&mut buffer[have..])? {
                0 => return Err(self.refused("LZ4-02", "the stream ends inside a frame")),
                count => have += count,
            }
        }
        self.offset += have as u64;
        Ok(())
    }

    fn number(&mut self) -> Result<u32, ReadError> {
        let mut bytes = [0; 4];
        self.exact(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn begin(&mut self) -> Result<Frame, ReadError> {
        let mut magic = [0; 4];
        let code = if self.frames == 0 { "LZ4-01" } else { "LZ4-03" };
        match self.exact(&mut magic) {
            Ok(()) if magic == MAGIC => {}
            Err(ReadError::Io(error)) => return Err(error.into()),
            _ => return Err(self.refused(code, "bytes that begin no frame")),
        }
        let mut head = [0; 2 + 8 + 1];
        self.exact(&mut head[..2])?;
        let (flags, sizes) = (head[0], head[1]);
        if flags & 0xc2 != 0x40 || sizes & 0x8f != 0 || sizes < 0x40 {
            return Err(self.refused("LZ4-01", "another version, or reserved bits, in a frame's header"));
        }
        if flags & 1 != 0 {
            return Err(self.refused("LZ4-05", "a frame that needs a dictionary"));
        }
        let sized = if flags & 8 != 0 { 8 } else { 0 };
        self.exact(&mut head[2..2 + sized + 1])?;
        let (described, sum) = head[..2 + sized + 1].split_at(2 + sized);
        if sum[0] != (XxHash32::oneshot(0, described) >> 8) as u8 {
            return Err(self.refused("LZ4-04", "the checksum of a frame's header is wrong"));
        }
        self.frames += 1;
        Ok(Frame {
            linked: flags & 0x20 == 0,
            block_sum: flags & 0x10 != 0,
            // 64 KiB, 256 KiB, 1 MiB, 4 MiB.
            block_bytes_max: 1 << (8 + 2 * (sizes >> 4)),
            left: (sized > 0).then(|| super::le(&described[2..])),
            sum: (flags & 4 != 0).then(|| XxHash32::with_seed(0)),
        })
    }

    /// Unpacks the next block; `false` at the end of the frame.
    fn block(&mut self, frame: &mut Frame) -> Result<bool, ReadError> {
        let size = self.number()?;
        if size == 0 {
            self.end(frame)?;
            return Ok(false);
        }
        let length = (size & !STORED) as usize;
        if length > frame.block_bytes_max {
            let what = format!("a block of {length} bytes, more than its frame's {}", frame.block_bytes_max);
            return Err(self.refused("LZ4-01", what));
        }
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        let read = self.inner.by_ref().take(length as u64).read_to_end(&mut packed)?;
        self.offset += read as u64;
        if read < length {
            return Err(self.refused("LZ4-02", "the stream ends inside a block"));
        }
        if frame.block_sum && self.number()? != XxHash32::oneshot(0, &packed) {
            return Err(self.refused("LZ4-04", "the checksum of a block is wrong"));
        }
        let keep = if frame.linked { self.out.len().min(WINDOW_BYTES) } else { 0 };
        self.out.drain(..self.out.len() - keep);
        if size & STORED != 0 {
            self.out.extend_from_slice(&packed);
        } else {
            self.out.resize(keep + frame.block_bytes_max, 0);
            let (window, fresh) = self.out.split_at_mut(keep);
            let made = lz4_flex::block::decompress_into_with_dict(&packed, fresh, window);
            let made = made.map_err(|error| self.refused("LZ4-01", format!("a block: {error}")))?;
            self.out.truncate(keep + made);
        }
        self.taken = keep;
        self.packed = packed;
        let fresh = &self.out[keep..];
        if let Some(sum) = &mut frame.sum {
            sum.write(fresh);
        }
        if let Some(left) = &mut frame.left {
            let Some(less) = left.checked_sub(fresh.len() as u64) else {
                return Err(self.refused("LZ4-01", "a frame of more bytes than it declares"));
            };
            *left = less;
        }
        Ok(true)
    }

    fn end(&mut self, frame: &Frame) -> Result<(), ReadError> {
        if let Some(sum) = &frame.sum
            && self.number()? != sum.finish_32()
        {
            return Err(self.refused("LZ4-04", "the checksum of a frame is wrong"));
        }
        if let Some(left @ 1..) = frame.left {
            return Err(self.refused("LZ4-01", format!("a frame of {left} bytes less than it declares")));
        }
        self.out.clear();
        self.taken = 0;
        Ok(())
    }

    fn more(&mut self) -> Result<bool, ReadError> {
        let mut frame = match self.frame.take() {
            Some(frame) => frame,
            None if self.frames > 0 && self.inner.fill_buf()?.is_empty() => return Ok(false),
            None => self.begin()?,
        };
        if self.block(&mut frame)? {
            self.frame = Some(frame);
        }
        Ok(true)
    }
}

impl<R: BufRead> Read for Lz4Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.taken == self.out.len() && !buffer.is_empty() {
            if !self.more()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.out.len() - self.taken);
        buffer[..count].copy_from_slice(&self.out[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}
