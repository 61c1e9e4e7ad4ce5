//! Archives and compressed files inside layers and disks: what they are, and how they are walked.
//!
//! A walk shows each member to a visitor, in the order of the archive. Members that the visitor leaves
//! unread are passed over; an error of the visitor ends the walk and comes out as it is. What two programs
//! could read in two ways is refused with a code of its own.

pub mod ar;
pub mod behind;
pub mod cab;
mod compress;
pub mod cpio;
pub mod git;
mod lz4;
mod member;
pub mod rpm;
pub mod sevenz;
pub mod zip;

pub use compress::CompressReader;
pub use lz4::Lz4Reader;

use crate::ReadError;
use std::io::Read;

/// Members of one archive, most.
pub const MEMBERS_MAX: u64 = 1_000_000;
/// Bytes of one member's name, most.
pub const NAME_BYTES_MAX: usize = 4096;

/// A member of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'m> {
    /// Its name as the archive writes it.
    pub name: &'m str,
    /// The bytes that the archive announces for it, where it does.
    pub size: Option<u64>,
}

/// Who is shown the members, each with its content.
pub type Visit<'v> = dyn FnMut(Member<'_>, &mut dyn Read) -> Result<(), ReadError> + 'v;

/// An archive or compression format, by the first bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// PKWARE zip.
    Zip,
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878), also where a skippable frame comes first.
    Zstd,
    /// POSIX tar with a magic.
    Tar,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
    /// Unix `ar`: static libraries and Debian packages; see [`ar`].
    Ar,
    /// cpio, newc, crc or odc: initial RAM disks and payloads of rpm; see [`cpio`].
    Cpio,
    /// An RPM package; see [`rpm`].
    Rpm,
    /// A Microsoft cabinet; see [`cab`].
    Cab,
    /// 7z; see [`sevenz`].
    SevenZip,
    /// LZ4 frames; see [`Lz4Reader`].
    Lz4,
    /// Unix `compress`; see [`CompressReader`].
    Compress,
    /// A pack of git; see [`git`].
    GitPack,
    /// A zlib stream (RFC 1950), as git keeps its objects. Two bytes tell, so what does not unpack is none.
    Zlib,
    /// rar: recognised, not opened.
    Rar,
    /// LZMA without a container (`.lzma`): recognised, not opened.
    Lzma,
    /// cpio in its old binary form: recognised, not opened.
    BinaryCpio,
    /// ARJ: recognised, not opened.
    Arj,
    /// ACE: recognised, not opened.
    Ace,
    /// LHA: recognised, not opened.
    Lha,
    /// LZ4 of the Linux kernel, without frames: recognised, not opened.
    LegacyLz4,
    /// lzip: recognised, not opened.
    Lzip,
    /// lzop: recognised, not opened.
    Lzop,
    /// xar, as packages of macOS are: recognised, not opened.
    Xar,
    /// An image of Windows (WIM): recognised, not opened.
    Wim,
    /// Something of this list behind zeros, which kernels and other readers pass over: recognised, not opened.
    Padded,
    /// A file system or the disk of a machine, which is opened by other readers than those of this module.
    Disk,
}

impl Format {
    /// Name of the format, as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Tar => "tar",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
            Self::Ar => "ar",
            Self::Cpio => "cpio",
            Self::Rpm => "rpm",
            Self::Cab => "cab",
            Self::SevenZip => "7z",
            Self::Lz4 => "lz4",
            Self::Compress => "compress (.Z)",
            Self::GitPack => "a pack of git",
            Self::Zlib => "zlib",
            Self::Rar => "rar",
            Self::Lzma => "lzma",
            Self::BinaryCpio => "binary cpio",
            Self::Arj => "arj",
            Self::Ace => "ace",
            Self::Lha => "lha",
            Self::LegacyLz4 => "legacy lz4",
            Self::Lzip => "lzip",
            Self::Lzop => "lzop",
            Self::Xar => "xar",
            Self::Wim => "wim",
            Self::Padded => "an archive behind zeros",
            Self::Disk => "a file system or disk",
        }
    }
}

impl Format {
    /// Whether its first bytes are hardly there by chance.
    pub(crate) fn is_sure(self) -> bool {
        use Format::*;
        matches!(self, Zip | Gzip | Zstd | Tar | Xz | Bzip2 | Ar | Cpio | Rpm | Cab | SevenZip | Lz4 | Rar)
    }
}

