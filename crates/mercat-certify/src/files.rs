//! What the files of a layer or volume tell beside their content: components, programs, owners, modes.
//!
//! Everything here is a fact about one layer, bounded and serialisable; [`whole`] puts layers together.

mod hiding;
pub(crate) mod modes;
pub(crate) mod owners;
mod taken;
pub(crate) mod whole;

use crate::facts::{Below, Note};
use crate::inventory::{OTHER_MANAGERS, Record};
use crate::kept::Bytes;
use crate::scan::{OURS, Passed, Scan};
use mercat_artifact::pkgdb::root_of_record;
use mercat_domain::Finding;
use mercat_inventory::{Broken, Component, Reader, Start, reader_of};
use mercat_machine::accounts::Accounts;
use mercat_signatures::{Digests, Hasher, Hashing};
use modes::Mode;
use owners::Owned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use taken::Taken;

/// Programs of one layer that are kept with their digests.
const PROGRAMS_MAX: usize = 100_000;
/// Links directly below the root.
const TOPS_MAX: usize = 100;
/// Files of one layer that are told how they start.
const STARTS_MAX: usize = 50_000;
/// Components of one layer.
const COMPONENTS_MAX: usize = 500_000;
/// Components that are looked at for the hard links of a layer.
const COMPARED_MAX: u64 = 1 << 27;
/// Names of one layer that are remembered, to know what a later layer replaced.
const NAMES_MAX: usize = 1_000_000;
/// Files of one layer that everybody may write; the others are counted.
const WRITABLE_MAX: usize = 10_000;
/// Files of one layer that run as somebody else, or with capabilities.
const PRIVILEGED_MAX: usize = 20_000;
/// Bytes of the lists of files of packages that are read.
const LIST_BYTES_MAX: u64 = 32 << 20;
/// Bytes of a record of packages of another root that are read.
const RECORD_BYTES_MAX: u64 = 64 << 20;
/// Names of files of packages that one layer keeps.
const OWNED_MAX: usize = 2_000_000;

/// The file of accounts in which engines look users up.
pub(crate) const USERS: &str = "etc/passwd";
/// And the one of groups.
pub(crate) const GROUPS: &str = "etc/group";

/// Parts of the path of a notice: deeper in trees of sources stand those of their parts.
const NOTICE_PARTS_MAX: usize = 4;

/// A program or library: a regular file with an execute bit, or in ELF or PE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) bytes: u64,
    pub(crate) sha256: Taken<32>,
    /// Digests in which package managers write down what they installed.
    pub(crate) sha1: Taken<20>,
    pub(crate) md5: Taken<16>,
}

impl Program {
    /// What is known of a file by its digests.
    pub(crate) fn new(bytes: u64, digests: &Digests) -> Self {
        let Digests { sha256, sha1, md5 } = digests;
        Self { bytes, sha256: Taken(*sha256), sha1: Taken(*sha1), md5: Taken(*md5) }
    }

    fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::here(Hashing::none());
        hasher.also(true);
        hasher.update(bytes);
        Self::new(bytes.len() as u64, &hasher.finish().unwrap_or_default())
    }
}

/// What files tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Files {
    pub(crate) components: Vec<Component>,
    pub(crate) programs: BTreeMap<String, Program>,
    /// Of an image: whether files that a kernel could start may be executed, and what starts them.
    pub(crate) starts: BTreeMap<String, (bool, Start)>,
    /// Links directly below the root, with where they lead.
    pub(crate) tops: BTreeMap<String, String>,
    /// Lists of package managers by the path that they were read from.
    pub(crate) owned: BTreeMap<String, Vec<Owned>>,
    /// Where credentials were found, in which files that is, and the digests that say whether those are as their package
    /// has them; without, where that is not told.
    pub(crate) suspects: BTreeMap<String, (String, Program)>,
    /// Files that run as somebody else, or with capabilities.
    pub(crate) modes: BTreeMap<String, Mode>,
    /// Other files and directories that everybody may write.
    pub(crate) writable: BTreeMap<String, Mode>,
    /// Licence files and notices outside of any package.
    pub(crate) notices: Vec<String>,
    /// Files of accounts that tell of passwords, and those that name users and groups.
    pub(crate) accounts: BTreeMap<String, Accounts>,
    /// Every name in the layer, as [`key_of`], sorted when the layer has ended.
    pub(crate) names: Vec<u64>,
    /// Directories of package managers that are not read, in which something is.
    pub(crate) unread: BTreeSet<String>,
    /// How many names and files that everybody may write did not fit.
    pub(crate) left: u64,
    /// How many programs, hard links and privileged files did not fit: what rules would say of them is not known.
    pub(crate) unknown: u64,
    /// Hard links of the layer, what they are to, and how many names came before them, until it has ended.
    #[serde(skip)]
    hard: Vec<(String, String, usize)>,
    /// Components that were looked at for hard links.
    #[serde(skip)]
    compared: u64,
    owned_count: usize,
    /// Bytes that are kept of records of other roots.
    pub(crate) recorded: usize,
}

