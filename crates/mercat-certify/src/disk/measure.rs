//! One pass over a disk's data: its identity, and how much of it there is.

use mercat_artifact::ReadError;
use mercat_disk::ReadAt;
use mercat_disk::digest::{DiskDigest, each_data};
use mercat_domain::Digest;

/// What the pass says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) digest: Digest,
    /// Bytes of the blocks that are not all zeros.
    pub(super) data_bytes: u64,
}

/// Reads all data once; tells how many bytes of [`extent`] are done.
pub(super) fn measure(disk: &dyn ReadAt, read: &mut dyn FnMut(u64)) -> Result<Measure, ReadError> {
    let mut digest = DiskDigest::new(disk.size());
    let mut data_bytes = 0;
    each_data(disk, 0, |offset, bytes| {
        digest.data(offset, bytes);
        data_bytes += bytes.len() as u64;
        read(bytes.len() as u64);
        Ok::<_, ReadError>(())
    })?;
    // What is mapped and zero was looked at too.
    read(extent(disk)?.saturating_sub(data_bytes));
    Ok(Measure { digest: digest.finish(), data_bytes })
}

/// Bytes that [`measure`] will read.
pub(super) fn extent(disk: &dyn ReadAt) -> Result<u64, ReadError> {
    let (mut at, mut sum) = (0, 0);
    while let Some(data) = disk.next_data(at)? {
        sum += data.end - data.start.max(at);
        at = data.end;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests;
