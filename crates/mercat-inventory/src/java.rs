//! Java: what build tools leave in a jar. Several `pom.properties` in one jar are the parts of a shaded jar.

use crate::{Broken, Component, Evidence, component};

/// Attributes of a manifest that are read; a manifest of signatures has thousands of sections behind them.
const ATTRIBUTES_MAX: usize = 4096;

/// Whether a name in lower case is that of a Java archive.
pub(crate) fn is_archive(name: &str) -> bool {
    const ENDS: [&str; 7] = [".jar", ".war", ".ear", ".jpi", ".hpi", ".par", ".sar"];
    ENDS.iter().any(|end| name.ends_with(end))
}

/// `pom.properties`: the syntax of `java.util.Properties`, as Maven writes it.
pub(crate) fn properties(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = String::from_utf8_lossy(bytes);
    let value = |key: &str| {
        let pair = |line: &str| {
            let (name, value) = line.split_once(['=', ':'])?;
            (name.trim() == key).then(|| value.trim().to_owned())
        };
        text.lines().map(str::trim_start).filter(|line| !line.starts_with(['#', '!'])).find_map(pair)
    };
    let (Some(group), Some(artifact)) = (value("groupId"), value("artifactId")) else {
        return Err(Broken::syntax("pom.properties", "no groupId or artifactId"));
    };
    let version = value("version").unwrap_or_default();
    Ok(vec![component("maven", &format!("{group}:{artifact}"), &version, Evidence::Installed)])
}

/// `pom.xml`, for the licence and nothing else: its coordinates may stand in a parent that is not there.
/// The component has no version, so that [`crate::settle`] gives its licence to the properties beside it.
pub(crate) fn pom(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = String::from_utf8_lossy(bytes);
    let mut names = Vec::new();
    if let Some(block) = between(&text, "<licenses>", "</licenses>") {
        let mut rest = block;
        while let Some(name) = between(rest, "<name>", "</name>") {
            names.push(name.trim().replace("&amp;", "&"));
            rest = rest.split_once("</name>").map_or("", |(_, rest)| rest);
            if names.len() == 16 {
                break;
            }
        }
    }
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = component("maven", "pom", "", Evidence::Manifest);
    Ok(vec![Component { licence: names.join(" OR "), ..found }])
}

fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    text.split_once(open)?.1.split_once(close).map(|(inside, _)| inside)
}

/// `MANIFEST.MF` (JAR file specification): the main section, lines of 72 bytes that go on behind a space.
pub(crate) fn manifest(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = String::from_utf8_lossy(bytes);
    let mut attributes: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.is_empty() || attributes.len() > ATTRIBUTES_MAX {
            break;
        }
        if let Some(more) = line.strip_prefix(' ') {
            match attributes.last_mut() {
                Some((_, value)) => value.push_str(more),
                None => return Err(Broken::syntax("manifest of a jar", "it begins with a continuation")),
            }
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            return Err(Broken::syntax("manifest of a jar", format!("the line {:?}", crate::clip(line, 60))));
        };
        attributes.push((key.to_ascii_lowercase(), value.trim_start().to_owned()));
    }
    let first = |keys: &[&str]| {
        let of = |key: &&str| attributes.iter().find(|(name, value)| name == key && !value.is_empty());
        keys.iter().find_map(of).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let symbolic = first(&["bundle-symbolicname"]);
    let symbolic = symbolic.split(';').next().unwrap_or_default().trim().to_owned();
    let name = match first(&["automatic-module-name", "implementation-title", "bundle-name"]) {
        _ if !symbolic.is_empty() => symbolic,
        other => other,
    };
    let version = first(&["implementation-version", "bundle-version", "specification-version"]);
    if name.is_empty() || version.is_empty() {
        return Ok(Vec::new());
    }
    let group = first(&["implementation-vendor-id"]);
    let name = if group.is_empty() { name } else { format!("{group}:{name}") };
    let licence = first(&["bundle-license"]);
    let licence = licence.split(';').next().unwrap_or_default().to_owned();
    Ok(vec![Component { licence, ..component("maven", &name, &version, Evidence::Manifest) }])
}

/// `commons-io-2.11.0.jar`: the version begins at the first part that begins with a digit.
pub(crate) fn name(path: &str) -> Vec<Component> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let at = stem.match_indices('-').map(|(at, _)| at);
    let split = at.filter(|at| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit())).min();
    let (name, version) = split.map_or((stem, ""), |at| (&stem[..at], &stem[at + 1..]));
    vec![component("maven", name, version, Evidence::Name)]
}
