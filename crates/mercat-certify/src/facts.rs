//! What one layer holds, found in one pass over its bytes.
//!
//! Facts depend only on the blob and on the engines ([`crate::Knowledge::engine_digest`]),
//! so an unchanged layer is never read twice.

use crate::{Knowledge, nested, signatures, yara};
use mercat_artifact::ReadError;
use mercat_artifact::layer::tar::{Kind, TarReader, Whiteout};
use mercat_artifact::layer::{HashingReader, LayerReader};
use mercat_artifact::oci::Compression;
use mercat_domain::{Digest, Finding};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::io::{self, Read};

pub(crate) const FORMAT: &str = concat!("mercat.facts/3 ", env!("CARGO_PKG_VERSION"));

const WINDOW_BYTES: usize = 4 << 20;
const OVERLAP_BYTES: usize = 64 << 10;
const CAPTURE_BYTES_MAX: u64 = 64 << 20;
const RPM_BYTES_MAX: u64 = 256 << 20;
/// Notes of one rule in one layer; what comes after is told as one note of the same rule.
const NOTES_OF_RULE_MAX: usize = 200;

/// Something found in a layer, not yet weighed by the policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) rule: String,
    pub(crate) path: String,
    pub(crate) observed: String,
    pub(crate) required: String,
    pub(crate) fix: String,
}

impl Note {
    pub(crate) fn new(rule: &str, path: &str, observed: String, required: &str, fix: &str) -> Self {
        Self { rule: rule.into(), path: path.into(), observed, required: required.into(), fix: fix.into() }
    }

    /// An rpm database whose newest part is in a log beside it.
    pub(crate) fn unmerged(path: &str) -> Self {
        let observed = "packages in a write-ahead log that is not merged into the database".to_owned();
        let fix = "let the last rpm command end by itself before the image is made";
        Self::new("INC-08", path, observed, "one whole database", fix)
    }

    pub(crate) fn refused(path: &str, error: &ReadError) -> Self {
        let (rule, observed) = match error {
            ReadError::Refused { code, .. } => (*code, error.to_string()),
            ReadError::Io(_) => ("INC-02", "the bytes could not be read".to_owned()),
        };
        let required = "a stream that every reader understands alike";
        Self::new(rule, path, observed, required, "rebuild the layer with a current image builder")
    }
}

/// A file that the inventory asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Captured {
    pub(crate) path: String,
    /// The text, or nothing when the path is not a regular file.
    pub(crate) text: Option<String>,
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
    /// Bytes unpacked from archives inside, also scanned.
    pub nested_bytes: u64,
    /// Whether reading ended at something that is refused.
    pub(crate) refused: bool,
    pub(crate) notes: BTreeSet<Note>,
    pub(crate) captured: Vec<Captured>,
    pub(crate) removed: Vec<String>,
    pub(crate) opaque: Vec<String>,
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
    let mut scan = Scan::new(knowledge);
    let read = match compression {
        Some(compression) => scan.tar(blob, compression),
        None => scan.raw(blob),
    };
    match read {
        Ok(()) => Ok(scan.finish(None)),
        Err(ReadError::Io(error)) => Err(error),
        Err(refused) => Ok(scan.finish(Some(Note::refused("", &refused)))),
    }
}

pub(crate) const OURS: &str =
    "nothing to do for the publisher: the operator of this server must repair the scanner";

/// The scanners over one layer, with their positive controls.
pub(crate) struct Scan<'k> {
    knowledge: &'k Knowledge,
    pub(crate) facts: LayerFacts,
    /// Bytes that archives inside the current file may still unpack to.
    budget: u64,
    control_at: u64,
    controlled: bool,
    /// Whether the current file is a program or library.
    elf: bool,
}

impl<'k> Scan<'k> {
    pub(crate) fn new(knowledge: &'k Knowledge) -> Self {
        let mut random = [0; 1];
        // Where the control stands must not be known to whoever made the layer; any failure means "first".
        let _ = getrandom::fill(&mut random);
        Self {
            knowledge,
            facts: LayerFacts::default(),
            budget: 0,
            control_at: u64::from(random[0] % 32),
            controlled: false,
            elf: false,
        }
    }

    /// Begins a name: a file, directory or link.
    pub(crate) fn begin(&mut self) {
        self.facts.entries += 1;
        self.elf = false;
        self.control_in_turn();
    }

    /// Shows a regular file to every scanner. Returns its bytes when `keep`.
    ///
    /// # Errors
    /// What the reader gives; what came before was scanned.
    pub(crate) fn file(
        &mut self,
        path: &str,
        size: u64,
        reader: &mut dyn Read,
        keep: bool,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        self.facts.files += 1;
        self.facts.file_bytes += size;
        self.budget = self.limits().nested_total_bytes;
        self.content(path, 0, reader, keep)
    }

