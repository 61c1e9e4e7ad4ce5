//! Bills of materials, without clock time, so that their digests depend on content only.

mod cyclonedx;
mod licence;
mod spdx;

use mercat_artifact::pkgdb::{OsRelease, Package};
use mercat_domain::plain::plain_json;
use mercat_inventory::{Component, Evidence, encode};
use std::collections::BTreeMap;

/// Files without a package that a document lists; the others are counted.
const FILES_MAX: usize = 2_000;
/// Places of one component that a document lists; the others are counted.
const PLACES_MAX: usize = 50;

/// What a bill of materials is made of.
#[derive(Debug, Clone, Copy)]
pub struct Materials<'a> {
    /// `container` or `file`, as CycloneDX has it.
    pub kind: &'static str,
    /// Digest of the manifest or disk.
    pub subject: &'a str,
    /// What the distribution says it is.
    pub os: &'a OsRelease,
    /// Packages of the distribution.
    pub packages: &'a [Package],
    /// What other roots in it have.
    pub rooted: &'a [Rooted<'a>],
    /// Packages of the distribution that a later layer removed.
    pub gone: &'a [Package],
    /// Licences of packages of the distribution, by name.
    pub licences: &'a BTreeMap<String, String>,
    /// What languages and programs bring, and what others claim.
    pub components: &'a [Component],
    /// Components whose file a later layer removed.
    pub removed: &'a [Component],
    /// Programs of no package and no component.
    pub unpackaged: &'a [Unpackaged],
    /// Facts that were not kept, because a layer had too many.
    pub left: u64,
}

/// What directories and archives have that are roots of systems of their own.
#[derive(Debug, Clone)]
pub struct Rooted<'a> {
    /// What the distribution says it is.
    pub os: &'a OsRelease,
    /// Packages of that distribution, each with the roots that have it.
    pub packages: Vec<(&'a Package, &'a [String])>,
}

/// A program of no package and no component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpackaged {
    /// From the root, without a slash in front.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 in hexadecimal; empty where it was not taken.
    pub sha256: String,
}

/// The documents about one image or disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// CycloneDX 1.6 JSON.
    pub cyclonedx: String,
    /// SPDX 2.3 JSON.
    pub spdx: String,
}

/// Writes both documents.
pub fn write(materials: &Materials<'_>) -> Documents {
    let parts = parts(materials);
    Documents {
        cyclonedx: plain_json(&cyclonedx::write(materials, &parts)),
        spdx: plain_json(&spdx::write(materials, &parts)),
    }
}

