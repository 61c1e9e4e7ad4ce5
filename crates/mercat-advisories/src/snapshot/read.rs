//! Opens a snapshot and looks things up in it.

use super::{
    HEADER, Key, MAGIC, Meta, PAGE, POSTING_BYTES_MAX, Posting, SCHEMA, SLOT, SLOTS, SnapshotError,
    TABLE_BYTES_MAX, TRAILER,
};
use crate::Day;
use mercat_artifact::Positioned;
use sha2::Digest as _;
use std::io;
use std::sync::Arc;

/// An open snapshot. Cheap to clone; it holds the file, the description, and eight bytes a page.
#[derive(Clone)]
pub struct Snapshot {
    file: Arc<dyn Positioned>,
    meta: Arc<Meta>,
    pub(super) fences: Arc<Vec<u64>>,
    pages_at: u64,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Snapshot").field("digest", &self.meta.digest).finish_non_exhaustive()
    }
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Reading past the end means that the file became shorter.
fn fill(file: &dyn Positioned, buffer: &mut [u8], offset: u64) -> Result<(), SnapshotError> {
    file.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => SnapshotError::Truncated { bytes: file.length().unwrap_or(0) },
        _ => SnapshotError::Read(error),
    })
}

fn table(
    file: &dyn Positioned,
    at: u64,
    bytes: u64,
    crc: u32,
    part: &'static str,
) -> Result<Vec<u8>, SnapshotError> {
    let length = usize::try_from(bytes).ok().filter(|_| bytes <= TABLE_BYTES_MAX);
    let mut out = vec![0; length.ok_or(SnapshotError::Damaged { part })?];
    fill(file, &mut out, at)?;
    if crc32c::crc32c(&out) == crc { Ok(out) } else { Err(SnapshotError::Damaged { part }) }
}

impl Snapshot {
    /// Opens a snapshot. What it reads of it does not grow with the records: 88 bytes, the description,
    /// and eight bytes for every 170 packages.
    ///
    /// # Errors
    /// When it is no whole snapshot of this schema, or, given today, when it was imported later.
    pub fn open(file: Arc<dyn Positioned>, today: Option<Day>) -> Result<Self, SnapshotError> {
        let bytes = file.length()?;
        if bytes == 0 {
            return Err(SnapshotError::Empty);
        }
        let mut header = [0; HEADER];
        if bytes < HEADER as u64 {
            return Err(SnapshotError::NotASnapshot);
        }
        fill(&*file, &mut header, 0)?;
        if header[..8] != *MAGIC {
            return Err(SnapshotError::NotASnapshot);
        }
        if word(&header, 8) != SCHEMA {
            return Err(SnapshotError::Schema { found: word(&header, 8) });
        }
        let trailer_at = bytes.checked_sub(TRAILER as u64).filter(|at| *at >= HEADER as u64);
        let mut trailer = [0; TRAILER];
        fill(&*file, &mut trailer, trailer_at.ok_or(SnapshotError::Truncated { bytes })?)?;
        if trailer[TRAILER - 8..] != *MAGIC || number(&trailer, 32) != bytes {
            return Err(SnapshotError::Truncated { bytes });
        }
        if crc32c::crc32c(&trailer[..TRAILER - 12]) != word(&trailer, TRAILER - 12) {
            return Err(SnapshotError::Damaged { part: "trailer" });
        }
        let [pages_at, fences_at, meta_at, meta_bytes] = [0, 8, 16, 24].map(|at| number(&trailer, at));
        let pages = fences_at
            .checked_sub(pages_at)
            .filter(|bytes| bytes % PAGE as u64 == 0)
            .map(|bytes| bytes / PAGE as u64);
        let fences_bytes = meta_at.checked_sub(fences_at);
        if pages.is_none() || fences_bytes != pages.and_then(|pages| pages.checked_mul(8)) {
            return Err(SnapshotError::Damaged { part: "trailer" });
        }
        let fences = table(&*file, fences_at, fences_bytes.unwrap_or(0), word(&trailer, 48), "fences")?;
        let text = table(&*file, meta_at, meta_bytes, word(&trailer, 52), "description")?;
        let meta: Meta =
            postcard::from_bytes(&text).map_err(|_| SnapshotError::Damaged { part: "description" })?;
        if let Some(today) = today.filter(|today| meta.imported > *today) {
            return Err(SnapshotError::Future { imported: meta.imported, today });
        }
        let fences = fences.chunks_exact(8).map(|bytes| number(bytes, 0)).collect();
        Ok(Self { file, meta: Arc::new(meta), fences: Arc::new(fences), pages_at })
    }

