//! Layers: one pass from compressed blob to tar entries, with both digests taken on the way.

mod gzip;
mod hashing;
pub mod tar;
mod zstd;

pub use self::zstd::ZstdReader;
pub use gzip::GzipReader;
pub use hashing::{Hashed, HashingReader};

use crate::ReadError;
use crate::oci::Compression;
use std::io::{BufReader, Read};

/// Caps of one layer, from the policy pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Unpacked bytes.
    pub unpacked_bytes: u64,
    /// Unpacked bytes per packed byte, once 64 MiB are unpacked.
    pub ratio: u64,
    /// Entries.
    pub entries: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self { unpacked_bytes: 64 << 30, ratio: 100, entries: 5_000_000 }
    }
}

const RATIO_FREE_BYTES: u64 = 64 << 20;
const BUFFER_BYTES: usize = 256 << 10;

enum Inner<R: Read> {
    Plain(HashingReader<R>),
    Gzip(Box<GzipReader<BufReader<HashingReader<R>>>>),
    Zstd(Box<ZstdReader<BufReader<HashingReader<R>>>>),
}

/// The uncompressed bytes of a layer. Ends only when the compressed stream was read to its last byte.
pub struct LayerReader<R: Read> {
    inner: Inner<R>,
    caps: Caps,
    unpacked: u64,
}

impl<R: Read> LayerReader<R> {
    /// Opens a blob.
    pub fn new(blob: R, compression: Compression, caps: Caps) -> Self {
        let blob = HashingReader::new(blob);
        let inner = match compression {
            Compression::None => Inner::Plain(blob),
            Compression::Gzip => {
                Inner::Gzip(Box::new(GzipReader::new(BufReader::with_capacity(BUFFER_BYTES, blob))))
            }
            Compression::Zstd => {
                Inner::Zstd(Box::new(ZstdReader::new(BufReader::with_capacity(BUFFER_BYTES, blob))))
            }
        };
        Self { inner, caps, unpacked: 0 }
    }

    /// What the blob holds beside the layer and what is needed to unpack it. Empty before something was read.
    pub fn aside(&self) -> &[u8] {
        match &self.inner {
            Inner::Gzip(reader) => reader.aside(),
            // Frames that are skipped are refused.
            Inner::Plain(_) | Inner::Zstd(_) => &[],
        }
    }

    /// Digest and size of the blob as far as it was read.
    pub fn finish(self) -> Hashed {
        match self.inner {
            Inner::Plain(blob) => blob.finish(),
            Inner::Gzip(reader) => reader.into_inner().into_inner().finish(),
            Inner::Zstd(reader) => reader.into_inner().into_inner().finish(),
        }
    }

    fn packed(&self) -> u64 {
        match &self.inner {
            Inner::Plain(blob) => blob.count(),
            Inner::Gzip(reader) => reader.get_ref().get_ref().count(),
            Inner::Zstd(reader) => reader.get_ref().get_ref().count(),
        }
    }
}

impl<R: Read> Read for LayerReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = match &mut self.inner {
            Inner::Plain(reader) => reader.read(buffer),
            Inner::Gzip(reader) => reader.read(buffer),
            Inner::Zstd(reader) => reader.read(buffer),
        }?;
        self.unpacked += count as u64;
        let packed = self.packed();
        if self.unpacked > self.caps.unpacked_bytes {
            let what = format!("more than {} unpacked bytes", self.caps.unpacked_bytes);
            return Err(ReadError::refused("LAY-04", packed, what).into());
        }
        if self.unpacked > RATIO_FREE_BYTES && self.unpacked / self.caps.ratio.max(1) > packed {
            let what =
                format!("{} bytes unpacked from {packed}: more than {} to 1", self.unpacked, self.caps.ratio);
            return Err(ReadError::refused("LAY-05", packed, what).into());
        }
        Ok(count)
    }
}