/// One line of a bill of materials.
struct Part {
    /// Unique in the document.
    reference: String,
    name: String,
    version: String,
    purl: String,
    licence: String,
    /// `library`, `application` or `file`, as CycloneDX has it.
    kind: &'static str,
    /// That it is not installed, as CycloneDX has it: `optional` where a list names it, `excluded` where it was removed.
    scope: Option<&'static str>,
    sha256: String,
    places: Vec<String>,
    properties: Vec<(&'static str, String)>,
}

fn parts(materials: &Materials<'_>) -> Vec<Part> {
    let mut out: BTreeMap<String, Part> = BTreeMap::new();
    for package in materials.packages {
        let part = of_package((materials.os, materials.licences), package);
        out.entry(part.reference.clone()).or_insert(part);
    }
    let none = BTreeMap::new();
    for Rooted { os, packages } in materials.rooted {
        let distribution = [&*os.id, &os.version_id].join(" ");
        let distribution = if distribution.trim().is_empty() { "unknown" } else { distribution.trim() };
        for (package, roots) in packages {
            let mut part = of_package((os, &none), package);
            part.reference = format!("{}#below:{}", part.reference, encode(distribution));
            part.places = roots.to_vec();
            part.properties.push(("mercat:distribution", distribution.to_owned()));
            out.entry(part.reference.clone()).or_insert(part);
        }
    }
    for component in materials.components {
        // A claim is a line of its own: what was found must not look like what was said.
        let suffix = if component.evidence == Evidence::Claim { "#claimed" } else { "" };
        let scope = (component.evidence == Evidence::Intent).then_some("optional");
        let evidence = ("mercat:evidence", component.evidence.name().to_owned());
        add(&mut out, component, (suffix, scope), evidence);
    }
    for component in materials.removed {
        let removed = ("mercat:removed", "by a later layer".to_owned());
        add(&mut out, component, ("#removed", Some("excluded")), removed);
    }
    for package in materials.gone {
        let mut part = of_package((materials.os, materials.licences), package);
        part.reference += "#removed";
        part.scope = Some("excluded");
        part.properties.push(("mercat:removed", "by a later layer".to_owned()));
        out.entry(part.reference.clone()).or_insert(part);
    }
    let mut out: Vec<Part> = out.into_values().collect();
    let files = materials.unpackaged.iter().take(FILES_MAX);
    out.extend(files.map(|file| Part {
        reference: format!("file:/{}", file.path),
        name: file.path.clone(),
        version: String::new(),
        purl: String::new(),
        licence: String::new(),
        kind: "file",
        scope: None,
        sha256: file.sha256.clone(),
        places: Vec::new(),
        properties: vec![("mercat:bytes", file.bytes.to_string())],
    }));
    out
}

fn of_package((os, licences): (&OsRelease, &BTreeMap<String, String>), package: &Package) -> Part {
    let purl = purl(os, package);
    Part {
        reference: purl.clone(),
        name: package.name.clone(),
        version: package.version.clone(),
        licence: licences.get(&package.name).cloned().unwrap_or_default(),
        kind: "library",
        scope: None,
        sha256: String::new(),
        places: Vec::new(),
        properties: vec![("mercat:source", format!("{}@{}", package.source, package.source_version))],
        purl,
    }
}

/// Adds a component, or the place of one that is there already.
fn add(
    out: &mut BTreeMap<String, Part>,
    component: &Component,
    (suffix, scope): (&str, Option<&'static str>),
    property: (&'static str, String),
) {
    let purl = component.purl();
    let part = out.entry(format!("{purl}{suffix}")).or_insert_with_key(|reference| Part {
        reference: reference.clone(),
        name: component.name.clone(),
        version: component.version.clone(),
        licence: String::new(),
        kind: if component.kind == "generic" { "application" } else { "library" },
        scope,
        sha256: String::new(),
        places: Vec::new(),
        properties: Vec::new(),
        // The type asks for a group, which neither the name of a jar nor its manifest always tells.
        purl: if component.kind == "maven" && !component.name.contains(':') { String::new() } else { purl },
    });
    // What is installed somewhere is installed.
    part.scope = part.scope.and(scope);
    if part.licence.is_empty() {
        part.licence.clone_from(&component.licence);
    }
    if !component.path.is_empty() {
        part.places.push(component.path.clone());
    }
    let owner = ("mercat:owner", component.owner.clone());
    for property in [property, owner].into_iter().filter(|(_, value)| !value.is_empty()) {
        if !part.properties.contains(&property) && part.properties.len() < PLACES_MAX {
            part.properties.push(property);
        }
    }
}

/// The package URL of a distribution package (purl specification, types `deb`, `apk` and `rpm`).
pub fn purl(os: &OsRelease, package: &Package) -> String {
    let kind = match os.family() {
        Some("apk") => "apk",
        Some("rpm") => "rpm",
        _ => "deb",
    };
    // Makers are named as their own advisories name them.
    let namespace = match os.id.as_str() {
        "" => "debian",
        "rhel" => "redhat",
        id if id.starts_with("opensuse") => "opensuse",
        id if id.starts_with("sle") || id.starts_with("sl-") => "suse",
        id => id,
    };
    let (epoch, version) = match package.version.split_once(':') {
        Some((epoch, version)) if kind == "rpm" => (Some(epoch), version),
        _ => (None, package.version.as_str()),
    };
    let architecture = Some(package.architecture.as_str()).filter(|architecture| !architecture.is_empty());
    let qualifiers: Vec<String> = [("arch", architecture), ("epoch", epoch)]
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", encode((*value)?))))
        .collect();
    let qualifiers = if qualifiers.is_empty() { String::new() } else { format!("?{}", qualifiers.join("&")) };
    format!("pkg:{kind}/{}/{}@{}{qualifiers}", encode(namespace), encode(&package.name), encode(version))
}

#[cfg(test)]
mod tests;
