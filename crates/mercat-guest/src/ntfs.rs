//! NTFS 3, after the documentation of the Linux-NTFS project.
//!
//! Written here because the crate for it (ntfs 0.4, last released in 2023) does not decompress, has over a
//! hundred places that can panic, and neither bounds what a loop of attribute lists or index nodes reads.

mod attribute;
mod compressed;
mod index;
mod log;
mod record;
mod reparse;

use super::Kind;
use super::bytes::{byte, le16, le64};
use super::source::{Content, Run, Source};
use super::walk::{Files, Names, Stat, Stream};
use crate::ReadError;
use attribute::{Attribute, Value};
use reparse::Reparse;
use std::io::{Cursor, Read};
use std::ops::Range;
use std::sync::Arc;

const STANDARD_INFORMATION: u32 = 0x10;
const ATTRIBUTE_LIST: u32 = 0x20;
const DATA: u32 = 0x80;
const INDEX_ROOT: u32 = 0x90;
const INDEX_ALLOCATION: u32 = 0xa0;
const REPARSE_POINT: u32 = 0xc0;

const LOG_FILE: u64 = 2;
const ROOT: u64 = 5;
/// Records in front are the file system's own: its tables, its log, its map of bad clusters.
const FIRST_ORDINARY: u64 = 12;
/// Streams of those records that belong to them.
const OWN_STREAMS: [&str; 3] = ["$Bad", "$SDS", "$Info"];
const COMPRESSED: u16 = 0x00ff;
const ENCRYPTED: u16 = 0x4000;
/// Seconds from 1601 to 1970.
const EPOCH: i64 = 11_644_473_600;

/// A reference to a record: its number and how often it was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    record: u64,
    sequence: u16,
}

impl Id {
    fn of(raw: u64) -> Self {
        Self { record: raw & ((1 << 48) - 1), sequence: u16::try_from(raw >> 48).unwrap_or(0) }
    }
}

/// A file, or one of its streams.
#[derive(Clone)]
pub(crate) struct File {
    record: u64,
    at: u64,
    attributes: Arc<Vec<Attribute>>,
    /// Which attribute is its content.
    content: Option<usize>,
    /// Whether the content is shown as a stream, because the file is no regular one.
    aside: bool,
    /// Where the content really is, when it is not here.
    elsewhere: Option<&'static str>,
}

/// A file system.
pub(crate) struct Ntfs {
    source: Source,
    cluster_bytes: u64,
    clusters: u64,
    record_bytes: usize,
    /// Where the table of records is.
    table: Vec<Run>,
    table_bytes: u64,
}

impl Ntfs {
    pub(crate) fn open(source: Source) -> Result<Self, ReadError> {
        let boot = source.bytes(0, 512)?;
        let refuse = |field, what: String| {
            Err(ReadError::refused("NTF-01", field, format!("the NTFS boot sector has {what}")))
        };
        let sector = u64::from(le16(&boot, 11));
        if !(512..=4096).contains(&sector) || !sector.is_power_of_two() {
            return refuse(11, format!("sectors of {sector} bytes"));
        }
        // Above 128 the field is a negative power of two.
        let per_cluster = match byte(&boot, 13) {
            count @ 1..=128 => u64::from(count),
            power @ 244..=255 => 1 << (256 - u32::from(power)),
            _ => 0,
        };
        let cluster_bytes = sector * per_cluster;
        if !per_cluster.is_power_of_two() || cluster_bytes > 2 << 20 {
            return refuse(13, format!("{} sectors per cluster", byte(&boot, 13)));
        }
        let sectors = le64(&boot, 40);
        if sectors.checked_mul(sector).is_none_or(|bytes| bytes > source.size()) {
            return refuse(40, format!("{sectors} sectors on a volume of {} bytes", source.size()));
        }
        let record_bytes = match byte(&boot, 64).cast_signed() {
            count @ 1.. => cluster_bytes * u64::from(count.unsigned_abs()),
            power @ -12..=-9 => 1 << power.unsigned_abs(),
            _ => 0,
        };
        if !(512..=4096).contains(&record_bytes) || !record_bytes.is_power_of_two() {
            return refuse(64, format!("records of {record_bytes} bytes"));
        }
        let clusters = sectors / per_cluster;
        let first = le64(&boot, 48);
        if first == 0 || first >= clusters {
            return refuse(48, format!("its table at cluster {first} of {clusters}"));
        }
        let record = usize::try_from(record_bytes).unwrap_or(1024);
        // Until record 0 tells where the table is, only that record is known.
        let start = vec![Run { at: 0, length: record_bytes, from: first * cluster_bytes }];
        let mut ntfs = Self {
            source,
            cluster_bytes,
            clusters,
            record_bytes: record,
            table: start,
            table_bytes: record_bytes,
        };
        ntfs.find_table()?;
        log::check(&ntfs)?;
        Ok(ntfs)
    }

