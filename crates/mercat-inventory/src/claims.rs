//! Bills of materials that come with an image: CycloneDX JSON 1.2 to 1.7. They are claims.

use crate::json::{Text, parse};
use crate::{Broken, COMPONENTS_OF_FILE_MAX, Component, Evidence};
use serde::Deserialize;

/// Nesting of components.
const DEPTH_MAX: usize = 16;

#[derive(Deserialize)]
struct Document {
    #[serde(default, rename = "bomFormat")]
    format: Text,
    #[serde(default, rename = "specVersion")]
    version: Text,
    #[serde(default)]
    components: Vec<Part>,
    /// In-toto statements carry the document as their predicate.
    #[serde(default)]
    predicate: Option<Box<Document>>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    purl: Text,
    #[serde(default)]
    licenses: Vec<Licence>,
    #[serde(default)]
    components: Vec<Part>,
}

#[derive(Deserialize)]
struct Licence {
    #[serde(default)]
    expression: Text,
    #[serde(default)]
    license: Option<LicenceName>,
}

#[derive(Deserialize)]
struct LicenceName {
    #[serde(default)]
    id: Text,
    #[serde(default)]
    name: Text,
}

/// Components with a package URL, at any depth.
pub(crate) fn cyclonedx(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let mut document: Document = parse("CycloneDX document", bytes)?;
    if let Some(inside) = document.predicate.take() {
        document = *inside;
    }
    if document.format.0 != "CycloneDX" {
        return Err(Broken::syntax("CycloneDX document", "bomFormat is not CycloneDX"));
    }
    if !matches!(document.version.0.as_str(), "1.2" | "1.3" | "1.4" | "1.5" | "1.6" | "1.7") {
        return Err(Broken::syntax("CycloneDX document of a version that is read", &document.version.0));
    }
    let mut out = Vec::new();
    let mut open: Vec<(&Part, usize)> = document.components.iter().map(|part| (part, 0)).collect();
    while let Some((part, depth)) = open.pop() {
        if depth > DEPTH_MAX {
            return Err(Broken::syntax("CycloneDX document", format!("nested deeper than {DEPTH_MAX}")));
        }
        if out.len() > COMPONENTS_OF_FILE_MAX {
            return Err(Broken::TooMany);
        }
        open.extend(part.components.iter().map(|inside| (inside, depth + 1)));
        let Some(component) = of_purl(&part.purl.0) else { continue };
        let licence = part.licenses.iter().map(|licence| match &licence.license {
            Some(name) if name.id.0.is_empty() => name.name.0.clone(),
            Some(name) => name.id.0.clone(),
            None => licence.expression.0.clone(),
        });
        let licences: Vec<String> = licence.filter(|text| !text.is_empty()).collect();
        let licence = crate::all_of(licences.iter().map(String::as_str));
        out.push(Component { licence, ..component });
    }
    Ok(out)
}

/// Type, name and version of a package URL; qualifiers and subpath are left.
fn of_purl(purl: &str) -> Option<Component> {
    let rest = purl.strip_prefix("pkg:")?.trim_start_matches('/');
    let rest = rest.split(['?', '#']).next()?;
    let (kind, rest) = rest.split_once('/')?;
    let (path, version) = match rest.rsplit_once('@') {
        Some((path, version)) if !path.is_empty() => (path, decode(version)),
        _ => (rest, String::new()),
    };
    let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
    let kind = kind.to_ascii_lowercase();
    let name = match (kind.as_str(), parts.as_slice()) {
        ("maven", [group, artifact]) => format!("{group}:{artifact}"),
        _ => parts.join("/"),
    };
    let evidence = Evidence::Claim;
    let plain = kind.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-".contains(&b));
    (plain && !name.is_empty()).then(|| Component { kind, name, version, evidence, ..Component::default() })
}

fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| *byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
