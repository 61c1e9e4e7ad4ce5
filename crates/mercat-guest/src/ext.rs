//! ext2, ext3 and ext4, after the kernel's documentation of the disk layout.
//!
//! Written here because the crate for it shows neither inode numbers (hard links) nor extended attributes,
//! follows links when it opens a file, and refuses inline data, `meta_bg` and large directories.

mod directory;
mod inode;
mod journal;
mod map;
mod superblock;
mod xattr;

use super::Kind;
use super::source::{Content, Source};
use super::walk::{Files, Names, Stat, text};
use crate::ReadError;
use inode::Inode;
use journal::Overlay;
use std::io::{Cursor, Read};
use std::ops::Range;
use superblock::Superblock;

/// The inode of the root directory.
const ROOT: u32 = 2;
/// Longest target of a symbolic link, which is also its largest block.
const LINK_BYTES_MAX: u64 = 4096;

/// A file system.
pub(crate) struct Ext {
    source: Source,
    superblock: Superblock,
    overlay: Overlay,
}

/// The raw CRC-32C that ext4 uses: neither inverted before nor after.
fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

impl Ext {
    pub(crate) fn open(source: Source) -> Result<Self, ReadError> {
        let superblock = Superblock::parse(&source.bytes(1024, 1024)?, source.size())?;
        let mut ext = Self { source, superblock, overlay: Overlay::default() };
        ext.replay()?;
        Ok(ext)
    }

    fn block_bytes(&self) -> usize {
        usize::try_from(self.superblock.block_bytes).unwrap_or(0)
    }

    /// The first byte of a block that something points at.
    fn block_at(&self, block: u64, by: &str) -> Result<u64, ReadError> {
        let sb = &self.superblock;
        if block <= u64::from(sb.first_data_block) || block >= sb.blocks {
            let what = format!("{by} points at block {block} of {}", sb.blocks);
            return Err(ReadError::refused("EXT-18", 0, what));
        }
        Ok(block * sb.block_bytes)
    }

    /// A block of metadata.
    fn block(&self, block: u64, by: &str) -> Result<Vec<u8>, ReadError> {
        self.metadata(self.block_at(block, by)?, self.block_bytes())
    }

    /// The content of a file, wherever its inode keeps it.
    fn content(&self, inode: &Inode) -> Result<Box<dyn Read + '_>, ReadError> {
        if inode.is_inline() {
            return Ok(Box::new(Cursor::new(self.inline(inode)?)));
        }
        Ok(Box::new(Content::of_file(&self.source, self.runs(inode)?, inode.size)))
    }

    /// Inline data: what fits stands in the block map, the rest in an extended attribute.
    fn inline(&self, inode: &Inode) -> Result<Vec<u8>, ReadError> {
        let mut bytes = inode.block_map().to_vec();
        bytes.extend(xattr::inline_data(self, inode)?);
        let size = usize::try_from(inode.size).unwrap_or(usize::MAX);
        if size > bytes.len() {
            let what = format!("inode {} has {size} bytes of inline data in {}", inode.number, bytes.len());
            return Err(ReadError::refused("EXT-14", inode.at, what));
        }
        bytes.truncate(size);
        Ok(bytes)
    }

    fn link(&self, inode: &Inode) -> Result<String, ReadError> {
        let refuse = |what: &str| {
            let what = format!("the symbolic link of inode {} {what}", inode.number);
            ReadError::refused("EXT-15", inode.at, what)
        };
        if inode.size == 0 || inode.size > LINK_BYTES_MAX {
            return Err(refuse(&format!("has {} bytes", inode.size)));
        }
        let mut target = Vec::new();
        if inode.is_fast_link(self.superblock.block_bytes) {
            let length = usize::try_from(inode.size).unwrap_or(0);
            target.extend_from_slice(inode.block_map().get(..length).unwrap_or(&[]));
        } else {
            self.content(inode)?.read_to_end(&mut target)?;
        }
        // Some writers count or store the terminating NUL of a link in blocks.
        if target.last() == Some(&0) && !inode.is_fast_link(self.superblock.block_bytes) {
            target.pop();
        }
        if target.contains(&0) || target.is_empty() {
            return Err(refuse("has a NUL in its target"));
        }
        Ok(text(&target))
    }
}

impl Files for Ext {
    type Id = u32;
    type File = Inode;

    fn given(&self) -> Vec<Range<u64>> {
        self.source.given()
    }

    fn kind(&self) -> &'static str {
        self.superblock.kind()
    }

    fn root(&self) -> Result<u32, ReadError> {
        Ok(ROOT)
    }

    fn load(&self, id: &u32) -> Result<(Stat, Inode), ReadError> {
        let inode = self.inode(*id)?;
        if inode.flags & inode::ENCRYPTED != 0 {
            let what = format!("inode {id} is encrypted");
            return Err(ReadError::refused("EXT-16", inode.at, what));
        }
        let kind = inode.kind()?;
        let link = if kind == Kind::Symlink { self.link(&inode)? } else { String::new() };
        let stat = Stat {
            kind,
            mode: u32::from(inode.mode & 0o7777),
            uid: inode.uid,
            gid: inode.gid,
            size: inode.size,
            mtime: inode.mtime,
            inode: u64::from(*id),
            link,
            xattrs: xattr::all(self, &inode)?,
        };
        Ok((stat, inode))
    }

    fn list(&self, directory: &Inode, names: &mut Names<u32>) -> Result<(), ReadError> {
        directory::list(self, directory, names)
    }

    fn open<'a>(&'a self, file: &'a Inode) -> Result<Box<dyn Read + 'a>, ReadError> {
        self.content(file)
    }
}
