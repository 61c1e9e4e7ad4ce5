//! Which of two versions is newer, as each ecosystem decides it.
//!
//! A version that an ecosystem's own rules cannot read has no place in its order. It is then
//! [`CannotCompare`], never "older" and never "newer": an answer by text order would call vulnerable
//! packages sound.

/// Two versions are equal when neither is newer, however they are written.
macro_rules! equal_as_ordered {
    ($version:ty) => {
        impl PartialOrd for $version {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $version {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for $version {}
    };
}
use equal_as_ordered;

mod alpine;
mod debian;
mod maven;
mod nuget;
mod packagist;
mod r;
mod rpm;
mod rubygems;

pub use rpm::{rpm, rpm_part};

use std::cmp::Ordering;
use std::str::FromStr;

/// Bytes that a version may have. Longer ones are not compared.
pub const VERSION_BYTES_MAX: usize = 512;

/// Why two versions have no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotCompare {
    /// It is not a version by the rules of its ecosystem.
    #[error("{version:?} is no version by the rules of {scheme}")]
    Malformed {
        /// The rules.
        scheme: &'static str,
        /// The version, shortened.
        version: String,
    },
    /// It is longer than [`VERSION_BYTES_MAX`].
    #[error("a version of {bytes} bytes is not compared; the limit is {VERSION_BYTES_MAX} bytes")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
}

/// How versions are written and ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// deb-version(7).
    Debian,
    /// apk-tools 3.
    Alpine,
    /// rpm-version(7).
    Rpm,
    /// PEP 440.
    Pep440,
    /// Semantic Versioning 2.0.0, for npm and crates.io.
    SemVer,
    /// Go modules: a `v` in front, and missing parts are zero.
    Go,
    /// `ComparableVersion` of Maven 3.
    Maven,
    /// `Gem::Version`.
    RubyGems,
    /// `NuGetVersion`: up to four numbers, labels without case.
    NuGet,
    /// Composer's normal form under PHP's `version_compare`.
    Packagist,
    /// `package_version` of R.
    R,
}

impl Scheme {
    /// The scheme of an OSV ecosystem, with or without its release (`Debian:12`); `None` when not known.
    pub fn of(ecosystem: &str) -> Option<Self> {
        Some(match ecosystem.split(':').next().unwrap_or("") {
            "Debian" | "Ubuntu" | "Echo" => Self::Debian,
            "Alpine" | "Alpaquita" | "BellSoft Hardened Containers" | "Chainguard" | "MinimOS" | "Wolfi" => {
                Self::Alpine
            }
            "PyPI" => Self::Pep440,
            "npm" | "crates.io" | "Hex" | "Pub" | "SwiftURL" => Self::SemVer,
            "Go" => Self::Go,
            "Maven" => Self::Maven,
            "RubyGems" => Self::RubyGems,
            "NuGet" => Self::NuGet,
            "Packagist" => Self::Packagist,
            "CRAN" | "Bioconductor" => Self::R,
            name if is_rpm(name) => Self::Rpm,
            _ => return None,
        })
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian => "Debian",
            Self::Alpine => "apk",
            Self::Rpm => "rpm",
            Self::Pep440 => "PEP 440",
            Self::SemVer => "Semantic Versioning",
            Self::Go => "Go modules",
            Self::Maven => "Maven",
            Self::RubyGems => "RubyGems",
            Self::NuGet => "NuGet",
            Self::Packagist => "Composer",
            Self::R => "R",
        }
    }

    /// How `a` stands to `b`.
    ///
    /// # Errors
    /// When one of them is no version of this scheme, naming it.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, CannotCompare> {
        if let Some(bytes) = [a.len(), b.len()].into_iter().find(|bytes| *bytes > VERSION_BYTES_MAX) {
            return Err(CannotCompare::TooLong { bytes });
        }
        match self {
            Self::Debian => by(self, a, b, debian::Version::read),
            Self::Alpine => by(self, a, b, alpine::Version::read),
            Self::Rpm => {
                by(self, a, b, rpm::Evr::read)?;
                Ok(rpm(a, b))
            }
            Self::Pep440 => by(self, a, b, |text| pep440_rs::Version::from_str(text).ok()),
            Self::SemVer => semver(self, a, b, strict),
            Self::Go => semver(self, a, b, go),
            Self::Maven => by(self, a, b, maven::Version::read),
            Self::RubyGems => by(self, a, b, rubygems::Version::read),
            Self::NuGet => by(self, a, b, nuget::Version::read),
            Self::Packagist => by(self, a, b, packagist::Version::read),
            Self::R => by(self, a, b, r::Version::read),
        }
    }

    /// Whether a text is a version of this scheme.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(self, version: &str) -> Result<(), CannotCompare> {
        self.compare(version, version).map(|_| ())
    }
}

/// Whether an ecosystem's advisories are about rpm packages, by the name of the source or the package.
pub fn is_rpm(ecosystem: &str) -> bool {
    const NAMES: [&str; 9] = [
        "AlmaLinux",
        "Azure Linux",
        "Mageia",
        "Photon OS",
        "Red Hat",
        "Rocky Linux",
        "openEuler",
        "openSUSE",
        "SUSE",
    ];
    NAMES.contains(&ecosystem.split(':').next().unwrap_or(""))
}

fn by<'a, T: Ord>(
    scheme: Scheme,
    a: &'a str,
    b: &'a str,
    read: impl Fn(&'a str) -> Option<T>,
) -> Result<Ordering, CannotCompare> {
    let read = |text: &'a str| read(text).ok_or_else(|| malformed(scheme, text));
    Ok(read(a)?.cmp(&read(b)?))
}

fn malformed(scheme: Scheme, text: &str) -> CannotCompare {
    CannotCompare::Malformed { scheme: scheme.name(), version: text.chars().take(80).collect() }
}

fn semver(
    scheme: Scheme,
    a: &str,
    b: &str,
    read: fn(&str) -> Option<semver::Version>,
) -> Result<Ordering, CannotCompare> {
    let read = |text: &str| read(text).ok_or_else(|| malformed(scheme, text));
    // Build metadata has no part in the order (section 10).
    Ok(read(a)?.cmp_precedence(&read(b)?))
}

fn strict(text: &str) -> Option<semver::Version> {
    semver::Version::parse(text).ok()
}

fn go(text: &str) -> Option<semver::Version> {
    let text = text.strip_prefix("go").or_else(|| text.strip_prefix('v')).unwrap_or(text);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let numbers = match numbers.matches('.').count() {
        // A shortened version has no pre-release and no build metadata.
        count @ (0 | 1) if rest.is_empty() => [numbers, &".0".repeat(2 - count)].concat(),
        _ => numbers.to_owned(),
    };
    semver::Version::parse(&format!("{numbers}{rest}")).ok()
}

#[cfg(test)]
mod tests;
