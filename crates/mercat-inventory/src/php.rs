//! PHP: what Composer installed and locked.

use crate::json::{Text, parse};
use crate::{Broken, Component, Evidence, component};
use serde::Deserialize;

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    version: Text,
    #[serde(default)]
    license: Text,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Installed {
    /// Composer 2.
    Object { packages: Vec<Package> },
    /// Composer 1.
    List(Vec<Package>),
}

/// `vendor/composer/installed.json`.
pub(crate) fn installed(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let (Installed::Object { packages } | Installed::List(packages)) = parse("installed.json", bytes)?;
    Ok(packages.into_iter().map(|package| of(package, Evidence::Installed)).collect())
}

#[derive(Deserialize)]
struct Lock {
    packages: Vec<Package>,
    #[serde(default, rename = "packages-dev")]
    development: Option<Vec<Package>>,
}

/// `composer.lock`.
pub(crate) fn lock(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let lock: Lock = parse("composer.lock", bytes)?;
    let all = lock.packages.into_iter().chain(lock.development.unwrap_or_default());
    Ok(all.map(|package| of(package, Evidence::Intent)).collect())
}

fn of(package: Package, evidence: Evidence) -> Component {
    let version = package.version.0;
    let plain = version.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let found = component("composer", &package.name.0, plain.unwrap_or(&version), evidence);
    Component { licence: package.license.0, ..found }
}
