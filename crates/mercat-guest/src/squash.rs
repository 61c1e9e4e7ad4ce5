//! squashfs 4.0: snaps and live systems. After the kernel's `squashfs_fs.h` and its documentation.
//!
//! Written here because the crate for it holds all tables in memory, takes names and sizes as they come, and brings
//! compressors of its own.

mod inode;
mod table;
mod unpack;
mod xattr;

use super::Kind;
use super::bytes::{le16, le32, le64};
use super::source::Source;
use super::walk::{Files, Names, Stat, text};
use crate::ReadError;
use inode::{File, Inode};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::ops::Range;
use table::{Metadata, Place};
use unpack::Method;

/// A table that is not there.
const ABSENT: u64 = u64::MAX;
/// What stands in the place of a fragment where a file has none.
const NO_FRAGMENT: u32 = u32::MAX;
/// Bytes of the superblock.
const SUPERBLOCK_BYTES: usize = 96;
/// Fragment blocks that are held: 16 MiB at most.
const HELD: usize = 16;
/// Bytes of a name, as the kernel limits them.
const NAME_BYTES_MAX: u64 = 256;
/// A directory of a million names of 256 bytes.
const DIRECTORY_BYTES_MAX: u64 = 272 << 20;

/// Heads in a directory by the bytes before them: block and byte in it, and the first name.
type Heads = BTreeMap<u64, (u64, usize, Vec<u8>)>;

/// A file system.
pub(crate) struct Squash {
    source: Source,
    method: Method,
    block_bytes: u64,
    fragments: u32,
    ids: u16,
    root: u64,
    used: u64,
    id_table: u64,
    xattr_table: u64,
    inode_table: u64,
    directory_table: u64,
    fragment_table: u64,
    metadata: RefCell<Metadata>,
    /// The fragment blocks that were unpacked last, by their number: small files follow each other in them.
    held: RefCell<VecDeque<(u32, Vec<u8>)>>,
}

/// Whether a superblock is of a version and compression that are read here; the name of what it is otherwise.
pub(crate) fn readable(front: &[u8]) -> Result<(), &'static str> {
    if !front.starts_with(b"hsqs") || le16(front, 28) != 4 || le16(front, 30) != 0 {
        return Err("squashfs of another version");
    }
    Method::of(le16(front, 20)).map(drop)
}

fn refuse(at: u64, what: impl std::fmt::Display) -> ReadError {
    ReadError::refused("SQF-01", at, format!("the squashfs superblock has {what}"))
}

impl Squash {
    pub(crate) fn open(source: Source) -> Result<Self, ReadError> {
        let raw = source.bytes(0, SUPERBLOCK_BYTES)?;
        let method = Method::of(le16(&raw, 20)).map_err(|what| refuse(20, what))?;
        let squash = Self {
            method,
            block_bytes: u64::from(le32(&raw, 12)),
            fragments: le32(&raw, 16),
            ids: le16(&raw, 26),
            root: le64(&raw, 32),
            used: le64(&raw, 40),
            id_table: le64(&raw, 48),
            xattr_table: le64(&raw, 56),
            inode_table: le64(&raw, 64),
            directory_table: le64(&raw, 72),
            fragment_table: le64(&raw, 80),
            metadata: RefCell::default(),
            held: RefCell::default(),
            source,
        };
        let log = u32::from(le16(&raw, 22));
        if !(12..=20).contains(&log) || squash.block_bytes != 1 << log {
            return Err(refuse(12, format_args!("blocks of {} bytes, 2^{log}", squash.block_bytes)));
        }
        if squash.used > squash.source.size() || squash.used < SUPERBLOCK_BYTES as u64 {
            return Err(refuse(40, format_args!("{} bytes of {}", squash.used, squash.source.size())));
        }
        let ends = [squash.inode_table, squash.directory_table, squash.id_table];
        let others = [squash.fragment_table, squash.xattr_table];
        let optional = others.iter().filter(|table| **table != ABSENT);
        if ends.iter().chain(optional).any(|table| *table >= squash.used) {
            return Err(refuse(48, "a table behind its end"));
        }
        if squash.inode_table >= squash.directory_table {
            return Err(refuse(64, "its inodes behind its directories"));
        }
        Ok(squash)
    }

    /// Bytes of the archive that must be inside of it.
    fn raw(&self, at: u64, length: u64, by: &str) -> Result<Vec<u8>, ReadError> {
        if at.checked_add(length).is_none_or(|end| end > self.used) {
            let what = format!("{by} has {length} bytes behind the end");
            return Err(ReadError::refused("SQF-02", at, what));
        }
        self.source.bytes(at, usize::try_from(length).unwrap_or(0))
    }

    /// Bytes of a block of data, of which at most `wanted` may come out.
    fn block(&self, at: u64, word: u32, wanted: u64) -> Result<Vec<u8>, ReadError> {
        let stored = u64::from(word & 0xff_ffff);
        if word & !0x1ff_ffff != 0 || stored > self.block_bytes {
            let what = format!("a block of {stored} bytes, marked {word:#x}");
            return Err(ReadError::refused("SQF-02", at, what));
        }
        let raw = self.raw(at, stored, "a block")?;
        let plain = if word & 1 << 24 != 0 { raw } else { self.method.unpack(&raw, wanted, at)? };
        self.source.spend_zeros(plain.len() as u64)?;
        if plain.len() as u64 > wanted {
            let what = format!("a block of {} bytes where {wanted} belong", plain.len());
            return Err(ReadError::refused("SQF-02", at, what));
        }
        Ok(plain)
    }

