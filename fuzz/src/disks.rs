//! Containers of disks, partition tables, file systems and registry hives.

use crate::sparse::Sparse;
use mercat_disk::{Declared, ReadAt};
use mercat_guest::hive::{Hive, Key};
use mercat_guest::{Contents, Entry, Guest, ReadError, Visit};
use std::io::Read;
use std::sync::Arc;

/// Opens a container and reads what its disk holds, up to a bound.
pub fn container(data: &[u8], declared: Declared) {
    let Some(mut file) = Sparse::read(data) else { return };
    match declared {
        Declared::Vhd => seal_vhd(&mut file),
        Declared::Vhdx => seal_vhdx(&mut file),
        _ => {}
    }
    let Ok(disk) = mercat_disk::open(Arc::new(file), Some(declared)) else { return };
    let (mut at, mut left) = (0, crate::READ_BYTES_MAX);
    let mut buffer = vec![0; 64 << 10];
    while let Ok(Some(range)) = disk.next_data(at) {
        assert!(
            range.start >= at && range.start < range.end && range.end <= disk.size(),
            "{range:?} behind {at}"
        );
        at = range.start;
        while at < range.end && left > 0 {
            let count = (range.end - at).min(buffer.len() as u64).min(left);
            if disk.read_at(at, &mut buffer[..count as usize]).is_err() {
                return;
            }
            at += count;
            left -= count;
        }
        if left == 0 {
            return;
        }
    }
}

/// Puts the right checksum into the footers of a VHD and the header behind the first.
fn seal_vhd(file: &mut Sparse) {
    let last = file.size().saturating_sub(512);
    for (at, length, field) in [(0, 512, 64), (last, 512, 64), (512, 1024, 36)] {
        let mut part = file.get(at, length);
        if !(part.starts_with(b"conectix") || part.starts_with(b"cxsparse")) {
            continue;
        }
        part[field..field + 4].fill(0);
        let sum = !part.iter().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
        file.put(at + field as u64, &sum.to_be_bytes());
    }
}

/// Puts the right checksums into headers and region tables of a VHDX.
fn seal_vhdx(file: &mut Sparse) {
    for (at, length) in
        [(64 << 10, 4 << 10), (128 << 10, 4 << 10), (192 << 10, 64 << 10), (256 << 10, 64 << 10)]
    {
        let mut part = file.get(at, length);
        part[4..8].fill(0);
        file.put(at + 4, &crc32c::crc32c(&part).to_le_bytes());
    }
}

struct Everything {
    left: u64,
}

impl Visit for Everything {
    fn entry(&mut self, entry: &Entry) -> Result<bool, ReadError> {
        assert!(!entry.path.is_empty() && !entry.path.starts_with('/'), "{:?}", entry.path);
        assert!(entry.path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{:?}", entry.path);
        Ok(true)
    }

    fn content(&mut self, _: &Entry, content: &mut dyn Read) -> Result<(), ReadError> {
        let read = std::io::copy(&mut content.take(self.left), &mut std::io::sink())?;
        self.left -= read.min(self.left);
        if self.left == 0 {
            return Err(ReadError::refused("FUZZ", 0, "enough was read"));
        }
        Ok(())
    }
}

/// Reads partition tables, volumes and every file of them.
pub fn guest(data: &[u8]) {
    if let Some(disk) = Sparse::read(data) {
        walk(disk);
    }
}

/// The same with right checksums in both GPT headers, which no mutation would find.
pub fn gpt(data: &[u8]) {
    let Some(mut disk) = Sparse::read(data) else { return };
    let last = disk.size().saturating_sub(512);
    for at in [512, last] {
        let mut header = disk.get(at, 512);
        if !header.starts_with(b"EFI PART") {
            continue;
        }
        let word =
            |header: &[u8], at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four"));
        let entries = u64::from_le_bytes(header[72..80].try_into().expect("eight")).saturating_mul(512);
        let length = u64::from(word(&header, 80)) * u64::from(word(&header, 84));
        if length <= 1 << 20 {
            let sum = crc32fast::hash(&disk.get(entries, length as usize));
            header[88..92].copy_from_slice(&sum.to_le_bytes());
        }
        header[16..20].fill(0);
        let size = (word(&header, 12) as usize).min(512);
        let sum = crc32fast::hash(&header[..size]);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        disk.put(at, &header);
    }
    walk(disk);
}

fn walk(disk: Sparse) {
    let Ok(guest) = Guest::open(Arc::new(disk)) else { return };
    for volume in &guest.volumes {
        if !matches!(volume.contents, Contents::FileSystem(_)) {
            continue;
        }
        if let Ok(tree) = guest.tree(volume) {
            let _ = tree.walk(&mut Everything { left: crate::READ_BYTES_MAX });
        }
    }
}

/// A registry hive, keys and values.
pub fn hive(data: &[u8]) {
    let Ok(hive) = Hive::open(data) else { return };
    let _ = hive.key("Microsoft\\Windows NT\\CurrentVersion");
    let Ok(root) = hive.root() else { return };
    let mut left = 10_000;
    keys(&root, 0, &mut left);
}

fn keys(key: &Key<'_>, depth: u32, left: &mut u32) {
    for value in key.values().unwrap_or_default() {
        let _ = (value.text(), value.number(), value.list());
    }
    for below in key.keys().unwrap_or_default() {
        if *left == 0 || depth > 64 {
            return;
        }
        *left -= 1;
        keys(&below, depth + 1, left);
    }
}
