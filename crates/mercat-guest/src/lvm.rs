//! LVM2: labels of physical volumes, their metadata, and the logical volumes that lie in one piece after
//! the other.
//!
//! All other kinds (striped, mirrored, thin, snapshots, RAID, caches) are known by name only.

mod group;
mod text;

pub(super) use group::groups;

use super::bytes::{le32, le64, part};
use super::table::SECTOR;
use crate::ReadError;
use mercat_disk::ReadAt;
use std::ops::Range;
use std::sync::Arc;

const LABEL: &[u8; 8] = b"LABELONE";
const KIND: &[u8; 8] = b"LVM2 001";
const AREA_MAGIC: &[u8; 16] = b" LVM2 x[5A%r0N*>";
const CRC_START: u32 = 0xf597_a6cf;
const AREA_HEADER: u64 = 512;
const AREAS_MAX: usize = 8;
/// The text of a group with thousands of volumes.
const TEXT_BYTES_MAX: u64 = 8 << 20;
/// A metadata area that its owner switched off.
const IGNORED: u32 = 1;

/// A physical volume.
pub(super) struct Physical {
    /// First byte on the disk.
    pub(super) start: u64,
    pub(super) size: u64,
    /// Without the dashes that metadata has in it.
    pub(super) id: String,
    /// The committed metadata of its areas, with the place where it begins.
    pub(super) metadata: Vec<(u64, Vec<u8>)>,
    /// Whether it has areas for metadata at all.
    pub(super) has_areas: bool,
}

/// The checksum of LVM2: CRC-32 with a start of its own and no inversion.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(!CRC_START);
    hasher.update(bytes);
    !hasher.finalize()
}

/// Reads the physical volume in a part of the disk whose label was seen.
pub(super) fn physical(disk: &dyn ReadAt, start: u64, size: u64) -> Result<Physical, ReadError> {
    let mut front = vec![0; usize::try_from(size.min(4 * SECTOR)).unwrap_or(0)];
    disk.read_at(start, &mut front)?;
    let is_label = |sector: &[u8]| sector.starts_with(LABEL) && part(sector, 24, 8) == KIND;
    let labels: Vec<usize> = (0..4).filter(|index| is_label(part(&front, 512 * index, 512))).collect();
    let refuse = |what: &str| Err(ReadError::refused("LVM-01", start, format!("an LVM label {what}")));
    let &[index] = labels.as_slice() else {
        return refuse("comes more than once, or ends early");
    };
    let label = part(&front, 512 * index, 512);
    if le64(label, 8) != index as u64 || checksum(part(label, 20, 492)) != le32(label, 16) {
        return refuse("has a wrong checksum or is in another sector than it says");
    }
    let header = label.get(usize::try_from(le32(label, 20)).unwrap_or(usize::MAX)..).unwrap_or(&[]);
    let Ok(id) = String::from_utf8(part(header, 0, 32).to_vec()) else {
        return refuse("has an id that is no text");
    };
    if id.len() != 32 || le64(header, 32) > size {
        return refuse(&format!("is of a volume of {} bytes in {size}", le64(header, 32)));
    }
    // Two lists, each ended by zeros: where data may be, and where metadata is.
    let mut at = 40;
    while le64(header, at) != 0 {
        at += 16;
    }
    at += 16;
    let mut found = Physical { start, size, id, metadata: Vec::new(), has_areas: false };
    let mut areas = 0;
    while le64(header, at) != 0 {
        areas += 1;
        if areas > AREAS_MAX {
            return refuse("has too many metadata areas");
        }
        area(disk, &mut found, le64(header, at), le64(header, at + 8))?;
        at += 16;
    }
    Ok(found)
}

