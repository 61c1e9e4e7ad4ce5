//! Programs: what compilers write into them about the modules that they are made of.

use crate::json::parse;
use crate::places::{Headers, Part, bytes_at, first_place};
use crate::{Broken, Component, Evidence, component, versions};
use mercat_artifact::Positioned;
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::read::macho::{FatArch, MachOFatFile32, MachOFatFile64};
use object::{Endianness, FileKind, Object, ObjectSection, ObjectSegment, ReadRef, elf};
use serde::Deserialize;
use std::cmp::min;
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
    // Of a table that is not in the head nothing is known: what may stand behind begins the sooner.
    let segments = header.program_headers(endian, head).unwrap_or_default().iter().filter_map(of).max();
    Some(sections.max(segments.unwrap_or(0)).max(size_of::<E>() as u64))
}

/// Go modules, Rust crates and the versions that well-known programs carry as text.
pub(crate) fn read(path: &str, program: &dyn Positioned) -> Result<Vec<Component>, Broken> {
    let mut out = versions::of(path, program)?;
    let head = bytes_at(program, 0..min(8, program.length().map_err(Broken::unread)?))?;
    if is_fat(&head.unwrap_or_default()) {
        for part in fat(program)? {
            out.extend(modules(&part)?);
        }
    } else {
        out.extend(modules(program)?);
    }
    Ok(out)
}

/// The programs of a fat file that are within it.
fn fat(program: &dyn Positioned) -> Result<Vec<Part<'_>>, Broken> {
    fn ranges<'d, A: FatArch>(arches: &'d [A]) -> impl Iterator<Item = (u64, u64)> + 'd {
        arches.iter().map(FatArch::file_range)
    }
    let headers = Headers::of(program);
    let cache = ReadCache::new(headers.source());
    let found: Vec<(u64, u64)> = match MachOFatFile32::parse(&cache) {
        Ok(file) => ranges(file.arches()).take(FAT_MAX).collect(),
        Err(_) => match MachOFatFile64::parse(&cache) {
            Ok(file) => ranges(file.arches()).take(FAT_MAX).collect(),
            Err(_) => Vec::new(),
        },
    };
    headers.check()?;
    let length = program.length().map_err(Broken::unread)?;
    let within = |(start, bytes): &(u64, u64)| start.checked_add(*bytes).is_some_and(|end| end <= length);
    Ok(found.into_iter().filter(within).map(|(start, bytes)| Part { program, start, bytes }).collect())
}

fn modules(program: &dyn Positioned) -> Result<Vec<Component>, Broken> {
    let whole = 0..program.length().map_err(Broken::unread)?;
    // Kernel modules, boot loaders and data files begin like programs too; what does not parse has no lists.
    let Some(layout) = layout(program)? else { return go_anywhere(program, None, whole) };
    if layout.lists.len() > LISTS_MAX {
        return Err(Broken::Beyond(format!("more than {LISTS_MAX} sections with lists of modules")));
    }
    let mut out = Vec::new();
    let mut is_go = false;
    for (list, range) in &layout.lists {
        match list {
            List::Rust => out.extend(crates(program, range)?),
            List::Go => {
                let found = go(&layout, program, range)?;
                is_go |= !found.is_empty();
                out.extend(found);
            }
        }
    }
    // In PE the list stands in the data, and section headers can be stripped, or have other names.
    if !is_go && (layout.pe || !layout.has_sections) {
        out.extend(go_anywhere(program, Some(&layout), whole)?);
    } else if !is_go {
        if layout.written.len() > WRITTEN_MAX {
            return Err(Broken::Beyond(format!("more than {WRITTEN_MAX} segments with data")));
        }
        for range in &layout.written {
            out.extend(go_anywhere(program, Some(&layout), range.start..range.end.min(whole.end))?);
        }
    }
    Ok(out)
}

#[derive(Clone, Copy)]
enum List {
    Go,
    Rust,
}

impl List {
    fn of(section: &[u8]) -> Option<Self> {
        match section {
            b".dep-v0" | b"rust-deps-v0" => Some(Self::Rust),
            b".go.buildinfo" | b"__go_buildinfo" => Some(Self::Go),
            _ => None,
        }
    }
}

/// What is where in a program.
struct Layout {
    /// Sections that hold a list, and where in the file.
    lists: Vec<(List, Range<u64>)>,
    /// Addresses of the loaded program, and where in the file their bytes are.
    segments: Vec<(u64, Range<u64>)>,
    /// Where in the file that is of which the program may write: its data.
    written: Vec<Range<u64>>,
    has_sections: bool,
    pe: bool,
}

