//! The order of `Gem::Version`.

use super::alpine::by_value;
use std::cmp::Ordering;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment<'a> {
    Number(&'a str),
    Word(&'a str),
}

/// The segments, without zeros at the end of the numbers in front and at the end.
#[derive(Debug)]
pub(super) struct Version<'a>(Vec<Segment<'a>>);

impl<'a> Version<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let text = text.trim();
        if !is_version(text) {
            return None;
        }
        let mut all = Vec::new();
        for (at, piece) in text.split('-').enumerate() {
            if at > 0 {
                all.push(Segment::Word("pre"));
            }
            let mut rest = piece;
            while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
                rest = &rest[start..];
                let number = rest.starts_with(|c: char| c.is_ascii_digit());
                let other = |c: char| if number { !c.is_ascii_digit() } else { !c.is_ascii_alphabetic() };
                let (run, behind) = rest.split_at(rest.find(other).unwrap_or(rest.len()));
                all.push(if number { Segment::Number(run) } else { Segment::Word(run) });
                rest = behind;
            }
        }
        let words = all.iter().position(|segment| matches!(segment, Segment::Word(_))).unwrap_or(all.len());
        let tail = all.split_off(words);
        Some(Self([without_zeros(all), without_zeros(tail)].concat()))
    }
}

/// `[0-9]+(\.[0-9a-zA-Z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?`
fn is_version(text: &str) -> bool {
    let (front, pre) = text.split_once('-').map_or((text, None), |(front, pre)| (front, Some(pre)));
    let word = |part: &str, dash: bool| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || (dash && b == b'-'))
    };
    let mut parts = front.split('.');
    let first = parts.next().unwrap_or("");
    !first.is_empty()
        && first.bytes().all(|b| b.is_ascii_digit())
        && parts.all(|part| word(part, false))
        && pre.is_none_or(|pre| pre.split('.').all(|part| word(part, true)))
}

fn without_zeros(mut segments: Vec<Segment<'_>>) -> Vec<Segment<'_>> {
    let is_zero =
        |segment: &Segment<'_>| matches!(segment, Segment::Number(n) if n.bytes().all(|b| b == b'0'));
    while segments.last().is_some_and(is_zero) {
        segments.pop();
    }
    segments
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let at = |version: &Self, index: usize| version.0.get(index).copied().unwrap_or(Segment::Number("0"));
        for index in 0..self.0.len().max(other.0.len()) {
            let order = match (at(self, index), at(other, index)) {
                (Segment::Number(a), Segment::Number(b)) => by_value(a, b),
                (Segment::Word(a), Segment::Word(b)) => a.cmp(b),
                (Segment::Word(_), Segment::Number(_)) => Ordering::Less,
                (Segment::Number(_), Segment::Word(_)) => Ordering::Greater,
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }
}

super::equal_as_ordered!(Version<'_>);
