//! One pass over a disk's data: its identity, and how much of it there is.

use mercat_artifact::ReadError;
use mercat_disk::ReadAt;
use mercat_disk::digest::{DiskDigest, PIECE_BYTES, Parts};
use mercat_domain::Digest;
use std::ops::Range;

/// What the pass says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) digest: Digest,
    /// Bytes of the blocks that are not all zeros.
    pub(super) data_bytes: u64,
}

/// Bytes of a disk that are measured at once, in whole pieces of its digest.
const STRETCH_BYTES: u64 = 64 * PIECE_BYTES;

/// What was measured of a stretch: the lines of the digest, and the bytes of data.
pub(super) struct Measured {
    lines: String,
    data_bytes: u64,
}

/// The stretches of a disk that hold something, in their order; they may be measured in any.
///
/// # Errors
/// A container that refuses.
pub(super) fn stretches(disk: &dyn ReadAt) -> Result<Vec<Range<u64>>, ReadError> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(data) = disk.next_data(at)? {
        let start = data.start.max(at) / STRETCH_BYTES * STRETCH_BYTES;
        at = start.saturating_add(STRETCH_BYTES).min(disk.size());
        out.push(start..at);
    }
    Ok(out)
}

/// Reads the data of a stretch once; tells how many bytes of [`extent`] are done.
///
/// # Errors
/// Bytes that could not be had, or a container that refuses.
pub(super) fn measure(
    disk: &dyn ReadAt,
    stretch: &Range<u64>,
    read: &mut dyn FnMut(u64),
) -> Result<Measured, ReadError> {
    let mut digest = DiskDigest::new(disk.size());
    let mut data_bytes = 0;
    Parts::new(disk).each_data(stretch.clone(), |offset, bytes| {
        digest.data(offset, bytes);
        data_bytes += bytes.len() as u64;
        read(bytes.len() as u64);
        Ok::<_, ReadError>(())
    })?;
    // What is mapped and zero was looked at too.
    read(extent_in(disk, stretch)?.saturating_sub(data_bytes));
    Ok(Measured { lines: digest.lines().to_owned(), data_bytes })
}

/// Puts together what was measured of all stretches, in their order.
pub(super) fn whole(disk: &dyn ReadAt, stretches: &[Measured]) -> Measure {
    let lines = stretches.iter().map(|stretch| stretch.lines.as_str()).collect();
    let data_bytes = stretches.iter().map(|stretch| stretch.data_bytes).sum();
    Measure { digest: DiskDigest::resume(disk.size(), lines).finish(), data_bytes }
}

/// Bytes that [`measure`] will read of the whole disk.
///
/// # Errors
/// A container that refuses.
pub(super) fn extent(disk: &dyn ReadAt) -> Result<u64, ReadError> {
    extent_in(disk, &(0..disk.size()))
}

fn extent_in(disk: &dyn ReadAt, stretch: &Range<u64>) -> Result<u64, ReadError> {
    let (mut at, mut sum) = (stretch.start, 0);
    while at < stretch.end
        && let Some(data) = disk.next_data(at)?
    {
        sum += data.end.min(stretch.end).saturating_sub(data.start.max(at));
        at = data.end;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests;