    /// The part of a fragment block that is the end of a file.
    fn tail(&self, number: u32, offset: u32, length: usize) -> Result<Vec<u8>, ReadError> {
        let mut held = self.held.borrow_mut();
        if !held.iter().any(|(known, _)| *known == number) {
            if number >= self.fragments || self.fragment_table == ABSENT {
                let what = format!("fragment {number} is wanted, there are {}", self.fragments);
                return Err(ReadError::refused("SQF-02", self.fragment_table, what));
            }
            let entry = self.entry(self.fragment_table, u64::from(number), 16)?;
            let block = self.block(le64(&entry, 0), le32(&entry, 8), self.block_bytes)?;
            held.truncate(HELD - 1);
            held.push_front((number, block));
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let block = held.iter().find(|(known, _)| *known == number).map(|(_, block)| block);
        let found = block.and_then(|block| block.get(start..start.checked_add(length)?));
        found.map(<[u8]>::to_vec).ok_or_else(|| {
            let what =
                format!("{length} bytes at {offset} are wanted of fragment {number}, which is shorter");
            ReadError::refused("SQF-02", 0, what)
        })
    }

    fn directory(&self, inode: &Inode, names: &mut Names<u64>) -> Result<(), ReadError> {
        let broken =
            |what: String| Err(ReadError::refused("SQF-04", inode.at, format!("a directory {what}")));
        // The size counts `.` and `..`, of which nothing is stored.
        let Some(mut left) = inode.size.checked_sub(3).filter(|left| *left <= DIRECTORY_BYTES_MAX) else {
            return broken(format!("of {} bytes", inode.size));
        };
        let (start, offset) = inode.listing;
        let mut place = self.place(self.directory_table, u64::from(start), offset)?;
        let whole = left;
        let mut heads = Heads::new();
        let take = |place: &mut Place, length: u64, left: &mut u64| match left.checked_sub(length) {
            Some(rest) => {
                *left = rest;
                self.read(place, usize::try_from(length).unwrap_or(0)).map(Some)
            }
            None => Ok(None),
        };
        while left > 0 {
            let head = (whole - left, place.block, place.offset);
            let Some(header) = take(&mut place, 12, &mut left)? else {
                return broken("that ends early".to_owned());
            };
            let (count, block) = (le32(&header, 0), le32(&header, 4));
            if count >= 256 {
                return broken(format!("with {count} names under one head"));
            }
            for at in 0..=count {
                let Some(entry) = take(&mut place, 8, &mut left)? else {
                    return broken("that ends early".to_owned());
                };
                let length = u64::from(le16(&entry, 6)) + 1;
                if length > NAME_BYTES_MAX {
                    return broken(format!("with a name of {length} bytes"));
                }
                let Some(name) = take(&mut place, length, &mut left)? else {
                    return broken("that ends early".to_owned());
                };
                if at == 0 && inode.index.is_some() {
                    heads.insert(head.0, (head.1, head.2, name.clone()));
                }
                names.add(&name, u64::from(block) << 16 | u64::from(le16(&entry, 0)), inode.at)?;
            }
        }
        self.check_index(inode, &heads)
    }

    /// The kernel looks names up by an index: one that leads elsewhere would give files that nobody lists.
    fn check_index(&self, inode: &Inode, heads: &Heads) -> Result<(), ReadError> {
        let Some((mut place, count)) = inode.index else { return Ok(()) };
        for _ in 0..count {
            let entry = self.read(&mut place, 12)?;
            let name = self.read(&mut place, usize::try_from(le32(&entry, 8)).unwrap_or(0).min(256) + 1)?;
            let (before, block) = (u64::from(le32(&entry, 0)), u64::from(le32(&entry, 4)));
            let byte = (before + u64::from(inode.listing.1)) % table::BLOCK_BYTES as u64;
            let head = heads.get(&before);
            let leads_there = head.is_some_and(|(in_block, at, first)| {
                (*in_block, *at as u64) == (self.directory_table + block, byte) && *first == name
            });
            if !leads_there {
                let what = format!("the index of a directory leads to byte {before} of it, where no head is");
                return Err(ReadError::refused("SQF-04", inode.at, what));
            }
        }
        Ok(())
    }
}

impl Files for Squash {
    /// A reference: where the block of the inode is in their table, and where the inode is in the block.
    type Id = u64;
    type File = Inode;

    fn given(&self) -> Vec<Range<u64>> {
        // Blocks are given unpacked, so where they stand they were not seen.
        Vec::new()
    }

    fn kind(&self) -> &'static str {
        "squashfs"
    }

    fn root(&self) -> Result<u64, ReadError> {
        Ok(self.root)
    }

    fn load(&self, id: &u64) -> Result<(Stat, Inode), ReadError> {
        let inode = self.inode(*id)?;
        let stat = Stat {
            kind: inode.kind,
            mode: inode.mode,
            uid: self.owner(inode.owner)?,
            gid: self.owner(inode.group)?,
            size: inode.size,
            mtime: inode.mtime,
            // Its place, and not the number that it gives itself, which two may share.
            inode: *id,
            link: if inode.kind == Kind::Symlink { text(&inode.link) } else { String::new() },
            xattrs: self.xattrs(&inode)?,
        };
        Ok((stat, inode))
    }

    fn list(&self, directory: &Inode, names: &mut Names<u64>) -> Result<(), ReadError> {
        if directory.size == 0 { Ok(()) } else { self.directory(directory, names) }
    }

    fn open<'a>(&'a self, file: &'a Inode) -> Result<Box<dyn Read + 'a>, ReadError> {
        Ok(Box::new(File::new(self, file)))
    }
}