/// Segments with data that are searched; a program has one.
const WRITTEN_MAX: usize = 8;
/// Sections with lists that are read; a program has one of each.
const LISTS_MAX: usize = 64;

fn layout(program: &dyn Positioned) -> Result<Option<Layout>, Broken> {
    let headers = Headers::of(program);
    let cache = ReadCache::new(headers.source());
    let found = match FileKind::parse(&cache) {
        Ok(FileKind::Elf64) => elf_layout::<elf::FileHeader64<Endianness>, _>(&cache),
        Ok(FileKind::Elf32) => elf_layout::<elf::FileHeader32<Endianness>, _>(&cache),
        _ => object::File::parse(&cache).ok().map(|file| other_layout(&file)),
    };
    headers.check()?;
    Ok(found)
}

/// Of ELF the tables of symbols, which can be long, are not read.
fn elf_layout<'d, E: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(data: R) -> Option<Layout> {
    let header = E::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, data).unwrap_or_default();
    let range = |(start, bytes): (u64, u64)| Some(start..start.checked_add(bytes)?);
    let list = |section: &E::SectionHeader| {
        let list = List::of(sections.section_name(endian, section).ok()?)?;
        Some((list, range(section.file_range(endian)?)?))
    };
    let segment = |segment: &E::ProgramHeader| {
        let file = (segment.p_offset(endian).into(), segment.p_filesz(endian).into());
        Some((segment.p_vaddr(endian).into(), range(file)?))
    };
    let segments = header.program_headers(endian, data).ok()?;
    let loaded = || segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
    let written = loaded().filter(|segment| segment.p_flags(endian).0 & elf::PF_W.0 != 0);
    Some(Layout {
        lists: sections.iter().filter_map(list).take(LISTS_MAX + 1).collect(),
        segments: loaded().filter_map(segment).collect(),
        written: written.filter_map(segment).map(|(_, range)| range).take(WRITTEN_MAX + 1).collect(),
        // The first is none.
        has_sections: sections.len() > 1,
        pe: false,
    })
}