/// Tells a format by the first bytes of a file; 512 are enough for most, 64 KiB and 72 for [`Format::Disk`].
pub fn detect(head: &[u8]) -> Option<Format> {
    match head {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Format::Zip),
        // A module of the JDK: a header of four bytes, then a zip.
        [b'J', b'M', 1, 0, b'P', b'K', 3, 4, ..] => Some(Format::Zip),
        [0x1f, 0x8b, 8, ..] => Some(Format::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Format::Zstd),
        // A skippable frame, of those that are in front of zstd, and of lz4, too (RFC 8878, 3.1.2).
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Format::Zstd),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Format::Xz),
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', ..] => Some(Format::Bzip2),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x17, b'r', b'E', ..] => Some(Format::Bzip2),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Some(Format::SevenZip),
        [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => Some(Format::Rar),
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => Some(Format::Ar),
        [b'!', b'<', b't', b'h', b'i', b'n', b'>', b'\n', ..] => Some(Format::Ar),
        [b'0', b'7', b'0', b'7', b'0', b'1' | b'2' | b'7', ..] => Some(Format::Cpio),
        [0xed, 0xab, 0xee, 0xdb, 3 | 4, ..] => Some(Format::Rpm),
        [b'M', b'S', b'C', b'F', 0, 0, 0, 0, ..] => Some(Format::Cab),
        [b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, ..] => Some(Format::GitPack),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(Format::Lz4),
        // Bits 5 and 6 of the third byte are reserved; widths of codes are 9 to 16.
        [0x1f, 0x9d, flags, ..] if flags & 0x60 == 0 && (9..=16).contains(&(flags & 0x1f)) => {
            Some(Format::Compress)
        }
        [0x02, 0x21, 0x4c, 0x18, ..] => Some(Format::LegacyLz4),
        [b'L', b'Z', b'I', b'P', 0 | 1, ..] => Some(Format::Lzip),
        [b'x', b'a', b'r', b'!', 0, 28..=255, 0, 1, ..] => Some(Format::Xar),
        [b'M', b'S', b'W', b'I', b'M', 0, 0, 0, ..] => Some(Format::Wim),
        [0x89, b'L', b'Z', b'O', 0, b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Lzop),
        _ => detect_weak(head),
    }
}

/// Formats whose magic is short or not at the beginning, so that more of the head is asked.
fn detect_weak(head: &[u8]) -> Option<Format> {
    if is_tar(head) {
        return Some(Format::Tar);
    }
    if is_disk(head) {
        return Some(Format::Disk);
    }
    if head.get(7..14) == Some(b"**ACE**") {
        return Some(Format::Ace);
    }
    // ARJ: size of the basic header (30 to 2,600), size of its first part, versions, host 0 to 11.
    if let [0x60, 0xea, low, high, first @ 30..=64, _, _, 0..=11, ..] = head
        && (30..=2600).contains(&(usize::from(*low) | usize::from(*high) << 8))
        && usize::from(*first) <= usize::from(*low) | usize::from(*high) << 8
    {
        return Some(Format::Arj);
    }
    if let [_, _, b'-', b'l', b'h' | b'z', b'0'..=b'7' | b'd' | b's', b'-', ..] = head
        && head.get(20).is_some_and(|level| *level <= 3)
    {
        return Some(Format::Lha);
    }
    // A window that there is, a header whose check is right and that asks for no dictionary, and a kind of block that there is.
    if let [method @ (0x08 | 0x18 | 0x28 | 0x38 | 0x48 | 0x58 | 0x68 | 0x78), flags, first, ..] = head
        && (usize::from(*method) << 8 | usize::from(*flags)).is_multiple_of(31)
        && flags & 0x20 == 0
        && first & 0x06 != 0x06
    {
        return Some(Format::Zlib);
    }
    if is_lzma(head) {
        return Some(Format::Lzma);
    }
    if is_binary_cpio(head) {
        return Some(Format::BinaryCpio);
    }
    if head.starts_with(&[0, 0, 0, 0]) {
        let zeros = head.iter().take_while(|byte| **byte == 0).count();
        return behind_zeros(head.get(zeros..)?).then_some(Format::Padded);
    }
    None
}

/// Whether a tar begins with these bytes, of which 512 are asked.
pub(crate) fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar") || is_old_tar(head)
}

/// A tar from before POSIX: nothing but the checksum of its header tells.
fn is_old_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512).filter(|header| header[0] != 0) else { return false };
    let digits: Vec<u8> = header[148..156].iter().copied().filter(|byte| !matches!(byte, b' ' | 0)).collect();
    let wanted = std::str::from_utf8(&digits).ok().and_then(|text| u32::from_str_radix(text, 8).ok());
    let blank = |at: usize| if (148..156).contains(&at) { b' ' } else { header[at] };
    let sum: u32 = (0..512).map(|at| u32::from(blank(at))).sum();
    // Some of old took bytes for numbers with a sign.
    let high = (0..512).filter(|at| blank(*at) >= 0x80).count();
    let signed = i64::from(sum) - 256 * i64::try_from(high).unwrap_or(i64::MAX);
    wanted.is_some_and(|wanted| wanted == sum || i64::from(wanted) == signed)
}

