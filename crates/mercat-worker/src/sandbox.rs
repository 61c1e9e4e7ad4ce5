//! What an inspecting or decoding child may still do: read a few files, and compute.

use mercat_boot::confine::{Limits, Paths, confine as confined};
use std::path::PathBuf;

/// Address space of the child in bytes.
const MEMORY_BYTES: u64 = 6 << 30;
/// Open files of the child.
const FILES: u64 = 128;

/// Confines this process for good. Returns what the kernel enforces.
///
/// # Errors
/// When a limit cannot be set.
pub(crate) fn confine(readable: &[PathBuf], cpu_secs: u64) -> Result<&'static str, String> {
    let paths = Paths { readable: readable.to_vec(), ..Paths::default() };
    confined(&paths, &Limits { memory_bytes: MEMORY_BYTES, cpu_secs, files: FILES, file_bytes: 0 })
}
