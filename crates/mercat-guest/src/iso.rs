//! ISO 9660 (ECMA-119) with Rock Ridge or Joliet names.
//!
//! Rock Ridge names are taken where they are, else Joliet ones, as Linux does. A disc on which the trees
//! hold different files reads in two ways and is refused, and so is one whose path table names other
//! directories.

mod compare;
mod record;
mod rock;

use super::Kind;
use super::bytes::{be16, be32, byte, le16, le32, part};
use super::source::{Content, Run, Source};
use super::walk::{Files, Names, Stat, text};
use crate::ReadError;
use record::Record;
use std::io::Read;
use std::ops::Range;

/// Bytes of a sector, and of a logical block: other sizes are refused.
const SECTOR: u64 = 2048;
const FIRST_DESCRIPTOR: u64 = 16;
const DESCRIPTORS_MAX: u64 = 64;
const DIRECTORY_BYTES_MAX: u64 = 64 << 20;

/// How names are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names9660 {
    Plain,
    /// Bytes to skip in front of Rock Ridge fields.
    Rock(usize),
    Joliet,
}

/// One tree of a disc.
#[derive(Debug, Clone)]
struct View {
    names: Names9660,
    root: Record,
    path_table: (u64, u64),
}

/// A disc.
pub(crate) struct Iso {
    source: Source,
    view: View,
}

/// A number in both byte orders, which must agree.
fn both(raw: &[u8], at: usize, place: u64) -> Result<u32, ReadError> {
    let number = le32(raw, at);
    if number == be32(raw, at + 4) {
        return Ok(number);
    }
    let what = format!("{number} in one byte order and {} in the other", be32(raw, at + 4));
    Err(ReadError::refused("ISO-02", place + at as u64, what))
}

impl Iso {
    pub(crate) fn open(source: Source) -> Result<Self, ReadError> {
        let (mut primary, mut joliet) = (None, None);
        let mut ended = false;
        for sector in FIRST_DESCRIPTOR..FIRST_DESCRIPTOR + DESCRIPTORS_MAX {
            let at = sector * SECTOR;
            let raw = source.bytes(at, 2048)?;
            let refuse =
                |what: &str| Err(ReadError::refused("ISO-01", at, format!("a volume descriptor {what}")));
            if part(&raw, 1, 5) != b"CD001" {
                return refuse("is missing before the last one");
            }
            match byte(&raw, 0) {
                0xff => {
                    ended = true;
                    break;
                }
                1 if primary.is_some() => return refuse("of the primary kind comes twice"),
                1 => primary = Some(view(&source, &raw, at, Names9660::Plain)?),
                2 if matches!(part(&raw, 88, 3), b"%/@" | b"%/C" | b"%/E") => {
                    if joliet.is_some() {
                        return refuse("for Joliet comes twice");
                    }
                    joliet = Some(view(&source, &raw, at, Names9660::Joliet)?);
                }
                0 | 3 => {}
                // The enhanced descriptor of ISO 9660:1999 repeats the primary tree with longer names.
                kind => return refuse(&format!("is of kind {kind}, which is not read here")),
            }
        }
        let at = FIRST_DESCRIPTOR * SECTOR;
        let Some(mut primary) = primary.filter(|_| ended) else {
            return Err(ReadError::refused("ISO-01", at, "no primary volume descriptor, or no end of them"));
        };
        let mut iso = Self { source, view: primary.clone() };
        if let Some(skip) = rock::skip(&iso)? {
            primary.names = Names9660::Rock(skip);
        }
        let rock = primary.names != Names9660::Plain;
        compare::check(&iso, &primary, joliet.as_ref())?;
        iso.view = if rock { primary } else { joliet.unwrap_or(primary) };
        Ok(iso)
    }

    /// The records of a directory, `.` and `..` left out, files of several parts joined.
    fn records(&self, view: &View, directory: &Record) -> Result<Vec<(Record, Vec<u8>)>, ReadError> {
        record::read(self, view, directory)
    }
}

fn view(source: &Source, raw: &[u8], at: u64, names: Names9660) -> Result<View, ReadError> {
    let refuse =
        |what: String| Err(ReadError::refused("ISO-01", at, format!("a volume descriptor has {what}")));
    let block = (le16(raw, 128), be16(raw, 130));
    if block != (2048, 2048) {
        return refuse(format!("blocks of {} bytes", block.0));
    }
    let blocks = both(raw, 80, at)?;
    if u64::from(blocks) * SECTOR > source.size() {
        return refuse(format!("{blocks} blocks on a volume of {} bytes", source.size()));
    }
    let table = u64::from(both(raw, 132, at)?);
    let (root, _) = record::parse(part(raw, 156, 34), at + 156, source.size())?;
    if !root.is_directory {
        return refuse("a root that is no directory".to_owned());
    }
    Ok(View { names, root, path_table: (u64::from(le32(raw, 140)) * SECTOR, table) })
}

impl Files for Iso {
    type Id = Record;
    type File = Record;

    fn given(&self) -> Vec<Range<u64>> {
        self.source.given()
    }

    fn kind(&self) -> &'static str {
        "iso9660"
    }

    fn root(&self) -> Result<Record, ReadError> {
        Ok(self.view.root.clone())
    }

    fn load(&self, id: &Record) -> Result<(Stat, Record), ReadError> {
        let stat = Stat {
            kind: id.kind(),
            mode: id.mode & 0o7777,
            uid: id.uid,
            gid: id.gid,
            size: id.size(),
            mtime: id.mtime,
            // Hard links share their extent; empty files have none.
            inode: if id.size() > 0 { id.first() } else { id.at | 1 << 63 },
            link: text(&id.link),
            xattrs: Vec::new(),
        };
        Ok((stat, id.clone()))
    }

    fn list(&self, directory: &Record, names: &mut Names<Record>) -> Result<(), ReadError> {
        for (record, name) in self.records(&self.view, directory)? {
            let at = record.at;
            match self.view.names {
                Names9660::Joliet => names.add_text(record::wide(&name), record, at)?,
                _ => names.add(&name, record, at)?,
            }
        }
        Ok(())
    }

    fn open<'a>(&'a self, file: &'a Record) -> Result<Box<dyn Read + 'a>, ReadError> {
        if file.compressed {
            let what = "the content of a file is compressed (zisofs)";
            return Err(ReadError::refused("ISO-08", file.at, what));
        }
        Ok(Box::new(Content::of_file(&self.source, file.runs(), file.size())))
    }
}

impl Record {
    fn kind(&self) -> Kind {
        match self.mode >> 12 {
            _ if self.is_directory => Kind::Directory,
            0xa => Kind::Symlink,
            0 | 0x8 => Kind::File,
            _ => Kind::Special,
        }
    }

    /// Bytes of all parts.
    fn size(&self) -> u64 {
        self.parts.iter().map(|(_, length)| u64::from(*length)).sum()
    }

    /// The first block.
    fn first(&self) -> u64 {
        self.parts.first().map_or(0, |(block, _)| u64::from(*block))
    }

    fn runs(&self) -> Vec<Run> {
        let mut at = 0;
        let run = |(block, length): &(u32, u32)| {
            let run = Run { at, length: u64::from(*length), from: u64::from(*block) * SECTOR };
            at += run.length;
            run
        };
        self.parts.iter().map(run).filter(|run| run.length > 0).collect()
    }
}