/// File systems and disks of machines, by magics of four bytes or more, or with a plausible field beside.
fn is_disk(head: &[u8]) -> bool {
    let at = |place: usize, magic: &[u8]| head.get(place..place + magic.len()) == Some(magic);
    let small =
        |place: usize, most: u8| matches!(head.get(place..place + 4), Some([low, 0, 0, 0]) if *low <= most);
    let first: [&[u8]; 11] = [
        b"hsqs",
        b"sqsh",
        b"XFSB",
        b"QFI\xfb",
        b"KDMV",
        b"vhdxfile",
        b"conectix",
        b"-rom1fs-",
        b"\x45\x3d\xcd\x28",
        b"\x28\xcd\x3d\x45",
        b"LUKS\xba\xbe",
    ];
    first.iter().any(|magic| at(0, magic))
        || at(3, b"EXFAT   ")
        || at(32, b"NXSB")
        || at(0x40, b"\x7f\x10\xda\xbe")
        || at(510, b"\x55\xaa") && (at(3, b"NTFS    ") || at(54, b"FAT1") || at(82, b"FAT32   "))
        // A kernel of Linux begins as a boot sector, too, with numbers of its own there.
        || at(510, b"\x55\xaa") && !at(0x202, b"HdrS") && has_partitions(head)
        || at(0x400, b"\xe2\xe1\xf5\xe0")
        || at(0x400, b"\x10\x20\xf5\xf2")
        || at(0x400, b"H+\0\x04")
        || at(0x438, b"\x53\xef") && small(0x418, 6) && small(0x44c, 1)
        || at(0x8001, b"CD001")
        || at(0x8001, b"BEA01")
        || at(0x10040, b"_BHRfS_M")
        || at(512, b"EFI PART")
}

/// Whether the master boot record has partitions that can be some: each is active or not, has a kind, and begins behind the
/// record and behind the one before. Boot sectors of programs have code there.
fn has_partitions(head: &[u8]) -> bool {
    let Some(table) = head.get(446..510) else { return false };
    let number = |entry: &[u8], at: usize| le(&entry[at..at + 4]);
    let used: Vec<&[u8]> = table.chunks(16).filter(|entry| entry.iter().any(|byte| *byte != 0)).collect();
    let can_be = |entry: &&[u8]| {
        matches!(entry[0], 0 | 0x80) && entry[4] != 0 && number(entry, 8) > 0 && number(entry, 12) > 0
    };
    let follows = |pair: &[&[u8]]| number(pair[0], 8) + number(pair[0], 12) <= number(pair[1], 8);
    !used.is_empty() && used.iter().all(can_be) && used.windows(2).all(follows)
}

/// Whether what stands behind zeros is compressed data or an archive, by magics that nothing else begins with.
pub fn behind_zeros(rest: &[u8]) -> bool {
    let magics: [&[u8]; 9] = [
        &[0x1f, 0x8b, 8, 0],
        &[0x1f, 0x8b, 8, 8],
        &[0x28, 0xb5, 0x2f, 0xfd],
        &[0xfd, b'7', b'z', b'X', b'Z', 0],
        b"BZh91AY",
        b"070701",
        b"PK\x03\x04",
        b"7z\xbc\xaf",
        &[0x02, 0x21, 0x4c, 0x18],
    ];
    magics.iter().any(|magic| rest.starts_with(magic))
}

/// `.lzma`: properties that there are (`lc + lp` at most 4), a dictionary of a power of two, a size that is unknown or below 1 TiB,
/// and the zero byte that every range coder begins with.
fn is_lzma(head: &[u8]) -> bool {
    let Some((header, [0, ..])) = head.split_at_checked(13) else { return false };
    let dictionary = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
    let size = header[5..].iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let (lc, lp) = (header[0] % 9, header[0] / 9 % 5);
    // Tables of small numbers look like others; no number is as large as a size that is not known.
    let properties = header[0] == 0x5d || header[0] < 225 && lc + lp <= 4 && size == u64::MAX;
    properties
        && (dictionary.is_power_of_two() || (dictionary / 3).is_power_of_two())
        && dictionary >= 1 << 12
        && (size == u64::MAX || size < 1 << 40)
}

/// Old binary cpio: the magic in either byte order, a name whose length is plausible, and its NUL.
fn is_binary_cpio(head: &[u8]) -> bool {
    let number = |at: usize| -> Option<usize> {
        let pair = [*head.get(at)?, *head.get(at + 1)?];
        let little = head.starts_with(&[0xc7, 0x71]);
        Some(usize::from(if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }))
    };
    let known = head.starts_with(&[0xc7, 0x71]) || head.starts_with(&[0x71, 0xc7]);
    let length = number(20).unwrap_or(0);
    known
        && (2..=NAME_BYTES_MAX).contains(&length)
        && head.get(26 + length - 1) == Some(&0)
        && head.get(26..26 + length - 1).is_some_and(|name| !name.contains(&0))
}

/// A number of an archive, little-endian, of at most eight bytes.
fn le(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests;
