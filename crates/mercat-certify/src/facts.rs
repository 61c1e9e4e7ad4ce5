//! What one layer holds, found in one pass over its bytes.
//!
//! Facts depend only on the blob and on the engines ([`crate::Knowledge::engine_digest`]),
//! so an unchanged layer is never read twice.

use crate::files::{Files, Named};
use crate::inventory::Record;
use crate::kept::Bytes;
use crate::pipeline::{self, Lighter, Through};
use crate::scan::{Scan, Want};
use crate::{Knowledge, files, links};
use mercat_artifact::ReadError;
use mercat_artifact::layer::tar::{Entry, Kind, TarReader, Whiteout};
use mercat_artifact::layer::{Hashed, HashingReader};
use mercat_artifact::oci::{Compression, Descriptor};
use mercat_artifact::pkgdb::{is_record, root_of_record};
use mercat_domain::{Digest, Finding};
use mercat_machine::accounts::{self, Accounts};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

pub(crate) const FORMAT: &str = concat!("mercat.facts/30 ", env!("CARGO_PKG_VERSION"));

const CAPTURE_BYTES_MAX: u64 = 64 << 20;
const RPM_BYTES_MAX: u64 = 256 << 20;
/// Bytes that are kept of records of other roots in a layer, how many of them, and parts of a path of one.
const RECORDED_MAX: usize = 64 << 20;
const RECORDS_MAX: usize = 10_000;
const RECORD_PARTS_MAX: usize = 64;
/// What is asked of a stream that is refused.
pub(crate) const READ_ALIKE: &str = "a stream that every reader understands alike";

/// Something found in a layer, not yet weighed by the policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) rule: String,
    pub(crate) path: String,
    pub(crate) observed: String,
    pub(crate) required: String,
    pub(crate) fix: String,
    /// Line of the file, from 1, where it is known.
    pub(crate) line: Option<u32>,
}

impl Note {
    pub(crate) fn new(rule: &str, path: &str, observed: String, required: &str, fix: &str) -> Self {
        Self {
            rule: rule.into(),
            path: path.into(),
            observed,
            required: required.into(),
            fix: fix.into(),
            line: None,
        }
    }

    /// An rpm database whose newest part is in a log beside it.
    pub(crate) fn unmerged(path: &str) -> Self {
        let observed = "packages in a write-ahead log that is not merged into the database".to_owned();
        let fix = "let the last rpm command end by itself before the image is made";
        Self::new("INC-08", path, observed, "one whole database", fix)
    }

    pub(crate) fn refused(path: &str, error: &ReadError) -> Self {
        let (rule, observed) = match error {
            ReadError::Refused { code, what, offset } => (*code, format!("{what}, at byte {offset}")),
            ReadError::Io(_) => ("INC-02", "the bytes could not be read".to_owned()),
        };
        Self::new(rule, path, observed, READ_ALIKE, "rebuild the layer with a current image builder")
    }
}

/// A file that the inventory asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Captured {
    pub(crate) path: String,
    /// What it says, or nothing when the path is not a regular file.
    pub(crate) record: Option<Record>,
}

/// A record of packages of another root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Below {
    /// Where it is, with the archives around it.
    pub(crate) path: String,
    /// The file of the layer or volume in which it is, where that is an archive.
    pub(crate) file: Option<String>,
    pub(crate) record: Record,
}

/// The facts of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LayerFacts {
    /// Digest of the blob as read.
    pub blob: String,
    /// Digest of the uncompressed stream.
    pub diff_id: String,
    /// Bytes of the blob.
    pub packed_bytes: u64,
    /// Bytes of the uncompressed stream.
    pub unpacked_bytes: u64,
    /// Tar entries.
    pub entries: u64,
    /// Regular files.
    pub files: u64,
    /// Bytes of regular files in the stream.
    pub file_bytes: u64,
    /// Bytes of regular files that every scanner saw; equal to `file_bytes` or the layer is inconclusive.
    pub scanned_bytes: u64,
    /// Bytes unpacked from archives inside.
    pub nested_bytes: u64,
    /// Bytes of them that every scanner saw; equal to `nested_bytes` or the layer is inconclusive.
    pub nested_scanned_bytes: u64,
    /// Whether reading ended at something that is refused.
    pub(crate) refused: bool,
    pub(crate) notes: BTreeSet<Note>,
    /// Digests of the files that notes are about, by path. Nothing where the bytes were not at hand together, or
    /// where files with other bytes have the path too.
    pub(crate) noted: BTreeMap<String, Option<String>>,
    pub(crate) captured: Vec<Captured>,
    pub(crate) below: Vec<Below>,
    pub(crate) removed: Vec<String>,
    pub(crate) opaque: Vec<String>,
    /// Links through which other layers may write what is read by its path, with their targets.
    pub(crate) aliases: Vec<(String, String)>,
    /// What files tell beside their content.
    pub(crate) told: Files,
}

