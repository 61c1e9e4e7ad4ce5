//! Programs: what compilers write into them about the modules that they are made of.

use crate::json::parse;
use crate::{Broken, Component, Evidence, component, versions};
use object::read::elf::{FileHeader, ProgramHeader};
use object::read::macho::{FatArch, MachOFatFile32, MachOFatFile64};
use object::{Endianness, FileKind, Object, ObjectSection, ObjectSegment, elf};
use serde::Deserialize;
use std::io::Read;
use std::ops::Range;

/// Bytes that a list of crates may unpack to.
const AUDIT_BYTES_MAX: u64 = 8 << 20;
/// Bytes of a list of Go modules.
const GO_BYTES_MAX: usize = 8 << 20;
/// Programs in one fat Mach-O file.
const FAT_MAX: usize = 16;
/// Places in one file that look like Go's and are none.
const GO_PLACES_MAX: usize = 64;

const GO_MAGIC: &[u8] = b"\xff Go buildinf:";

/// Whether a file begins like a program or library in ELF, PE or Mach-O.
pub(crate) fn is_program(head: &[u8]) -> bool {
    match head {
        [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] => true,
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => true,
        _ => is_fat(head),
    }
}

/// Fat Mach-O; Java classes begin alike, with a version where the small number of programs stands.
fn is_fat(head: &[u8]) -> bool {
    matches!(head, [0xca, 0xfe, 0xba, 0xbe | 0xbf, 0, 0, 0, 1..=16, ..])
}

/// Parts of an ELF file of this size in which no list stands: segments of code alone. A segment from byte 0, and one
/// that can be written, hold data too.
pub(crate) fn unread(head: &[u8], size: u64) -> Vec<Range<usize>> {
    let mut out = match object::FileKind::parse(head) {
        Ok(FileKind::Elf64) => code::<elf::FileHeader64<Endianness>>(head, size),
        Ok(FileKind::Elf32) => code::<elf::FileHeader32<Endianness>>(head, size),
        _ => None,
    }
    .unwrap_or_default();
    out.sort_unstable_by_key(|part| part.start);
    out
}

fn code<E: FileHeader<Endian = Endianness>>(head: &[u8], size: u64) -> Option<Vec<Range<usize>>> {
    let header = E::parse(head).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, head).ok()?.iter();
    let ends = |start: u64, bytes: u64| start.checked_add(bytes).filter(|end| *end <= size);
    let part = |segment: &E::ProgramHeader| {
        let is_code = segment.p_type(endian) == elf::PT_LOAD
            && segment.p_flags(endian) & (elf::PF_X | elf::PF_W) == elf::PF_X;
        let start: u64 = segment.p_offset(endian).into();
        let end = ends(start, segment.p_filesz(endian).into())?;
        (is_code && start > 0).then_some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    };
    Some(segments.filter_map(part).collect())
}

/// Where an ELF program ends by its own tables: its segments and its table of sections.
pub(crate) fn ends_at(head: &[u8]) -> Option<u64> {
    match object::FileKind::parse(head) {
        Ok(FileKind::Elf64) => end::<elf::FileHeader64<Endianness>>(head),
        Ok(FileKind::Elf32) => end::<elf::FileHeader32<Endianness>>(head),
        _ => None,
    }
}

fn end<E: FileHeader<Endian = Endianness>>(head: &[u8]) -> Option<u64> {
    let header = E::parse(head).ok()?;
    let endian = header.endian().ok()?;
    let table = u64::from(header.e_shnum(endian)) * u64::from(header.e_shentsize(endian));
    let sections = Into::<u64>::into(header.e_shoff(endian)).checked_add(table)?;
    let of = |segment: &E::ProgramHeader| {
        Into::<u64>::into(segment.p_offset(endian)).checked_add(segment.p_filesz(endian).into())
    };
    let segments = header.program_headers(endian, head).ok()?.iter().filter_map(of).max();
    Some(sections.max(segments.unwrap_or(0)))
}

