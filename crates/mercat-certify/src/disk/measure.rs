//! The identity of a disk, whatever container it came in, and how much of it is data.

use mercat_artifact::ReadError;
use mercat_disk::ReadAt;
use mercat_domain::Digest;
use sha2::{Digest as _, Sha256};

/// Bytes of a chunk: what is stored, sent and compared as one.
pub const CHUNK_BYTES: u64 = 4 << 20;
/// Bytes of the blocks that are counted as data or zeros.
const BLOCK_BYTES: usize = 4096;

/// What one pass over a disk's data says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) digest: Digest,
    /// Bytes of the blocks that are not all zeros.
    pub(super) data_bytes: u64,
}

/// The identity of a disk: SHA-256 over `mercat.disk/1`, the size, and index and SHA-256 of each chunk
/// of 4 MiB that is not all zeros. It does not depend on the container, nor on which zeros it stores.
///
/// # Errors
/// What the container refuses, or bytes that could not be had.
pub fn disk_digest(disk: &dyn ReadAt) -> Result<Digest, ReadError> {
    Ok(measure(disk, &mut |_| {})?.digest)
}

/// Reads every chunk with data once; tells how many bytes each one had.
pub(super) fn measure(disk: &dyn ReadAt, read: &mut dyn FnMut(u64)) -> Result<Measure, ReadError> {
    let size = disk.size();
    let mut hash = Sha256::new().chain_update(format!("mercat.disk/1\n{size}\n"));
    let mut data_bytes = 0;
    let mut buffer = vec![0; usize::try_from(CHUNK_BYTES).unwrap_or(BLOCK_BYTES)];
    let mut at = 0;
    while let Some(data) = disk.next_data(at)? {
        let index = data.start.max(at) / CHUNK_BYTES;
        let start = index * CHUNK_BYTES;
        let length = CHUNK_BYTES.min(size.saturating_sub(start));
        let chunk = &mut buffer[..usize::try_from(length).unwrap_or(0)];
        disk.read_at(start, chunk)?;
        let blocks = chunk.chunks(BLOCK_BYTES).filter(|block| block.iter().any(|byte| *byte != 0));
        let held: usize = blocks.map(<[u8]>::len).sum();
        if held > 0 {
            let digest = mercat_domain::Digest::from_sha256(&Sha256::digest(&*chunk));
            hash.update(format!("{index} {}\n", digest.hex()));
        }
        data_bytes += held as u64;
        read(length);
        at = start.saturating_add(CHUNK_BYTES);
    }
    Ok(Measure { digest: Digest::from_sha256(&hash.finalize()), data_bytes })
}

/// Bytes of the chunks that [`measure`] will read.
pub(super) fn extent(disk: &dyn ReadAt) -> Result<u64, ReadError> {
    let (mut at, mut sum) = (0, 0);
    while let Some(data) = disk.next_data(at)? {
        let start = data.start.max(at) / CHUNK_BYTES * CHUNK_BYTES;
        let end = data.end.max(data.start + 1).div_ceil(CHUNK_BYTES) * CHUNK_BYTES;
        sum += end - start;
        at = end;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_do_not_count_and_places_do() {
        let chunk = usize::try_from(CHUNK_BYTES).expect("fits");
        let mut disk = vec![0_u8; 3 * chunk + 512];
        let empty = disk_digest(&disk).expect("reads");
        let expected = crate::digest_of(format!("mercat.disk/1\n{}\n", disk.len()).as_bytes());
        assert_eq!(empty, expected);
        disk[chunk + 5] = 1;
        let one = measure(&disk, &mut |_| {}).expect("reads");
        assert_eq!(one.data_bytes, 4096);
        let line = format!("1 {}\n", crate::digest_of(&disk[chunk..2 * chunk]).hex());
        let text = format!("mercat.disk/1\n{}\n{line}", disk.len());
        assert_eq!(one.digest, crate::digest_of(text.as_bytes()));
        disk[chunk + 5] = 0;
        disk[2 * chunk + 5] = 1;
        assert_ne!(disk_digest(&disk).expect("reads"), one.digest);
        assert_eq!(extent(&disk).expect("reads"), 4 * CHUNK_BYTES);
    }
}
