//! The bill of materials: CycloneDX 1.6 JSON, without clock time, so that its digest depends on content only.

use crate::inventory::family;
use mercat_artifact::pkgdb::{OsRelease, Package};
use serde_json::json;

/// The package URL of a distribution package (purl specification, types `deb`, `apk` and `rpm`).
pub(crate) fn purl(os: &OsRelease, package: &Package) -> String {
    let kind = match family(os) {
        Some("apk") => "apk",
        Some("rpm") => "rpm",
        _ => "deb",
    };
    let namespace = if os.id.is_empty() { "debian" } else { &os.id };
    let (epoch, version) = match package.version.split_once(':') {
        Some((epoch, version)) if kind == "rpm" => (Some(epoch), version),
        _ => (None, package.version.as_str()),
    };
    let architecture = Some(package.architecture.as_str()).filter(|architecture| !architecture.is_empty());
    let qualifiers: Vec<String> = [("arch", architecture), ("epoch", epoch)]
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", (*value)?)))
        .collect();
    let qualifiers = if qualifiers.is_empty() { String::new() } else { format!("?{}", qualifiers.join("&")) };
    format!("pkg:{kind}/{namespace}/{}@{}{qualifiers}", encode(&package.name), encode(version))
}

fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_~:".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Writes the document of one image.
pub fn cyclonedx(manifest: &str, os: &OsRelease, packages: &[Package]) -> String {
    document("container", manifest, os, packages)
}

/// Writes the document of one disk.
pub(crate) fn of_disk(digest: &str, os: &OsRelease, packages: &[Package]) -> String {
    document("file", digest, os, packages)
}

fn document(kind: &str, manifest: &str, os: &OsRelease, packages: &[Package]) -> String {
    let mut components = vec![json!({
        "type": "operating-system",
        "bom-ref": "os",
        "name": if os.id.is_empty() { "unknown" } else { &os.id },
        "version": os.version_id,
    })];
    components.extend(packages.iter().map(|package| {
        let purl = purl(os, package);
        json!({
            "type": "library", "bom-ref": purl, "name": package.name, "version": package.version, "purl": purl,
            "properties": [
                {"name": "mercat:source", "value": format!("{}@{}", package.source, package.source_version)},
            ],
        })
    }));
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": kind, "bom-ref": manifest, "name": manifest},
            "tools": {"components": [{"type": "application", "name": "mercat", "version": env!("CARGO_PKG_VERSION")}]},
        },
        "components": components,
    });
    serde_json::to_string_pretty(&document).expect("plain data")
}
