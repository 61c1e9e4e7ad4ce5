//! Bills of materials, without clock time, so that their digests depend on content only.

mod cyclonedx;
mod licence;
mod spdx;

use crate::files::whole::Whole;
use crate::inventory::family;
use mercat_artifact::pkgdb::{OsRelease, Package};
use mercat_domain::plain::plain_json;
use mercat_inventory::{Component, Evidence, encode};
use std::collections::BTreeMap;

/// Files without a package that a document lists; the others are counted.
const FILES_MAX: usize = 2_000;
/// Places of one component that a document lists; the others are counted.
const PLACES_MAX: usize = 50;

/// What a bill of materials is made of.
pub(crate) struct Materials<'a> {
    /// `container` or `file`, as CycloneDX has it.
    pub(crate) kind: &'static str,
    /// Digest of the manifest or disk.
    pub(crate) subject: &'a str,
    pub(crate) os: &'a OsRelease,
    pub(crate) packages: &'a [Package],
    pub(crate) whole: &'a Whole,
}

/// The documents about one image or disk.
pub(crate) struct Documents {
    /// Digest and text in CycloneDX 1.6 JSON.
    pub(crate) cyclonedx: (String, String),
    /// Digest and text in SPDX 2.3 JSON.
    pub(crate) spdx: (String, String),
}

/// Writes both documents.
pub(crate) fn write(materials: &Materials<'_>) -> Documents {
    let parts = parts(materials);
    let with_digest = |text: String| {
        let text = plain_json(&text);
        (crate::digest_of(text.as_bytes()).to_string(), text)
    };
    Documents {
        cyclonedx: with_digest(cyclonedx::write(materials, &parts)),
        spdx: with_digest(spdx::write(materials, &parts)),
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
    let whole = materials.whole;
    let mut out: BTreeMap<String, Part> = BTreeMap::new();
    for package in materials.packages {
        let part = of_package(materials, package);
        out.entry(part.reference.clone()).or_insert(part);
    }
    for component in &whole.components {
        // A claim is a line of its own: what was found must not look like what was said.
        let suffix = if component.evidence == Evidence::Claim { "#claimed" } else { "" };
        let scope = (component.evidence == Evidence::Intent).then_some("optional");
        let evidence = ("mercat:evidence", component.evidence.name().to_owned());
        add(&mut out, component, (suffix, scope), evidence);
    }
    for component in &whole.removed {
        let removed = ("mercat:removed", "by a later layer".to_owned());
        add(&mut out, component, ("#removed", Some("excluded")), removed);
    }
    for package in &whole.gone {
        let mut part = of_package(materials, package);
        part.reference += "#removed";
        part.scope = Some("excluded");
        part.properties.push(("mercat:removed", "by a later layer".to_owned()));
        out.entry(part.reference.clone()).or_insert(part);
    }
    let mut out: Vec<Part> = out.into_values().collect();
    let files = whole.unpackaged.iter().take(FILES_MAX);
    out.extend(files.map(|(path, program)| Part {
        reference: format!("file:/{path}"),
        name: path.clone(),
        version: String::new(),
        purl: String::new(),
        licence: String::new(),
        kind: "file",
        scope: None,
        sha256: program.sha256.to_string(),
        places: Vec::new(),
        properties: vec![("mercat:bytes", program.bytes.to_string())],
    }));
    out
}

fn of_package(materials: &Materials<'_>, package: &Package) -> Part {
    let purl = purl(materials.os, package);
    let licences = &materials.whole.licences;
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

/// How much of the files without packages is not listed.
fn left_of(whole: &Whole) -> (usize, u64) {
    (whole.unpackaged.len(), whole.left)
}

/// The package URL of a distribution package (purl specification, types `deb`, `apk` and `rpm`).
pub(crate) fn purl(os: &OsRelease, package: &Package) -> String {
    let kind = match family(os) {
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
