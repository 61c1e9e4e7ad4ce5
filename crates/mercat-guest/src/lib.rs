//! What is on a disk: partitions, volumes, and the files of every file system.
//!
//! Offsets in refusals count from the start of the disk for partition tables and LVM, and from the start
//! of the volume for file systems.

mod bytes;
mod codes;
mod ext;
mod fat;
mod gpt;
pub mod hive;
mod iso;
mod lvm;
mod mbr;
mod ntfs;
mod signature;
mod source;
mod squash;
mod table;
mod volume;
mod walk;
mod xfs;

pub use codes::CODES;
pub use table::{Partition, Table};
pub use volume::{Contents, Guest, Volume};
pub use walk::resolve;

pub use mercat_artifact::ReadError;
use std::io::Read;
use std::ops::Range;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; its target is in [`Entry::link`] and is never followed outside the guest.
    Symlink,
    /// A device, pipe or socket.
    Special,
}

/// One name in a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root of its file system, `/` between parts, none in front.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Unix permission bits with setuid, setgid and sticky; 0 where the file system has none.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of a regular file.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Identifies the file in its file system: hard links share it.
    pub inode: u64,
    /// Target of a symbolic link.
    pub link: String,
    /// Extended attributes and alternate data streams that the reader can give.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

/// What goes over the files of a file system.
pub trait Visit {
    /// Sees every entry once, directories before what is in them, the root itself left out. For a
    /// regular file, `true` asks for its content.
    ///
    /// # Errors
    /// Ends the walk.
    fn entry(&mut self, entry: &Entry) -> Result<bool, ReadError>;

    /// Gets the content of a file that was asked for, right behind its [`Visit::entry`]. What is not
    /// read is left out. Holes read as zeros.
    ///
    /// # Errors
    /// Ends the walk.
    fn content(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), ReadError>;
}

/// A file system that was recognised and can be read.
pub trait FileTree {
    /// Its name, for example `ext4`.
    fn kind(&self) -> &'static str;

    /// Shows every entry. What cannot be read ends the walk with a refusal that names structure and
    /// offset; loops and lies end it too, in time and memory bounded by the size of the volume.
    ///
    /// # Errors
    /// The file system's refusal, or what the visitor returned.
    fn walk(&self, visit: &mut dyn Visit) -> Result<(), ReadError>;

    /// Gives the ranges of the volume that were read as content of files since it was asked last, in the order of
    /// reading; see [`Guest::on_disk`]. What was unpacked or stands inside of a structure is not among them.
    fn given(&self) -> Vec<Range<u64>>;
}

#[cfg(test)]
mod tests;