    /// The facts; `refused` says where reading ended early.
    pub(crate) fn finish(mut self, refused: Option<Note>) -> LayerFacts {
        self.facts.refused = refused.is_some();
        if let Some(note) = refused {
            self.note(note);
        }
        self.control_once_more();
        let facts = &mut self.facts;
        if facts.scanned_bytes != facts.file_bytes && !facts.refused {
            let observed = format!("{} of {} bytes scanned", facts.scanned_bytes, facts.file_bytes);
            facts.notes.insert(Note::new("INC-02", "", observed, "every byte scanned", OURS));
        }
        self.facts
    }

    /// Whether an inventory file is still within what one layer may keep; told when it is not.
    fn may_capture(&mut self, path: &str, size: u64) -> bool {
        // Of an rpm database only the list of packages stays.
        if crate::inventory::is_rpm(path) && size <= RPM_BYTES_MAX {
            return true;
        }
        let kept: u64 =
            self.facts.captured.iter().map(|c| c.text.as_ref().map_or(0, String::len) as u64).sum();
        if kept + size <= CAPTURE_BYTES_MAX {
            return true;
        }
        let observed = format!("package databases of more than {CAPTURE_BYTES_MAX} bytes in this layer");
        self.note(Note::new(
            "INC-03",
            path,
            observed,
            "a package database that can be read",
            "make it smaller",
        ));
        false
    }

