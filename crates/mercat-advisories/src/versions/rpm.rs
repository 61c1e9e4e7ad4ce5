//! rpm's order: epoch, version and release, each by `rpmvercmp`.

use super::alpine::by_value;
use std::cmp::Ordering;

/// Epoch, version and release; a release that is missing is empty.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Evr<'a> {
    epoch: u64,
    version: &'a str,
    release: &'a str,
}

impl<'a> Evr<'a> {
    /// Reads what rpm-version(7) allows.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (epoch, rest) = match text.split_once(':') {
            None => (0, text),
            Some(("", rest)) => (0, rest),
            Some((epoch, rest)) => {
                (epoch.parse().ok().filter(|_| epoch.bytes().all(|b| b.is_ascii_digit()))?, rest)
            }
        };
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
        let allowed = |part: &str| {
            part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'~' | b'^'))
        };
        let has_word = version.bytes().any(|b| b.is_ascii_alphanumeric());
        (has_word && allowed(version) && allowed(release)).then_some(Self { epoch, version, release })
    }
}

/// rpm's order: epoch, version, release, each by [`rpm_part`]. What is no version is compared by its text.
pub fn rpm(a: &str, b: &str) -> Ordering {
    let (Some(a), Some(b)) = (Evr::read(a), Evr::read(b)) else { return rpm_part(a, b) };
    let order = a.epoch.cmp(&b.epoch).then_with(|| rpm_part(a.version, b.version));
    // A bound without a release is about every release of that version.
    order.then_with(|| match a.release.is_empty() || b.release.is_empty() {
        true => Ordering::Equal,
        false => rpm_part(a.release, b.release),
    })
}

/// `rpmvercmp`: runs of digits and letters in turn; `~` sorts before everything, `^` behind the end.
pub fn rpm_part(a: &str, b: &str) -> Ordering {
    let separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    let (mut a, mut b) = (a, b);
    loop {
        (a, b) = (a.trim_start_matches(separator), b.trim_start_matches(separator));
        match (a.strip_prefix('~'), b.strip_prefix('~')) {
            (Some(rest_a), Some(rest_b)) => {
                (a, b) = (rest_a, rest_b);
                continue;
            }
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        match (a.strip_prefix('^'), b.strip_prefix('^')) {
            (Some(rest_a), Some(rest_b)) => {
                (a, b) = (rest_a, rest_b);
                continue;
            }
            (Some(_), None) => return if b.is_empty() { Ordering::Greater } else { Ordering::Less },
            (None, Some(_)) => return if a.is_empty() { Ordering::Less } else { Ordering::Greater },
            (None, None) => {}
        }
        let (Some(first), false) = (a.chars().next(), b.is_empty()) else {
            return b.is_empty().cmp(&a.is_empty());
        };
        let digits = first.is_ascii_digit();
        let (run_a, rest_a) = run(a, digits);
        let (run_b, rest_b) = run(b, digits);
        if run_b.is_empty() {
            // Digits are newer than letters.
            return if digits { Ordering::Greater } else { Ordering::Less };
        }
        let order = if digits { by_value(run_a, run_b) } else { run_a.cmp(run_b) };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

fn run(text: &str, digits: bool) -> (&str, &str) {
    let other = |c: char| if digits { !c.is_ascii_digit() } else { !c.is_ascii_alphabetic() };
    text.split_at(text.find(other).unwrap_or(text.len()))
}
