//! Which volume is mounted where, as the guest's own `fstab` says.

use super::{Node, Tree, VolumeTree};
use mercat_disk::ReadAt;
use mercat_guest::{Guest, Volume};
use std::borrow::Cow;

/// Names by which `fstab` may call a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    uuid: String,
    label: String,
    volume: String,
    partition_label: String,
}

/// Reads a volume's names from its superblock; what cannot be read has none.
pub(super) fn names(guest: &Guest, volume: &Volume, file_system: &str) -> Names {
    let number = volume.name.strip_prefix("part").and_then(|number| number.parse::<u32>().ok());
    let partition = guest.partitions.iter().find(|partition| Some(partition.number) == number);
    let mut names = Names { volume: volume.name.clone(), ..Names::default() };
    names.partition_label = partition.map(|partition| partition.name.clone()).unwrap_or_default();
    let Ok(bytes) = guest.bytes(volume) else { return names };
    let field = |at: u64, length: usize| -> Vec<u8> {
        let mut field = vec![0; length];
        if bytes.read_at(at, &mut field).is_err() {
            field.fill(0);
        }
        field
    };
    let text = |bytes: Vec<u8>| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned()
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let dashed = |bytes: Vec<u8>| {
        let hex = hex(&bytes);
        let cuts = [0..8, 8..12, 12..16, 16..20, 20..32];
        cuts.map(|cut| hex.get(cut).unwrap_or_default().to_owned()).join("-")
    };
    match file_system {
        "ext2" | "ext3" | "ext4" => {
            names.uuid = dashed(field(1024 + 104, 16));
            names.label = text(field(1024 + 120, 16));
        }
        "xfs" => {
            names.uuid = dashed(field(32, 16));
            names.label = text(field(108, 12));
        }
        "fat12" | "fat16" | "fat32" => {
            let at = if file_system == "fat32" { 67 } else { 39 };
            let mut serial = field(at, 4);
            serial.reverse();
            let hex = hex(&serial);
            names.uuid = format!("{}-{}", hex.get(..4).unwrap_or_default(), hex.get(4..).unwrap_or_default());
            names.label = text(field(at + 4, 11));
        }
        _ => {}
    }
    names
}

impl Names {
    fn is(&self, source: &str) -> bool {
        let source = source.trim_matches('"');
        if let Some((key, value)) = source.split_once('=') {
            let value = value.trim_matches('"');
            return !value.is_empty()
                && match key {
                    "UUID" => self.uuid.eq_ignore_ascii_case(value),
                    "LABEL" => self.label == value,
                    "PARTLABEL" => self.partition_label == value,
                    _ => false,
                };
        }
        if let Some(uuid) = source.strip_prefix("/dev/disk/by-uuid/") {
            return self.uuid.eq_ignore_ascii_case(uuid);
        }
        if let Some(label) = source.strip_prefix("/dev/disk/by-label/") {
            return self.label == label;
        }
        if let Some(mapped) = source.strip_prefix("/dev/mapper/") {
            // The device mapper doubles dashes inside names and joins them with one.
            let ours = self.volume.split('/').map(|part| part.replace('-', "--")).collect::<Vec<_>>();
            return self.volume.contains('/') && ours.join("-") == mapped;
        }
        let Some(device) = source.strip_prefix("/dev/") else { return false };
        if self.volume.contains('/') {
            return self.volume == device;
        }
        let letters = device.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = &device[letters.len()..];
        let disk = ["sda", "vda", "xvda", "hda", "nvme0n1p", "mmcblk0p"].contains(&letters);
        disk && !number.is_empty() && self.volume == format!("part{number}")
    }
}

/// One line of `fstab`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) source: String,
    pub(super) point: String,
    pub(super) kind: String,
}

/// Reads `fstab` (its manual page's syntax). Lines without three fields mean nothing.
pub(super) fn fstab(text: &str) -> Vec<Entry> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut fields = line.split_whitespace().map(str::to_owned);
            Some(Entry { source: fields.next()?, point: fields.next()?, kind: fields.next()? })
        })
        .collect()
}

/// Whether a volume looks like the root of an operating system, and how much.
fn is_root(volume: &VolumeTree) -> bool {
    let has = |path: &str| volume.get(path).is_some();
    if volume.file_system == "ntfs" {
        return has("windows/system32/ntoskrnl.exe") || has("windows/system32/config/system");
    }
    has("etc/passwd") || has("etc/os-release") || has("usr/lib/os-release") && has("etc")
}

/// Joins the volumes of a disk.
pub(super) fn join(volumes: Vec<VolumeTree>, names: &[Names]) -> Tree {
    let Some(root) = volumes.iter().position(is_root) else { return Tree::new(volumes, Vec::new()) };
    let mut mounts = vec![(String::new(), root)];
    let text = volumes[root].get("etc/fstab").map(Node::text).unwrap_or(Cow::Borrowed(""));
    for entry in fstab(&text) {
        let point = entry.point.trim_matches('/').to_owned();
        let at = names.iter().position(|names| names.is(&entry.source));
        if let Some(at) = at.filter(|at| *at != root && !point.is_empty()) {
            mounts.push((point, at));
        }
    }
    Tree::new(volumes, mounts)
}

#[cfg(test)]
mod tests;