/// The first eight bytes of the SHA-256 of a path; directories end in `/`.
pub(crate) fn key_of(path: &str, directory: bool) -> u64 {
    let mut hash = Sha256::new();
    hash.update(path.as_bytes());
    if directory {
        hash.update(b"/");
    }
    hash.finalize().iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
}

/// A name as a tar entry or directory entry has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// A regular file or hard link.
    File,
    /// A directory.
    Directory,
    /// Links, devices, pipes: their modes mean nothing.
    Other,
}

impl Files {
    /// Takes note of a name of a layer, which later layers are compared with.
    pub(crate) fn name(&mut self, path: &str, named: Named, mode: u32, attributes: &[(String, Vec<u8>)]) {
        if self.names.len() < NAMES_MAX {
            self.names.push(key_of(path, named == Named::Directory));
        } else {
            self.left += 1;
        }
        if named != Named::Directory {
            let is_below = |top: &&str| path.strip_prefix(*top).is_some_and(|rest| rest.starts_with('/'));
            let below = OTHER_MANAGERS.iter().map(|(directory, _)| *directory).find(is_below);
            self.unread.extend(below.map(str::to_owned));
        }
        self.attributes(path, named, mode, attributes);
    }

    /// Takes note of what is notable about a name.
    pub(crate) fn attributes(
        &mut self,
        path: &str,
        named: Named,
        mode: u32,
        attributes: &[(String, Vec<u8>)],
    ) {
        if let Some(mode) = modes::notable(named, mode, attributes) {
            let (kept, most, left) = match mode.is_privileged() {
                true => (&mut self.modes, PRIVILEGED_MAX, &mut self.unknown),
                false => (&mut self.writable, WRITABLE_MAX, &mut self.left),
            };
            if kept.len() < most {
                kept.insert(path.to_owned(), mode);
            } else {
                *left += 1;
            }
        }
        if named == Named::File && is_notice(path) && self.notices.len() < 100 {
            self.notices.push(path.to_owned());
        }
    }

    /// Takes note of a file in which credentials were found, at some places; `None` when not all of it is there any more.
    pub(crate) fn suspect(&mut self, file: &str, bytes: Option<&[u8]>, places: Vec<String>) {
        let found = (file.to_owned(), bytes.map(Program::of).unwrap_or_default());
        let is_inside = |place: &String| {
            place.strip_prefix(file).is_some_and(|rest| rest.is_empty() || rest.starts_with('!'))
        };
        for place in places.into_iter().filter(is_inside) {
            let known = self.suspects.entry(place).or_insert_with(|| found.clone());
            // Which of two files of one name a finding is about is not told.
            if *known != found {
                *known = (file.to_owned(), Program::default());
            }
        }
    }

    /// Takes note of a file of accounts, where it tells something.
    pub(crate) fn accounts(&mut self, path: String, found: Accounts) {
        // Passwords of groups are no accounts'.
        let names =
            |found: Accounts| Accounts { users: found.users, link: found.link, ..Accounts::default() };
        let found = if path == GROUPS { names(found) } else { found };
        // Of two entries of one name the last counts.
        match found.is_calm() && path != USERS && path != GROUPS {
            true => self.accounts.remove(&path),
            false => self.accounts.insert(path, found),
        };
    }

    /// Takes note of a program.
    pub(crate) fn program(&mut self, path: String, program: Program) {
        if self.programs.len() < PROGRAMS_MAX {
            self.programs.insert(path, program);
        } else {
            self.unknown += 1;
        }
    }

