//! Credentials in bytes: keywords first, then what that kind looks like around them, then how it proves
//! itself (checksum, structure, entropy).
//!
//! Start at [`Rules::scan`]. [`filter`] looks at every byte; [`kind`] and [`context`] read what it finds;
//! [`kinds`] are the tables. In settings and programs ([`Writing`]) names tell more. Text in UTF-16 and files
//! wrapped in base64 are read as what they hold.

mod context;
mod filter;
mod kind;
mod kinds;
pub mod lines;
mod published;
mod shape;
mod variable;
mod wide;
mod writing;

use filter::{Filter, Keyword};
use kind::{Form, Kind};
use mercat_domain::Digest;
use sha2::Digest as _;
use std::ops::Range;
use std::sync::LazyLock;

pub use variable::{fixed_secret, variables_of_step};
pub use writing::{WRITING_BYTES_MAX, Writing};

/// How far a credential may reach from its keyword, in bytes, either way.
pub const REACH: usize = 4096;

/// Bytes that may be looked at again, for each byte of a window. Of systems and text no window needed more than
/// 0.04;
/// what needs more was made to keep scanners busy.
const WORK_PER_BYTE_MAX: usize = 4;
/// Bytes that may be looked at again in any window, however small.
const WORK_FREE: usize = 256 << 10;
/// Bytes that all first looks go over before the next ones: they stay in the processor's cache. A multiple
/// of the step of [`wide`].
const PART_BYTES: usize = 128 << 10;
/// Bytes of wrapped content that are searched for about the work of one that is looked at again.
const INNER_PER_LOOK: usize = 8;
/// Wrapped content inside wrapped content, most.
const WRAPS_MAX: u32 = 2;
/// Raised when a reader changes: what the tables do not show.
const REVISION: u32 = 12;

/// What a window is reported as in which the keywords are too many to be tried.
pub const UNREAD: &str = "more keywords than can be tried";

/// What private keys are reported as.
const PRIVATE_KEY: &str = "private key";

/// Kinds that nothing but their surroundings tell: in what others wrote, they are examples more often than not.
const LIKELY: [&str; 10] = [
    "password in a command",
    "password in a connection string",
    "password of a login",
    "application secret",
    "API key or token",
    "password",
    "password in a password file",
    "password in a list",
    "token or application secret",
    "shared access signature",
];

/// The kinds of credentials, ready to be looked for.
pub struct Rules {
    // Made when they are first needed.
    /// For all bytes.
    every: LazyLock<Search>,
    /// What is looked for besides in settings and in programs.
    settings: LazyLock<Search>,
    programs: LazyLock<Search>,
    digest: String,
}

struct Search {
    filter: Filter,
    /// The kind of each keyword.
    kinds: Vec<&'static Kind>,
}

/// A credential, described without giving it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What it is, for example `GitHub token`.
    pub kind: &'static str,
    /// Its first characters, at most four and at most a fifth, and its length.
    pub redacted: String,
    /// The name that it is assigned to; empty where it has none.
    pub name: String,
    /// The byte at which it begins, or what names it in the same line or the one above, or by which was seen that it is
    /// encoded; nothing where the whole was decoded.
    pub at: Option<usize>,
    /// Whether it is a published key of a program's self-test: no secret there, and none where it is used.
    pub is_published: bool,
    /// The first bytes of the SHA-256 of its kind and value, by which it is known where it is found again.
    pub id: u128,
}

impl Secret {
    /// What it is, the name that it has, and what of it may be shown.
    pub fn told(&self) -> String {
        match self.name.as_str() {
            "" => format!("{}: {}", self.kind, self.redacted),
            name => format!("{} in {name}: {}", self.kind, self.redacted),
        }
    }

    /// Whether it may as well be an example, where somebody else wrote the file.
    pub fn is_likely(&self) -> bool {
        LIKELY.contains(&self.kind)
    }
}

