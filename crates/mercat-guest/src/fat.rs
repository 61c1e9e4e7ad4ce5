//! FAT12, FAT16 and FAT32 with long names, after Microsoft's FAT specification 1.03.
//!
//! Written here because the crate for it wants to write, follows chains without end, and takes either
//! copy of a table that differs.

mod directory;

use super::Kind;
use super::bytes::{byte, le16, le32};
use super::signature;
use super::source::{Content, Run, Source, push_run};
use super::walk::{Files, Names, Stat};
use crate::ReadError;
use std::cell::RefCell;
use std::io::Read;
use std::ops::Range;

/// Largest directory: 65,536 entries of 32 bytes.
const DIRECTORY_BYTES_MAX: u64 = 2 << 20;
const COMPARE_BYTES: usize = 64 << 10;
const ROOT: Id = Id { cluster: 0, at: 0, size: 0, directory: true, mtime: 0 };

/// A directory entry: where its file begins and what it says of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    cluster: u32,
    at: u64,
    size: u32,
    directory: bool,
    mtime: i64,
}

/// A file with its runs.
pub(crate) struct File {
    id: Id,
    runs: Vec<Run>,
    size: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Twelve,
    Sixteen,
    ThirtyTwo,
}

/// A file system.
pub(crate) struct Fat {
    source: Source,
    width: Width,
    cluster_bytes: u64,
    /// Clusters, which count from 2.
    clusters: u32,
    table: u64,
    data: u64,
    /// The root directory: bytes of an area of its own, or a cluster.
    root_area: Run,
    root_cluster: u32,
    /// One bit for every cluster that a file of this walk has.
    used: RefCell<Vec<u64>>,
}

fn refuse(field: u64, what: impl std::fmt::Display) -> ReadError {
    ReadError::refused("FAT-01", field, format!("the FAT boot sector has {what}"))
}

impl Fat {
    pub(crate) fn open(source: Source) -> Result<Self, ReadError> {
        let boot = source.bytes(0, 512)?;
        let width = match signature::fat(&boot) {
            Some("fat12") => Width::Twelve,
            Some("fat16") => Width::Sixteen,
            Some(_) => Width::ThirtyTwo,
            None => return Err(refuse(0, "no sensible sizes")),
        };
        let sector = u64::from(le16(&boot, 11));
        let either = |short: u16, long: u32| if short == 0 { u64::from(long) } else { u64::from(short) };
        let total = either(le16(&boot, 19), le32(&boot, 32));
        let table_sectors = either(le16(&boot, 22), le32(&boot, 36));
        let (reserved, copies) = (u64::from(le16(&boot, 14)), u64::from(byte(&boot, 16)));
        let cluster_bytes = sector * u64::from(byte(&boot, 13));
        let root_bytes = u64::from(le16(&boot, 17)) * 32;
        let wide = width == Width::ThirtyTwo;
        let table = reserved * sector;
        let root_at = table + copies * table_sectors * sector;
        let data = root_at + root_bytes.next_multiple_of(sector);
        let end = total * sector;
        if end > source.size() || data > end {
            return Err(refuse(32, format_args!("{total} sectors on a volume of {} bytes", source.size())));
        }
        let clusters = (end - data) / cluster_bytes;
        let bits = match width {
            Width::Twelve => 12,
            Width::Sixteen => 16,
            Width::ThirtyTwo => 32,
        };
        let needed = ((clusters + 2) * bits).div_ceil(8);
        if needed > table_sectors * sector || clusters > 0x0fff_fff0 {
            return Err(refuse(
                36,
                format_args!("a table of {table_sectors} sectors for {clusters} clusters"),
            ));
        }
        // The 32-bit layout is told by its empty 16-bit fields; both must agree with the number of clusters.
        if wide != (le16(&boot, 22) == 0) || wide != (root_bytes == 0) {
            return Err(refuse(17, "fields of another width than its number of clusters"));
        }
        if wide && le16(&boot, 42) != 0 {
            return Err(refuse(42, format_args!("the version {}", le16(&boot, 42))));
        }
        let fat = Self {
            width,
            cluster_bytes,
            clusters: u32::try_from(clusters).unwrap_or(0),
            table,
            data,
            root_area: Run { at: 0, length: root_bytes, from: root_at },
            root_cluster: if wide { le32(&boot, 44) } else { 0 },
            used: RefCell::default(),
            source,
        };
        if wide && le16(&boot, 40) & 0x80 != 0 {
            return Err(refuse(40, "its mirroring switched off"));
        }
        fat.compare(copies, table_sectors * sector, needed)?;
        Ok(fat)
    }