    pub(crate) fn limits(&self) -> &'k crate::Limits {
        &self.knowledge.policy.limits
    }

    pub(crate) fn note(&mut self, note: Note) {
        let same = self.facts.notes.iter().filter(|known| known.rule == note.rule).count();
        match same {
            0..NOTES_OF_RULE_MAX => {
                self.facts.notes.insert(note);
            }
            NOTES_OF_RULE_MAX => {
                let observed = format!("more than {NOTES_OF_RULE_MAX} of these in this layer");
                self.facts.notes.insert(Note { path: String::new(), observed, ..note });
            }
            _ => {}
        }
    }

    fn tar(&mut self, blob: &mut (dyn Read + Send), compression: Compression) -> Result<(), ReadError> {
        let limits = self.limits();
        let layer = HashingReader::new(LayerReader::new(blob, compression, limits.caps()));
        let mut tar = TarReader::new(layer, limits.layer_entries);
        while let Some(entry) = tar.next_entry()? {
            self.facts.entries += 1;
            match entry.whiteout() {
                Some(Whiteout::Path(path)) => self.facts.removed.push(path),
                Some(Whiteout::Opaque(path)) => self.facts.opaque.push(path),
                None => {}
            }
            self.elf = false;
            for (name, value) in &entry.xattrs {
                self.window(&format!("{}#{name}", entry.path), value);
            }
            self.window(&entry.path, entry.link.as_bytes());
            if entry.kind == Kind::File {
                let wanted = is_wanted(&entry.path) && self.may_capture(&entry.path, entry.size);
                if entry.path.ends_with("/rpmdb.sqlite-wal") && entry.size > 0 {
                    self.note(Note::unmerged(&entry.path));
                }
                let mut body = Body(&mut tar);
                if let Some(kept) = self.file(&entry.path, entry.size, &mut body, wanted)? {
                    self.capture(entry.path, &kept);
                }
            } else if is_wanted(&entry.path) && entry.kind != Kind::Directory {
                self.facts.captured.push(Captured { path: entry.path, text: None });
            }
            self.control_in_turn();
        }
        let layer = tar.into_inner();
        self.facts.unpacked_bytes = layer.count();
        let (below, unpacked) = layer.finish_with_inner();
        self.facts.diff_id = unpacked.digest.to_string();
        let packed = below.finish();
        self.facts.blob = packed.digest.to_string();
        self.facts.packed_bytes = packed.size;
        Ok(())
    }

    /// Keeps a package database, rpm's as a list of packages.
    fn capture(&mut self, path: String, bytes: &[u8]) {
        let text = crate::inventory::text_of(&path, bytes).unwrap_or_else(|finding| {
            let Finding { rule, observed, required, fix, .. } = *finding;
            self.note(Note { rule, path: path.clone(), observed, required, fix });
            String::new()
        });
        self.facts.captured.push(Captured { path, text: Some(text) });
    }

    fn raw(&mut self, blob: &mut (dyn Read + Send)) -> Result<(), ReadError> {
        let mut blob = HashingReader::new(blob);
        self.budget = self.limits().nested_total_bytes;
        self.content("", 0, &mut blob, false)?;
        let read = blob.finish();
        self.facts.files = 1;
        self.facts.file_bytes = read.size;
        self.facts.packed_bytes = read.size;
        self.facts.unpacked_bytes = read.size;
        self.facts.blob = read.digest.to_string();
        self.facts.diff_id = read.digest.to_string();
        Ok(())
    }

    /// Shows a file to every scanner, and opens it when it is an archive. Returns its bytes when `keep`.
    pub(crate) fn content(
        &mut self,
        path: &str,
        depth: u32,
        mut reader: &mut dyn Read,
        keep: bool,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let mut window: Vec<u8> = Vec::new();
        let mut whole: Vec<u8> = Vec::new();
        let mut archive = None;
        let mut hash = Sha256::new();
        let mut size = 0_u64;
        let mut first = true;
        loop {
            let carried = window.len();
            let goal = WINDOW_BYTES + carried;
            let ended = (&mut reader).take((goal - carried) as u64).read_to_end(&mut window);
            let fresh = &window[carried..];
            if fresh.is_empty() && !first {
                break;
            }
            size += fresh.len() as u64;
            hash.update(fresh);
            if first {
                archive = nested::Format::detect(fresh);
                self.elf = fresh.starts_with(b"\x7fELF");
            }
            self.window(path, &window);
            self.count(depth, window.len() - carried);
            if keep || archive.is_some() && size <= self.limits().nested_file_bytes {
                whole.extend_from_slice(&window[carried..]);
            } else {
                whole = Vec::new();
            }
            first = false;
            // What came before a break in the stream is scanned like everything else.
            ended.map_err(ReadError::from)?;
            if window.len() < goal {
                break;
            }
            window.drain(..window.len() - OVERLAP_BYTES);
        }
        let digest: [u8; 32] = hash.finalize().into();
        if let Some(name) = self.knowledge.signatures.known(&digest, size) {
            self.virus(path, name);
        }
        if archive.is_none() && nested::has_zip_tail(&window, window.len() as u64 == size) {
            // A program or script with a zip behind it, for example an executable jar.
            if window.len() as u64 == size {
                self.open(path, depth, nested::Format::Zip, size, &window)?;
            } else {
                let observed = format!("a zip archive behind other content, {size} bytes in all");
                let required = format!("at most {WINDOW_BYTES} bytes to be opened");
                self.note(Note::new(
                    "INC-03",
                    path,
                    observed,
                    &required,
                    "ship the archive as a file of its own",
                ));
            }
        }
        if let Some(format) = archive {
            drop(window);
            self.open(path, depth, format, size, &whole)?;
        }
        Ok(keep.then_some(whole))
    }

    fn count(&mut self, depth: u32, bytes: usize) {
        if depth == 0 {
            self.facts.scanned_bytes += bytes as u64;
        } else {
            self.facts.nested_bytes += bytes as u64;
        }
    }

    fn open(
        &mut self,
        path: &str,
        depth: u32,
        format: nested::Format,
        size: u64,
        bytes: &[u8],
    ) -> Result<(), ReadError> {
        let limits = self.limits();
        if depth >= limits.nested_depth {
            let observed = format!("archives nested deeper than {}", limits.nested_depth);
            self.note(Note::new("CTR-29", path, observed, "less nesting", "unpack the archive in the image"));
        } else if size > limits.nested_file_bytes {
            let observed = format!("an archive of {size} bytes");
            let required = format!("at most {} bytes to be opened", limits.nested_file_bytes);
            self.note(Note::new("INC-03", path, observed, &required, "raise the limit in the policy pack"));
        } else {
            nested::walk(self, path, depth + 1, format, bytes)?;
        }
        Ok(())
    }

    /// Takes from what archives inside the current file may unpack to; `false` when it is used up.
    pub(crate) fn spend(&mut self, path: &str, bytes: u64) -> bool {
        if bytes <= self.budget {
            self.budget -= bytes;
            return true;
        }
        let observed =
            format!("archives inside unpack to more than {} bytes", self.limits().nested_total_bytes);
        self.note(Note::new("CTR-29", path, observed, "less expansion", "remove the archive from the image"));
        self.budget = 0;
        false
    }

    fn virus(&mut self, path: &str, name: &str) {
        let observed = format!("virus signature {name}");
        self.note(Note::new(
            "CTR-20",
            path,
            observed,
            "no known virus",
            "remove the file and rebuild this layer",
        ));
    }

    pub(crate) fn window(&mut self, path: &str, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let knowledge = self.knowledge;
        let mut notes = Vec::new();
        knowledge.signatures.scan(bytes, |name| {
            let observed = format!("virus signature {name}");
            notes.push(Note::new(
                "CTR-20",
                path,
                observed,
                "no known virus",
                "remove the file and rebuild this layer",
            ));
        });
        let scanned = knowledge.yara.scan(bytes, |rule| {
            let observed = format!("malware rule {rule}");
            notes.push(Note::new(
                "CTR-20",
                path,
                observed,
                "no malware",
                "remove the file and rebuild this layer",
            ));
        });
        // Libraries carry the published keys of their self-tests; those are told, and do not block.
        let rule = |kind: &str| if self.elf && kind == "private key" { "CTR-21-ELF" } else { "CTR-21" };
        knowledge.secrets.scan(bytes, |secret| {
            let observed = format!("{}: {}", secret.kind, secret.redacted);
            let fix =
                "revoke the credential, then rebuild the layer without it; deleting it in a later layer is not enough";
            notes.push(Note::new(rule(secret.kind), path, observed, "no credentials in any layer", fix));
        });
        if let Err(why) = scanned {
            notes.push(Note::new(
                "INC-02",
                path,
                format!("the malware scan ended early: {why}"),
                "a whole scan",
                OURS,
            ));
        }
        notes.into_iter().for_each(|note| self.note(note));
    }

    fn control_in_turn(&mut self) {
        if !self.controlled && self.facts.entries > self.control_at {
            self.control_once_more();
        }
    }

    /// Shows each scanner what it must find and what it must not. A miss makes the whole layer inconclusive.
    fn control_once_more(&mut self) {
        if self.controlled {
            return;
        }
        self.controlled = true;
        for engine in broken_engines(self.knowledge) {
            let observed = format!("{engine}: the positive control was missed, or the near miss was hit");
            self.note(Note::new("INC-01", "", observed, "a scanner that proves it works", OURS));
        }
    }
}

