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
    (&["sles", "sled", "sles_sap", "sle_hpc"], 2, &["sles-release"]),
];

/// Releases of Ubuntu with long support, how the versions of their `base-files` begin, and whether those of no other do.
const OF_UBUNTU: [(&str, &str, bool); 5] = [
    ("16.04", "9.4ubuntu", false),
    ("18.04", "10.1ubuntu", false),
    ("20.04", "11ubuntu", false),
    ("22.04", "12ubuntu", true),
    ("24.04", "13ubuntu10", true),
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
    let telling = TELLING.iter().filter_map(|(ids, parts, names)| {
        let package = packages.iter().find(|package| names.contains(&package.name.as_str()))?;
        Some((*ids, *parts, package))
    });
    let telling: Vec<_> = telling.collect();
    // Relatives have the packages of others beside their own.
    if let Some((ids, parts, package)) = telling.iter().find(|(ids, ..)| ids.contains(&os.id.as_str())) {
        let parts = os.version_id.split('.').count().min(*parts);
        let release =
            |version: &str| version.split(['.', '-', '+']).take(parts).collect::<Vec<_>>().join(".");
        let version = package.version.split_once(':').map_or(&*package.version, |(_, version)| version);
        if release(version) != release(&os.version_id) {
            return told(&format!("{} {}", ids[0], release(version)), package);
        }
    } else if let Some((ids, _, package)) = telling.first().filter(|_| is_known(&os.id)) {
        return told(ids[0], package);
    }
    let base = packages.iter().find(|package| package.name == "base-files");
    match (os.id.as_str(), base) {
        ("debian" | "raspbian", Some(base)) if base.version.contains("ubuntu") => told("ubuntu", base),
        ("debian" | "raspbian", Some(base)) if !os.version_id.is_empty() => {
            let major = base.version.split(['.', '+', '~']).next().unwrap_or_default();
            if major == os.version_id { None } else { told(&format!("debian {major}"), base) }
        }
        ("debian" | "raspbian", None) => newer(os, packages),
        ("ubuntu", Some(base)) if !base.version.contains("ubuntu") => told("debian", base),
        ("ubuntu", Some(base)) => {
            let is_of = |(_, start, _): &&(&str, &str, bool)| base.version.starts_with(start);
            let listed = OF_UBUNTU.iter().find(|(version, ..)| *version == os.version_id);
            match (listed, OF_UBUNTU.iter().find(is_of)) {
                (Some(own), _) if is_of(&own) => None,
                (Some(_), Some((version, ..))) | (None, Some((version, _, true))) => {
                    told(&format!("ubuntu {version}"), base)
                }
                (Some(_), None) => told("another release", base),
                (None, _) => None,
            }
        }
        _ => None,
    }
}

/// Whether a name is that of a distribution whose packages are judged by advisories of its own.
fn is_known(id: &str) -> bool {
    const OTHERS: [&str; 10] = [
        "debian",
        "raspbian",
        "ubuntu",
        "wolfi",
        "chainguard",
        "openEuler",
        "opensuse-leap",
        "opensuse-tumbleweed",
        "sle-micro",
        "sl-micro",
    ];
    OTHERS.contains(&id) || TELLING.iter().any(|(ids, ..)| ids.contains(&id))
}

/// A package that was mended for a later release of Debian: those of earlier ones stay in use.
fn newer(os: &OsRelease, packages: &[Package]) -> Option<String> {
    let release: u32 = os.version_id.parse().ok()?;
    let of = |version: &str| -> Option<u32> {
        let behind = version.rsplit_once("deb").filter(|(before, _)| before.ends_with(['+', '~']))?.1;
        let (number, rest) = behind.split_once('u')?;
        rest.starts_with(|c: char| c.is_ascii_digit()).then(|| number.parse().ok())?
    };
    // Backports are made for this one.
    let mut own = packages.iter().filter(|package| !package.version.contains("bpo"));
    let later = own.find_map(|package| Some((package, of(&package.version).filter(|of| *of > release)?)));
    let (package, number) = later?;
    Some(format!(
        "os-release says {} {release}, {} {} is of debian {number}",
        os.id, package.name, package.version
    ))
}

#[cfg(test)]
mod tests;