    /// Takes note of how a file starts, by its mode and first bytes. Of what does not fit nothing is said.
    pub(crate) fn start(&mut self, path: &str, mode: u32, head: &[u8]) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_library = name.ends_with(".so") || name.contains(".so.");
        let may_be_executed = mode & 0o111 != 0;
        // Of what is no program of its own all else is said by its mode.
        let is_told = |start: &Start| !is_library && (may_be_executed || *start != Start::Text);
        if let Some(start) = Start::of(head).filter(|start| is_told(start) && self.starts.len() < STARTS_MAX)
        {
            self.starts.insert(path.to_owned(), (may_be_executed, start));
        }
    }

    /// Takes note of a symbolic link directly below the root, as `/bin` is in systems with one `/usr`.
    pub(crate) fn top(&mut self, path: &str, target: String) {
        if self.tops.len() < TOPS_MAX {
            self.tops.insert(path.to_owned(), target);
        }
    }

    /// Takes note of a hard link: what is known of a file is known of it under each of its names, of which a later layer
    /// may remove one.
    pub(crate) fn hard_link(&mut self, path: &str, target: &str) {
        if !self.may_compare(self.components.len())
            || self.hard.len() >= NAMES_MAX
            || self.components.len() > COMPONENTS_MAX
        {
            self.unknown += 1;
            return;
        }
        self.hard.push((path.to_owned(), target.to_owned(), self.names.len()));
        let named: Vec<Component> = self
            .components
            .iter()
            .filter_map(|found| {
                let inside = found
                    .path
                    .strip_prefix(target)
                    .filter(|rest| rest.is_empty() || rest.starts_with("!/"))?;
                Some(Component { path: format!("{path}{inside}"), ..found.clone() })
            })
            .collect();
        self.components.extend(named);
        if let Some(program) = self.programs.get(target).copied() {
            self.programs.insert(path.to_owned(), program);
        }
        if self.starts.len() < STARTS_MAX
            && let Some(start) = self.starts.get(target).cloned()
        {
            self.starts.insert(path.to_owned(), start);
        }
    }

    /// Hard links to files that are not in this layer, or come after them: what they are is in a lower one.
    pub(crate) fn of_lower_layers(&mut self) -> Vec<(String, String)> {
        let hard = std::mem::take(&mut self.hard);
        self.compared = 0;
        let mut first: HashMap<u64, usize> =
            hard.iter().map(|(_, target, _)| (key_of(target, false), usize::MAX)).collect();
        for (at, name) in self.names.iter().enumerate() {
            if let Some(first) = first.get_mut(name) {
                *first = at.min(*first);
            }
        }
        self.names.sort();
        let is_below = |(_, target, before): &(String, String, usize)| {
            first.get(&key_of(target, false)).is_none_or(|first| first >= before)
        };
        hard.into_iter().filter(is_below).map(|(path, target, _)| (path, target)).collect()
    }

    /// Whether the layer, which has ended, has a file of this name.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.has_name(path, false)
    }

    /// Whether it has a directory of this name.
    pub(crate) fn has_directory(&self, path: &str) -> bool {
        self.has_name(path, true)
    }

    fn has_name(&self, path: &str, directory: bool) -> bool {
        self.has_key(key_of(path, directory))
    }

    /// Whether it has a name with this key.
    pub(crate) fn has_key(&self, key: u64) -> bool {
        self.names.binary_search(&key).is_ok()
    }

    /// Whether a hard link may be compared with so many things more.
    pub(crate) fn may_compare(&mut self, count: usize) -> bool {
        self.compared += count as u64;
        self.compared <= COMPARED_MAX
    }

    /// Keeps which files packages own, from a database or list of theirs; the error says why that is not known.
    pub(crate) fn own(&mut self, path: &str, bytes: &[u8]) -> Result<(), Box<Note>> {
        let note = |observed| {
            let required = "a list of the files of packages";
            Box::new(Note::new("PKG-07", path, observed, required, "ship the package manager's own file"))
        };
        let owned = owners::read(path, bytes).map_err(note)?;
        self.owned_count += owned.iter().map(|owned| owned.files.len()).sum::<usize>();
        if self.owned_count > OWNED_MAX {
            return Err(note(format!("more than {OWNED_MAX} files of packages in this layer")));
        }
        if !owned.is_empty() {
            self.owned.insert(path.to_owned(), owned);
        }
        Ok(())
    }

    /// Adds what another walk of the same volume found.
    pub(crate) fn join(&mut self, other: Self) {
        self.components.extend(other.components);
        self.programs.extend(other.programs);
        self.suspects.extend(other.suspects);
        self.owned.extend(other.owned);
        self.modes.extend(other.modes);
        self.writable.extend(other.writable);
        self.notices.extend(other.notices);
        self.accounts.extend(other.accounts);
        self.unread.extend(other.unread);
        self.names.extend(other.names);
        self.left += other.left;
        self.unknown += other.unknown;
        self.settle();
    }

    /// Brings everything into an order of its own.
    pub(crate) fn settle(&mut self) {
        self.components.sort();
        self.components.dedup();
        self.notices.sort();
        self.names.sort();
        self.names.dedup();
    }
}

