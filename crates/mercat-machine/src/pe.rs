//! The little of a portable executable that rules need: its machine, its sections and its file version.

/// Machine types of 64-bit processors: x86-64 and ARM64.
pub(crate) const MACHINES_64: [u16; 2] = [0x8664, 0xaa64];
const VERSION_RESOURCE: u32 = 16;
const SUBDIRECTORY: u32 = 0x8000_0000;
/// Entries of one resource directory that are looked at.
const ENTRIES_MAX: u16 = 4096;
/// Magic of `VS_FIXEDFILEINFO`.
const FIXED_INFO: u32 = 0xfeef_04bd;

/// Sections of a file that are looked at, as loaders limit them.
const SECTIONS_MAX: u16 = 96;

pub(crate) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn headers(bytes: &[u8]) -> Option<usize> {
    let at = le32(bytes, 0x3c)? as usize;
    (bytes.starts_with(b"MZ") && bytes.get(at..)?.starts_with(b"PE\0\0")).then_some(at)
}

/// The machine; `None` when it is no portable executable.
pub(crate) fn machine(bytes: &[u8]) -> Option<u16> {
    le16(bytes, headers(bytes)?.checked_add(4)?)
}

/// A section: its name, where it is in memory and in the file, and how many bytes of the file it has.
pub(crate) struct Section {
    pub(crate) name: [u8; 8],
    address: u32,
    pub(crate) at: u32,
    pub(crate) bytes: u32,
}

/// The sections; `None` when it is no portable executable or not all of their headers are there.
pub(crate) fn sections(bytes: &[u8]) -> Option<Vec<Section>> {
    let at = headers(bytes)?;
    let first = at.checked_add(24)?.checked_add(usize::from(le16(bytes, at + 20)?))?;
    let count = le16(bytes, at + 6)?;
    let section = |index: u16| {
        let header = bytes.get(first.checked_add(usize::from(index) * 40)?..)?.get(..40)?;
        // Of a section that is longer in the file than in memory the rest is padding.
        let bytes = le32(header, 16)?.min(le32(header, 8)?);
        let name = *header.first_chunk()?;
        Some(Section { name, address: le32(header, 12)?, at: le32(header, 20)?, bytes })
    };
    (count <= SECTIONS_MAX).then(|| (0..count).map(section).collect()).flatten()
}

/// The file version of the first version resource, as four numbers.
pub(crate) fn version(bytes: &[u8]) -> Option<[u16; 4]> {
    let (start, address) = sections(bytes)?
        .iter()
        .find(|section| &section.name == b".rsrc\0\0\0")
        .map(|section| (section.at as usize, section.address))?;
    let resources = bytes.get(start..)?;
    let by_type = child(resources, 0, Some(VERSION_RESOURCE))?;
    let by_name = child(resources, directory(by_type)?, None)?;
    let by_language = child(resources, directory(by_name)?, None)?;
    let entry = (by_language & SUBDIRECTORY == 0).then_some(by_language as usize)?;
    let data = le32(resources, entry)?.checked_sub(address)? as usize;
    let data = resources.get(data..)?.get(..le32(resources, entry + 4)? as usize)?;
    // VS_VERSIONINFO: three lengths, the key of 15 characters with its end, padding, the fixed part.
    let fixed = data.get(40..)?;
    (le32(fixed, 0)? == FIXED_INFO).then_some(())?;
    let (high, low) = (le32(fixed, 8)?, le32(fixed, 12)?);
    let halves = |number: u32| [(number >> 16) as u16, (number & 0xffff) as u16];
    let ([major, minor], [build, revision]) = (halves(high), halves(low));
    Some([major, minor, build, revision])
}

fn directory(entry: u32) -> Option<usize> {
    (entry & SUBDIRECTORY != 0).then_some((entry & !SUBDIRECTORY) as usize)
}

/// Where the entry of an id in a directory leads; the first entry when no id is wanted.
fn child(resources: &[u8], at: usize, id: Option<u32>) -> Option<u32> {
    let named = le16(resources, at.checked_add(12)?)?;
    let count = named.checked_add(le16(resources, at + 14)?)?.min(ENTRIES_MAX);
    (0..usize::from(count)).find_map(|index| {
        let entry = resources.get(at + 16 + index * 8..)?.get(..8)?;
        (id.is_none() || le32(entry, 0) == id).then(|| le32(entry, 4)).flatten()
    })
}
