//! The compressors of squashfs.

use crate::ReadError;
use std::io::{self, Read};

/// Memory that an xz stream may ask for its dictionary, in KiB: of a block of 1 MiB no more is of use.
const XZ_KIB_MAX: u32 = 16 << 10;

/// How blocks are packed, by the number in the superblock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Zlib,
    Xz,
    Lz4,
    Zstd,
}

impl Method {
    /// The method of a number; the name of the file system where it is none that is read here.
    pub(super) fn of(number: u16) -> Result<Self, &'static str> {
        match number {
            1 => Ok(Self::Zlib),
            4 => Ok(Self::Xz),
            5 => Ok(Self::Lz4),
            6 => Ok(Self::Zstd),
            2 => Err("squashfs packed with lzma"),
            3 => Err("squashfs packed with lzo"),
            _ => Err("squashfs packed with an unknown compressor"),
        }
    }

    /// The content of a packed block at `at`, which is more than `max` bytes nowhere.
    pub(super) fn unpack(self, raw: &[u8], max: u64, at: u64) -> Result<Vec<u8>, ReadError> {
        let done = match self {
            Self::Zlib => all(flate2::bufread::ZlibDecoder::new(raw), max),
            Self::Xz => all(lzma_rust2::XzReader::new_mem_limit(raw, false, XZ_KIB_MAX), max),
            Self::Zstd => zstd::Decoder::with_buffer(raw).and_then(|reader| all(reader.single_frame(), max)),
            Self::Lz4 => {
                let mut out = vec![0; usize::try_from(max).unwrap_or(0)];
                lz4_flex::block::decompress_into(raw, &mut out)
                    .map(|count| {
                        out.truncate(count);
                        out
                    })
                    .map_err(io::Error::other)
            }
        };
        done.map_err(|error| {
            ReadError::refused("SQF-03", at, format!("a block does not unpack as {self:?}: {error}"))
        })
    }
}

fn all(reader: impl Read, max: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(max + 1).read_to_end(&mut out)?;
    if out.len() as u64 > max {
        return Err(io::Error::other(format!("more than {max} bytes")));
    }
    Ok(out)
}