    /// Both copies of the table must say the same.
    fn compare(&self, copies: u64, distance: u64, needed: u64) -> Result<(), ReadError> {
        let mut at = 0;
        while copies > 1 && at < needed {
            let length = usize::try_from(needed - at).unwrap_or(usize::MAX).min(COMPARE_BYTES);
            let first = self.source.bytes(self.table + at, length)?;
            if first != self.source.bytes(self.table + distance + at, length)? {
                let what = "the two copies of the FAT differ: systems choose either; repair it (fsck.fat)";
                return Err(ReadError::refused("FAT-02", self.table + at, what));
            }
            at += length as u64;
        }
        Ok(())
    }

    /// What the table says of a cluster: the next one, or `None` at the end of a chain.
    fn next(&self, cluster: u32) -> Result<Option<u32>, ReadError> {
        let index = u64::from(cluster);
        let mut raw = [0; 4];
        let (at, length) = match self.width {
            Width::Twelve => (index + index / 2, 2),
            Width::Sixteen => (index * 2, 2),
            Width::ThirtyTwo => (index * 4, 4),
        };
        self.source.read(self.table + at, &mut raw[..length])?;
        let value = u32::from_le_bytes(raw);
        let (value, end) = match self.width {
            Width::Twelve if cluster.is_multiple_of(2) => (value & 0xfff, 0xff8),
            Width::Twelve => (value >> 4, 0xff8),
            Width::Sixteen => (value, 0xfff8),
            Width::ThirtyTwo => (value & 0x0fff_ffff, 0x0fff_fff8),
        };
        Ok((value < end).then_some(value))
    }

    /// The runs of a chain, each cluster of which belongs to nothing else.
    fn chain(&self, first: u32, limit: u64) -> Result<(Vec<Run>, u64), ReadError> {
        let mut used = self.used.borrow_mut();
        let (mut runs, mut bytes) = (Vec::new(), 0);
        let mut next = (first != 0).then_some(first);
        while let Some(cluster) = next {
            let at = self.table + u64::from(cluster);
            if !(2..self.clusters + 2).contains(&cluster) {
                let what = format!("the chain of cluster {first} has cluster {cluster} of {}", self.clusters);
                return Err(ReadError::refused("FAT-03", at, what));
            }
            let (word, bit) = (usize::try_from(cluster / 64).unwrap_or(0), 1 << (cluster % 64));
            if used.len() <= word {
                used.resize(word + 1, 0);
            }
            if used[word] & bit != 0 {
                let what = format!("cluster {cluster} is in two chains or twice in that of cluster {first}");
                return Err(ReadError::refused("FAT-03", at, what));
            }
            used[word] |= bit;
            let from = self.data + u64::from(cluster - 2) * self.cluster_bytes;
            push_run(&mut runs, Run { at: bytes, length: self.cluster_bytes, from });
            bytes += self.cluster_bytes;
            if bytes > limit {
                let what = format!("the directory at cluster {first} has more than {limit} bytes");
                return Err(ReadError::refused("FAT-04", at, what));
            }
            next = self.next(cluster)?;
        }
        Ok((runs, bytes))
    }
}

impl Files for Fat {
    type Id = Id;
    type File = File;
    const FOLDS_CASE: bool = true;

    fn given(&self) -> Vec<Range<u64>> {
        self.source.given()
    }

    fn kind(&self) -> &'static str {
        match self.width {
            Width::Twelve => "fat12",
            Width::Sixteen => "fat16",
            Width::ThirtyTwo => "fat32",
        }
    }

    fn root(&self) -> Result<Id, ReadError> {
        self.used.borrow_mut().clear();
        Ok(ROOT)
    }

    fn load(&self, id: &Id) -> Result<(Stat, File), ReadError> {
        let root = id == &ROOT;
        let (runs, bytes) = if root && self.root_cluster == 0 {
            (vec![self.root_area], self.root_area.length)
        } else {
            let first = if root { self.root_cluster } else { id.cluster };
            self.chain(first, if id.directory { DIRECTORY_BYTES_MAX } else { u64::MAX })?
        };
        let size = if id.directory { bytes } else { u64::from(id.size) };
        if size > bytes || id.directory && bytes == 0 {
            let what = format!("{} bytes in clusters of {bytes} bytes", if id.directory { 32 } else { size });
            return Err(ReadError::refused("FAT-06", id.at, what));
        }
        let stat = Stat {
            kind: if id.directory { Kind::Directory } else { Kind::File },
            mode: 0,
            uid: 0,
            gid: 0,
            size,
            mtime: id.mtime,
            inode: id.at,
            link: String::new(),
            xattrs: Vec::new(),
        };
        Ok((stat, File { id: id.clone(), runs, size }))
    }

    fn list(&self, directory: &File, names: &mut Names<Id>) -> Result<(), ReadError> {
        directory::list(self, directory, names)
    }

    fn open<'a>(&'a self, file: &'a File) -> Result<Box<dyn Read + 'a>, ReadError> {
        Ok(Box::new(Content::of_file(&self.source, file.runs.clone(), file.size)))
    }
}
