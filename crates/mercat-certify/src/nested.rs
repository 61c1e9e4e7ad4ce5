//! Archives inside files: opened here, so that scanners only see plain bytes.

use crate::facts::{Note, Scan};
use flate2_reader::multi_gzip;
use mercat_artifact::ReadError;
use mercat_artifact::layer::tar::{Kind, TarReader};
use std::io::{self, Cursor, Read};

/// An archive format, by the first bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Zip,
    Gzip,
    Zstd,
    Tar,
    Xz,
    Bzip2,
    /// Recognised, not opened yet.
    Other(&'static str),
}

impl Format {
    pub(crate) fn detect(head: &[u8]) -> Option<Self> {
        match head {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Self::Zip),
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', ..] => Some(Self::Bzip2),
            [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Some(Self::Other("7z")),
            [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => Some(Self::Other("rar")),
            _ if head.get(257..262) == Some(b"ustar") => Some(Self::Tar),
            _ => None,
        }
    }
}

/// Whether the end of a file looks like the end of a zip archive (APPNOTE 4.3.16). The four bytes alone
/// are in every program that reads zip; an archive has a central directory in front of them.
/// `whole` says that the bytes are all of the file.
pub(crate) fn has_zip_tail(tail: &[u8], whole: bool) -> bool {
    let from = tail.len().saturating_sub(22 + 65_535);
    let ends = tail[from..].windows(22).enumerate().filter(|(_, end)| end.starts_with(b"PK\x05\x06"));
    ends.into_iter().any(|(at, end)| has_directory(&tail[..from + at], end, whole))
}

/// Whether the bytes in front of an end record can be the central directory that it tells of.
fn has_directory(before: &[u8], end: &[u8], whole: bool) -> bool {
    let number = |at: usize| {
        end.iter().skip(at).take(2).rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (entries, size) = (number(10), number(12) | number(14) << 16);
    // Of a zip64 archive the numbers are elsewhere; of a large one the directory may begin before the window.
    let elsewhere = entries == 0xffff || size == 0xffff_ffff;
    match before.len().checked_sub(size) {
        _ if elsewhere => true,
        _ if entries == 0 => false,
        None => !whole,
        Some(start) => before[start..].starts_with(b"PK\x01\x02"),
    }
}

/// Opens an archive that is held in memory and shows its members to the scanners.
///
/// # Errors
/// Only when bytes could not be had, which memory never does; damage becomes a note.
pub(crate) fn walk(
    scan: &mut Scan<'_>,
    path: &str,
    depth: u32,
    format: Format,
    bytes: &[u8],
) -> Result<(), ReadError> {
    let done = match format {
        Format::Zip => zip(scan, path, depth, bytes),
        Format::Gzip => stream(scan, path, depth, multi_gzip(bytes)),
        Format::Zstd => match zstd_reader(bytes) {
            Ok(reader) => stream(scan, path, depth, reader),
            Err(error) => Err(ReadError::from(error)),
        },
        Format::Xz => stream(scan, path, depth, lzma_rust2::XzReader::new(bytes, true)),
        Format::Bzip2 => stream(scan, path, depth, bzip2::read::MultiBzDecoder::new(bytes)),
        Format::Tar => tar(scan, path, depth, bytes),
        Format::Other(name) => {
            let observed = format!("an {name} archive, which is not opened yet");
            let fix = "ship the content unpacked, or as zip, tar, gzip, zstd, xz or bzip2";
            scan.note(Note::new("INC-04", path, observed, "a format that is opened", fix));
            Ok(())
        }
    };
    if let Err(error) = done {
        let fix = "replace the archive with one that unpacks, or remove it";
        let observed = format!("the archive cannot be read to its end ({error})");
        scan.note(Note::new("INC-05", path, observed, "an archive that can be read whole", fix));
    }
    Ok(())
}

fn zstd_reader(bytes: &[u8]) -> io::Result<impl Read + '_> {
    Ok(mercat_artifact::layer::ZstdReader::new(Cursor::new(bytes)))
}

fn stream(scan: &mut Scan<'_>, path: &str, depth: u32, reader: impl Read) -> Result<(), ReadError> {
    member(scan, &format!("{path}!/content"), depth, reader)
}

fn member(scan: &mut Scan<'_>, path: &str, depth: u32, reader: impl Read) -> Result<(), ReadError> {
    let before = scan.facts.nested_bytes;
    let limit = scan.limits().nested_total_bytes;
    let mut limited = reader.take(limit + 1);
    scan.content(path, depth, &mut limited, false)?;
    let used = scan.facts.nested_bytes - before;
    if !scan.spend(path, used.min(limit + 1)) {
        return Ok(());
    }
    Ok(())
}

fn tar(scan: &mut Scan<'_>, path: &str, depth: u32, bytes: &[u8]) -> Result<(), ReadError> {
    let mut tar = TarReader::new(bytes, scan.limits().layer_entries);
    while let Some(entry) = tar.next_entry()? {
        if entry.kind == Kind::File {
            // The bytes were scanned as part of the archive; what matters here is what they open to.
            let mut body = Vec::new();
            let mut chunk = [0; 8192];
            loop {
                match tar.read_body(&mut chunk)? {
                    0 => break,
                    count => body.extend_from_slice(&chunk[..count]),
                }
            }
            member(scan, &format!("{path}!/{}", entry.path), depth, &body[..])?;
        }
    }
    Ok(())
}

fn zip(scan: &mut Scan<'_>, path: &str, depth: u32, bytes: &[u8]) -> Result<(), ReadError> {
    let bad = |error: zip::result::ZipError| ReadError::from(io::Error::other(error.to_string()));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(bad)?;
    if archive.has_overlapping_files().map_err(bad)? {
        let observed = "a zip whose members overlap".to_owned();
        scan.note(Note::new("CTR-29", path, observed, "members side by side", "remove the archive"));
        return Ok(());
    }
    for at in 0..archive.len() {
        let file = match archive.by_index(at) {
            Ok(file) => file,
            Err(error) => {
                let observed = format!("member {at} cannot be opened: {error}");
                scan.note(Note::new(
                    "INC-05",
                    path,
                    observed,
                    "members that open",
                    "store it without encryption",
                ));
                continue;
            }
        };
        if file.is_dir() {
            continue;
        }
        let name = file.name().map(|name| name.into_owned()).unwrap_or_else(|_| format!("member-{at}"));
        if let Err(error) = member(scan, &format!("{path}!/{name}"), depth, file) {
            let observed = format!("member {name} cannot be read to its end ({error})");
            scan.note(Note::new(
                "INC-05",
                path,
                observed,
                "members that can be read whole",
                "rebuild the archive",
            ));
        }
    }
    Ok(())
}

mod flate2_reader {
    use std::io::Read;

    /// All members of a gzip file: archives inside files follow the format's own rule, not the layers'.
    pub(super) fn multi_gzip(bytes: &[u8]) -> impl Read + '_ {
        flate2::read::MultiGzDecoder::new(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bytes_are_no_archive_and_an_archive_behind_a_program_is_one() {
        use std::io::Write;
        let mut zip = zip::ZipWriter::new(Cursor::new(b"#!/bin/sh\n".to_vec()));
        zip.start_file("a", zip::write::SimpleFileOptions::default()).expect("begins");
        zip.write_all(b"content").expect("written");
        let archive = zip.finish().expect("ends").into_inner();
        let behind = [&b"#!/bin/sh\nexec java -jar $0\n"[..], &archive].concat();
        assert!(has_zip_tail(&behind, true) && has_zip_tail(&[&behind[..], b"more"].concat(), true));
        let program = [&b"magic = b'PK\x05\x06'"[..], &[7; 40]].concat();
        assert!(!has_zip_tail(&program, true) && has_zip_tail(&program, false));
    }
}
