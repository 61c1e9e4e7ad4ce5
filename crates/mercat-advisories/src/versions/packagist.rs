//! Composer's order: versions in their normal form under PHP's `version_compare`.

use super::alpine::by_value;
use std::cmp::Ordering;

/// Names of stabilities and how far from the release they stand.
const STABILITIES: [(&str, i8); 11] = [
    ("stable", 0),
    ("alpha", -3),
    ("beta", -2),
    ("patch", 1),
    ("rc", -1),
    ("pl", 1),
    ("a", -3),
    ("b", -2),
    ("p", 1),
    ("", 0),
    ("dev", -4),
];

/// The normal form: numbers, stability with its numbers, and whether it is a development version of that.
#[derive(Debug)]
pub(super) struct Version {
    numbers: Vec<String>,
    stability: i8,
    stage: Vec<String>,
    dev: bool,
}

impl Version {
    /// Reads tagged versions. Branches (`dev-main`, `1.x-dev`) have no place in the order.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let text = text.split_once('+').map_or(text.as_str(), |(front, _)| front);
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let front = text[..end].trim_end_matches('.');
        let mut rest = &text[front.len()..];
        let mut numbers: Vec<String> = front.split('.').map(str::to_owned).collect();
        let fits = numbers.iter().all(|part| !part.is_empty()) && numbers[0].len() <= 5 && numbers.len() <= 4;
        if !fits {
            return None;
        }
        numbers.resize(4, "0".to_owned());
        rest = rest.strip_prefix(['.', '_', '-']).unwrap_or(rest);
        let (mut stability, mut stage, mut dev) = (0, Vec::new(), false);
        if rest == "dev" {
            dev = true;
        } else {
            let known = STABILITIES.iter().find(|(name, _)| *name != "dev" && rest.starts_with(name));
            let (name, value) = known?;
            stability = *value;
            rest = &rest[name.len()..];
            if !name.is_empty() {
                rest = read_stage(rest, &mut stage);
            }
            if !rest.is_empty() {
                dev = matches!(rest, "dev" | "-dev" | ".dev");
                if !dev {
                    return None;
                }
            }
            if *name == "stable" {
                (stage, dev) = (Vec::new(), false);
            }
        }
        Some(Self { numbers, stability, stage, dev })
    }
}

/// The numbers behind a stability, each with `.` or `-` in front or none.
fn read_stage<'a>(mut rest: &'a str, out: &mut Vec<String>) -> &'a str {
    loop {
        let behind = rest.strip_prefix(['.', '-']).unwrap_or(rest);
        let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
        if end == 0 {
            return rest;
        }
        out.push(behind[..end].to_owned());
        rest = &behind[end..];
    }
}

/// The parts that PHP compares one by one.
enum Part<'a> {
    Number(&'a str),
    Form(i8),
}

impl Version {
    fn parts(&self) -> Vec<Part<'_>> {
        let mut out: Vec<Part<'_>> = self.numbers.iter().map(|n| Part::Number(n)).collect();
        if self.stability != 0 {
            out.push(Part::Form(self.stability));
            out.extend(self.stage.iter().map(|n| Part::Number(n)));
        }
        if self.dev {
            out.push(Part::Form(-4));
        }
        out
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.parts(), other.parts());
        for at in 0..a.len().max(b.len()) {
            let order = match (a.get(at), b.get(at)) {
                (Some(Part::Number(a)), Some(Part::Number(b))) => by_value(a, b),
                (Some(Part::Form(a)), Some(Part::Form(b))) => a.cmp(b),
                (Some(Part::Form(form)), Some(Part::Number(_)) | None) => form.cmp(&0),
                (Some(Part::Number(_)) | None, Some(Part::Form(form))) => 0.cmp(form),
                (Some(Part::Number(_)), None) => Ordering::Greater,
                (None, Some(Part::Number(_))) => Ordering::Less,
                (None, None) => Ordering::Equal,
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }
}

super::equal_as_ordered!(Version);