/// A licence or notice that an image carries for its customers.
fn is_notice(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let stem = name.split('.').next().unwrap_or(&name);
    let words = ["license", "licence", "licenses", "licences", "notice", "copying", "third-party-notices"];
    let known = words.contains(&stem) || stem.starts_with("third_party") || stem.starts_with("thirdparty");
    // Those of installed packages speak for the package.
    const OF_PACKAGES: [&str; 6] = [
        "usr/share/doc/",
        "usr/share/common-licenses/",
        "python3/",
        ".dist-info/",
        "site-packages/",
        "node_modules/",
    ];
    let near = path.split('/').count() <= NOTICE_PARTS_MAX;
    near && known && !OF_PACKAGES.iter().any(|place| path.contains(place)) || path.starts_with("licenses/")
}

/// What is asked of a file once its first bytes are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Asked {
    reader: Option<Reader>,
    /// The list of files of a package.
    list: bool,
    /// A record of packages of another root.
    record: bool,
    /// Whether it is in an archive.
    inside: bool,
    /// Its digest, because it is a program.
    pub(crate) program: bool,
    /// Also the digests in which package managers write down what they installed.
    pub(crate) packaged: bool,
    /// All of its bytes, because it is a file system or the disk of a machine.
    pub(crate) disk: bool,
}

impl Asked {
    /// What is asked of a file, by its path, its first bytes, and its mode; `depth` counts archives around it.
    pub(crate) fn of(path: &str, head: &[u8], mode: u32, depth: u32) -> Self {
        let elf = head.starts_with(b"\x7fELF") || mode & 0o111 != 0 && !head.is_empty();
        // Documents of attestations have no names.
        let claims = path.is_empty() && head.first() == Some(&b'{') && holds(head, b"CycloneDX");
        Self {
            reader: if claims { Some(Reader::CycloneDx) } else { reader_of(path, head) },
            list: depth == 0 && owners::is_list(path),
            record: root_of_record(path).is_some(),
            inside: depth > 0,
            program: depth == 0 && (elf || head.starts_with(b"MZ")),
            packaged: depth == 0 && elf,
            disk: false,
        }
    }

    /// How many bytes are to be kept at most; nothing when none are.
    pub(crate) fn bytes_max(self) -> Option<u64> {
        if self.disk {
            return Some(mercat_inventory::PROGRAM_BYTES_MAX);
        }
        let reader = self.reader.map(Reader::bytes_max).filter(|max| *max > 0);
        let list = self.list.then_some(LIST_BYTES_MAX);
        reader.max(list).max(self.record.then_some(RECORD_BYTES_MAX))
    }

    /// Whether its reader looks into parts of it only.
    pub(crate) fn in_parts(&self) -> bool {
        !self.list && !self.record && self.reader == Some(Reader::Program)
    }
}

fn holds(head: &[u8], word: &[u8]) -> bool {
    let head = head.get(..64 << 10).unwrap_or(head);
    head.windows(word.len()).any(|window| window == word)
}

