//! The order of `NuGetVersion`: up to four numbers, then labels of a pre-release without case.

use super::alpine::by_value;
use std::cmp::Ordering;

/// A version; what follows `+` has no part in the order.
#[derive(Debug)]
pub(super) struct Version<'a> {
    numbers: [&'a str; 4],
    labels: Vec<&'a str>,
}

impl<'a> Version<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let text = text.split_once('+').map_or(text, |(front, _)| front);
        let (front, labels) = text.split_once('-').map_or((text, None), |(f, l)| (f, Some(l)));
        let mut numbers = ["0"; 4];
        for (at, part) in front.split('.').enumerate() {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            *numbers.get_mut(at).filter(|_| digits)? = part;
        }
        let labels: Vec<&str> = labels.map(|labels| labels.split('.').collect()).unwrap_or_default();
        let word =
            |label: &&str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        labels.iter().all(word).then_some(Self { numbers, labels })
    }
}

fn by_label(a: &str, b: &str) -> Ordering {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match (number(a), number(b)) {
        (true, true) => by_value(a, b),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => {
            a.bytes().map(|b| b.to_ascii_uppercase()).cmp(b.bytes().map(|b| b.to_ascii_uppercase()))
        }
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.numbers.iter().zip(&other.numbers);
        let numbers = pairs.map(|(a, b)| by_value(a, b)).find(|order| *order != Ordering::Equal);
        if let Some(order) = numbers {
            return order;
        }
        match (self.labels.is_empty(), other.labels.is_empty()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) => {}
        }
        let pairs = self.labels.iter().zip(&other.labels);
        let labels = pairs.map(|(a, b)| by_label(a, b)).find(|order| *order != Ordering::Equal);
        labels.unwrap_or_else(|| self.labels.len().cmp(&other.labels.len()))
    }
}

super::equal_as_ordered!(Version<'_>);
