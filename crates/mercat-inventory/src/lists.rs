//! Lists of what somebody meant to install: Cargo, Poetry, uv, PDM, Pipenv, NuGet and Mix.

use crate::json::{Pairs, Text, parse};
use crate::{Broken, COMPONENTS_OF_FILE_MAX, Component, Evidence, component};
use serde::Deserialize;

#[derive(Deserialize)]
struct Locked {
    #[serde(default, rename = "package")]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    version: String,
    /// Where it comes from: Cargo writes a text, uv a table, and both nothing, or the place, for one's own.
    #[serde(default)]
    source: Option<toml::Value>,
}

impl Package {
    fn is_own(&self) -> bool {
        let is_place = |key: &str| ["editable", "virtual", "directory"].contains(&key);
        matches!(&self.source, Some(toml::Value::Table(source)) if source.keys().any(|key| is_place(key)))
    }
}

fn locked(format: &'static str, bytes: &[u8]) -> Result<Vec<Package>, Broken> {
    let text = std::str::from_utf8(bytes).map_err(|error| Broken::syntax(format, error))?;
    let Locked { packages } =
        toml::from_str(text).map_err(|error| Broken::syntax(format, error.message()))?;
    Ok(packages)
}

/// `Cargo.lock`, versions 1 to 4. What has no source is of the one who wrote it, or lies beside it.
pub(crate) fn cargo(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let packages = locked("Cargo.lock", bytes)?;
    let foreign = packages.iter().filter(|package| package.source.is_some());
    Ok(foreign.map(|package| component("cargo", &package.name, &package.version, Evidence::Intent)).collect())
}

/// `poetry.lock`, `uv.lock` and `pdm.lock`: what they name stands in tables of one form.
pub(crate) fn python(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let packages = locked("lock file of Python", bytes)?;
    let foreign = packages.iter().filter(|package| !package.is_own());
    Ok(foreign.map(|package| component("pypi", &package.name, &package.version, Evidence::Intent)).collect())
}

#[derive(Deserialize)]
struct Pipfile {
    #[serde(default)]
    default: Pairs<Pinned>,
    #[serde(default)]
    develop: Pairs<Pinned>,
}

#[derive(Deserialize)]
struct Pinned {
    #[serde(default)]
    version: Text,
}

/// `Pipfile.lock`: versions stand behind `==`.
pub(crate) fn pipfile(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let lock: Pipfile = parse("Pipfile.lock", bytes)?;
    let all = lock.default.0.iter().chain(&lock.develop.0);
    let one = |(name, pinned): &(String, Pinned)| {
        component("pypi", name, pinned.version.0.trim_start_matches('='), Evidence::Intent)
    };
    Ok(all.map(one).collect())
}

#[derive(Deserialize)]
struct NuGet {
    #[serde(default)]
    dependencies: Pairs<Pairs<Resolved>>,
}

#[derive(Deserialize)]
struct Resolved {
    #[serde(default)]
    resolved: Text,
}

/// `packages.lock.json` of NuGet: by framework, by name. What has no version is a project beside it.
pub(crate) fn nuget(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let lock: NuGet = parse("packages.lock.json", bytes)?;
    let all = lock.dependencies.0.iter().flat_map(|(_, of_framework)| &of_framework.0);
    let foreign = all.filter(|(_, package)| !package.resolved.0.is_empty());
    Ok(foreign
        .map(|(name, package)| component("nuget", name, &package.resolved.0, Evidence::Intent))
        .collect())
}

/// `mix.lock`: a map of Elixir with a line a package, `"NAME": {:hex, :NAME, "VERSION", ...`.
pub(crate) fn mix(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = std::str::from_utf8(bytes).map_err(|error| Broken::syntax("mix.lock", error))?;
    if !text.trim_start().starts_with("%{") {
        return Err(Broken::syntax("mix.lock", "no map"));
    }
    let mut out = Vec::new();
    for (at, kind) in text.match_indices("{:hex,") {
        let mut rest = text[at + kind.len()..].splitn(3, ',').map(str::trim);
        let name = rest.next().unwrap_or_default().trim_start_matches(':');
        let version = rest.next().unwrap_or_default();
        let version = version.strip_prefix('"').and_then(|version| version.strip_suffix('"'));
        let Some(version) = version else {
            return Err(Broken::syntax("mix.lock", format!("no version of {}", crate::clip(name, 60))));
        };
        out.push(component("hex", name.trim_matches('"'), version, Evidence::Intent));
        if out.len() > COMPONENTS_OF_FILE_MAX {
            return Err(Broken::TooMany);
        }
    }
    Ok(out)
}
