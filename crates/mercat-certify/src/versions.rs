//! Which of two versions is newer, as the distributions decide it.

use std::cmp::Ordering;

/// How an ecosystem orders versions; `None` for ecosystems that are not known.
pub(crate) fn order_of(ecosystem: &str) -> Option<fn(&str, &str) -> Ordering> {
    match ecosystem.split(':').next().unwrap_or("") {
        "Debian" | "Ubuntu" => Some(debian),
        "Alpine" | "Chainguard" | "Wolfi" => Some(alpine),
        _ => None,
    }
}

fn debian(a: &str, b: &str) -> Ordering {
    match (a.parse::<debversion::Version>(), b.parse::<debversion::Version>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

/// apk-tools' order: numeric parts, a letter, suffixes `_alpha` to `_p`, and `-r` release.
fn alpine(a: &str, b: &str) -> Ordering {
    let (a, b) = (Apk::read(a), Apk::read(b));
    a.numbers
        .cmp(&b.numbers)
        .then(a.letter.cmp(&b.letter))
        .then_with(|| suffixes(&a, &b))
        .then(a.release.cmp(&b.release))
}

fn suffixes(a: &Apk, b: &Apk) -> Ordering {
    for at in 0..a.suffixes.len().max(b.suffixes.len()) {
        // A missing suffix stands between the pre-release and the post-release ones.
        let of = |apk: &Apk| apk.suffixes.get(at).copied().unwrap_or((0, 0));
        let order = of(a).cmp(&of(b));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

struct Apk {
    numbers: Vec<u64>,
    letter: u8,
    suffixes: Vec<(i32, u64)>,
    release: u64,
}

impl Apk {
    fn read(text: &str) -> Self {
        let (body, release) = text.rsplit_once("-r").unwrap_or((text, "0"));
        let mut parts = body.split('_');
        let numeric = parts.next().unwrap_or("");
        let letter = numeric.bytes().last().filter(u8::is_ascii_lowercase).unwrap_or(0);
        let numbers = numeric.trim_end_matches(|c: char| c.is_ascii_lowercase()).split('.');
        let weight = |name: &str| match name {
            "alpha" => -4,
            "beta" => -3,
            "pre" => -2,
            "rc" => -1,
            "cvs" => 1,
            "svn" => 2,
            "git" => 3,
            "hg" => 4,
            _ => 5,
        };
        let suffix = |part: &str| {
            let name = part.trim_end_matches(|c: char| c.is_ascii_digit());
            (weight(name), part[name.len()..].parse().unwrap_or(0))
        };
        Self {
            numbers: numbers.map(|part| part.parse().unwrap_or(0)).collect(),
            letter,
            suffixes: parts.map(suffix).collect(),
            release: release.parse().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_as_dpkg_and_apk_order_them() {
        let rising = |order: fn(&str, &str) -> Ordering, list: &[&str]| {
            for pair in list.windows(2) {
                assert_eq!(order(pair[0], pair[1]), Ordering::Less, "{pair:?}");
                assert_eq!(order(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
            }
        };
        rising(debian, &["1.0~rc1-1", "1.0-1", "1.0-1+deb12u1", "1.0-2", "1.0.1-1", "1:0.1-1"]);
        rising(
            alpine,
            &["1.2_alpha1", "1.2_rc1", "1.2-r0", "1.2-r1", "1.2_git5", "1.2_p1", "1.2a", "1.2.1", "1.10"],
        );
    }
}
