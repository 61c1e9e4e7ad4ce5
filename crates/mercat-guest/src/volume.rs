//! The volumes of a disk and what is in them.

use super::source::Source;
use super::table::{self, Partition, Table};
use super::{FileTree, ext, fat, iso, lvm, ntfs, signature, squash, walk, xfs};
use crate::ReadError;
use mercat_disk::{ReadAt, Window};
use signature::Sign;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// A disk with its partitions and volumes.
pub struct Guest {
    /// Which partition table it has.
    pub table: Table,
    /// Whether the master boot record has boot code.
    pub boot_code: bool,
    /// Whether a partition is an EFI system partition.
    pub efi_system: bool,
    /// Partitions, in the order of the table.
    pub partitions: Vec<Partition>,
    /// Every volume: partitions, logical volumes, or the whole disk when it has no partition table.
    pub volumes: Vec<Volume>,
    disk: Arc<dyn ReadAt>,
    mapped: u64,
    logical: BTreeMap<String, Arc<lvm::Pieces>>,
}

/// Bytes that a file system, swap space or the like takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `part1`, `vg0/root` for a logical volume, or `disk` where there is no partition table.
    pub name: String,
    /// First byte on the disk; of the first segment of a logical volume.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// What it holds.
    pub contents: Contents,
}

/// What a volume holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// A file system that [`Guest::tree`] reads, by name: `ext4`, `xfs`, `fat32` and so on.
    FileSystem(&'static str),
    /// Swap space.
    Swap,
    /// A physical volume of LVM2, whose logical volumes are volumes of their own.
    LvmPhysical,
    /// Zeros only, or code that firmware runs (BIOS boot, PReP) or a reserve, by the partition's type.
    Empty,
    /// Something that cannot be read: a certification of this disk is inconclusive.
    Unreadable {
        /// Its name, for example `btrfs` or `LUKS`.
        what: String,
        /// Stable code.
        code: &'static str,
    },
}

impl Guest {
    /// Reads the partition table and recognises every volume.
    ///
    /// # Errors
    /// `PRT-nn` for a table that is broken or that two systems could read in two ways, `LVM-nn` for broken
    /// metadata, `FS-02` for two file systems on one volume; what `disk` refuses.
    pub fn open(disk: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let signs = signature::find(&disk)?;
        let tables = table::read(&disk, signs.first().map(|(at, _)| *at))?;
        let mut guest = Self {
            table: tables.table,
            boot_code: tables.boot_code,
            efi_system: tables.partitions.iter().any(Partition::is_efi_system),
            partitions: tables.partitions,
            volumes: Vec::new(),
            mapped: mapped(&disk)?,
            disk,
            logical: BTreeMap::new(),
        };
        if guest.table == Table::None {
            guest.add("disk".to_owned(), 0, guest.disk.size(), false)?;
        }
        for partition in guest.partitions.clone() {
            let Partition { number, start, size, .. } = partition;
            guest.add(format!("part{number}"), start, size, partition.is_raw())?;
        }
        guest.add_logical()?;
        Ok(guest)
    }

    /// The bytes of a volume.
    ///
    /// # Errors
    /// `DSK-03` for a volume that is not of this disk.
    pub fn bytes(&self, volume: &Volume) -> Result<Arc<dyn ReadAt>, ReadError> {
        if let Some(bytes) = self.logical.get(&volume.name) {
            return Ok(bytes.clone());
        }
        Ok(Arc::new(Window::new(self.disk.clone(), volume.start, volume.size)?))
    }

    /// Where a range of a volume is on the disk: one range, or several for a logical volume in pieces.
    pub fn on_disk(&self, volume: &Volume, range: Range<u64>) -> Vec<Range<u64>> {
        match self.logical.get(&volume.name) {
            Some(pieces) => pieces.on_disk(range),
            None => std::iter::once(volume.start + range.start..volume.start + range.end).collect(),
        }
    }

