//! Which format a file is in, decided from its content once.
//!
//! Every signature is tested. A file with two of them is refused, and so is one whose content is
//! not what was declared: guessing programs would open it in another way than we do.

use super::{Declared, Format, ReadAt, SECTOR_BYTES};
use crate::ReadError;

/// A signature of a disk format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    Qcow,
    VmdkSparse,
    VmdkDescriptor,
    VmdkCow,
    VhdHeader,
    VhdFooter,
    Vhdx,
    Vdi,
    Qed,
    Luks,
    Parallels,
    Bochs,
    Cloop,
    Dmg,
    Ewf,
}

use Signature as S;

const AT_START: [(&[u8], S); 15] = [
    (b"QFI\xfb", S::Qcow),
    (b"KDMV", S::VmdkSparse),
    (b"# Disk DescriptorFile", S::VmdkDescriptor),
    (b"COWD", S::VmdkCow),
    (b"conectix", S::VhdHeader),
    (b"vhdxfile", S::Vhdx),
    (b"<<< ", S::Vdi),
    (b"QED\0", S::Qed),
    (b"LUKS\xba\xbe", S::Luks),
    (b"SKUL\xba\xbe", S::Luks),
    (b"WithoutFreeSpace", S::Parallels),
    (b"WithouFreSpacExt", S::Parallels),
    (b"Bochs Virtual HD Image", S::Bochs),
    (b"#!/bin/sh\n#V2.0 Format", S::Cloop),
    (b"EVF\x09\x0d\x0a\xff\0", S::Ewf),
];
const VDI_MAGIC: ([u8; 4], usize) = (0xbeda_107f_u32.to_le_bytes(), 64);
const AT_LAST_SECTOR: [(&[u8], S); 2] = [(b"conectix", S::VhdFooter), (b"koly", S::Dmg)];

impl Signature {
    fn name(self) -> &'static str {
        match self {
            S::Qcow => "qcow",
            S::VmdkSparse => "vmdk (sparse)",
            S::VmdkDescriptor => "vmdk (text descriptor)",
            S::VmdkCow => "vmdk (ESX copy-on-write)",
            S::VhdHeader => "vhd (copy of the footer at the start)",
            S::VhdFooter => "vhd",
            S::Vhdx => "vhdx",
            S::Vdi => "vdi",
            S::Qed => "qed",
            S::Luks => "luks",
            S::Parallels => "parallels",
            S::Bochs => "bochs",
            S::Cloop => "cloop",
            S::Dmg => "dmg",
            S::Ewf => "ewf",
        }
    }

    fn declared(self) -> Option<Declared> {
        match self {
            S::Qcow => Some(Declared::Qcow2),
            S::VmdkSparse | S::VmdkDescriptor | S::VmdkCow => Some(Declared::Vmdk),
            S::VhdHeader | S::VhdFooter => Some(Declared::Vhd),
            S::Vhdx => Some(Declared::Vhdx),
            _ => None,
        }
    }

    fn in_last_sector(self) -> bool {
        matches!(self, S::VhdFooter | S::Dmg)
    }
}

/// Every signature in the first and the last sector.
pub(super) fn signatures(disk: &dyn ReadAt) -> Result<Vec<Signature>, ReadError> {
    let mut found = Vec::new();
    let mut first = [0; SECTOR_BYTES as usize];
    let have = disk.size().min(SECTOR_BYTES);
    let first = &mut first[..usize::try_from(have).unwrap_or(0)];
    disk.read_at(0, first)?;
    found.extend(AT_START.iter().filter(|(magic, _)| first.starts_with(magic)).map(|(_, is)| *is));
    let (magic, at) = VDI_MAGIC;
    if first.get(at..).is_some_and(|rest| rest.starts_with(&magic)) {
        found.push(S::Vdi);
    }
    if let Some(start) = disk.size().checked_sub(SECTOR_BYTES) {
        let mut last = [0; SECTOR_BYTES as usize];
        disk.read_at(start, &mut last)?;
        found.extend(AT_LAST_SECTOR.iter().filter(|(magic, _)| last.starts_with(magic)).map(|(_, is)| *is));
    }
    found.dedup();
    Ok(found)
}

/// The format family of a file.
///
/// # Errors
/// `DSK-01`, `DSK-02`, `DSK-04`, `DSK-07`, `DSK-08`, `DSK-LUKS`, `VHD-01`, `VMD-01`, `VMD-02`.
pub(super) fn decide(file: &dyn ReadAt, declared: Option<Declared>) -> Result<Declared, ReadError> {
    let found = signatures(file)?;
    let found = match found[..] {
        // A dynamic VHD begins with a copy of its footer; a fixed one begins like its disk does.
        [S::VhdHeader | S::Luks, S::VhdFooter] => Some(S::VhdFooter),
        [first, second, ..] => {
            let what = format!("both a {} and a {} signature", first.name(), second.name());
            return Err(ReadError::refused("DSK-04", 0, what));
        }
        [one] => Some(one),
        [] => None,
    };
    match (declared, found) {
        (Some(Declared::Raw), None) => Ok(Declared::Raw),
        (None, None) => Err(ReadError::refused("DSK-01", 0, "no signature of a known disk format")),
        (Some(Declared::Vhd), None) => Err(no_footer(file)),
        (Some(declared), None) => Err(differs(declared, "no known format")),
        (Some(Declared::Raw), Some(found)) if !found.in_last_sector() => {
            Err(like_a_format(found, "the raw disk"))
        }
        (Some(declared), Some(found)) if found.declared() != Some(declared) => {
            Err(differs(declared, found.name()))
        }
        (_, Some(found)) => supported(file, found),
    }
}

fn supported(file: &dyn ReadAt, found: Signature) -> Result<Declared, ReadError> {
    match found {
        S::VhdHeader => Err(no_footer(file)),
        S::Luks => Err(like_a_format(S::Luks, "the file")),
        S::VmdkDescriptor => {
            Err(ReadError::refused("VMD-01", 0, "a text descriptor: the disk itself is in other files"))
        }
        S::VmdkCow => Err(ReadError::refused("VMD-02", 0, "an ESX copy-on-write extent")),
        other => other
            .declared()
            .ok_or_else(|| ReadError::refused("DSK-08", 0, format!("a disk of the format {}", other.name()))),
    }
}

fn differs(declared: Declared, found: &str) -> ReadError {
    let what = format!("declared as {}, but the content is {found}", declared.name());
    ReadError::refused("DSK-02", 0, what)
}

fn no_footer(file: &dyn ReadAt) -> ReadError {
    let at = file.size().saturating_sub(SECTOR_BYTES);
    ReadError::refused("VHD-01", at, "no VHD footer in the last 512 bytes")
}

fn like_a_format(found: Signature, disk: &str) -> ReadError {
    if found == S::Luks {
        return ReadError::refused("DSK-LUKS", 0, format!("{disk} is encrypted with LUKS"));
    }
    let place = if found.in_last_sector() { "ends" } else { "starts" };
    ReadError::refused("DSK-07", 0, format!("{disk} {place} like a {} file", found.name()))
}

/// Refuses a disk inside a container that, written out raw, would be taken for a container itself.
pub(super) fn refuse_nested(disk: &dyn ReadAt, format: Format) -> Result<(), ReadError> {
    match signatures(disk)?.first() {
        Some(found) => Err(like_a_format(*found, &format!("the disk inside the {} file", format.name()))),
        None => Ok(()),
    }
}
