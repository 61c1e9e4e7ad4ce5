//! Which of two versions is newer, as the distributions decide it.

use std::cmp::Ordering;

/// How an ecosystem orders versions; `None` for ecosystems that are not known.
pub fn order_of(ecosystem: &str) -> Option<fn(&str, &str) -> Ordering> {
    match ecosystem.split(':').next().unwrap_or("") {
        "Debian" | "Ubuntu" => Some(debian),
        "Alpine" | "Chainguard" | "Wolfi" => Some(alpine),
        name if is_rpm(name) => Some(rpm),
        _ => None,
    }
}

/// Whether an ecosystem's advisories are about rpm packages, by the name of the source or the package.
pub fn is_rpm(ecosystem: &str) -> bool {
    const NAMES: [&str; 7] =
        ["AlmaLinux", "Azure Linux", "Mageia", "Photon OS", "Rocky Linux", "openSUSE", "SUSE"];
    NAMES.contains(&ecosystem.split(':').next().unwrap_or(""))
}

/// rpm's order: epoch, version, release, each by [`rpm_part`].
pub fn rpm(a: &str, b: &str) -> Ordering {
    let split = |text: &str| -> (u64, String, String) {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
        (epoch.parse().unwrap_or(0), version.to_owned(), release.to_owned())
    };
    let ((epoch_a, version_a, release_a), (epoch_b, version_b, release_b)) = (split(a), split(b));
    let order = epoch_a.cmp(&epoch_b).then_with(|| rpm_part(&version_a, &version_b));
    // A bound without a release is about every release of that version.
    order.then_with(|| match release_a.is_empty() || release_b.is_empty() {
        true => Ordering::Equal,
        false => rpm_part(&release_a, &release_b),
    })
}

/// `rpmvercmp`: runs of digits and letters in turn; `~` sorts before everything, `^` behind the end.
pub fn rpm_part(a: &str, b: &str) -> Ordering {
    let separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    let (mut a, mut b) = (a, b);
    loop {
        (a, b) = (a.trim_start_matches(separator), b.trim_start_matches(separator));
        for (mark, without) in [('~', Ordering::Greater), ('^', Ordering::Less)] {
            match (a.strip_prefix(mark), b.strip_prefix(mark)) {
                (Some(rest_a), Some(rest_b)) => return rpm_part(rest_a, rest_b),
                (Some(_), None) if mark == '^' && b.is_empty() => return Ordering::Greater,
                (None, Some(_)) if mark == '^' && a.is_empty() => return Ordering::Less,
                (Some(_), None) if mark == '^' => return Ordering::Less,
                (None, Some(_)) if mark == '^' => return Ordering::Greater,
                (Some(_), None) => return without.reverse(),
                (None, Some(_)) => return without,
                (None, None) => {}
            }
        }
        let Some(first) = a.chars().next() else {
            return if b.is_empty() { Ordering::Equal } else { Ordering::Less };
        };
        if b.is_empty() {
            return Ordering::Greater;
        }
        let digits = first.is_ascii_digit();
        let end = |text: &str| {
            let other = |c: char| {
                if digits { !c.is_ascii_digit() } else { !c.is_ascii_alphabetic() }
            };
            text.find(other).unwrap_or(text.len())
        };
        let ((run_a, rest_a), (run_b, rest_b)) = (a.split_at(end(a)), b.split_at(end(b)));
        if run_b.is_empty() {
            // Digits are newer than letters.
            return if digits { Ordering::Greater } else { Ordering::Less };
        }
        let (zero_a, zero_b) = (run_a.trim_start_matches('0'), run_b.trim_start_matches('0'));
        let order = if digits {
            zero_a.len().cmp(&zero_b.len()).then_with(|| zero_a.cmp(zero_b))
        } else {
            run_a.cmp(run_b)
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
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
            rpm,
            &[
                "1.0~rc1-1",
                "1.0-1.el9",
                "1.0^git1-1",
                "1.0.1-1",
                "1.10-1",
                "1.10-2",
                "1.10a-1",
                "2-1",
                "1:0.1-1",
            ],
        );
        assert_eq!(rpm("1.0-1", "1.0"), Ordering::Equal);
        assert_eq!(rpm("1.00-1", "1.0-01"), Ordering::Equal);
        assert_eq!(rpm("1.a-1", "1.1-1"), Ordering::Less);
        rising(
            alpine,
            &["1.2_alpha1", "1.2_rc1", "1.2-r0", "1.2-r1", "1.2_git5", "1.2_p1", "1.2a", "1.2.1", "1.10"],
        );
    }
}
