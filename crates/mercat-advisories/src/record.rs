//! What an advisory says about one package, and whether a version is among those that it is about.

use crate::versions::{CannotCompare, Scheme};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Fixes that are tried, nearest first, when the first one is itself affected by another range.
const FIXES_MAX: usize = 32;

/// Versions from one (inclusive) to another.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// The first affected version; `0` or empty means the first of all.
    pub from: String,
    /// The first version that is not affected any more; empty when there is none.
    pub fixed: String,
    /// The last affected version; empty when it is not told.
    pub last: String,
    /// The first version that the interval says nothing about (`limit`); empty when there is no limit.
    pub limit: String,
}

/// One advisory about one package of one ecosystem (OSV schema 1.7, `affected[]`).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Advisory {
    /// Ecosystem, for example `Debian:12` or `PyPI`.
    pub ecosystem: String,
    /// Package (source package for Debian and Alpine).
    pub package: String,
    /// OSV id.
    pub id: String,
    /// When the record was changed last, RFC 3339.
    pub modified: String,
    /// Other names of the same vulnerability.
    pub aliases: Vec<String>,
    /// The vulnerabilities that it passes on, for example of a distribution.
    pub upstream: Vec<String>,
    /// Vulnerabilities that are near, and not the same.
    pub related: Vec<String>,
    /// Level by name, or empty when the record has none.
    pub level: String,
    /// CVSS vectors as written.
    pub vectors: Vec<String>,
    /// Affected versions by range.
    pub ranges: Vec<Interval>,
    /// Affected versions, listed.
    pub versions: Vec<String>,
    /// Ranges of commits, which no version can be compared with.
    pub git_ranges: u32,
    /// Streams of modules that it is about, for example `nodejs:20`; empty when it is about none, or does not say which.
    pub modules: Vec<String>,
}

/// How a version stands to an advisory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is not among the affected.
    Clear,
    /// It is affected.
    Affected {
        /// The nearest later version that is not, when one is told.
        fixed: Option<String>,
    },
    /// It cannot be told.
    Undecided(CannotCompare),
}

impl Advisory {
    /// Whether it is about a package of a stream (`nodejs:20`, or empty for none), as far as both say. Streams of one module
    /// have one name and versions of their own.
    pub fn is_of(&self, module: &str) -> bool {
        module.is_empty() || self.modules.is_empty() || self.modules.iter().any(|stream| stream == module)
    }

    /// How a version stands to this advisory.
    pub fn judge(&self, scheme: Scheme, version: &str) -> Standing {
        match self.holds(scheme, version) {
            Ok(false) => Standing::Clear,
            Ok(true) => Standing::Affected { fixed: self.fix(scheme, version) },
            Err(why) => Standing::Undecided(why),
        }
    }

    /// Whether a version is affected. One range that holds decides, whatever is unclear about others.
    fn holds(&self, scheme: Scheme, version: &str) -> Result<bool, CannotCompare> {
        if self.versions.iter().any(|listed| listed == version) {
            return Ok(true);
        }
        if self.ranges.is_empty() {
            // The list is all there is: another spelling of a listed version counts too.
            let same = |listed: &String| scheme.compare(listed, version) == Ok(Ordering::Equal);
            scheme.check(version)?;
            return Ok(self.versions.iter().any(same));
        }
        let mut unclear = None;
        for range in &self.ranges {
            match range.holds(scheme, version) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(why) => unclear = Some(why),
            }
        }
        unclear.map_or(Ok(false), Err)
    }

    fn fix(&self, scheme: Scheme, version: &str) -> Option<String> {
        let later = |range: &&Interval| {
            !range.fixed.is_empty() && scheme.compare(&range.fixed, version) == Ok(Ordering::Greater)
        };
        let mut candidates: Vec<&str> = Vec::new();
        for range in self.ranges.iter().filter(later) {
            let newer = |known: &&str| scheme.compare(known, &range.fixed) == Ok(Ordering::Greater);
            let at = candidates.iter().position(newer).unwrap_or(candidates.len());
            candidates.insert(at, &range.fixed);
            candidates.truncate(FIXES_MAX);
        }
        candidates.into_iter().find(|fix| self.holds(scheme, fix) == Ok(false)).map(str::to_owned)
    }
}

