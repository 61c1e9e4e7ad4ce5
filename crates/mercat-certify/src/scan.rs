//! The scanners over one layer or volume: each byte that is a file's goes past all of them, once.

use crate::facts::{LayerFacts, Note};
use crate::files::{Asked, Program};
use crate::kept::{Bytes, Kept, Lent, Share};
use crate::look::{Credential, Seen, matched};
use crate::shown::{OVERLAP_BYTES, Shown, WINDOW_BYTES};
use crate::whose::{is_example_of_others, is_of_others};
use crate::window::Window;
use crate::{Knowledge, Limits, companion, files, links, nested, signatures, yara};
use mercat_artifact::ReadError;
use mercat_artifact::archive::{self, Format};
use mercat_domain::Digest;
pub(crate) use mercat_packages::OURS;
use mercat_secrets::UNREAD;
use mercat_signatures::{Beside, Digests, FileKind};
use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::io::Read;

/// Notes of one rule in one layer or configuration; what comes after is told as one note of the same rule.
pub(crate) const NOTES_OF_RULE_MAX: usize = 200;
/// Credentials of a tar, and of its members, that are compared.
const MEMBERS_KEPT_MAX: usize = 10_000;
/// Bytes that archives inside one file may unpack to before the ratio counts.
const RATIO_FREE_BYTES: u64 = 64 << 20;

/// Files whose digests may be behind.
const BEHIND_MAX: usize = 8;

/// Kinds of credentials that programs and libraries have in themselves, published.
const OF_PROGRAMS: [&str; 2] = ["private key", "password in a command"];

/// A window for members of archives that have fewer bytes: full ones would stay beside those of the files around.
const SMALL_BYTES: usize = 64 << 10;
/// A full window.
const FULL_BYTES: usize = WINDOW_BYTES + OVERLAP_BYTES;
/// Small windows that wait: archives inside archives need one each.
const SMALL_SPARE_MAX: usize = 4;
/// Full windows that wait for their next file: that of a packed file is given back before that of the file around it.
const SPARE_MAX: usize = 2;

/// What a window is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whence {
    /// Where it begins in its file.
    pub(crate) start: u64,
    /// As what the file begins.
    pub(crate) kind: FileKind,
    /// Where the ELF program ends that the file is, by its own tables; 0 where it is none.
    pub(crate) program_end: u64,
    /// The line of a text in which it begins, from 1; what is no text, or no file, has none.
    pub(crate) line: Option<u64>,
}

impl Default for Whence {
    fn default() -> Self {
        Self { start: 0, kind: FileKind::Any, program_end: 0, line: None }
    }
}

/// The scanners over one layer, with their positive controls.
///
/// Archives are opened while the bytes around them still pass, so several readers hold this at once;
/// all of them are in one thread.
pub(crate) struct Scan<'k> {
    knowledge: &'k Knowledge,
    share: Share<'k>,
    beside: Beside,
    state: RefCell<State>,
}

struct State {
    facts: LayerFacts,
    /// Bytes of the current file that passed.
    packed: u64,
    /// Bytes that archives inside the current file unpacked to, all levels together.
    unpacked: u64,
    /// Whether the current file unpacks to more than it may: nothing more of it is opened.
    cut: bool,
    control_at: u64,
    controlled: bool,
    /// Scanners of others that failed their control: what they found counts for nothing.
    distrusted: Vec<String>,
    spare: Vec<Window>,
    small_spare: Vec<Window>,
    /// Where credentials were found in the current file.
    credentials: Vec<String>,
    /// The path of the current file.
    file: String,
    /// Tars whose members are shown, the outermost first, with credentials in their own bytes: those of a member are
    /// the member's, and told or not with it.
    tars: Vec<(String, Vec<(Note, u128)>)>,
    /// Credentials that were seen in members of them, whatever is told of those.
    of_members: HashSet<u128>,
    /// Files whose digests are still being taken, in the order of their ends.
    ended: VecDeque<(Ended, Option<Digest>)>,
}

/// What the rules see of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// A whole file.
    Whole,
    /// A window of a file that is too large to be kept.
    Window,
    /// Nothing yet: they see the file when all of it is there.
    Later,
}

/// What looks like an archive behind a script or program, and is tried.
const TRIED_BEHIND_MAX: usize = 64;

