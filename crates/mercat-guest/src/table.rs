//! Partition tables, whichever a disk has.

use super::bytes::{byte, le32, part};
use super::{gpt, mbr};
use crate::ReadError;
use mercat_disk::ReadAt;

/// Bytes of the sectors that tables count in. Disks with larger ones are refused.
pub(crate) const SECTOR: u64 = 512;
/// The GPT type of an EFI system partition.
const EFI_SYSTEM: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";

/// The kind of partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// None: the disk is empty or one volume.
    None,
    /// Master boot record.
    Mbr,
    /// GUID partition table.
    Gpt,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// As the table counts: 1 is the first, logical ones of a master boot record begin at 5.
    pub number: u32,
    /// Name from a GUID partition table, else empty.
    pub name: String,
    /// `0x83` for a master boot record, a lower-case GUID for a GUID partition table.
    pub type_id: String,
    /// What `PARTUUID=` calls it, in lower case: its GUID, or the signature of the disk and its number.
    pub unique_id: String,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// Marked active, or "legacy BIOS bootable".
    pub bootable: bool,
}

impl Partition {
    /// First byte behind it.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }

    /// Whether firmware looks for its boot loaders here.
    pub(crate) fn is_efi_system(&self) -> bool {
        self.type_id == EFI_SYSTEM || self.type_id == "0xef"
    }

    /// Whether its content is by type no file system: boot loader code or a reserve.
    pub(crate) fn is_raw(&self) -> bool {
        matches!(
            self.type_id.as_str(),
            "21686148-6449-6e6f-744e-656564454649" // BIOS boot
                | "e3c9e316-0b5c-4db8-817d-f92df00215ae" // Microsoft reserved
                | "9e1a2d38-c612-4316-aa26-8b49521e5a8b" // PowerPC PReP boot
                | "0x41"
        )
    }
}

/// What the first sectors say.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) table: Table,
    pub(crate) boot_code: bool,
    pub(crate) partitions: Vec<Partition>,
}

/// Reads the partition table. `volume_at` is where the signature of a file system or the like was found
/// when the whole disk is taken as one volume.
pub(crate) fn read(disk: &dyn ReadAt, volume_at: Option<u64>) -> Result<Tables, ReadError> {
    let none = Tables { table: Table::None, boot_code: false, partitions: Vec::new() };
    if disk.size() < 2 * SECTOR {
        return Ok(none);
    }
    let mut front = [0; 2 * SECTOR as usize];
    disk.read_at(0, &mut front)?;
    let (boot, header) = front.split_at(SECTOR as usize);
    let signed = boot.ends_with(&[0x55, 0xaa]);
    let gpt = header.starts_with(gpt::MAGIC);
    if !gpt && disk.size() >= 4096 + 8 {
        let mut magic = [0; 8];
        disk.read_at(4096, &mut magic)?;
        if &magic == gpt::MAGIC {
            let what = "the GPT is for sectors of 4096 bytes; build the disk with 512-byte sectors";
            return Err(ReadError::refused("PRT-02", 4096, what));
        }
    }
    let boot_code = signed && boot[..440].iter().any(|byte| *byte != 0);
    // A volume's first sector may end in 55 AA too; then what looks like entries is its boot code.
    if volume_at == Some(0) && signed && !gpt && !mbr::is_plausible(boot, disk.size()) {
        return Ok(none);
    }
    let entries = signed && (0..4).any(|slot| part(boot, 446 + 16 * slot, 16).iter().any(|byte| *byte != 0));
    if !gpt && !entries {
        let table = if signed && volume_at.is_none() { Table::Mbr } else { Table::None };
        return Ok(Tables { table, boot_code, ..none });
    }
    let protective = (0..4).filter(|slot| byte(boot, 446 + 16 * slot + 4) == mbr::PROTECTIVE).count();
    let (table, partitions) = match (gpt, signed && protective > 0) {
        (true, true) => {
            check_protective(boot)?;
            (Table::Gpt, gpt::read(disk)?)
        }
        (true, false) => {
            let what = "a GPT without its protective MBR: some systems would read an MBR here";
            return Err(ReadError::refused("PRT-03", 446, what));
        }
        (false, true) => {
            let what = "a protective MBR, but no GPT behind it";
            return Err(ReadError::refused("PRT-05", SECTOR, what));
        }
        (false, false) => (Table::Mbr, mbr::read(disk, boot)?),
    };
    check_overlaps(&partitions)?;
    let first = partitions.iter().map(|partition| partition.start).min().unwrap_or(u64::MAX);
    if let Some(at) = volume_at.filter(|at| *at < first) {
        let what = "both a partition table and the signature of a volume in front of the partitions: \
                    it reads in two ways; erase the old signature (wipefs) or the table";
        return Err(ReadError::refused("PRT-04", at, what));
    }
    Ok(Tables { table, boot_code, partitions })
}

/// A protective MBR has one entry that begins at the GPT (UEFI 2.10, 5.2.3).
fn check_protective(boot: &[u8]) -> Result<(), ReadError> {
    for slot in 0..4 {
        let at = 446 + 16 * slot;
        let entry = part(boot, at, 16);
        if byte(entry, 4) == mbr::PROTECTIVE {
            if le32(entry, 8) != 1 || le32(entry, 12) == 0 {
                let what = "the entry of the protective MBR does not begin at sector 1";
                return Err(ReadError::refused("PRT-07", at as u64, what));
            }
        } else if entry.iter().any(|byte| *byte != 0) {
            let what = "a hybrid MBR: it has partitions of its own beside the GPT";
            return Err(ReadError::refused("PRT-06", at as u64, what));
        }
    }
    if (0..4).filter(|slot| byte(boot, 446 + 16 * slot + 4) == mbr::PROTECTIVE).count() > 1 {
        return Err(ReadError::refused("PRT-06", 446, "a protective MBR with more than one entry"));
    }
    Ok(())
}

fn check_overlaps(partitions: &[Partition]) -> Result<(), ReadError> {
    let mut sorted: Vec<&Partition> = partitions.iter().collect();
    sorted.sort_unstable_by_key(|partition| partition.start);
    for pair in sorted.windows(2) {
        if pair[0].end() > pair[1].start {
            let what = format!("the partitions {} and {} overlap", pair[0].number, pair[1].number);
            return Err(ReadError::refused("PRT-08", pair[1].start, what));
        }
    }
    Ok(())
}