/// Reads the committed metadata of one area, which is a ring.
fn area(disk: &dyn ReadAt, physical: &mut Physical, offset: u64, size: u64) -> Result<(), ReadError> {
    let at = physical.start.saturating_add(offset);
    let refuse = |what: &str| Err(ReadError::refused("LVM-02", at, format!("an LVM metadata area {what}")));
    if offset.checked_add(size).is_none_or(|end| end > physical.size) || size < 2 * AREA_HEADER {
        return refuse(&format!("of {size} bytes that is not inside its volume"));
    }
    let mut header = [0; AREA_HEADER as usize];
    disk.read_at(at, &mut header)?;
    if part(&header, 4, 16) != AREA_MAGIC || checksum(part(&header, 4, 508)) != le32(&header, 0) {
        return refuse("has no magic or a wrong checksum");
    }
    if le32(&header, 20) != 1 || le64(&header, 24) != offset || le64(&header, 32) != size {
        return refuse("is of another version or belongs elsewhere");
    }
    let (first, length) = (le64(&header, 40), le64(&header, 48));
    physical.has_areas |= le32(&header, 60) & IGNORED == 0;
    if first == 0 || length == 0 || le32(&header, 60) & IGNORED != 0 {
        return Ok(());
    }
    if !(AREA_HEADER..size).contains(&first) || length > TEXT_BYTES_MAX.min(size - AREA_HEADER) {
        return refuse(&format!("has {length} bytes of text at {first}"));
    }
    let mut text = vec![0; usize::try_from(length).unwrap_or(0)];
    let straight = usize::try_from(length.min(size - first)).unwrap_or(0);
    let (front, wrapped) = text.split_at_mut(straight);
    disk.read_at(at + first, front)?;
    disk.read_at(at + AREA_HEADER, wrapped)?;
    if checksum(&text) != le32(&header, 56) {
        return refuse("has text with a wrong checksum");
    }
    physical.metadata.push((at + first, text));
    Ok(())
}

/// A logical volume: pieces of the disk, one after the other.
pub(super) struct Pieces {
    disk: Arc<dyn ReadAt>,
    /// First byte in the volume, bytes, first byte on the disk; no gaps.
    pieces: Vec<(u64, u64, u64)>,
    size: u64,
}

impl Pieces {
    pub(super) fn new(disk: Arc<dyn ReadAt>, pieces: &[Range<u64>]) -> Self {
        let mut size = 0;
        let mut found = Vec::new();
        for piece in pieces {
            let length = piece.end - piece.start;
            found.push((size, length, piece.start));
            size += length;
        }
        Self { disk, pieces: found, size }
    }

    /// Where a range of the volume is on the disk.
    pub(super) fn on_disk(&self, mut range: Range<u64>) -> Vec<Range<u64>> {
        let mut found = Vec::new();
        while let Some((start, length, from)) = self.piece(range.start).filter(|_| !range.is_empty()) {
            let skip = range.start - start;
            let count = (length - skip).min(range.end - range.start);
            found.push(from + skip..from + skip + count);
            range.start += count;
        }
        found
    }

    /// The piece that has a byte of the volume.
    fn piece(&self, at: u64) -> Option<&(u64, u64, u64)> {
        let index = self.pieces.partition_point(|(start, length, _)| start + length <= at);
        self.pieces.get(index)
    }
}

impl ReadAt for Pieces {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.size) {
            return Err(mercat_disk::past_the_end(offset, buffer.len()));
        }
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let Some((start, length, from)) = self.piece(at) else { break };
            let skip = at - start;
            let left = usize::try_from(length - skip).unwrap_or(usize::MAX);
            let count = left.min(buffer.len() - done);
            self.disk.read_at(from + skip, &mut buffer[done..done + count])?;
            done += count;
        }
        Ok(())
    }

    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        let mut at = offset;
        while let Some((start, length, from)) = self.piece(at).filter(|_| at < self.size) {
            let skip = at - start;
            let end = from + length;
            let found = self.disk.next_data(from + skip)?.filter(|data| data.start < end);
            if let Some(data) = found {
                let first = data.start.max(from + skip);
                return Ok(Some(start + (first - from)..start + (data.end.min(end) - from)));
            }
            at = start + length;
        }
        Ok(None)
    }
}