/// What is asked of a file beside its scan.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Want {
    /// Its size, where it is known before the bytes are read.
    pub(crate) size: Option<u64>,
    /// All of its bytes.
    pub(crate) bytes: bool,
    /// Its permission bits, where it lies on a file system.
    pub(crate) mode: u32,
    /// Whether it is told how it starts.
    pub(crate) starts: bool,
    /// Whether it is a part of a file, which has not the lines of that.
    pub(crate) is_part: bool,
    /// Whether whoever unpacks it holds megabytes himself, and takes so long that nothing is won by a second window.
    pub(crate) is_slow: bool,
}

/// What is known of a file once it has passed.
pub(crate) struct Passed<'k> {
    /// Its bytes, when they were asked for.
    pub(crate) kept: Option<Bytes<'k>>,
    /// Its size.
    pub(crate) size: u64,
    /// Whether it is told as a program.
    pub(crate) program: bool,
}

/// A file that has passed and whose digests tell more.
pub(crate) struct Ended {
    pub(crate) path: String,
    pub(crate) size: u64,
    /// Whether all of it came.
    pub(crate) whole: bool,
    /// Whether it is told as a program.
    pub(crate) program: bool,
    /// Whether something was noted about it.
    pub(crate) noted: bool,
}

impl<'k> Scan<'k> {
    pub(crate) fn new(knowledge: &'k Knowledge) -> Self {
        let mut random = [0; 1];
        // Where the control stands must not be known to whoever made the layer; any failure means "first".
        let _ = getrandom::fill(&mut random);
        let state = State {
            facts: LayerFacts::default(),
            packed: 0,
            unpacked: 0,
            cut: false,
            control_at: u64::from(random[0] % 32),
            controlled: false,
            distrusted: Vec::new(),
            spare: Vec::new(),
            small_spare: Vec::new(),
            credentials: Vec::new(),
            file: String::new(),
            tars: Vec::new(),
            of_members: HashSet::new(),
            ended: VecDeque::new(),
        };
        let share = knowledge.scratch.share();
        Self { knowledge, share, beside: Beside::default(), state: RefCell::new(state) }
    }