    /// What it says about itself.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    fn page(&self, index: usize, page: &mut [u8; PAGE]) -> Result<usize, SnapshotError> {
        fill(&*self.file, page, self.pages_at + (index * PAGE) as u64)?;
        let count = word(page, 0) as usize;
        let right = crc32c::crc32c(&page[..PAGE - 4]) == word(page, PAGE - 4) && (1..=SLOTS).contains(&count);
        if right { Ok(count) } else { Err(SnapshotError::Damaged { part: "pages" }) }
    }

    fn posting(&self, slot: &[u8]) -> Result<Posting, SnapshotError> {
        let damaged = || SnapshotError::Damaged { part: "postings" };
        let (offset, length, crc) = (number(slot, 8), word(slot, 16), word(slot, 20));
        if length > POSTING_BYTES_MAX {
            return Err(damaged());
        }
        let mut bytes = vec![0; length as usize];
        fill(&*self.file, &mut bytes, offset)?;
        if crc32c::crc32c(&bytes) != crc {
            return Err(damaged());
        }
        postcard::from_bytes(&bytes).map_err(|_| damaged())
    }

    /// Everything kept under a key's hash: what is meant is for the caller to tell by the names in it.
    pub(crate) fn find(&self, key: Key<'_>) -> Result<Vec<Posting>, SnapshotError> {
        let hash = key.hash();
        let mut out = Vec::new();
        // The page before the first fence that is not smaller may end with this hash.
        let first = self.fences.partition_point(|fence| *fence < hash).saturating_sub(1);
        let mut page = [0; PAGE];
        for index in first..self.fences.len() {
            if self.fences[index] > hash {
                break;
            }
            let count = self.page(index, &mut page)?;
            let slots = &page[4..4 + count * SLOT];
            let (mut low, mut high) = (0, count);
            while low < high {
                let middle = usize::midpoint(low, high);
                if number(slots, middle * SLOT) < hash { low = middle + 1 } else { high = middle }
            }
            for slot in slots[low * SLOT..].chunks_exact(SLOT).take_while(|slot| number(slot, 0) == hash) {
                out.push(self.posting(slot)?);
            }
        }
        Ok(out)
    }

    /// Gives every posting to a function, in the order of the hashes.
    pub(crate) fn each(&self, mut take: impl FnMut(Posting)) -> Result<(), SnapshotError> {
        let mut page = [0; PAGE];
        for index in 0..self.fences.len() {
            let count = self.page(index, &mut page)?;
            for slot in page[4..4 + count * SLOT].chunks_exact(SLOT) {
                take(self.posting(slot)?);
            }
        }
        Ok(())
    }

    /// Reads the whole file and compares its digest with the one that was recorded at import.
    ///
    /// # Errors
    /// When they differ.
    pub fn verify(&self) -> Result<(), SnapshotError> {
        let end = self.pages_at + (self.fences.len() * PAGE) as u64;
        let mut sha = sha2::Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            fill(&*self.file, &mut buffer[..length], at)?;
            sha.update(&buffer[..length]);
            at += length as u64;
        }
        let digest: String = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if digest == self.meta.digest { Ok(()) } else { Err(SnapshotError::Damaged { part: "content" }) }
    }
}
