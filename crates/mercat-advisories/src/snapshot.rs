//! The snapshot: one file that is opened without reading it, and looked up by ecosystem and package.
//!
//! The file is read by position, a page at a time; the operating system's cache does what a mapping would
//! do. A mapping needs `unsafe` somewhere and turns a file that shrinks into a signal that ends the
//! process; a short read is an error that can be told.
//!
//! ```text
//! 0        "MERCATAV", schema (u32), zero (u32)
//! 16       postings: postcard of `Posting`, one behind the other
//! pages    pages of 4 KiB: count (u32), slots (hash u64, offset u64, length u32, CRC-32C u32) by hash,
//!          zeros, CRC-32C of the page (u32)
//! fences   the first hash of every page (u64): all that is held in memory
//! meta     postcard of `Meta`
//! trailer  offsets and lengths of the above, their CRC-32C, the length of the file, "MERCATAV" (72 bytes)
//! ```
//!
//! Numbers are little endian. Everything that is read is checked by its CRC before it is used; the digest
//! of postings and pages is computed when the file is written, kept in `meta`, and checked by
//! [`Snapshot::verify`], not at each opening.

mod read;
mod write;

pub use read::Snapshot;
pub(crate) use write::write;

use crate::versions::Scheme;
use crate::{Advisory, Day, Epss, Kev};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::collections::BTreeMap;
use std::io;

/// Version of the layout. Another one is refused by name, never guessed at.
pub const SCHEMA: u32 = 3;
/// Bytes of one posting: everything about one package.
pub(crate) const POSTING_BYTES_MAX: u32 = 256 << 20;
/// Bytes of the fences and of the description each.
pub(crate) const TABLE_BYTES_MAX: u64 = 256 << 20;

const MAGIC: &[u8; 8] = b"MERCATAV";
const HEADER: usize = 16;
const TRAILER: usize = 72;
const PAGE: usize = 4_096;
const SLOT: usize = 24;
const SLOTS: usize = (PAGE - 8) / SLOT;

/// Why a snapshot cannot be used. It is then never taken for an empty one.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file has no bytes.
    #[error("SNP-01: the advisory snapshot is empty; import the advisories again")]
    Empty,
    /// The file is something else.
    #[error("SNP-02: the file is no advisory snapshot; import the advisories again")]
    NotASnapshot,
    /// Written by another version of the program.
    #[error(
        "SNP-03: the advisory snapshot has schema {found}, this program reads {SCHEMA}; import all advisories again, with --replace"
    )]
    Schema {
        /// The schema of the file.
        found: u32,
    },
    /// Its end is missing.
    #[error("SNP-04: the advisory snapshot is cut off at {bytes} bytes; import the advisories again")]
    Truncated {
        /// Bytes that are there.
        bytes: u64,
    },
    /// Bytes are not those that were written.
    #[error("SNP-05: the advisory snapshot is damaged in its {part}; import the advisories again")]
    Damaged {
        /// Where.
        part: &'static str,
    },
    /// It says that it was imported after today.
    #[error(
        "SNP-06: the advisory snapshot was imported on {imported}, which is after {today}; set the clock right"
    )]
    Future {
        /// The day of its import.
        imported: Day,
        /// Today, as the caller knows it.
        today: Day,
    },
    /// Bytes could not be had.
    #[error("SNP-07: the advisory snapshot cannot be read or written")]
    Read(#[from] io::Error),
    /// More than fits.
    #[error("SNP-08: {what} has {bytes} bytes; the limit is {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: String,
        /// How large.
        bytes: u64,
        /// How large it may be.
        limit: u64,
    },
}

/// What is known about one ecosystem.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Advisories about its packages.
    pub advisories: u64,
    /// Newest `modified` of their records.
    pub newest: String,
    /// The day of the last import that held records of it.
    pub imported: Day,
}

