//! YARA rules by `boreal`, compiled once and shared.
//!
//! Rules know four external variables: `filename`, `filepath` and `extension` of the file, and `whole`, which is false
//! where a rule sees a window of a file that is too large to be kept: `filesize` and offsets are then those of the window.
//! The tag `suspicious` says that a hit is for people to look at, the tag `shadow` that it is recorded only.

use crate::{KnowledgeError, digest_of};
use aho_corasick::packed::Searcher;
use boreal::scanner::ScanParams;
use boreal::{Compiler, MetadataValue, Scanner};
use mercat_domain::plain::plain;
use std::sync::OnceLock;
use std::time::Duration;

const BUILT_IN: &str = include_str!("../rules/malware.yar");
const SCAN_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a file that rules see as a whole; of larger ones they see windows.
pub(crate) const WHOLE_BYTES_MAX: u64 = 16 << 20;

/// So many bytes, and windows of files, are too much for the built-in rules that are not in [`NEEDED`]: those look at
/// whole files that are smaller.
const LARGE_BYTES: usize = 2 << 20;
/// The built-in rules that look at files of any size, and what must be in one for them to hit. Where none of it is, all
/// rules together need not look: that finds out several times as fast.
const NEEDED: [(&str, &str); 4] = [
    (CANARY_RULE, "-CANARY-"),
    ("crypto_miner", "ratum+"),
    ("ld_preload_rootkit", "ld.so.preload"),
    ("packed_program", "$Info: This file is packed with the UPX"),
];

/// Characters of what a rule says of itself that are told.
const ABOUT_CHARS_MAX: usize = 200;
/// Bytes of a text from which on it is shown to the built-in rules piece by piece, too: those that are about scripts look at
/// small files, and a script is as large as whoever wrote it likes.
const LONG_BYTES: usize = 1 << 20;
/// Bytes of a piece, and how many of them it has from the one before: more than a rule's words lie apart.
const PIECE_BYTES: usize = 768 << 10;
const PIECE_OVERLAP_BYTES: usize = 16 << 10;

/// What a rule's hit means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Malware.
    Malware,
    /// Something for people to look at.
    Suspicious,
    /// A rule that is tried out.
    Shadow,
}

impl Meaning {
    /// The rule of the policy pack under which it is told.
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Malware => "CTR-20",
            Self::Suspicious => "CTR-20-SUSPECT",
            Self::Shadow => "CTR-20-SHADOW",
        }
    }
}

/// A rule that matches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit<'r> {
    /// Its name.
    pub(crate) rule: &'r str,
    /// What its author says that it finds (`meta: description`); empty where that is not said.
    about: &'r str,
    /// What its hit means.
    pub(crate) meaning: Meaning,
}

impl Hit<'_> {
    /// What was found, in one line.
    pub(crate) fn observed(&self) -> String {
        let about: String = plain(self.about).chars().take(ABOUT_CHARS_MAX).collect();
        let found = match self.meaning {
            Meaning::Suspicious => format!("suspicious by the rule {}", self.rule),
            Meaning::Malware | Meaning::Shadow => format!("malware rule {}", self.rule),
        };
        match about.trim() {
            "" => found,
            about => format!("{found}: {about}"),
        }
    }
}

/// What of a file is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    /// Path of the file, with archives around it.
    pub(crate) path: &'a str,
    /// Its bytes, or a window of them.
    pub(crate) bytes: &'a [u8],
    /// Whether these are all.
    pub(crate) whole: bool,
}

impl<'a> Part<'a> {
    /// A whole file that has no name.
    pub(crate) fn nameless(bytes: &'a [u8]) -> Self {
        Self { path: "", bytes, whole: true }
    }
}

/// The rule that fires on the positive control only.
pub(crate) const CANARY_RULE: &str = "mercat_canary";

/// The positive control, assembled at run time.
pub(crate) fn canary() -> Vec<u8> {
    ["MERCAT-YARA", "-CANARY-", "7f3a9c1e"].concat().into_bytes()
}

pub(crate) struct Rules {
    /// The operator's rules as text.
    extra: String,
    scanner: OnceLock<Result<Scanner, String>>,
    /// The built-in rules alone, where there are others.
    built_in: OnceLock<Result<Scanner, String>>,
    /// Looks for what [`NEEDED`] tells, where there are no rules of the operator.
    needed: Option<Searcher>,
    digest: String,
}

impl Rules {
    /// The built-in rules and the operator's. The built-in ones alone, which a test compiles, are compiled when they
    /// are first used: an artifact of which everything is kept is judged in less time than that takes.
    pub(crate) fn load(extra: &str) -> Result<Self, KnowledgeError> {
        let digest = digest_of([BUILT_IN, extra].concat().as_bytes()).to_string();
        let needed = extra.is_empty().then(|| NEEDED.map(|(_, needed)| needed));
        // With vector instructions; where the machine has none for it, the rules look themselves.
        let needed = needed.and_then(Searcher::new);
        let (scanner, built_in) = (OnceLock::new(), OnceLock::new());
        let rules = Self { extra: extra.to_owned(), scanner, built_in, needed, digest };
        if !extra.is_empty() {
            rules.scanner()?;
        }
        Ok(rules)
    }