/// Go modules, Rust crates and the versions that well-known programs carry as text.
pub(crate) fn read(path: &str, bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let mut out = versions::of(path, bytes);
    if is_fat(bytes) {
        for part in fat(bytes) {
            out.extend(modules(part)?);
        }
    } else {
        out.extend(modules(bytes)?);
    }
    Ok(out)
}

/// The programs of a fat file that are within it.
fn fat(bytes: &[u8]) -> Vec<&[u8]> {
    if let Ok(file) = MachOFatFile32::parse(bytes) {
        return file.arches().iter().take(FAT_MAX).filter_map(|arch| arch.data(bytes).ok()).collect();
    }
    match MachOFatFile64::parse(bytes) {
        Ok(file) => file.arches().iter().take(FAT_MAX).filter_map(|arch| arch.data(bytes).ok()).collect(),
        Err(_) => Vec::new(),
    }
}

fn modules(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    // Kernel modules, boot loaders and data files begin like programs too; what does not parse has no lists.
    let Ok(file) = object::File::parse(bytes) else { return Ok(go_anywhere(bytes, None)) };
    let mut out = Vec::new();
    let mut has_sections = false;
    let mut is_go = false;
    for section in file.sections() {
        has_sections = true;
        let Ok(name) = section.name() else { continue };
        match name {
            ".dep-v0" | "rust-deps-v0" => out.extend(crates(section.data().unwrap_or_default())?),
            ".go.buildinfo" | "__go_buildinfo" => {
                let data = section.data().unwrap_or_default();
                let found = go(&file, data)?;
                is_go |= !found.is_empty();
                out.extend(found);
            }
            _ => {}
        }
    }
    // In PE the list stands in the data, and section headers can be stripped.
    let pe = matches!(file.format(), object::BinaryFormat::Pe | object::BinaryFormat::Coff);
    if !is_go && (pe || !has_sections) {
        out.extend(go_anywhere(bytes, Some(&file)));
    }
    Ok(out)
}

#[derive(Deserialize)]
struct Audit {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    #[serde(default)]
    kind: String,
}

/// The section that cargo-auditable writes: JSON, deflated. Build dependencies are not in the program.
fn crates(data: &[u8]) -> Result<Vec<Component>, Broken> {
    const FORMAT: &str = "list of Rust crates (.dep-v0)";
    let mut text = Vec::new();
    let mut inflated = flate2::read::ZlibDecoder::new(data).take(AUDIT_BYTES_MAX + 1);
    inflated.read_to_end(&mut text).map_err(|error| Broken::syntax(FORMAT, error))?;
    if text.len() as u64 > AUDIT_BYTES_MAX {
        return Err(Broken::syntax(FORMAT, format!("more than {AUDIT_BYTES_MAX} bytes unpacked")));
    }
    let audit: Audit = parse(FORMAT, &text)?;
    let run = audit.packages.into_iter().filter(|found| found.kind != "build");
    Ok(run.map(|found| component("cargo", &found.name, &found.version, Evidence::Installed)).collect())
}

/// Go's list at the beginning of its section.
fn go(file: &object::File<'_>, data: &[u8]) -> Result<Vec<Component>, Broken> {
    const FORMAT: &str = "list of Go modules";
    let Some(at) = memchr::memmem::find(data, GO_MAGIC) else { return Ok(Vec::new()) };
    let (version, modules) = go_texts(Some(file), data.get(at..).unwrap_or_default())
        .ok_or_else(|| Broken::syntax(FORMAT, "its texts are outside of the file"))?;
    Ok(go_modules(&version, &modules))
}

/// Go's list wherever it stands; a place without a readable list is a constant of some program.
fn go_anywhere(bytes: &[u8], file: Option<&object::File<'_>>) -> Vec<Component> {
    for at in memchr::memmem::find_iter(bytes, GO_MAGIC).take(GO_PLACES_MAX) {
        let texts = go_texts(file, bytes.get(at..).unwrap_or_default());
        if let Some((version, modules)) = texts.filter(|(version, _)| version.starts_with("go")) {
            return go_modules(&version, &modules);
        }
    }
    Vec::new()
}

