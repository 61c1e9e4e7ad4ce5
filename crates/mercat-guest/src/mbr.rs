//! Master boot record, with logical partitions.

use super::bytes::{byte, le32, part};
use super::table::{Partition, SECTOR};
use crate::ReadError;
use mercat_disk::ReadAt;
use std::collections::HashSet;

/// The type of the entry that protects a GPT.
pub(crate) const PROTECTIVE: u8 = 0xee;
const LOGICAL_MAX: u32 = 128;

struct Slot {
    at: u64,
    flag: u8,
    kind: u8,
    start: u64,
    sectors: u64,
}

impl Slot {
    fn all(sector: &[u8], offset: u64) -> Vec<Self> {
        let slot = |number: usize| {
            let at = 446 + 16 * number;
            let entry = part(sector, at, 16);
            Self {
                at: offset + at as u64,
                flag: byte(entry, 0),
                kind: byte(entry, 4),
                start: u64::from(le32(entry, 8)),
                sectors: u64::from(le32(entry, 12)),
            }
        };
        (0..4).map(slot).collect()
    }

    fn is_empty(&self) -> bool {
        self.kind == 0 && self.sectors == 0
    }

    fn is_extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85)
    }

    /// Bytes from the start of the disk, checked against where it must end.
    fn place(&self, base: u64, end: u64) -> Result<(u64, u64), ReadError> {
        if self.flag & 0x7f != 0 {
            let what = format!("a partition entry with the boot flag {:#04x}", self.flag);
            return Err(ReadError::refused("PRT-10", self.at, what));
        }
        if self.kind == 0 || self.sectors == 0 || self.start == 0 {
            let what = format!(
                "a partition entry of type {:#04x} with first sector {} and {} sectors: systems differ about it",
                self.kind, self.start, self.sectors
            );
            return Err(ReadError::refused("PRT-11", self.at, what));
        }
        let start = (self.start + base / SECTOR) * SECTOR;
        let size = self.sectors * SECTOR;
        if start.checked_add(size).is_none_or(|last| last > end) {
            let what = format!("a partition of {size} bytes from byte {start} reaches behind byte {end}");
            return Err(ReadError::refused("PRT-09", self.at, what));
        }
        Ok((start, size))
    }
}

/// Whether the entries of a first sector could all be partitions of a disk of this size.
pub(crate) fn is_plausible(sector: &[u8], disk_bytes: u64) -> bool {
    let slots = Slot::all(sector, 0);
    slots.iter().any(|slot| !slot.is_empty())
        && slots.iter().all(|slot| slot.is_empty() || slot.place(0, disk_bytes).is_ok())
}

/// The partitions of a disk, by its first sector.
pub(crate) fn read(disk: &dyn ReadAt, sector: &[u8]) -> Result<Vec<Partition>, ReadError> {
    let mut partitions = Vec::new();
    let mut extended = None;
    let mut areas: Vec<(u64, u64)> = Vec::new();
    for (number, slot) in (1..).zip(Slot::all(sector, 0)) {
        if slot.is_empty() {
            continue;
        }
        let (start, size) = slot.place(0, disk.size())?;
        if let Some((other, _)) = areas.iter().find(|(at, end)| start < *end && *at < start + size) {
            let what = format!("partition {number} overlaps the one at byte {other}");
            return Err(ReadError::refused("PRT-08", slot.at, what));
        }
        areas.push((start, start + size));
        if !slot.is_extended() {
            partitions.push(partition(number, &slot, start, size));
        } else if extended.replace((start, size)).is_some() {
            return Err(ReadError::refused("PRT-12", slot.at, "two extended partitions"));
        }
    }
    if let Some((start, size)) = extended {
        logical(disk, start, size, &mut partitions)?;
    }
    let signature = le32(sector, 440);
    for partition in &mut partitions {
        partition.unique_id = format!("{signature:08x}-{:02x}", partition.number);
    }
    Ok(partitions)
}

fn partition(number: u32, slot: &Slot, start: u64, size: u64) -> Partition {
    Partition {
        number,
        name: String::new(),
        type_id: format!("{:#04x}", slot.kind),
        unique_id: String::new(),
        start,
        size,
        bootable: slot.flag == 0x80,
    }
}

/// Follows the chain of extended boot records, each of which has one partition and the next record.
fn logical(
    disk: &dyn ReadAt,
    base: u64,
    size: u64,
    partitions: &mut Vec<Partition>,
) -> Result<(), ReadError> {
    let end = base + size;
    let mut seen = HashSet::new();
    let mut next = Some(base);
    let mut number = 5;
    while let Some(at) = next.take() {
        if !seen.insert(at) || number >= 5 + LOGICAL_MAX {
            let what = format!("the chain of logical partitions loops or has more than {LOGICAL_MAX}");
            return Err(ReadError::refused("PRT-13", at, what));
        }
        let mut sector = [0; SECTOR as usize];
        disk.read_at(at, &mut sector)?;
        if !sector.ends_with(&[0x55, 0xaa]) {
            // An extended partition without any logical one may be blank.
            if at == base && sector.iter().all(|byte| *byte == 0) {
                return Ok(());
            }
            return Err(ReadError::refused("PRT-14", at, "an extended boot record without its signature"));
        }
        for (index, slot) in Slot::all(&sector, at).into_iter().enumerate() {
            if slot.is_empty() {
                continue;
            }
            if slot.is_extended() && next.is_none() && index < 2 {
                next = Some(slot.place(base, end)?.0);
            } else if !slot.is_extended() && index == 0 {
                let (start, size) = slot.place(at, end)?;
                partitions.push(partition(number, &slot, start, size));
                number += 1;
            } else {
                let what = "an extended boot record with more than one partition and one link";
                return Err(ReadError::refused("PRT-14", slot.at, what));
            }
        }
    }
    let logical = partitions.iter().filter(|partition| partition.number >= 5);
    for partition in logical {
        if let Some(record) = seen.iter().find(|at| (partition.start..partition.end()).contains(*at)) {
            let what = format!("partition {} covers an extended boot record", partition.number);
            return Err(ReadError::refused("PRT-08", *record, what));
        }
    }
    Ok(())
}