    /// The file system of a volume. Every tree has a cache and a budget of its own, so threads that each
    /// open one do not wait for each other.
    ///
    /// # Errors
    /// `FS-01` for a volume that holds none that can be read, with its name; the refusal of the file
    /// system's own structures.
    pub fn tree(&self, volume: &Volume) -> Result<Box<dyn FileTree + '_>, ReadError> {
        let source = Source::new(self.bytes(volume)?, self.mapped);
        match &volume.contents {
            Contents::FileSystem("ext2" | "ext3" | "ext4") => Ok(walk::tree(ext::Ext::open(source)?)),
            Contents::FileSystem("iso9660") => Ok(walk::tree(iso::Iso::open(source)?)),
            Contents::FileSystem("ntfs") => Ok(walk::tree(ntfs::Ntfs::open(source)?)),
            Contents::FileSystem("squashfs") => Ok(walk::tree(squash::Squash::open(source)?)),
            Contents::FileSystem("xfs") => Ok(walk::tree(xfs::Xfs::open(source)?)),
            Contents::FileSystem("fat12" | "fat16" | "fat32") => Ok(walk::tree(fat::Fat::open(source)?)),
            contents => {
                let what = format!("{} holds {contents:?}, not a file system that can be read", volume.name);
                Err(ReadError::refused("FS-01", volume.start, what))
            }
        }
    }

    fn add(&mut self, name: String, start: u64, size: u64, raw: bool) -> Result<(), ReadError> {
        let mut volume = Volume { name, start, size, contents: Contents::Empty };
        volume.contents = contents(&self.bytes(&volume)?, start, raw)?;
        self.volumes.push(volume);
        Ok(())
    }

    /// Adds the logical volumes that the physical ones make.
    fn add_logical(&mut self) -> Result<(), ReadError> {
        let found = self.volumes.iter().filter(|volume| volume.contents == Contents::LvmPhysical);
        let found: Vec<lvm::Physical> = found
            .map(|volume| lvm::physical(&self.disk, volume.start, volume.size))
            .collect::<Result<_, _>>()?;
        let (logical, orphans) = lvm::groups(&found)?;
        // An unused physical volume has areas that say so; without any its group is elsewhere.
        for orphan in found.iter().filter(|volume| orphans.contains(&volume.id) && !volume.has_areas) {
            let volume = self.volumes.iter_mut().find(|volume| volume.start == orphan.start);
            let what = "LVM physical volume of a group that is not on this disk".to_owned();
            volume.into_iter().for_each(|volume| {
                volume.contents = Contents::Unreadable { what: what.clone(), code: "LVM-06" };
            });
        }
        for volume in logical {
            let start =
                volume.pieces.as_ref().ok().and_then(|pieces| pieces.first()).map_or(0, |piece| piece.start);
            let contents = match volume.pieces {
                Err((what, code)) => Contents::Unreadable { what, code },
                Ok(pieces) => {
                    let bytes = Arc::new(lvm::Pieces::new(self.disk.clone(), &pieces));
                    self.logical.insert(volume.name.clone(), Arc::clone(&bytes));
                    match contents(&bytes, start, false)? {
                        Contents::LvmPhysical => {
                            Contents::Unreadable { what: "LVM inside LVM".to_owned(), code: "LVM-07" }
                        }
                        contents => contents,
                    }
                }
            };
            self.volumes.push(Volume { name: volume.name, start, size: volume.size, contents });
        }
        Ok(())
    }
}

/// Bytes of a disk that may be something else than zeros.
fn mapped(disk: &dyn ReadAt) -> Result<u64, ReadError> {
    let (mut at, mut sum) = (0, 0);
    while let Some(data) = disk.next_data(at)? {
        sum += data.end.saturating_sub(data.start);
        at = data.end.max(at + 1);
    }
    Ok(sum)
}

fn contents(bytes: &dyn ReadAt, start: u64, raw: bool) -> Result<Contents, ReadError> {
    let signs = signature::find(bytes)?;
    let unreadable = signs.iter().find_map(|(_, sign)| match sign {
        Sign::Unreadable(what) => Some(*what),
        _ => None,
    });
    if let Some(what) = unreadable {
        return Ok(Contents::Unreadable { what: what.to_owned(), code: "FS-01" });
    }
    let mut kinds: Vec<Sign> = signs.iter().map(|(_, sign)| *sign).collect();
    kinds.dedup();
    match kinds.as_slice() {
        [] if raw || is_zero(bytes)? => Ok(Contents::Empty),
        [] => Ok(Contents::Unreadable { what: "unknown data".to_owned(), code: "FS-03" }),
        [Sign::Readable(kind)] => Ok(Contents::FileSystem(kind)),
        [Sign::Swap] => Ok(Contents::Swap),
        [Sign::Lvm] => Ok(Contents::LvmPhysical),
        several => {
            let what = format!("the signatures of {several:?} on one volume: erase the stale one (wipefs)");
            Err(ReadError::refused("FS-02", start, what))
        }
    }
}

/// Whether a volume is nothing but zeros; ends at the first other byte.
fn is_zero(bytes: &dyn ReadAt) -> Result<bool, ReadError> {
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    while let Some(data) = bytes.next_data(at)? {
        let before = at;
        at = data.start.max(at);
        while at < data.end {
            let length = usize::try_from(data.end - at).unwrap_or(usize::MAX).min(buffer.len());
            let part = &mut buffer[..length];
            bytes.read_at(at, part)?;
            if part.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += length as u64;
        }
        at = at.max(before + 1);
    }
    Ok(true)
}
