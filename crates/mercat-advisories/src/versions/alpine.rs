//! The order of apk-tools: numbers, one letter, suffixes, a commit, a package revision.

use std::cmp::Ordering;

/// Suffixes before a release, oldest first; the release itself stands behind the last.
const BEFORE: [&str; 4] = ["alpha", "beta", "pre", "rc"];
/// Suffixes behind a release, oldest first.
const BEHIND: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Before(usize),
    End,
    Revision(&'a str),
    Commit(&'a str),
    SuffixNumber(&'a str),
    Behind(usize),
    Letter(u8),
    Number(&'a str),
}

impl Part<'_> {
    /// Where a part stands against other kinds of parts at the same place.
    fn rank(self) -> u8 {
        match self {
            Part::Before(_) => 0,
            Part::End => 1,
            Part::Revision(_) => 2,
            Part::Commit(_) => 3,
            Part::SuffixNumber(_) => 4,
            Part::Behind(_) => 5,
            Part::Letter(_) => 6,
            Part::Number(_) => 7,
        }
    }
}

/// A version in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version<'a> {
    parts: Vec<Part<'a>>,
}

/// Takes the longest run of digits; `None` when there is none.
fn digits<'a>(text: &mut &'a str) -> Option<&'a str> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    (!run.is_empty()).then_some(run)
}

impl<'a> Version<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut rest = text;
        let mut parts = vec![Part::Number(digits(&mut rest)?)];
        while let Some(behind) = rest.strip_prefix('.') {
            rest = behind;
            parts.push(Part::Number(digits(&mut rest)?));
        }
        if let Some(letter) = rest.bytes().next().filter(u8::is_ascii_lowercase) {
            parts.push(Part::Letter(letter));
            rest = &rest[1..];
        }
        while let Some(behind) = rest.strip_prefix('_') {
            let end = behind.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(behind.len());
            let (name, behind) = behind.split_at(end);
            rest = behind;
            let at = |list: &[&str]| list.iter().position(|known| *known == name);
            parts.push(at(&BEFORE).map(Part::Before).or_else(|| at(&BEHIND).map(Part::Behind))?);
            parts.extend(digits(&mut rest).map(Part::SuffixNumber));
        }
        if let Some(behind) = rest.strip_prefix('~') {
            let end = behind.find(|c: char| !matches!(c, '0'..='9' | 'a'..='f')).unwrap_or(behind.len());
            let (commit, behind) = behind.split_at(end);
            rest = behind;
            parts.push(Some(Part::Commit(commit)).filter(|_| !commit.is_empty())?);
        }
        if let Some(behind) = rest.strip_prefix("-r") {
            rest = behind;
            parts.push(Part::Revision(digits(&mut rest)?));
        }
        rest.is_empty().then_some(Self { parts })
    }
}

/// Digits of any length, by value.
pub(super) fn by_value(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let at = |version: &Self, index: usize| version.parts.get(index).copied().unwrap_or(Part::End);
        for index in 0..self.parts.len().max(other.parts.len()) {
            let order = match (at(self, index), at(other, index)) {
                // Behind the first number, a zero in front makes it a fraction: 1.06 is older than 1.6.
                (Part::Number(a), Part::Number(b))
                    if index > 0 && (a.starts_with('0') || b.starts_with('0')) =>
                {
                    a.cmp(b)
                }
                (Part::Number(a), Part::Number(b))
                | (Part::SuffixNumber(a), Part::SuffixNumber(b))
                | (Part::Revision(a), Part::Revision(b)) => by_value(a, b),
                (Part::Commit(a), Part::Commit(b)) => a.cmp(b),
                (Part::Letter(a), Part::Letter(b)) => a.cmp(&b),
                (Part::Before(a), Part::Before(b)) | (Part::Behind(a), Part::Behind(b)) => a.cmp(&b),
                (a, b) => a.rank().cmp(&b.rank()),
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
