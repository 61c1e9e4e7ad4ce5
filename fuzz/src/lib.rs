//! What the fuzz targets call: each function takes any bytes and must come to an end without a panic.

pub mod archives;
pub mod disks;
pub mod documents;
pub mod layers;
pub mod machines;
pub mod sparse;

use std::io::Read;

/// Bytes that one input may unpack to; a reader without end would otherwise look like a slow one.
const READ_BYTES_MAX: u64 = 8 << 20;

/// Reads to the end, or as far as one input may.
fn drain(reader: &mut dyn Read) -> std::io::Result<u64> {
    std::io::copy(&mut reader.take(READ_BYTES_MAX), &mut std::io::sink())
}