impl Rules {
    /// All kinds.
    pub fn load() -> Self {
        let mut text = format!("{REVISION} {}\n", env!("CARGO_PKG_VERSION"));
        for kind in kinds::everywhere() {
            let form = match kind.form {
                Form::Parts(parts, first) => format!("{parts:?} {first}"),
                Form::Written(keywords, _) => format!("{keywords:?}"),
            };
            text += &format!("{}\t{form}\t{:?}\n", kind.name, kind.check);
        }
        let digest = Digest::from_sha256(&sha2::Sha256::digest(text.as_bytes())).to_string();
        Self {
            every: LazyLock::new(|| Search::build(kinds::all())),
            settings: LazyLock::new(|| Search::build(kinds::of(Writing::Settings).iter())),
            programs: LazyLock::new(|| Search::build(kinds::of(Writing::Program).iter())),
            digest,
        }
    }

    /// Changes whenever something else may be found.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Names of the kinds, each once.
    pub fn kinds(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = kinds::everywhere().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Reports each credential in a window once.
    pub fn scan(&self, window: &[u8], mut hit: impl FnMut(Secret)) {
        self.look(window, Writing::Other, &mut hit);
    }

    /// The same of all bytes of a file, in which names may tell what their values are.
    pub fn scan_file(&self, bytes: &[u8], writing: Writing, mut hit: impl FnMut(Secret)) {
        self.look(bytes, writing, &mut hit);
    }

    /// Gives how many bytes were looked at again, for the table that needed more of it.
    fn look(&self, window: &[u8], writing: Writing, hit: &mut dyn FnMut(Secret)) -> usize {
        let whole = window.len().saturating_mul(WORK_PER_BYTE_MAX).saturating_add(WORK_FREE);
        // What names tell takes nothing from what is looked for in any bytes.
        let mut left = [whole; 2];
        let mut texts = Vec::new();
        self.narrow(window, writing, WRAPS_MAX, &mut left, hit, Some(&mut texts));
        for text in texts {
            let mut hit = |secret| hit(Secret { at: None, ..secret });
            self.narrow(&text, writing, WRAPS_MAX, &mut left, &mut hit, None);
        }
        whole - left[0].min(left[1])
    }

    fn narrow(
        &self,
        window: &[u8],
        writing: Writing,
        wraps: u32,
        left: &mut [usize; 2],
        hit: &mut dyn FnMut(Secret),
        mut wide: Option<&mut Vec<Vec<u8>>>,
    ) {
        let searches = self.searches_of(writing);
        // Where the last credential of each keyword ended: nothing is read twice.
        let mut past: Vec<Vec<usize>> = searches.iter().map(|search| vec![0; search.kinds.len()]).collect();
        let mut found: Vec<Found> = Vec::new();
        let mut written_to = 0;
        for from in (0..window.len()).step_by(PART_BYTES) {
            let part = from..window.len().min(from + PART_BYTES);
            if let Some(texts) = wide.as_mut() {
                wide::find(window, part.clone(), &mut written_to, texts);
            }
            for (table, (search, past)) in searches.iter().zip(&mut past).enumerate() {
                search.filter.find(window, part.clone(), |keyword, at| {
                    if at < past[keyword] || left[table] == 0 {
                        return;
                    }
                    let kind = search.kinds[keyword];
                    let seen = kind.read(window, at);
                    left[table] = left[table].saturating_sub(seen.looked + 1);
                    if left[table] == 0 {
                        let redacted = format!("at byte {at} of {}", window.len());
                        let (kind, name) = (UNREAD, String::new());
                        hit(Secret { kind, redacted, name, at: None, is_published: false, id: 0 });
                        return;
                    }
                    if let Some(inner) = seen.inner.filter(|_| wraps > 0) {
                        // One that is spent is told with the next keyword.
                        left[table] = left[table].saturating_sub(inner.len() / INNER_PER_LOOK).max(1);
                        past[keyword] = at + seen.looked;
                        let mut hit = |secret| hit(Secret { at: Some(at), ..secret });
                        self.narrow(&inner, Writing::Other, wraps - 1, left, &mut hit, None);
                    }
                    if let Some(secret) = seen.secret {
                        past[keyword] = secret.end;
                        let name = kind.name_at(window, at, secret.start);
                        let at = begins(window, at, secret.start);
                        found.push(Found { secret, listed: (table, keyword), kind, name, at });
                    }
                });
            }
        }
        // Of those that overlap, the one that begins first and is listed first is told, but what only its surroundings tell
        // stands back.
        found.sort_unstable_by_key(|found| (found.secret.start, found.listed));
        let is_likely = |found: &Found| LIKELY.contains(&found.kind.name);
        let sure: Vec<Range<usize>> =
            found.iter().filter(|found| !is_likely(found)).map(|found| found.secret.clone()).collect();
        let mut ends = 0;
        // Where all up to this one end, so that the search can be by halves.
        let ends: Vec<usize> = sure
            .iter()
            .map(|secret| {
                ends = ends.max(secret.end);
                ends
            })
            .collect();
        found.retain(|found| {
            let behind = sure.partition_point(|secret| secret.start < found.secret.end);
            !is_likely(found) || behind.checked_sub(1).is_none_or(|last| ends[last] <= found.secret.start)
        });
        let mut told = 0;
        for Found { secret, kind, name, at, .. } in found {
            if secret.start >= told {
                told = secret.end;
                let value = &window[secret];
                let is_published = kind.name == PRIVATE_KEY && published::is_of_self_test(value);
                let redacted = redact(value);
                let id = id_of(kind.name, value);
                hit(Secret { kind: kind.name, redacted, name, at: Some(at), is_published, id });
            }
        }
    }

    fn searches_of(&self, writing: Writing) -> Vec<&Search> {
        match writing {
            Writing::Other => vec![&self.every],
            Writing::Settings => vec![&self.every, &self.settings],
            Writing::Program => vec![&self.every, &self.programs],
        }
    }
}

/// A credential in a window.
struct Found {
    secret: Range<usize>,
    /// Which of the tables its keyword is in, and where there.
    listed: (usize, usize),
    kind: &'static Kind,
    name: String,
    /// Where that begins which tells it.
    at: usize,
}

/// Where a credential begins that was told by a keyword: with what is in front of it in the same line, or with the line above,
/// where that is the head of a key.
fn begins(window: &[u8], keyword: usize, start: usize) -> usize {
    const NAME_BYTES_MAX: usize = 256;
    let Some(between) = window.get(keyword..start) else { return start };
    if between.len() > NAME_BYTES_MAX {
        return start;
    }
    let is_with = match memchr::memchr(b'\n', between) {
        None => true,
        Some(end) => end + 1 == between.len() && between[..end].trim_ascii_end().ends_with(b"-----"),
    };
    if is_with { keyword } else { start }
}

impl Search {
    fn build(table: impl Iterator<Item = &'static Kind>) -> Self {
        let mut keywords: Vec<Keyword> = Vec::new();
        let mut kinds = Vec::new();
        for kind in table {
            for keyword in kind.keywords() {
                keywords.push(keyword);
                kinds.push(kind);
            }
        }
        Self { filter: Filter::new(keywords), kinds }
    }
}

fn id_of(kind: &str, value: &[u8]) -> u128 {
    let digest = sha2::Sha256::new().chain_update(kind).chain_update([0]).chain_update(value).finalize();
    digest.iter().take(16).fold(0, |id, byte| id << 8 | u128::from(*byte))
}

/// The first characters and the length: enough to find it, too little to use it. At most four, and at most
/// a fifth.
fn redact(secret: &[u8]) -> String {
    let shown = (secret.len() / 5).min(4);
    let graphic = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
    let head: String = secret.iter().take(shown).map(graphic).collect();
    format!("{head}… ({} characters)", secret.len())
}

/// The positive control: a key that is assembled here and belongs to nobody.
pub fn control() -> Vec<u8> {
    let body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUx";
    ["-----BEGIN OPENSSH PRIV", "ATE KEY-----\n", body, "\n"].concat().into_bytes()
}

#[cfg(test)]
mod tests;