impl Interval {
    fn holds(&self, scheme: Scheme, version: &str) -> Result<bool, CannotCompare> {
        // Streams of modules have versions of their own beside the one of the release, and both have one name.
        if scheme == Scheme::Rpm
            && !self.fixed.is_empty()
            && is_of_module(&self.fixed) != is_of_module(version)
        {
            return Ok(false);
        }
        let order = |bound: &str| scheme.compare(version, bound);
        let begun = self.from == "0" || self.from.is_empty() || order(&self.from)? != Ordering::Less;
        if !begun {
            return Ok(false);
        }
        if self.fixed.is_empty() && self.last.is_empty() && self.limit.is_empty() {
            return Ok(true);
        }
        let over = (!self.fixed.is_empty() && order(&self.fixed)? != Ordering::Less)
            || (!self.last.is_empty() && order(&self.last)? == Ordering::Greater)
            || (!self.limit.is_empty() && self.limit != "*" && order(&self.limit)? != Ordering::Less);
        Ok(!over)
    }
}

/// Whether a version of an rpm package is one of a module's stream, whose makers write so into its release.
pub(crate) fn is_of_module(version: &str) -> bool {
    version.contains(".module")
}

/// The name under which a package is kept: ecosystems that ignore case or punctuation have one spelling.
pub fn canonical_name(ecosystem: &str, name: &str) -> String {
    match ecosystem.split(':').next().unwrap_or("") {
        // PEP 503.
        "PyPI" => {
            let mut out = String::with_capacity(name.len());
            for c in name.chars() {
                match c {
                    '-' | '_' | '.' if out.ends_with('-') => {}
                    '-' | '_' | '.' => out.push('-'),
                    other => out.extend(other.to_lowercase()),
                }
            }
            out
        }
        "NuGet" | "Packagist" => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

/// Group and name of a package of an ecosystem in which both make the name (Maven).
pub(crate) fn grouped<'p>(ecosystem: &str, package: &'p str) -> Option<(&'p str, &'p str)> {
    if ecosystem == "Maven" { package.split_once(':') } else { None }
}

/// The first two words of a group or Java package: whose it is (`org.apache` of `org.apache.tomcat.embed`).
pub fn root_of(group: &str) -> &str {
    let end = group.match_indices('.').nth(1).map_or(group.len(), |(at, _)| at);
    &group[..end]
}

/// The name under which an ecosystem is kept: one for all repositories of a release, as what is installed does not tell
/// from which it came. Red Hat names streams (`enterprise_linux:9::baseos`), SUSE modules and phases of support
/// (`Linux Enterprise Module for Basesystem 15 SP5`, `Linux Enterprise Server 15 SP5-LTSS`).
pub fn canonical_ecosystem(ecosystem: &str) -> String {
    let release = match ecosystem.split_once(':') {
        Some(("Red Hat", product)) => product.strip_prefix("enterprise_linux:").map(|version| {
            let major = version.split([':', '.']).next().unwrap_or(version);
            format!("Red Hat:enterprise_linux:{major}")
        }),
        Some(("SUSE", product)) => product
            .strip_prefix("Linux Enterprise ")
            .filter(|rest| !rest.starts_with("Micro "))
            .and_then(suse_release)
            .map(|release| format!("SUSE:Linux Enterprise {release}")),
        _ => None,
    };
    release.unwrap_or_else(|| ecosystem.to_owned())
}

/// The release at the end of a SUSE product's name, without its phase of support: `15 SP5` of `Server 15 SP5-LTSS`.
fn suse_release(product: &str) -> Option<String> {
    let is_number = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let mut words = product.rsplit(' ');
    let last = words.next()?.split('-').next().unwrap_or_default();
    if is_number(last) {
        return Some(last.to_owned());
    }
    let pack = last.strip_prefix("SP").filter(|pack| is_number(pack))?;
    let version = words.next().filter(|version| is_number(version))?;
    Some(format!("{version} SP{pack}"))
}

/// The OSV ecosystem of a package URL's type; `None` when OSV has none.
pub fn ecosystem_of_purl_type(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "pypi" => "PyPI",
        "npm" => "npm",
        "maven" => "Maven",
        "golang" => "Go",
        "cargo" => "crates.io",
        "gem" => "RubyGems",
        "nuget" => "NuGet",
        "composer" => "Packagist",
        "cran" => "CRAN",
        "bioconductor" => "Bioconductor",
        "hex" => "Hex",
        "pub" => "Pub",
        "swift" => "SwiftURL",
        _ => return None,
    })
}
