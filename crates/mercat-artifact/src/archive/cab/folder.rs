//! One folder of a cabinet: data blocks that unpack to at most 32 KiB each, one after the other.

use super::{le, slice};
use crate::ReadError;
use flate2::{Decompress, FlushDecompress, Status};
use lzxd::{Lzxd, WindowSize};
use std::io::{self, Read};

/// Unpacked bytes of one block, most (MS-CAB 2.4: `cbUncomp`).
const BLOCK_BYTES_MAX: usize = 32 << 10;
/// What MSZIP may grow by (MS-MCI 2.1), and LZX on top of a block.
const PACKED_BYTES_MAX: usize = BLOCK_BYTES_MAX + 6144;

enum Method {
    Stored,
    MsZip,
    Lzx(Box<Lzxd>),
}

pub(super) struct Folder<'b> {
    bytes: &'b [u8],
    at: usize,
    blocks: u64,
    method: Method,
    reserve: usize,
    /// The block that was unpacked last, which is also the dictionary of the next (MSZIP).
    block: Vec<u8>,
    taken: usize,
}

impl<'b> Folder<'b> {
    pub(super) fn new(
        bytes: &'b [u8],
        at: usize,
        blocks: u64,
        kind: u64,
        reserve: usize,
    ) -> Result<Self, ReadError> {
        let method = match (kind & 0xf, kind >> 8 & 0x1f) {
            (0, _) => Method::Stored,
            (1, _) => Method::MsZip,
            (3, bits) => Method::Lzx(Box::new(Lzxd::new(window(bits).ok_or_else(|| {
                ReadError::refused("CAB-06", at as u64, format!("LZX with a window of 2^{bits} bytes"))
            })?))),
            (2, _) => return Err(ReadError::refused("CAB-06", at as u64, "Quantum compression")),
            (other, _) => {
                return Err(ReadError::refused("CAB-06", at as u64, format!("compression type {other}")));
            }
        };
        Ok(Self { bytes, at, blocks, method, reserve, block: Vec::new(), taken: 0 })
    }

    pub(super) fn file(&mut self, size: u64) -> FileReader<'_, 'b> {
        FileReader { folder: self, left: size }
    }

    /// Bytes of a folder that no file covers are refused: readers that go by file would not see them.
    pub(super) fn finish(&mut self) -> Result<(), ReadError> {
        if self.taken < self.block.len() || self.blocks > 0 {
            return Err(ReadError::refused("CAB-07", self.at as u64, "data that belongs to no file"));
        }
        Ok(())
    }

    fn damaged(&self, what: impl Into<String>) -> ReadError {
        ReadError::refused("CAB-05", self.at as u64, what)
    }

    /// Unpacks the next block; `false` behind the last.
    fn next(&mut self) -> Result<bool, ReadError> {
        if self.blocks == 0 {
            return Ok(false);
        }
        self.blocks -= 1;
        let head = slice(self.bytes, self.at, 8, "a data block's header")?;
        let packed = usize::try_from(le(&head[4..6])).unwrap_or(0);
        let unpacked = usize::try_from(le(&head[6..8])).unwrap_or(0);
        if unpacked == 0 {
            let what = "a data block that goes on in another cabinet";
            return Err(ReadError::refused("CAB-04", self.at as u64, what));
        }
        if unpacked > BLOCK_BYTES_MAX || packed > PACKED_BYTES_MAX {
            let what = format!(
                "a data block of {packed} packed and {unpacked} unpacked bytes; at most {PACKED_BYTES_MAX} \
                 and {BLOCK_BYTES_MAX} are read"
            );
            return Err(self.damaged(what));
        }
        let whole = slice(self.bytes, self.at + 4, 4 + self.reserve + packed, "a data block")?;
        let sum = le(&head[..4]);
        if sum != 0 && sum != u64::from(checksum(&whole[4 + self.reserve..], checksum(&head[4..], 0))) {
            return Err(ReadError::refused(
                "CAB-03",
                self.at as u64,
                "the checksum of a data block is wrong",
            ));
        }
        self.unpack(&whole[4 + self.reserve..], unpacked)?;
        self.taken = 0;
        self.at += 8 + self.reserve + packed;
        Ok(true)
    }

    fn unpack(&mut self, packed: &[u8], size: usize) -> Result<(), ReadError> {
        let at = self.at as u64;
        match &mut self.method {
            Method::Stored => {
                if packed.len() != size {
                    return Err(self.damaged(format!("{} stored bytes, {size} declared", packed.len())));
                }
                self.block = packed.to_vec();
            }
            Method::MsZip => self.block = inflate(packed, &self.block, size, at)?,
            Method::Lzx(decoder) => {
                let block = decoder.decompress_next(packed, size);
                let block =
                    block.map_err(|error| ReadError::refused("CAB-05", at, format!("LZX: {error}")))?;
                self.block = block.to_vec();
            }
        }
        Ok(())
    }
}

/// One MSZIP block: `CK`, then deflate whose dictionary is the block before it.
fn inflate(packed: &[u8], dictionary: &[u8], size: usize, at: u64) -> Result<Vec<u8>, ReadError> {
    let refused = |what: String| ReadError::refused("CAB-05", at, what);
    let Some(deflated) = packed.strip_prefix(b"CK") else {
        return Err(refused("an MSZIP block without its signature".into()));
    };
    let mut decoder = Decompress::new(false);
    if !dictionary.is_empty() {
        decoder.set_dictionary(dictionary).map_err(|error| refused(format!("deflate: {error}")))?;
    }
    let mut out = vec![0; size];
    let status = decoder.decompress(deflated, &mut out, FlushDecompress::Finish);
    let status = status.map_err(|error| refused(format!("deflate: {error}")))?;
    if status != Status::StreamEnd || decoder.total_out() != size as u64 {
        return Err(refused(format!("a block that does not unpack to its {size} bytes")));
    }
    Ok(out)
}

fn window(bits: u64) -> Option<WindowSize> {
    Some(match bits {
        15 => WindowSize::KB32,
        16 => WindowSize::KB64,
        17 => WindowSize::KB128,
        18 => WindowSize::KB256,
        19 => WindowSize::KB512,
        20 => WindowSize::MB1,
        21 => WindowSize::MB2,
        _ => return None,
    })
}

/// MS-CAB 3.1: the exclusive or of little-endian words; the last bytes are taken big-endian.
fn checksum(bytes: &[u8], seed: u32) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let sum = words.iter().fold(seed, |sum, word| sum ^ u32::from_le_bytes(*word));
    sum ^ rest.iter().fold(0, |last, byte| last << 8 | u32::from(*byte))
}

pub(super) struct FileReader<'f, 'b> {
    folder: &'f mut Folder<'b>,
    left: u64,
}

impl Read for FileReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        if self.folder.taken == self.folder.block.len() && !self.folder.next()? {
            let at = self.folder.at as u64;
            let what = format!("the folder ends {} bytes before a file does", self.left);
            return Err(ReadError::refused("CAB-07", at, what).into());
        }
        let ready = &self.folder.block[self.folder.taken..];
        let count = ready.len().min(buffer.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        buffer[..count].copy_from_slice(&ready[..count]);
        self.folder.taken += count;
        self.left -= count as u64;
        Ok(count)
    }
}