fn broken_engines(knowledge: &Knowledge) -> Vec<&'static str> {
    let spoiled = |mut bytes: Vec<u8>| {
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        bytes
    };
    let signature = |bytes: &[u8]| {
        let mut hits = 0;
        knowledge.signatures.scan(bytes, |_| hits += 1);
        hits == 1
    };
    let rule = |bytes: &[u8]| {
        let mut hit = false;
        let scanned = knowledge.yara.scan(bytes, |rule| hit |= rule == yara::CANARY_RULE);
        scanned.is_ok() && hit
    };
    let secret = |bytes: &[u8]| {
        let mut hits = 0;
        knowledge.secrets.scan(bytes, |_| hits += 1);
        hits == 1
    };
    let headless = mercat_secrets::control().split_off(8);
    let mut broken = Vec::new();
    if !signature(&signatures::test_string()) || signature(&spoiled(signatures::test_string())) {
        broken.push("signatures");
    }
    if !rule(&yara::canary()) || rule(&spoiled(yara::canary())) {
        broken.push("malware rules");
    }
    if !secret(&mercat_secrets::control()) || secret(&headless) {
        broken.push("secrets");
    }
    broken
}

struct Body<'t, R>(&'t mut TarReader<R>);

impl<R: Read> Read for Body<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.read_body(buffer)?)
    }
}

/// Files from which the inventory is made.
fn is_wanted(path: &str) -> bool {
    const EXACT: [&str; 10] = [
        "var/lib/rpm/Packages",
        "var/lib/rpm/Packages.db",
        "var/lib/rpm/rpmdb.sqlite",
        "usr/lib/sysimage/rpm/Packages.db",
        "usr/lib/sysimage/rpm/rpmdb.sqlite",
        "var/lib/dpkg/status",
        "lib/apk/db/installed",
        "usr/lib/apk/db/installed",
        "etc/os-release",
        "usr/lib/os-release",
    ];
    EXACT.contains(&path) || path.starts_with("var/lib/dpkg/status.d/") && !path.ends_with(".md5sums")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Extra, advisories::Advisories};

    #[test]
    fn a_scanner_that_misses_its_control_makes_the_layer_inconclusive() {
        let mut knowledge = Knowledge::load(&Extra::default(), Advisories::default())
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(broken_engines(&knowledge), [""; 0]);
        knowledge.yara = yara::Rules::without_any();
        assert_eq!(broken_engines(&knowledge), ["malware rules"]);
        let mut empty_tar: &[u8] = &[0; 1024];
        let facts = scan_layer(&mut empty_tar, Some(Compression::None), &knowledge).expect("reads");
        assert!(facts.notes.iter().any(|note| note.rule == "INC-01"), "{:?}", facts.notes);
    }

    #[test]
    fn a_threat_across_two_windows_is_found() {
        let knowledge = Knowledge::load(&Extra::default(), Advisories::default())
            .unwrap_or_else(|error| panic!("{error}"));
        let mut bytes = vec![b'x'; WINDOW_BYTES - 30];
        bytes.extend(signatures::test_string());
        bytes.extend(vec![b'x'; WINDOW_BYTES]);
        let facts = scan_layer(&mut &bytes[..], None, &knowledge).expect("reads");
        assert_eq!(facts.scanned_bytes, bytes.len() as u64);
        assert_eq!(facts.notes.iter().filter(|note| note.rule == "CTR-20").count(), 1);
    }
}