    /// An empty file of ours for a program or disk of this size, where it is large and one is free.
    pub(crate) fn lend(&self, bytes: u64) -> Option<Lent<'k>> {
        self.share.lend(bytes)
    }

    /// Where a file of this size, as far as it is known, waits until all of it has passed.
    pub(crate) fn keep(&self, announced: Option<u64>) -> Kept<'k> {
        match self.share.lend_spare(announced.unwrap_or(u64::MAX)) {
            Some(lent) => Kept::lent(lent, announced.unwrap_or(0), Vec::new()),
            None => Kept::in_memory(announced),
        }
    }

    /// Bytes of an archive that is opened by the table at its end.
    pub(crate) fn nested_bytes_max(&self) -> u64 {
        self.limits().nested_file_bytes.min(mercat_inventory::PROGRAM_BYTES_MAX)
    }

    pub(crate) fn limits(&self) -> &'k Limits {
        &self.knowledge.policy.limits
    }

    pub(crate) fn knowledge(&self) -> &'k Knowledge {
        self.knowledge
    }

    /// The thread that hashes large files; they pass one after the other.
    pub(crate) fn hashing_thread(&self) -> &Beside {
        &self.beside
    }

    /// Reads or changes the facts.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut LayerFacts) -> T) -> T {
        change(&mut self.state.borrow_mut().facts)
    }

    /// Begins a name: a file, directory or link. The scanners see it, with what hangs on it.
    pub(crate) fn begin(&self, path: &str, link: &str, attributes: &[(String, Vec<u8>)]) {
        self.with(|facts| facts.entries += 1);
        self.name(path, link, attributes);
        self.control_in_turn();
    }

    /// Shows a name to the scanners, with what hangs on it.
    pub(crate) fn name(&self, path: &str, link: &str, attributes: &[(String, Vec<u8>)]) {
        let name = if link.is_empty() { path.to_owned() } else { format!("{path}\n{link}") };
        self.look_at(path, name.as_bytes());
        for (key, value) in attributes {
            self.look_at(&format!("{path}#{key}"), value);
        }
    }

    /// Shows what stands beside a file in its layer to the scanners, as [`TarReader::take_aside`] gives it.
    ///
    /// [`TarReader::take_aside`]: mercat_artifact::layer::tar::TarReader::take_aside
    pub(crate) fn aside(&self, path: &str, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.look_at(&format!("{path}#header"), bytes);
        }
    }

    /// Shows a regular file to every scanner.
    ///
    /// # Errors
    /// What the reader gives; what came before was scanned.
    pub(crate) fn file(
        &self,
        path: &str,
        size: u64,
        reader: &mut dyn Read,
        want: Want,
    ) -> Result<Passed<'k>, ReadError> {
        let earlier = self.state.borrow().ended.iter().any(|(ended, _)| ended.path == path);
        if earlier {
            self.take_digests();
        }
        {
            let mut state = self.state.borrow_mut();
            state.facts.files += 1;
            state.facts.file_bytes += size;
            (state.packed, state.unpacked, state.cut) = (0, 0, false);
            path.clone_into(&mut state.file);
        }
        self.content(path, 0, reader, Want { size: Some(size), ..want })
    }

    /// Shows bytes to every scanner, and opens them when they are an archive.
    pub(crate) fn content(
        &self,
        path: &str,
        depth: u32,
        reader: &mut dyn Read,
        want: Want,
    ) -> Result<Passed<'k>, ReadError> {
        let mut shown = Shown::new(self, path, depth, reader, &want);
        let head = shown.head();
        if want.starts {
            self.with(|facts| facts.told.start(path, want.mode, head));
        }
        let format = archive::detect(head);
        let is_disk = format == Some(Format::Disk);
        let mut asked = Asked::of(path, head, want.mode, depth);
        asked.disk = is_disk;
        shown.ask(&asked);
        let mut is_tar = false;
        match format.filter(|_| !is_disk) {
            Some(format) if self.may_open(path, depth) => {
                shown.opened(format);
                is_tar = format == Format::Tar;
                if is_tar {
                    self.state.borrow_mut().tars.push((path.to_owned(), Vec::new()));
                }
                nested::walk(self, path, depth + 1, (format, true), &mut shown);
            }
            Some(_) => {}
            // What is a disk for one reader may be a script or program for another.
            None => {
                let mut found = shown.pass_to_archive();
                let mut tried = 0;
                while let Some((format, is_sure)) = found
                    && self.may_open(path, depth)
                {
                    if tried == TRIED_BEHIND_MAX {
                        nested::unopened(self, path, "more of what looks like an archive than is tried");
                        break;
                    }
                    tried += 1;
                    nested::walk(self, path, depth + 1, (format, is_sure), &mut shown);
                    // What only looks like one may stand in front of one.
                    found = if is_sure { None } else { shown.search_on() };
                }
            }
        }
        let passed = shown.finish();
        if is_tar {
            self.close_tar();
        }
        let mut passed = passed?;
        files::take(self, path, &asked, &passed);
        // Opened when all of it has passed.
        if is_disk && self.may_open(path, depth) {
            let kept = match (&passed.kept, want.bytes) {
                (Some(Bytes::Memory(bytes)), true) => Some(Bytes::Memory(bytes.clone())),
                _ => passed.kept.take(),
            };
            nested::disk(self, path, depth + 1, kept);
        }
        Ok(passed)
    }

    /// Tells of the credentials in the bytes of the innermost tar that are in none of its members.
    fn close_tar(&self) {
        let left: Vec<Note> = {
            let mut state = self.state.borrow_mut();
            let State { tars, of_members, .. } = &mut *state;
            let (_, found) = tars.pop().unwrap_or_default();
            let left =
                found.into_iter().filter(|(_, id)| !of_members.contains(id)).map(|(note, _)| note).collect();
            if tars.is_empty() {
                of_members.clear();
            }
            left
        };
        left.into_iter().for_each(|note| self.note(note));
    }

    /// The file that passes.
    pub(crate) fn current(&self) -> String {
        self.state.borrow().file.clone()
    }

    /// Whether an archive at this depth is opened; told when it is not.
    pub(crate) fn may_open(&self, path: &str, depth: u32) -> bool {
        let max = self.limits().nested_depth;
        if depth >= max {
            let observed = format!("archives nested deeper than {max}");
            self.note(Note::new("CTR-29", path, observed, "less nesting", "unpack the archive in the image"));
        }
        depth < max
    }

    /// The facts; `refused` says where reading ended early.
    pub(crate) fn finish(self, refused: Option<Note>) -> LayerFacts {
        self.take_digests();
        self.with(|facts| facts.refused = refused.is_some());
        if let Some(note) = refused {
            self.note(note);
        }
        self.control_once_more();
        let State { mut facts, distrusted, .. } = self.state.into_inner();
        for name in distrusted {
            let by = format!(" ({name})");
            facts.notes.retain(|note| note.rule != "CTR-20" || !note.observed.ends_with(&by));
        }
        facts.told.settle();
        let missed =
            (facts.file_bytes + facts.nested_bytes) - facts.scanned_bytes - facts.nested_scanned_bytes;
        if missed > 0 && !facts.refused && !self.knowledge.inventory_alone {
            let observed = format!("{missed} bytes were not seen by every scanner");
            facts.notes.insert(Note::new("INC-02", "", observed, "every byte scanned", OURS));
        }
        facts
    }

    pub(crate) fn note(&self, note: Note) {
        let mut state = self.state.borrow_mut();
        let State { facts, credentials, .. } = &mut *state;
        let same = facts.notes.iter().filter(|known| known.rule == note.rule).count();
        match same {
            0..NOTES_OF_RULE_MAX => {
                if note.rule == "CTR-21" && credentials.last() != Some(&note.path) {
                    credentials.push(note.path.clone());
                }
                facts.notes.insert(note);
            }
            NOTES_OF_RULE_MAX => {
                let observed = format!("more than {NOTES_OF_RULE_MAX} of these in this layer");
                facts.notes.insert(Note { path: String::new(), observed, line: None, ..note });
            }
            _ => {}
        }
    }

    /// Whether something was noted about this path.
    pub(crate) fn is_noted(&self, path: &str) -> bool {
        self.with(|facts| facts.notes.iter().any(|note| note.path == path))
    }

    /// Begins a file: what credentials were found until then are those of names, attributes and other files. `true` when
    /// there were any at this path, which its content does not explain.
    pub(crate) fn begin_content(&self, path: &str) -> bool {
        self.credentials().iter().any(|place| place == path)
    }

    /// Where credentials were found since this was last asked.
    pub(crate) fn credentials(&self) -> Vec<String> {
        std::mem::take(&mut self.state.borrow_mut().credentials)
    }

    /// Takes note of what the digests of a file tell; `digest` takes that of its bytes, where they are still there.
    pub(crate) fn hashed(&self, ended: Ended, digests: &Digests, digest: &dyn Fn() -> Option<Digest>) {
        let Ended { path, size, whole, program, mut noted } = ended;
        if whole && !self.knowledge.inventory_alone {
            match self.knowledge.signatures.known(digests, size) {
                Ok(Some(name)) => self.virus(&path, &name),
                Ok(None) => {}
                Err(error) => {
                    let observed = format!("the table of hash signatures cannot be read: {error}");
                    self.note(Note::new("INC-02", &path, observed, "a whole lookup", OURS));
                }
            }
            // Of what is too much to be told, nothing is kept.
            noted = noted || self.is_noted(&path);
        }
        if noted {
            let taken = digests.sha256.filter(|_| whole).map(|sha256| Digest::from_sha256(&sha256));
            let digest = taken.or_else(digest);
            self.with(|facts| facts.name(path.clone(), digest.map(|digest| digest.to_string())));
        }
        if whole && program {
            self.with(|facts| facts.told.program(path, Program::new(size, digests)));
        }
    }

    /// Puts off what the digests of a file tell, so that nobody waits for the thread that takes them.
    pub(crate) fn hashed_later(&self, ended: Ended, digest: Option<Digest>) {
        self.state.borrow_mut().ended.push_back((ended, digest));
        // Always the same one, whichever of the two threads is faster.
        if self.state.borrow().ended.len() > BEHIND_MAX {
            self.take_first_digests();
        }
    }

    /// Waits for all digests that are still being taken.
    fn take_digests(&self) {
        while self.take_first_digests() {}
    }

    fn take_first_digests(&self) -> bool {
        let first = self.state.borrow_mut().ended.pop_front();
        let Some((first, digest)) = first else { return false };
        self.hashed(first, &self.beside.next_digests(), &|| digest.clone());
        true
    }

    /// Takes note of a hard link to a file that came before it.
    pub(crate) fn hard_link(&self, path: &str, target: &str) {
        self.take_digests();
        self.with(|facts| {
            facts.told.hard_link(path, target);
            facts.hard_link_below(path, target);
        });
    }

    /// Tells of a link in the place of packages of another root, which are not read through it.
    pub(crate) fn link_below(&self, path: &str, target: &str) {
        if links::hides_below(path) && !self.is_known_below(path) {
            self.note(links::unread(path, target));
        }
    }

    /// Whether a record of another root is known at a path.
    fn is_known_below(&self, path: &str) -> bool {
        self.with(|facts| facts.below.iter().any(|below| below.path == path))
    }

    /// Counts bytes that come out of a file or of an archive inside it. `false` when an archive may give no more.
    pub(crate) fn count(&self, path: &str, depth: u32, bytes: usize) -> bool {
        let mut state = self.state.borrow_mut();
        if depth == 0 {
            state.packed += bytes as u64;
            return true;
        }
        if state.cut {
            return false;
        }
        state.unpacked += bytes as u64;
        let limits = &self.knowledge.policy.limits;
        let ratio = limits.expansion_ratio;
        let observed = if state.unpacked > limits.nested_total_bytes {
            format!("archives inside unpack to more than {} bytes", limits.nested_total_bytes)
        } else if state.unpacked > RATIO_FREE_BYTES && state.unpacked / ratio.max(1) > state.packed {
            format!("{} bytes unpacked from {}: more than {ratio} to 1", state.unpacked, state.packed)
        } else {
            state.facts.nested_bytes += bytes as u64;
            return true;
        };
        state.cut = true;
        drop(state);
        let path = path.split("!/").next().unwrap_or(path);
        self.note(Note::new("CTR-29", path, observed, "less expansion", "remove the archive from the image"));
        false
    }

    /// Whether the current file unpacked to more than it may.
    pub(crate) fn is_cut(&self) -> bool {
        self.state.borrow().cut
    }

    /// An empty window for a file inside so many archives, of a size that is known or not.
    pub(crate) fn buffer_for(&self, depth: u32, size: Option<u64>) -> Window {
        match size.and_then(|size| usize::try_from(size).ok()) {
            Some(size) if depth > 0 && size < SMALL_BYTES => {
                let spare = self.state.borrow_mut().small_spare.pop();
                spare.unwrap_or_else(|| Window::of(SMALL_BYTES))
            }
            _ => self.buffer(),
        }
    }

    /// An empty window of the full size.
    pub(crate) fn buffer(&self) -> Window {
        let spare = self.state.borrow_mut().spare.pop();
        spare.unwrap_or_else(|| Window::of(FULL_BYTES))
    }

    /// Frees the windows that wait for their next file.
    pub(crate) fn shed(&self) {
        let mut state = self.state.borrow_mut();
        state.spare.clear();
        state.small_spare.clear();
    }

    /// Takes a window back.
    pub(crate) fn give_back(&self, mut buffer: Window) {
        buffer.truncate(0);
        let mut state = self.state.borrow_mut();
        let (spare, most) = match buffer.size() {
            SMALL_BYTES => (&mut state.small_spare, SMALL_SPARE_MAX),
            FULL_BYTES.. => (&mut state.spare, SPARE_MAX),
            _ => return,
        };
        if spare.len() < most {
            spare.push(buffer);
        }
    }

    /// Shows a window of a file to every scanner: where in the file it begins, what kind of file it is, and
    /// its bytes, the first `carried` of which were shown before.
    /// `rules` says whether the malware rules see them now.
    pub(crate) fn window(
        &self,
        place: (&str, u32),
        of: Whence,
        (bytes, carried): (&[u8], usize),
        rules: Rules,
    ) {
        let seen = self.look(place.0, of, bytes, rules);
        self.saw(place, bytes.len() - carried, seen);
    }

    /// What every scanner sees in a window, of which [`Scan::saw`] takes note.
    pub(crate) fn look(&self, path: &str, of: Whence, bytes: &[u8], rules: Rules) -> Seen {
        self.knowledge.look(path, of, bytes, rules)
    }

    /// The same, while this thread does something else.
    pub(crate) fn window_while<T>(
        &self,
        place: (&str, u32),
        of: Whence,
        (bytes, carried): (&[u8], usize),
        rules: Rules,
        other: impl FnOnce() -> T,
    ) -> T {
        let knowledge = self.knowledge;
        let (done, seen) = knowledge.both(bytes.len(), || knowledge.look(place.0, of, bytes, rules), other);
        self.saw(place, bytes.len() - carried, seen);
        done
    }

    /// Whether a window of a file inside so many archives is looked at before the next is read, into the same memory.
    pub(crate) fn shows_first(&self, depth: u32) -> bool {
        depth > BESIDE_DEPTH_MAX || self.knowledge.crew.is_full()
    }

    /// Takes note of what the scanners saw in a window, of which so many bytes were new to them.
    pub(crate) fn saw(&self, (path, depth): (&str, u32), fresh: usize, seen: Seen) {
        let whole = self.seen(path, seen);
        let fresh = fresh as u64;
        self.with(|facts| match (whole, depth) {
            (false, _) => {}
            (true, 0) => facts.scanned_bytes += fresh,
            (true, _) => facts.nested_scanned_bytes += fresh,
        });
    }

    /// Shows a name, or what hangs on it, to every scanner.
    fn look_at(&self, path: &str, bytes: &[u8]) {
        let seen = self.knowledge.look(path, Whence::default(), bytes, Rules::Whole);
        self.seen(path, seen);
    }

    /// Takes note of what the scanners saw; `false` when one of them did not come to its end.
    fn seen(&self, path: &str, seen: Seen) -> bool {
        let Seen { viruses, matched, secrets, ended } = seen;
        viruses.iter().for_each(|name| self.virus(path, name));
        self.matched(path, matched);
        // Libraries carry the published keys of their self-tests, programs the examples of their help. Those that are
        // known say nothing there; others are told, and do not block.
        for Credential { secret, in_program, line } in secrets {
            if secret.kind == UNREAD {
                let observed = format!("the search for credentials ended early: {}", secret.redacted);
                self.note(Note::new("INC-02", path, observed, "a whole scan", OURS));
                continue;
            }
            let in_tar = {
                let State { tars, of_members, .. } = &mut *self.state.borrow_mut();
                let own = tars.iter().rposition(|(tar, _)| tar == path);
                if own.is_none() && !tars.is_empty() && of_members.len() < MEMBERS_KEPT_MAX {
                    of_members.insert(secret.id);
                }
                own
            };
            if in_program && secret.is_published {
                continue;
            }
            let id = secret.id;
            let observed = secret.told();
            let (rule, fix) = if in_program && OF_PROGRAMS.contains(&secret.kind) {
                (
                    "CTR-21-ELF",
                    "make sure that it is a published key of a self-test, or an example; if it is not, revoke it and rebuild the layer",
                )
            } else if secret.is_likely() && is_of_others(path) || is_example_of_others(path) {
                (
                    "CTR-21-MODULE",
                    "make sure that it is an example that nothing uses; if it is not, revoke it and build the image again without it",
                )
            } else {
                (
                    "CTR-21",
                    "revoke the credential, then rebuild the layer without it; deleting it in a later layer is not enough",
                )
            };
            let note = Note { line, ..Note::new(rule, path, observed, "no credentials in any layer", fix) };
            let waits = in_tar.is_some_and(|at| {
                let mut state = self.state.borrow_mut();
                let found = state.tars.get_mut(at).map(|(_, found)| found);
                let found = found.filter(|found| found.len() < MEMBERS_KEPT_MAX);
                found.map(|found| found.push((note.clone(), id))).is_some()
            });
            if !waits {
                self.note(note);
            }
        }
        if let Err(why) = &ended {
            self.ended_early(path, why);
        }
        ended.is_ok() && !self.knowledge.inventory_alone
    }

    fn matched(&self, path: &str, rules: Vec<(String, yara::Meaning)>) {
        for (observed, meaning) in rules {
            let fix = match meaning {
                yara::Meaning::Suspicious => "leave it out, or tell the certification team what it is for",
                _ => "remove the file and rebuild this layer",
            };
            self.note(Note::new(meaning.rule(), path, observed, "no malware", fix));
        }
    }

    /// Shows a file, or what came of it so far, to the rules; every other scanner saw it.
    pub(crate) fn late_rules(&self, path: &str, bytes: &[u8], whole: bool) {
        if self.knowledge.inventory_alone {
            return;
        }
        match matched(self.knowledge, path, bytes, whole) {
            Ok(rules) => self.matched(path, rules),
            Err(why) => self.ended_early(path, &why),
        }
    }

    pub(crate) fn ended_early(&self, path: &str, why: &str) {
        let observed = format!("the malware scan ended early: {why}");
        self.note(Note::new("INC-02", path, observed, "a whole scan", OURS));
    }

    pub(crate) fn virus(&self, path: &str, name: &str) {
        let observed = format!("virus signature {name}");
        let fix = "remove the file and rebuild this layer";
        self.note(Note::new("CTR-20", path, observed, "no known virus", fix));
    }

    /// A scanner of others that gave no clear answer.
    pub(crate) fn failed(&self, name: &str, path: &str, why: &str) {
        let observed = format!("{name} gave no clear answer: {why}");
        self.note(Note::new("INC-20", path, observed, "an answer about every file", OURS));
    }

    fn control_in_turn(&self) {
        let due = {
            let state = self.state.borrow();
            !state.controlled && state.facts.entries > state.control_at
        };
        if due {
            self.control_once_more();
        }
    }

    /// Shows each scanner what it must find and what it must not. A miss makes the whole layer inconclusive.
    fn control_once_more(&self) {
        if std::mem::replace(&mut self.state.borrow_mut().controlled, true) {
            return;
        }
        if self.knowledge.inventory_alone {
            let required = "scanners that look at every byte";
            return self.note(Note::new("INC-01", "", INVENTORY_ALONE.to_owned(), required, OURS));
        }
        for engine in broken_engines(self.knowledge) {
            let observed = format!("{engine}: the positive control was missed, or the near miss was hit");
            self.note(Note::new("INC-01", "", observed, "a scanner that proves it works", OURS));
        }
        let test = signatures::test_string();
        let mut near_miss = test.clone();
        near_miss.truncate(40);
        let packed = packed(&test).unwrap_or_default();
        for companion in &self.knowledge.companions {
            if let Some(why) = companion::broken(&**companion, &test, &packed, &near_miss) {
                self.failed(companion.name(), "", &why);
                self.state.borrow_mut().distrusted.push(companion.name().to_owned());
            }
        }
    }
}