    /// The compiled rules.
    pub(crate) fn scanner(&self) -> Result<&Scanner, KnowledgeError> {
        let compiled = self.scanner.get_or_init(|| compile(&self.extra)).as_ref();
        compiled.map_err(|why| KnowledgeError::Yara(why.clone()))
    }

    /// A scanner that finds nothing, to prove that this is noticed.
    #[cfg(test)]
    pub(crate) fn without_any() -> Self {
        let scanner = OnceLock::from(Ok(Compiler::new().finalize()));
        Self { extra: String::new(), scanner, built_in: OnceLock::new(), needed: None, digest: String::new() }
    }

    /// Breaks the look at large files, to prove that this is noticed.
    #[cfg(test)]
    pub(crate) fn let_nothing_through(&mut self) {
        self.needed = Searcher::new(["this text is in no file"]);
    }

    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether a rule may hit a file of at least [`LARGE_BYTES`] for what these bytes of it are.
    pub(crate) fn may_hit(&self, bytes: &[u8]) -> bool {
        self.needed.as_ref().is_none_or(|needed| needed.find(bytes).is_some())
    }

    /// The rules that match. A time-out or failure is an error, never silence.
    pub(crate) fn scan(&self, part: Part<'_>, mut hit: impl FnMut(Hit<'_>)) -> Result<(), String> {
        let is_long = !part.whole || part.bytes.len() >= LONG_BYTES;
        if is_long && memchr::memchr(0, part.bytes).is_none() {
            self.scan_pieces(part, &mut hit)?;
        }
        let large = !part.whole || part.bytes.len() >= LARGE_BYTES;
        if large && !self.may_hit(part.bytes) {
            return Ok(());
        }
        scan(self.scanner().map_err(|error| error.to_string())?, part, hit)
    }

    /// Shows a long text, or a window of one, to the built-in rules in pieces of which each is a file to them.
    fn scan_pieces(&self, part: Part<'_>, hit: &mut dyn FnMut(Hit<'_>)) -> Result<(), String> {
        let scanner = if self.extra.is_empty() { &self.scanner } else { &self.built_in };
        let scanner = scanner.get_or_init(|| compile("")).as_ref().map_err(String::clone)?;
        for start in (0..part.bytes.len()).step_by(PIECE_BYTES - PIECE_OVERLAP_BYTES) {
            let bytes = &part.bytes[start..part.bytes.len().min(start + PIECE_BYTES)];
            scan(scanner, Part { bytes, whole: true, ..part }, &mut *hit)?;
        }
        Ok(())
    }
}

fn compile(extra: &str) -> Result<Scanner, String> {
    let mut compiler = Compiler::new();
    for name in ["filename", "filepath", "extension"] {
        compiler.define_symbol(name, "");
    }
    compiler.define_symbol("whole", true);
    compiler.add_rules_str(BUILT_IN).map_err(|error| error.to_string())?;
    if !extra.is_empty() {
        // The compiler calls what it was given as text "mem".
        let named = |error: String| error.replacen("mem:", "rules.yar:", 1);
        let added = compiler.add_rules_str_in_namespace(extra, "operator");
        added.map_err(|error| named(error.to_string()))?;
    }
    let mut scanner = compiler.finalize();
    scanner.set_scan_params(ScanParams::default().timeout_duration(Some(SCAN_TIMEOUT)));
    // A rule that hits harmless bytes says nothing about those of publishers.
    for harmless in [&b"\n"[..], b"hello, world\n", &canary()[..15]] {
        let mut hit = None;
        scan(&scanner, Part::nameless(harmless), |found| hit = Some(found.rule.to_owned()))?;
        if let Some(rule) = hit {
            return Err(format!("rule {rule} hits harmless bytes"));
        }
    }
    Ok(scanner)
}

fn scan(scanner: &Scanner, part: Part<'_>, mut hit: impl FnMut(Hit<'_>)) -> Result<(), String> {
    let mut scanner = scanner.clone();
    let name = part.path.rsplit('/').next().unwrap_or(part.path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    // A scanner without rules knows none of them.
    for (symbol, value) in [("filename", name), ("filepath", part.path), ("extension", extension)] {
        let _ = scanner.define_symbol(symbol, value);
    }
    let _ = scanner.define_symbol("whole", part.whole);
    let result = scanner.scan_mem(part.bytes).map_err(|(error, _)| error.to_string())?;
    for rule in result.rules.iter().filter(|rule| rule.matched) {
        let is = |word: &str| rule.tags.iter().any(|tag| scanner.get_string_symbol(*tag) == word);
        let meaning = match (is("shadow"), is("suspicious")) {
            (true, _) => Meaning::Shadow,
            (false, true) => Meaning::Suspicious,
            (false, false) => Meaning::Malware,
        };
        let about = rule.metadatas.iter().find_map(|meta| match meta.value {
            MetadataValue::Bytes(text) if scanner.get_string_symbol(meta.name) == "description" => {
                std::str::from_utf8(scanner.get_bytes_symbol(text)).ok()
            }
            _ => None,
        });
        hit(Hit { rule: rule.name, about: about.unwrap_or_default(), meaning });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
