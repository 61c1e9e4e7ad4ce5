//! SPDX 2.3 JSON.

use super::licence::{Licence, understand};
use super::{FILES_MAX, Materials, PLACES_MAX, Part};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// The format asks for a time; the same image must give the same document.
const CREATED: &str = "1970-01-01T00:00:00Z";

pub(super) fn write(materials: &Materials<'_>, parts: &[Part]) -> String {
    let subject = materials.subject;
    let os = materials.os;
    let root = "SPDXRef-Subject";
    let mut packages = vec![
        json!({
            "SPDXID": root, "name": subject, "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
            "primaryPackagePurpose": if materials.kind == "container" { "CONTAINER" } else { "FILE" },
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
        }),
        json!({
            "SPDXID": "SPDXRef-OperatingSystem",
            "name": if os.id.is_empty() { "unknown" } else { &os.id },
            "versionInfo": if os.version_id.is_empty() { "unknown" } else { &os.version_id },
            "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
            "primaryPackagePurpose": "OPERATING-SYSTEM",
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
        }),
    ];
    let mut relationships = vec![
        relationship("SPDXRef-DOCUMENT", "DESCRIBES", root),
        relationship(root, "CONTAINS", "SPDXRef-OperatingSystem"),
    ];
    for (at, part) in parts.iter().enumerate() {
        let id = format!("SPDXRef-Part-{at}");
        // What is not there any more is told, and is not contained.
        let gone = part.properties.iter().any(|(name, _)| *name == "mercat:removed");
        relationships.push(relationship(root, if gone { "OTHER" } else { "CONTAINS" }, &id));
        packages.push(package(part, &id));
    }
    let (unpackaged, left) = (materials.unpackaged.len(), materials.left);
    let comment = format!(
        "{unpackaged} programs of no package, of which at most {FILES_MAX} are listed; {left} facts were not kept"
    );
    let named = Sha256::digest(serde_json::to_string(&packages).expect("plain data"));
    let named = mercat_domain::Digest::from_sha256(&named);
    let document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": subject,
        "documentNamespace": format!("https://spdx.org/spdxdocs/mercat-{}", named.hex()),
        "comment": comment,
        "creationInfo": {
            "created": CREATED,
            "creators": [format!("Tool: mercat-{}", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": relationships,
    });
    serde_json::to_string_pretty(&document).expect("plain data")
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

fn package(part: &Part, id: &str) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("SPDXID", json!(id));
    put("name", json!(part.name));
    if !part.version.is_empty() {
        put("versionInfo", json!(part.version));
    }
    put("downloadLocation", json!("NOASSERTION"));
    put("filesAnalyzed", json!(false));
    put("primaryPackagePurpose", json!(part.kind.to_uppercase()));
    if !part.sha256.is_empty() {
        put("packageFileName", json!(format!("./{}", part.name)));
        put("checksums", json!([{"algorithm": "SHA256", "checksumValue": part.sha256}]));
    }
    put("licenseConcluded", json!("NOASSERTION"));
    let (declared, words) = match understand(&part.licence) {
        Licence::None => ("NOASSERTION".to_owned(), None),
        Licence::Id(text) | Licence::Expression(text) => (text, None),
        Licence::Words(words) => ("NOASSERTION".to_owned(), Some(words)),
    };
    put("licenseDeclared", json!(declared));
    if let Some(words) = words {
        put("licenseComments", json!(format!("As written in the package: {words}")));
    }
    put("copyrightText", json!("NOASSERTION"));
    if !part.purl.is_empty() {
        let reference = json!({
            "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": part.purl,
        });
        put("externalRefs", json!([reference]));
    }
    let properties = part.properties.iter().map(|(name, value)| format!("{name}={value}"));
    let places = part.places.iter().take(PLACES_MAX).map(|place| format!("in {place}"));
    let mut comments: Vec<String> = properties.chain(places).collect();
    if part.places.len() > PLACES_MAX {
        comments.push(format!("and in {} more places", part.places.len() - PLACES_MAX));
    }
    if !comments.is_empty() {
        put("comment", json!(comments.join("; ")));
    }
    Value::Object(out)
}