/// What is observed where nothing was scanned.
const INVENTORY_ALONE: &str = "only the inventory was made, and no scanner looked";
/// Archives around a file whose windows are looked at in threads of their own. Each of them waits for those around it:
/// without a limit, every archive inside another would add threads.
const BESIDE_DEPTH_MAX: u32 = 1;

/// The test file inside an archive: a scanner that cannot unpack, for want of space or by its limits, misses it.
fn packed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes)?;
    out.finish()
}

/// The scanners that miss what they must find, or find what they must not.
pub(crate) fn broken_engines(knowledge: &Knowledge) -> Vec<&'static str> {
    let spoiled = |mut bytes: Vec<u8>| {
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        bytes
    };
    let signature = |bytes: &[u8]| {
        let mut hits = 0;
        let scanned = knowledge.signatures.scan(FileKind::Any, 0, bytes, |_| hits += 1);
        scanned.is_ok() && hits == 1
    };
    // As a whole file, as a window of text, which is shown in pieces, and as one of other bytes, of which the rules are only
    // asked when one of them may hit.
    let rule = |bytes: &[u8], whole: bool| {
        let mut hit = false;
        let part = yara::Part { whole, ..yara::Part::nameless(bytes) };
        let scanned = knowledge.yara.scan(part, |found| hit |= found.rule == yara::CANARY_RULE);
        scanned.is_ok() && hit
    };
    let canary = |bytes: &[u8]| [rule(bytes, true), rule(bytes, false), rule(&[bytes, &[0]].concat(), false)];
    let secret = |bytes: &[u8]| {
        let mut hits = 0;
        knowledge.secrets.scan(bytes, |_| hits += 1);
        hits == 1
    };
    let headless = mercat_secrets::control().split_off(8);
    let mut broken = Vec::new();
    let among = |bytes: &[u8]| knowledge.signatures.finds_control(bytes);
    let (test, spoilt) = (signatures::test_string(), spoiled(signatures::test_string()));
    if !signature(&test) || signature(&spoilt) || !among(&test) || among(&spoilt) {
        broken.push("signatures");
    }
    if canary(&yara::canary()) != [true; 3] || canary(&spoiled(yara::canary())) != [false; 3] {
        broken.push("malware rules");
    }
    if !secret(&mercat_secrets::control()) || secret(&headless) {
        broken.push("secrets");
    }
    broken
}