/// Reads a file that has passed.
pub(crate) fn take(scan: &Scan<'_>, path: &str, asked: &Asked, passed: &Passed<'_>) {
    if asked.list {
        match &passed.kept {
            Some(kept) if passed.size <= LIST_BYTES_MAX => match kept.read() {
                Ok(bytes) => own(scan, path, &bytes),
                Err(error) => unread(scan, path, &Broken::Unread(error.to_string())),
            },
            _ => too_large(scan, path, passed.size, LIST_BYTES_MAX),
        }
    }
    if asked.record {
        match &passed.kept {
            Some(kept) if passed.size <= RECORD_BYTES_MAX => match kept.read() {
                Ok(bytes) => record(scan, (path, asked.inside.then(|| scan.current())), &bytes),
                Err(error) => unread(scan, path, &Broken::Unread(error.to_string())),
            },
            _ => too_large(scan, path, passed.size, RECORD_BYTES_MAX),
        }
    }
    let Some(reader) = asked.reader else { return };
    let found = match (&passed.kept, reader.bytes_max()) {
        (_, 0) => mercat_inventory::read(reader, path, &[]),
        (Some(Bytes::Lent(Ok(program))), _) if reader == Reader::Program => {
            mercat_inventory::read_program(path, program)
        }
        (_, max) if passed.size > max => return too_large(scan, path, passed.size, max),
        (Some(kept), _) => match kept.read() {
            Ok(bytes) => mercat_inventory::read(reader, path, &bytes),
            Err(error) => Err(Broken::Unread(error.to_string())),
        },
        (None, _) => Err(Broken::Unread(format!("no file was free for its {} bytes", passed.size))),
    };
    match found {
        Ok(found) => add(scan, found),
        Err(broken @ (Broken::Unread(_) | Broken::Beyond(_))) => unread(scan, path, &broken),
        Err(broken) => {
            let fix = "ship the file as the package manager or build tool wrote it";
            let required = "a record of packages that can be read";
            let rule = if reader.is_list_of_all() { "PKG-05" } else { "PKG-07" };
            scan.note(Note::new(rule, path, broken.to_string(), required, fix));
            add(scan, mercat_inventory::by_place(reader, path).into_iter().collect());
        }
    }
}

/// Takes note of components, or says that there are too many.
pub(crate) fn add(scan: &Scan<'_>, found: Vec<Component>) {
    let full = scan.with(|facts| facts.told.components.len() > COMPONENTS_MAX);
    if full && !found.is_empty() {
        let observed = format!("more than {COMPONENTS_MAX} packages of languages in this layer");
        scan.note(Note::new("INC-16", "", observed, "fewer of them", OURS));
    } else {
        scan.with(|facts| facts.told.components.extend(found));
    }
}

/// Keeps what a record of packages of another root says.
fn record(scan: &Scan<'_>, (path, file): (&str, Option<String>), bytes: &[u8]) {
    let record = Record::of(path, bytes).unwrap_or_else(|finding| {
        let Finding { rule, observed, required, fix, .. } = *finding;
        scan.note(Note::new(&rule, path, observed, &required, &fix));
        Record::Text(String::new())
    });
    let below = Below { path: path.to_owned(), file, record };
    if !scan.with(|facts| facts.add_below(below)) {
        let observed = "packages of more systems below the root than are looked at in one layer".to_owned();
        scan.note(Note::new("INC-16", "", observed, "fewer of them", OURS));
    }
}

/// Keeps which files packages own, or says why that is not known.
pub(crate) fn own(scan: &Scan<'_>, path: &str, bytes: &[u8]) {
    if let Err(note) = scan.with(|facts| facts.told.own(path, bytes)) {
        scan.note(*note);
    }
}

fn unread(scan: &Scan<'_>, path: &str, broken: &Broken) {
    let observed = format!("its packages were not read: {broken}");
    scan.note(Note::new("INC-02", path, observed, "a program that is read whole", UNREAD));
}

/// What to do where a program was not read.
const UNREAD: &str = "set TMPDIR to a directory on a disk with room for large programs, and certify again";

fn too_large(scan: &Scan<'_>, path: &str, size: u64, max: u64) {
    let required = format!("at most {max} bytes to be looked into for packages");
    let observed = format!("{size} bytes, of which packages were not read");
    scan.note(Note::new("INC-16", path, observed, &required, "ship it in smaller parts"));
}

#[cfg(test)]
pub(crate) mod tests;