    fn file(&self, id: Id) -> Result<(record::Record, File), ReadError> {
        let record = self.record(id)?;
        let attributes = self.attributes(id, &record)?;
        let content = attributes.iter().position(|found| found.kind == DATA && found.name.is_empty());
        let at = record.at;
        let file = File {
            record: id.record,
            at,
            attributes: Arc::new(attributes),
            content,
            aside: false,
            elsewhere: None,
        };
        if record.base != 0 {
            let what = format!("file record {} is a part of record {}", id.record, record.base);
            return Err(ReadError::refused("NTF-03", at, what));
        }
        Ok((record, file))
    }

    fn value_bytes(&self, attribute: &Attribute, limit: u64) -> Result<Vec<u8>, ReadError> {
        match &attribute.value {
            Value::Resident(bytes) => Ok(bytes.clone()),
            Value::Runs { runs, size, .. } => Content::new(&self.source, runs.clone(), *size).all(limit),
        }
    }

    fn reparse(&self, file: &File) -> Result<Reparse, ReadError> {
        match file.find(REPARSE_POINT, "") {
            None => Ok(Reparse::None),
            Some(attribute) => reparse::parse(&self.value_bytes(attribute, reparse::BYTES_MAX)?, file),
        }
    }
}

impl File {
    fn find(&self, kind: u32, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.kind == kind && attribute.name == name)
    }

    fn is_own(&self) -> bool {
        self.record < FIRST_ORDINARY && self.record != ROOT
    }
}

impl Files for Ntfs {
    type Id = Id;
    type File = File;

    fn given(&self) -> Vec<Range<u64>> {
        self.source.given()
    }

    fn kind(&self) -> &'static str {
        "ntfs"
    }

    fn root(&self) -> Result<Id, ReadError> {
        Ok(Id { record: ROOT, sequence: 0 })
    }

    fn load(&self, id: &Id) -> Result<(Stat, File), ReadError> {
        let (record, mut file) = self.file(*id)?;
        let reparse = self.reparse(&file)?;
        let (kind, link) = match reparse {
            Reparse::Link(target) => (Kind::Symlink, target),
            _ if record.is_directory => (Kind::Directory, String::new()),
            // The tables of the file system are not content.
            _ if file.is_own() => (Kind::Special, String::new()),
            Reparse::Elsewhere(what) => {
                file.elsewhere = Some(what);
                (Kind::File, String::new())
            }
            Reparse::None => (Kind::File, String::new()),
        };
        file.aside = kind != Kind::File;
        let content = file.content.and_then(|index| file.attributes.get(index));
        let information = file.find(STANDARD_INFORMATION, "").map(|found| self.value_bytes(found, 1 << 10));
        let information = information.transpose()?.unwrap_or_default();
        let ticks = i64::try_from(le64(&information, 8)).unwrap_or(0);
        let stat = Stat {
            kind,
            mode: 0,
            uid: 0,
            gid: 0,
            size: content.map_or(0, Attribute::size),
            mtime: if information.is_empty() { 0 } else { ticks / 10_000_000 - EPOCH },
            inode: id.record,
            link,
            xattrs: Vec::new(),
        };
        Ok((stat, file))
    }

    fn list(&self, directory: &File, names: &mut Names<Id>) -> Result<(), ReadError> {
        index::list(self, directory, names)
    }

    fn open<'a>(&'a self, file: &'a File) -> Result<Box<dyn Read + 'a>, ReadError> {
        let Some(attribute) = file.content.and_then(|index| file.attributes.get(index)) else {
            return Ok(Box::new(Cursor::new(Vec::new())));
        };
        let encrypted = (attribute.flags & ENCRYPTED != 0).then_some("encrypted");
        if let Some(what) = encrypted.or(file.elsewhere) {
            let what = format!("the content of file record {} is {what}", file.record);
            return Err(ReadError::refused("NTF-09", file.at, what));
        }
        if !matches!(attribute.flags & COMPRESSED, 0 | 1) {
            let what = format!("file record {} is compressed in an unknown way", file.record);
            return Err(ReadError::refused("NTF-08", file.at, what));
        }
        match &attribute.value {
            Value::Resident(bytes) => Ok(Box::new(Cursor::new(bytes))),
            Value::Runs { runs, size, .. } if attribute.flags & COMPRESSED != 0 => {
                let unit = self.cluster_bytes << attribute.unit;
                Ok(Box::new(compressed::Reader::new(&self.source, runs, *size, unit, file)?))
            }
            Value::Runs { runs, size, .. } => {
                Ok(Box::new(Content::of_file(&self.source, runs.clone(), *size)))
            }
        }
    }

    fn streams(&self, file: &File) -> Result<Vec<Stream<File>>, ReadError> {
        let mut streams = Vec::new();
        for (index, attribute) in file.attributes.iter().enumerate() {
            if attribute.kind != DATA {
                continue;
            }
            let name = match attribute.name.as_str() {
                // What a link or directory hides behind itself.
                "" if file.aside && !file.is_own() && attribute.size() > 0 => ":$DATA".to_owned(),
                "" => continue,
                own if file.is_own() && OWN_STREAMS.contains(&own) => continue,
                name => name.to_owned(),
            };
            let stream = File { content: Some(index), elsewhere: None, ..file.clone() };
            streams.push(Stream { name, size: attribute.size(), file: stream });
        }
        Ok(streams)
    }
}
