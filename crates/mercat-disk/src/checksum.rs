//! Checksums of VHDX structures.

/// CRC-32C of the bytes with four bytes taken as zeros: the checksum field itself.
pub(crate) fn crc32c(bytes: &[u8], zeroed_at: usize) -> u32 {
    let (before, rest) = bytes.split_at(zeroed_at.min(bytes.len()));
    let after = rest.get(4..).unwrap_or(&[]);
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4][..rest.len().min(4)]), after)
}
