//! What packages tell about the release that they are of: `os-release` alone would choose the advisories.

use super::{OsRelease, Package};

/// The names of distributions whose release a package of theirs tells, each with the packages: their version begins with
/// that of the release, of which so many parts count.
const TELLING: [(&[&str], usize, &[&str]); 13] = [
    (&["alpine"], 2, &["alpine-release"]),
    (&["rocky"], 1, &["rocky-release"]),
    (&["almalinux"], 1, &["almalinux-release"]),
    (&["rhel"], 1, &["redhat-release", "redhat-release-server"]),
    (&["centos"], 1, &["centos-release", "centos-stream-release", "centos-linux-release"]),
    (&["fedora"], 1, &["fedora-release-common"]),
    (&["ol"], 1, &["oraclelinux-release"]),
    (&["amzn"], 1, &["system-release"]),
    (&["azurelinux"], 1, &["azurelinux-release"]),
    (&["mariner"], 1, &["mariner-release"]),
    (&["photon"], 1, &["photon-release"]),
    (&["mageia"], 1, &["mageia-release-common"]),
    (&["sles", "sled", "sles_sap", "sle_hpc"], 1, &["sles-release"]),
];

/// Releases of Ubuntu with long support, and how the versions of their `base-files` begin.
const OF_UBUNTU: [(&str, &str); 5] = [
    ("16.04", "9.4ubuntu"),
    ("18.04", "10.1ubuntu"),
    ("20.04", "11ubuntu"),
    ("22.04", "12ubuntu"),
    ("24.04", "13ubuntu10"),
];

/// What packages contradict of what `os-release` says; nothing where they do not.
pub fn contradiction(os: &OsRelease, packages: &[Package]) -> Option<String> {
    let told = |what: &str, package: &Package| {
        let said = format!("{} {}", os.id, os.version_id);
        Some(format!(
            "os-release says {}, {} {} is of {what}",
            said.trim_end(),
            package.name,
            package.version
        ))
    };
    for (ids, parts, names) in TELLING {
        let Some(package) = packages.iter().find(|package| names.contains(&package.name.as_str())) else {
            continue;
        };
        let release =
            |version: &str| version.split(['.', '-', '+']).take(parts).collect::<Vec<_>>().join(".");
        // Who has such a package and another name is a relative, whose advisories are its own.
        if !ids.contains(&os.id.as_str()) {
            return is_known(&os.id).then(|| told(ids[0], package)).flatten();
        }
        if release(&package.version) != release(&os.version_id) {
            return told(&format!("{} {}", ids[0], release(&package.version)), package);
        }
    }
    let base = packages.iter().find(|package| package.name == "base-files");
    match (os.id.as_str(), base) {
        ("debian" | "raspbian", Some(base)) if base.version.contains("ubuntu") => told("ubuntu", base),
        ("debian" | "raspbian", Some(base)) if !os.version_id.is_empty() => {
            let major = base.version.split(['.', '+', '~']).next().unwrap_or_default();
            if major == os.version_id { newer(os, packages) } else { told(&format!("debian {major}"), base) }
        }
        ("debian" | "raspbian", None) => newer(os, packages),
        ("ubuntu", Some(base)) => {
            let known = OF_UBUNTU.iter().find(|(version, _)| *version == os.version_id);
            let is_other = known.is_some_and(|(_, start)| !base.version.starts_with(start));
            let of = OF_UBUNTU.iter().find(|(_, start)| base.version.starts_with(start));
            match of {
                _ if !base.version.contains("ubuntu") => told("debian", base),
                Some((version, _)) if is_other => told(&format!("ubuntu {version}"), base),
                None if is_other => told("another release", base),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a name is that of a distribution whose packages are judged by advisories of its own.
fn is_known(id: &str) -> bool {
    matches!(id, "debian" | "raspbian" | "ubuntu" | "wolfi" | "chainguard")
        || TELLING.iter().any(|(ids, ..)| ids.contains(&id))
}

/// A package that was mended for a later release of Debian: those of earlier ones stay in use.
fn newer(os: &OsRelease, packages: &[Package]) -> Option<String> {
    let release: u32 = os.version_id.parse().ok()?;
    let of = |version: &str| -> Option<u32> {
        let behind = version.rsplit_once("deb").filter(|(before, _)| before.ends_with(['+', '~']))?.1;
        let (number, rest) = behind.split_once('u')?;
        rest.starts_with(|c: char| c.is_ascii_digit()).then(|| number.parse().ok())?
    };
    let later =
        packages.iter().find_map(|package| Some((package, of(&package.version).filter(|of| *of > release)?)));
    let (package, number) = later?;
    Some(format!(
        "os-release says {} {release}, {} {} is of debian {number}",
        os.id, package.name, package.version
    ))
}

#[cfg(test)]
mod tests;
