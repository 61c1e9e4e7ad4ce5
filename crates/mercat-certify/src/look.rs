//! What the scanners see in some bytes.

use crate::facts::Note;
use crate::scan::{OURS, Rules, Whence};
use crate::shown::WINDOW_BYTES;
use crate::{Knowledge, yara};
use mercat_secrets::lines::Lines;
use mercat_secrets::{Secret, WRITING_BYTES_MAX, Writing};
use mercat_signatures::FileKind;
use std::collections::BTreeSet;

/// A full window may not be all of a file, and only all of it is looked at as writing.
const _: () = assert!(WRITING_BYTES_MAX < WINDOW_BYTES);
/// Fewer bytes are looked at sooner than a thread starts.
const BESIDE_BYTES: usize = 128 << 10;

/// A credential in some bytes.
pub(crate) struct Credential {
    pub(crate) secret: Secret,
    /// Whether it is part of a program.
    pub(crate) in_program: bool,
    /// The line of the file, where it is known.
    pub(crate) line: Option<u32>,
}

/// What the scanners saw in some bytes.
pub(crate) struct Seen {
    /// Names of signatures.
    pub(crate) viruses: Vec<String>,
    /// Rules that match.
    pub(crate) matched: Vec<(String, yara::Meaning)>,
    pub(crate) secrets: Vec<Credential>,
    /// Whether all of them came to their end, and if not, why.
    pub(crate) ended: Result<(), String>,
}

impl Knowledge {
    /// What the scanners for viruses and malware say of bytes that are no file: of what an image says of itself.
    pub(crate) fn malware(&self, path: &str, bytes: &[u8]) -> BTreeSet<Note> {
        let mut found = BTreeSet::new();
        if self.inventory_alone {
            return found;
        }
        let note = |rule: &str, seen: String| {
            Note::new(rule, path, seen, "no malware", "build the image again without it")
        };
        let searched = self.signatures.scan(FileKind::Any, 0, bytes, |name| {
            found.insert(note("CTR-20", format!("virus signature {name}")));
        });
        let matched = searched.and_then(|()| matched(self, path, bytes, true)).map(|rules| {
            let told = |(observed, meaning): (String, yara::Meaning)| note(meaning.rule(), observed);
            found.extend(rules.into_iter().map(told));
        });
        if let Err(why) = matched {
            let observed = format!("the malware scan ended early: {why}");
            found.insert(Note::new("INC-02", path, observed, "a whole scan", OURS));
        }
        found
    }

    /// Runs every scanner over some bytes.
    pub(crate) fn look(&self, path: &str, of: Whence, bytes: &[u8], rules: Rules) -> Seen {
        let mut seen = Seen { viruses: Vec::new(), matched: Vec::new(), secrets: Vec::new(), ended: Ok(()) };
        if bytes.is_empty() || self.inventory_alone {
            return seen;
        }
        let credentials = || {
            let mut found = Vec::new();
            let mut lines = of.line.map(|line| Lines::of(bytes, line));
            // A class of Java is a program, whatever follows in it.
            let is_class = of.start == 0 && mercat_inventory::is_class(bytes);
            // A key behind a program, or behind what only begins like one, is no part of it.
            let inside = usize::try_from(of.program_end.saturating_sub(of.start)).unwrap_or(usize::MAX);
            let behind = bytes.get(inside..).unwrap_or_default();
            let all_of_it = of.start == 0 && bytes.len() <= WRITING_BYTES_MAX && inside == 0;
            let writing = if all_of_it { Writing::of(path, bytes) } else { Writing::Other };
            self.secrets.scan_file(bytes, writing, |secret| {
                let line = lines.as_mut().zip(secret.at).and_then(|(lines, at)| lines.line_at(at));
                found.push(Credential { secret, in_program: inside > 0 || is_class, line });
            });
            if inside > 0 && !behind.is_empty() {
                let mut hit = |secret| found.push(Credential { secret, in_program: false, line: None });
                self.secrets.scan(behind, &mut hit);
            }
            found
        };
        // About as much work as the credentials.
        let signatures_and_rules = || {
            let viruses = &mut seen.viruses;
            let searched =
                self.signatures.scan(of.kind, of.start, bytes, |name| viruses.push(name.to_owned()));
            let matched = match rules {
                Rules::Later => Ok(Vec::new()),
                Rules::Whole | Rules::Window => matched(self, path, bytes, rules == Rules::Whole),
            };
            let matched = matched.map(|matched| seen.matched = matched);
            seen.ended = searched.and(matched);
        };
        ((), seen.secrets) = self.both(bytes.len(), credentials, signatures_and_rules);
        seen
    }

    /// Does one piece of work on some bytes in a thread of its own while this one does another, when they are many and
    /// not every core has a thread.
    pub(crate) fn both<A: Send, B>(
        &self,
        bytes: usize,
        other: impl FnOnce() -> A + Send,
        own: impl FnOnce() -> B,
    ) -> (B, A) {
        if bytes < BESIDE_BYTES || self.inventory_alone || self.crew.is_full() {
            let other = other();
            return (own(), other);
        }
        std::thread::scope(|threads| {
            let other = threads.spawn(other);
            let own = own();
            // A scanner that panics takes the inspection with it: that is inconclusive.
            (own, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }
}

/// What the rules that match found, with their meaning.
pub(crate) fn matched(
    knowledge: &Knowledge,
    path: &str,
    bytes: &[u8],
    whole: bool,
) -> Result<Vec<(String, yara::Meaning)>, String> {
    let mut out = Vec::new();
    let part = yara::Part { path, bytes, whole };
    knowledge.yara.scan(part, |hit| out.push((hit.observed(), hit.meaning)))?;
    Ok(out)
}
