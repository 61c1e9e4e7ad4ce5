//! GUID partition table (UEFI 2.10, 5.3): both copies must be right and say the same.

use super::bytes::{le16, le32, le64, part};
use super::table::{Partition, SECTOR};
use crate::ReadError;
use mercat_disk::ReadAt;
use std::collections::HashSet;

pub(crate) const MAGIC: &[u8; 8] = b"EFI PART";
const REVISION: u32 = 0x0001_0000;
const ENTRIES_MAX: u32 = 1024;
const ENTRY_BYTES_MAX: u32 = 4096;

/// One copy of the table.
struct Copy {
    at: u64,
    alternate: u64,
    first: u64,
    last: u64,
    disk_id: [u8; 16],
    entries_at: u64,
    entry_bytes: usize,
    entries: Vec<u8>,
}

/// The partitions of a disk whose second sector holds a header.
pub(crate) fn read(disk: &dyn ReadAt) -> Result<Vec<Partition>, ReadError> {
    let last_sector = disk.size() / SECTOR - 1;
    let primary = copy(disk, 1, "the primary GPT")?;
    if primary.alternate < last_sector {
        let what = format!(
            "the backup GPT is said to be in sector {}, but the disk ends with sector {last_sector}: it was \
             enlarged; move the backup to the end (sgdisk -e) and publish again",
            primary.alternate
        );
        return Err(ReadError::refused("PRT-20", SECTOR, what));
    }
    if primary.alternate > last_sector {
        let what = format!(
            "the backup GPT is said to be in sector {}, but the disk ends with sector {last_sector}: it was cut",
            primary.alternate
        );
        return Err(ReadError::refused("PRT-21", SECTOR, what));
    }
    let backup = copy(disk, last_sector, "the backup GPT")?;
    compare(&primary, &backup)?;
    partitions(&primary)
}

fn copy(disk: &dyn ReadAt, sector: u64, name: &str) -> Result<Copy, ReadError> {
    let at = sector * SECTOR;
    let refuse = |code, what: String| Err(ReadError::refused(code, at, format!("{name}: {what}")));
    let mut header = [0; SECTOR as usize];
    disk.read_at(at, &mut header)?;
    let size = usize::try_from(le32(&header, 12)).unwrap_or(usize::MAX);
    if !header.starts_with(MAGIC) || le32(&header, 8) != REVISION {
        return refuse("PRT-22", "no header of revision 1.0".to_owned());
    }
    if !(92..=header.len()).contains(&size) {
        return refuse("PRT-22", format!("a header of {size} bytes"));
    }
    let mut summed = header;
    summed[16..20].fill(0);
    if crc32fast::hash(part(&summed, 0, size)) != le32(&header, 16) {
        return refuse("PRT-23", "the checksum of the header is wrong".to_owned());
    }
    if le64(&header, 24) != sector {
        return refuse("PRT-24", format!("it says it is in sector {}", le64(&header, 24)));
    }
    let (count, entry_bytes) = (le32(&header, 80), le32(&header, 84));
    let sizes = 128..=ENTRY_BYTES_MAX;
    if !(1..=ENTRIES_MAX).contains(&count) || !sizes.contains(&entry_bytes) || !entry_bytes.is_power_of_two()
    {
        return refuse("PRT-25", format!("{count} entries of {entry_bytes} bytes"));
    }
    let entries_at = le64(&header, 72);
    let length = u64::from(count) * u64::from(entry_bytes);
    let (first, last) = (le64(&header, 40), le64(&header, 48));
    let sectors = length.div_ceil(SECTOR);
    // The primary lies in front of the usable sectors, the backup between them and its header.
    let fits = match entries_at.checked_add(sectors) {
        Some(end) if end > disk.size() / SECTOR => false,
        Some(end) if sector == 1 => entries_at >= 2 && end <= first,
        Some(end) => entries_at > last && end <= sector,
        None => false,
    };
    if !fits || first > last {
        let what = format!("sectors {first} to {last} for use and entries at sector {entries_at} do not fit");
        return refuse("PRT-26", what);
    }
    let mut entries = vec![0; usize::try_from(length).unwrap_or(0)];
    disk.read_at(entries_at * SECTOR, &mut entries)?;
    if crc32fast::hash(&entries) != le32(&header, 88) {
        return refuse("PRT-23", "the checksum of the entries is wrong".to_owned());
    }
    let disk_id = part(&header, 56, 16).try_into().unwrap_or_default();
    Ok(Copy {
        at,
        alternate: le64(&header, 32),
        first,
        last,
        disk_id,
        entries_at: entries_at * SECTOR,
        entry_bytes: usize::try_from(entry_bytes).unwrap_or(128),
        entries,
    })
}

fn compare(primary: &Copy, backup: &Copy) -> Result<(), ReadError> {
    let same = primary.entries == backup.entries
        && primary.entry_bytes == backup.entry_bytes
        && primary.disk_id == backup.disk_id
        && (primary.first, primary.last) == (backup.first, backup.last)
        && backup.alternate == 1;
    if same {
        return Ok(());
    }
    let what =
        "the primary and the backup GPT differ: systems choose either; repair the table (sgdisk -e, gdisk)";
    Err(ReadError::refused("PRT-27", backup.at, what))
}

fn partitions(table: &Copy) -> Result<Vec<Partition>, ReadError> {
    let mut partitions = Vec::new();
    let mut ids = HashSet::new();
    for (number, entry) in (1..).zip(table.entries.chunks(table.entry_bytes)) {
        let kind = part(entry, 0, 16);
        if kind.iter().all(|byte| *byte == 0) {
            continue;
        }
        let at = table.entries_at + (u64::from(number) - 1) * table.entry_bytes as u64;
        let (first, last) = (le64(entry, 32), le64(entry, 40));
        if first < table.first || last > table.last || first > last {
            let what = format!(
                "partition {number} covers sectors {first} to {last}, of which {} to {} are for use",
                table.first, table.last
            );
            return Err(ReadError::refused("PRT-09", at, what));
        }
        if !ids.insert(part(entry, 16, 16)) {
            return Err(ReadError::refused("PRT-28", at, format!("partition {number} has another's GUID")));
        }
        partitions.push(Partition {
            number,
            name: name(part(entry, 56, 72)),
            type_id: guid(kind),
            unique_id: guid(part(entry, 16, 16)),
            start: first * SECTOR,
            size: (last - first + 1) * SECTOR,
            bootable: le64(entry, 48) & 1 << 2 != 0,
        });
    }
    Ok(partitions)
}

fn name(bytes: &[u8]) -> String {
    let units: Vec<u16> = (0..bytes.len() / 2).map(|unit| le16(bytes, 2 * unit)).collect();
    let length = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    let text = String::from_utf16_lossy(units.get(..length).unwrap_or(&[]));
    text.chars().filter(|char| !char.is_control()).collect()
}

/// A GUID as text: its first three fields are little-endian on disk.
fn guid(bytes: &[u8]) -> String {
    let tail: String = part(bytes, 10, 6).iter().map(|byte| format!("{byte:02x}")).collect();
    let middle: String = part(bytes, 8, 2).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{:08x}-{:04x}-{:04x}-{middle}-{tail}", le32(bytes, 0), le16(bytes, 4), le16(bytes, 6))
}
