//! Numbers at fixed places of a structure that was read in full.
//!
//! Every place is a constant of the reader and lies inside its buffer; offsets that come from an
//! image never reach these functions.

use super::ReadAt;
use crate::ReadError;

fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("fields lie inside the structure that was read")
}

pub(super) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(take(bytes, at))
}

pub(super) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(take(bytes, at))
}

pub(super) fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(take(bytes, at))
}

pub(super) fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(take(bytes, at))
}

pub(super) fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(take(bytes, at))
}

pub(super) fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(take(bytes, at))
}

/// Reads a structure; `DSK-05` when it reaches behind the end of the file.
pub(super) fn read_structure(
    file: &dyn ReadAt,
    offset: u64,
    bytes: u64,
    name: &str,
) -> Result<Vec<u8>, ReadError> {
    match offset.checked_add(bytes) {
        Some(end) if end <= file.size() => {}
        _ => return Err(truncated(file, offset, bytes, name)),
    }
    let length = usize::try_from(bytes).map_err(|_| truncated(file, offset, bytes, name))?;
    let mut buffer = vec![0; length];
    file.read_at(offset, &mut buffer)?;
    Ok(buffer)
}

/// The refusal of a structure that reaches behind the end of the file.
pub(super) fn truncated(file: &dyn ReadAt, offset: u64, bytes: u64, name: &str) -> ReadError {
    let size = file.size();
    ReadError::refused(
        "DSK-05",
        offset,
        format!("the {name} of {bytes} bytes ends behind the {size} bytes of the file"),
    )
}
