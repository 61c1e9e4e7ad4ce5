//! The order of deb-version(7): epoch, upstream version, revision.

use super::alpine::by_value;
use std::cmp::Ordering;

/// A version in its three parts; a revision that is missing counts as `0`.
#[derive(Debug)]
pub(super) struct Version<'a> {
    epoch: u32,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Version<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let text = text.trim_ascii();
        let (epoch, rest) = match text.split_once(':') {
            None => (0, text),
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch.parse().ok()?, rest),
            Some(_) => return None,
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        let allowed = |part: &str, more: &[u8]| {
            part.bytes().all(|b| b.is_ascii_alphanumeric() || b".+~".contains(&b) || more.contains(&b))
        };
        let right = upstream.starts_with(|c: char| c.is_ascii_digit())
            && !revision.is_empty()
            && allowed(upstream, b"-:")
            && allowed(revision, b"");
        right.then_some(Self { epoch, upstream, revision })
    }
}

/// Runs without digits and runs of digits in turn.
fn by_part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let cut = |text: &str, digits: bool| {
            text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len())
        };
        let ((word_a, rest_a), (word_b, rest_b)) = (a.split_at(cut(a, false)), b.split_at(cut(b, false)));
        let ((number_a, end_a), (number_b, end_b)) =
            (rest_a.split_at(cut(rest_a, true)), rest_b.split_at(cut(rest_b, true)));
        let order = by_word(word_a, word_b).then_with(|| by_value(number_a, number_b));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (end_a, end_b);
    }
    Ordering::Equal
}

/// `~` before the end, the end before letters, letters before everything else.
fn by_word(a: &str, b: &str) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    };
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let orders = (0..a.len().max(b.len())).map(|at| weight(a.get(at)).cmp(&weight(b.get(at))));
    orders.into_iter().find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.epoch.cmp(&other.epoch).then_with(|| by_part(self.upstream, other.upstream));
        order.then_with(|| by_part(self.revision, other.revision))
    }
}

super::equal_as_ordered!(Version<'_>);
