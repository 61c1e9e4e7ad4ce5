//! What is installed, and what is known about it: the same for images and disks.

use crate::Knowledge;
use crate::facts::OURS;
use crate::policy::LEVELS;
use crate::sbom::purl;
use crate::versions::order_of;
use mercat_artifact::pkgdb::{OsRelease, Package, parse_apk, parse_dpkg, rpm};
use mercat_domain::finding::{Finding, Place, Severity};
use std::collections::BTreeSet;

fn finding(rule: &str, place: Place, observed: String, required: &str, fix: &str) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity: Severity::Error,
        place,
        observed,
        required: required.to_owned(),
        fix: fix.to_owned(),
    }
}

/// Whether a path is that of an rpm database or what belongs to one.
pub(crate) fn is_rpm(path: &str) -> bool {
    path.contains("/rpm/") || path.starts_with("rpm/")
}

/// The package manager whose database a path is.
pub(crate) fn format_of(path: &str) -> &'static str {
    match path {
        path if is_rpm(path) => "rpm",
        path if path.contains("apk/") => "apk",
        _ => "dpkg",
    }
}

/// What is kept of a database: its text, or for rpm one line a package. The error is a finding without
/// a place.
pub(crate) fn text_of(path: &str, bytes: &[u8]) -> Result<String, Finding> {
    if !is_rpm(path) {
        return Ok(String::from_utf8_lossy(bytes).into_owned());
    }
    let packages = rpm::parse(bytes).map_err(|refusal| match refusal {
        rpm::Refusal::Unreadable(why) => {
            finding("INC-08", Place::default(), why, "a database that can be read", OURS)
        }
        rpm::Refusal::Broken(why) => broken(why),
    })?;
    let line = |p: Package| {
        [p.name, p.version, p.architecture, p.source, p.source_version].join("\t").replace('\n', " ")
    };
    Ok(packages.into_iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn broken(why: String) -> Finding {
    let fix = "ship the package manager's own file";
    finding("PKG-05", Place::default(), why, "a readable package database", fix)
}

/// Reads what [`text_of`] kept.
pub(crate) fn read_text(path: &str, text: &str) -> Result<Vec<Package>, Finding> {
    let parsed = match format_of(path) {
        "apk" => parse_apk(text),
        "dpkg" => parse_dpkg(text),
        _ => text.lines().map(read_line).collect(),
    };
    parsed.map_err(broken)
}

fn read_line(line: &str) -> Result<Package, String> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [name, version, architecture, source, source_version] = parts[..] else {
        return Err(format!("the line {line:?} is no package"));
    };
    Ok(Package {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: architecture.to_owned(),
        source: source.to_owned(),
        source_version: source_version.to_owned(),
    })
}

/// The package manager of a distribution, where its name says so.
pub(crate) fn family(os: &OsRelease) -> Option<&'static str> {
    match os.id.as_str() {
        "debian" | "ubuntu" | "raspbian" => Some("dpkg"),
        "alpine" | "wolfi" | "chainguard" => Some("apk"),
        "rhel" | "centos" | "fedora" | "rocky" | "almalinux" | "ol" | "amzn" | "sles" | "sled"
        | "mariner" | "azurelinux" | "photon" | "mageia" | "openEuler" => Some("rpm"),
        id if id.starts_with("opensuse") || id.starts_with("sle-") => Some("rpm"),
        _ => None,
    }
}

/// Whether databases were found, and fit the distribution that the guest says it is.
pub(crate) fn check_formats(os: &OsRelease, formats: &BTreeSet<&str>, is_document: bool) -> Vec<Finding> {
    let mut out = Vec::new();
    let family = family(os);
    if let Some(found) = formats.iter().find(|format| family.is_some_and(|family| family != **format)) {
        let observed = format!("os-release says {}, the packages are {found}", os.id);
        let required = "the same distribution in both";
        out.push(finding("PKG-03", Place::default(), observed, required, "ship the true os-release"));
    }
    if formats.is_empty() && !is_document {
        let fix = "nothing to do when the image holds no distribution packages";
        let observed = "no package database".to_owned();
        out.push(finding("PKG-04", Place::default(), observed, "an inventory", fix));
    }
    out
}

/// What the advisories know about installed packages, or why they cannot say.
pub(crate) fn vulnerabilities(os: &OsRelease, packages: &[Package], knowledge: &Knowledge) -> Vec<Finding> {
    if packages.is_empty() {
        return Vec::new();
    }
    let ecosystem = ecosystem(os);
    if order_of(&ecosystem).is_none() {
        let observed = format!("the distribution {:?}", os.pretty_name);
        let required = "a distribution with an OSV ecosystem";
        return vec![finding("INC-07", Place::default(), observed, required, OURS)];
    }
    let advisories = &knowledge.advisories;
    if !advisories.covers(&ecosystem) {
        let fix = "the operator imports advisories for it: mercat advisories import DIRECTORY";
        let observed = format!("no advisories for {ecosystem}");
        let required = "an advisory snapshot that covers it";
        return vec![finding("INC-06", Place::default(), observed, required, fix)];
    }
    let policy = &knowledge.policy.vulnerabilities;
    let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
    let threshold = rank(&policy.block_at);
    let mut out = Vec::new();
    for package in packages {
        for found in advisories.matches(&ecosystem, package) {
            let unknown = found.advisory.level.is_empty();
            let level = if unknown { &policy.unknown_counts_as } else { &found.advisory.level };
            let blocks = rank(level) >= threshold && (found.fixed.is_some() || !policy.fixable_only);
            let names = std::iter::once(&found.advisory.id).chain(&found.advisory.aliases).cloned();
            let names = names.collect::<Vec<_>>().join(", ");
            let required =
                found.fixed.map_or("not fixed yet".to_owned(), |fixed| format!("{fixed} or newer"));
            let fix = match found.fixed {
                Some(_) => format!("upgrade {} and rebuild", package.name),
                None => "watch for a fix, or remove the package".to_owned(),
            };
            let place = Place { package: purl(os, package), ..Place::default() };
            let rule = if blocks { "CTR-22" } else { "CTR-22-BELOW" };
            let observed = format!("{names} ({level}) in {} {}", package.name, package.version);
            out.push(finding(rule, place, observed, &required, &fix));
        }
    }
    out
}

/// The OSV ecosystem of a distribution.
fn ecosystem(os: &OsRelease) -> String {
    let version = os.version_id.as_str();
    let major = version.split('.').next().unwrap_or(version);
    let major_minor = || version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    match os.id.as_str() {
        "debian" | "raspbian" => format!("Debian:{version}"),
        "ubuntu" if os.pretty_name.contains("LTS") => format!("Ubuntu:{version}:LTS"),
        "ubuntu" => format!("Ubuntu:{version}"),
        "alpine" => format!("Alpine:v{}", major_minor()),
        "wolfi" => "Wolfi".to_owned(),
        "chainguard" => "Chainguard".to_owned(),
        "almalinux" => format!("AlmaLinux:{major}"),
        "rocky" => format!("Rocky Linux:{major}"),
        "azurelinux" => format!("Azure Linux:{major}"),
        "mageia" => format!("Mageia:{major}"),
        "photon" => format!("Photon OS:{version}"),
        "opensuse-leap" => format!("openSUSE:Leap {version}"),
        "opensuse-tumbleweed" => "openSUSE:Tumbleweed".to_owned(),
        other => other.to_owned(),
    }
}