/// Version and modules behind the magic (`debug/buildinfo`): inline since Go 1.18, before it two pointers
/// to headers of strings.
fn go_texts(file: Option<&object::File<'_>>, data: &[u8]) -> Option<(String, String)> {
    let (width, flags) = (usize::from(*data.get(14)?), *data.get(15)?);
    let (version, modules) = if flags & 2 != 0 {
        let (version, rest) = counted(data.get(32..)?)?;
        (version, counted(rest)?.0)
    } else {
        let file = file?;
        let big = flags & 1 != 0;
        let header = |at: usize| {
            let pointer = number(data.get(at..)?, width, big)?;
            let header = memory(file, pointer, 2 * width)?;
            let (start, length) = (number(header, width, big)?, number(header.get(width..)?, width, big)?);
            memory(file, start, usize::try_from(length).ok().filter(|length| *length <= GO_BYTES_MAX)?)
        };
        (header(16)?, header(16 + width).unwrap_or_default())
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // Sixteen bytes stand on either side of the modules, so that the text can be found in memory.
    let inside = modules.len().checked_sub(16).and_then(|end| modules.get(16..end)).unwrap_or_default();
    (!version.is_empty()).then(|| (text(version), text(inside)))
}

/// A text behind its length as a variable-length number.
fn counted(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (at, byte) in data.iter().enumerate().take(5) {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let rest = data.get(at + 1..)?;
            return (length <= GO_BYTES_MAX).then(|| rest.split_at_checked(length)).flatten();
        }
    }
    None
}

fn number(data: &[u8], width: usize, big: bool) -> Option<u64> {
    let bytes = data.get(..width).filter(|_| matches!(width, 4 | 8))?;
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
}

/// The bytes at an address of the loaded program.
fn memory<'f>(file: &object::File<'f>, address: u64, length: usize) -> Option<&'f [u8]> {
    for segment in file.segments() {
        let Some(offset) = address.checked_sub(segment.address()) else { continue };
        let Ok(data) = segment.data() else { continue };
        let found = usize::try_from(offset).ok().and_then(|at| data.get(at..at.checked_add(length)?));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The lines `mod`, `dep` and `=>` (`runtime/debug.ParseBuildInfo`), and the toolchain as `stdlib`.
fn go_modules(version: &str, modules: &str) -> Vec<Component> {
    let mut out = Vec::new();
    // "go1.22.1 X:experiment"; a toolchain between releases is "devel go1.23-abcdef ...".
    let release = version.split_whitespace().find_map(|word| word.strip_prefix("go")).unwrap_or_default();
    out.push(component("golang", "stdlib", release, Evidence::Installed));
    for line in modules.lines() {
        let mut words = line.split('\t');
        let (Some(kind), Some(path), version) = (words.next(), words.next(), words.next()) else { continue };
        // A main module of a working tree has no version.
        let version = version.filter(|version| *version != "(devel)").unwrap_or_default();
        match kind {
            "mod" | "dep" => out.push(component("golang", path, version, Evidence::Installed)),
            "=>" => {
                out.pop();
                out.push(component("golang", path, version, Evidence::Installed));
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::SectionKind;

    #[test]
    fn only_code_is_left_unread() {
        let bytes = std::fs::read(std::env::current_exe().expect("a path")).expect("this program");
        let parts = unread(&bytes[..4096], bytes.len() as u64);
        assert!(!parts.is_empty());
        let file = object::File::parse(&*bytes).expect("a program");
        for section in file.sections() {
            let code = section.kind() == SectionKind::Text;
            let Some((start, size)) = section.file_range().filter(|(_, size)| *size > 0 && !code) else {
                continue;
            };
            let overlaps =
                parts.iter().any(|part| (part.start as u64) < start + size && part.end as u64 > start);
            assert!(!overlaps, "{:?}", section.name());
        }
    }

    #[test]
    fn segments_that_lead_out_of_the_file_are_not_left_out() {
        let mut head = std::fs::read(std::env::current_exe().expect("a path")).expect("this program");
        head.truncate(4096);
        assert_eq!(unread(&head, 4096), []);
        assert_eq!(unread(b"\x7fELF", 4), []);
        assert_eq!(unread(b"#!/bin/sh", 9), []);
    }
}
