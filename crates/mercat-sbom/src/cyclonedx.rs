//! CycloneDX 1.6 JSON.

use super::licence::{Licence, understand};
use super::{FILES_MAX, Materials, PLACES_MAX, Part};
use serde_json::{Map, Value, json};

/// Characters of a version, by the schema.
const VERSION_CHARS_MAX: usize = 1024;

pub(super) fn write(materials: &Materials<'_>, parts: &[Part]) -> String {
    let os = materials.os;
    let mut components = vec![json!({
        "type": "operating-system",
        "bom-ref": "os",
        "name": if os.id.is_empty() { "unknown" } else { &os.id },
        "version": of_schema(&os.version_id),
    })];
    components.extend(parts.iter().map(component));
    let (unpackaged, left) = (materials.unpackaged.len(), materials.left);
    let mut properties = vec![json!({"name": "mercat:unpackaged-files", "value": unpackaged.to_string()})];
    if unpackaged > FILES_MAX {
        let value = (unpackaged - FILES_MAX).to_string();
        properties.push(json!({"name": "mercat:unpackaged-files-not-listed", "value": value}));
    }
    if left > 0 {
        properties.push(json!({"name": "mercat:facts-not-kept", "value": left.to_string()}));
    }
    let subject = materials.subject;
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": materials.kind, "bom-ref": subject, "name": subject},
            "tools": {"components": [
                {"type": "application", "name": "mercat", "version": env!("CARGO_PKG_VERSION")},
            ]},
            "properties": properties,
        },
        "components": components,
    });
    serde_json::to_string_pretty(&document).expect("plain data")
}

fn component(part: &Part) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
    put("type", json!(part.kind));
    put("bom-ref", json!(part.reference));
    put("name", json!(part.name));
    if !part.version.is_empty() {
        put("version", json!(of_schema(&part.version)));
    }
    if let Some(scope) = part.scope {
        put("scope", json!(scope));
    }
    if !part.sha256.is_empty() {
        put("hashes", json!([{"alg": "SHA-256", "content": part.sha256}]));
    }
    match understand(&part.licence) {
        Licence::None => {}
        Licence::Id(id) => drop(put("licenses", json!([{"license": {"id": id}}]))),
        Licence::Expression(text) => drop(put("licenses", json!([{"expression": text}]))),
        Licence::Words(words) => drop(put("licenses", json!([{"license": {"name": words}}]))),
    }
    if !part.purl.is_empty() {
        put("purl", json!(part.purl));
    }
    let mut properties: Vec<Value> =
        part.properties.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    if part.places.len() > PLACES_MAX {
        let value = (part.places.len() - PLACES_MAX).to_string();
        properties.push(json!({"name": "mercat:places-not-listed", "value": value}));
    }
    if !part.places.is_empty() {
        let places = part.places.iter().take(PLACES_MAX);
        let places: Vec<Value> = places.map(|place| json!({"location": place})).collect();
        put("evidence", json!({"occurrences": places}));
    }
    if !properties.is_empty() {
        put("properties", Value::Array(properties));
    }
    Value::Object(out)
}

/// A version as far as the schema lets it be; the package URL has all of it.
fn of_schema(version: &str) -> String {
    version.chars().take(VERSION_CHARS_MAX).collect()
}
