//! Java: what build tools leave in a jar. Several `pom.properties` in one jar are the parts of a shaded jar.

use crate::{Broken, Component, Evidence, component};
use std::collections::{BTreeMap, BTreeSet};

/// Attributes of a manifest that are read; a manifest of signatures has thousands of sections behind them.
const ATTRIBUTES_MAX: usize = 4096;

/// Whether a name in lower case is that of a Java archive.
pub(crate) fn is_archive(name: &str) -> bool {
    const ENDS: [&str; 7] = [".jar", ".war", ".ear", ".jpi", ".hpi", ".par", ".sar"];
    ENDS.iter().any(|end| name.ends_with(end))
}

/// `pom.properties`: the syntax of `java.util.Properties`, as Maven writes it.
pub(crate) fn properties(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    // Of a name that is given twice, the last counts.
    let mut given = BTreeMap::new();
    for line in logical_lines(&text) {
        let (name, value) = property(&line);
        given.insert(name, value);
    }
    let value = |key: &str| given.get(key).cloned();
    let (Some(group), Some(artifact)) = (value("groupId"), value("artifactId")) else {
        return Err(Broken::syntax("pom.properties", "no groupId or artifactId"));
    };
    let version = value("version").unwrap_or_default();
    Ok(vec![component("maven", &format!("{group}:{artifact}"), &version, Evidence::Installed)])
}

/// Lines of properties without comments: ended by either sign or both, and going on behind a backslash.
fn logical_lines(text: &str) -> impl Iterator<Item = String> {
    let mut lines = text.split(['\n', '\r']).map(str::trim_ascii_start);
    std::iter::from_fn(move || {
        let mut whole = lines.find(|line| !line.is_empty() && !line.starts_with(['#', '!']))?.to_owned();
        while whole.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
            whole.pop();
            match lines.next() {
                Some(next) => whole.push_str(next),
                None => break,
            }
        }
        Some(whole)
    })
}

/// Name and value, between which is `=`, `:` or a blank, and blanks around; both with escapes.
fn property(line: &str) -> (String, String) {
    let (mut name, mut rest) = (String::new(), line);
    while let Some(c) = rest.chars().next().filter(|c| !matches!(c, '=' | ':' | ' ' | '\t' | '\x0c')) {
        let (said, length) = said(rest).unwrap_or((c, c.len_utf8()));
        name.push(said);
        rest = &rest[length..];
    }
    let blank = |c: char| matches!(c, ' ' | '\t' | '\x0c');
    let rest = rest.trim_start_matches(blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(blank);
    let (mut value, mut rest) = (String::new(), rest.trim_ascii_end());
    while let Some(c) = rest.chars().next() {
        let (said, length) = said(rest).unwrap_or((c, c.len_utf8()));
        value.push(said);
        rest = &rest[length..];
    }
    (name, value)
}

/// The character that an escape at the beginning says, and its length.
fn said(text: &str) -> Option<(char, usize)> {
    let escaped = text.strip_prefix('\\')?;
    let c = escaped.chars().next()?;
    Some(match c {
        'u' => {
            let code = u32::from_str_radix(escaped.get(1..5)?, 16).ok()?;
            (char::from_u32(code)?, 6)
        }
        't' => ('\t', 2),
        'n' => ('\n', 2),
        'r' => ('\r', 2),
        'f' => ('\x0c', 2),
        other => (other, 1 + other.len_utf8()),
    })
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
    let others = ["automatic-module-name", "implementation-title", "bundle-name"].map(|key| first(&[key]));
    let names: Vec<String> =
        std::iter::once(symbolic).chain(others).filter(|name| !name.is_empty()).collect();
    let name = names.first().cloned().unwrap_or_default();
    let version = first(&["implementation-version", "bundle-version", "specification-version"]);
    if name.is_empty() || version.is_empty() {
        return Ok(Vec::new());
    }
    let group = first(&["implementation-vendor-id"]);
    let artifact = name.strip_prefix(&format!("{group}.")).unwrap_or(&name);
    let name = if group.is_empty() { name } else { format!("{group}:{artifact}") };
    let licence = first(&["bundle-license"]);
    let licence = licence.split(';').next().unwrap_or_default().to_owned();
    let found = component("maven", &name, &version, Evidence::Manifest);
    Ok(vec![Component { licence, also: names, ..found }])
}

/// Roots of one archive, most: one with more is a program with all its libraries inside, and none of them.
const ROOTS_MAX: usize = 64;
/// Words of a package that are kept: two tell whose it is, but for hosts that many share.
const ROOT_WORDS: usize = 3;
/// Bytes of one of them, most.
const ROOT_BYTES_MAX: usize = 100;

/// Where the classes of a Java archive are, by the names of its members. Where Maven left no coordinates, they tell
/// whose archive it is.
pub struct ClassRoots {
    path: String,
    roots: BTreeSet<String>,
    /// There are coordinates, so nobody asks.
    named: bool,
}

impl ClassRoots {
    /// Of the archive at a path; nothing where that is no Java archive by its name.
    pub fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        is_archive(&name).then(|| Self { path: path.to_owned(), roots: BTreeSet::new(), named: false })
    }

    /// Takes note of a member.
    pub fn member(&mut self, name: &str) {
        if name.starts_with("META-INF/maven/") && name.ends_with("/pom.properties") {
            self.named = true;
        }
        let name = ["BOOT-INF/classes/", "WEB-INF/classes/"]
            .iter()
            .find_map(|front| name.strip_prefix(front))
            .or_else(|| name.strip_prefix("META-INF/versions/")?.split_once('/').map(|(_, rest)| rest))
            .unwrap_or(name);
        // What starts a Spring Boot application is in each.
        if !name.ends_with(".class") || name.starts_with("org/springframework/boot/loader/") {
            return;
        }
        let Some((package, _)) = name.rsplit_once('/') else { return };
        let end = package.match_indices('/').nth(ROOT_WORDS - 1).map_or(package.len(), |(at, _)| at);
        if self.roots.len() <= ROOTS_MAX && end <= ROOT_BYTES_MAX {
            let root = package[..end].replace('/', ".");
            self.roots.insert(root);
        }
    }

    /// What [`crate::settle`] takes; nothing where there are coordinates, no classes, or those of too many.
    pub fn component(self) -> Option<Component> {
        if self.named || !(1..=ROOTS_MAX).contains(&self.roots.len()) {
            return None;
        }
        let found = component("maven", "classes", "", Evidence::Classes);
        Some(Component { path: self.path, roots: self.roots.into_iter().collect(), ..found })
    }
}

/// What a Java archive without a group may be called, and its version: by its manifest or file, and by the name of the
/// file, which is what a repository calls it.
pub fn artifacts(component: &Component) -> Vec<(String, String)> {
    let archive = match component.evidence {
        Evidence::Manifest => component.path.rsplit_once("!/").map(|(archive, _)| archive),
        _ => None,
    };
    let of_file = archive.map(name).unwrap_or_default().into_iter().map(|c| (c.name, c.version));
    let others = component.also.iter().filter(|name| **name != component.name);
    let own = std::iter::once(&component.name).chain(others);
    own.map(|name| (name.clone(), component.version.clone())).chain(of_file).collect()
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
