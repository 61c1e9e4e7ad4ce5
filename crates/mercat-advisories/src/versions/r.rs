//! The order of R's `package_version` (R, `?numeric_version`): numbers between dots or hyphens, of which those that
//! are missing are zero, as its operators have it (`compareVersion` does not).

use super::alpine::by_value;
use std::cmp::Ordering;

#[derive(Debug)]
pub(super) struct Version<'a>(Vec<&'a str>);

impl<'a> Version<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.trim().split(['.', '-']).collect();
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        parts.iter().all(is_number).then_some(Self(parts))
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let part = |version: &Self, at: usize| version.0.get(at).copied().unwrap_or("0");
        let mut pairs =
            (0..self.0.len().max(other.0.len())).map(|at| by_value(part(self, at), part(other, at)));
        pairs.find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version<'_> {}