impl LayerFacts {
    /// Adds what another walk of the same volume found.
    pub(crate) fn join(&mut self, other: Self) {
        self.refused |= other.refused;
        self.entries += other.entries;
        self.files += other.files;
        self.file_bytes += other.file_bytes;
        self.scanned_bytes += other.scanned_bytes;
        self.nested_bytes += other.nested_bytes;
        self.nested_scanned_bytes += other.nested_scanned_bytes;
        self.notes.extend(other.notes);
        for (path, digest) in other.noted {
            self.name(path, digest);
        }
        self.captured.extend(other.captured);
        self.below.extend(other.below);
        self.removed.extend(other.removed);
        self.opaque.extend(other.opaque);
        self.told.join(other.told);
    }

    /// Takes note of another name of a file, in which records of other roots are, or which is one.
    pub(crate) fn hard_link_below(&mut self, path: &str, target: &str) {
        if !self.told.may_compare(self.below.len() + self.captured.len()) {
            self.told.unknown += 1;
            return;
        }
        let of_it = self.below.iter().filter(|below| below.file.as_ref().unwrap_or(&below.path) == target);
        let again = |below: &Below| Below {
            path: format!("{path}{}", below.path.get(target.len()..).unwrap_or_default()),
            file: below.file.as_ref().map(|_| path.to_owned()),
            record: below.record.clone(),
        };
        let mut named: Vec<Below> = of_it.map(again).collect();
        let of_first = self.captured.iter().find(|captured| captured.path == target);
        named.extend(of_first.and_then(|captured| {
            Some(Below { path: path.to_owned(), file: None, record: captured.record.clone()? })
        }));
        named.retain(|below| root_of_record(&below.path).is_some());
        for below in named {
            let is_kept = self.add_below(below);
            self.told.unknown += u64::from(!is_kept);
        }
    }

    /// Keeps a record of another root; `false` where there are too many.
    pub(crate) fn add_below(&mut self, below: Below) -> bool {
        self.told.recorded += below.record.text().len();
        let is_kept = self.told.recorded <= RECORDED_MAX
            && self.below.len() < RECORDS_MAX
            && below.path.matches('/').count() <= RECORD_PARTS_MAX;
        if is_kept {
            self.below.push(below);
        }
        is_kept
    }

    /// Tells of a stream that was refused that it is not the one that was announced, where it is not.
    pub(crate) fn is_of(&mut self, read: &Hashed, announced: &Descriptor) {
        let (digest, size) = (&announced.digest, announced.size);
        if read.digest == *digest && read.size == size {
            return;
        }
        self.notes.retain(|note| note.required != READ_ALIKE);
        let observed = format!("{} with {} bytes", read.digest, read.size);
        let required = format!("{digest} with {size} bytes");
        let fix = "copy the image again: this copy of a layer is damaged, or is another one";
        self.notes.insert(Note::new("CTR-13", "", observed, &required, fix));
    }

    /// Keeps the digest of a file that something was noted about.
    pub(crate) fn name(&mut self, path: String, digest: Option<String>) {
        match self.noted.get_mut(&path) {
            Some(known) if *known != digest => *known = None,
            Some(_) => {}
            None => {
                self.noted.insert(path, digest);
            }
        }
    }

    /// Digest of the one file of this path that something was noted about; empty when it is not known.
    pub(crate) fn digest_of(&self, path: &str) -> String {
        self.noted.get(path).cloned().flatten().unwrap_or_default()
    }
}

/// The key under which facts are kept: the blob, how it is read, and everything that reads it.
pub fn facts_key(blob: &Digest, compression: Option<Compression>, engines: &Digest) -> String {
    let text = format!("{FORMAT}\n{blob}\n{compression:?}\n{engines}");
    format!("facts/{}", crate::digest_of(text.as_bytes()).hex())
}

/// Reads a layer. `None` as compression means a blob that is no file system, for example an attestation.
///
/// # Errors
/// Only when the bytes could not be had; what is wrong with them is in the facts.
pub(crate) fn scan_layer(
    blob: &mut (dyn Read + Send),
    compression: Option<Compression>,
    knowledge: &Knowledge,
) -> io::Result<LayerFacts> {
    knowledge.ready().map_err(io::Error::other)?;
    let mut layer = LayerScan { scan: Scan::new(knowledge), captured: Cell::new(0) };
    let read = match compression {
        Some(compression) => layer.tar(blob, compression),
        None => layer.raw(blob),
    };
    match read {
        Ok(()) => Ok(layer.scan.finish(None)),
        Err(ReadError::Io(error)) => Err(error),
        Err(refused) => Ok(layer.scan.finish(Some(Note::refused("", &refused)))),
    }
}

