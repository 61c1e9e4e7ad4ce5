//! XFS, versions 4 and 5, after "XFS Algorithms & Data Structures".
//!
//! Version 5 has checksums and owners in every block, and all of them are checked. A log that must be
//! replayed is refused: what it holds is not yet in place.

mod attribute;
mod directory;
mod inode;
mod log;
mod map;
mod superblock;

use super::Kind;
use super::bytes::{be32, part};
use super::source::{Content, Source};
use super::walk::{Files, Names, Stat, text};
use crate::ReadError;
use inode::{Fork, Inode};
use std::io::{Cursor, Read};
use std::ops::Range;
use superblock::Superblock;

/// Longest target of a symbolic link.
const LINK_BYTES_MAX: u64 = 1024;

/// A file system.
pub(crate) struct Xfs {
    source: Source,
    superblock: Superblock,
}

/// Checks the checksum of a block of version 5, which is stored little-endian at a place in it.
fn sum_is_right(raw: &[u8], at: usize) -> bool {
    let sum = crc32c::crc32c_append(crc32c::crc32c(part(raw, 0, at)), &[0; 4]);
    crc32c::crc32c_append(sum, raw.get(at + 4..).unwrap_or(&[])).swap_bytes() == be32(raw, at)
}

impl Xfs {
    pub(crate) fn open(source: Source) -> Result<Self, ReadError> {
        let superblock = Superblock::read(&source)?;
        log::check(&source, &superblock)?;
        Ok(Self { source, superblock })
    }

    /// Checks what every block of version 5 says of itself. `sum`, `number` and `owner` are places in it.
    fn check_block(
        &self,
        raw: &[u8],
        at: u64,
        inode: &Inode,
        [sum, number, owner]: [usize; 3],
    ) -> Result<(), ReadError> {
        let refuse = |what: &str| {
            let what = format!("a block of inode {} {what}", inode.number);
            Err(ReadError::refused("XFS-06", at, what))
        };
        if !sum_is_right(raw, sum) {
            return refuse("has a wrong checksum");
        }
        if super::bytes::be64(raw, number) != at / 512 || super::bytes::be64(raw, owner) != inode.number {
            return refuse("belongs elsewhere");
        }
        Ok(())
    }

    fn link(&self, inode: &Inode) -> Result<String, ReadError> {
        let refuse = |what: String| {
            let what = format!("the symbolic link of inode {} {what}", inode.number);
            ReadError::refused("XFS-09", inode.at, what)
        };
        let length = usize::try_from(inode.size).unwrap_or(usize::MAX);
        if inode.size == 0 || inode.size > LINK_BYTES_MAX {
            return Err(refuse(format!("has {length} bytes")));
        }
        let mut target = match &inode.data {
            Fork::Local(bytes) => bytes.clone(),
            _ => self.remote(inode)?,
        };
        target.truncate(length);
        if target.len() != length || target.contains(&0) {
            return Err(refuse("has a NUL or ends early".to_owned()));
        }
        Ok(text(&target))
    }

    /// The blocks of a long link: each begins with a header in version 5.
    fn remote(&self, inode: &Inode) -> Result<Vec<u8>, ReadError> {
        let mut target = Vec::new();
        let block_bytes = self.superblock.block_bytes;
        for run in self.runs(inode, &inode.data)? {
            for at in (run.from..run.from + run.length).step_by(self.superblock.block_step()) {
                let raw = self.source.bytes(at, self.superblock.block_step())?;
                if !self.superblock.v5 {
                    target.extend_from_slice(&raw);
                } else {
                    self.check_block(&raw, at, inode, [12, 40, 32])?;
                    if !raw.starts_with(b"XSLM") || u64::from(be32(&raw, 8)) > block_bytes {
                        let what = format!("the symbolic link of inode {} has no header", inode.number);
                        return Err(ReadError::refused("XFS-09", at, what));
                    }
                    let length = usize::try_from(be32(&raw, 8)).unwrap_or(0);
                    target.extend_from_slice(part(&raw, 56, length));
                }
                if target.len() as u64 >= inode.size {
                    return Ok(target);
                }
            }
        }
        Ok(target)
    }
}

impl Files for Xfs {
    type Id = u64;
    type File = Inode;

    fn given(&self) -> Vec<Range<u64>> {
        self.source.given()
    }

    fn kind(&self) -> &'static str {
        "xfs"
    }

    fn root(&self) -> Result<u64, ReadError> {
        Ok(self.superblock.root)
    }

    fn load(&self, id: &u64) -> Result<(Stat, Inode), ReadError> {
        let inode = self.inode(*id)?;
        let link = if inode.kind == Kind::Symlink { self.link(&inode)? } else { String::new() };
        let stat = Stat {
            kind: inode.kind,
            mode: u32::from(inode.mode & 0o7777),
            uid: inode.uid,
            gid: inode.gid,
            size: inode.size,
            mtime: inode.mtime,
            inode: *id,
            link,
            xattrs: attribute::all(self, &inode)?,
        };
        Ok((stat, inode))
    }

    fn list(&self, directory: &Inode, names: &mut Names<u64>) -> Result<(), ReadError> {
        directory::list(self, directory, names)
    }

    fn open<'a>(&'a self, file: &'a Inode) -> Result<Box<dyn Read + 'a>, ReadError> {
        match &file.data {
            // Regular files are never stored in the inode.
            Fork::Local(_) => Ok(Box::new(Cursor::new(Vec::new()))),
            fork => Ok(Box::new(Content::of_file(&self.source, self.runs(file, fork)?, file.size))),
        }
    }
}
