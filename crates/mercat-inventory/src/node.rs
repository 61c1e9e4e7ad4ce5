//! Node: installed modules and the lock files of npm, yarn and pnpm.

use crate::json::{Pairs, Text, parse};
use crate::{Broken, COMPONENTS_OF_FILE_MAX, Component, Evidence, component};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Nesting of `dependencies` in a lock file of version 1.
const DEPTH_MAX: usize = 64;

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    version: Text,
    #[serde(default)]
    license: Text,
    #[serde(default)]
    licenses: Text,
}

/// `package.json`. One without a name and version marks a directory, not a package.
pub(crate) fn package(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let package: Package = parse("package.json", bytes)?;
    if package.name.0.is_empty() || package.version.0.is_empty() {
        return Ok(Vec::new());
    }
    let licence = [package.license.0, package.licenses.0].into_iter().find(|text| !text.is_empty());
    let found = component("npm", &package.name.0, &package.version.0, Evidence::Installed);
    Ok(vec![Component { licence: licence.unwrap_or_default(), ..found }])
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    packages: Pairs<Locked>,
    #[serde(default)]
    dependencies: Pairs<Old>,
}

#[derive(Deserialize)]
struct Locked {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    version: Text,
    #[serde(default)]
    license: Text,
    #[serde(default)]
    link: bool,
}

#[derive(Deserialize)]
struct Old {
    #[serde(default)]
    version: Text,
    #[serde(default)]
    dependencies: Pairs<Old>,
}

/// `package-lock.json`: versions 2 and 3 list `packages` by their place, version 1 nests `dependencies`.
pub(crate) fn lock(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let lock: Lock = parse("package-lock.json", bytes)?;
    let mut out = Vec::new();
    for (place, locked) in &lock.packages.0 {
        let Some((_, in_place)) = place.rsplit_once("node_modules/") else { continue };
        if locked.link {
            continue;
        }
        let name = if locked.name.0.is_empty() { in_place } else { &locked.name.0 };
        let found = component("npm", name, &locked.version.0, Evidence::Intent);
        out.push(Component { licence: locked.license.0.clone(), ..found });
    }
    if lock.packages.0.is_empty() {
        let mut open: Vec<(&Pairs<Old>, usize)> = vec![(&lock.dependencies, 0)];
        while let Some((list, depth)) = open.pop() {
            if depth > DEPTH_MAX {
                return Err(Broken::syntax("package-lock.json", format!("nested deeper than {DEPTH_MAX}")));
            }
            for (name, old) in &list.0 {
                if out.len() > COMPONENTS_OF_FILE_MAX {
                    return Err(Broken::TooMany);
                }
                // An alias: "npm:real-name@1.2.3".
                let alias = old.version.0.strip_prefix("npm:").and_then(|real| real.rsplit_once('@'));
                let (name, version) = alias.unwrap_or((name, &old.version.0));
                out.push(component("npm", name, version, Evidence::Intent));
                open.push((&old.dependencies, depth + 1));
            }
        }
    }
    Ok(out)
}

/// `yarn.lock`: blocks that begin with the ranges that they answer. The classic form is its own syntax,
/// the berry form YAML of the same shape.
pub(crate) fn yarn(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = std::str::from_utf8(bytes).map_err(|error| Broken::syntax("yarn.lock", error))?;
    let mut out = Vec::new();
    let mut name = String::new();
    for line in text.lines() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if !line.starts_with([' ', '\t']) {
            let Some(key) = line.trim_end().strip_suffix(':') else {
                return Err(Broken::syntax("yarn.lock", format!("the line {line:?}")));
            };
            let first = key.split(',').next().unwrap_or(key).trim().trim_matches('"');
            // "real" of "alias@npm:real@^1"; else what is in front of the range.
            name = match first.split_once("@npm:").map(|(_, range)| range) {
                Some(real) if real.rfind('@').is_some_and(|at| at > 0) => before_at(real).to_owned(),
                _ => before_at(first).to_owned(),
            };
            if first.contains("@workspace:") || first.contains("@link:") || key == "__metadata" {
                name.clear();
            }
            continue;
        }
        let field = line.strip_prefix("  ").filter(|field| !field.starts_with(' '));
        let version = field.and_then(|field| field.strip_prefix("version"));
        if let Some(version) = version.filter(|_| !name.is_empty()) {
            let version = version.trim_start_matches(':').trim().trim_matches('"');
            out.push(component("npm", &name, version, Evidence::Intent));
            name.clear();
        }
        if out.len() > COMPONENTS_OF_FILE_MAX {
            return Err(Broken::TooMany);
        }
    }
    Ok(out)
}

/// The name in front of a range: the first `@` may begin a scope.
fn before_at(text: &str) -> &str {
    match text.char_indices().skip(1).find(|(_, character)| *character == '@') {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

#[derive(Deserialize)]
struct Pnpm {
    #[serde(default)]
    packages: Pairs<IgnoredAny>,
}

/// `pnpm-lock.yaml`: the keys of `packages` name what is locked.
pub(crate) fn pnpm(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = std::str::from_utf8(bytes).map_err(|error| Broken::syntax("pnpm-lock.yaml", error))?;
    let lock: Pnpm = serde_saphyr::from_str(text).map_err(|error| Broken::syntax("pnpm-lock.yaml", error))?;
    let mut out = Vec::new();
    for (key, _) in &lock.packages.0 {
        let Some((name, version)) = pnpm_key(key) else { continue };
        let local = ["file:", "link:", "http:", "https:"].iter().any(|place| version.starts_with(place));
        if !local {
            out.push(component("npm", name, version, Evidence::Intent));
        }
    }
    Ok(out)
}

/// `/@s/a@1.0.0(peer@2)`, or before version 6 `/@s/a/1.0.0_peer@2`.
fn pnpm_key(key: &str) -> Option<(&str, &str)> {
    let key = key.trim_start_matches('/').split('(').next().unwrap_or(key);
    let mut slashes = key.match_indices('/').map(|(at, _)| at);
    let behind_name = if key.starts_with('@') { slashes.nth(1) } else { slashes.next() };
    match behind_name {
        Some(at) if key[at + 1..].starts_with(|c: char| c.is_ascii_digit()) => {
            Some((&key[..at], key[at + 1..].split('_').next().unwrap_or_default()))
        }
        _ => {
            let name = before_at(key);
            Some((name, key.strip_prefix(name)?.strip_prefix('@')?))
        }
    }
}
