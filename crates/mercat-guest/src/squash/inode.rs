//! Inodes, and the content of files.

use super::super::Kind;
use super::super::bytes::{le16, le32, le64};
use super::table::Place;
use super::{NO_FRAGMENT, Squash};
use crate::ReadError;
use std::io::{self, Read};

/// Longest target of a symbolic link.
const LINK_BYTES_MAX: u32 = 4096;
/// Lengths of blocks that are read at once.
const WORDS: u64 = 1024;

/// An inode.
#[derive(Debug, Clone)]
pub(crate) struct Inode {
    pub(super) kind: Kind,
    pub(super) mode: u32,
    /// Owner and group, by their places in the list of them.
    pub(super) owner: u16,
    pub(super) group: u16,
    pub(super) mtime: i64,
    pub(super) size: u64,
    pub(super) link: Vec<u8>,
    /// Of a directory: where its names are, in its table.
    pub(super) listing: (u32, u16),
    /// Of a large directory: where its index is, and how many entries it has.
    pub(super) index: Option<(Place, u16)>,
    pub(super) xattrs: Option<u32>,
    /// Where the block of its table is.
    pub(super) at: u64,
    /// Of a file: its first block, its fragment with the place in it, and where the lengths of its blocks are.
    data: (u64, u32, u32, Place),
}

impl Squash {
    /// Reads an inode by its reference.
    pub(super) fn inode(&self, reference: u64) -> Result<Inode, ReadError> {
        let offset = u16::try_from(reference & 0xffff).unwrap_or(0);
        let mut place = self.place(self.inode_table, reference >> 16, offset)?;
        let at = place.block;
        let broken = |what: String| ReadError::refused("SQF-02", at, format!("an inode {what}"));
        if at >= self.directory_table {
            return Err(broken("outside of their table".to_owned()));
        }
        let head = self.read(&mut place, 16)?;
        let number = le16(&head, 0);
        let mut inode = Inode {
            kind: Kind::Special,
            mode: u32::from(le16(&head, 2)) & 0o7777,
            owner: le16(&head, 4),
            group: le16(&head, 6),
            mtime: i64::from(le32(&head, 8)),
            size: 0,
            link: Vec::new(),
            listing: (0, 0),
            index: None,
            xattrs: None,
            at,
            data: (0, NO_FRAGMENT, 0, place),
        };
        match number {
            1 => {
                let raw = self.read(&mut place, 16)?;
                inode.kind = Kind::Directory;
                inode.size = u64::from(le16(&raw, 8));
                inode.listing = (le32(&raw, 0), le16(&raw, 10));
            }
            8 => {
                let raw = self.read(&mut place, 24)?;
                inode.kind = Kind::Directory;
                inode.size = u64::from(le32(&raw, 4));
                inode.listing = (le32(&raw, 8), le16(&raw, 18));
                inode.index = Some((place, le16(&raw, 16))).filter(|(_, count)| *count > 0);
                inode.xattrs = Some(le32(&raw, 20));
            }
            2 => {
                let raw = self.read(&mut place, 16)?;
                inode.kind = Kind::File;
                inode.size = u64::from(le32(&raw, 12));
                inode.data = (u64::from(le32(&raw, 0)), le32(&raw, 4), le32(&raw, 8), place);
            }
            9 => {
                let raw = self.read(&mut place, 40)?;
                inode.kind = Kind::File;
                inode.size = le64(&raw, 8);
                inode.data = (le64(&raw, 0), le32(&raw, 28), le32(&raw, 32), place);
                inode.xattrs = Some(le32(&raw, 36));
            }
            3 | 10 => {
                let length = le32(&self.read(&mut place, 8)?, 4);
                if !(1..=LINK_BYTES_MAX).contains(&length) {
                    return Err(broken(format!("that is a link to {length} bytes")));
                }
                inode.kind = Kind::Symlink;
                inode.link = self.read(&mut place, usize::try_from(length).unwrap_or(0))?;
                if inode.link.contains(&0) {
                    return Err(broken("that is a link with a NUL in it".to_owned()));
                }
                if number == 10 {
                    inode.xattrs = Some(le32(&self.read(&mut place, 4)?, 0));
                }
            }
            4 | 5 => drop(self.read(&mut place, 8)?),
            6 | 7 => drop(self.read(&mut place, 4)?),
            11 | 12 => inode.xattrs = Some(le32(&self.read(&mut place, 12)?, 8)),
            13 | 14 => inode.xattrs = Some(le32(&self.read(&mut place, 8)?, 4)),
            _ => return Err(broken(format!("of kind {number}"))),
        }
        Ok(inode)
    }
}

/// The content of a file.
pub(super) struct File<'a> {
    squash: &'a Squash,
    left: u64,
    /// Blocks before the fragment that are still to come, where the next begins, and where its length is.
    blocks: u64,
    next: u64,
    place: Place,
    words: std::vec::IntoIter<u32>,
    fragment: (u32, u32),
    bytes: Vec<u8>,
    taken: usize,
}

impl<'a> File<'a> {
    pub(super) fn new(squash: &'a Squash, inode: &Inode) -> Self {
        let (next, fragment, offset, place) = inode.data;
        let blocks = match fragment {
            NO_FRAGMENT => inode.size.div_ceil(squash.block_bytes),
            _ => inode.size / squash.block_bytes,
        };
        Self {
            squash,
            left: inode.size,
            blocks,
            next,
            place,
            words: Vec::new().into_iter(),
            fragment: (fragment, offset),
            bytes: Vec::new(),
            taken: 0,
        }
    }

    fn word(&mut self) -> Result<u32, ReadError> {
        if self.words.len() == 0 {
            let count = usize::try_from(self.blocks.min(WORDS)).unwrap_or(0);
            let raw = self.squash.read(&mut self.place, 4 * count)?;
            self.words = raw.chunks(4).map(|word| le32(word, 0)).collect::<Vec<_>>().into_iter();
        }
        self.words
            .next()
            .ok_or_else(|| ReadError::refused("SQF-02", self.place.block, "no length of a block"))
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        let wanted = self.left.min(self.squash.block_bytes);
        let length = usize::try_from(wanted).unwrap_or(0);
        self.bytes = if self.blocks == 0 {
            self.squash.tail(self.fragment.0, self.fragment.1, length)?
        } else {
            let word = self.word()?;
            self.blocks -= 1;
            if word == 0 {
                self.squash.source.spend_zeros(wanted)?;
                vec![0; length]
            } else {
                let block = self.squash.block(self.next, word, wanted)?;
                self.next += u64::from(word & 0xff_ffff);
                block
            }
        };
        if self.bytes.len() != length {
            let what = format!("a block of {} bytes where {wanted} belong", self.bytes.len());
            return Err(ReadError::refused("SQF-02", self.next, what));
        }
        (self.taken, self.left) = (0, self.left - wanted);
        Ok(())
    }
}

impl Read for File<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.bytes.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.fill()?;
        }
        let have = &self.bytes[self.taken..];
        let count = have.len().min(buffer.len());
        buffer[..count].copy_from_slice(&have[..count]);
        self.taken += count;
        Ok(count)
    }
}