fn other_layout<'d, R: ReadRef<'d>>(file: &object::File<'d, R>) -> Layout {
    let range = |(start, bytes): (u64, u64)| Some(start..start.checked_add(bytes)?);
    let list = |section: object::Section<'d, '_, R>| {
        let list = List::of(section.name_bytes().ok()?)?;
        Some((list, range(section.file_range()?)?))
    };
    let segment =
        |segment: object::Segment<'d, '_, R>| Some((segment.address(), range(segment.file_range())?));
    Layout {
        lists: file.sections().filter_map(list).take(LISTS_MAX + 1).collect(),
        segments: file.segments().filter_map(segment).collect(),
        written: Vec::new(),
        has_sections: file.sections().next().is_some(),
        pe: matches!(file.format(), object::BinaryFormat::Pe | object::BinaryFormat::Coff),
    }
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
fn crates(program: &dyn Positioned, range: &Range<u64>) -> Result<Vec<Component>, Broken> {
    const FORMAT: &str = "list of Rust crates (.dep-v0)";
    if range.end - range.start > AUDIT_BYTES_MAX {
        return Err(Broken::Beyond(format!("a {FORMAT} of more than {AUDIT_BYTES_MAX} bytes")));
    }
    let data = bytes_at(program, range.clone())?.unwrap_or_default();
    let mut text = Vec::new();
    let mut inflated = flate2::read::ZlibDecoder::new(&*data).take(AUDIT_BYTES_MAX + 1);
    inflated.read_to_end(&mut text).map_err(|error| Broken::syntax(FORMAT, error))?;
    if text.len() as u64 > AUDIT_BYTES_MAX {
        return Err(Broken::syntax(FORMAT, format!("more than {AUDIT_BYTES_MAX} bytes unpacked")));
    }
    let audit: Audit = parse(FORMAT, &text)?;
    let run = audit.packages.into_iter().filter(|found| found.kind != "build");
    Ok(run.map(|found| component("cargo", &found.name, &found.version, Evidence::Installed)).collect())
}

/// Go's list at the beginning of its section.
fn go(layout: &Layout, program: &dyn Positioned, section: &Range<u64>) -> Result<Vec<Component>, Broken> {
    const FORMAT: &str = "list of Go modules";
    let section = section.start..section.end.min(program.length().map_err(Broken::unread)?);
    let read = |at| {
        let texts = go_texts(Some(layout), program, at..section.end)?;
        let (version, modules) =
            texts.ok_or_else(|| Broken::syntax(FORMAT, "its texts are outside of the file"))?;
        Ok(Some(go_modules(&version, &modules)))
    };
    match first_place(program, section.clone(), GO_MAGIC, 1, read)? {
        None if !section.is_empty() => Err(Broken::syntax(FORMAT, "its section holds none")),
        found => Ok(found.unwrap_or_default()),
    }
}

/// Go's list wherever it stands; a place without a readable list is a constant of some program.
fn go_anywhere(
    program: &dyn Positioned,
    layout: Option<&Layout>,
    range: Range<u64>,
) -> Result<Vec<Component>, Broken> {
    let read = |at| {
        let texts =
            go_texts(layout, program, at..range.end)?.filter(|(version, _)| version.starts_with("go"));
        Ok(texts.map(|(version, modules)| go_modules(&version, &modules)))
    };
    Ok(first_place(program, range.clone(), GO_MAGIC, GO_PLACES_MAX, read)?.unwrap_or_default())
}

/// Version and modules behind the magic that a range begins with (`debug/buildinfo`): inline since Go 1.18, before it
/// two pointers to headers of strings.
fn go_texts(
    layout: Option<&Layout>,
    program: &dyn Positioned,
    range: Range<u64>,
) -> Result<Option<(String, String)>, Broken> {
    let inline = Part { program, start: range.start, bytes: range.end - range.start };
    let Some(head) = bytes_at(&inline, 0..32)? else { return Ok(None) };
    let (width, flags) = (usize::from(head[14]), head[15]);
    let texts = if flags & 2 != 0 {
        match counted(&inline, 32)? {
            Some((version, end)) => counted(&inline, end)?.map(|(modules, _)| (version, modules)),
            None => None,
        }
    } else {
        let big = flags & 1 != 0;
        let text = |pointer: &[u8]| match (layout, number(pointer, width, big)) {
            (Some(layout), Some(pointer)) => pointed(layout, program, (pointer, width, big)),
            _ => Ok(None),
        };
        let (first, second) = (head.get(16..), head.get(16 + width..));
        match text(first.unwrap_or_default())? {
            Some(version) => Some((version, text(second.unwrap_or_default())?.unwrap_or_default())),
            None => None,
        }
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(texts.filter(|(version, _)| !version.is_empty()).map(|(version, modules)| {
        // Sixteen bytes stand on either side of the modules, so that the text can be found in memory.
        let inside = modules.len().checked_sub(16).and_then(|end| modules.get(16..end));
        (text(&version), text(inside.unwrap_or_default()))
    }))
}

/// The text of a header of a string: where it is, and its length.
fn pointed(
    layout: &Layout,
    program: &dyn Positioned,
    (pointer, width, big): (u64, usize, bool),
) -> Result<Option<Vec<u8>>, Broken> {
    let Some(header) = memory(layout, program, pointer, 2 * width)? else { return Ok(None) };
    let start = number(&header, width, big);
    let length = number(header.get(width..).unwrap_or_default(), width, big);
    let length =
        length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= GO_BYTES_MAX);
    match (start, length) {
        (Some(start), Some(length)) => memory(layout, program, start, length),
        _ => Ok(None),
    }
}

/// A text behind its length as a variable-length number, and where it ends.
fn counted(program: &dyn Positioned, at: u64) -> Result<Option<(Vec<u8>, u64)>, Broken> {
    let mut length = 0_u64;
    for place in 0..5 {
        let Some(byte) = bytes_at(program, at + place..at + place + 1)? else { return Ok(None) };
        length |= u64::from(byte[0] & 0x7f) << (7 * place);
        if byte[0] & 0x80 == 0 {
            let start = at + place + 1;
            if length > GO_BYTES_MAX as u64 {
                return Ok(None);
            }
            return Ok(bytes_at(program, start..start + length)?.map(|text| (text, start + length)));
        }
    }
    Ok(None)
}

fn number(data: &[u8], width: usize, big: bool) -> Option<u64> {
    let bytes = data.get(..width).filter(|_| matches!(width, 4 | 8))?;
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
}

/// The bytes at an address of the loaded program.
fn memory(
    layout: &Layout,
    program: &dyn Positioned,
    address: u64,
    length: usize,
) -> Result<Option<Vec<u8>>, Broken> {
    for (base, range) in &layout.segments {
        let start = address.checked_sub(*base).and_then(|offset| range.start.checked_add(offset));
        let end = start.and_then(|start| start.checked_add(length as u64)).filter(|end| *end <= range.end);
        if let (Some(start), Some(end)) = (start, end)
            && let Some(found) = bytes_at(program, start..end)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
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
