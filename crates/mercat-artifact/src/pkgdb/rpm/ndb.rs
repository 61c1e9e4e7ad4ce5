//! ndb, rpm's own database (`lib/backend/ndb/rpmpkg.c` of rpm 4.19): slots that point at blobs.

use super::{Refusal, Take, broken, index, le32, part};

const MAGIC: &[u8] = b"RpmP";
const SLOT_BYTES: usize = 16;
const PAGE_BYTES: usize = 4096;
const BLOCK_BYTES: usize = 16;
const SLOT_PAGES_MAX: usize = 2048;

pub(super) fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Shows the blob of every slot that is in use.
pub(super) fn each(bytes: &[u8], take: Take<'_>) -> Result<(), Refusal> {
    let (version, pages) = (le32(bytes, 4)?, index(le32(bytes, 12)?));
    if version != 0 {
        return Err(Refusal::Unreadable(format!("an ndb database of version {version}")));
    }
    if pages == 0 || pages > SLOT_PAGES_MAX {
        return Err(broken(format!("an ndb database with {pages} pages of slots")));
    }
    // The header takes the place of the first two slots.
    let slots = part(bytes, 2 * SLOT_BYTES, pages * PAGE_BYTES - 2 * SLOT_BYTES)?;
    let mut used: Vec<(usize, usize)> = Vec::new();
    for slot in slots.chunks_exact(SLOT_BYTES) {
        if !slot.starts_with(b"Slot") {
            return Err(broken("an ndb slot without its magic"));
        }
        let number = le32(slot, 4)?;
        if number == 0 {
            continue;
        }
        let (at, blocks) = (index(le32(slot, 8)?), index(le32(slot, 12)?));
        let at = at.checked_mul(BLOCK_BYTES).ok_or_else(|| broken("an ndb blob behind the end"))?;
        let length = blocks.checked_mul(BLOCK_BYTES).ok_or_else(|| broken("an ndb blob behind the end"))?;
        let blob = part(bytes, at, length)?;
        let size = index(le32(blob, 12)?);
        if !blob.starts_with(b"BlbS") || le32(blob, 4)? != number || !blob.ends_with(b"BlbE") {
            return Err(broken(format!("the ndb blob {number} is not where its slot says")));
        }
        used.push((at, at + length));
        take(part(blob, 16, size)?)?;
    }
    used.sort_unstable();
    if used.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Err(broken("two ndb blobs that overlap"));
    }
    Ok(())
}