/// Fewer advisories than most ecosystems have as a whole: those that OSV exports have from many hundreds to hundreds of
/// thousands.
const WHOLE_MIN: u64 = 100;
/// Ecosystems of which OSV has some dozens at most, with fewer than they have.
const SMALL: [(&str, u64); 5] = [("Bioconductor", 1), ("CRAN", 5), ("Hex", 20), ("Pub", 5), ("SwiftURL", 10)];

impl Coverage {
    /// Whether artifacts are judged by these advisories, and they can hardly be all that there are.
    pub fn is_part(&self, ecosystem: &str) -> bool {
        let least = SMALL.iter().find(|(name, _)| *name == ecosystem).map_or(WHOLE_MIN, |(_, least)| *least);
        Scheme::of(ecosystem).is_some() && self.advisories < least
    }
}

/// One import: where records came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// File, directory or URL, as the operator named it.
    pub source: String,
    /// When, as Unix time in seconds.
    pub at_unix: i64,
    /// SHA-256 of the bytes that were read, in hex.
    pub digest: String,
    /// Records read.
    pub records: u64,
    /// Of these, new or newer than what was there.
    pub changed: u64,
    /// Records that could not be used.
    pub unread: u64,
    /// Newest `modified` among them.
    pub newest: String,
    /// Version of the program.
    pub tool: String,
}

/// What a snapshot says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The day of the last import.
    pub imported: Day,
    /// Newest `modified` of all records.
    pub newest: String,
    /// Advisories: pairs of a record and a package.
    pub advisories: u64,
    /// Records, withdrawn ones too.
    pub records: u64,
    /// Records that were taken back.
    pub withdrawn: u64,
    /// Packages that records describe by commits alone, which no version can be compared with.
    pub by_commits_alone: u64,
    /// By ecosystem.
    pub ecosystems: BTreeMap<String, Coverage>,
    /// Day and entries of the KEV catalogue.
    pub kev: Option<(Day, u64)>,
    /// Day and entries of the EPSS table.
    pub epss: Option<(Day, u64)>,
    /// The last imports, newest last.
    pub imports: Vec<Import>,
    /// SHA-256 of postings and pages, in hex: what the snapshot knows, without where it is from.
    pub digest: String,
}

/// What is kept under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Posting {
    /// All advisories about one package.
    Package(Vec<Advisory>),
    /// A record without an advisory: withdrawn, or by commits alone.
    Bare {
        id: String,
        modified: String,
        withdrawn: bool,
        by_commits_alone: u32,
    },
    Kev(String, Kev),
    Epss(String, Epss),
    /// Of packages that are known by a group and a name: the groups in which a name is.
    Artifact {
        ecosystem: String,
        artifact: String,
        groups: Vec<String>,
    },
    /// That there are groups which begin with these two words.
    Root {
        ecosystem: String,
        root: String,
    },
}

/// Keys of postings. Two keys with one hash share a posting list; what is read names itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    Package(&'a str, &'a str),
    Bare(&'a str),
    Kev(&'a str),
    Epss(&'a str),
    Artifact(&'a str, &'a str),
    Root(&'a str, &'a str),
}

impl Key<'_> {
    fn hash(self) -> u64 {
        let mut sha = sha2::Sha256::new();
        let (kind, parts) = match self {
            Key::Package(ecosystem, package) => (0_u8, [ecosystem, package]),
            Key::Bare(id) => (1, [id, ""]),
            Key::Kev(cve) => (2, [cve, ""]),
            Key::Epss(cve) => (3, [cve, ""]),
            Key::Artifact(ecosystem, artifact) => (4, [ecosystem, artifact]),
            Key::Root(ecosystem, root) => (5, [ecosystem, root]),
        };
        sha.update([kind]);
        sha.update(parts[0]);
        sha.update([0]);
        sha.update(parts[1]);
        let hash = sha.finalize();
        u64::from_le_bytes(hash[..8].try_into().expect("eight bytes"))
    }
}

#[cfg(test)]
mod tests;