struct LayerScan<'k> {
    scan: Scan<'k>,
    /// Bytes that are kept of inventory files.
    captured: Cell<u64>,
}

impl LayerScan<'_> {
    /// Whether an inventory file is still within what one layer may keep; told when it is not.
    fn may_capture(&self, path: &str, size: u64) -> bool {
        // Of an rpm database only the list of packages stays.
        if crate::inventory::is_rpm(path) && size <= RPM_BYTES_MAX {
            return true;
        }
        if self.captured.get() + size <= CAPTURE_BYTES_MAX {
            return true;
        }
        let observed = format!("package databases of more than {CAPTURE_BYTES_MAX} bytes in this layer");
        self.scan.note(Note::new(
            "INC-03",
            path,
            observed,
            "a package database that can be read",
            "make it smaller",
        ));
        false
    }

    /// Whether a file of accounts is of a size that is read; told when it is not.
    fn may_read_accounts(&self, path: &str, size: u64) -> bool {
        if size <= accounts::FILE_BYTES_MAX {
            return true;
        }
        let required = format!("at most {} bytes", accounts::FILE_BYTES_MAX);
        self.scan.note(Note::new(
            "INC-10",
            path,
            format!("accounts in {size} bytes"),
            &required,
            "make it smaller",
        ));
        false
    }

    fn tar(&mut self, blob: &mut (dyn Read + Send), compression: Compression) -> Result<(), ReadError> {
        let limits = self.scan.limits();
        let lighter = if self.scan.knowledge().inventory_alone { Lighter::Work } else { Lighter::Unpacking };
        let (walked, Through { packed, unpacked, aside }) =
            pipeline::unpacked(blob, compression, limits.caps(), lighter, |pieces| {
                let mut tar = TarReader::new(pieces, limits.layer_entries);
                while let Some(entry) = tar.next_entry()? {
                    self.entry(entry, &mut tar)?;
                }
                self.scan.aside("", &tar.take_aside());
                Ok::<_, ReadError>(())
            })?;
        self.scan.aside("", &aside);
        // A tar is read to the last byte of the stream, or refused.
        walked?;
        let lower = self.scan.with(|facts| facts.told.of_lower_layers());
        lower.iter().for_each(|(path, target)| self.linked(path, target));
        self.scan.with(|facts| {
            facts.unpacked_bytes = unpacked.size;
            facts.diff_id = unpacked.digest.to_string();
            facts.blob = packed.digest.to_string();
            facts.packed_bytes = packed.size;
        });
        Ok(())
    }

    fn entry<R: Read>(&self, entry: Entry, tar: &mut TarReader<R>) -> Result<(), ReadError> {
        self.scan.begin(&entry.path, &entry.link, &entry.xattrs);
        self.scan.aside(&entry.path, &tar.take_aside());
        if let Some(observed) = entry.overlay() {
            let fix = "remove it with a whiteout file (.wh.NAME), or leave it out";
            self.scan.note(Note::new("TAR-27", &entry.path, observed, READ_ALIKE, fix));
        }
        if let Some(whiteout) = entry.whiteout() {
            // An empty file (TAR-24), which is nothing that its name says.
            self.scan.with(|facts| match whiteout {
                Whiteout::Path(path) => facts.removed.push(path),
                Whiteout::Opaque(path) => facts.opaque.push(path),
            });
            return Ok(());
        }
        let named = match entry.kind {
            Kind::File | Kind::HardLink => Named::File,
            Kind::Directory => Named::Directory,
            Kind::Symlink | Kind::Device | Kind::Fifo => Named::Other,
        };
        self.scan.with(|facts| facts.told.name(&entry.path, named, entry.mode, &entry.xattrs));
        self.unseen(&entry);
        if entry.kind == Kind::File {
            let accounts = accounts::is_of_accounts(&entry.path);
            let wanted = match accounts {
                true => self.may_read_accounts(&entry.path, entry.size),
                false => is_record(&entry.path) && self.may_capture(&entry.path, entry.size),
            };
            let passed = self.scan.file(
                &entry.path,
                entry.size,
                &mut Body(tar),
                Want { bytes: wanted, mode: entry.mode, starts: true, ..Want::default() },
            )?;
            // Others may have asked for the bytes too.
            match passed.kept.filter(|_| wanted).and_then(Bytes::in_memory) {
                Some(kept) if accounts => {
                    let found = Accounts::of(&String::from_utf8_lossy(&kept));
                    self.scan.with(|facts| facts.told.accounts(entry.path, found));
                }
                Some(kept) => self.capture(entry.path, &kept),
                None => {}
            }
        } else if accounts::is_of_accounts(&entry.path) && entry.kind != Kind::Directory {
            let link = Accounts { link: true, ..Accounts::default() };
            self.scan.with(|facts| facts.told.accounts(entry.path, link));
        } else if is_record(&entry.path) && entry.kind != Kind::Directory {
            self.scan.with(|facts| facts.captured.push(Captured { path: entry.path, record: None }));
        }
        Ok(())
    }

    /// Notes what of an entry keeps readers from what an engine and its programs read.
    fn unseen(&self, entry: &Entry) {
        let path = entry.path.as_str();
        let is_file = entry.kind == Kind::File;
        let has_bytes =
            is_file && entry.size > 0 || entry.kind == Kind::HardLink || entry.kind == Kind::Symlink;
        if has_bytes && is_unmerged(path) {
            self.scan.note(Note::unmerged(path));
        }
        if matches!(entry.kind, Kind::HardLink | Kind::Symlink)
            && let Some(reader) = mercat_inventory::reader_of(path, b"")
            && mercat_inventory::reader_of(&entry.link, b"") != Some(reader)
        {
            self.linked(path, &entry.link);
        }
        if entry.kind == Kind::HardLink {
            self.scan.hard_link(path, &entry.link);
            // A link to a symbolic link is one, too.
            if self.scan.with(|facts| facts.aliases.iter().any(|(alias, _)| *alias == entry.link)) {
                self.linked(path, &entry.link);
            }
        }
        if matches!(entry.kind, Kind::HardLink | Kind::Symlink) {
            self.scan.link_below(path, &entry.link);
        }
        if entry.kind == Kind::Symlink {
            let target = links::target(path, &entry.link);
            if !path.contains('/') {
                self.scan.with(|facts| facts.told.top(path, target.clone()));
            }
            let other_os = path == "etc/os-release" && target != "usr/lib/os-release";
            let alias = links::is_alias(path, &target);
            let too_many = alias && self.scan.with(|facts| facts.aliases.len() >= ALIASES_MAX);
            if links::hides(path, &target) || other_os || too_many {
                self.linked(path, &entry.link);
            } else if alias {
                self.scan.with(|facts| facts.aliases.push((path.to_owned(), target)));
            }
        }
    }

    fn linked(&self, path: &str, target: &str) {
        self.scan.note(links::unread(path, target));
    }

    /// Keeps what a package database says.
    fn capture(&self, path: String, bytes: &[u8]) {
        let record = Record::of(&path, bytes).unwrap_or_else(|finding| {
            let Finding { rule, observed, required, fix, .. } = *finding;
            self.scan.note(Note { rule, path: path.clone(), observed, required, fix, line: None });
            Record::Text(String::new())
        });
        // What a broken database owns is not known either; one finding says so.
        if matches!(record, Record::Packages(_)) && !record.is_empty() {
            files::own(&self.scan, &path, bytes);
        }
        self.captured.set(self.captured.get() + record.text().len() as u64);
        self.scan.with(|facts| facts.captured.push(Captured { path, record: Some(record) }));
    }

    fn raw(&mut self, blob: &mut (dyn Read + Send)) -> Result<(), ReadError> {
        let mut blob = HashingReader::new(blob);
        self.scan.content("", 0, &mut blob, Want::default())?;
        let read = blob.finish();
        self.scan.with(|facts| {
            facts.files = 1;
            facts.file_bytes = read.size;
            facts.packed_bytes = read.size;
            facts.unpacked_bytes = read.size;
            facts.blob = read.digest.to_string();
            facts.diff_id = read.digest.to_string();
        });
        Ok(())
    }
}

/// The payload of the entry that a tar reader stands at.
pub(crate) struct Body<'t, R>(pub(crate) &'t mut TarReader<R>);

impl<R: Read> Read for Body<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.read_body(buffer)?)
    }
}

/// Links of one layer that are remembered for what other layers write through them; none has many.
const ALIASES_MAX: usize = 1000;

/// What a database, or the package manager, has not yet put into its main file.
fn is_unmerged(path: &str) -> bool {
    let of_dpkg = path.strip_prefix("var/lib/dpkg/updates/");
    path.ends_with("/rpmdb.sqlite-wal")
        || path.ends_with("/rpmdb.sqlite-journal")
        || of_dpkg.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
