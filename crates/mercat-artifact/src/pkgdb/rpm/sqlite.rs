//! The table `Packages(hnum, blob)` of a SQLite file ("Database File Format", sqlite.org): read only, and
//! only as much of the format as that table needs.

use super::{Refusal, Seen, Take, be32, broken, index, part};

const MAGIC: &[u8] = b"SQLite format 3\0";
const INTERIOR: u8 = 5;
const LEAF: u8 = 13;
const DEPTH_MAX: u32 = 20;
const PAYLOAD_BYTES_MAX: u64 = 64 << 20;

pub(super) fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

struct File<'b> {
    bytes: &'b [u8],
    page_bytes: usize,
    /// Bytes of a page without its reserve.
    usable: usize,
    seen: Seen,
}

/// Shows the blob of every row.
pub(super) fn each(bytes: &[u8], take: Take<'_>) -> Result<(), Refusal> {
    let sizes = part(bytes, 16, 5)?;
    let page_bytes = match usize::from(u16::from_be_bytes([sizes[0], sizes[1]])) {
        1 => 65_536,
        size => size,
    };
    let usable = page_bytes.saturating_sub(usize::from(sizes[4]));
    if !page_bytes.is_power_of_two() || page_bytes < 512 || usable < 480 {
        return Err(broken(format!("a SQLite file with pages of {page_bytes} bytes")));
    }
    let pages = bytes.len() / page_bytes;
    let mut file = File { bytes, page_bytes, usable, seen: Seen::new(pages + 1) };
    let mut root = None;
    file.walk(1, 0, &mut |record| {
        let values = record_values(record)?;
        let text = |at: usize| values.get(at).copied().unwrap_or_default();
        if text(0) == b"table" && text(1) == b"Packages" {
            let number = text(3).iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            root = usize::try_from(number).ok();
        }
        Ok(())
    })?;
    let Some(root) = root else { return Err(Refusal::Unreadable("SQLite without Packages".to_owned())) };
    file.walk(root, 0, &mut |record| match record_values(record)?.get(1) {
        Some(blob) => take(blob),
        None => Err(broken("a row of Packages without a blob")),
    })
}

impl<'b> File<'b> {
    fn page(&mut self, number: usize) -> Result<&'b [u8], Refusal> {
        self.seen.visit(number)?;
        let before = number.checked_sub(1).ok_or_else(|| broken("page 0 of a SQLite file"))?;
        let at = before.checked_mul(self.page_bytes).ok_or_else(|| broken("a page behind the end"))?;
        part(self.bytes, at, self.page_bytes)
    }

    /// Shows the record of every row of a table, in the order of rows.
    fn walk(
        &mut self,
        number: usize,
        depth: u32,
        row: &mut dyn FnMut(&[u8]) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if depth > DEPTH_MAX {
            return Err(broken("a SQLite tree that is too deep"));
        }
        let page = self.page(number)?;
        // The file's own header stands in front of the first page's.
        let head = if number == 1 { 100 } else { 0 };
        let kind = part(page, head, 1)?[0];
        let (cells_at, interior) = match kind {
            INTERIOR => (head + 12, true),
            LEAF => (head + 8, false),
            _ => return Err(broken(format!("page {number} of a SQLite file is no page of a table"))),
        };
        let two = part(page, head + 3, 2)?;
        let cells = usize::from(u16::from_be_bytes([two[0], two[1]]));
        for cell in 0..cells {
            let two = part(page, cells_at + 2 * cell, 2)?;
            let at = usize::from(u16::from_be_bytes([two[0], two[1]]));
            if interior {
                self.walk(index(be32(page, at)?), depth + 1, row)?;
            } else {
                row(&self.payload(page, at)?)?;
            }
        }
        if interior {
            self.walk(index(be32(page, head + 8)?), depth + 1, row)?;
        }
        Ok(())
    }

    fn payload(&mut self, page: &'b [u8], at: usize) -> Result<Vec<u8>, Refusal> {
        let (size, at) = varint(page, at)?;
        let (_row, at) = varint(page, at)?;
        if size > PAYLOAD_BYTES_MAX {
            return Err(broken(format!("a row of {size} bytes")));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let most = self.usable - 35;
        let least = (self.usable - 12) * 32 / 255 - 23;
        let local = match size {
            size if size <= most => size,
            size => match least + (size - least) % (self.usable - 4) {
                local if local <= most => local,
                _ => least,
            },
        };
        let mut payload = part(page, at, local)?.to_vec();
        if local < size {
            let mut next = index(be32(page, at + local)?);
            while payload.len() < size {
                let page = self.page(next)?;
                let count = (size - payload.len()).min(self.usable - 4);
                payload.extend_from_slice(part(page, 4, count)?);
                next = index(be32(page, 0)?);
            }
        }
        Ok(payload)
    }
}

/// A number of one to nine bytes, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), Refusal> {
    let mut value = 0_u64;
    for (count, byte) in bytes.get(at..).unwrap_or_default().iter().take(9).enumerate() {
        if count == 8 {
            return Ok((value << 8 | u64::from(*byte), at + 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok((value, at + count + 1));
        }
    }
    Err(broken("a SQLite number without an end"))
}

/// The values of a record as bytes; numbers are big-endian.
fn record_values(record: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let (header, mut at) = varint(record, 0)?;
    let header = usize::try_from(header).unwrap_or(usize::MAX);
    let mut body = header;
    let mut out = Vec::new();
    while at < header {
        let (kind, next) = varint(record, at)?;
        at = next;
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return Err(broken("a SQLite value of a reserved kind")),
            kind => (kind - 12) / 2,
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        out.push(part(record, body, size)?);
        body += size;
    }
    Ok(out)
}
