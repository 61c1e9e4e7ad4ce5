//! The metadata region: sizes of the disk, and whether it has a parent.

use super::format::{
    FILE_PARAMETERS, ITEM_IS_REQUIRED, ITEM_IS_USER, LOGICAL_SECTOR, METADATA_TABLE_BYTES, PAGE_83_DATA,
    PARENT_LOCATOR, PHYSICAL_SECTOR, VIRTUAL_DISK_SIZE,
};
use crate::ReadError;
use crate::fields::{le16, le32, le64, read_structure};
use crate::{ReadAt, check_size};
use std::ops::Range;

const ITEMS_MAX: u16 = 2047;
const LEAVE_BLOCKS_ALLOCATED: u32 = 1;
const HAS_PARENT: u32 = 2;
const BLOCK_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=256 << 20;

pub(super) struct Metadata {
    pub(super) block_bytes: u64,
    pub(super) virtual_bytes: u64,
    pub(super) sector_bytes: u32,
}

struct Item {
    id: [u8; 16],
    user: bool,
    required: bool,
    /// From the start of the region.
    start: u64,
    bytes: u64,
}

impl Metadata {
    pub(super) fn read(file: &dyn ReadAt, region: Range<u64>) -> Result<Self, ReadError> {
        let items = read_items(file, &region)?;
        let at = region.start;
        for item in items.iter().filter(|item| item.user || !is_known(&item.id)) {
            if item.required {
                let what = "a required metadata item of an unknown kind";
                return Err(ReadError::refused("VHX-08", at + item.start, what));
            }
        }
        if items.iter().any(|item| item.id == PARENT_LOCATOR) {
            return Err(ReadError::refused("VHX-10", at, "a parent locator"));
        }
        let value = |id, bytes, name| value(file, &region, &items, id, bytes, name);
        let parameters = value(FILE_PARAMETERS, 8, "file parameters")?;
        let (block_bytes, flags) = (u64::from(le32(&parameters, 0)), le32(&parameters, 4));
        if flags & HAS_PARENT != 0 {
            return Err(ReadError::refused("VHX-10", at, "a differencing disk needs its parent"));
        }
        if flags & !LEAVE_BLOCKS_ALLOCATED != 0 {
            return Err(ReadError::refused("VHX-09", at, format!("file parameter flags {flags:#x}")));
        }
        let virtual_bytes = le64(&value(VIRTUAL_DISK_SIZE, 8, "virtual disk size")?, 0);
        let sector_bytes = le32(&value(LOGICAL_SECTOR, 4, "logical sector size")?, 0);
        let physical_bytes = le32(&value(PHYSICAL_SECTOR, 4, "physical sector size")?, 0);
        let right = block_bytes.is_power_of_two() && BLOCK_BYTES.contains(&block_bytes);
        if !right || ![512, 4096].contains(&sector_bytes) || ![512, 4096].contains(&physical_bytes) {
            let what = format!(
                "blocks of {block_bytes}, logical sectors of {sector_bytes} and physical sectors of \
                 {physical_bytes} bytes"
            );
            return Err(ReadError::refused("VHX-11", at, what));
        }
        check_size(virtual_bytes, at)?;
        if !virtual_bytes.is_multiple_of(u64::from(sector_bytes)) {
            return Err(ReadError::refused("DSK-06", at, format!("a disk of {virtual_bytes} bytes")));
        }
        Ok(Self { block_bytes, virtual_bytes, sector_bytes })
    }
}

fn is_known(id: &[u8; 16]) -> bool {
    [FILE_PARAMETERS, VIRTUAL_DISK_SIZE, PAGE_83_DATA, LOGICAL_SECTOR, PHYSICAL_SECTOR, PARENT_LOCATOR]
        .contains(id)
}

fn read_items(file: &dyn ReadAt, region: &Range<u64>) -> Result<Vec<Item>, ReadError> {
    let table = read_structure(file, region.start, METADATA_TABLE_BYTES, "metadata table")?;
    let count = le16(&table, 10);
    if !table.starts_with(b"metadata") || count > ITEMS_MAX {
        let what = format!("no metadata table, or one with {count} items");
        return Err(ReadError::refused("VHX-09", region.start, what));
    }
    let mut items = Vec::with_capacity(usize::from(count));
    for index in 0..usize::from(count) {
        let entry = &table[32 + index * 32..64 + index * 32];
        let id = *entry.first_chunk().expect("the entry has 32 bytes");
        let flags = le32(entry, 24);
        let item = Item {
            id,
            user: flags & ITEM_IS_USER != 0,
            required: flags & ITEM_IS_REQUIRED != 0,
            start: u64::from(le32(entry, 16)),
            bytes: u64::from(le32(entry, 20)),
        };
        let inside =
            item.start >= METADATA_TABLE_BYTES && item.start + item.bytes <= region.end - region.start;
        if !inside && (item.start, item.bytes) != (0, 0) {
            let what = format!("an item of {} bytes outside the metadata region", item.bytes);
            return Err(ReadError::refused("VHX-09", region.start + 32 + index as u64 * 32, what));
        }
        items.push(item);
    }
    check_places(&items, region.start)?;
    Ok(items)
}

/// No two items have one identifier or one place.
fn check_places(items: &[Item], at: u64) -> Result<(), ReadError> {
    let mut ids: Vec<_> = items.iter().map(|item| (item.user, item.id)).collect();
    ids.sort_unstable();
    let mut places: Vec<_> = items.iter().filter(|item| item.bytes > 0).collect();
    places.sort_unstable_by_key(|item| item.start);
    let twice = ids.windows(2).any(|pair| pair.first() == pair.last());
    let overlap = places.array_windows().any(|[first, second]| first.start + first.bytes > second.start);
    if twice || overlap {
        return Err(ReadError::refused("VHX-09", at, "two metadata items of one kind or in one place"));
    }
    Ok(())
}

/// The value of a system item that has to be there.
fn value(
    file: &dyn ReadAt,
    region: &Range<u64>,
    items: &[Item],
    id: [u8; 16],
    bytes: u64,
    name: &str,
) -> Result<Vec<u8>, ReadError> {
    match items.iter().find(|item| item.id == id && !item.user) {
        Some(item) if item.bytes == bytes => read_structure(file, region.start + item.start, bytes, name),
        _ => Err(ReadError::refused("VHX-09", region.start, format!("no {name} of {bytes} bytes"))),
    }
}
