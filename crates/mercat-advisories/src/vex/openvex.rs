//! OpenVEX 0.2.0.

use super::{PRODUCTS_MAX, Product, STATEMENTS_MAX, Statement, Status, VexError, date, shown, within, word};
use crate::Day;
use serde_json::Value;

const JUSTIFICATIONS: [&str; 5] = [
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn read(document: &Value) -> Result<Vec<Statement>, VexError> {
    let author = word(document, "author");
    if author.is_empty() {
        return Err(VexError::Document { why: "the document has no author" });
    }
    let statements = list(document, "statements");
    within("statements", statements.len(), STATEMENTS_MAX, "statements")?;
    if statements.is_empty() {
        return Err(VexError::Document { why: "the document has no statements" });
    }
    let one = |(at, value): (usize, &Value)| {
        read_statement(document, value, &author).map_err(|error| match error {
            VexError::Statement { why, .. } => VexError::Statement { at: at + 1, why },
            other => other,
        })
    };
    statements.iter().enumerate().map(one).collect()
}

fn read_statement(document: &Value, value: &Value, author: &str) -> Result<Statement, VexError> {
    let wrong = |why| VexError::Statement { at: 0, why };
    let vulnerability = names(value.get("vulnerability").ok_or(wrong("it names no vulnerability"))?);
    if vulnerability.is_empty() {
        return Err(wrong("it names no vulnerability"));
    }
    let status = match word(value, "status").as_str() {
        "not_affected" => Status::NotAffected,
        "affected" => Status::Affected,
        "fixed" => Status::Fixed,
        "under_investigation" => Status::UnderInvestigation,
        _ => return Err(wrong("its status is none of OpenVEX 0.2.0")),
    };
    let justification = word(value, "justification");
    if !justification.is_empty() && !JUSTIFICATIONS.contains(&justification.as_str()) {
        return Err(wrong("its justification is none of OpenVEX 0.2.0"));
    }
    let impact = word(value, "impact_statement");
    if status == Status::NotAffected && justification.is_empty() && impact.is_empty() {
        return Err(wrong("not_affected needs a justification or an impact_statement"));
    }
    let reason = if impact.is_empty() { word(value, "action_statement") } else { impact };
    let day = date(value, &["last_updated", "timestamp"]).map_err(wrong)?;
    let of_document = date(document, &["timestamp"]).map_err(wrong)?;
    Ok(Statement {
        author: author.to_owned(),
        day: day.or(of_document),
        vulnerability,
        products: products(list(value, "products"))?,
        status,
        justification,
        reason,
        expires: expiry(value).or(expiry(document)).transpose()?,
        of_publisher: false,
    })
}

/// An extension, because OpenVEX has no expiry: `expires`, a day or a timestamp.
fn expiry(value: &Value) -> Option<Result<Day, VexError>> {
    let text = value.get("expires")?;
    let why = "expires is no date";
    Some(text.as_str().and_then(Day::parse).ok_or(VexError::Statement { at: 0, why }))
}

/// A vulnerability is a structure with a name and aliases; documents of 0.0.1 had a text.
fn names(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(shown).filter(|name| !name.is_empty());
    let mut out: Vec<String> = text(value).into_iter().collect();
    out.extend(value.get("name").and_then(text));
    out.extend(list(value, "aliases").iter().filter_map(text));
    // The @id is often a URL that ends with the name.
    let id = value.get("@id").and_then(Value::as_str).and_then(|id| id.rsplit('/').next());
    out.extend(id.filter(|_| out.is_empty()).map(shown).filter(|name| !name.is_empty()));
    out
}

fn products(values: &[Value]) -> Result<Vec<Product>, VexError> {
    let parts: usize = values.iter().map(|value| 1 + list(value, "subcomponents").len()).sum();
    within("products", parts, PRODUCTS_MAX, "products")?;
    Ok(values.iter().map(product).collect())
}

fn product(value: &Value) -> Product {
    let parts = list(value, "subcomponents");
    let purls = || parts.iter().flat_map(|part| product(&without_parts(part)).purls).collect();
    let mut out = Product { parts: (!parts.is_empty()).then(purls), ..Product::default() };
    let identifiers = value.get("identifiers");
    let purl = identifiers.and_then(|known| known.get("purl"));
    for text in [value.get("@id"), purl, Some(value)].into_iter().flatten().filter_map(Value::as_str) {
        if text.starts_with("pkg:") {
            out.purls.push(text.to_owned());
        }
    }
    let hash = value.get("hashes").and_then(|hashes| hashes.get("sha-256")).and_then(Value::as_str);
    out.digests.extend(hash.map(|hex| format!("sha256:{hex}")));
    out
}

/// Parts have no parts of their own.
fn without_parts(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.remove("subcomponents");
    }
    value
}
