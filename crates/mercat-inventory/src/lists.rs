//! Lists of what somebody meant to install: Cargo, Poetry, uv, PDM, Pipenv, NuGet, Mix, rebar3 and renv.

use crate::json::{Pairs, Text, parse};
use crate::{Broken, COMPONENTS_OF_FILE_MAX, Component, Evidence, component};
use serde::Deserialize;

#[derive(Deserialize)]
struct Locked {
    #[serde(default, rename = "package", alias = "packages")]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    version: String,
    /// Where it comes from: Cargo writes a text, the others a table, and some nothing, or the place, for one's own.
    #[serde(default)]
    source: Option<toml::Value>,
    /// Where it lies, in `pdm.lock`.
    #[serde(default)]
    path: Option<toml::Value>,
}

impl Package {
    /// Whether it lies beside the list, for a list of Python.
    fn is_own(&self) -> bool {
        const PLACES: [&str; 3] = ["directory", "editable", "virtual"];
        let is_place = |(key, value): (&String, &toml::Value)| {
            PLACES.contains(&key.as_str())
                || key == "type" && value.as_str().is_some_and(|kind| PLACES.contains(&kind))
        };
        let of_table =
            |source: &toml::Value| source.as_table().is_some_and(|table| table.iter().any(is_place));
        self.path.is_some() || self.source.as_ref().is_some_and(of_table)
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

/// `poetry.lock`, `uv.lock`, `pdm.lock` and `pylock.toml` (PEP 751): what they name stands in tables of one form.
pub(crate) fn python(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let packages = locked("lock file of Python", bytes)?;
    let foreign = packages.iter().filter(|package| !package.is_own());
    Ok(foreign.map(|package| component("pypi", &package.name, &package.version, Evidence::Intent)).collect())
}

/// `Pipfile.lock`: every part but `_meta` is a category of packages; versions stand behind `==`. What comes
/// from elsewhere has none.
pub(crate) fn pipfile(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let lock: Pairs<serde_json::Value> = parse("Pipfile.lock", bytes)?;
    let categories = lock.0.iter().filter(|(category, _)| category != "_meta");
    let all = categories.flat_map(|(_, packages)| packages.as_object().into_iter().flatten());
    let one = |(name, pinned): (&String, &serde_json::Value)| {
        // Others say which versions would do.
        let version = pinned.get("version")?.as_str()?.strip_prefix("==")?;
        Some(component("pypi", name, version.trim_start_matches('='), Evidence::Intent))
    };
    Ok(all.filter_map(one).collect())
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
    if !text.trim_start().starts_with("%{") || !text.trim_end().ends_with('}') {
        return Err(Broken::syntax("mix.lock", "no map"));
    }
    hex(text, "{:hex,", |word| word.trim().trim_start_matches(':').trim_matches('"'), "mix.lock")
}

/// `rebar.lock`: terms of Erlang, `{<<"NAME">>,{pkg,<<"NAME">>,<<"VERSION">>},LEVEL}`.
pub(crate) fn rebar(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = std::str::from_utf8(bytes).map_err(|error| Broken::syntax("rebar.lock", error))?;
    if !text.trim_end().ends_with('.') {
        return Err(Broken::syntax("rebar.lock", "no terms"));
    }
    hex(text, "{pkg,", |word| word.trim().trim_start_matches("<<\"").trim_end_matches("\">>"), "rebar.lock")
}

/// What stands behind each beginning of a package of Hex: its name, a comma, and its version in quotes.
fn hex(
    text: &str,
    begin: &str,
    name: fn(&str) -> &str,
    format: &'static str,
) -> Result<Vec<Component>, Broken> {
    let mut out = Vec::new();
    for (at, begin) in text.match_indices(begin) {
        let (word, rest) = text[at + begin.len()..].split_once(',').unwrap_or_default();
        let version = rest.trim_start().trim_start_matches("<<").strip_prefix('"');
        let Some((version, _)) = version.and_then(|version| version.split_once('"')) else {
            return Err(Broken::syntax(format, format!("no version of {}", crate::clip(word, 60))));
        };
        out.push(component("hex", name(word), version, Evidence::Intent));
        if out.len() > COMPONENTS_OF_FILE_MAX {
            return Err(Broken::TooMany);
        }
    }
    Ok(out)
}

#[derive(Deserialize)]
struct Renv {
    #[serde(default, rename = "Packages")]
    packages: Pairs<OfR>,
}

#[derive(Deserialize)]
struct OfR {
    #[serde(default, rename = "Version")]
    version: Text,
    #[serde(default, rename = "Source")]
    source: Text,
}

/// `renv.lock`.
pub(crate) fn renv(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let lock: Renv = parse("renv.lock", bytes)?;
    let one = |(name, package): &(String, OfR)| {
        let kind = if package.source.0 == "Bioconductor" { "bioconductor" } else { "cran" };
        component(kind, name, &package.version.0, Evidence::Intent)
    };
    Ok(lock.packages.0.iter().filter(|(_, package)| !package.version.0.is_empty()).map(one).collect())
}
